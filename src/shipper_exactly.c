/*
 * shipper_exactly.c
 *		Lanes whose rows are sent once: prepared loads and their decisions.
 *
 * NOTES
 *	  A batch is prepared under a label: it is durable at the target, invisible,
 *	  and nothing but a COMMIT of ours makes it visible.  Then the decision is
 *	  taken: the lane's row says that the load of this label is the one that has
 *	  the rows up to a mark.  From then on it is committed, however often that
 *	  must be tried; before, it is rolled back, and its rows go under another label.
 *
 *	  no batch --PREPARE done--> prepared --row committed--> decided --+--> done
 *	     |  other outcome: SETTLE if      (a crash: SETTLE            COMMIT, or its
 *	     |  in doubt, another label        by the next life)         label's state
 *
 *	  A decision that a crash has left is found in the row by the next life, and is
 *	  carried out before anything else of the lane.  Then rows at or before the mark
 *	  that come again are left out (dbmazz_exactly_leave_out), and only those.
 *
 *	  The target may have aborted the load all the same: its time limit for
 *	  prepared ones was over, or an operator did it.  No row of it is visible then,
 *	  and the position is still in front of it: the mark goes back, and the rows
 *	  are sent under another label.
 *
 *	  The label may be forgotten by the time we ask.  The target forgets only what
 *	  has come to an end, and a prepared load can end without us only after
 *	  HOLD_MS.  So within that time it was committed; later, nobody knows.  But an
 *	  operator's rollback, whose label is then forgotten because of the number of
 *	  loads that followed, looks the same.  To stop the table instead would hit the
 *	  usual case: other loads went on while we were down.  README.md says how many
 *	  labels the target must keep.
 */
#include "postgres.h"

#include "debug_point.h"
#include "encoding.h"
#include "queue.h"
#include "report.h"
#include "shipper_private.h"
#include "utils/timestamp.h"
#include "worker.h"

/* Half of what the target is asked for, since clocks are not the same. */
#define HOLD_MS		(DBMAZZ_PREPARED_HOLD_S * INT64CONST(1000) / 2)

/* ---- marks ------------------------------------------------------------------ */

/* Looks at each segment from its end, where it most often is. */
static const DbmazzRowEntry *
last_sent_row(const DbmazzBatchView *view)
{
	const DbmazzRowEntry *last = NULL;
	uint32		index = view->head;

	while (index != DBMAZZ_NO_SEGMENT)
	{
		const DbmazzSegment *segment = dbmazz_segment_at(view->pool, index);
		uint32		i = segment->nentries;

		while (i > 0 && !dbmazz_row_is_sent(dbmazz_entry_at(segment, i - 1)))
			i--;
		if (i > 0)
			last = dbmazz_entry_at(segment, i - 1);
		index = segment->next;
	}
	return last;
}

/* The last row of the load under way; the lane's mark if more of its batch follows. */
static DbmazzMark
mark_of_load(const Lane *lane)
{
	const DbmazzBatch *batch =
		dbmazz_queue_batch(dbmazz_lane_first_batch(lane));
	DbmazzMark	mark = {batch->last_commit_lsn, batch->last_sequence};
	const DbmazzRowEntry *last;

	/* keys whose rows were read may be read again without harm */
	if (batch->kind == DBMAZZ_BATCH_REREAD)
		return dbmazz_reread_has_more(lane) ? lane->done : mark;
	mark = lane->done;
	last = last_sent_row(&lane->view);
	if (last != NULL)
	{
		mark.lsn = last->commit_lsn;
		mark.row = last->sequence;
	}
	return mark;
}

bool
dbmazz_exactly_is_done(const Lane *lane)
{
	const DbmazzBatch *batch =
		dbmazz_queue_batch(dbmazz_lane_first_batch(lane));

	return dbmazz_mark_covers(&lane->replayed, batch->last_commit_lsn,
							  batch->last_sequence);
}

void
dbmazz_exactly_leave_out(Lane *lane)
{
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;

	if (lane->view.first_commit_lsn > lane->replayed.lsn)
		return;
	dbmazz_rows_begin(&cursor, &lane->view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL &&
		   dbmazz_mark_covers(&lane->replayed, entry->commit_lsn,
							  entry->sequence))
	{
		if (dbmazz_row_is_sent(entry))
			lane->request.nrows--;
		entry->flags |= DBMAZZ_ROW_SUPERSEDED;
	}
}

void
dbmazz_exactly_truncated(Lane *lane)
{
	const DbmazzBatch *batch =
		dbmazz_queue_batch(dbmazz_lane_first_batch(lane));

	lane->done.lsn = batch->last_commit_lsn;
	lane->done.row = batch->last_sequence;
}

/* ---- decisions ---------------------------------------------------------------- */

void
dbmazz_exactly_recover(DbmazzShipper *s, Lane *lane,
					   const DbmazzTableRow *table, XLogRecPtr position)
{
	DbmazzDecision *d = &lane->decision;

	lane->done = table->done;
	lane->row_has_load = table->prepared.lsn != InvalidXLogRecPtr;
	/* the position goes beyond a load only when it was committed for certain */
	if (lane->row_has_load && position > table->prepared_from)
		lane->done = table->prepared;
	else if (lane->row_has_load && !table->stopped)
	{
		d->taken = true;
		d->is_old = true;
		d->mark = table->prepared;
		d->taken_at = table->prepared_at;
		dbmazz_lane_format_label(lane, s->uid, table->labels.epoch,
								 table->labels.sequence, lane->label);
	}
	lane->replayed = lane->done;
}

void
dbmazz_exactly_prepared(DbmazzShipper *s, Lane *lane)
{
	DBMAZZ_DEBUG_POINT("load_prepared");
	Assert(s->nundecided < lengthof(s->undecided));
	s->undecided[s->nundecided++] = lane;
}

static void
write_decision(DbmazzShipper *s, Lane *lane)
{
	const DbmazzBatch *batch =
		dbmazz_queue_batch(dbmazz_lane_first_batch(lane));

	lane->decision.mark = mark_of_load(lane);
	dbmazz_catalog_prepare_lane(s->id, lane->target, lane->sequence,
								&lane->done, &lane->decision.mark,
								batch->first_commit_lsn);
}

void
dbmazz_exactly_decide(DbmazzShipper *s)
{
	if (s->nundecided == 0)
		return;
	dbmazz_worker_begin();
	for (int i = 0; i < s->nundecided; i++)
		write_decision(s, s->undecided[i]);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("load_decided");
	for (int i = 0; i < s->nundecided; i++)
	{
		Lane	   *lane = s->undecided[i];

		lane->decision.taken = true;
		lane->decision.is_old = false;
		lane->decision.taken_at = GetCurrentTimestamp();
		lane->row_has_load = true;
		lane->covered.sequence = lane->sequence;
	}
	s->nundecided = 0;
}

/* All rows up to the decision's mark are in the target. */
static void
committed(DbmazzShipper *s, Lane *lane)
{
	bool		is_old = lane->decision.is_old;

	DBMAZZ_DEBUG_POINT("load_committed");
	dbmazz_lane_note_success(s, lane);
	lane->done = lane->decision.mark;
	memset(&lane->decision, 0, sizeof(lane->decision));
	lane->in_doubt = false;
	lane->doubts = 0;
	if (is_old)
		lane->replayed = lane->done;
	else
		dbmazz_lane_loaded(s, lane);
}

/* The target has aborted it, so that none of its rows will be seen. */
static void
aborted(DbmazzShipper *s, Lane *lane, const DbmazzCompletion *c)
{
	dbmazz_lane_note_failure(s, lane, c);
	dbmazz_report(WARNING, ERRCODE_CONNECTION_FAILURE,
				  psprintf("a prepared load into %s is sent again",
						   dbmazz_from_utf8(lane->target)), &c->error);

	/* the row must not name the label when the target has forgotten it */
	dbmazz_worker_begin();
	dbmazz_catalog_end_prepared(s->id, lane->target, &lane->done);
	dbmazz_worker_commit();
	lane->row_has_load = false;
	if (!lane->decision.is_old)
		lane->sequence++;
	memset(&lane->decision, 0, sizeof(lane->decision));
	lane->in_doubt = false;
	lane->doubts = 0;
}

/* The label is forgotten, and it is too late to know why. */
static void
stop_lost(DbmazzShipper *s, Lane *lane)
{
	const DbmazzDecision *d = &lane->decision;
	DbmazzError error;

	dbmazz_error_set(&error, DBMAZZ_ERR_LIMIT, 0,
					 "it is not known whether a prepared load into \"%s\" was "
					 "committed", lane->target);
	dbmazz_error_detail(&error, "The target does not know label %s any more. "
						"The load ends with a row of the transaction that "
						"committed at %X/%X.", lane->label,
						LSN_FORMAT_ARGS(d->mark.lsn));
	dbmazz_error_hint(&error, "Drop the pipeline, create it again, and load the "
					  "table anew.");
	dbmazz_lane_stop(s, lane, &error, NULL);
}

void
dbmazz_exactly_drive(DbmazzShipper *s, Lane *lane)
{
	if (lane->decision.is_lost)
		stop_lost(s, lane);
	else
		dbmazz_lane_start_request(s, lane, lane->in_doubt ?
								  DBMAZZ_REQUEST_RESOLVE :
								  DBMAZZ_REQUEST_COMMIT);
}

void
dbmazz_exactly_answered(DbmazzShipper *s, Lane *lane,
						const DbmazzCompletion *c)
{
	DbmazzRequestKind kind = lane->request.kind;
	DbmazzDecision *d = &lane->decision;
	bool		is_answer = kind == DBMAZZ_REQUEST_RESOLVE &&
		c->outcome == DBMAZZ_RETRY;

	/* rows go under another label only if the target has said "aborted" */
	if (c->outcome == DBMAZZ_DONE)
		committed(s, lane);
	else if (is_answer && c->is_aborted)
		aborted(s, lane, c);
	else if (is_answer && c->is_forgotten &&
			 !TimestampDifferenceExceeds(d->taken_at, GetCurrentTimestamp(),
										 HOLD_MS))
		committed(s, lane);
	else
	{
		/* ask what became of the COMMIT, or try it once more */
		dbmazz_lane_note_failure(s, lane, c);
		d->is_lost = is_answer && c->is_forgotten;
		lane->in_doubt = kind == DBMAZZ_REQUEST_COMMIT;
	}
}
