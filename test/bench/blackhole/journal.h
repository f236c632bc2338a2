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

/*
 * What is counted, for FE and BE apart.  Requests to the own interface are not,
 * nor are their connections.
 */
typedef enum BhCount
{
	BH_COUNT_CONNECTION,		/* accepted */
	BH_COUNT_REQUEST,			/* loads included */
	BH_COUNT_REDIRECT,			/* answered with 307 */
	BH_COUNT_CONTINUE,			/* told "100 Continue" before the answer */
	BH_COUNT_SCHEMA,			/* asked for the columns of a table */
	BH_COUNT_REFUSED,			/* answered with an error */
	BH_NCOUNTS
} BhCount;

/* The rows of a body, or of many. */
typedef struct BhReceived
{
	uint64_t	rows;
	uint64_t	bytes;			/* as they came, without chunked framing */
	uint64_t	plain_bytes;	/* the same decompressed */
	uint64_t	checksum;
} BhReceived;

/* Names a load from its begin to its end. */
typedef struct BhLoadId
{
	uint32_t	number;
	uint32_t	generation;		/* of the journal; a reset raises it */
} BhLoadId;

/* CLOCK_REALTIME in nanoseconds, to compare with the clients' times. */
extern int64_t bh_now(void);

extern void bh_journal_count(bool is_fe, BhCount what);

/* The FE got the head of a load with this label. */
extern void bh_journal_label(BhSpan label, int64_t when);

/* The BE got the head of a load. */
extern BhLoadId bh_journal_begin(BhSpan table, BhSpan label, int64_t when);

/* All of its body is there, or (not ok) it was not a valid one. */
extern void bh_journal_end(BhLoadId id, bool ok, const BhReceived *received);

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
