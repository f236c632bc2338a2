/*
 * unit_loss.c
 *		Tests of sinks/starrocks/loss.c and errorlog.c.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "sinks/starrocks/errorlog.h"
#include "sinks/starrocks/loss.h"

#define KEY		(DBMAZZ_COLUMN_KEY | DBMAZZ_COLUMN_NOT_NULL)

#define NUMERIC(p, s)	(((p) << 16 | ((s) & 0x7ff)) + 4)

typedef struct Case
{
	uint32_t	typid;
	uint8_t		value_class;
	int32_t		typmod;
	DbmazzSrType target;
	int			scale;
	const char *what;			/* a part of it; NULL: nothing is lost */
} Case;

static const Case cases[] = {
	{23, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_INTEGER, -1, NULL},
	{20, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_DECIMAL, 0, NULL},
	{20, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_STRING, -1, NULL},
	{20, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_DOUBLE, -1, "rounds"},
	{23, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_DOUBLE, -1, NULL},
	{23, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_FLOAT, -1, "rounds"},
	{21, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_FLOAT, -1, NULL},
	{23, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_BOOLEAN, -1, "true"},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), DBMAZZ_SR_TYPE_DECIMAL, 2,
	NULL},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), DBMAZZ_SR_TYPE_DECIMAL, 1,
	"rounds"},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), DBMAZZ_SR_TYPE_DECIMAL, -1,
	NULL},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), DBMAZZ_SR_TYPE_INTEGER, -1,
	"fractions"},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 0), DBMAZZ_SR_TYPE_INTEGER, -1,
	NULL},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(3, -2), DBMAZZ_SR_TYPE_DECIMAL, 0,
	NULL},
	{1700, DBMAZZ_VALUE_STRING, -1, DBMAZZ_SR_TYPE_DECIMAL, 30, "rounds"},
	{1700, DBMAZZ_VALUE_STRING, -1, DBMAZZ_SR_TYPE_STRING, -1, NULL},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), DBMAZZ_SR_TYPE_DOUBLE, -1,
	"rounds"},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), DBMAZZ_SR_TYPE_JSON, -1,
	"rounds"},
	{701, DBMAZZ_VALUE_FLOAT, -1, DBMAZZ_SR_TYPE_FLOAT, -1, "rounds"},
	{701, DBMAZZ_VALUE_FLOAT, -1, DBMAZZ_SR_TYPE_DOUBLE, -1, NULL},
	{700, DBMAZZ_VALUE_REAL, -1, DBMAZZ_SR_TYPE_FLOAT, -1, NULL},
	{700, DBMAZZ_VALUE_REAL, -1, DBMAZZ_SR_TYPE_DOUBLE, -1, NULL},
	{700, DBMAZZ_VALUE_REAL, -1, DBMAZZ_SR_TYPE_INTEGER, -1, "fractions"},
	{1114, DBMAZZ_VALUE_TIMESTAMP, -1, DBMAZZ_SR_TYPE_DATE, -1, "time of day"},
	{1184, DBMAZZ_VALUE_TIMESTAMPTZ, -1, DBMAZZ_SR_TYPE_DATETIME, -1, NULL},
	{1082, DBMAZZ_VALUE_DATE, -1, DBMAZZ_SR_TYPE_DATETIME, -1, NULL},
	{25, DBMAZZ_VALUE_STRING, -1, DBMAZZ_SR_TYPE_INTEGER, -1, "another type"},
	{1043, DBMAZZ_VALUE_STRING, 14, DBMAZZ_SR_TYPE_DATE, -1, "another type"},
	{25, DBMAZZ_VALUE_STRING, -1, DBMAZZ_SR_TYPE_BINARY, -1, NULL},
	{20, DBMAZZ_VALUE_INTEGER, -1, DBMAZZ_SR_TYPE_DATETIME, -1, "another type"},
	{1560, DBMAZZ_VALUE_STRING, 3, DBMAZZ_SR_TYPE_INTEGER, -1, "another type"},
	{17, DBMAZZ_VALUE_BYTEA, -1, DBMAZZ_SR_TYPE_DECIMAL, 0, "another type"},
	{17, DBMAZZ_VALUE_BYTEA, -1, DBMAZZ_SR_TYPE_BINARY, -1, NULL},
	{16, DBMAZZ_VALUE_BOOL, -1, DBMAZZ_SR_TYPE_BOOLEAN, -1, NULL},
	{3802, DBMAZZ_VALUE_JSON, -1, DBMAZZ_SR_TYPE_STRING, -1, "documents"},
	{16, DBMAZZ_VALUE_BOOL, -1, DBMAZZ_SR_TYPE_STRING, -1, "true and false"},
	{3802, DBMAZZ_VALUE_JSON, -1, DBMAZZ_SR_TYPE_NESTED, -1, "another type"}
};

/*
 * Each kind of source in each type of target: '.' nothing is lost, 'x' something
 * is.  In the order of the columns: integer, decimal(38,2), float, double,
 * boolean, string, date, datetime, binary, json, nested, other.
 */
static const struct
{
	uint32_t	typid;
	uint8_t		value_class;
	int32_t		typmod;
	const char *verdicts;
}			matrix[] = {
	{16, DBMAZZ_VALUE_BOOL, -1, "xxxx.xxxx.x."},
	{21, DBMAZZ_VALUE_INTEGER, -1, "....x.xx..x."},
	{23, DBMAZZ_VALUE_INTEGER, -1, "..x.x.xx..x."},
	{20, DBMAZZ_VALUE_INTEGER, -1, "..xxx.xx..x."},
	{26, DBMAZZ_VALUE_INTEGER, -1, "..x.x.xx..x."},
	{700, DBMAZZ_VALUE_REAL, -1, "xx..x.xx..x."},
	{700, DBMAZZ_VALUE_STRING, -1, "xx..x.xx..x."}, /* in a key */
	{701, DBMAZZ_VALUE_FLOAT, -1, "xxx.x.xx..x."},
	{701, DBMAZZ_VALUE_STRING, -1, "xxx.x.xx..x."},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 0), "..xxx.xx.xx."},
	{1700, DBMAZZ_VALUE_DECIMAL, NUMERIC(10, 2), "x.xxx.xx.xx."},
	{1700, DBMAZZ_VALUE_STRING, NUMERIC(60, 3), "xxxxx.xx..x."},
	{1700, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."},
	{1082, DBMAZZ_VALUE_DATE, -1, "xxxxx.....x."},
	{1114, DBMAZZ_VALUE_TIMESTAMP, -1, "xxxxx.x...x."},
	{1184, DBMAZZ_VALUE_TIMESTAMPTZ, -1, "xxxxx.x...x."},
	{17, DBMAZZ_VALUE_BYTEA, -1, "xxxxx.xx..x."},
	{114, DBMAZZ_VALUE_JSON, -1, "xxxxxxxxx.x."},
	{3802, DBMAZZ_VALUE_JSON, -1, "xxxxxxxxx.x."},
	{18, DBMAZZ_VALUE_CHAR, -1, "xxxxx.xx..x."},
	{25, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."},
	{1042, DBMAZZ_VALUE_STRING, 9, "xxxxx.xx..x."},
	{1043, DBMAZZ_VALUE_STRING, 9, "xxxxx.xx..x."},
	{19, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."},
	{1560, DBMAZZ_VALUE_STRING, 9, "xxxxx.xx..x."},
	{790, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."}, /* money */
	{1083, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."},	/* time */
	{2205, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."},	/* regclass, an OID where
														 * there is none */
	{5069, DBMAZZ_VALUE_STRING, -1, "..xxx.xx..x."},	/* xid8 */
	{1009, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."},	/* text[] */
	{16385, DBMAZZ_VALUE_STRING, -1, "xxxxx.xx..x."}	/* enum, citext */
};

static void
every_pair(void)
{
	static const DbmazzSrType targets[] = {
		DBMAZZ_SR_TYPE_INTEGER, DBMAZZ_SR_TYPE_DECIMAL, DBMAZZ_SR_TYPE_FLOAT,
		DBMAZZ_SR_TYPE_DOUBLE, DBMAZZ_SR_TYPE_BOOLEAN, DBMAZZ_SR_TYPE_STRING,
		DBMAZZ_SR_TYPE_DATE, DBMAZZ_SR_TYPE_DATETIME, DBMAZZ_SR_TYPE_BINARY,
		DBMAZZ_SR_TYPE_JSON, DBMAZZ_SR_TYPE_NESTED, DBMAZZ_SR_TYPE_OTHER
	};
	bool		seen[DBMAZZ_LAST_VALUE_CLASS + 1] = {0};
	size_t		i;
	size_t		k;

	for (i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++)
	{
		char		verdicts[sizeof(targets) / sizeof(targets[0]) + 1] = "";
		DbmazzColumnDesc source = {0};

		source.typid = source.basetypid = matrix[i].typid;
		source.value_class = matrix[i].value_class;
		source.typmod = matrix[i].typmod;
		seen[source.value_class] = true;
		for (k = 0; k < sizeof(targets) / sizeof(targets[0]); k++)
		{
			DbmazzSrColumn target = {.type = targets[k],.scale = 2};

			verdicts[k] = dbmazz_sr_type_loses(&source, &target) ? 'x' : '.';
		}
		if (strcmp(verdicts, matrix[i].verdicts) != 0)
			printf("type %u of class %d:\n", matrix[i].typid,
				   matrix[i].value_class);
		CHECK_STR(verdicts, matrix[i].verdicts);
	}
	for (i = 0; i <= DBMAZZ_LAST_VALUE_CLASS; i++)
		CHECK_INT(seen[i] ? (int) i : -1, (int) i);
}

static void
types(void)
{
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		DbmazzColumnDesc source = {0};
		DbmazzSrColumn target = {0};
		const char *what;

		source.typid = source.basetypid = cases[i].typid;
		source.value_class = cases[i].value_class;
		source.typmod = cases[i].typmod;
		target.type = cases[i].target;
		target.scale = cases[i].scale;
		what = dbmazz_sr_type_loses(&source, &target);
		CHECK_INT(what != NULL ? (int) i : -1,
				  cases[i].what != NULL ? (int) i : -1);
		if (what != NULL && cases[i].what != NULL)
			CHECK_HAS(what, cases[i].what);
	}
}

static const FixtureColumn columns[] = {
	{"id", 20, DBMAZZ_VALUE_INTEGER, KEY},
	{"k'", 25, DBMAZZ_VALUE_STRING, KEY},
	{"note", 25, DBMAZZ_VALUE_STRING, 0},
	{"n", 25, DBMAZZ_VALUE_STRING, 0}
};

/* The first line's column, and the text. */
static int
read_log(const char *log, char *out, size_t outlen, bool *is_null)
{
	DbmazzTableDesc *desc = fixture_desc("t", false, columns, 4);
	size_t		len = strlen(log);
	char	   *exact = malloc(len + 1);
	DbmazzSrBadRow first;

	/* exactly that size, so that a sanitizer sees any step beyond */
	memcpy(exact, log, len);
	exact = realloc(exact, len > 0 ? len : 1);
	dbmazz_sr_error_log(exact, len, desc, out, outlen, &first);
	*is_null = first.is_null;
	free(exact);
	free(desc);
	return first.column;
}

static void
logs(void)
{
	static const char whole[] =
		"Error: String 'of 'n''(length=9) is too long. The max length of "
		"'note' is 4. Row: {\"note\": \"x\", \"k'\": \"a\\\"b\", \"id\":7}\n"
		"Error: NULL value in non-nullable column 'n'. Row: [1, NULL]\n";
	char		out[400];
	char		small[40];
	bool		is_null;
	size_t		i;

	CHECK_INT(read_log("Error: The field (name = note) is out of range. Type: "
					   "INT, Value length: 3, Value: 999. Row: "
					   "{\"id\": 1, \"k'\": \"b\"}", out, sizeof(out),
					   &is_null), 2);
	CHECK_STR(out, "Row with key (id, k')=(1, \"b\"): Error: The field (name = "
			  "note) is out of range. Type: INT, Value length: 3, Value: 999");
	CHECK(!is_null);
	CHECK_INT(read_log("Error: NULL value in non-nullable column 'n'. Row: "
					   "[1, NULL]\n\nReason: \xff bad\r\n", out, sizeof(out),
					   &is_null), 3);
	CHECK(is_null);
	CHECK_STR(out, "Error: NULL value in non-nullable column 'n'\n"
			  "Reason: ? bad");
	CHECK_INT(read_log("", out, sizeof(out), &is_null), -1);
	CHECK_STR(out, "");
	CHECK_INT(read_log("Error: no such 'note'. Src line: {\"id\": 1}", out,
					   sizeof(out), &is_null), -1);
	CHECK_STR(out, "Error: no such 'note'");
	(void) read_log(whole, out, sizeof(out), &is_null);
	CHECK_HAS(out, "Row with key (id, k')=(7, \"a\\\"b\"): Error: String");
	for (i = 0; i < sizeof(whole); i++)
	{
		char		part[sizeof(whole)];

		memcpy(part, whole, i);
		part[i] = '\0';
		(void) read_log(part, small, sizeof(small), &is_null);
		CHECK(strlen(small) < sizeof(small));
	}
}

void
unit_loss(void)
{
	types();
	every_pair();
	logs();
}
