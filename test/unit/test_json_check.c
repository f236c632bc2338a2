/*
 * test_json_check.c
 *		Tests of what is found in documents.
 */
#include <stdlib.h>

#include "check.h"
#include "core/json_check.h"
#include "core/json_scan.h"
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

/* A flaw at every place of documents of every length up to 200 is found. */
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
		for (before = 0; before < 100; before++)
		{
			for (after = 0; after < 100; after += 1 + after / 20)
			{
				Buffer		text = {0};
				char	   *exact;

				put_printf(&text, "[%*s%s%*s]", before, "", flaws[i], after, "");
				exact = must_alloc(text.len);
				memcpy(exact, text.data, text.len);
				CHECK(!dbmazz_json_is_harmless(exact, text.len));
				free(exact);
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
		"{\"id\": 1234567, \"name\": \"somebody\", \"at\": \"2026-08-01\"}",
		"1785580496123456789", "-178558049612345678", "1e10", "[1.5E+16, 2e-7]",
		"[0.12345678901234567890123]", "{\"a\":\"\\u00e4\\uFFFD\"}",
		"{\"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"at\":1785580496123}",
		"[\"d41d8cd98f00b204e9800998ecf8427e\", \"12345678901234567890123\"]",
		"\"a 3e10 b\""
	};
	size_t		i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CHECK(dbmazz_json_is_harmless(texts[i], strlen(texts[i])));
}

static void
put_word(Buffer *text, uint64_t *state)
{
	uint32_t	n = random_below(state, 30);
	uint32_t	i;

	put_byte(text, '"');
	for (i = 0; i < n; i++)
		put_byte(text, "0123456789eE.+-abf "[random_below(state, 19)]);
	if (random_below(state, 4) == 0)
		put_printf(text, "\\u%x%03x", random_below(state, 16),
				   random_below(state, 3) == 0 ? 0 : random_below(state, 4096));
	put_byte(text, '"');
}

static void
put_some_number(Buffer *text, uint64_t *state)
{
	uint32_t	n = 1 + random_below(state, random_below(state, 3) == 0 ? 30 : 9);
	uint32_t	i;

	if (random_below(state, 3) == 0)
		put_byte(text, '-');
	put_byte(text, (char) ('1' + random_below(state, 9)));
	for (i = 1; i < n; i++)
		put_byte(text, (char) ('0' + random_below(state, 10)));
	if (random_below(state, 3) == 0)
		put_printf(text, ".%u", random_below(state, 100000));
	if (random_below(state, 4) == 0)
		put_printf(text, "%c%s%u", "eE"[random_below(state, 2)],
				   random_below(state, 2) == 0 ? "+" : random_below(state, 2) == 0 ?
				   "-" : "", random_below(state, random_below(state, 2) == 0 ? 30 : 400));
}

/* What the quick look lets pass, the exact one does. */
static void
random_documents(void)
{
	uint64_t	state = 12;
	int			nharmless = 0;
	int			nflaws = 0;
	int			i;

	for (i = 0; i < 30000; i++)
	{
		Buffer		text = {0};
		uint32_t	n = random_below(&state, 8);
		uint32_t	j;
		char	   *exact;
		DbmazzJsonWalk walk;
		DbmazzJsonFlaw flaw;
		bool		is_flawless;

		for (j = 0; j <= n; j++)
		{
			put_printf(&text, "%s%*s", j == 0 ? "[" : ",", (int) random_below(&state, 3), "");
			if (random_below(&state, 2) == 0)
				put_word(&text, &state);
			else
				put_some_number(&text, &state);
		}
		put_byte(&text, ']');
		exact = must_alloc(text.len);
		memcpy(exact, text.data, text.len);
		dbmazz_json_walk(&walk, exact, text.len);
		is_flawless = dbmazz_json_next_flaw(&walk, &flaw) == DBMAZZ_JSON_FLAWLESS;
		if (dbmazz_json_is_harmless(exact, text.len))
		{
			nharmless++;
			CHECK(is_flawless);
		}
		nflaws += !is_flawless;
		free(exact);
		buffer_free(&text);
	}
	CHECK(nharmless > 10000);
	CHECK(nflaws > 5000);
}

/* Nor must long ones, unless they have very many brackets. */
static void
long_documents(void)
{
	Buffer		text = {0};
	int			i;

	put_byte(&text, '[');
	for (i = 0; i < DBMAZZ_JSON_DEPTH - 1; i++)
		put_printf(&text, "{\"name\": \"somebody\", \"id\": %d}, ", i);
	put_printf(&text, "null]");
	CHECK(dbmazz_json_is_harmless(text.data, text.len));
	text.len--;
	put_printf(&text, ", []]");
	CHECK(!dbmazz_json_is_harmless(text.data, text.len));
	buffer_free(&text);
}

/* The digits, letters and brackets of a block, byte by byte. */
static void
blocks(void)
{
	uint64_t	state = 8;
	int			i;

	for (i = 0; i < 50000; i++)
	{
		char		data[DBMAZZ_BLOCK];
		DbmazzBlock block;
		uint64_t	every = (UINT64_C(1) << DBMAZZ_BLOCK_BITS) - 1;
		size_t		j;

		for (j = 0; j < sizeof(data); j++)
			data[j] = i % 2 == 0 ? (char) random_next(&state) :
				"09/:eEuU[{]}\"\\\xB0\x85"[random_below(&state, 16)];
		block = dbmazz_block_load(data);
		for (j = 0; j < sizeof(data); j++)
		{
			size_t		bit = j * DBMAZZ_BLOCK_BITS;
			char		c = data[j];

			CHECK_INT(dbmazz_block_digits(block) >> bit & every,
					  c >= '0' && c <= '9' ? every : 0);
			CHECK_INT(dbmazz_block_either(block, 'e') >> bit & every,
					  c == 'e' || c == 'E' ? every : 0);
			CHECK_INT(dbmazz_block_either(block, '{') >> bit & every,
					  c == '{' || c == '[' ? every : 0);
			CHECK_INT(dbmazz_block_equal(block, '"') >> bit & every,
					  c == '"' ? every : 0);
		}
	}
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
	RUN(random_documents);
	RUN(long_documents);
	RUN(blocks);
	RUN(garbage);
}
