/*
 * test_utf8.c
 *		Tests of characters, and of values in messages.
 */
#include "core/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"

static size_t
length_of(const char *text)
{
	size_t		len = strlen(text);
	char	   *exact = must_alloc(len);
	size_t		n;

	memcpy(exact, text, len);
	n = dbmazz_utf8_char(exact, len);
	free(exact);
	return n;
}

static void
characters(void)
{
	static const char *const wrong[] = {
		"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3x", "\xE0\x9F\xBF",
		"\xE2\x82", "\xE2\x82x", "\xED\xA0\x80", "\xED\xBF\xBF",
		"\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80",
		"\xF5\x80\x80\x80", "\xFF"
	};
	size_t		i;

	CHECK_INT(length_of("a"), 1);
	CHECK_INT(length_of("\x7F\x80"), 1);
	CHECK_INT(length_of("\xC2\x80"), 2);
	CHECK_INT(length_of("\xC3\xA9\xFF"), 2);
	CHECK_INT(length_of("\xE0\xA0\x80"), 3);
	CHECK_INT(length_of("\xE2\x82\xAC"), 3);
	CHECK_INT(length_of("\xED\x9F\xBF"), 3);
	CHECK_INT(length_of("\xEE\x80\x80"), 3);
	CHECK_INT(length_of("\xF0\x9F\x98\x80"), 4);
	CHECK_INT(length_of("\xF4\x8F\xBF\xBF"), 4);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_INT(length_of(wrong[i]), 0);
}

static void
cuts(void)
{
	static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
	static const uint32_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
	uint32_t	limit;

	for (limit = 0; limit < 12; limit++)
		CHECK_INT(dbmazz_utf8_cut(text, 10, limit), expected[limit]);
	CHECK_INT(dbmazz_utf8_cut("\x80\x80\x80", 3, 2), 0);
}

static void
check_shown(const char *text, size_t size, const char *expected)
{
	char	   *out = must_alloc(size);

	dbmazz_show_value(out, size, text, strlen(text));
	CHECK_STR(out, expected);
	free(out);
}

static void
values_in_messages(void)
{
	check_shown("", 8, "");
	check_shown("abcdefg", 8, "abcdefg");
	check_shown("abcdefgh", 8, "abcd...");
	check_shown("abc\xC3\xA9" "defg", 8, "abc...");
	check_shown("a\xC3\xA9\xE2\x82\xAC", 20, "a\xC3\xA9\xE2\x82\xAC");
	check_shown("a\nb\x7F\x80\xFF", 40, "a\\x0ab\\x7f\\x80\\xff");
	check_shown("\xE2\x82", 40, "\\xe2\\x82");
	check_shown("\x01\x02\x03", 12, "\\x01\\x02...");
	check_shown("\x01\x02", 8, "\\x01...");
}

void
test_utf8(void)
{
	RUN(characters);
	RUN(cuts);
	RUN(values_in_messages);
}
