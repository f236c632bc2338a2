/*
 * test_values.c
 *		Tests of what becomes of numbers, truth values, dates and times.
 */
#include <stdlib.h>

#include "check.h"
#include "one_value.h"

static void
booleans(void)
{
	static const char *const why = "the value is neither t nor f";

	value_gives(DBMAZZ_VALUE_BOOL, "t", "true");
	value_gives(DBMAZZ_VALUE_BOOL, "f", "false");
	value_is_malformed(DBMAZZ_VALUE_BOOL, "", why);
	value_is_malformed(DBMAZZ_VALUE_BOOL, "T", why);
	value_is_malformed(DBMAZZ_VALUE_BOOL, "1", why);
	value_is_malformed(DBMAZZ_VALUE_BOOL, "true", why);
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
		value_gives(DBMAZZ_VALUE_INTEGER, fine[i], fine[i]);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		value_is_malformed(DBMAZZ_VALUE_INTEGER, wrong[i], why);
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
				CHECK_INT(encode_value(DBMAZZ_VALUE_INTEGER, &value, 60000,
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

	value_gives(DBMAZZ_VALUE_DECIMAL, "0", "\"0\"");
	value_gives(DBMAZZ_VALUE_DECIMAL, "12.30", "\"12.30\"");
	value_gives(DBMAZZ_VALUE_DECIMAL, "-0.5", "\"-0.5\"");
	value_gives(DBMAZZ_VALUE_DECIMAL, "12345678901234567890.123456789",
				"\"12345678901234567890.123456789\"");
	value_gives(DBMAZZ_VALUE_DECIMAL, "-99999999999999999999999999999999999999",
				"\"-99999999999999999999999999999999999999\"");
	value_is_unfit(DBMAZZ_VALUE_DECIMAL, "NaN", "the number is NaN");
	value_is_unfit(DBMAZZ_VALUE_DECIMAL, "Infinity", "the number is infinite");
	value_is_unfit(DBMAZZ_VALUE_DECIMAL, "-Infinity", "the number is infinite");
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "abc", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "1,5", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "1/5", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "1\"", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "12.3456789\"", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "\\", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "$5.00", why);
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, "1e5", why);
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
	value_gives_bytes(DBMAZZ_VALUE_DECIMAL, digits.data, digits.len,
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
	value_is_malformed(DBMAZZ_VALUE_DECIMAL, text, "the value is not a number");
	value_is_malformed(DBMAZZ_VALUE_INTEGER, text, "the value is not an integer");
	value_is_malformed(DBMAZZ_VALUE_FLOAT, text, "the value is not a number");
	value_is_malformed(DBMAZZ_VALUE_DATE, text, "the value is not a date in ISO form");
	value_is_malformed(DBMAZZ_VALUE_BOOL, text, "the value is neither t nor f");
	value_is_malformed(DBMAZZ_VALUE_BYTEA, text,
					   "the value is not a byte string in hex form");
}

static void
floats(void)
{
	static const char *const why = "the value is not a number";
	static const char *const fine[] = {
		"0", "-0.0", "1", "-1", "1.5", "0.1", "1e+20", "1e-07", "1.5e-07",
		"-1.7976931348623157e+308", "5e-324", "123456789012345680", "1E5"
	};
	static const char *const wrong[] = {
		"", "-", ".", "1.", ".5", "1.e5", "1e", "1e+", "+1", "01", "-01",
		"1..2", "1e5.5", "0x1p3", "1 ", "inf", "nan", "nanana", "1,5", "--1"
	};
	size_t		i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
	{
		value_gives(DBMAZZ_VALUE_FLOAT, fine[i], fine[i]);
		value_gives(DBMAZZ_VALUE_REAL, fine[i], fine[i]);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		value_is_malformed(DBMAZZ_VALUE_FLOAT, wrong[i], why);
		value_is_malformed(DBMAZZ_VALUE_REAL, wrong[i], why);
	}
	value_is_unfit(DBMAZZ_VALUE_FLOAT, "NaN", "the number is NaN");
	value_is_unfit(DBMAZZ_VALUE_FLOAT, "Infinity", "the number is infinite");
	value_is_unfit(DBMAZZ_VALUE_REAL, "-Infinity", "the number is infinite");
}

/* The same number, in a text that StarRocks reads as it. */
static void
floats_that_are_rewritten(void)
{
	value_gives(DBMAZZ_VALUE_FLOAT, "-0", "-0.0");
	value_gives(DBMAZZ_VALUE_REAL, "-0", "-0.0");
	value_gives(DBMAZZ_VALUE_REAL, "3.4028235e+38", "3.4028234663852886e+38");
	value_gives(DBMAZZ_VALUE_REAL, "-3.4028235e+38", "-3.4028234663852886e+38");
	value_gives(DBMAZZ_VALUE_FLOAT, "3.4028235e+38", "3.4028235e+38");
	value_gives(DBMAZZ_VALUE_REAL, "3.4028233e+38", "3.4028233e+38");
	value_is_malformed(DBMAZZ_VALUE_REAL, "13.4028235e+38",
					   "the value is not a number");
}

/* A byte as servers from 16 on write it. */
static void
single_bytes(void)
{
	value_gives(DBMAZZ_VALUE_CHAR, "", "\"\"");
	value_gives(DBMAZZ_VALUE_CHAR, "x", "\"x\"");
	value_gives(DBMAZZ_VALUE_CHAR, "\"", "\"\\\"\"");
	value_gives(DBMAZZ_VALUE_CHAR, "\n", "\"\\n\"");
	value_gives(DBMAZZ_VALUE_CHAR, "\xE9", "\"\\\\351\"");
	value_gives(DBMAZZ_VALUE_CHAR, "\x80", "\"\\\\200\"");
	value_gives(DBMAZZ_VALUE_CHAR, "\xFF", "\"\\\\377\"");
	value_gives(DBMAZZ_VALUE_CHAR, "\\351", "\"\\\\351\"");
}

static void
dates(void)
{
	static const char *const why = "the value is not a date in ISO form";

	value_gives(DBMAZZ_VALUE_DATE, "2026-08-01", "\"2026-08-01\"");
	value_gives(DBMAZZ_VALUE_DATE, "0001-01-01", "\"0001-01-01\"");
	value_gives(DBMAZZ_VALUE_DATE, "9999-12-31", "\"9999-12-31\"");
	value_is_unfit(DBMAZZ_VALUE_DATE, "infinity", "the date is infinite");
	value_is_unfit(DBMAZZ_VALUE_DATE, "-infinity", "the date is infinite");
	value_is_unfit(DBMAZZ_VALUE_DATE, "0044-03-15 BC", "the date is before the year 1");
	value_is_unfit(DBMAZZ_VALUE_DATE, "4713-01-01 BC", "the date is before the year 1");
	value_is_unfit(DBMAZZ_VALUE_DATE, "10000-01-01",
				   "the date is after the year 9999");
	value_is_unfit(DBMAZZ_VALUE_DATE, "5874897-12-31",
				   "the date is after the year 9999");
	value_is_malformed(DBMAZZ_VALUE_DATE, "", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "01/08/2026", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "2026-8-01", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "2026-08-0", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "2026-08-01 ", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "2026-08-0\"", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "\"026-08-01", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "12345-1-01", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "1234567-07", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "0044-03-15 10:00:00 BC", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "BC", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, " BC", why);
	value_is_malformed(DBMAZZ_VALUE_DATE, "2026-08-01 AD", why);
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
					CHECK_INT(encode_value(classes[which], &value, 60000, &row),
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
		value_gives_bytes(DBMAZZ_VALUE_TIMESTAMP, fine[i], strlen(fine[i]),
						  quoted.data, quoted.len);
		buffer_free(&quoted);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		value_is_malformed(DBMAZZ_VALUE_TIMESTAMP, wrong[i], why);
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMP, "infinity", "the date is infinite");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMP, "-infinity", "the date is infinite");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMP, "0044-03-15 10:00:00 BC",
				   "the date is before the year 1");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMP, "10000-01-01 00:00:00",
				   "the date is after the year 9999");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMP, "294276-12-31 23:59:59.999999",
				   "the date is after the year 9999");
}

static void
timestamps_with_zone(void)
{
	static const char *const why =
	"the value is not a time stamp in ISO form and UTC";

	value_gives(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56+00",
				"\"2026-08-01 12:34:56\"");
	value_gives(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56.789012+00",
				"\"2026-08-01 12:34:56.789012\"");
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56+02", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56-00", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56+00:30", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "2026-08-01 12:34:56 UTC", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "+00", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "00", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "10000-01-01 00:00:00", why);
	value_is_malformed(DBMAZZ_VALUE_TIMESTAMPTZ, "0044-03-15 10:00:00 BC", why);
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "infinity", "the date is infinite");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "-infinity", "the date is infinite");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "0044-03-15 10:00:00+00 BC",
				   "the date is before the year 1");
	value_is_unfit(DBMAZZ_VALUE_TIMESTAMPTZ, "10000-01-01 00:00:00+00",
				   "the date is after the year 9999");
}

void
test_values(void)
{
	RUN(booleans);
	RUN(integers);
	RUN(integers_with_one_wrong_byte);
	RUN(decimals);
	RUN(long_decimals);
	RUN(long_wrong_decimals);
	RUN(floats);
	RUN(floats_that_are_rewritten);
	RUN(single_bytes);
	RUN(dates);
	RUN(dates_with_one_wrong_byte);
	RUN(timestamps);
	RUN(timestamps_with_zone);
}
