/*
 * backoff.h
 *		Capped exponential backoff with jitter, without clock or globals.
 */
#ifndef DBMAZZ_BACKOFF_H
#define DBMAZZ_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

typedef struct DbmazzBackoff
{
	uint32_t	min_ms;
	uint32_t	max_ms;
	uint32_t	failures;		/* in a row */
	uint32_t	delay_ms;		/* the last delay before jitter */
	uint64_t	random;			/* state of the generator */
} DbmazzBackoff;

extern void dbmazz_backoff_init(DbmazzBackoff *backoff, uint32_t min_ms,
								uint32_t max_ms, uint64_t seed);

/*
 * Count a failure; returns the milliseconds to wait: min * 2^(failures - 1),
 * at most max, times a random factor in [0.75, 1.25], never above max.
 * '*is_news' tells whether this failure is worth a log line: the first, and
 * each time the delay has grown.
 */
extern uint32_t dbmazz_backoff_fail(DbmazzBackoff *backoff, bool *is_news);

/* Success: returns how many failures there had been in a row. */
extern uint32_t dbmazz_backoff_reset(DbmazzBackoff *backoff);

#endif							/* DBMAZZ_BACKOFF_H */
