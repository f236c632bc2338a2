/*
 * test_encode_random.c
 *		Random rows all the way and back.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"
#include "roundtrip.h"

static void
random_round_trips(void)
{
	uint64_t	state = 2026;
	int			i;

	for (i = 0; i < 4000 && !check_has_failed(); i++)
	{
		size_t		len = 16 + random_below(&state, 1500);
		uint8_t    *data = must_alloc(len);
		const char *wrong;
		size_t		j;

		for (j = 0; j < len; j++)
			data[j] = (uint8_t) random_next(&state);
		wrong = roundtrip(data, len);
		if (wrong != NULL)
			CHECK_STR(wrong, "");
		free(data);
	}
}

static void
empty_choices(void)
{
	CHECK(roundtrip(NULL, 0) == NULL);
}

void
test_encode_random(void)
{
	RUN(empty_choices);
	RUN(random_round_trips);
}
