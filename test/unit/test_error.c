/*
 * test_error.c
 *		Tests of the error record.
 */
#include "core/error.h"

#include <string.h>

#include "check.h"

static void
reset_empties(void)
{
	DbmazzError err;

	memset(&err, 0x55, sizeof(err));
	dbmazz_error_reset(&err);
	CHECK_INT(err.status, DBMAZZ_OK);
	CHECK_STR(err.message, "");
	CHECK_STR(err.detail, "");
	CHECK_STR(err.hint, "");
	CHECK_INT(err.column, 0);
}

static void
set_fills_and_clears(void)
{
	DbmazzError err;

	memset(&err, 0x55, sizeof(err));
	CHECK_INT(dbmazz_error_set(&err, DBMAZZ_ERR_LIMIT, 17, "row %d of %s", 3,
							   "orders"), DBMAZZ_ERR_LIMIT);
	CHECK_INT(err.status, DBMAZZ_ERR_LIMIT);
	CHECK_INT(err.offset, 17);
	CHECK_INT(err.column, 0);
	CHECK_STR(err.message, "row 3 of orders");
	CHECK_STR(err.detail, "");
	dbmazz_error_detail(&err, "Detail %d.", 1);
	dbmazz_error_hint(&err, "Hint %s.", "x");
	CHECK_STR(err.detail, "Detail 1.");
	CHECK_STR(err.hint, "Hint x.");
	dbmazz_error_set(&err, DBMAZZ_ERR_MALFORMED, 0, "other");
	CHECK_STR(err.detail, "");
	CHECK_STR(err.hint, "");
}

static void
exact_fit_is_not_cut(void)
{
	DbmazzError err;
	char		text[DBMAZZ_ERROR_MESSAGE];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	dbmazz_error_set(&err, DBMAZZ_ERR_LIMIT, 0, "%s", text);
	CHECK_STR(err.message, text);
}

/* Characters of 1 to 4 bytes, moved over the end one byte after the other. */
static void
cut_between_characters(void)
{
	static const char *const characters[] = {
		"x", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"
	};
	size_t		which;

	for (which = 0; which < 4; which++)
	{
		const char *character = characters[which];
		size_t		width = strlen(character);
		size_t		shift;

		for (shift = 0; shift <= width; shift++)
		{
			char		text[3 * DBMAZZ_ERROR_MESSAGE] = "";
			DbmazzError err;
			size_t		len;

			memset(text, 'a', shift);
			while (strlen(text) + width < sizeof(text))
				strcat(text, character);
			dbmazz_error_set(&err, DBMAZZ_ERR_LIMIT, 0, "%s", text);
			len = strlen(err.message);
			CHECK((len - shift) % width == 0);
			CHECK(len < DBMAZZ_ERROR_MESSAGE);
			CHECK(len + width >= DBMAZZ_ERROR_MESSAGE);
			CHECK(memcmp(err.message, text, len) == 0);
		}
	}
}

static void
bytes_that_are_no_utf8(void)
{
	char		text[2 * DBMAZZ_ERROR_MESSAGE];
	DbmazzError err;

	memset(text, 0x80, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	dbmazz_error_set(&err, DBMAZZ_ERR_LIMIT, 0, "%s", text);
	CHECK_INT(strlen(err.message), DBMAZZ_ERROR_MESSAGE - 1);
}

static void
long_detail_and_hint(void)
{
	char		text[2000];
	DbmazzError err;

	memset(text, 'd', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	dbmazz_error_set(&err, DBMAZZ_ERR_LIMIT, 0, "m");
	dbmazz_error_detail(&err, "%s", text);
	dbmazz_error_hint(&err, "%s", text);
	CHECK_INT(strlen(err.detail), DBMAZZ_ERROR_DETAIL - 1);
	CHECK_INT(strlen(err.hint), DBMAZZ_ERROR_HINT - 1);
	CHECK_STR(err.message, "m");
}

void
test_error(void)
{
	RUN(reset_empties);
	RUN(set_fills_and_clears);
	RUN(exact_fit_is_not_cut);
	RUN(cut_between_characters);
	RUN(bytes_that_are_no_utf8);
	RUN(long_detail_and_hint);
}
