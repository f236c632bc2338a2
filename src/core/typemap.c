/*
 * typemap.c
 *		What becomes of each PostgreSQL type.
 *
 * NOTES
 *	  The OIDs of built-in types never change (src/include/catalog/pg_type.dat
 *	  of the server); they stand here as numbers because core includes no
 *	  server header.
 *
 *	  The README's tables of types are written from this file: make docs.
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
#define JSONOID				114
#define JSONBOID			3802

#define VARHDRSZ			4	/* is added to the typmods of varlena types */
#define MAX_VARCHAR			1048576
#define MAX_VARBINARY		1048576
#define MAX_JSON			(16 << 20)
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

/*
 * STRING is VARCHAR(65533), for texts that are never longer; this is the longest
 * that all releases take.
 */
#define LONG_TEXT			"VARCHAR(1048576)"

/* Sorted by OID. */
static const DbmazzType types[] = {
	{16, "boolean", DBMAZZ_VALUE_BOOL, true, "BOOLEAN", NULL},
	{17, "bytea", DBMAZZ_VALUE_BYTEA, false, "VARBINARY",
	"sent as hexadecimal digits, stored as bytes; up to 1048576 "
	"bytes. As a key: the digits"},
	{18, "\"char\"", DBMAZZ_VALUE_CHAR, true, "VARCHAR(4)",
	"one byte; one that is no ASCII character as \\ooo, in octal"},
	{19, "name", STRING_CLASS, true, "STRING", NULL},
	{20, "bigint", DBMAZZ_VALUE_INTEGER, true, "BIGINT", NULL},
	{21, "smallint", DBMAZZ_VALUE_INTEGER, true, "SMALLINT", NULL},
	{22, "int2vector", STRING_CLASS, true, LONG_TEXT, NULL},
	{23, "integer", DBMAZZ_VALUE_INTEGER, true, "INT", NULL},
	{24, "regproc", STRING_CLASS, true, "STRING", NULL},
	{TEXTOID, "text", STRING_CLASS, true, LONG_TEXT, NULL},
	{26, "oid", DBMAZZ_VALUE_INTEGER, true, "BIGINT", NULL},
	{27, "tid", STRING_CLASS, true, "STRING", NULL},
	{28, "xid", DBMAZZ_VALUE_INTEGER, true, "BIGINT", NULL},
	{29, "cid", DBMAZZ_VALUE_INTEGER, true, "BIGINT", NULL},
	{30, "oidvector", STRING_CLASS, true, LONG_TEXT, NULL},
	{JSONOID, "json", DBMAZZ_VALUE_JSON, false, "JSON",
	"the document, not its text: white space and the order of "
	"members may change, and StarRocks keeps integers from -2⁶³ to "
	"2⁶⁴-1 exactly, other numbers as `DOUBLE`. The document `null` "
	"becomes NULL; the target's column is never NOT NULL. Cannot be a key"},
	{142, "xml", STRING_CLASS, true, LONG_TEXT,
	"without an encoding declaration, as PostgreSQL shows it"},
	{600, "point", STRING_CLASS, true, "STRING", NULL},
	{601, "lseg", STRING_CLASS, true, "STRING", NULL},
	{602, "path", STRING_CLASS, true, LONG_TEXT, NULL},
	{603, "box", STRING_CLASS, true, "STRING", NULL},
	{604, "polygon", STRING_CLASS, true, LONG_TEXT, NULL},
	{628, "line", STRING_CLASS, true, "STRING", NULL},
	{650, "cidr", STRING_CLASS, true, "STRING", NULL},
	{FLOAT4OID, "real", DBMAZZ_VALUE_REAL, false, "FLOAT",
	"-0 and denormal numbers too"},
	{FLOAT8OID, "double precision", DBMAZZ_VALUE_FLOAT, false, "DOUBLE",
	"-0 and denormal numbers too"},
	{718, "circle", STRING_CLASS, true, "STRING", NULL},
	{774, "macaddr8", STRING_CLASS, true, "STRING", NULL},
	{790, "money", STRING_CLASS, true, "STRING",
	"as the database shows it: `lc_monetary` of the database, read "
	"when the pipeline is started"},
	{829, "macaddr", STRING_CLASS, true, "STRING", NULL},
	{869, "inet", STRING_CLASS, true, "STRING", NULL},
	{1033, "aclitem", STRING_CLASS, true, LONG_TEXT, NULL},
	{BPCHAROID, "character", STRING_CLASS, true, LONG_TEXT,
	"without length, `bpchar`. With one: `VARCHAR(4n)`, for "
	"StarRocks counts bytes; padded with spaces as in PostgreSQL"},
	{VARCHAROID, "character varying", STRING_CLASS, true, LONG_TEXT,
	"with a length `VARCHAR(4n)`, at most 1048576"},
	{1082, "date", DBMAZZ_VALUE_DATE, true, "DATE", NULL},
	{1083, "time without time zone", STRING_CLASS, true, "STRING",
	"24:00:00 too"},
	{1114, "timestamp without time zone", DBMAZZ_VALUE_TIMESTAMP, true,
	"DATETIME", "with microseconds"},
	{1184, "timestamp with time zone", DBMAZZ_VALUE_TIMESTAMPTZ, true,
	"DATETIME", "in UTC, with microseconds"},
	{1186, "interval", STRING_CLASS, true, "STRING",
	"in the style `postgres`: 1 year 2 mons -3 days +04:05:06.789"},
	{1266, "time with time zone", STRING_CLASS, true, "STRING", NULL},
	{BITOID, "bit", STRING_CLASS, true, "STRING",
	"with a length `VARCHAR(n)`"},
	{VARBITOID, "bit varying", STRING_CLASS, true, LONG_TEXT,
	"with a length `VARCHAR(n)`"},
	{NUMERICOID, "numeric", DBMAZZ_VALUE_DECIMAL, false, LONG_TEXT,
	"`numeric(p,s)` with p ≤ 38 and 0 ≤ s ≤ p: `DECIMAL(p,s)`. "
	"Others as text, of any length; NaN and infinities too"},
	{1790, "refcursor", STRING_CLASS, true, LONG_TEXT, NULL},
	{2202, "regprocedure", STRING_CLASS, true, "STRING", NULL},
	{2203, "regoper", STRING_CLASS, true, "STRING", NULL},
	{2204, "regoperator", STRING_CLASS, true, "STRING", NULL},
	{2205, "regclass", STRING_CLASS, true, "STRING", NULL},
	{2206, "regtype", STRING_CLASS, true, "STRING", NULL},
	{2950, "uuid", STRING_CLASS, true, "VARCHAR(36)", NULL},
	{2970, "txid_snapshot", STRING_CLASS, true, LONG_TEXT, NULL},
	{3220, "pg_lsn", STRING_CLASS, true, "STRING", NULL},
	{3614, "tsvector", STRING_CLASS, true, LONG_TEXT, NULL},
	{3615, "tsquery", STRING_CLASS, true, LONG_TEXT, NULL},
	{3734, "regconfig", STRING_CLASS, true, "STRING", NULL},
	{3769, "regdictionary", STRING_CLASS, true, "STRING", NULL},
	{JSONBOID, "jsonb", DBMAZZ_VALUE_JSON, false, "JSON", "as `json`"},
	{4072, "jsonpath", STRING_CLASS, true, LONG_TEXT, NULL},
	{4089, "regnamespace", STRING_CLASS, true, "STRING", NULL},
	{4096, "regrole", STRING_CLASS, true, "STRING", NULL},
	{4191, "regcollation", STRING_CLASS, true, "STRING", NULL},
	{5038, "pg_snapshot", STRING_CLASS, true, LONG_TEXT, NULL},
	{5069, "xid8", STRING_CLASS, true, "STRING", NULL},
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
	static const DbmazzType tinyint = {
		DBMAZZ_TYPE_TINYINT, "tinyint", DBMAZZ_VALUE_INTEGER, true, "TINYINT",
		NULL
	};
	const DbmazzType *type = typid == DBMAZZ_TYPE_TINYINT ? &tinyint :
		find(typid);

	return type != NULL ? type : find(TEXTOID);
}

const DbmazzType *
dbmazz_type_table(int *count)
{
	*count = NTYPES;
	return types;
}

/*
 * Arrays are sent as PostgreSQL writes them.  An ARRAY of StarRocks has the same
 * number of dimensions in every row, no lower bounds, and only elements that its
 * element type can hold; so it could not take every array, and what it took
 * would not always be the same.  The text is exact, and PostgreSQL reads it back.
 */
static const DbmazzOtherType other_types[] = {
	{"arrays, of any type", LONG_TEXT,
		"as PostgreSQL writes them, exactly: `{1,NULL,\"a b\"}`, "
		"`{{1,2},{3,4}}`, `[0:1]={1,2}`. An `ARRAY` of StarRocks cannot hold "
	"arrays of several shapes in one column, or lower bounds"},
	{"enums", LONG_TEXT, "the label"},
	{"domains", NULL, "as the type below them, through any number of domains"},
	{"composite types", LONG_TEXT, "`(1,\"a b\",)`"},
	{"ranges, multiranges", LONG_TEXT, "`[1,10)`, `{[1,2),[5,8)}`"},
	{"types of extensions, such as `hstore` and `citext`", LONG_TEXT,
	"what the type's output function writes"},
};

const DbmazzOtherType *
dbmazz_other_types(int *count)
{
	*count = (int) (sizeof(other_types) / sizeof(other_types[0]));
	return other_types;
}

#define DATES_UNFIT "`infinity`, `-infinity`, years before 1 (BC) and after 9999"

static const DbmazzClassText class_texts[] = {
	[DBMAZZ_VALUE_STRING] = {"text", "string",
		"more than 1048576 bytes; under `error` the target decides, for its "
		"column may be longer",
	"cut between two characters, to 1048576 bytes or fewer"},
	[DBMAZZ_VALUE_BOOL] = {"boolean", "`true`, `false`", NULL, NULL},
	[DBMAZZ_VALUE_INTEGER] = {"integer", "number", NULL, NULL},
	[DBMAZZ_VALUE_DECIMAL] = {"decimal", "string with the digits", "NaN",
	"NULL: nothing is near"},
	[DBMAZZ_VALUE_FLOAT] = {"double", "number, the shortest that gives the same value",
		"`Infinity`, `-Infinity`, NaN",
		"the largest or smallest number, 1.7976931348623157e308; NaN becomes "
	"NULL: nothing is near"},
	[DBMAZZ_VALUE_REAL] = {"float", "number, the shortest that gives the same value",
		"`Infinity`, `-Infinity`, NaN",
		"the largest or smallest number, 3.4028234663852886e38; NaN becomes "
	"NULL: nothing is near"},
	[DBMAZZ_VALUE_DATE] = {"date", "string `YYYY-MM-DD`", DATES_UNFIT,
		"9999-12-31 or 0001-01-01 (StarRocks has a year 0, but many clients "
	"do not)"},
	[DBMAZZ_VALUE_TIMESTAMP] = {"timestamp", "string `YYYY-MM-DD hh:mm:ss.ffffff`",
	DATES_UNFIT, "9999-12-31 23:59:59.999999 or 0001-01-01 00:00:00"},
	[DBMAZZ_VALUE_TIMESTAMPTZ] = {"timestamp in UTC",
		"string `YYYY-MM-DD hh:mm:ss.ffffff`, in UTC, without offset",
	DATES_UNFIT, "9999-12-31 23:59:59.999999 or 0001-01-01 00:00:00"},
	[DBMAZZ_VALUE_BYTEA] = {"bytes", "string of hexadecimal digits",
		"more than 1048576 bytes; under `error` the target decides",
	"cut to 1048576 bytes"},
	[DBMAZZ_VALUE_JSON] = {"document", "the document itself",
		"an integer below -2⁶³ or above 2⁶⁴-1, another number beyond "
		"`DOUBLE`, `\\u0000`, half of a surrogate pair (`\\ud800`), more than "
		"1000 levels, more than 16 MB (under `error` the target decides on that one)",
		"such a number becomes the nearest `DOUBLE`, such an escape "
	"`\\uFFFD`; documents that are too deep or too long become NULL"},
	[DBMAZZ_VALUE_CHAR] = {"byte", "string", NULL, NULL},
};

const DbmazzClassText *
dbmazz_class_text(uint8_t value_class)
{
	return &class_texts[value_class];
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

static bool
fits_decimal(int32_t typmod)
{
	int			precision;
	int			scale;

	return numeric_typmod(typmod, &precision, &scale) &&
		precision <= MAX_DECIMAL && scale >= 0 && scale <= precision;
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
	else if (fits_decimal(typmod))
		snprintf(out, outlen, "DECIMAL(%d,%d)", precision, scale);
	else
		snprintf(out, outlen, LONG_TEXT);
}

static bool
is_long_text(const DbmazzType *type)
{
	return strcmp(type->target, "STRING") == 0 ||
		strcmp(type->target, LONG_TEXT) == 0;
}

uint8_t
dbmazz_type_class(uint32_t typid, int32_t typmod, bool is_key)
{
	uint8_t		value_class = dbmazz_type_lookup(typid)->value_class;

	switch (value_class)
	{
		case DBMAZZ_VALUE_DECIMAL:
			return !is_key && fits_decimal(typmod) ? value_class :
				STRING_CLASS;
		case DBMAZZ_VALUE_FLOAT:
		case DBMAZZ_VALUE_REAL:
			return is_key ? STRING_CLASS : value_class;
		default:
			return value_class;
	}
}

bool
dbmazz_type_keeps_not_null(uint32_t typid)
{
	return typid != JSONOID && typid != JSONBOID;
}

uint32_t
dbmazz_value_limit(uint8_t value_class)
{
	switch (value_class)
	{
		case DBMAZZ_VALUE_STRING:
			return MAX_VARCHAR;
		case DBMAZZ_VALUE_BYTEA:
			return 2 + 2 * MAX_VARBINARY;	/* \x and two digits a byte */
		case DBMAZZ_VALUE_JSON:
			return MAX_JSON;
		default:
			return UINT32_MAX;
	}
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
