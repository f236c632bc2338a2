/*
 * watermark.h
 *		The position: up to which LSN is everything in the target?
 *
 * NOTES
 *	  The position is the end of a commit up to which every row of every
 *	  transaction is in the target.  It is the smallest of
 *	  - decoded_upto, the end of the last record that was decoded wholly, and
 *	  - for each batch that is not yet in the target, the start of the commit
 *		record of the transaction of its first row: a transaction that ends at
 *		or before that point has no row in the batch.
 *	  decoded_upto must be read before the batches are looked at.
 */
#ifndef DBMAZZ_WATERMARK_H
#define DBMAZZ_WATERMARK_H

#include <stdint.h>

typedef struct DbmazzWatermark
{
	uint64_t	position;
} DbmazzWatermark;

static inline void
dbmazz_watermark_begin(DbmazzWatermark *mark, uint64_t decoded_upto)
{
	mark->position = decoded_upto;
}

static inline void
dbmazz_watermark_outstanding(DbmazzWatermark *mark, uint64_t first_commit_lsn)
{
	if (first_commit_lsn < mark->position)
		mark->position = first_commit_lsn;
}

/* The new position: never behind 'previous'. */
static inline uint64_t
dbmazz_watermark_end(const DbmazzWatermark *mark, uint64_t previous)
{
	return mark->position > previous ? mark->position : previous;
}

#endif							/* DBMAZZ_WATERMARK_H */
