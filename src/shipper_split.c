/*
 * shipper_split.c
 *		Finds the rows for which a target rejects a load.
 *
 * NOTES
 *	  The rows of a load are numbered in their order.  A part of them, lo up to
 *	  hi, is sent under a label of its own; all others are marked as not sent.  A
 *	  part that is rejected is halved; one that is loaded is done with.  So a bad
 *	  row costs about log2(n) loads more, and the good ones are loaded on the way.
 *	  A row counts as bad only when it was rejected alone: then the target's
 *	  message is about it, and nothing is concluded from other loads.
 *
 *	  Behind a bad row the next part is as large as the stretch of good rows in
 *	  front of it, then twice as large, and so on.  So one bad row among many
 *	  costs O(log n) loads, and where all rows are bad each costs one.
 *
 *	  Order per key: no two rows of a load have the same key, for only the last
 *	  change of a key is sent; and the next batch waits until all parts are done.
 *
 *	  What if the process dies between two parts?  The batch holds the position
 *	  back until its last part is in the target.  The labels of the parts are
 *	  labels of the lane like all others; the next life settles them, and sends
 *	  the rows once more.
 */
#include "postgres.h"

#include "shipper_private.h"

/* Can the row be in a part? */
static bool
is_candidate(const DbmazzRowEntry *entry)
{
	return (entry->flags & ~DBMAZZ_ROW_APART) == 0;
}

/* Mark what is not in the part, and make the rest the request. */
static void
mark_part(Lane *lane)
{
	const DbmazzSplit *split = &lane->split;
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	uint32		i = 0;

	dbmazz_rows_begin(&cursor, &lane->view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		if (!is_candidate(entry))
			continue;
		if (i >= split->lo && i < split->hi)
			entry->flags &= ~DBMAZZ_ROW_APART;
		else
			entry->flags |= DBMAZZ_ROW_APART;
		i++;
	}
	Assert(i == split->nrows);
	lane->request.nrows = split->hi - split->lo;
}

/* The part behind those that are done with. */
static bool
next_part(Lane *lane)
{
	DbmazzSplit *split = &lane->split;

	if (split->lo == split->nrows)
	{
		split->nrows = 0;
		return false;
	}
	/* where the rest is known to have a bad row, its first half */
	if (split->bad > split->lo)
		split->hi = split->lo + Max((split->bad - split->lo) / 2, 1);
	else
		split->hi = split->lo + Min(split->step, split->nrows - split->lo);
	mark_part(lane);
	return true;
}

void
dbmazz_split_rejected(Lane *lane)
{
	DbmazzSplit *split = &lane->split;

	Assert(lane->request.nrows > 1);
	if (split->nrows == 0)
	{
		MemSet(split, 0, sizeof(*split));
		split->nrows = split->hi = lane->request.nrows;
		split->step = 1;
	}
	split->bad = split->hi;
	(void) next_part(lane);
}

bool
dbmazz_split_loaded(Lane *lane)
{
	DbmazzSplit *split = &lane->split;
	uint32		n = split->hi - split->lo;

	if (split->nrows == 0)
		return false;
	split->good += n;
	if (split->bad <= split->lo)
		split->step = Min(split->nrows, 2 * n);
	split->lo = split->hi;
	return next_part(lane);
}

bool
dbmazz_split_leave_out(Lane *lane)
{
	DbmazzSplit *split = &lane->split;

	Assert(lane->request.nrows == 1);
	if (split->nrows == 0)
		return false;
	split->step = Max(split->good, 1);
	split->good = 0;
	split->bad = 0;
	split->lo = split->hi;
	return next_part(lane);
}

void
dbmazz_split_forget(Lane *lane)
{
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;

	lane->split.nrows = 0;
	lane->request.nrows = 0;
	dbmazz_rows_begin(&cursor, &lane->view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		entry->flags &= ~DBMAZZ_ROW_APART;
		if (dbmazz_row_is_sent(entry))
			lane->request.nrows++;
	}
}

DbmazzRowEntry *
dbmazz_split_row(const Lane *lane, DbmazzSegment **segment)
{
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;

	dbmazz_rows_begin(&cursor, &lane->view);
	while ((entry = dbmazz_rows_next(&cursor, segment)) != NULL &&
		   !dbmazz_row_is_sent(entry))
		;
	return entry;
}
