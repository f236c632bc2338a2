/*
 * test_json_check.c
 *		Tests of what is found in documents.
 */
#include <stdlib.h>

#include "check.h"
#include "core/json_check.h"
#include "helpers.h"

/* The flaws of a document, each as kind, place and what stands instead. */
static void
check_flaws(const char *text, const char *expected)
{
	size_t		len = strlen(text);
	char	   *exact = must_alloc(len);
	DbmazzJsonWalk walk;
	DbmazzJsonFlaw flaw;
	Buffer		got = {0};

	memcpy(exact, text, len);
	dbmazz_json_walk(&walk, exact, len);
	while (dbmazz_json_next_flaw(&walk, &flaw) != DBMAZZ_JSON_FLAWLESS)
		put_printf(&got, "%d:%d+%d=%s ", (int) flaw.kind,
				   (int) (flaw.start - exact), (int) flaw.len,
				   flaw.instead != NULL ? flaw.instead : "");
	CHECK_BYTES(got.data, got.len, expected, strlen(expected));
	/* the quick look must not overlook one */
	CHECK(expected[0] == '\0' || !dbmazz_json_is_harmless(exact, len));
	buffer_free(&got);
	free(exact);
}

static void
escapes(void)
{
	check_flaws("\"\\u0000\"", "1:1+6=\\uFFFD ");
	check_flaws("{\"a\\u0000b\":\"\\u0000\\u0000\"}",
				"1:3+6=\\uFFFD 1:13+6=\\uFFFD 1:19+6=\\uFFFD ");
	check_flaws("\"\\ud800\"", "1:1+6=\\uFFFD ");
	check_flaws("\"\\uD83D\\uDE00\"", "");
	check_flaws("\"\\uDE00\\uD83D\"", "1:1+6=\\uFFFD 1:7+6=\\uFFFD ");
	check_flaws("\"\\ud83dx\\ude00\"", "1:1+6=\\uFFFD 1:8+6=\\uFFFD ");
	check_flaws("\"\\ud83d\\ud83d\\ude00\"", "1:1+6=\\uFFFD ");
	check_flaws("\"\\ud83d\\n\"", "1:1+6=\\uFFFD ");
	check_flaws("\"\\udbff\\udfff \\ud7ff \\ue000 \\u0001\"", "");
	/* a backslash, and the text u0000 */
	check_flaws("\"\\\\u0000\"", "");
	check_flaws("\"\\\\\\u0000\"", "1:3+6=\\uFFFD ");
	check_flaws("[\"\\\"\", \"\\u0000\"]", "1:8+6=\\uFFFD ");
	check_flaws("[\"\\u0041\\u00e4\\b\\/\"]", "");
}

static void
integers(void)
{
	check_flaws("18446744073709551615", "");
	check_flaws("18446744073709551616", "2:20+0=.0 ");
	check_flaws("-9223372036854775808", "");
	check_flaws("-9223372036854775809", "2:20+0=.0 ");
	check_flaws("-18446744073709551615", "2:21+0=.0 ");
	check_flaws("[123456789012345678901, 1]", "2:22+0=.0 ");
	check_flaws("{\"a\":99999999999999999999,\"b\":100000000000000000000}",
				"2:25+0=.0 2:51+0=.0 ");
	check_flaws("\"18446744073709551616\"", "");
	check_flaws("[0, -0, 7, -7, 1234567890123456789]", "");
}

static void
numbers(void)
{
	Buffer		digits = {0};
	int			i;

	check_flaws("1e308", "");
	check_flaws("1.7976931348623157e308", "");
	check_flaws("1.7976931348623157e+308", "");
	check_flaws("1.7976931348623158e308", "2:0+22=1.7976931348623157e308 ");
	check_flaws("-1e309", "2:0+6=-1.7976931348623157e308 ");
	check_flaws("1E400", "2:0+5=1.7976931348623157e308 ");
	check_flaws("[0.1e309, 0.1e310]", "2:10+7=1.7976931348623157e308 ");
	check_flaws("[1e-400, 0e999, 0.0e999, 1.5]", "");
	check_flaws("[100e306, 100e307]", "2:10+7=1.7976931348623157e308 ");
	check_flaws("[0.001e311, 0.001e312]", "2:12+9=1.7976931348623157e308 ");
	check_flaws("1e99999999999999999999", "2:0+22=1.7976931348623157e308 ");
	check_flaws("1e-99999999999999999999", "");
	check_flaws("18446744073709551616.5", "");
	check_flaws("18446744073709551616e0", "");
	check_flaws("\"1e400\"", "");

	for (i = 0; i < 310; i++)
		put_byte(&digits, '9');
	put_byte(&digits, '\0');
	check_flaws(digits.data, "2:0+310=1.7976931348623157e308 ");
	digits.data[309] = '\0';
	check_flaws(digits.data, "2:0+309=1.7976931348623157e308 ");
	digits.data[308] = '\0';
	check_flaws(digits.data, "2:308+0=.0 ");
	buffer_free(&digits);
}

static void
depth(void)
{
	Buffer		text = {0};
	int			i;

	for (i = 0; i < DBMAZZ_JSON_DEPTH; i++)
		put_byte(&text, i % 2 ? '{' : '[');
	for (; i > 0; i--)
		put_byte(&text, i % 2 ? ']' : '}');
	put_byte(&text, '\0');
	check_flaws(text.data, "");
	buffer_free(&text);

	for (i = 0; i <= DBMAZZ_JSON_DEPTH; i++)
		put_byte(&text, '[');
	for (; i > 0; i--)
		put_byte(&text, ']');
	put_byte(&text, '\0');
	check_flaws(text.data, "3:1000+1= ");
	buffer_free(&text);
	/* brackets in strings do not count */
	for (i = 0; i < 3; i++)
	{
		int			j;

		put_byte(&text, i == 0 ? '[' : ',');
		put_byte(&text, '"');
		for (j = 0; j < 600; j++)
			put_byte(&text, '[');
		put_byte(&text, '"');
	}
	put_string(&text, "]");
	check_flaws(text.data, "");
	buffer_free(&text);
}

/* A flaw at every place of documents of every length is found. */
static void
every_place(void)
{
	static const char *const flaws[] = {
		"\"\\u0000\"", "1e999", "18446744073709551616"
	};
	size_t		i;
	int			before;
	int			after;

	for (i = 0; i < 3; i++)
	{
		for (before = 0; before < 20; before++)
		{
			for (after = 0; after < 20; after++)
			{
				Buffer		text = {0};

				put_printf(&text, "[%*s%s%*s]", before, "", flaws[i], after, "");
				CHECK(!dbmazz_json_is_harmless(text.data, text.len));
				buffer_free(&text);
			}
		}
	}
}

/* What is usual must not take the long way. */
static void
usual_documents(void)
{
	static const char *const texts[] = {
		"{}", "[1,2,3]", "{\"a\": 1.5, \"b\": [true, null], \"c\": \"d\"}",
		"\"a text with \\\" and \\n\"", "1234567", "null",
		"{\"id\": 1234567, \"name\": \"somebody\", \"at\": \"2026-08-01\"}"
	};
	size_t		i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CHECK(dbmazz_json_is_harmless(texts[i], strlen(texts[i])));
}

/* Bytes that are no document: nothing beyond their end is read. */
static void
garbage(void)
{
	static const char bytes[] = "\\u0dD8e9E+-.\"[]{}, x\xFF";
	uint64_t	state = 1;
	int			i;

	for (i = 0; i < 20000; i++)
	{
		size_t		len = random_below(&state, 40);
		char	   *text = must_alloc(len);
		DbmazzJsonWalk walk;
		DbmazzJsonFlaw flaw;
		size_t		j;

		for (j = 0; j < len; j++)
			text[j] = bytes[random_below(&state, sizeof(bytes) - 1)];
		dbmazz_json_walk(&walk, text, len);
		while (dbmazz_json_next_flaw(&walk, &flaw) != DBMAZZ_JSON_FLAWLESS)
			CHECK(flaw.start >= text && flaw.start + flaw.len <= text + len);
		(void) dbmazz_json_is_harmless(text, len);
		free(text);
	}
}

void
test_json_check(void)
{
	RUN(escapes);
	RUN(integers);
	RUN(numbers);
	RUN(depth);
	RUN(every_place);
	RUN(usual_documents);
	RUN(garbage);
}
