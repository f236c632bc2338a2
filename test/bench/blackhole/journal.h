/*
 * journal.h
 *		What has arrived: totals, one line per load, and on demand one per row.
 */
#ifndef BH_JOURNAL_H
#define BH_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "http.h"

/* Why a request was counted. */
typedef enum BhCount
{
	BH_COUNT_CONNECTION,
	BH_COUNT_FE,				/* requests to the FE, loads included */
	BH_COUNT_BE,				/* requests to the BE */
	BH_COUNT_REFUSED,			/* answered with an error */
	BH_NCOUNTS
} BhCount;

/* Names a load from its begin to its end. */
typedef struct BhLoadId
{
	uint32_t	number;
	uint32_t	generation;		/* of the journal; a reset raises it */
} BhLoadId;

/* CLOCK_REALTIME in nanoseconds, to compare with the clients' times. */
extern int64_t bh_now(void);

extern void bh_journal_count(BhCount what);

/* The FE got the head of a load with this label. */
extern void bh_journal_label(BhSpan label, int64_t when);

/* The BE got the head of a load. */
extern BhLoadId bh_journal_begin(BhSpan table, BhSpan label, int64_t when);

/* All of its body is there, or (not ok) it was not a valid one. */
extern void bh_journal_end(BhLoadId id, bool ok, uint64_t rows,
						   uint64_t bytes, uint64_t checksum);

/*
 * Keep the value of this integer column of every row from now on; an empty
 * name stops it.
 */
extern void bh_journal_watch(BhSpan column);
extern bool bh_journal_watches(void);
extern void bh_journal_row(BhLoadId id, const char *row, size_t len);

extern void bh_journal_reset(void);

/* As JSON; as lines; as lines. */
extern void bh_journal_stats(BhBuffer *out);
extern void bh_journal_loads(BhBuffer *out);
extern void bh_journal_rows(BhBuffer *out);

#endif							/* BH_JOURNAL_H */
