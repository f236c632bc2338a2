/*
 * batcher_due.c
 *		When batches go that are neither full nor in anybody's way.
 *
 * NOTES
 *	  A batch is due when it is flush_interval old and its table's budget
 *	  (core/budget.h) has a load for it.  Then it goes as soon as its lane is free;
 *	  while that is busy it goes on growing.
 *
 *	  While there is WAL left to decode it gets GROW_US more.  A load costs as much
 *	  as some thousand rows, and so many are decoded in that time; who waits for
 *	  the rows waits for the backlog anyway.  A shipper that has nothing to do
 *	  meanwhile was faster than the decoder.  At the end of the WAL nothing more
 *	  would come of waiting, so a commit on a server at rest goes at once.
 *
 *	  With groups all of that is the group's, which asks here when it may go
 *	  (batcher_group.c): its batches are not entered, nor their tables charged.
 *
 *	  This is asked behind every commit, and there may be as many open batches as
 *	  tables.  So those that are not due are in a heap, and those that wait for
 *	  their lanes are looked at only when a batch has come back since the last look.
 */
#include "postgres.h"

#include "batcher_private.h"
#include "portability/instr_time.h"
#include "queue.h"
#include "utils/timestamp.h"

#define GROW_US		5000

int64
dbmazz_due_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

/* The soonest is first. */
static int
compare(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	int64		x = pairingheap_const_container(DbmazzOpenBatch, due_node,
												a)->due_us;
	int64		y = pairingheap_const_container(DbmazzOpenBatch, due_node,
												b)->due_us;

	return x < y ? 1 : (x > y ? -1 : 0);
}

void
dbmazz_due_init(DbmazzBatcher *b)
{
	MemoryContext old = MemoryContextSwitchTo(b->cxt);

	b->due.heap = pairingheap_allocate(compare, NULL);
	dlist_init(&b->due.late);
	MemoryContextSwitchTo(old);
	(void) dbmazz_due_follow_settings(b);
}

/* ---- the budget ------------------------------------------------------------- */

/*
 * Loads that the table's batches took beyond the first of each.  When they were is
 * not known; of a table that had no rows for a minute they are too old to matter,
 * or another table's.
 */
static void
take_extra(DbmazzBatcher *b, DbmazzRelation *rel, int64 now)
{
	uint32		n = pg_atomic_read_u32(dbmazz_queue_extra_loads(b->p,
																rel->relid));

	if (rel->extra_at > 0 && now - rel->extra_at < DBMAZZ_BUDGET_MINUTE)
		dbmazz_budget_take(&rel->budget, b->due.per_minute,
						   n - rel->extra_loads, now);
	rel->extra_at = now;
	rel->extra_loads = n;
}

void
dbmazz_due_charge(DbmazzBatcher *b, DbmazzRelation *rel)
{
	int64		now = dbmazz_due_now();

	take_extra(b, rel, now);
	dbmazz_budget_take(&rel->budget, b->due.per_minute, 1, now);
}

int64
dbmazz_due_time(const DbmazzBatcher *b, int64 opened_us,
				const DbmazzBudget *budget)
{
	return Max(opened_us + b->due.interval_us,
			   dbmazz_budget_due(budget, b->due.per_minute, opened_us));
}

void
dbmazz_due_tell(const DbmazzBatcher *b, const DbmazzOpenBatch *ob,
				int64 opened_us, const DbmazzBudget *budget)
{
	int64		due = dbmazz_budget_due(budget, b->due.per_minute, opened_us);
	TimestampTz until = 0;

	if (due > opened_us + b->due.interval_us)
		until = GetCurrentTimestamp() + (due - dbmazz_due_now());
	pg_atomic_write_u64(&dbmazz_queue_batch(ob->writer.head)->waits_until,
						(uint64) until);
}

/* ---- batches that are open -------------------------------------------------- */

static void
enter(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	ob->is_late = false;
	ob->due_us = dbmazz_due_time(b, ob->opened_us, &ob->rel->budget);
	pairingheap_add(b->due.heap, &ob->due_node);
	dbmazz_due_tell(b, ob, ob->opened_us, &ob->rel->budget);
}

void
dbmazz_due_add(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	ob->opened_us = dbmazz_due_now();
	take_extra(b, ob->rel, ob->opened_us);
	enter(b, ob);
}

void
dbmazz_due_remove(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	if (ob->is_late)
		dlist_delete(&ob->late_node);
	else
		pairingheap_remove(b->due.heap, &ob->due_node);
}

static void
make_late(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	pairingheap_remove(b->due.heap, &ob->due_node);
	dlist_push_tail(&b->due.late, &ob->late_node);
	ob->is_late = true;
}

bool
dbmazz_due_follow_settings(DbmazzBatcher *b)
{
	DbmazzDue  *due = &b->due;
	int64		interval_us =
		pg_atomic_read_u32(&b->p->flush_interval_ms) * INT64CONST(1000);
	uint32		per_minute = pg_atomic_read_u32(&b->p->max_loads_per_minute);

	if (interval_us == due->interval_us && per_minute == due->per_minute)
		return false;
	due->interval_us = interval_us;
	due->per_minute = per_minute;
	return true;
}

/* Under other settings the order is another one. */
static void
enter_anew(DbmazzBatcher *b)
{
	dlist_iter	iter;

	pairingheap_reset(b->due.heap);
	dlist_foreach(iter, &b->open)
	{
		DbmazzOpenBatch *ob = dlist_container(DbmazzOpenBatch, node, iter.cur);

		if (!ob->is_late)
			enter(b, ob);
	}
}

/* ---- lanes ------------------------------------------------------------------ */

/* Is no earlier batch of the table on its way? */
static bool
lane_is_free(const DbmazzRelation *rel)
{
	return rel->sealed_head == DBMAZZ_NO_SEGMENT ||
		pg_atomic_read_u32(&dbmazz_queue_batch(rel->sealed_head)->generation) !=
		rel->sealed_generation;
}

/*
 * Is the batch's lane busy?  If so, the end of the load there will wake us: ask
 * for that first, then look.
 */
static bool
lane_is_busy(DbmazzBatcher *b, const DbmazzOpenBatch *ob)
{
	if (lane_is_free(ob->rel))
		return false;
	pg_atomic_exchange_u32(&b->p->decoder_waits, 1);
	return !lane_is_free(ob->rel);
}

/*
 * Batches have come back: those whose lanes are free now are in the heap again.
 * What comes back after the look at 'ndone' leads to the next look.
 */
static void
recall_late(DbmazzBatcher *b)
{
	DbmazzDue  *due = &b->due;
	uint32		ndone;
	dlist_mutable_iter iter;

	if (dlist_is_empty(&due->late))
		return;

	/*
	 * Before the look, and at each: a batch may have been counted the last time
	 * already, and its wake-up have taken away what was asked for then.
	 */
	pg_atomic_exchange_u32(&b->p->decoder_waits, 1);
	ndone = pg_atomic_read_u32(&b->p->ndone);
	if (ndone == due->ndone && !due->look_again)
		return;
	due->ndone = ndone;
	due->look_again = false;
	dlist_foreach_modify(iter, &due->late)
	{
		DbmazzOpenBatch *ob = dlist_container(DbmazzOpenBatch, late_node,
											  iter.cur);

		if (!lane_is_free(ob->rel))
			continue;
		dlist_delete(&ob->late_node);
		enter(b, ob);
	}
}

/* ---- sealing ---------------------------------------------------------------- */

long
dbmazz_due_wait_ms(int64 due, int64 limit)
{
	return (long) ((due - limit + 999) / 1000);
}

int64
dbmazz_due_limit(bool at_rest)
{
	return dbmazz_due_now() - (at_rest ? 0 : GROW_US);
}

long
dbmazz_due_seal(DbmazzBatcher *b, const DbmazzRelation *except, bool at_rest)
{
	int64		limit;

	if (dlist_is_empty(&b->open))
		return -1;
	if (dbmazz_due_follow_settings(b))
		enter_anew(b);
	recall_late(b);
	limit = dbmazz_due_limit(at_rest);
	while (!pairingheap_is_empty(b->due.heap))
	{
		DbmazzOpenBatch *ob =
			pairingheap_container(DbmazzOpenBatch, due_node,
								  pairingheap_first(b->due.heap));

		if (ob->due_us > limit)
			return dbmazz_due_wait_ms(ob->due_us, limit);
		/* loads that were charged meanwhile may put it off */
		take_extra(b, ob->rel, dbmazz_due_now());
		if (dbmazz_due_time(b, ob->opened_us, &ob->rel->budget) > limit)
		{
			pairingheap_remove(b->due.heap, &ob->due_node);
			enter(b, ob);
		}
		else if (ob->rel == except || lane_is_busy(b, ob))
		{
			make_late(b, ob);
			b->due.look_again |= ob->rel == except;
		}
		else
			/* column sets of a table share the lane: all of them go */
			dbmazz_batcher_seal_relation(b, ob->rel);
	}
	return -1;
}
