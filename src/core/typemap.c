/*
 * typemap.c
 *		What becomes of each PostgreSQL type.
 *
 * NOTES
 *	  The OIDs of built-in types never change (src/include/catalog/pg_type.dat
 *	  of the server); they stand here as numbers because core includes no
 *	  server header.
 *
 *	  StarRocks does not allow FLOAT, DOUBLE, DECIMAL, VARBINARY and JSON as
 *	  keys.  The text of a number or of bytes makes a good VARCHAR key; that of
 *	  a document does not, for it is embedded as a value of its own and the
 *	  target would choose the text.
 */
#include "core/typemap.h"

#include <stdio.h>
#include <string.h>

#define TEXTOID				25
#define NUMERICOID			1700
#define BPCHAROID			1042
#define VARCHAROID			1043
#define BITOID				1560
#define VARBITOID			1562
#define FLOAT4OID			700
#define FLOAT8OID			701

#define VARHDRSZ			4	/* is added to the typmods of varlena types */
#define MAX_VARCHAR			1048576
#define KEY_VARCHAR			65533	/* longest VARCHAR of any release */
#define MAX_DECIMAL			38
#define MAX_UTF8_BYTES		4	/* of a character */

/*
 * A primary key of StarRocks takes at most 128 bytes, so a numeric that is
 * longer cannot be one anyway.
 */
#define NUMERIC_KEY			128
#define FLOAT_KEY			32

#define STRING_CLASS		DBMAZZ_VALUE_STRING

/* STRING is VARCHAR(65533); this is the longest that all releases take. */
#define LONG_TEXT			"VARCHAR(1048576)"

/* Sorted by OID. */
static const DbmazzType types[] = {
	{16, "boolean", DBMAZZ_VALUE_BOOL, true, "BOOLEAN"},
	{17, "bytea", DBMAZZ_VALUE_BYTEA, false, "VARBINARY"},
	{18, "\"char\"", STRING_CLASS, true, "VARCHAR(4)"},
	{19, "name", STRING_CLASS, true, "STRING"},
	{20, "bigint", DBMAZZ_VALUE_INTEGER, true, "BIGINT"},
	{21, "smallint", DBMAZZ_VALUE_INTEGER, true, "SMALLINT"},
	{22, "int2vector", STRING_CLASS, true, "STRING"},
	{23, "integer", DBMAZZ_VALUE_INTEGER, true, "INT"},
	{24, "regproc", STRING_CLASS, true, "STRING"},
	{TEXTOID, "text", STRING_CLASS, true, LONG_TEXT},
	{26, "oid", DBMAZZ_VALUE_INTEGER, true, "BIGINT"},
	{27, "tid", STRING_CLASS, true, "STRING"},
	{28, "xid", DBMAZZ_VALUE_INTEGER, true, "BIGINT"},
	{29, "cid", DBMAZZ_VALUE_INTEGER, true, "BIGINT"},
	{30, "oidvector", STRING_CLASS, true, "STRING"},
	{114, "json", DBMAZZ_VALUE_JSON, false, "JSON"},
	{142, "xml", STRING_CLASS, true, LONG_TEXT},
	{600, "point", STRING_CLASS, true, "STRING"},
	{601, "lseg", STRING_CLASS, true, "STRING"},
	{602, "path", STRING_CLASS, true, LONG_TEXT},
	{603, "box", STRING_CLASS, true, "STRING"},
	{604, "polygon", STRING_CLASS, true, LONG_TEXT},
	{628, "line", STRING_CLASS, true, "STRING"},
	{650, "cidr", STRING_CLASS, true, "STRING"},
	{FLOAT4OID, "real", DBMAZZ_VALUE_FLOAT, false, "FLOAT"},
	{FLOAT8OID, "double precision", DBMAZZ_VALUE_FLOAT, false, "DOUBLE"},
	{718, "circle", STRING_CLASS, true, "STRING"},
	{774, "macaddr8", STRING_CLASS, true, "STRING"},
	{790, "money", STRING_CLASS, true, "STRING"},
	{829, "macaddr", STRING_CLASS, true, "STRING"},
	{869, "inet", STRING_CLASS, true, "STRING"},
	{1033, "aclitem", STRING_CLASS, true, "STRING"},
	{BPCHAROID, "character", STRING_CLASS, true, LONG_TEXT},
	{VARCHAROID, "character varying", STRING_CLASS, true, LONG_TEXT},
	{1082, "date", DBMAZZ_VALUE_DATE, true, "DATE"},
	{1083, "time without time zone", STRING_CLASS, true, "STRING"},
	{1114, "timestamp without time zone", DBMAZZ_VALUE_TIMESTAMP, true,
	"DATETIME"},
	{1184, "timestamp with time zone", DBMAZZ_VALUE_TIMESTAMPTZ, true,
	"DATETIME"},
	{1186, "interval", STRING_CLASS, true, "STRING"},
	{1266, "time with time zone", STRING_CLASS, true, "STRING"},
	{BITOID, "bit", STRING_CLASS, true, "STRING"},
	{VARBITOID, "bit varying", STRING_CLASS, true, LONG_TEXT},
	{NUMERICOID, "numeric", DBMAZZ_VALUE_DECIMAL, false, "STRING"},
	{1790, "refcursor", STRING_CLASS, true, "STRING"},
	{2202, "regprocedure", STRING_CLASS, true, "STRING"},
	{2203, "regoper", STRING_CLASS, true, "STRING"},
	{2204, "regoperator", STRING_CLASS, true, "STRING"},
	{2205, "regclass", STRING_CLASS, true, "STRING"},
	{2206, "regtype", STRING_CLASS, true, "STRING"},
	{2950, "uuid", STRING_CLASS, true, "VARCHAR(36)"},
	{2970, "txid_snapshot", STRING_CLASS, true, "STRING"},
	{3220, "pg_lsn", STRING_CLASS, true, "STRING"},
	{3614, "tsvector", STRING_CLASS, true, LONG_TEXT},
	{3615, "tsquery", STRING_CLASS, true, LONG_TEXT},
	{3734, "regconfig", STRING_CLASS, true, "STRING"},
	{3769, "regdictionary", STRING_CLASS, true, "STRING"},
	{3802, "jsonb", DBMAZZ_VALUE_JSON, false, "JSON"},
	{4072, "jsonpath", STRING_CLASS, true, "STRING"},
	{4089, "regnamespace", STRING_CLASS, true, "STRING"},
	{4096, "regrole", STRING_CLASS, true, "STRING"},
	{4191, "regcollation", STRING_CLASS, true, "STRING"},
	{5038, "pg_snapshot", STRING_CLASS, true, "STRING"},
	{5069, "xid8", STRING_CLASS, true, "STRING"},
};

#define NTYPES				((int) (sizeof(types) / sizeof(types[0])))

static const DbmazzType *
find(uint32_t typid)
{
	int			low = 0;
	int			high = NTYPES;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (types[middle].typid < typid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < NTYPES && types[low].typid == typid ? &types[low] : NULL;
}

const DbmazzType *
dbmazz_type_lookup(uint32_t typid)
{
	const DbmazzType *type = find(typid);

	return type != NULL ? type : find(TEXTOID);
}

const DbmazzType *
dbmazz_type_table(int *count)
{
	*count = NTYPES;
	return types;
}

/* numeric(p,s): ((p << 16) | s) + 4, s a signed number of 11 bits. */
static bool
numeric_typmod(int32_t typmod, int *precision, int *scale)
{
	uint32_t	t;

	if (typmod < VARHDRSZ)
		return false;
	t = (uint32_t) typmod - VARHDRSZ;
	*precision = (int) (t >> 16);
	*scale = (int) ((t & 0x7FF) ^ 1024) - 1024;
	return true;
}

/* 'limit' bounds the bytes. */
static void
put_varchar(char *out, size_t outlen, int64_t nbytes, int64_t limit)
{
	snprintf(out, outlen, "VARCHAR(%d)",
			 (int) (nbytes < limit ? nbytes : limit));
}

static void
put_numeric(int32_t typmod, bool is_key, char *out, size_t outlen)
{
	int			precision = 0;
	int			scale = 0;
	bool		is_bounded = numeric_typmod(typmod, &precision, &scale);

	if (is_key)
	{
		int			digits = precision;

		/*
		 * A sign, a point and a zero before it; a negative scale adds zeros,
		 * one beyond the precision too.
		 */
		if (scale < 0)
			digits -= scale;
		else if (scale > precision)
			digits = scale;
		put_varchar(out, outlen, is_bounded ? digits + 3 : NUMERIC_KEY,
					NUMERIC_KEY);
	}
	else if (is_bounded && precision <= MAX_DECIMAL &&
			 scale >= 0 && scale <= precision)
		snprintf(out, outlen, "DECIMAL(%d,%d)", precision, scale);
	else
		snprintf(out, outlen, "STRING");
}

static bool
is_long_text(const DbmazzType *type)
{
	return strcmp(type->target, "STRING") == 0 ||
		strcmp(type->target, LONG_TEXT) == 0;
}

bool
dbmazz_type_target(uint32_t typid, int32_t typmod, bool is_key,
				   char *out, size_t outlen)
{
	const DbmazzType *type = dbmazz_type_lookup(typid);

	if (is_key && type->value_class == DBMAZZ_VALUE_JSON)
	{
		if (outlen > 0)
			out[0] = '\0';
		return false;
	}

	if (typid == NUMERICOID)
		put_numeric(typmod, is_key, out, outlen);
	else if ((typid == VARCHAROID || typid == BPCHAROID) && typmod >= VARHDRSZ)
		put_varchar(out, outlen,
					(int64_t) (typmod - VARHDRSZ) * MAX_UTF8_BYTES,
					MAX_VARCHAR);
	else if ((typid == BITOID || typid == VARBITOID) && typmod > 0)
		put_varchar(out, outlen, typmod, MAX_VARCHAR);
	else if (is_key && (typid == FLOAT4OID || typid == FLOAT8OID))
		put_varchar(out, outlen, FLOAT_KEY, FLOAT_KEY);
	else if (is_key && (!type->can_be_key || is_long_text(type)))
		put_varchar(out, outlen, KEY_VARCHAR, KEY_VARCHAR);
	else
		snprintf(out, outlen, "%s", type->target);
	return true;
}
