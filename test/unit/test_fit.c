/*
 * test_fit.c
 *		Tests of what is sent for values that do not fit.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "core/fit.h"
#include "core/typemap.h"
#include "one_value.h"

typedef struct Unfit
{
	uint8_t		value_class;
	const char *text;
	const char *message;
	const char *clamped;
} Unfit;

#define NAN_TEXT	"the number is NaN"
#define INFINITE	"the number is infinite"
#define ENDLESS		"the date is infinite"
#define EARLY		"the date is before the year 1"
#define LATE		"the date is after the year 9999"
#define ESCAPE		"the document has an escape that is no character"
#define NUMBER		"the document has a number beyond 64 bits or DOUBLE"

static const Unfit unfits[] = {
	{DBMAZZ_VALUE_DECIMAL, "NaN", NAN_TEXT, "null"},
	{DBMAZZ_VALUE_DECIMAL, "Infinity", INFINITE, "null"},
	{DBMAZZ_VALUE_FLOAT, "NaN", NAN_TEXT, "null"},
	{DBMAZZ_VALUE_FLOAT, "Infinity", INFINITE, "1.7976931348623157e+308"},
	{DBMAZZ_VALUE_FLOAT, "-Infinity", INFINITE, "-1.7976931348623157e+308"},
	{DBMAZZ_VALUE_REAL, "NaN", NAN_TEXT, "null"},
	{DBMAZZ_VALUE_REAL, "Infinity", INFINITE, "3.4028234663852886e+38"},
	{DBMAZZ_VALUE_REAL, "-Infinity", INFINITE, "-3.4028234663852886e+38"},
	{DBMAZZ_VALUE_DATE, "infinity", ENDLESS, "\"9999-12-31\""},
	{DBMAZZ_VALUE_DATE, "-infinity", ENDLESS, "\"0001-01-01\""},
	{DBMAZZ_VALUE_DATE, "0001-12-31 BC", EARLY, "\"0001-01-01\""},
	{DBMAZZ_VALUE_DATE, "5874897-12-31", LATE, "\"9999-12-31\""},
	{DBMAZZ_VALUE_TIMESTAMP, "infinity", ENDLESS,
	"\"9999-12-31 23:59:59.999999\""},
	{DBMAZZ_VALUE_TIMESTAMP, "-infinity", ENDLESS, "\"0001-01-01 00:00:00\""},
	{DBMAZZ_VALUE_TIMESTAMP, "4713-01-01 00:00:00 BC", EARLY,
	"\"0001-01-01 00:00:00\""},
	{DBMAZZ_VALUE_TIMESTAMP, "10000-01-01 00:00:00", LATE,
	"\"9999-12-31 23:59:59.999999\""},
	{DBMAZZ_VALUE_TIMESTAMPTZ, "infinity", ENDLESS,
	"\"9999-12-31 23:59:59.999999\""},
	{DBMAZZ_VALUE_TIMESTAMPTZ, "-infinity", ENDLESS,
	"\"0001-01-01 00:00:00\""},
	{DBMAZZ_VALUE_TIMESTAMPTZ, "0044-03-15 10:00:00+00 BC", EARLY,
	"\"0001-01-01 00:00:00\""},
	{DBMAZZ_VALUE_TIMESTAMPTZ, "294276-12-31 23:59:59.999999+00", LATE,
	"\"9999-12-31 23:59:59.999999\""},
	{DBMAZZ_VALUE_JSON, "{\"a\": \"x\\u0000y\"}", ESCAPE,
	"{\"a\": \"x\\uFFFDy\"}"},
	{DBMAZZ_VALUE_JSON, "[\"\\ud800\", 1e999]", ESCAPE,
	"[\"\\uFFFD\", 1.7976931348623157e308]"},
	{DBMAZZ_VALUE_JSON, "[18446744073709551616, -1e999, 2]", NUMBER,
	"[18446744073709551616.0, -1.7976931348623157e308, 2]"},
};

#define NUNFITS	(sizeof(unfits) / sizeof(unfits[0]))

static void
error_stops(void)
{
	size_t		i;

	for (i = 0; i < NUNFITS; i++)
		value_is_unfit(unfits[i].value_class, unfits[i].text,
					   unfits[i].message);
}

static void
null_is_null(void)
{
	size_t		i;

	plan_policy = DBMAZZ_UNREPRESENTABLE_NULL;
	for (i = 0; i < NUNFITS; i++)
		value_gives(unfits[i].value_class, unfits[i].text, "null");
}

static void
clamp_is_near(void)
{
	size_t		i;

	plan_policy = DBMAZZ_UNREPRESENTABLE_CLAMP;
	for (i = 0; i < NUNFITS; i++)
		value_gives(unfits[i].value_class, unfits[i].text, unfits[i].clamped);
}

/* NOT NULL: only what is not null in the end. */
static void
not_null_columns(void)
{
	size_t		i;

	value_flags = DBMAZZ_COLUMN_NOT_NULL;
	for (i = 0; i < NUNFITS; i++)
	{
		const Unfit *unfit = &unfits[i];
		char		message[200];

		snprintf(message, sizeof(message), "%s, and the column is NOT NULL",
				 unfit->message);
		plan_policy = DBMAZZ_UNREPRESENTABLE_NULL;
		value_is_unfit(unfit->value_class, unfit->text, message);
		plan_policy = DBMAZZ_UNREPRESENTABLE_CLAMP;
		if (strcmp(unfit->clamped, "null") == 0)
			value_is_unfit(unfit->value_class, unfit->text, message);
		else
			value_gives(unfit->value_class, unfit->text, unfit->clamped);
	}
}

/* Keys are refused under every policy. */
static void
key_columns(void)
{
	const uint8_t flags = DBMAZZ_COLUMN_KEY | DBMAZZ_COLUMN_NOT_NULL;
	DbmazzValue value = text_value("infinity", 8);
	DbmazzValue fitted;
	DbmazzError err;
	int			policy;

	for (policy = DBMAZZ_UNREPRESENTABLE_ERROR;
		 policy <= DBMAZZ_UNREPRESENTABLE_CLAMP; policy++)
	{
		CHECK_INT(dbmazz_fit(&value, DBMAZZ_VALUE_DATE, flags, policy, &fitted,
							 &err), DBMAZZ_ERR_UNREPRESENTABLE);
		CHECK_STR(err.message, policy == DBMAZZ_UNREPRESENTABLE_ERROR ?
				  ENDLESS : ENDLESS ", and key columns are never changed");
		value.len = 1048577;
		CHECK(!dbmazz_is_too_long(&value, DBMAZZ_VALUE_STRING, flags, policy));
		value.len = 8;
	}
}

/* What PostgreSQL does not write is no matter of policy. */
static void
malformed_values(void)
{
	int			policy;

	for (policy = 0; policy <= DBMAZZ_UNREPRESENTABLE_CLAMP; policy++)
	{
		plan_policy = policy;
		value_is_malformed(DBMAZZ_VALUE_DATE, "soon",
						   "the value is not a date in ISO form");
		value_is_malformed(DBMAZZ_VALUE_FLOAT, "nan",
						   "the value is not a number");
		value_is_malformed(DBMAZZ_VALUE_JSON, "",
						   "the value is empty, which is not JSON");
		value_is_malformed(DBMAZZ_VALUE_INTEGER, "1.5",
						   "the value is not an integer");
	}
}

/* A value of 'len' bytes under the policy; returns what is in the row. */
static Buffer
encode_long(uint8_t value_class, const char *start, const char *filler,
			size_t len, DbmazzUnrepresentable policy)
{
	Buffer		text = {0};
	Buffer		row = {0};
	DbmazzValue value;

	put_printf(&text, "%s", start);
	while (text.len < len)
		put_printf(&text, "%s", filler);
	value = text_value(text.data, text.len);
	plan_policy = policy;
	CHECK_INT(encode_value(value_class, &value, 60000, &row), DBMAZZ_OK);
	buffer_free(&text);
	return row;
}

#define FRAME	(sizeof("{\"k\":1,\"v\":,\"__op\":0},") - 1)

static void
long_texts(void)
{
	const size_t limit = 1048576;
	Buffer		row;

	row = encode_long(DBMAZZ_VALUE_STRING, "", "x", limit + 1,
					  DBMAZZ_UNREPRESENTABLE_ERROR);
	CHECK_INT(row.len, FRAME + limit + 3);
	buffer_free(&row);
	row = encode_long(DBMAZZ_VALUE_STRING, "", "x", limit + 1,
					  DBMAZZ_UNREPRESENTABLE_NULL);
	CHECK_BYTES(row.data, row.len, "{\"k\":1,\"v\":null,\"__op\":0},", 26);
	buffer_free(&row);
	row = encode_long(DBMAZZ_VALUE_STRING, "", "x", limit,
					  DBMAZZ_UNREPRESENTABLE_NULL);
	CHECK_INT(row.len, FRAME + limit + 2);
	buffer_free(&row);
	/* the limit is in the middle of a character */
	row = encode_long(DBMAZZ_VALUE_STRING, "xy", "\xE2\x82\xAC", limit + 1,
					  DBMAZZ_UNREPRESENTABLE_CLAMP);
	CHECK_INT(row.len, FRAME + limit - 2 + 2);
	CHECK(memcmp(row.data + row.len - 14, "\x82\xAC\",\"__op\":0},", 14) == 0);
	buffer_free(&row);
	row = encode_long(DBMAZZ_VALUE_BYTEA, "\\x", "ab", 2 * limit + 10,
					  DBMAZZ_UNREPRESENTABLE_CLAMP);
	CHECK_INT(row.len, FRAME + 2 * limit + 2);
	buffer_free(&row);
}

static void
long_documents(void)
{
	const size_t limit = 16 << 20;
	Buffer		row;
	Buffer		text = {0};
	DbmazzValue value;
	DbmazzValue fitted;
	DbmazzError err;
	int			i;

	put_byte(&text, '"');
	while (text.len < limit)
		put_byte(&text, 'x');
	put_byte(&text, '"');
	value = text_value(text.data, text.len);
	CHECK(!dbmazz_is_too_long(&value, DBMAZZ_VALUE_JSON, 0,
							  DBMAZZ_UNREPRESENTABLE_ERROR));
	CHECK_INT(dbmazz_fit(&value, DBMAZZ_VALUE_JSON, 0,
						 DBMAZZ_UNREPRESENTABLE_CLAMP, &fitted, &err),
			  DBMAZZ_OK);
	CHECK_INT(fitted.kind, DBMAZZ_VALUE_NULL);
	value.len = limit;
	CHECK(!dbmazz_is_too_long(&value, DBMAZZ_VALUE_JSON, 0,
							  DBMAZZ_UNREPRESENTABLE_CLAMP));
	buffer_free(&text);

	/* flaws in a document that is written in pieces */
	row = encode_long(DBMAZZ_VALUE_JSON, "[\"\\u0000\"", ",\"\\ud800\",1e999",
					  3000, DBMAZZ_UNREPRESENTABLE_CLAMP);
	CHECK(memmem(row.data, row.len, "u0000", 5) == NULL);
	CHECK(memmem(row.data, row.len, "ud800", 5) == NULL);
	CHECK(memmem(row.data, row.len, "1e999", 5) == NULL);
	CHECK(memmem(row.data, row.len,
				 "\\uFFFD\",\"\\uFFFD\",1.7976931348623157e308,", 36) != NULL);
	buffer_free(&row);

	for (i = 0; i < 1001; i++)
		put_byte(&text, '[');
	value = text_value(text.data, text.len);
	CHECK_INT(dbmazz_fit(&value, DBMAZZ_VALUE_JSON, 0,
						 DBMAZZ_UNREPRESENTABLE_ERROR, &fitted, &err),
			  DBMAZZ_ERR_UNREPRESENTABLE);
	CHECK_STR(err.message, "the document is nested too deeply");
	CHECK_INT(dbmazz_fit(&value, DBMAZZ_VALUE_JSON, 0,
						 DBMAZZ_UNREPRESENTABLE_CLAMP, &fitted, &err),
			  DBMAZZ_OK);
	CHECK_INT(fitted.kind, DBMAZZ_VALUE_NULL);
	buffer_free(&text);
}

/* Documents that only look suspicious are sent as they are. */
static void
documents_without_flaws(void)
{
	static const char *const texts[] = {
		"{\"a\":\"\\u00e4\\ud83d\\ude00\"}", "[1e10, 12345678901234567]",
		"\"0123456789abcdef3e5\"", "[\"\\\\u0000\"]", "null"
	};
	int			policy;
	size_t		i;

	for (policy = 0; policy <= DBMAZZ_UNREPRESENTABLE_CLAMP; policy++)
	{
		plan_policy = policy;
		for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			value_gives(DBMAZZ_VALUE_JSON, texts[i], texts[i]);
	}
}

static void
reset(void)
{
	plan_policy = DBMAZZ_UNREPRESENTABLE_ERROR;
	value_flags = 0;
}

void
test_fit(void)
{
	RUN(error_stops);
	RUN(null_is_null);
	RUN(clamp_is_near);
	reset();
	RUN(not_null_columns);
	reset();
	RUN(key_columns);
	RUN(malformed_values);
	RUN(long_texts);
	RUN(long_documents);
	RUN(documents_without_flaws);
	reset();
}
