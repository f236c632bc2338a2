/*
 * test_texts.c
 *		Tests of what becomes of texts, bytes, documents and nulls.
 */
#include "check.h"
#include "one_value.h"

static void
byte_strings(void)
{
	static const char *const why =
	"the value is not a byte string in hex form";
	Buffer		large = {0};
	Buffer		quoted = {0};
	int			i;

	value_gives(DBMAZZ_VALUE_BYTEA, "\\x", "\"\"");
	value_gives(DBMAZZ_VALUE_BYTEA, "\\x00ff", "\"00ff\"");
	value_is_malformed(DBMAZZ_VALUE_BYTEA, "", why);
	value_is_malformed(DBMAZZ_VALUE_BYTEA, "\\", why);
	value_is_malformed(DBMAZZ_VALUE_BYTEA, "\\x1", why);
	value_is_malformed(DBMAZZ_VALUE_BYTEA, "00ff", why);
	value_is_malformed(DBMAZZ_VALUE_BYTEA, "\\000\\377", why);

	put_printf(&large, "\\x");
	put_byte(&quoted, '"');
	for (i = 0; i < 100000; i++)
		put_printf(&large, "%02x", i & 255);
	put_bytes(&quoted, large.data + 2, large.len - 2);
	put_byte(&quoted, '"');
	value_gives_bytes(DBMAZZ_VALUE_BYTEA, large.data, large.len,
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
		value_gives(DBMAZZ_VALUE_JSON, fine[i], fine[i]);
	value_is_malformed(DBMAZZ_VALUE_JSON, "", "the value is empty, which is not JSON");

	put_printf(&large, "[");
	for (i = 0; i < 20000; i++)
		put_printf(&large, "{\"n\": %zu}, ", i);
	put_printf(&large, "0]");
	value_gives_bytes(DBMAZZ_VALUE_JSON, large.data, large.len,
					  large.data, large.len);
	buffer_free(&large);
}

static void
strings(void)
{
	value_gives(DBMAZZ_VALUE_STRING, "", "\"\"");
	value_gives(DBMAZZ_VALUE_STRING, "x", "\"x\"");
	value_gives(DBMAZZ_VALUE_STRING, "\"", "\"\\\"\"");
	value_gives(DBMAZZ_VALUE_STRING, "\\", "\"\\\\\"");
	value_gives(DBMAZZ_VALUE_STRING, "/", "\"/\"");
	value_gives(DBMAZZ_VALUE_STRING, "a\nb\rc\td\be\ff", "\"a\\nb\\rc\\td\\be\\ff\"");
	value_gives(DBMAZZ_VALUE_STRING, "\x01\x1F\x7F", "\"\\u0001\\u001f\x7F\"");
	value_gives_bytes(DBMAZZ_VALUE_STRING, "\0", 1, "\"\\u0000\"", 8);
	value_gives(DBMAZZ_VALUE_STRING, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80",
				"\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\"");
	value_gives(DBMAZZ_VALUE_STRING, "null", "\"null\"");
	value_gives(DBMAZZ_VALUE_STRING, "\\N", "\"\\\\N\"");
	value_gives(DBMAZZ_VALUE_STRING, "{\"a\": \"b\"}",
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
			value_gives_bytes(DBMAZZ_VALUE_STRING, text.data, text.len,
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
	value_gives_bytes(DBMAZZ_VALUE_STRING, text.data, text.len,
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
		for (i = 0; i < NROOMS; i++)
		{
			Buffer		got = {0};

			CHECK_INT(encode_value(value_class, &value, rooms[i], &got),
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

	for (i = 0; i < NROOMS; i++)
	{
		CHECK_INT(encode_value(DBMAZZ_VALUE_INTEGER, &value, rooms[i], &row),
				  DBMAZZ_ERR_UNSUPPORTED);
		CHECK_INT(value_error.column, 2);
	}
}

void
test_texts(void)
{
	RUN(byte_strings);
	RUN(documents);
	RUN(strings);
	RUN(strings_of_many_lengths);
	RUN(string_of_a_megabyte);
	RUN(nulls);
	RUN(binary_is_unsupported);
}
