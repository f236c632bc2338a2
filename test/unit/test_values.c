/*
 * test_values.c
 *		Tests of what becomes of single values, class by class.
 */
#include "core/encode_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "helpers.h"

/* Room left in the segment when the row begins: the fast way, and borders at
 * several places of the row. */
static const uint32_t rooms[] = {60000, 1, 4, 8, 12, 13, 14, 20, 35, 60, 300};

static DbmazzError err;

/* Kept from row to row: a new one each time would be most of the work. */
static Pool pool;

/* A row that leaves 'room' bytes of the segment for the next. */
static void
fill_segment(DbmazzBatchWriter *writer, uint32_t room)
{
	uint32_t	left;

	dbmazz_row_begin(writer);
	left = (uint32_t) (writer->limit - writer->pos) -
		(uint32_t) sizeof(DbmazzRowEntry);
	while (left-- > room)
		dbmazz_row_put(writer, "f", 1);
	dbmazz_row_end(writer, DBMAZZ_ROW_INSERT, 1, 0, 0, 0);
}

/* Encode {"k":1,"v":...} with this value; the row is returned in 'out'. */
static DbmazzStatus
encode_row(uint8_t value_class, const DbmazzValue *value, uint32_t room,
		   Buffer *out)
{
	static DbmazzTuple tuple;
	const ColumnSpec specs[] = {
		{"k", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
		{"v", value_class, 0},
	};
	const DbmazzRowSource source = {&tuple, NULL, false};
	DbmazzTableDesc *desc = make_desc(specs, 2);
	DbmazzJsonPlan *plan = make_plan(desc);
	DbmazzBatchWriter writer;
	DbmazzRowKey key;
	DbmazzStatus status;

	pool.ntaken = 0;
	dbmazz_batch_begin(&writer, pool_alloc, &pool, desc);
	if (room < 60000)
		fill_segment(&writer, room);
	tuple.ncolumns = 2;
	tuple.values[0].kind = DBMAZZ_VALUE_TEXT;
	tuple.values[0].data = "1";
	tuple.values[0].len = 1;
	tuple.values[1] = *value;

	dbmazz_row_begin(&writer);
	dbmazz_error_reset(&err);
	status = dbmazz_json_upsert(&writer, plan, &source, &key, &err);
	if (status == DBMAZZ_OK)
	{
		DbmazzBatchView view;
		DbmazzRowEntry *entry;
		uint32_t	len = dbmazz_row_size(&writer);

		dbmazz_row_end(&writer, DBMAZZ_ROW_INSERT, key.length, key.hash, 1, 1);
		CHECK_INT(key.length, strlen("\"k\":1"));
		view = pool_view(&pool, &writer, desc);
		entry = dbmazz_entry_at(writer.row_segment,
								writer.row_segment->nentries - 1);
		CHECK_INT(entry->length, len);
		out->data = must_alloc(len);
		out->size = out->len = len;
		dbmazz_row_copy(&view, writer.row_segment, entry, 0, out->data, len);
	}
	else
		CHECK_INT(err.status, status);
	free(plan);
	free(desc);
	return status;
}

static DbmazzValue
text_value(const char *data, size_t len)
{
	DbmazzValue value;

	value.kind = DBMAZZ_VALUE_TEXT;
	value.data = data;
	value.len = (uint32_t) len;
	return value;
}

/* The value gives this text in the row, in all rooms. */
static void
good_bytes(uint8_t value_class, const char *data, size_t len,
		   const char *expected, size_t expected_len)
{
	char	   *exact = malloc(len);
	DbmazzValue value = text_value(exact, len);
	Buffer		row = {0};
	size_t		i;

	memcpy(exact, data, len);
	put_printf(&row, "{\"k\":1,\"v\":");
	put_bytes(&row, expected, expected_len);
	put_printf(&row, ",\"__op\":0},");
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
	{
		Buffer		got = {0};

		if (!CHECK_INT(encode_row(value_class, &value, rooms[i], &got),
					   DBMAZZ_OK))
			CHECK_STR(err.message, data);
		CHECK_BYTES(got.data, got.len, row.data, row.len);
		buffer_free(&got);
	}
	buffer_free(&row);
	free(exact);
}

static void
good(uint8_t value_class, const char *text, const char *expected)
{
	good_bytes(value_class, text, strlen(text), expected, strlen(expected));
}

static void
bad(uint8_t value_class, const char *text, DbmazzStatus status,
	const char *message)
{
	size_t		len = strlen(text);
	char	   *exact = malloc(len);
	DbmazzValue value = text_value(exact, len);
	size_t		i;

	memcpy(exact, text, len);
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
	{
		Buffer		got = {0};

		if (!CHECK_INT(encode_row(value_class, &value, rooms[i], &got),
					   status))
			CHECK_STR(text, "(refused)");
		CHECK_INT(err.column, 2);
		CHECK_STR(err.message, message);
		buffer_free(&got);
	}
	free(exact);
}

static void
malformed(uint8_t value_class, const char *text, const char *message)
{
	bad(value_class, text, DBMAZZ_ERR_MALFORMED, message);
}

static void
unfit(uint8_t value_class, const char *text, const char *message)
{
	bad(value_class, text, DBMAZZ_ERR_UNREPRESENTABLE, message);
}

static void
booleans(void)
{
	static const char *const why = "the value is neither t nor f";

	good(DBMAZZ_VALUE_BOOL, "t", "true");
	good(DBMAZZ_VALUE_BOOL, "f", "false");
	malformed(DBMAZZ_VALUE_BOOL, "", why);
	malformed(DBMAZZ_VALUE_BOOL, "T", why);
	malformed(DBMAZZ_VALUE_BOOL, "1", why);
	malformed(DBMAZZ_VALUE_BOOL, "true", why);
}

static void
integers(void)
{
	static const char *const why = "the value is not an integer";
	static const char *const fine[] = {
		"0", "1", "-1", "12", "-12", "123", "1234", "12345", "-123456",
		"1234567", "12345678", "123456789", "-32768", "2147483647",
		"-2147483648", "4294967295", "9223372036854775807",
		"-9223372036854775808", "18446744073709551615", "-0"
	};
	static const char *const wrong[] = {
		"", "-", "--1", "+1", " 1", "1 ", "a", "1a", "a1", "12a4", "1234a",
		"12345678a", "a12345678", "1234567a9", "0x10", "1.0", "1e3", "007",
		"00", "-01", "12345678901234567890123456789012345678901234567x", "1\"",
		"\"", "1,2", ":", "/", "12:4", "1234567/", "\xB1", "1\xB2", "NaN"
	};
	size_t		i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		good(DBMAZZ_VALUE_INTEGER, fine[i], fine[i]);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		malformed(DBMAZZ_VALUE_INTEGER, wrong[i], why);
}

/* A byte that is no digit, at every place of every length. */
static void
integers_with_one_wrong_byte(void)
{
	static const char wrong[] = "/:-+.eE \"\\,}\x1F\x7F\x80\xB0\xB9\xFF";
	size_t		len;

	for (len = 1; len <= 25; len++)
	{
		size_t		at;

		for (at = 0; at < len; at++)
		{
			size_t		i;

			for (i = 0; i < sizeof(wrong); i++)
			{
				char	   *text = must_alloc(len);
				DbmazzValue value = text_value(text, len);
				Buffer		row = {0};

				if (at == 0 && wrong[i] == '-' && len > 1)
				{
					free(text);
					continue;
				}
				memset(text, '5', len);
				text[at] = wrong[i];
				CHECK_INT(encode_row(DBMAZZ_VALUE_INTEGER, &value, 60000,
									 &row), DBMAZZ_ERR_MALFORMED);
				buffer_free(&row);
				free(text);
			}
		}
	}
}

static void
decimals(void)
{
	static const char *const why = "the value is not a number";

	good(DBMAZZ_VALUE_DECIMAL, "0", "\"0\"");
	good(DBMAZZ_VALUE_DECIMAL, "12.30", "\"12.30\"");
	good(DBMAZZ_VALUE_DECIMAL, "-0.5", "\"-0.5\"");
	good(DBMAZZ_VALUE_DECIMAL, "12345678901234567890.123456789",
		 "\"12345678901234567890.123456789\"");
	good(DBMAZZ_VALUE_DECIMAL, "-99999999999999999999999999999999999999",
		 "\"-99999999999999999999999999999999999999\"");
	unfit(DBMAZZ_VALUE_DECIMAL, "NaN", "the number is NaN");
	unfit(DBMAZZ_VALUE_DECIMAL, "Infinity", "the number is infinite");
	unfit(DBMAZZ_VALUE_DECIMAL, "-Infinity", "the number is infinite");
	malformed(DBMAZZ_VALUE_DECIMAL, "", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "abc", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "1,5", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "1/5", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "1\"", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "12.3456789\"", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "\\", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "$5.00", why);
	malformed(DBMAZZ_VALUE_DECIMAL, "1e5", why);
}

/* numeric holds 131072 digits before the point and 16383 behind. */
static void
long_decimals(void)
{
	Buffer		digits = {0};
	Buffer		quoted = {0};
	int			i;

	for (i = 0; i < 147455; i++)
		put_byte(&digits, i == 131072 ? '.' : (char) ('0' + i % 10));
	put_byte(&quoted, '"');
	put_bytes(&quoted, digits.data, digits.len);
	put_byte(&quoted, '"');
	digits.data[0] = quoted.data[1] = '1';
	good_bytes(DBMAZZ_VALUE_DECIMAL, digits.data, digits.len,
			   quoted.data, quoted.len);
	buffer_free(&digits);
	buffer_free(&quoted);
}

static void
long_wrong_decimals(void)
{
	char		text[400];

	memset(text, '3', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	text[350] = 'x';
	malformed(DBMAZZ_VALUE_DECIMAL, text, "the value is not a number");
	malformed(DBMAZZ_VALUE_INTEGER, text, "the value is not an integer");
	malformed(DBMAZZ_VALUE_FLOAT, text, "the value is not a number");
	malformed(DBMAZZ_VALUE_DATE, text, "the value is not a date in ISO form");
	malformed(DBMAZZ_VALUE_BOOL, text, "the value is neither t nor f");
	malformed(DBMAZZ_VALUE_BYTEA, text,
			  "the value is not a byte string in hex form");
}

static void
floats(void)
{
	static const char *const why = "the value is not a number";
	static const char *const fine[] = {
		"0", "-0", "1", "-1", "1.5", "0.1", "1e+20", "1e-07", "1.5e-07",
		"-1.7976931348623157e+308", "5e-324", "123456789012345680", "1E5"
	};
	static const char *const wrong[] = {
		"", "-", ".", "1.", ".5", "1.e5", "1e", "1e+", "+1", "01", "-01",
		"1..2", "1e5.5", "0x1p3", "1 ", "inf", "nan", "nanana", "1,5", "--1"
	};
	size_t		i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		good(DBMAZZ_VALUE_FLOAT, fine[i], fine[i]);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		malformed(DBMAZZ_VALUE_FLOAT, wrong[i], why);
	unfit(DBMAZZ_VALUE_FLOAT, "NaN", "the number is NaN");
	unfit(DBMAZZ_VALUE_FLOAT, "Infinity", "the number is infinite");
	unfit(DBMAZZ_VALUE_FLOAT, "-Infinity", "the number is infinite");
}

static void
dates(void)
{
	static const char *const why = "the value is not a date in ISO form";

	good(DBMAZZ_VALUE_DATE, "2026-08-01", "\"2026-08-01\"");
	good(DBMAZZ_VALUE_DATE, "0001-01-01", "\"0001-01-01\"");
	good(DBMAZZ_VALUE_DATE, "9999-12-31", "\"9999-12-31\"");
	unfit(DBMAZZ_VALUE_DATE, "infinity", "the date is infinite");
	unfit(DBMAZZ_VALUE_DATE, "-infinity", "the date is infinite");
	unfit(DBMAZZ_VALUE_DATE, "0044-03-15 BC", "the date is before the year 1");
	unfit(DBMAZZ_VALUE_DATE, "4713-01-01 BC", "the date is before the year 1");
	unfit(DBMAZZ_VALUE_DATE, "10000-01-01",
		  "the date is after the year 9999");
	unfit(DBMAZZ_VALUE_DATE, "5874897-12-31",
		  "the date is after the year 9999");
	malformed(DBMAZZ_VALUE_DATE, "", why);
	malformed(DBMAZZ_VALUE_DATE, "01/08/2026", why);
	malformed(DBMAZZ_VALUE_DATE, "2026-8-01", why);
	malformed(DBMAZZ_VALUE_DATE, "2026-08-0", why);
	malformed(DBMAZZ_VALUE_DATE, "2026-08-01 ", why);
	malformed(DBMAZZ_VALUE_DATE, "2026-08-0\"", why);
	malformed(DBMAZZ_VALUE_DATE, "\"026-08-01", why);
	malformed(DBMAZZ_VALUE_DATE, "BC", why);
	malformed(DBMAZZ_VALUE_DATE, " BC", why);
	malformed(DBMAZZ_VALUE_DATE, "2026-08-01 AD", why);
}

/* Another byte at any place is refused. */
static void
dates_with_one_wrong_byte(void)
{
	static const char wrong[] = "a:/ \"\\\x7F\x80\xAD\xB0\xFF";
	static const char *const texts[] = {
		"2026-08-01", "2026-08-01 12:34:56", "2026-08-01 12:34:56.7",
		"2026-08-01 12:34:56.789012", "2026-08-01 12:34:56.789012+00",
		"2026-08-01 12:34:56+00"
	};
	static const uint8_t classes[] = {
		DBMAZZ_VALUE_DATE, DBMAZZ_VALUE_TIMESTAMP, DBMAZZ_VALUE_TIMESTAMP,
		DBMAZZ_VALUE_TIMESTAMP, DBMAZZ_VALUE_TIMESTAMPTZ,
		DBMAZZ_VALUE_TIMESTAMPTZ
	};
	size_t		which;

	for (which = 0; which < 6; which++)
	{
		size_t		len = strlen(texts[which]);
		size_t		at;

		for (at = 0; at < len; at++)
		{
			size_t		i;

			for (i = 0; i < sizeof(wrong); i++)
			{
				char	   *text = must_alloc(len);
				DbmazzValue value = text_value(text, len);
				Buffer		row = {0};

				memcpy(text, texts[which], len);
				if (text[at] != wrong[i])
				{
					text[at] = wrong[i];
					CHECK_INT(encode_row(classes[which], &value, 60000, &row),
							  DBMAZZ_ERR_MALFORMED);
				}
				buffer_free(&row);
				free(text);
			}
		}
	}
}

static void
timestamps(void)
{
	static const char *const why = "the value is not a date in ISO form";
	static const char *const fine[] = {
		"2026-08-01 12:34:56", "2026-08-01 12:34:56.7",
		"2026-08-01 12:34:56.78", "2026-08-01 12:34:56.789",
		"2026-08-01 12:34:56.7890", "2026-08-01 12:34:56.78901",
		"2026-08-01 12:34:56.789012", "0001-01-01 00:00:00"
	};
	static const char *const wrong[] = {
		"", "2026-08-01", "2026-08-01 12:34", "2026-08-01 12:34:56.",
		"2026-08-01 12:34:56.7890123", "2026-08-01 12:34:56+00",
		"2026-08-01T12:34:56", "2026-08-01 12:34:5", "2026-08-01 12:34:56 ",
		"2026-08-01 12:34:56x78", "2026-08-01 12:34:56.78x",
		"Sat 01 Aug 12:34:56 2026"
	};
	size_t		i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
	{
		Buffer		quoted = {0};

		put_printf(&quoted, "\"%s\"", fine[i]);
		good_bytes(DBMAZZ_VALUE_TIMESTAMP, fine[i], strlen(fine[i]),
				   quoted.data, quoted.len);
		buffer_free(&quoted);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		malformed(DBMAZZ_VALUE_TIMESTAMP, wrong[i], why);
	unfit(DBMAZZ_VALUE_TIMESTAMP, "infinity", "the date is infinite");
	unfit(DBMAZZ_VALUE_TIMESTAMP, "-infinity", "the date is infinite");
	unfit(DBMAZZ_VALUE_TIMESTAMP, "0044-03-15 10:00:00 BC",
		  "the date is before the year 1");
	unfit(DBMAZZ_VALUE_TIMESTAMP, "10000-01-01 00:00:00",
		  "the date is after the year 9999");
	unfit(DBMAZZ_VALUE_TIMESTAMP, "294276-12-31 23:59:59.999999",
		  "the date is after the year 9999");
}

static void
timestamps_with_zone(void)
{
	static const char *const why =
	"the value is not a time stamp in ISO form and UTC";

	good(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56+00",
		 "\"2026-08-01 12:34:56\"");
	good(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56.789012+00",
		 "\"2026-08-01 12:34:56.789012\"");
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56+02", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56-00", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56+00:30", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56 UTC", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "+00", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "00", why);
	malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "", why);
	unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "infinity", "the date is infinite");
	unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "-infinity", "the date is infinite");
	unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "0044-03-15 10:00:00+00 BC",
		  "the date is before the year 1");
	unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "10000-01-01 00:00:00+00",
		  "the date is after the year 9999");
}

static void
byte_strings(void)
{
	static const char *const why =
	"the value is not a byte string in hex form";
	Buffer		large = {0};
	Buffer		quoted = {0};
	int			i;

	good(DBMAZZ_VALUE_BYTEA, "\\x", "\"\"");
	good(DBMAZZ_VALUE_BYTEA, "\\x00ff", "\"00ff\"");
	malformed(DBMAZZ_VALUE_BYTEA, "", why);
	malformed(DBMAZZ_VALUE_BYTEA, "\\", why);
	malformed(DBMAZZ_VALUE_BYTEA, "\\x1", why);
	malformed(DBMAZZ_VALUE_BYTEA, "00ff", why);
	malformed(DBMAZZ_VALUE_BYTEA, "\\000\\377", why);

	put_printf(&large, "\\x");
	put_byte(&quoted, '"');
	for (i = 0; i < 100000; i++)
		put_printf(&large, "%02x", i & 255);
	put_bytes(&quoted, large.data + 2, large.len - 2);
	put_byte(&quoted, '"');
	good_bytes(DBMAZZ_VALUE_BYTEA, large.data, large.len,
			   quoted.data, quoted.len);
	buffer_free(&large);
	buffer_free(&quoted);
}

static void
documents(void)
{
	static const char *const fine[] = {
		"{}", "1", "null", "\"x\"", "[1, 2, {\"a\": \"b\\n\"}]",
		"{\n  \"pretty\": true\n}"
	};
	Buffer		large = {0};
	size_t		i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		good(DBMAZZ_VALUE_JSON, fine[i], fine[i]);
	malformed(DBMAZZ_VALUE_JSON, "", "the value is empty, which is not JSON");

	put_printf(&large, "[");
	for (i = 0; i < 20000; i++)
		put_printf(&large, "{\"n\": %zu}, ", i);
	put_printf(&large, "0]");
	good_bytes(DBMAZZ_VALUE_JSON, large.data, large.len,
			   large.data, large.len);
	buffer_free(&large);
}

static void
strings(void)
{
	good(DBMAZZ_VALUE_STRING, "", "\"\"");
	good(DBMAZZ_VALUE_STRING, "x", "\"x\"");
	good(DBMAZZ_VALUE_STRING, "\"", "\"\\\"\"");
	good(DBMAZZ_VALUE_STRING, "\\", "\"\\\\\"");
	good(DBMAZZ_VALUE_STRING, "/", "\"/\"");
	good(DBMAZZ_VALUE_STRING, "a\nb\rc\td\be\ff", "\"a\\nb\\rc\\td\\be\\ff\"");
	good(DBMAZZ_VALUE_STRING, "\x01\x1F\x7F", "\"\\u0001\\u001F\x7F\"");
	good_bytes(DBMAZZ_VALUE_STRING, "\0", 1, "\"\\u0000\"", 8);
	good(DBMAZZ_VALUE_STRING, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80",
		 "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\"");
	good(DBMAZZ_VALUE_STRING, "null", "\"null\"");
	good(DBMAZZ_VALUE_STRING, "\\N", "\"\\\\N\"");
	good(DBMAZZ_VALUE_STRING, "{\"a\": \"b\"}",
		 "\"{\\\"a\\\": \\\"b\\\"}\"");
}

/* Lengths around the limit of short values, with escapes here and there. */
static void
strings_of_many_lengths(void)
{
	static const uint32_t every[] = {0, 1, 2, 5, 17, 100, 255, 300};
	size_t		which;

	for (which = 0; which < sizeof(every) / sizeof(every[0]); which++)
	{
		size_t		len;

		for (len = 240; len < 1100; len += len < 270 ? 1 : 83)
		{
			Buffer		text = {0};
			Buffer		expected = {0};
			size_t		i;

			put_byte(&expected, '"');
			for (i = 0; i < len; i++)
			{
				bool		quote = every[which] > 0 && i % every[which] == 0;

				put_byte(&text, quote ? '\x02' : 'a');
				if (quote)
					put_printf(&expected, "\\u0002");
				else
					put_byte(&expected, 'a');
			}
			put_byte(&expected, '"');
			good_bytes(DBMAZZ_VALUE_STRING, text.data, text.len,
					   expected.data, expected.len);
			buffer_free(&text);
			buffer_free(&expected);
		}
	}
}

static void
string_of_a_megabyte(void)
{
	Buffer		text = {0};
	Buffer		expected = {0};
	uint32_t	i;

	put_byte(&expected, '"');
	for (i = 0; i < 1000000; i++)
	{
		bool		quote = i % 10000 < 400 ? i % 7 == 0 : i % 9973 == 0;

		put_byte(&text, quote ? '"' : 'm');
		if (quote)
			put_byte(&expected, '\\');
		put_byte(&expected, quote ? '"' : 'm');
	}
	put_byte(&expected, '"');
	good_bytes(DBMAZZ_VALUE_STRING, text.data, text.len,
			   expected.data, expected.len);
	buffer_free(&text);
	buffer_free(&expected);
}

static void
nulls(void)
{
	static const char *const expected = "{\"k\":1,\"v\":null,\"__op\":0},";
	DbmazzValue value = {NULL, 0, DBMAZZ_VALUE_NULL};
	uint8_t		value_class;
	size_t		i;

	for (value_class = 0; value_class <= DBMAZZ_VALUE_JSON; value_class++)
	{
		for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		{
			Buffer		got = {0};

			CHECK_INT(encode_row(value_class, &value, rooms[i], &got),
					  DBMAZZ_OK);
			CHECK_TEXT(got.data, got.len, expected);
			buffer_free(&got);
		}
	}
}

static void
binary_is_unsupported(void)
{
	DbmazzValue value = {"\0\0\0\1", 4, DBMAZZ_VALUE_BINARY};
	Buffer		row = {0};
	size_t		i;

	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
	{
		CHECK_INT(encode_row(DBMAZZ_VALUE_INTEGER, &value, rooms[i], &row),
				  DBMAZZ_ERR_UNSUPPORTED);
		CHECK_INT(err.column, 2);
	}
}

void
test_values(void)
{
	pool_init(&pool, 64);
	RUN(booleans);
	RUN(integers);
	RUN(integers_with_one_wrong_byte);
	RUN(decimals);
	RUN(long_decimals);
	RUN(long_wrong_decimals);
	RUN(floats);
	RUN(dates);
	RUN(dates_with_one_wrong_byte);
	RUN(timestamps);
	RUN(timestamps_with_zone);
	RUN(byte_strings);
	RUN(documents);
	RUN(strings);
	RUN(strings_of_many_lengths);
	RUN(string_of_a_megabyte);
	RUN(nulls);
	RUN(binary_is_unsupported);
	pool_fini(&pool);
}
