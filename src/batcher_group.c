/*
 * batcher_group.c
 *		Groups: batches that are sealed together, with whole transactions.
 *
 * NOTES
 *	  With atomic = transaction all open batches are sealed at once, at the end of
 *	  a transaction; the last of them says so, and the shipper sends them as one
 *	  transaction of the target.  See "Transactions that are seen as a whole" in
 *	  README.md for when a group must end within a transaction all the same.
 *
 *	  A group has one batch per target, since all loads of a table in a transaction
 *	  of the target must be of one form; dbmazz_batcher_row() sees to that.  Rows
 *	  that are read again are a group of their own: when they are read nobody knows,
 *	  and they may be many loads.
 *
 *	  The first group of a life does not end before the last one that an earlier
 *	  life may have sent: what comes again must not show transactions of the past
 *	  one by one.
 */
#include "postgres.h"

#include "batcher_private.h"
#include "utils/timestamp.h"

#define GROUP_SHARE		2		/* a group is full with 1/2 of the reservation */
#define WORD_MS			10000	/* between words on transactions that were cut */

/* Of the log, for transactions that readers of the target see a part of. */
static void
tell_cut(DbmazzBatcher *b)
{
	DbmazzOpenGroup *g = &b->group;
	TimestampTz now = GetCurrentTimestamp();

	g->ncut++;
	if (g->told_at != 0 &&
		!TimestampDifferenceExceeds(g->told_at, now, WORD_MS))
		return;
	ereport(LOG,
			(errmsg("pipeline \"%s\": a transaction is not sent as a whole",
					NameStr(b->p->name)),
			 errdetail("It committed at %X/%X; the reason: %s. " UINT64_FORMAT
					   " transactions were sent in parts since the last such "
					   "message.", LSN_FORMAT_ARGS(g->cut_lsn), g->why,
					   g->ncut)));
	g->told_at = now;
	g->ncut = 0;
}

void
dbmazz_group_note(DbmazzBatcher *b)
{
	DbmazzOpenGroup *g = &b->group;

	g->row_lsn = b->final_lsn;
	if (g->cut_lsn == b->final_lsn)
	{
		tell_cut(b);
		g->cut_lsn = InvalidXLogRecPtr;
	}
}

/*
 * Those without a row go first, so that the last one that is sealed is the last of
 * the group, if it ends.
 */
static void
seal_all(DbmazzBatcher *b, bool ends)
{
	dlist_mutable_iter iter;

	if (!dlist_is_empty(&b->open))
		dbmazz_budget_take(&b->group.budget, b->due.per_minute, 1,
						   dbmazz_due_now());
	dlist_foreach_modify(iter, &b->open)
	{
		DbmazzOpenBatch *ob = dlist_container(DbmazzOpenBatch, node, iter.cur);

		if (ob->writer.nrows == 0)
			dbmazz_batcher_seal(b, ob);
	}
	while (!dlist_is_empty(&b->open))
	{
		DbmazzOpenBatch *ob = dlist_head_element(DbmazzOpenBatch, node,
												 &b->open);

		ob->ends_group = ends && !dlist_has_next(&b->open, &ob->node);
		dbmazz_batcher_seal(b, ob);
	}
	b->group.nkept = 0;
}

void
dbmazz_group_seal(DbmazzBatcher *b)
{
	seal_all(b, false);
}

void
dbmazz_group_end(DbmazzBatcher *b, const char *why)
{
	DbmazzOpenGroup *g = &b->group;

	seal_all(b, true);
	/* more of this transaction may come */
	if (why != NULL && g->row_lsn == b->final_lsn)
	{
		g->cut_lsn = b->final_lsn;
		g->why = why;
	}
}

/* One of rows that are read again is open alone, so a look at the first is enough. */
void
dbmazz_group_make_room(DbmazzBatcher *b, const DbmazzRelation *rel,
					   const DbmazzColumnSet *set)
{
	const DbmazzOpenBatch *first;

	if (dlist_is_empty(&b->open))
		return;
	first = dlist_head_element(DbmazzOpenBatch, node, &b->open);
	if (dbmazz_is_reread(rel, set) ||
		dbmazz_is_reread(first->rel, first->set))
		dbmazz_group_end(b, "rows are read again");
}

void
dbmazz_group_add(DbmazzBatcher *b, const DbmazzOpenBatch *ob)
{
	if (dlist_is_empty(&b->open))
		b->group.opened_us = dbmazz_due_now();
	dbmazz_due_tell(b, ob, b->group.opened_us, &b->group.budget);
}

static void
follow_settings(DbmazzBatcher *b)
{
	dlist_iter	iter;

	if (!dbmazz_due_follow_settings(b))
		return;
	dlist_foreach(iter, &b->open)
		dbmazz_due_tell(b, dlist_container(DbmazzOpenBatch, node, iter.cur),
						b->group.opened_us, &b->group.budget);
}

/*
 * Is a batch full, or has a table batches of several sets, or is it as much as the
 * target takes at a time (shipper_group.c)?
 */
static bool
is_full(DbmazzBatcher *b)
{
	uint32		limit = pg_atomic_read_u32(&b->p->group_segments);
	uint32		most = b->p->nsegments / GROUP_SHARE;
	uint32		nsegments = 0;
	bool		result = false;
	dlist_iter	iter;

	dlist_foreach(iter, &b->open)
	{
		DbmazzOpenBatch *ob = dlist_container(DbmazzOpenBatch, node, iter.cur);

		nsegments += ob->writer.nsegments;
		/* the next transaction's rows may be of another set */
		result = result || dbmazz_batcher_is_full(b, ob) ||
			ob->rel->partial != NULL || dbmazz_is_reread(ob->rel, ob->set);
	}
	/* what an earlier life may have sent goes as one group, if it fits */
	if (pg_atomic_read_u64(&b->p->decoded_upto) <=
		pg_atomic_read_u64(&b->p->group_lsn))
		return nsegments >= most;
	if (limit > 0)
		most = Min(most, limit);
	return result || nsegments >= most;
}

long
dbmazz_group_tick(DbmazzBatcher *b, bool at_rest)
{
	int64		due;
	int64		limit;

	if (dlist_is_empty(&b->open))
		return -1;
	follow_settings(b);
	due = dbmazz_due_time(b, b->group.opened_us, &b->group.budget);
	limit = dbmazz_due_limit(at_rest);
	if (is_full(b))
		dbmazz_group_end(b, NULL);
	else if (due > limit)
		return dbmazz_due_wait_ms(due, limit);
	else if (pg_atomic_read_u64(&b->p->decoded_upto) >
			 pg_atomic_read_u64(&b->p->group_lsn))
	{
		/* while a group is under way the next one grows; its end wakes us */
		pg_atomic_exchange_u32(&b->p->decoder_waits, 1);
		if (!dbmazz_batcher_is_busy(b))
			dbmazz_group_end(b, NULL);
	}
	return -1;
}
