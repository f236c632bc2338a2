/*
 * test_label.c
 *		Tests of labels.
 */
#include "core/label.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"

static DbmazzLabel
make_label(const char *uid, uint64_t epoch, uint64_t lane, uint64_t sequence)
{
	DbmazzLabel label;

	memset(&label, 0, sizeof(label));
	strcpy(label.uid, uid);
	label.epoch = epoch;
	label.lane = lane;
	label.sequence = sequence;
	return label;
}

static void
format_is_fixed(void)
{
	DbmazzLabel label = make_label("0123456789abcdef", 7, 0xBEEF, 42);
	char		text[DBMAZZ_LABEL_SIZE];
	size_t		len = dbmazz_label_format(&label, text);

	CHECK_STR(text, "0123456789abcdef-7-000000000000beef-42");
	CHECK_INT(len, strlen(text));
}

static void
longest_fits(void)
{
	DbmazzLabel label;
	DbmazzLabel back;
	char		text[DBMAZZ_LABEL_SIZE];
	size_t		len;

	label = make_label("ffffffffffffffff", UINT64_MAX, UINT64_MAX, UINT64_MAX);
	len = dbmazz_label_format(&label, text);
	CHECK(len < DBMAZZ_LABEL_SIZE);
	CHECK_INT(len, strlen(text));
	CHECK_INT(strspn(text, "-_0123456789abcdefghijklmnopqrstuvwxyz"), len);
	CHECK(dbmazz_label_parse(text, &back));
	CHECK(back.epoch == UINT64_MAX);
	CHECK(back.lane == UINT64_MAX);
	CHECK(back.sequence == UINT64_MAX);
}

static void
round_trips(void)
{
	uint64_t	state = 99;
	int			i;

	for (i = 0; i < 2000; i++)
	{
		DbmazzLabel label;
		DbmazzLabel back;
		char		text[DBMAZZ_LABEL_SIZE];
		char		again[DBMAZZ_LABEL_SIZE];

		label = make_label("00ff00ff12345678",
						   random_next(&state) >> random_below(&state, 64),
						   random_next(&state) >> random_below(&state, 64),
						   random_next(&state) >> random_below(&state, 64));
		dbmazz_label_format(&label, text);
		CHECK(dbmazz_label_parse(text, &back));
		CHECK_STR(back.uid, label.uid);
		CHECK(back.epoch == label.epoch);
		CHECK(back.lane == label.lane);
		CHECK(back.sequence == label.sequence);
		dbmazz_label_format(&back, again);
		CHECK_STR(again, text);
	}
}

static void
strangers_are_refused(void)
{
	static const char *const bad[] = {
		"",
		"insert_1",
		"0123456789abcdef",
		"0123456789abcdef-",
		"0123456789abcdef-1",
		"0123456789abcdef-1-000000000000beef",
		"0123456789abcdef-1-000000000000beef-",
		"0123456789abcdef-1-000000000000beef-4 ",
		"0123456789abcdef-1-000000000000beef-4-5",
		"0123456789abcdef-01-000000000000beef-4",
		"0123456789abcdef-1-000000000000beef-00",
		"0123456789abcdef--000000000000beef-4",
		"0123456789abcdef-+1-000000000000beef-4",
		"0123456789abcdef--1-000000000000beef-4",
		"0123456789abcdef-1-000000000000beef-18446744073709551616",
		"0123456789abcdef-1-000000000000beef-99999999999999999999999",
		"0123456789abcdef-1-00000000000beef-4",
		"0123456789abcdef-1-0000000000000beef-4",
		"0123456789ABCDEF-1-000000000000beef-4",
		"0123456789abcdeg-1-000000000000beef-4",
		"0123456789abcde-1-000000000000beef-4",
		" 0123456789abcdef-1-000000000000beef-4",
		"0123456789abcdef_1-000000000000beef-4",
	};
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		/* exactly its size, so that reading on is noticed */
		char	   *text = must_alloc(strlen(bad[i]) + 1);
		DbmazzLabel label;

		strcpy(text, bad[i]);
		if (!CHECK(!dbmazz_label_parse(text, &label)))
			CHECK_STR(text, "(refused)");
		free(text);
	}
}

/* The numbers are in checkpoints: they must be the same for ever. */
static void
lanes_are_for_ever(void)
{
	CHECK(dbmazz_label_lane("") == UINT64_C(0xCBF29CE484222325));
	CHECK(dbmazz_label_lane("a") == UINT64_C(0xAF63DC4C8601EC8C));
	CHECK(dbmazz_label_lane("foobar") == UINT64_C(0x85944171F73967E8));
	CHECK(dbmazz_label_lane("orders") != dbmazz_label_lane("order_items"));
}

void
test_label(void)
{
	RUN(format_is_fixed);
	RUN(longest_fits);
	RUN(round_trips);
	RUN(strangers_are_refused);
	RUN(lanes_are_for_ever);
}
