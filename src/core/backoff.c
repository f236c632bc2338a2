/*
 * backoff.c
 *		Capped exponential backoff with jitter.
 *
 * NOTES
 *	  The jitter keeps the pipelines of many servers from knocking at the same
 *	  moment at a target that has just come back.
 */
#include "core/backoff.h"

/* One step of a 64-bit generator (splitmix64): any seed is a good one. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t	z;

	*state += UINT64_C(0x9E3779B97F4A7C15);
	z = *state;
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

void
dbmazz_backoff_init(DbmazzBackoff *backoff, uint32_t min_ms, uint32_t max_ms,
					uint64_t seed)
{
	backoff->min_ms = min_ms > 0 ? min_ms : 1;
	backoff->max_ms = max_ms > backoff->min_ms ? max_ms : backoff->min_ms;
	backoff->failures = 0;
	backoff->delay_ms = 0;
	backoff->random = seed;
}

uint32_t
dbmazz_backoff_fail(DbmazzBackoff *backoff, bool *is_news)
{
	uint64_t	delay = backoff->min_ms;
	uint64_t	jittered;

	if (backoff->failures > 0)
		delay = (uint64_t) backoff->delay_ms * 2;
	if (delay > backoff->max_ms)
		delay = backoff->max_ms;
	*is_news = backoff->failures == 0 || delay > backoff->delay_ms;

	backoff->delay_ms = (uint32_t) delay;
	if (backoff->failures < UINT32_MAX)
		backoff->failures++;

	/* 3/4 of the delay, and up to half of it more */
	jittered = delay - delay / 4 +
		next_random(&backoff->random) % (delay / 2 + 1);
	return (uint32_t) (jittered < backoff->max_ms ? jittered :
					   backoff->max_ms);
}

uint32_t
dbmazz_backoff_reset(DbmazzBackoff *backoff)
{
	uint32_t	failures = backoff->failures;

	backoff->failures = 0;
	backoff->delay_ms = 0;
	return failures;
}
