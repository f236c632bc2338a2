/*
 * budget.h
 *		How often a table is loaded: a bucket of tokens.
 *
 * NOTES
 *	  With a limit of n loads a minute a token comes every 60/n seconds; n/10 of
 *	  them are kept, at least one, so that a commit that comes alone finds one.
 *	  So in no minute do more than n + n/10 loads wait for a token and get one.
 *
 *	  Nothing is forbidden here: a load that cannot wait takes its token all the
 *	  same, and the next one that can wait does so until the debt is paid, which
 *	  is a minute away at most.
 *
 *	  Times are microseconds of a clock that never goes back.
 */
#ifndef DBMAZZ_BUDGET_H
#define DBMAZZ_BUDGET_H

#include <stdint.h>

#define DBMAZZ_BUDGET_MINUTE	INT64_C(60000000)

/* Zero it to begin with a full bucket. */
typedef struct DbmazzBudget
{
	int64_t		full_at;		/* from then on all tokens are there, if none is
								 * taken until then */
} DbmazzBudget;

/*
 * The time from which on there is a token.  'per_minute' may differ from call to
 * call; 0 is no limit.
 */
static inline int64_t
dbmazz_budget_next(const DbmazzBudget *budget, uint32_t per_minute)
{
	int64_t		kept = per_minute >= 20 ? per_minute / 10 : 1;

	if (per_minute == 0)
		return INT64_MIN;
	return budget->full_at - (kept - 1) * (DBMAZZ_BUDGET_MINUTE / per_minute);
}

/*
 * The time from which on rows that have waited since 'since' may go.  Loads that are
 * charged while they wait put them off by a minute at most: else rows could wait
 * for as long as others of the table, or who shares its counter, come without a
 * token.
 */
static inline int64_t
dbmazz_budget_due(const DbmazzBudget *budget, uint32_t per_minute,
				  int64_t since)
{
	int64_t		next = dbmazz_budget_next(budget, per_minute);
	int64_t		latest = since + DBMAZZ_BUDGET_MINUTE;

	return next < latest ? next : latest;
}

/* Take tokens for 'nloads' loads, whether they are there or not. */
static inline void
dbmazz_budget_take(DbmazzBudget *budget, uint32_t per_minute, uint32_t nloads,
				   int64_t now)
{
	int64_t		end = now + DBMAZZ_BUDGET_MINUTE;

	if (per_minute == 0 || nloads == 0)
		return;
	if (nloads > per_minute)
		nloads = per_minute;
	if (budget->full_at < now)
		budget->full_at = now;
	budget->full_at += nloads * (DBMAZZ_BUDGET_MINUTE / per_minute);
	if (budget->full_at > end)
		budget->full_at = end;
}

#endif							/* DBMAZZ_BUDGET_H */
