/*
 * dedup.c
 *		Finds the rows of a batch that a later row of the same key replaces.
 *
 * NOTES
 *	  One walk in commit order over a table of slots with linear probing.  A
 *	  slot names the last row seen of a key; a new row of that key marks it and
 *	  takes its place.  The table is at most half full, and the slots of the
 *	  rows to come are asked for ahead of time, for with many rows each probe
 *	  would be a cache miss.
 */
#include "core/batch.h"

/*
 * A slot: segment (32 bits), upper bits of the key's hash (21), number of the
 * entry in its segment from 1 on (11).  Zero is a free one.
 */
#define ENTRY_BITS		11
#define ENTRY_MASK		((1u << ENTRY_BITS) - 1)
#define TAG_MASK		(~(uint32_t) ENTRY_MASK)
#define PREFETCH_AHEAD	12

_Static_assert(DBMAZZ_SEGMENT_SIZE / sizeof(DbmazzRowEntry) <= ENTRY_MASK + 1,
			   "the number of an entry fits into a slot");

uint32_t
dbmazz_dedup_slots(uint32_t nrows)
{
	uint32_t	nslots = 16;

	while (nslots < UINT32_C(1) << 31 && nslots / 2 < nrows)
		nslots *= 2;
	return nslots;
}

/* A place in the bytes of a row, as a run inside one segment. */
typedef struct Run
{
	const DbmazzSegment *segment;
	const char *pos;
	uint32_t	left;			/* bytes up to the end of the segment's data */
} Run;

/* Go on to the next segment with data, if this one has no byte left. */
static void
refill(const DbmazzBatchView *batch, Run *run)
{
	while (run->left == 0 && run->segment->next != DBMAZZ_NO_SEGMENT)
	{
		run->segment = dbmazz_segment_at(batch->pool, run->segment->next);
		run->pos = (const char *) run->segment + run->segment->data_start;
		run->left = run->segment->data_end - run->segment->data_start;
	}
}

static Run
key_of(const DbmazzSegment *segment, const DbmazzRowEntry *entry,
	   uint32_t start)
{
	Run			run;

	run.segment = segment;
	run.pos = (const char *) segment + entry->offset + start;
	run.left = segment->data_end - entry->offset - start;
	return run;
}

/* Compares keys that may run over the borders of segments. */
static bool
same_spanning_key(const DbmazzBatchView *batch, Run a, Run b, uint32_t left)
{
	while (left > 0)
	{
		uint32_t	n = left;

		refill(batch, &a);
		refill(batch, &b);
		if (n > a.left)
			n = a.left;
		if (n > b.left)
			n = b.left;
		if (n == 0 || memcmp(a.pos, b.pos, n) != 0)
			return false;
		a.pos += n;
		a.left -= n;
		b.pos += n;
		b.left -= n;
		left -= n;
	}
	return true;
}

static inline bool
same_key(const DbmazzBatchView *batch,
		 const DbmazzSegment *a_segment, const DbmazzRowEntry *a,
		 const DbmazzSegment *b_segment, const DbmazzRowEntry *b)
{
	uint32_t	start;
	Run			a_key;
	Run			b_key;

	if (a->key_hash != b->key_hash || a->key_length != b->key_length)
		return false;
	start = dbmazz_key_start(batch->table);
	a_key = key_of(a_segment, a, start);
	b_key = key_of(b_segment, b, start);
	if (a_key.left >= a->key_length && b_key.left >= b->key_length)
		return memcmp(a_key.pos, b_key.pos, a->key_length) == 0;
	return same_spanning_key(batch, a_key, b_key, a->key_length);
}

/*
 * Put a row into the table.  True if it took the place of an earlier one,
 * which is marked then.  At most 'nslots' probes, so that a table that is too
 * small costs time and duplicates but never hangs.
 */
static inline bool
replace(const DbmazzBatchView *batch, uint64_t *slots, uint32_t nslots,
		const DbmazzSegment *segment, const DbmazzRowEntry *entry,
		uint64_t slot)
{
	uint32_t	i = entry->key_hash;
	uint32_t	probes;

	for (probes = 0; probes < nslots; probes++, i++)
	{
		uint64_t   *p = &slots[i & (nslots - 1)];
		uint64_t	found = *p;

		if (found == 0)
		{
			*p = slot;
			return false;
		}
		if ((((uint32_t) found ^ (uint32_t) slot) & TAG_MASK) == 0)
		{
			DbmazzSegment *other_segment;
			DbmazzRowEntry *other;

			other_segment = dbmazz_segment_at(batch->pool,
											  (uint32_t) (found >> 32));
			other = dbmazz_entry_at(other_segment,
									((uint32_t) found & ENTRY_MASK) - 1);
			if (same_key(batch, other_segment, other, segment, entry))
			{
				other->flags |= DBMAZZ_ROW_SUPERSEDED;
				*p = slot;
				return true;
			}
		}
	}
	return false;
}

uint32_t
dbmazz_dedup(const DbmazzBatchView *batch, uint64_t *slots, uint32_t nslots)
{
	uint32_t	index = batch->head;
	uint32_t	nleft = 0;

	memset(slots, 0, (size_t) nslots * sizeof(*slots));
	while (index != DBMAZZ_NO_SEGMENT)
	{
		const DbmazzSegment *segment = dbmazz_segment_at(batch->pool, index);
		uint32_t	i;

		for (i = 0; i < segment->nentries; i++)
		{
			const DbmazzRowEntry *entry = dbmazz_entry_at(segment, i);

			if (i + PREFETCH_AHEAD < segment->nentries)
			{
				uint32_t	hash = (entry - PREFETCH_AHEAD)->key_hash;

				__builtin_prefetch(&slots[hash & (nslots - 1)], 1);
			}
			nleft++;
			/* Rows of a table without a key replace nothing. */
			if (entry->key_length > 0 &&
				replace(batch, slots, nslots, segment, entry,
						(uint64_t) index << 32 |
						(entry->key_hash & TAG_MASK) | (i + 1)))
				nleft--;
		}
		index = segment->next;
	}
	return nleft;
}
