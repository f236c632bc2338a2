/*
 * test_backoff.c
 *		Tests of the delays between tries.
 */
#include "core/backoff.h"

#include "check.h"

static void
stays_in_its_bounds(void)
{
	uint64_t	seed;

	for (seed = 0; seed < 200; seed++)
	{
		DbmazzBackoff backoff;
		uint64_t	base = 100;
		int			i;

		dbmazz_backoff_init(&backoff, 100, 30000, seed);
		for (i = 0; i < 40; i++)
		{
			bool		is_news;
			uint32_t	delay = dbmazz_backoff_fail(&backoff, &is_news);

			CHECK(delay >= base * 3 / 4);
			CHECK(delay <= base * 5 / 4);
			CHECK(delay <= 30000);
			base = base * 2 < 30000 ? base * 2 : 30000;
		}
	}
}

static void
news_when_it_doubles(void)
{
	DbmazzBackoff backoff;
	bool		is_news;
	int			i;

	dbmazz_backoff_init(&backoff, 100, 1000, 1);
	for (i = 0; i < 20; i++)
	{
		dbmazz_backoff_fail(&backoff, &is_news);
		/* 100 200 400 800 1000 1000 ... */
		CHECK_INT(is_news, i < 5);
	}
}

static void
reset_counts_and_starts_again(void)
{
	DbmazzBackoff backoff;
	bool		is_news;
	int			i;

	dbmazz_backoff_init(&backoff, 100, 1000, 1);
	CHECK_INT(dbmazz_backoff_reset(&backoff), 0);
	for (i = 0; i < 7; i++)
		dbmazz_backoff_fail(&backoff, &is_news);
	CHECK_INT(backoff.failures, 7);
	CHECK_INT(dbmazz_backoff_reset(&backoff), 7);
	CHECK(dbmazz_backoff_fail(&backoff, &is_news) <= 125);
	CHECK(is_news);
	CHECK_INT(backoff.failures, 1);
}

static void
jitter_differs(void)
{
	DbmazzBackoff backoff;
	bool		is_news;
	bool		low = false;
	bool		high = false;
	int			i;

	dbmazz_backoff_init(&backoff, 1000, 100000, 7);
	for (i = 0; i < 200; i++)
	{
		uint32_t	delay;

		dbmazz_backoff_reset(&backoff);
		delay = dbmazz_backoff_fail(&backoff, &is_news);
		low = low || delay < 850;
		high = high || delay > 1150;
	}
	CHECK(low && high);
}

static void
odd_limits(void)
{
	DbmazzBackoff backoff;
	bool		is_news;
	int			i;

	dbmazz_backoff_init(&backoff, 0, 0, 1);
	for (i = 0; i < 5; i++)
		CHECK_INT(dbmazz_backoff_fail(&backoff, &is_news), 1);
	dbmazz_backoff_init(&backoff, 500, 100, 1);
	for (i = 0; i < 5; i++)
		CHECK(dbmazz_backoff_fail(&backoff, &is_news) <= 500);
	dbmazz_backoff_init(&backoff, UINT32_MAX, UINT32_MAX, 1);
	for (i = 0; i < 5; i++)
		CHECK(dbmazz_backoff_fail(&backoff, &is_news) >= UINT32_MAX / 4 * 3);
	backoff.failures = UINT32_MAX;
	dbmazz_backoff_fail(&backoff, &is_news);
	CHECK(backoff.failures == UINT32_MAX);
}

void
test_backoff(void)
{
	RUN(stays_in_its_bounds);
	RUN(news_when_it_doubles);
	RUN(reset_counts_and_starts_again);
	RUN(jitter_differs);
	RUN(odd_limits);
}
