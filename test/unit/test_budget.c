/*
 * test_budget.c
 *		Tests of the limit of loads a minute.
 */
#include "core/budget.h"

#include "check.h"

#define SECOND	INT64_C(1000000)
#define BEGIN	(1000 * SECOND)

/* Loads of a table that always has rows, each as soon as it may. */
static int
loads_until(DbmazzBudget *budget, uint32_t per_minute, int64_t now,
			int64_t end)
{
	int			n = 0;

	for (;;)
	{
		int64_t		next = dbmazz_budget_next(budget, per_minute);

		if (next > now)
			now = next;
		if (now >= end)
			return n;
		dbmazz_budget_take(budget, per_minute, 1, now);
		n++;
	}
}

static void
no_minute_has_more(void)
{
	static const uint32_t limits[] = {1, 2, 7, 19, 20, 60, 600, 60000};
	size_t		i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
	{
		DbmazzBudget budget = {0};
		uint32_t	n = limits[i];
		int			most = (int) (n + (n >= 20 ? n / 10 : 1));
		int			first = loads_until(&budget, n, BEGIN, BEGIN + 60 * SECOND);
		int			second = loads_until(&budget, n, BEGIN + 60 * SECOND,
										 BEGIN + 120 * SECOND);

		CHECK(first >= (int) n);
		CHECK(first <= most);
		/* what was kept is used up */
		CHECK(second >= (int) n - 1);
		CHECK(second <= (int) n + 1);
	}
}

static void
a_commit_now_and_then_does_not_wait(void)
{
	DbmazzBudget budget = {0};
	int64_t		now = BEGIN;
	int			i;

	for (i = 0; i < 1000; i++, now += SECOND)
	{
		CHECK(dbmazz_budget_next(&budget, 60) <= now);
		dbmazz_budget_take(&budget, 60, 1, now);
	}
	/* nor do some at once, after a while */
	now += 60 * SECOND;
	for (i = 0; i < 6; i++)
	{
		CHECK(dbmazz_budget_next(&budget, 60) <= now);
		dbmazz_budget_take(&budget, 60, 1, now);
	}
	CHECK_INT(dbmazz_budget_next(&budget, 60) - now, SECOND);
}

static void
debts_end_in_a_minute(void)
{
	DbmazzBudget budget = {0};
	int			i;

	for (i = 0; i < 1000; i++)
		dbmazz_budget_take(&budget, 6, 1, BEGIN);
	CHECK_INT(dbmazz_budget_next(&budget, 6), BEGIN + 60 * SECOND);

	budget.full_at = 0;
	dbmazz_budget_take(&budget, 6, UINT32_MAX, BEGIN);
	CHECK_INT(dbmazz_budget_next(&budget, 6), BEGIN + 60 * SECOND);
}

static void
limits_may_change(void)
{
	DbmazzBudget budget = {0};

	dbmazz_budget_take(&budget, 1, 1, BEGIN);
	CHECK_INT(dbmazz_budget_next(&budget, 1), BEGIN + 60 * SECOND);
	CHECK(dbmazz_budget_next(&budget, 0) < BEGIN);
	dbmazz_budget_take(&budget, 0, 5, BEGIN);
	CHECK(dbmazz_budget_next(&budget, 600) <= BEGIN + 60 * SECOND);
}

static void
rows_wait_a_minute_at_most(void)
{
	DbmazzBudget budget = {0};
	int64_t		now;

	/* loads that cannot wait come all the time */
	for (now = BEGIN; now < BEGIN + 600 * SECOND; now += SECOND / 2)
		dbmazz_budget_take(&budget, 60, 1, now);
	CHECK(dbmazz_budget_next(&budget, 60) > BEGIN + 600 * SECOND);
	CHECK_INT(dbmazz_budget_due(&budget, 60, BEGIN), BEGIN + 60 * SECOND);
	CHECK(dbmazz_budget_due(&budget, 0, BEGIN) < BEGIN);

	/* what came before them does not shorten that of one load a minute */
	budget.full_at = 0;
	dbmazz_budget_take(&budget, 1, 1, BEGIN);
	CHECK_INT(dbmazz_budget_due(&budget, 1, BEGIN + SECOND),
			  BEGIN + 60 * SECOND);
}

void
test_budget(void)
{
	RUN(no_minute_has_more);
	RUN(a_commit_now_and_then_does_not_wait);
	RUN(debts_end_in_a_minute);
	RUN(limits_may_change);
	RUN(rows_wait_a_minute_at_most);
}
