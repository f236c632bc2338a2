/*
 * fastpath_arrays.c
 *		Text of arrays, for the fast path.
 *
 * NOTES
 *	  The form is that of array_out() in src/backend/utils/adt/arrayfuncs.c, for
 *	  arrays of one dimension that begin with 1; all others are left to it.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "core/pgtext.h"
#include "fastpath_private.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* More than what is around an element: a separator, two quotes, a bracket. */
#define AROUND			8

/* Room for a small array, beside as much as it has itself. */
#define FIRST_ROOM		256

typedef struct Out
{
	char	   *data;
	Size		len;
	Size		room;
} Out;

DbmazzFastElement *
dbmazz_arrays_element(Oid typid, MemoryContext cxt, HTAB *needed)
{
	DbmazzFastElement e;
	DbmazzFastElement *element;
	char		delimiter;
	Oid			ioparam;
	Oid			output;

	e.typid = get_element_type(getBaseType(typid));
	if (!OidIsValid(e.typid))
		return NULL;
	get_type_io_data(e.typid, IOFunc_output, &e.len, &e.by_value, &e.align,
					 &delimiter, &ioparam, &output);
	e.kind = dbmazz_texts_kind(output, e.typid, needed);
	if (delimiter != ',' || e.kind <= DBMAZZ_FAST_CACHED ||
		e.kind >= DBMAZZ_FAST_ARRAY)
		return NULL;
	element = MemoryContextAlloc(cxt, sizeof(*element));
	*element = e;
	return element;
}

/* Is nothing in its text, whatever the value, a reason for quotes? */
static bool
is_always_bare(DbmazzFastKind kind)
{
	switch (kind)
	{
		case DBMAZZ_FAST_TEXT:
		case DBMAZZ_FAST_DATE:	/* BC */
		case DBMAZZ_FAST_TIMESTAMP:
		case DBMAZZ_FAST_TIMESTAMPTZ:
		case DBMAZZ_FAST_BYTEA:
			return false;
		default:
			return true;
	}
}

/* Needs the text quotes; and how many of its bytes a backslash? */
static bool
needs_quotes(const char *text, Size len, Size *nescapes)
{
	enum
	{
		QUOTE = 1, ESCAPE = 2
	};
	static const uint8 reasons[256] = {
		[' '] = QUOTE,['\t'] = QUOTE,['\n'] = QUOTE,['\v'] = QUOTE,
		['\f'] = QUOTE,['\r'] = QUOTE,['{'] = QUOTE,['}'] = QUOTE,
		[','] = QUOTE,['"'] = ESCAPE,['\\'] = ESCAPE
	};
	uint8		found = 0;
	Size		n = 0;

	for (Size i = 0; i < len; i++)
	{
		uint8		reason = reasons[(unsigned char) text[i]];

		found |= reason;
		n += reason >> 1;
	}
	*nescapes = n;
	return found != 0 || len == 0 ||
		(len == 4 && pg_strncasecmp(text, "NULL", 4) == 0);
}

/*
 * Where 'n' bytes have room; an array that is too large as text is an error.  That
 * doubling would be too large is none: the server's function takes what it needs.
 */
static inline char *
reserve(Out *out, Size n)
{
	if (unlikely(out->room - out->len < n))
	{
		out->room = Max(out->len + n, Min(2 * out->room, MaxAllocSize));
		out->data = repalloc(out->data, out->room);
	}
	return out->data + out->len;
}

static void
put_quoted(Out *out, const char *text, Size len, Size nescapes)
{
	char	   *to = reserve(out, len + nescapes + AROUND);

	*to++ = '"';
	if (nescapes == 0)
	{
		memcpy(to, text, len);
		to += len;
	}
	else
		for (Size i = 0; i < len; i++)
		{
			if (text[i] == '"' || text[i] == '\\')
				*to++ = '\\';
			*to++ = text[i];
		}
	*to++ = '"';
	out->len = to - out->data;
}

static void
put_element(Out *out, const DbmazzFastElement *element, Datum datum)
{
	char		room[DBMAZZ_PGTEXT_ROOM];
	DbmazzValue value;
	Size		nescapes;

	dbmazz_texts_plain(element->kind, datum, room, &value);
	if (needs_quotes(value.data, value.len, &nescapes))
	{
		put_quoted(out, value.data, value.len, nescapes);
		return;
	}
	memcpy(reserve(out, value.len + AROUND), value.data, value.len);
	out->len += value.len;
}

/* The same for texts that are written into their place. */
static inline void
put_bare_element(Out *out, DbmazzFastKind kind, Datum datum)
{
	char	   *to = reserve(out, DBMAZZ_PGTEXT_ROOM + AROUND);
	DbmazzValue value;

	dbmazz_texts_plain(kind, datum, to, &value);
	if (unlikely(value.data != to))
		memcpy(reserve(out, value.len + AROUND), value.data, value.len);
	out->len += value.len;
}

bool
dbmazz_arrays_value(const DbmazzFastElement *element, Datum datum,
					DbmazzValue *value)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	bits8	   *present = ARR_NULLBITMAP(array);
	char	   *p = ARR_DATA_PTR(array);
	bool		is_bare = is_always_bare(element->kind);
	Out			out;
	int			n;

	if (ARR_ELEMTYPE(array) != element->typid)
		return false;
	n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (n == 0)
	{
		value->data = "{}";
		value->len = 2;
		return true;
	}
	if (ARR_NDIM(array) != 1 || ARR_LBOUND(array)[0] != 1)
		return false;
	out.len = 0;
	out.room = Min(VARSIZE(array) + FIRST_ROOM, MaxAllocSize);
	out.data = palloc(out.room);
	for (int i = 0; i < n; i++)
	{
		*reserve(&out, AROUND) = i == 0 ? '{' : ',';
		out.len++;
		if (present != NULL && (present[i / 8] & (1 << (i % 8))) == 0)
		{
			memcpy(out.data + out.len, "NULL", 4);
			out.len += 4;
			continue;
		}
		datum = fetch_att(p, element->by_value, element->len);
		if (is_bare)
			put_bare_element(&out, element->kind, datum);
		else
			put_element(&out, element, datum);
		p = att_addlength_pointer(p, element->len, p);
		p = (char *) att_align_nominal(p, element->align);
	}
	*reserve(&out, AROUND) = '}';
	value->data = out.data;
	value->len = out.len + 1;
	return true;
}
