/*
 * fastpath_texts.c
 *		Text of a tuple's values, for the fast path.
 *
 * NOTES
 *	  An output function that is called again and again keeps what it has found
 *	  out.  That is safe for base types and enums (whose labels are kept here);
 *	  functions of composite types, ranges and the like remember the inside of
 *	  other types, of whose changes nobody tells us, so they are looked up for each
 *	  value, as pgoutput does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "compat.h"
#include "core/pgjsonb.h"
#include "core/pgtext.h"
#include "fastpath_private.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Room for small documents, whatever has to be escaped in them. */
#define JSONB_ROOM		1024

void
dbmazz_texts_init(DbmazzTexts *texts, MemoryContext parent)
{
	/* an old row and a new one */
	texts->room = MemoryContextAlloc(parent, 2 * DBMAZZ_MAX_COLUMNS *
									 DBMAZZ_PGTEXT_ROOM);
	texts->next = texts->room;
	texts->cxt = AllocSetContextCreate(parent, "dbmazz fast path texts",
									   ALLOCSET_DEFAULT_SIZES);
}

void
dbmazz_texts_reset(DbmazzTexts *texts)
{
	texts->next = texts->room;
	MemoryContextReset(texts->cxt);
}

void
dbmazz_texts_need(HTAB *needed, int cache, Oid oid)
{
	DbmazzFastNeed need = {
		cache, GetSysCacheHashValue1(cache, ObjectIdGetDatum(oid))
	};

	(void) hash_search(needed, &need, HASH_ENTER, NULL);
}

/* The output function of a type. */
static Oid
output_of(Oid typid, HTAB *needed)
{
	Oid			output;
	bool		is_varlena;

	dbmazz_texts_need(needed, TYPEOID, typid);
	getTypeOutputInfo(typid, &output, &is_varlena);
	dbmazz_texts_need(needed, PROCOID, output);
	return output;
}

/*
 * Is the type, or are the elements of an array, a base type or an enum?  Domains
 * may be anywhere in between; what they are of never changes.
 */
static bool
is_simple(Oid typid, HTAB *needed)
{
	char		kind;

	for (;;)
	{
		Oid			element;

		typid = getBaseType(typid);
		dbmazz_texts_need(needed, TYPEOID, typid);
		element = get_element_type(typid);
		if (!OidIsValid(element))
			break;
		typid = element;
		(void) output_of(typid, needed);	/* which the array's calls */
	}
	kind = get_typtype(typid);
	return kind == TYPTYPE_BASE || kind == TYPTYPE_ENUM;
}

DbmazzFastKind
dbmazz_texts_kind(Oid output, Oid typid, HTAB *needed)
{
	static const struct
	{
		Oid			output;
		DbmazzFastKind kind;
	}			known[] = {
		{F_TEXTOUT, DBMAZZ_FAST_TEXT},
		{F_VARCHAROUT, DBMAZZ_FAST_TEXT},
		{F_BPCHAROUT, DBMAZZ_FAST_TEXT},
		{F_JSON_OUT, DBMAZZ_FAST_TEXT},
		{F_BOOLOUT, DBMAZZ_FAST_BOOL},
		{F_INT2OUT, DBMAZZ_FAST_INT2},
		{F_INT4OUT, DBMAZZ_FAST_INT4},
		{F_INT8OUT, DBMAZZ_FAST_INT8},
		{F_OIDOUT, DBMAZZ_FAST_OID},
		{F_FLOAT4OUT, DBMAZZ_FAST_FLOAT4},
		{F_FLOAT8OUT, DBMAZZ_FAST_FLOAT8},
		{F_NUMERIC_OUT, DBMAZZ_FAST_NUMERIC},
		{F_DATE_OUT, DBMAZZ_FAST_DATE},
		{F_TIME_OUT, DBMAZZ_FAST_TIME},
		{F_TIMESTAMP_OUT, DBMAZZ_FAST_TIMESTAMP},
		{F_TIMESTAMPTZ_OUT, DBMAZZ_FAST_TIMESTAMPTZ},
		{F_UUID_OUT, DBMAZZ_FAST_UUID},
		{F_BYTEAOUT, DBMAZZ_FAST_BYTEA},
		{F_JSONB_OUT, DBMAZZ_FAST_JSONB},
		{F_ENUM_OUT, DBMAZZ_FAST_ENUM}
	};

	for (int i = 0; i < lengthof(known); i++)
	{
		if (known[i].output == output)
			return known[i].kind;
	}
	return is_simple(typid, needed) ? DBMAZZ_FAST_CACHED : DBMAZZ_FAST_CALL;
}

void
dbmazz_texts_column(DbmazzFastColumn *column, Form_pg_attribute att,
					MemoryContext cxt, HTAB *needed)
{
	column->index = att->attnum - 1;
	column->is_varlena = att->attlen == -1;
	column->output = output_of(att->atttypid, needed);
	column->kind = dbmazz_texts_kind(column->output, att->atttypid, needed);
	column->needed = needed;
	if (column->output == F_ARRAY_OUT)
	{
		column->element = dbmazz_arrays_element(att->atttypid, cxt, needed);
		if (column->element != NULL)
			column->kind = DBMAZZ_FAST_ARRAY;
	}
	if (column->kind == DBMAZZ_FAST_ENUM)
		column->labels = MemoryContextAllocZero(cxt, DBMAZZ_FAST_NLABELS *
												sizeof(DbmazzFastLabel));
	if (column->kind != DBMAZZ_FAST_CACHED && column->kind < DBMAZZ_FAST_ARRAY)
		return;
	column->call = MemoryContextAlloc(cxt, sizeof(FmgrInfo));
	fmgr_info_cxt(column->output, column->call, cxt);
}

static void
take_bytes(Datum datum, DbmazzValue *value)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(datum);

	/* most are as they are */
	if (unlikely(VARATT_IS_COMPRESSED(bytes) || VARATT_IS_EXTERNAL(bytes)))
		bytes = pg_detoast_datum_packed(bytes);
	value->data = VARDATA_ANY(bytes);
	value->len = VARSIZE_ANY_EXHDR(bytes);
}

static Size
put_bytea(Datum datum, char *out, DbmazzValue *value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(datum);
	Size		len = VARSIZE_ANY_EXHDR(bytes);

	if (2 * len + 2 > DBMAZZ_PGTEXT_ROOM)
		value->data = out = palloc(2 * len + 2);
	return dbmazz_pgtext_bytea(out, (unsigned char *) VARDATA_ANY(bytes), len);
}

static Size
put_numeric(Datum datum, char *out, DbmazzValue *value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(datum);
	Size		len = VARSIZE_ANY_EXHDR(bytes);
	Size		room = DBMAZZ_PGTEXT_ROOM;
	Size		n = dbmazz_pgtext_numeric(out, room, VARDATA_ANY(bytes), len);

	if (n > room)
	{
		room = n;
		value->data = out = palloc(room);
		n = dbmazz_pgtext_numeric(out, room, VARDATA_ANY(bytes), len);
	}
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("malformed numeric of %zu bytes", len)));
	return n;
}

static void
take_output(char *text, DbmazzValue *value)
{
	value->data = text;
	value->len = strlen(text);
}

static Size
put_double(double number, char *out)
{
	Size		len = dbmazz_pgtext_short_double(out, number);

	return len > 0 ? len : double_to_shortest_decimal_bufn(number, out);
}

/* A cast WITHOUT FUNCTION can make times that are none. */
static Size
put_time(Datum datum, char *out, DbmazzValue *value)
{
	TimeADT		us = DatumGetTimeADT(datum);

	if (us >= 0 && us <= USECS_PER_DAY)
		return dbmazz_pgtext_time(out, us);
	take_output(OidOutputFunctionCall(F_TIME_OUT, datum), value);
	return value->len;
}

static Size
put_text(DbmazzFastKind kind, Datum datum, char *out, DbmazzValue *value)
{
	switch (kind)
	{
		case DBMAZZ_FAST_BOOL:
			*out = DatumGetBool(datum) ? 't' : 'f';
			return 1;
		case DBMAZZ_FAST_INT2:
			return dbmazz_pgtext_integer(out, DatumGetInt16(datum));
		case DBMAZZ_FAST_INT4:
			return dbmazz_pgtext_integer(out, DatumGetInt32(datum));
		case DBMAZZ_FAST_INT8:
			return dbmazz_pgtext_integer(out, DatumGetInt64(datum));
		case DBMAZZ_FAST_OID:
			return dbmazz_pgtext_integer(out, DatumGetObjectId(datum));
		case DBMAZZ_FAST_FLOAT4:
			return float_to_shortest_decimal_bufn(DatumGetFloat4(datum), out);
		case DBMAZZ_FAST_FLOAT8:
			return put_double(DatumGetFloat8(datum), out);
		case DBMAZZ_FAST_NUMERIC:
			return put_numeric(datum, out, value);
		case DBMAZZ_FAST_DATE:
			return dbmazz_pgtext_date(out, DatumGetDateADT(datum));
		case DBMAZZ_FAST_TIME:
			return put_time(datum, out, value);
		case DBMAZZ_FAST_TIMESTAMP:
			return dbmazz_pgtext_timestamp(out, DatumGetTimestamp(datum),
										   false);
		case DBMAZZ_FAST_TIMESTAMPTZ:
			return dbmazz_pgtext_timestamp(out, DatumGetTimestampTz(datum),
										   true);
		case DBMAZZ_FAST_UUID:
			return dbmazz_pgtext_uuid(out, DatumGetUUIDP(datum)->data);
		case DBMAZZ_FAST_BYTEA:
			return put_bytea(datum, out, value);
		default:
			pg_unreachable();
	}
}

void
dbmazz_texts_plain(DbmazzFastKind kind, Datum datum, char *out,
				   DbmazzValue *value)
{
	if (kind == DBMAZZ_FAST_TEXT)
		take_bytes(datum, value);
	else
	{
		value->data = out;
		value->len = put_text(kind, datum, out, value);
	}
}

/*
 * Most documents take somewhat more room as text.  A second attempt is seldom
 * needed: where much has to be escaped, or numbers have many zeros.
 */
static bool
put_jsonb(Datum datum, DbmazzValue *value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(datum);
	Size		len = VARSIZE_ANY_EXHDR(bytes);
	Size		room = 2 * len + JSONB_ROOM;
	DbmazzJsonbResult result;

	for (;;)
	{
		char	   *out = palloc(room);
		Size		written;

		result = dbmazz_pgtext_jsonb(out, room, VARDATA_ANY(bytes), len,
									 &written);
		value->data = out;
		value->len = written;
		if (result != DBMAZZ_JSONB_NO_ROOM || room > MaxAllocSize / 4)
			break;
		pfree(out);
		room *= 4;
	}
	return result == DBMAZZ_JSONB_WRITTEN;
}

/*
 * A value that has no label is an error of the server's function.  A label that is
 * kept stays where it is, for the old row of the same change may be using it; so
 * another one that belongs there is not kept.
 */
static void
take_label(DbmazzFastColumn *column, Datum datum, DbmazzValue *value)
{
	Oid			oid = DatumGetObjectId(datum);
	DbmazzFastLabel *label = &column->labels[oid / 2 % DBMAZZ_FAST_NLABELS];

	if (label->value != oid)
	{
		if (OidIsValid(label->value))
		{
			take_output(OutputFunctionCall(column->call, datum), value);
			return;
		}
		dbmazz_texts_need(column->needed, ENUMOID, oid);
		namestrcpy(&label->name, OutputFunctionCall(column->call, datum));
		label->len = strlen(NameStr(label->name));
		label->value = oid;
	}
	value->data = NameStr(label->name);
	value->len = label->len;
}

/* Kinds that are not those of elements. */
static void
take_other(DbmazzFastColumn *column, Datum datum, DbmazzValue *value)
{
	bool		is_done = false;

	if (column->kind == DBMAZZ_FAST_ENUM)
	{
		take_label(column, datum, value);
		return;
	}
	if (column->kind == DBMAZZ_FAST_CALL)
	{
		take_output(OidOutputFunctionCall(column->output, datum), value);
		return;
	}
	if (column->kind == DBMAZZ_FAST_JSONB)
		is_done = put_jsonb(datum, value);
	else if (column->kind == DBMAZZ_FAST_ARRAY)
		is_done = dbmazz_arrays_value(column->element, datum, value);
	if (!is_done)
		take_output(OutputFunctionCall(column->call, datum), value);
}

void
dbmazz_texts_value(DbmazzTexts *texts, DbmazzFastColumn *column, Datum datum,
				   DbmazzValue *value)
{
	MemoryContext old = MemoryContextSwitchTo(texts->cxt);

	if (column->kind == DBMAZZ_FAST_TEXT)
		take_bytes(datum, value);
	else if (column->kind > DBMAZZ_FAST_TEXT &&
			 column->kind < DBMAZZ_FAST_ARRAY)
	{
		value->data = texts->next;
		value->len = put_text(column->kind, datum, texts->next, value);
		texts->next += DBMAZZ_PGTEXT_ROOM;
	}
	else
		take_other(column, datum, value);
	MemoryContextSwitchTo(old);
}
