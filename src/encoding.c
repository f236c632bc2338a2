/*
 * encoding.c
 *		Between the database's encoding and UTF-8.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "core/utf8.h"
#include "encoding.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

/* Bytes that are converted in one call. */
#define PIECE			65536

#define NO_CHARACTER	"\xEF\xBF\xBD"	/* U+FFFD */

/* A way to convert; without 'proc' only ASCII is. */
typedef struct Way
{
	int			from;
	int			to;
	bool		has_proc;
	FmgrInfo	proc;
} Way;

static Way to_utf8 = {.to = PG_UTF8};
static Way from_utf8 = {.from = PG_UTF8};
static bool is_ready = false;

/* A text that grows. */
typedef struct Text
{
	char	   *data;
	Size		len;
	Size		size;
} Text;

bool
dbmazz_encoding_is_utf8(void)
{
	return GetDatabaseEncoding() == PG_UTF8;
}

static void
find_proc(Way *way)
{
	Oid			proc = FindDefaultConversionProc(way->from, way->to);

	if (!OidIsValid(proc))
		return;
	fmgr_info_cxt(proc, &way->proc, TopMemoryContext);
	way->has_proc = true;
}

void
dbmazz_encoding_init(void)
{
	int			encoding = GetDatabaseEncoding();

	if (is_ready)
		return;
	to_utf8.from = from_utf8.to = encoding;
	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
	{
		find_proc(&to_utf8);
		find_proc(&from_utf8);
	}
	is_ready = true;
}

static inline bool
has_high_bit(const char *data, Size len)
{
	for (; len >= 8; data += 8, len -= 8)
	{
		uint64		word;

		memcpy(&word, data, sizeof(word));
		if ((word & UINT64CONST(0x8080808080808080)) != 0)
			return true;
	}
	while (len > 0)
	{
		if (IS_HIGHBIT_SET(data[--len]))
			return true;
	}
	return false;
}

/* ---- conversion ---------------------------------------------------------- */

/* Room for 'more' bytes and a zero byte. */
static void
make_room(Text *text, Size more)
{
	Size		needed = text->len + more + 1;

	if (needed <= text->size)
		return;
	text->size = Max(needed, text->size * 2);
	text->data = text->data == NULL ?
		MemoryContextAllocHuge(CurrentMemoryContext, text->size) :
		repalloc_huge(text->data, text->size);
}

static void
append(Text *text, const char *data, Size len)
{
	make_room(text, len);
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

/* Bytes of SQL_ASCII that are UTF-8, and so need no conversion. */
static Size
count_utf8(const char *data, Size len)
{
	Size		done = 0;

	while (done < len)
	{
		Size		n = dbmazz_utf8_char(data + done, len - done);

		if (n == 0)
			break;
		done += n;
	}
	return done;
}

static Size
count_ascii(const char *data, Size len)
{
	Size		done = 0;

	while (done < len && !IS_HIGHBIT_SET(data[done]))
		done++;
	return done;
}

/*
 * Convert what can be from the beginning of at most PIECE bytes; returns how
 * many bytes that is.
 */
static Size
convert_some(Way *way, const char *data, Size len, Text *out)
{
	Size		n = Min(len, PIECE);

	if (way->has_proc)
	{
		make_room(out, n * MAX_CONVERSION_GROWTH);
		n = DatumGetInt32(FunctionCall6(&way->proc,
										Int32GetDatum(way->from),
										Int32GetDatum(way->to),
										CStringGetDatum(data),
										CStringGetDatum(out->data + out->len),
										Int32GetDatum((int32) n),
										BoolGetDatum(true)));
		out->len += strlen(out->data + out->len);
		return n;
	}
	if (way->from == PG_SQL_ASCII)
		n = count_utf8(data, n);
	else if (way->to != PG_SQL_ASCII)
		n = count_ascii(data, n);
	append(out, data, n);
	return n;
}

/* Bytes of what is no character that can be converted. */
static Size
bad_length(const Way *way, const char *data, Size len)
{
	int			n = -1;

	if (way->from != PG_SQL_ASCII)
		n = pg_encoding_verifymbchar(way->from, data,
									 (int) Min(len, MAX_MULTIBYTE_CHAR_LEN));
	return n > 0 ? n : 1;
}

/* Bytes in a form that is the same in every encoding. */
static void
append_escaped(Text *text, const char *data, Size len)
{
	while (len-- > 0)
	{
		char		escape[8];

		snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char) *data++);
		append(text, escape, 4);
	}
}

/*
 * Returns false if there was something that could not be converted.  Each character
 * of that becomes 'instead'; NULL: its bytes are escaped.
 */
static bool
convert(Way *way, const char *data, Size len, const char *instead, Text *out)
{
	bool		is_clean = true;

	while (len > 0)
	{
		Size		done = convert_some(way, data, len, out);

		/* a character that the end of a piece has cut begins the next one */
		if (done == 0)
		{
			done = bad_length(way, data, len);
			if (instead != NULL)
				append(out, instead, strlen(instead));
			else
				append_escaped(out, data, done);
			is_clean = false;
		}
		data += done;
		len -= done;
	}
	return is_clean;
}

/* ---- texts --------------------------------------------------------------- */

static char *
convert_text(Way *way, const char *text, bool *is_clean)
{
	Size		len = strlen(text);
	Text		out = {0};

	*is_clean = true;
	to_utf8.from = from_utf8.to = GetDatabaseEncoding();
	if (dbmazz_encoding_is_utf8() || !has_high_bit(text, len))
		return unconstify(char *, text);
	if (IsTransactionState())
		dbmazz_encoding_init();
	*is_clean = convert(way, text, len, NULL, &out);
	return out.data;
}

char *
dbmazz_to_utf8(const char *text)
{
	bool		is_clean;

	return convert_text(&to_utf8, text, &is_clean);
}

char *
dbmazz_from_utf8(const char *text)
{
	bool		is_clean;

	return convert_text(&from_utf8, text, &is_clean);
}

bool
dbmazz_is_convertible(const char *text)
{
	bool		is_clean;
	char	   *converted = convert_text(&to_utf8, text, &is_clean);

	if (converted != text)
		pfree(converted);
	return is_clean;
}

bool
dbmazz_may_be_escaped(const char *text)
{
	if (dbmazz_encoding_is_utf8())
		return false;
	for (; (text = strstr(text, "\\x")) != NULL; text += 2)
	{
		/* ASCII is never escaped */
		if (text[2] >= '8' && strspn(text + 2, "0123456789abcdef") >= 2)
			return true;
	}
	return false;
}

/* ---- rows ---------------------------------------------------------------- */

/* Values of the other classes are ASCII; "char" is a byte and no character. */
static bool
is_text(const DbmazzColumnDesc *column)
{
	return column->value_class == DBMAZZ_VALUE_STRING ||
		column->value_class == DBMAZZ_VALUE_JSON;
}

static DbmazzStatus
refuse(DbmazzError *err, int column, const char *why)
{
	dbmazz_error_set(err, DBMAZZ_ERR_UNREPRESENTABLE, 0,
					 "the value has bytes that are no characters of %s%s",
					 GetDatabaseEncoding() == PG_SQL_ASCII ? "UTF8" :
					 GetDatabaseEncodingName(), why);
	err->column = column + 1;
	return DBMAZZ_ERR_UNREPRESENTABLE;
}

static void
set_empty(DbmazzValue *value, DbmazzValueKind kind)
{
	value->kind = kind;
	value->data = NULL;
	value->len = 0;
}

/* It is not sent, but shown. */
static void
set_broken(DbmazzValue *value)
{
	Text		out = {0};

	(void) convert(&to_utf8, value->data, value->len, NULL, &out);
	value->kind = DBMAZZ_VALUE_BROKEN;
	value->data = out.data;
	value->len = (uint32) out.len;
}

/* A value that could not be converted wholly; 'out' is what is left of it. */
static DbmazzStatus
fit(const DbmazzColumnDesc *column, DbmazzValue *value, const Text *out,
	bool is_old, DbmazzUnrepresentable policy, DbmazzError *err, int i)
{
	if ((column->flags & DBMAZZ_COLUMN_KEY) == 0 && is_old)
	{
		set_empty(value, DBMAZZ_VALUE_UNCHANGED);
		return DBMAZZ_OK;
	}
	if (policy == DBMAZZ_UNREPRESENTABLE_ERROR)
		return refuse(err, i, "");
	if (column->flags & DBMAZZ_COLUMN_KEY)
		return refuse(err, i, ", and key columns are never changed");
	if (policy == DBMAZZ_UNREPRESENTABLE_CLAMP)
	{
		value->data = out->data;
		value->len = (uint32) out->len;
		return DBMAZZ_OK;
	}
	if (column->flags & DBMAZZ_COLUMN_NOT_NULL)
		return refuse(err, i, ", and the column is NOT NULL");
	set_empty(value, DBMAZZ_VALUE_NULL);
	return DBMAZZ_OK;
}

DbmazzStatus
dbmazz_encoding_tuple(const DbmazzTableDesc *desc, DbmazzTuple *tuple,
					  bool is_old, bool keep, DbmazzUnrepresentable policy,
					  DbmazzError *err)
{
	for (int i = 0; i < desc->ncolumns; i++)
	{
		const DbmazzColumnDesc *column = &desc->columns[i];
		DbmazzValue *value = &tuple->values[column->source];
		Text		out = {0};

		if (column->source >= tuple->ncolumns ||
			value->kind != DBMAZZ_VALUE_TEXT || !is_text(column) ||
			!has_high_bit(value->data, value->len))
			continue;
		if (!convert(&to_utf8, value->data, value->len, NO_CHARACTER, &out))
		{
			DbmazzStatus status = fit(column, value, &out, is_old, policy, err,
									  i);

			if (status != DBMAZZ_OK && !keep)
				return status;
			if (status != DBMAZZ_OK)
				set_broken(value);
			continue;
		}
		value->data = out.data;
		value->len = (uint32) out.len;
	}
	return DBMAZZ_OK;
}
