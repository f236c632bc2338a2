/*
 * test_pgtext.c
 *		Tests of the text of the server's values.
 *
 * NOTES
 *	  Expected texts are what the server's own output functions wrote.  All values
 *	  of random rows are compared with them by dbmazz.fast_path = verify, too.
 */
#include "core/pgtext.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"

static char buf[256];

#define COUNT(cases)	(sizeof(cases) / sizeof((cases)[0]))

static void
integers(void)
{
	static const struct
	{
		int64_t		value;
		const char *text;
	}			cases[] = {
		{0, "0"}, {9, "9"}, {10, "10"}, {99, "99"}, {100, "100"}, {-1, "-1"},
		{-10, "-10"}, {12345, "12345"}, {INT16_MIN, "-32768"},
		{UINT32_MAX, "4294967295"}, {INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-9223372036854775808"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_TEXT(buf, dbmazz_pgtext_integer(buf, cases[i].value),
				   cases[i].text);
}

static void
check_integer(int64_t value)
{
	char		expected[24];

	snprintf(expected, sizeof(expected), "%lld", (long long) value);
	CHECK_TEXT(buf, dbmazz_pgtext_integer(buf, value), expected);
}

/* Around all powers, and anything else. */
static void
integers_of_all_lengths(void)
{
	uint64_t	state = 77;
	int64_t		power = 1;

	for (int i = 0; i < 19; i++, power *= 10)
	{
		for (int64_t j = -2; j <= 2; j++)
		{
			check_integer(power + j);
			check_integer(-power + j);
		}
		if (i == 18)
			break;
	}
	for (int i = 0; i < 100000; i++)
		check_integer((int64_t) random_next(&state) >> random_below(&state, 64));
}

/* The text of fewest decimals that is the same number. */
static void
check_double(double value)
{
	char		expected[400] = "";
	size_t		len = dbmazz_pgtext_short_double(buf, value);
	int			n = 0;

	do
		snprintf(expected, sizeof(expected), "%.*f", n, value);
	while (n++ < 4 && strtod(expected, NULL) != value);
	if (strtod(expected, NULL) != value || value == 0 || value >= 1e11 || value <= -1e11)
		CHECK_INT(len, 0);
	else
		CHECK_TEXT(buf, len, expected);
}

static void
short_doubles(void)
{
	static const double cases[] = {
		0, 1, 0.5, 0.1, 0.0001, 0.00010001, 0.0002, 0.00005, 1e10, 1e11,
		99999999999.9999, 12345.6789, 0.1 + 0.2, 1.0 / 3, 1e15, 5e-324, 10,
		100.01, 1.7976931348623157e308, 4503599627370496.5
	};
	uint64_t	state = 3;

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		check_double(cases[i]);
		check_double(-cases[i]);
	}
	CHECK_INT(dbmazz_pgtext_short_double(buf, -0.0), 0);
	CHECK_INT(dbmazz_pgtext_short_double(buf, NAN), 0);
	CHECK_INT(dbmazz_pgtext_short_double(buf, INFINITY), 0);
	for (int i = 0; i < 100000; i++)
	{
		uint64_t	digits = random_next(&state) >> (14 + random_below(&state, 50));
		double		value = (double) digits / (i % 2 == 0 ? 1e4 : i % 3 == 0 ? 1e2 : 1e5);

		check_double(value);
		/* its neighbour has more digits */
		memcpy(&digits, &value, sizeof(digits));
		digits++;
		memcpy(&value, &digits, sizeof(value));
		if (value < 1e9)
			CHECK_INT(dbmazz_pgtext_short_double(buf, value), 0);
	}
}

/* Every day of the years 1 to 10010, and some before, counted one by one. */
static void
every_day(void)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	char		expected[32];
	int			day = -730119;

	for (int year = 1; year <= 10010; year++)
	{
		bool		is_leap;

		is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
		for (int month = 1; month <= 12; month++)
		{
			int			n = lengths[month - 1] + (month == 2 && is_leap ? 1 : 0);

			snprintf(expected, sizeof(expected), "%04d-%02d-", year, month);
			for (int i = 1; i <= n && !check_has_failed(); i++)
			{
				size_t		len = strlen(expected);
				size_t		got = dbmazz_pgtext_date(buf, day++);

				CHECK(got == len + 2 && memcmp(buf, expected, len) == 0 &&
					  (buf[len] - '0') * 10 + buf[len + 1] - '0' == i);
			}
		}
	}
}

/* A time stamp is its date, a space and its time. */
static void
timestamps_are_dates_and_times(void)
{
	const int64_t day_us = INT64_C(86400000000);
	uint64_t	state = 4711;

	for (int i = 0; i < 100000; i++)
	{
		int			day = (int) random_below(&state, 3652059) - 730119;
		int64_t		us = (int64_t) (random_next(&state) % (uint64_t) day_us);
		char		expected[64];
		size_t		len = dbmazz_pgtext_date(expected, day);

		if (i % 3 == 0)
			us -= us % 1000000;
		expected[len++] = ' ';
		len += dbmazz_pgtext_time(expected + len, us);
		CHECK_BYTES(buf, dbmazz_pgtext_timestamp(buf, day * day_us + us, false),
					expected, len);
	}
}

static void
dates(void)
{
	static const struct
	{
		int32_t		days;
		const char *text;
	}			cases[] = {
		{0, "2000-01-01"}, {-1, "1999-12-31"}, {59, "2000-02-29"},
		{8825, "2024-02-29"}, {-730119, "0001-01-01"},
		{-730120, "0001-12-31 BC"}, {-730485, "0001-01-01 BC"},
		{-2451545, "4714-11-24 BC"}, {2921939, "9999-12-31"},
		{2921940, "10000-01-01"}, {2145031948, "5874897-12-31"},
		{INT32_MAX, "infinity"}, {INT32_MIN, "-infinity"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_TEXT(buf, dbmazz_pgtext_date(buf, cases[i].days),
				   cases[i].text);
}

static void
times_of_day(void)
{
	static const struct
	{
		int64_t		us;
		const char *text;
	}			cases[] = {
		{0, "00:00:00"}, {1, "00:00:00.000001"}, {100000, "00:00:00.1"},
		{INT64_C(45296000100), "12:34:56.0001"},
		{INT64_C(86399999999), "23:59:59.999999"},
		{INT64_C(86400000000), "24:00:00"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_TEXT(buf, dbmazz_pgtext_time(buf, cases[i].us), cases[i].text);
}

static void
timestamps(void)
{
	static const struct
	{
		int64_t		us;
		const char *text;
		const char *with_zone;
	}			cases[] = {
		{0, "2000-01-01 00:00:00", "2000-01-01 00:00:00+00"},
		{-1, "1999-12-31 23:59:59.999999", "1999-12-31 23:59:59.999999+00"},
		{INT64_C(252455616000000000), "10000-01-01 00:00:00",
		"10000-01-01 00:00:00+00"},
		{INT64_C(-63082281600000000) - 1, "0001-12-31 23:59:59.999999 BC",
		"0001-12-31 23:59:59.999999+00 BC"},
		{INT64_C(-211813488000000000), "4714-11-24 00:00:00 BC",
		"4714-11-24 00:00:00+00 BC"},
		{INT64_C(9223371331199999999), "294276-12-31 23:59:59.999999",
		"294276-12-31 23:59:59.999999+00"},
		{INT64_MAX, "infinity", "infinity"},
		{INT64_MIN, "-infinity", "-infinity"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		CHECK_TEXT(buf, dbmazz_pgtext_timestamp(buf, cases[i].us, false),
				   cases[i].text);
		CHECK_TEXT(buf, dbmazz_pgtext_timestamp(buf, cases[i].us, true),
				   cases[i].with_zone);
	}
}

static void
bytes(void)
{
	static const unsigned char data[16] = {
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
		0xcc, 0xdd, 0xee, 0xff
	};

	CHECK_TEXT(buf, dbmazz_pgtext_uuid(buf, data),
			   "00112233-4455-6677-8899-aabbccddeeff");
	CHECK_TEXT(buf, dbmazz_pgtext_bytea(buf, data + 14, 2), "\\xeeff");
	CHECK_TEXT(buf, dbmazz_pgtext_bytea(buf, data, 0), "\\x");
}

/* From and into pieces of memory of just their size. */
static void
hex_of_all_lengths(void)
{
	uint64_t	state = 5;

	for (size_t len = 0; len <= 200; len++)
	{
		for (size_t shift = 0; shift < 16; shift++)
		{
			unsigned char *in = must_alloc(shift + len);
			char	   *out = must_alloc(2 * len + 2);
			char		expected[403] = "\\x";

			for (size_t i = 0; i < len; i++)
			{
				in[shift + i] = (unsigned char) random_next(&state);
				snprintf(expected + 2 + 2 * i, 3, "%02x", in[shift + i]);
			}
			CHECK_TEXT(out, dbmazz_pgtext_bytea(out, in + shift, len), expected);
			free(in);
			free(out);
		}
	}
}

/* In a piece of memory of just the room that was asked for. */
static void
check_numeric(const uint16_t *words, size_t nwords, const char *text)
{
	size_t		len = nwords * sizeof(uint16_t);
	size_t		room = dbmazz_pgtext_numeric(NULL, 0, words, len);
	char	   *out = must_alloc(room);
	char	   *copy = must_alloc(len + 1);

	CHECK(room >= strlen(text));
	CHECK_TEXT(out, dbmazz_pgtext_numeric(out, room, words, len), text);
	memcpy(copy + 1, words, len);	/* not aligned */
	CHECK_TEXT(out, dbmazz_pgtext_numeric(out, room, copy + 1, len), text);
	free(out);
	free(copy);
}

#define NUMERIC(text, ...) \
	do \
	{ \
		static const uint16_t words[] = {__VA_ARGS__}; \
		check_numeric(words, COUNT(words), text); \
	} while (0)

#define SHORT(negative, dscale, weight) \
	(0x8000 | ((negative) ? 0x2000 : 0) | ((dscale) << 7) | ((weight) & 0x7F))

static void
numerics(void)
{
	NUMERIC("0", SHORT(0, 0, 0));
	NUMERIC("0.00", SHORT(0, 2, 0));
	NUMERIC("1", SHORT(0, 0, 0), 1);
	NUMERIC("-12.50", SHORT(1, 2, 0), 12, 5000);
	NUMERIC("10000", SHORT(0, 0, 1), 1);
	NUMERIC("100000000.0", SHORT(0, 1, 2), 1);
	NUMERIC("12345678.9012", SHORT(0, 4, 1), 1234, 5678, 9012);
	NUMERIC("0.0001", SHORT(0, 4, -1), 1);
	NUMERIC("0.00000001", SHORT(0, 8, -2), 1);
	NUMERIC("-0.12345", SHORT(1, 5, -1), 1234, 5000);
	/* more digits are stored than are shown, and fewer */
	NUMERIC("1.2", SHORT(0, 1, 0), 1, 2345);
	NUMERIC("1.234500000", SHORT(0, 9, 0), 1, 2345);
	/* long form: more than 63 digits behind the point, or weight */
	NUMERIC("0.0000000000000000000000000000000000000000000000000000000000000001",
			64, (uint16_t) -16, 1);
	NUMERIC("-7.5000000000000000000000000000000000000000000000000000000000000000",
			0x4000 | 64, 0, 7, 5000);
	NUMERIC("NaN", 0xC000);
	NUMERIC("Infinity", 0xD000);
	NUMERIC("-Infinity", 0xF000);
}

static void
numerics_that_are_none(void)
{
	static const uint16_t bad_digit[] = {SHORT(0, 0, 0), 10000};
	static const uint16_t no_weight[] = {0};

	static const uint16_t bad_last[] = {SHORT(0, 0, 1), 1, 0xFFFF};
	char	   *odd = must_alloc(3);

	CHECK_INT(dbmazz_pgtext_numeric(buf, sizeof(buf), bad_digit,
									sizeof(bad_digit)), 0);
	CHECK_INT(dbmazz_pgtext_numeric(buf, sizeof(buf), bad_last,
									sizeof(bad_last)), 0);
	CHECK_INT(dbmazz_pgtext_numeric(buf, sizeof(buf), no_weight,
									sizeof(no_weight)), 0);
	CHECK_INT(dbmazz_pgtext_numeric(buf, sizeof(buf), no_weight, 0), 0);
	CHECK_INT(dbmazz_pgtext_numeric(buf, sizeof(buf), no_weight, 1), 0);
	/* a byte too many is none of a digit */
	memcpy(odd, &(uint16_t) {SHORT(0, 0, 0)}, 2);
	CHECK_TEXT(buf, dbmazz_pgtext_numeric(buf, sizeof(buf), odd, 3), "0");
	free(odd);
}

void
test_pgtext(void)
{
	RUN(integers);
	RUN(integers_of_all_lengths);
	RUN(short_doubles);
	RUN(every_day);
	RUN(timestamps_are_dates_and_times);
	RUN(dates);
	RUN(times_of_day);
	RUN(timestamps);
	RUN(bytes);
	RUN(hex_of_all_lengths);
	RUN(numerics);
	RUN(numerics_that_are_none);
}
