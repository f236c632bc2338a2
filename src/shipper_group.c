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
 *	  Which row it is the target does not say, and no part of a group can be loaded
 *	  alone.  So each member is probed: its rows are prepared (in parts, as in
 *	  shipper_split.c) and rolled back.
 *
 *	  Before a group is sent, its end is in the catalogs: the next life begins with
 *	  one that is not shorter.  See "Transactions that are seen as a whole" in
 *	  README.md.
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
dbmazz_group_recover(DbmazzShipper *s, XLogRecPtr lsn)
{
	DbmazzGroup *g = &s->group;
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
	pg_atomic_write_u64(&s->p->group_lsn,
						g->lane->done.lsn != InvalidXLogRecPtr ?
						g->lane->done.lsn : lsn - 1);
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
	/* from now on rows may be sent that no group tells of */
	if (!g->is_on)
		lane->done.lsn = InvalidXLogRecPtr;
	dbmazz_lane_cover_label(s, lane, NULL);
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
	old = MemoryContextSwitchTo(s->cxt);
	while (!is_last)
	{
		uint32		head = (uint32) linitial_int(g->waiting);
		const DbmazzBatch *batch = dbmazz_queue_batch(head);

		g->waiting = list_delete_first(g->waiting);
		is_last = batch->ends_group;
		g->lane->done.lsn = Max(g->lane->done.lsn, batch->last_commit_lsn);
		g->members = lappend(g->members, dbmazz_shipper_take(s, head));
	}
	if (list_length(g->members) == 1)
	{
		list_free(g->members);
		g->members = NIL;
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

/* Look at a member's rows, or undo what that has left; false when all are known. */
static bool
probe(DbmazzShipper *s, Lane *lane, TimestampTz now, bool *started)
{
	if (!lane->is_probed)
		return false;
	if (lane->phase == LANE_BUSY || lane->retry_at > now ||
		s->nbusy >= dbmazz_max_connections)
		return true;
	lane->retry_at = 0;
	*started = true;
	if (lane->in_doubt)
	{
		dbmazz_lane_settle_doubt(s, lane);
		return true;
	}
	dbmazz_lane_cover_label(s, lane, NULL);
	dbmazz_lane_format_label(lane, s->uid, s->epoch, lane->sequence,
							 lane->label);
	dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_PREPARE);
	return true;
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
		must_wait |= probe(s, lfirst(lc), now, started);
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

/* All of its rows are in the target. */
static void
loaded(DbmazzShipper *s)
{
	DbmazzGroup *g = &s->group;
	ListCell   *lc;

	DBMAZZ_DEBUG_POINT("group_loaded");
	dbmazz_lane_next_label(g->lane);
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

/* Some rows are not taken: look at those of all members. */
static void
begin_probes(DbmazzShipper *s, const DbmazzCompletion *c)
{
	DbmazzGroup *g = &s->group;
	ListCell   *lc;

	g->is_probing = true;
	g->found = false;
	g->rejected = *c;
	foreach(lc, g->members)
		((Lane *) lfirst(lc))->is_probed = true;
}

void
dbmazz_group_adopt(DbmazzShipper *s, Lane *lane, const DbmazzError *error)
{
	MemoryContext old = MemoryContextSwitchTo(s->cxt);
	DbmazzCompletion c = {0};

	c.outcome = DBMAZZ_REJECT;
	c.error = *error;
	s->group.members = list_make1(lane);
	MemoryContextSwitchTo(old);
	begin_probes(s, &c);
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
	begin_probes(s, c);
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
			g->is_settled = true;
		else
		{
			dbmazz_lane_note_success(s, lane);
			lane->nsettled++;
		}
	}
	else if (kind == DBMAZZ_REQUEST_SETTLE)
		dbmazz_lane_note_failure(s, lane, c);
	else if (c->outcome == DBMAZZ_DONE)
		loaded(s);
	else if (kind == DBMAZZ_REQUEST_RESOLVE &&
			 (c->is_aborted || c->is_forgotten))
		dbmazz_lane_next_label(lane);
	else if (kind == DBMAZZ_REQUEST_GROUP && c->outcome == DBMAZZ_REJECT)
		rejected(s, c);
	else
	{
		dbmazz_lane_note_failure(s, lane, c);
		g->is_settled = false;
		if (c->outcome == DBMAZZ_RETRY && kind == DBMAZZ_REQUEST_GROUP)
			dbmazz_lane_next_label(lane);
		else
			lane->in_doubt = true;
	}
}

/* ---- rows that the target does not take ---------------------------------------- */

/* All rows of the member are known. */
static void
end_probe(Lane *lane)
{
	ListCell   *lc;

	foreach(lc, lane->bad)
		((DbmazzRowEntry *) lfirst(lc))->flags |= DBMAZZ_ROW_DEAD;
	lane->bad = NIL;
	dbmazz_split_forget(lane);
	lane->is_probed = false;
}

/* The only row of the part is not taken. */
static void
leave_out(DbmazzShipper *s, Lane *lane, const DbmazzError *error)
{
	MemoryContext old;
	DbmazzSegment *segment;
	DbmazzRowEntry *entry = dbmazz_split_row(lane, &segment);

	if (!dbmazz_dead_row(s, lane, error))
		return;
	DBMAZZ_DEBUG_POINT("letter_written");
	s->group.found = true;
	old = MemoryContextSwitchTo(lane->cxt);
	lane->bad = lappend(lane->bad, entry);
	MemoryContextSwitchTo(old);
	if (!dbmazz_split_leave_out(lane))
		end_probe(lane);
}

void
dbmazz_group_probe_complete(DbmazzShipper *s, Lane *lane,
							const DbmazzCompletion *c)
{
	if (lane->request.kind == DBMAZZ_REQUEST_SETTLE)
	{
		if (c->outcome != DBMAZZ_DONE)
		{
			dbmazz_lane_note_failure(s, lane, c);
			return;
		}
		dbmazz_lane_next_label(lane);
		if (lane->is_taken)
			dbmazz_lane_note_success(s, lane);
		if (lane->is_taken && !dbmazz_split_loaded(lane))
			end_probe(lane);
		lane->is_taken = false;
	}
	else if (c->outcome == DBMAZZ_DONE)
	{
		/* it must not stay */
		dbmazz_lane_note_success(s, lane);
		lane->is_taken = true;
		lane->in_doubt = true;
	}
	else if (c->outcome == DBMAZZ_REJECT)
	{
		dbmazz_lane_note_success(s, lane);
		dbmazz_lane_next_label(lane);
		if (c->error.status != DBMAZZ_ERR_UNREPRESENTABLE)
			dbmazz_lane_stop(s, lane, &c->error, NULL);
		else if (lane->request.nrows > 1)
			dbmazz_split_rejected(lane);
		else
			leave_out(s, lane, &c->error);
	}
	else
	{
		dbmazz_lane_note_failure(s, lane, c);
		lane->in_doubt = c->outcome == DBMAZZ_DOUBT;
		if (!lane->in_doubt)
			dbmazz_lane_next_label(lane);
	}
}
