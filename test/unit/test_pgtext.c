/*
 * test_pgtext.c
 *		Tests of the text of the server's values.
 *
 * NOTES
 *	  Expected texts are what the server's own output functions wrote.  All values
 *	  of random rows are compared with them by dbmazz.fast_path = verify, too.
 */
#include "core/pgtext.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

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

/* In a piece of memory of just the room that was asked for. */
static void
check_numeric(const uint16_t *words, size_t nwords, const char *text)
{
	size_t		len = nwords * sizeof(uint16_t);
	size_t		room = dbmazz_pgtext_numeric_room(words, len);
	char	   *out = malloc(room);

	CHECK(room >= strlen(text));
	CHECK_TEXT(out, dbmazz_pgtext_numeric(out, words, len), text);
	free(out);
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

	CHECK_INT(dbmazz_pgtext_numeric_room(bad_digit, sizeof(bad_digit)), 0);
	CHECK_INT(dbmazz_pgtext_numeric_room(no_weight, sizeof(no_weight)), 0);
	CHECK_INT(dbmazz_pgtext_numeric_room(no_weight, 0), 0);
	CHECK_INT(dbmazz_pgtext_numeric(buf, bad_digit, sizeof(bad_digit)), 0);
}

void
test_pgtext(void)
{
	RUN(integers);
	RUN(dates);
	RUN(times_of_day);
	RUN(timestamps);
	RUN(bytes);
	RUN(numerics);
	RUN(numerics_that_are_none);
}
