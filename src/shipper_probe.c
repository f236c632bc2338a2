/*
 * shipper_probe.c
 *		Finding the rows for which the target refuses a group.
 *
 * NOTES
 *	  Which row it is the target does not say, and no part of a group can be loaded
 *	  alone.  So each member is probed: its rows are prepared (in parts, as in
 *	  shipper_split.c) and rolled back.  A row that is not taken becomes a dead letter
 *	  and is left out, or its table stops.
 */
#include "postgres.h"

#include "debug_point.h"
#include "guc.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

void
dbmazz_group_begin_probes(DbmazzShipper *s, const DbmazzCompletion *c)
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
	dbmazz_group_begin_probes(s, &c);
}

bool
dbmazz_group_probe(DbmazzShipper *s, Lane *lane, TimestampTz now,
				   bool *started)
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
