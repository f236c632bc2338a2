/*
 * shipper_group.c
 *		Groups of batches that readers of the target see all at once.
 *
 * NOTES
 *	  With atomic = transaction one group is under way at a time.  One of a single
 *	  batch goes through its lane like any other batch.  The batches of a larger one
 *	  are one request of the group's own lane, which has no table, no queue and no
 *	  place among the working lanes, but labels:
 *
 *	  waiting --members settled, rows prepared--> GROUP --done--> batches freed
 *	     ^                                          | doubt: SETTLE, then RESOLVE:
 *	     |                                          |   done, or another label
 *	     |  rows found: they are left out           | retry: another label, later
 *	     +------------ probing <--------------------+ reject: because of rows
 *
 *	  Which row it is the target does not say: see shipper_probe.c.
 *
 *	  Before a group is sent, its end is in the catalogs: the next life begins with
 *	  one that is not shorter, unless the target says that nothing came of it.  See
 *	  "Transactions that are seen as a whole" in README.md.
 *
 *	  A group that takes longer than a load may is not sent once more, for it would
 *	  take as long.  When it is known that nothing of it is in the target, its end is
 *	  taken out of the catalogs and the life ends: the next one makes groups half as
 *	  large.  Each one that is loaded makes them a bit larger.
 */
#include "postgres.h"

#include "debug_point.h"
#include "encoding.h"
#include "guc.h"
#include "queue.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

/* ---- the begin of a life ------------------------------------------------------ */

void
dbmazz_group_fail(DbmazzShipper *s, const Lane *lane, const char *why)
{
	DbmazzError error;

	dbmazz_error_set(&error, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "target table \"%s\" has stopped, and atomic=transaction "
					 "sends nothing without it", lane->target);
	if (why != NULL)
		dbmazz_error_detail(&error, "%s", why);
	dbmazz_error_hint(&error, "See the view dbmazz.stat_table; remove the cause, "
					  "then use dbmazz.retry_batch() or dbmazz.skip_batch().");
	dbmazz_worker_fail(s->p, &error);
}

void
dbmazz_group_recover_lane(DbmazzShipper *s, Lane *lane,
						  const DbmazzTableRow *table)
{
	lane->done = table->done;
	s->group.sent = table->prepared;
}

/*
 * The group that is sent under the labels so far is one that may be in the target,
 * whatever becomes of labels that follow.
 */
static void
keep_end(DbmazzGroup *g)
{
	g->lane->done.lsn = Max(g->lane->done.lsn, g->sent.lsn);
	g->sent.lsn = InvalidXLogRecPtr;
	g->can_shrink = false;
	g->lane->settled = false;
}

void
dbmazz_group_recover(DbmazzShipper *s, XLogRecPtr lsn)
{
	DbmazzGroup *g = &s->group;
	XLogRecPtr	end;
	uint32		i;

	g->is_on = pg_atomic_read_u32(&s->p->atomic) != 0;
	for (i = 0; i < s->nlanes; i++)
	{
		if (s->by_index[i]->target[0] == '\0')
			g->lane = s->by_index[i];
	}
	if (g->lane == NULL && g->is_on)
		g->lane = dbmazz_shipper_lane(s, "");
	if (g->lane != NULL)
		g->lane->source = MemoryContextStrdup(s->cxt, "");
	if (!g->is_on)
		return;
	/* without groups, anything that was committed by now may have been sent */
	if (g->lane->done.lsn == InvalidXLogRecPtr)
		g->lane->done.lsn = lsn - 1;
	end = Max(g->lane->done.lsn, g->sent.lsn);
	pg_atomic_write_u64(&s->p->group_lsn, end);
	for (i = 0; i < s->nlanes; i++)
	{
		if (s->by_index[i]->stopped)
			dbmazz_group_fail(s, s->by_index[i], NULL);
	}
}

bool
dbmazz_group_is_settled(DbmazzShipper *s, TimestampTz now)
{
	DbmazzGroup *g = &s->group;
	Lane	   *lane = g->lane;

	if (lane == NULL || lane->old == NIL)
		return true;
	if (lane->phase == LANE_BUSY || lane->retry_at > now)
		return false;
	lane->retry_at = 0;
	if (dbmazz_lane_is_unsettled(lane))
	{
		dbmazz_lane_settle(s, lane);
		return false;
	}
	if (!g->is_aborted)
		keep_end(g);
	g->sent.lsn = InvalidXLogRecPtr;
	/* from now on rows may be sent that no group tells of */
	if (!g->is_on)
		lane->done.lsn = InvalidXLogRecPtr;
	dbmazz_lane_cover_label(s, lane, NULL);
	/* what earlier lives may have sent ends earlier if the last group is nowhere */
	if (g->is_on)
		pg_atomic_write_u64(&s->p->group_lsn, lane->done.lsn);
	return true;
}

/* ---- groups that wait --------------------------------------------------------- */

void
dbmazz_group_take(DbmazzShipper *s, uint32 head)
{
	DbmazzGroup *g = &s->group;
	MemoryContext old = MemoryContextSwitchTo(s->cxt);

	g->waiting = lappend_int(g->waiting, (int) head);
	if (dbmazz_queue_batch(head)->ends_group)
		g->nwhole++;
	MemoryContextSwitchTo(old);
}

/*
 * What the decoder has found in the group's rows: where a table stops, nothing of
 * the group is sent.  A row that is kept makes its key dead, before the others are
 * looked at: later changes of the key follow it, though they may be in one batch
 * with earlier ones.  False if the group is nothing else.
 */
static bool
see_to_findings(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	bool		is_last = false;
	int			i = 0;

	while (!is_last)
	{
		uint32		head = (uint32) list_nth_int(g->waiting, i);
		const DbmazzBatch *batch = dbmazz_queue_batch(head);

		is_last = batch->ends_group;
		if (batch->kind == DBMAZZ_BATCH_STOP)
			dbmazz_lane_stop_as_told(s, dbmazz_shipper_take(s, head));
		else if (batch->kind == DBMAZZ_BATCH_UNFIT)
		{
			g->waiting = list_delete_nth_cell(g->waiting, i);
			dbmazz_lane_keep_unfit(s, dbmazz_shipper_take(s, head));
		}
		else
			i++;
	}
	return i > 0;
}

/*
 * Of the group that is next: its size, its end, and whether a smaller one may take
 * its place.  Not if it is a single transaction, nor if all of it may be in the
 * target: an earlier life may have sent a group that ended where this one does.
 */
static void
measure(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	XLogRecPtr	first = PG_UINT64_MAX;
	XLogRecPtr	last = InvalidXLogRecPtr;
	uint32		limit = pg_atomic_read_u32(&s->p->group_segments);
	ListCell   *lc;

	g->nsegments = 0;
	foreach(lc, g->waiting)
	{
		const DbmazzBatch *batch = dbmazz_queue_batch((uint32) lfirst_int(lc));

		g->nsegments += batch->nsegments;
		first = Min(first, batch->first_commit_lsn);
		last = Max(last, batch->last_commit_lsn);
		if (batch->ends_group)
			break;
	}
	g->sent.lsn = last;
	g->can_shrink = first != last && g->lane->done.lsn < last && limit != 1;
	g->is_late = false;
}

/* The next group's batches go into their lanes.  Commits. */
static void
begin_group(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	MemoryContext old;
	bool		is_last = false;

	g->nwhole--;
	g->is_begun = true;
	if (!see_to_findings(s))
		return;
	measure(s);
	old = MemoryContextSwitchTo(s->cxt);
	while (!is_last)
	{
		uint32		head = (uint32) linitial_int(g->waiting);
		const DbmazzBatch *batch = dbmazz_queue_batch(head);

		g->waiting = list_delete_first(g->waiting);
		is_last = batch->ends_group;
		g->members = lappend(g->members, dbmazz_shipper_take(s, head));
	}
	/* one of a single batch goes under labels of its table */
	if (list_length(g->members) == 1)
	{
		list_free(g->members);
		g->members = NIL;
		keep_end(g);
	}
	MemoryContextSwitchTo(old);

	/* the row is not up to date, for it says where groups end */
	g->lane->settled = false;
	dbmazz_lane_cover_label(s, g->lane, NULL);
	DBMAZZ_DEBUG_POINT("group_begun");
}

/* What a life sends again after a crash is one group, therefore. */
bool
dbmazz_shipper_waits_for_row(DbmazzShipper *shipper)
{
	DbmazzGroup *g = &shipper->group;

	if (!g->is_begun || g->members != NIL || !dbmazz_group_is_next(shipper))
		return false;
	g->is_begun = false;
	return true;
}

/* Its batches are finished. */
static void
end_group(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;

	list_free(g->members);
	g->members = NIL;
	keep_end(g);
	MemoryContextReset(g->lane->cxt);
	dbmazz_lane_note_success(s, g->lane);
}

/* ---- requests --------------------------------------------------------------- */

/* Nothing of the member's own may be left of an earlier life. */
static bool
settle_member(DbmazzShipper *s, Lane *lane, TimestampTz now, bool *started)
{
	if (lane->settled)
		return true;
	if (lane->phase == LANE_BUSY || lane->retry_at > now)
		return false;
	lane->retry_at = 0;
	if (!dbmazz_lane_is_unsettled(lane))
	{
		dbmazz_lane_cover_label(s, lane, NULL);
		return true;
	}
	if (s->nbusy < dbmazz_max_connections)
	{
		dbmazz_lane_settle(s, lane);
		*started = true;
	}
	return false;
}

/* Members without a row to send leave; false if all do. */
static bool
prepare_members(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	ListCell   *lc;

	foreach(lc, g->members)
	{
		Lane	   *lane = lfirst(lc);
		bool		has_rows;

		Assert(dbmazz_lane_kind(lane) == DBMAZZ_BATCH_ROWS);
		has_rows = dbmazz_lane_prepare_rows(s, lane);
		if (has_rows && lane->request.nrows == 0)
		{
			dbmazz_lane_batch_done(s, lane);
			has_rows = false;
		}
		if (!has_rows)
		{
			dbmazz_lane_note_success(s, lane);
			g->members = foreach_delete_current(g->members, lc);
		}
	}
	return g->members != NIL;
}

static void
send_group(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	Lane	   *lane = g->lane;
	DbmazzGroupPart *parts;
	ListCell   *lc;
	int			n = 0;

	if (!prepare_members(s))
	{
		end_group(s);
		return;
	}
	MemoryContextReset(lane->cxt);
	parts = MemoryContextAlloc(lane->cxt,
							   list_length(g->members) * sizeof(*parts));
	foreach(lc, g->members)
	{
		const Lane *member = lfirst(lc);

		parts[n].target = member->target;
		parts[n++].batch = &member->view;
	}
	dbmazz_lane_cover_label(s, lane, NULL);
	dbmazz_lane_format_label(lane, s->uid, s->epoch, lane->sequence,
							 lane->label);
	lane->request.parts = parts;
	lane->request.nparts = n;
	dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_GROUP);
	DBMAZZ_DEBUG_POINT("group_started");
}

/* What the group needs next, if it may. */
static void
go_on(DbmazzShipper *s, TimestampTz now, bool *started)
{
	DbmazzGroup *g = &s->group;
	Lane	   *lane = g->lane;
	bool		must_wait = false;
	ListCell   *lc;

	foreach(lc, g->members)
		must_wait |= !settle_member(s, lfirst(lc), now, started);
	if (must_wait)
		return;
	foreach(lc, g->members)
		must_wait |= dbmazz_group_probe(s, lfirst(lc), now, started);
	if (must_wait)
		return;
	if (g->is_probing && !g->found)
		dbmazz_lane_note_failure(s, lane, &g->rejected);
	g->is_probing = false;
	if (lane->phase == LANE_BUSY || lane->retry_at > now)
		return;
	lane->retry_at = 0;
	*started = true;
	if (!lane->in_doubt)
		send_group(s);
	else if (g->is_settled)
		dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_RESOLVE);
	else
		dbmazz_lane_settle_doubt(s, lane);
}

bool
dbmazz_group_drive(DbmazzShipper *s, TimestampTz now, bool *started)
{
	DbmazzGroup *g = &s->group;

	if (g->members == NIL && !g->is_begun && dbmazz_group_is_next(s))
	{
		begin_group(s);
		*started = true;
	}
	if (g->members == NIL)
		return false;
	go_on(s, now, started);
	return true;
}

/* ---- outcomes ----------------------------------------------------------------- */

/*
 * Nothing of the group will come into the target under this label.  If it took too
 * long, begin anew with smaller ones; not so if an attempt is not known to have come
 * to nothing (its label was forgotten), for then the group may be in the target.
 */
static void
not_loaded(DbmazzShipper *s, bool is_aborted)
{
	DbmazzGroup *g = &s->group;
	uint32		limit = pg_atomic_read_u32(&s->p->group_segments);

	dbmazz_lane_next_label(g->lane);
	if (!is_aborted)
		keep_end(g);
	if (!g->is_late || !g->can_shrink)
		return;
	/* one that ends where it must may be larger than the limit */
	if (limit == 0 || limit > g->nsegments)
		limit = g->nsegments;
	pg_atomic_write_u32(&s->p->group_segments, Max(limit / 2, 1));
	g->sent.lsn = InvalidXLogRecPtr;
	g->lane->settled = false;
	dbmazz_lane_cover_label(s, g->lane, NULL);
	DBMAZZ_DEBUG_POINT("group_taken_back");
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("a transaction of several tables took longer than a load "
					"may"),
			 errdetail("It had %u kB. The pipeline begins anew, with half as "
					   "much at a time.",
					   g->nsegments * (DBMAZZ_SEGMENT_SIZE / 1024)),
			 errhint("Raise dbmazz.starrocks_load_timeout (option "
					 "\"load_timeout\" of the destination) if this comes "
					 "often.")));
}

/* They may grow, until there is no limit any more. */
static void
allow_more(DbmazzShipper *s)
{
	uint32		limit = pg_atomic_read_u32(&s->p->group_segments);

	if (limit > 0)
		pg_atomic_write_u32(&s->p->group_segments,
							limit < s->p->nsegments ? limit + 1 : 0);
}

/* All of its rows are in the target. */
static void
loaded(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	ListCell   *lc;

	DBMAZZ_DEBUG_POINT("group_loaded");
	dbmazz_lane_next_label(g->lane);
	allow_more(s);
	foreach(lc, g->members)
	{
		Lane	   *lane = lfirst(lc);

		pg_atomic_fetch_add_u64(&s->p->counters.rows, lane->request.nrows);
		pg_atomic_fetch_add_u64(&s->p->counters.batches, 1);
		dbmazz_lane_note_success(s, lane);
		dbmazz_lane_batch_done(s, lane);
	}
	end_group(s);
}

static void
rejected(DbmazzShipper *s, const DbmazzCompletion *c)
{
	DbmazzGroup *g = &s->group;

	dbmazz_lane_next_label(g->lane);
	if (c->error.status != DBMAZZ_ERR_UNREPRESENTABLE)
	{
		if (c->part > 0)
			dbmazz_lane_stop(s, list_nth(g->members, c->part - 1), &c->error,
							 NULL);
		dbmazz_worker_fail(s->p, &c->error);
	}
	dbmazz_group_begin_probes(s, c);
}

/* The labels are those of our own earlier life, or of a pipeline that is gone. */
static void
old_labels_settled(DbmazzShipper *s, const DbmazzCompletion *c)
{
	DbmazzGroup *g = &s->group;
	const OldLabels *old = list_nth(g->lane->old, g->lane->nsettled);

	if (!old->is_dropped)
		g->is_aborted = c->is_aborted;
	dbmazz_lane_note_success(s, g->lane);
	g->lane->nsettled++;
}

void
dbmazz_group_complete(DbmazzShipper *s, const DbmazzCompletion *c)
{
	DbmazzGroup *g = &s->group;
	Lane	   *lane = g->lane;
	DbmazzRequestKind kind = lane->request.kind;

	if (kind == DBMAZZ_REQUEST_SETTLE && c->outcome == DBMAZZ_DONE)
	{
		/* of a doubt the end is known later: until then it has failed */
		if (lane->in_doubt)
		{
			g->is_settled = true;
			g->is_aborted |= c->is_aborted;
		}
		else
			old_labels_settled(s, c);
	}
	else if (kind == DBMAZZ_REQUEST_SETTLE)
		dbmazz_lane_note_failure(s, lane, c);
	else if (c->outcome == DBMAZZ_DONE)
		loaded(s);
	else if (kind == DBMAZZ_REQUEST_RESOLVE &&
			 (c->is_aborted || c->is_forgotten))
		not_loaded(s, c->is_aborted || g->is_aborted);
	else if (kind == DBMAZZ_REQUEST_GROUP && c->outcome == DBMAZZ_REJECT)
		rejected(s, c);
	else
	{
		dbmazz_lane_note_failure(s, lane, c);
		g->is_settled = false;
		if (kind == DBMAZZ_REQUEST_GROUP)
		{
			g->is_late = c->is_late;
			g->is_aborted = c->is_aborted;
		}
		if (c->outcome == DBMAZZ_RETRY && kind == DBMAZZ_REQUEST_GROUP)
			not_loaded(s, true);
		else
			lane->in_doubt = true;
	}
}
