/*
 * shipper_lane.c
 *		One lane: requests, outcomes, labels.
 */
#include "postgres.h"

#include "debug_point.h"
#include "encoding.h"
#include "guc.h"
#include "queue.h"
#include "report.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define REREAD_DELAY_MS	50

/* ---- batches ------------------------------------------------------------- */

void
dbmazz_lane_set_to_work(DbmazzShipper *s, Lane *lane)
{
	if (!lane->is_working)
		dlist_push_tail(&s->working, &lane->node);
	lane->is_working = true;
}

void
dbmazz_lane_queue(DbmazzShipper *s, Lane *lane, uint32 head)
{
	QueuedBatch *qb = MemoryContextAlloc(s->cxt, sizeof(*qb));

	qb->head = head;
	if (lane->queue_tail == NULL)
		slist_push_head(&lane->queue, &qb->node);
	else
		slist_insert_after(lane->queue_tail, &qb->node);
	lane->queue_tail = &qb->node;
	if (!lane->stopped)
		dbmazz_lane_set_to_work(s, lane);
}

uint32
dbmazz_lane_first_batch(const Lane *lane)
{
	return slist_container(QueuedBatch, node,
						   slist_head_node((slist_head *) & lane->queue))->head;
}

void
dbmazz_lane_finish_batch(DbmazzShipper *s, Lane *lane)
{
	slist_node *node = slist_pop_head_node(&lane->queue);
	QueuedBatch *qb = slist_container(QueuedBatch, node, node);

	if (slist_is_empty(&lane->queue))
		lane->queue_tail = NULL;
	if (qb->head == DBMAZZ_NO_SEGMENT)
		lane->replay = 0;
	else
		dbmazz_queue_done(s->p, qb->head);
	pfree(qb);
	lane->prepared = false;
	lane->nloads = 0;
	lane->split.nrows = 0;
	dbmazz_reread_end(s, lane);
	MemoryContextReset(lane->cxt);
}

void
dbmazz_lane_drop_queue(DbmazzShipper *s, Lane *lane)
{
	while (!slist_is_empty(&lane->queue))
		dbmazz_lane_finish_batch(s, lane);
}

DbmazzBatchKind
dbmazz_lane_kind(const Lane *lane)
{
	uint32		head = dbmazz_lane_first_batch(lane);

	return head == DBMAZZ_NO_SEGMENT ? DBMAZZ_BATCH_REPLAY :
		dbmazz_queue_batch(head)->kind;
}

void
dbmazz_lane_batch_done(DbmazzShipper *s, Lane *lane)
{
	DbmazzBatch *batch;

	if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_REPLAY)
	{
		dbmazz_replay_end(s, lane, NULL);
		return;
	}
	batch = dbmazz_queue_batch(dbmazz_lane_first_batch(lane));
	pg_atomic_fetch_add_u64(&s->p->counters.changes, batch->nrows);
	s->shipped_lsn = Max(s->shipped_lsn, batch->last_commit_lsn);
	dbmazz_lane_finish_batch(s, lane);
}

void
dbmazz_lane_view_batch(Lane *lane)
{
	uint32		head = dbmazz_lane_first_batch(lane);
	DbmazzBatch *batch = dbmazz_queue_batch(head);
	char	   *pool = dbmazz_queue_pool();
	uint32		size = dbmazz_batch_desc_size(pool, head);
	DbmazzTableDesc *desc = MemoryContextAlloc(lane->cxt, size);

	dbmazz_batch_copy_desc(pool, head, desc, size);
	lane->view.pool = pool;
	lane->view.head = head;
	lane->view.nrows = batch->nrows;
	lane->view.nbytes = batch->nbytes;
	lane->view.first_commit_lsn = batch->first_commit_lsn;
	lane->view.last_commit_lsn = batch->last_commit_lsn;
	lane->view.table = desc;
}

/* Mark superseded rows and make the view; the same at every attempt. */
static void
prepare_batch(DbmazzShipper *s, Lane *lane)
{
	uint32		nslots;

	dbmazz_lane_view_batch(lane);
	nslots = dbmazz_dedup_slots(lane->view.nrows);
	if (nslots > s->nslots)
	{
		if (s->slots)
			pfree(s->slots);
		s->slots = MemoryContextAllocHuge(s->cxt, nslots * sizeof(uint64));
		s->nslots = nslots;
	}
	lane->request.nrows = dbmazz_dedup(&lane->view, s->slots, nslots);
	dbmazz_exactly_leave_out(lane);
	lane->prepared = true;
}

void
dbmazz_lane_answers(DbmazzShipper *s, Lane *lane)
{
	if (dbmazz_backoff_reset(&lane->backoff) > 0 && --s->nfailing == 0)
		dbmazz_pipeline_move_state(s->p, DBMAZZ_STATE_RETRYING,
								   DBMAZZ_STATE_STREAMING);
}

/* ---- requests ------------------------------------------------------------ */

void
dbmazz_lane_start_request(DbmazzShipper *s, Lane *lane,
						  DbmazzRequestKind kind)
{
	bool		is_load = kind == DBMAZZ_REQUEST_LOAD ||
	kind == DBMAZZ_REQUEST_PREPARE;
	bool		is_of_load = kind == DBMAZZ_REQUEST_RESOLVE &&
	!lane->decision.taken && lane != s->group.lane;

	lane->serial = ++s->serial;
	lane->request.id = (lane->serial << 24) | lane->index;
	lane->request.kind = kind;
	lane->request.target = lane->target;
	lane->request.label = lane->label;
	Assert(!is_of_load || lane->prepared);
	lane->request.batch = is_load || is_of_load ? &lane->view : NULL;
	lane->phase = LANE_BUSY;
	s->nbusy++;
	s->routine->start(s->sink, &lane->request);
	if (is_load)
	{
		lane->is_prepare = kind == DBMAZZ_REQUEST_PREPARE;
		DBMAZZ_DEBUG_POINT("request_started");
	}
	if (kind == DBMAZZ_REQUEST_COMMIT)
		DBMAZZ_DEBUG_POINT("commit_started");
	if (kind == DBMAZZ_REQUEST_TRUNCATE)
		DBMAZZ_DEBUG_POINT("truncate_started");
}

/*
 * What became of the load in doubt?  The target may take its whole time limit
 * to give up a load whose client is gone; where it goes on saying "under way",
 * the load is cancelled, and then its state is final.  Of a TRUNCATE nobody keeps
 * the state; it is cancelled, and then sent again.  So is a load that was to be
 * prepared, under another label.
 */
static void
start_resolve(DbmazzShipper *s, Lane *lane)
{
	if (lane->doubts < DOUBTS_BEFORE_CANCEL && !lane->is_prepare &&
		dbmazz_lane_kind(lane) != DBMAZZ_BATCH_TRUNCATE)
	{
		dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_RESOLVE);
		return;
	}
	dbmazz_lane_settle_doubt(s, lane);
}

/*
 * Is a row left to send?  If not, the batch is finished, or its next portion is
 * to be read.
 */
static bool
has_rows(DbmazzShipper *s, Lane *lane)
{
	if (lane->request.nrows > 0)
		return true;
	lane->prepared = false;
	if (!dbmazz_reread_has_more(lane))
		dbmazz_lane_batch_done(s, lane);
	return false;
}

/* A replay that must wait lets the batches behind it pass.  False: there are none. */
static bool
let_pass(DbmazzShipper *s, Lane *lane)
{
	slist_node *node;

	if (slist_head_node(&lane->queue) == lane->queue_tail)
		return false;
	node = slist_pop_head_node(&lane->queue);
	slist_insert_after(lane->queue_tail, node);
	lane->queue_tail = node;
	dbmazz_reread_end(s, lane);
	MemoryContextReset(lane->cxt);
	lane->wait.began = 0;
	lane->retry_at = 0;
	return true;
}

/*
 * The rows of the next portion of a batch of keys.  True if there are some to
 * send; else the batch may be finished.
 */
static bool
prepare_portion(DbmazzShipper *s, Lane *lane)
{
	bool		is_replay = dbmazz_lane_kind(lane) == DBMAZZ_BATCH_REPLAY;
	DbmazzRereadResult result = DBMAZZ_REREAD_READY;
	DbmazzError error;

	if (lane->reread == NULL && is_replay &&
		lane->wait.try_at > GetCurrentTimestamp() && let_pass(s, lane))
		return false;
	if (lane->reread == NULL && is_replay)
		result = dbmazz_replay_begin(s, lane, &error);
	else if (lane->reread == NULL)
	{
		prepare_batch(s, lane);
		if (!dbmazz_lane_may_send(s, lane))
			return false;
	}
	if (lane->reread == NULL && result == DBMAZZ_REREAD_READY)
		dbmazz_reread_begin(lane, is_replay);
	lane->prepared = false;
	if (result == DBMAZZ_REREAD_READY)
		result = dbmazz_reread_portion(s, lane, &error);
	if (is_replay)
		dbmazz_replay_waits(s, lane, result == DBMAZZ_REREAD_LATER ?
							dbmazz_reread_waits_for(lane) : NULL);
	switch (result)
	{
		case DBMAZZ_REREAD_READY:
			/* a portion of a replay has the dead keys, and no others */
			lane->prepared = is_replay ||
				(dbmazz_dead_divert(s, lane) && has_rows(s, lane));
			break;
		case DBMAZZ_REREAD_NOTHING:
			lane->retry_at = 0;
			dbmazz_lane_batch_done(s, lane);
			break;
		case DBMAZZ_REREAD_LATER:
			if (is_replay && lane->wait.try_at > GetCurrentTimestamp() &&
				!dbmazz_reread_has_begun(lane) && let_pass(s, lane))
				break;
			lane->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														 REREAD_DELAY_MS);
			break;
		case DBMAZZ_REREAD_FAILED:
			dbmazz_lane_stop(s, lane, &error, NULL);
			break;
		case DBMAZZ_REREAD_STOPPED:
			break;
	}
	return lane->prepared;
}

bool
dbmazz_lane_prepare_rows(DbmazzShipper *s, Lane *lane)
{
	if (lane->prepared)
		return true;
	prepare_batch(s, lane);
	return dbmazz_lane_may_send(s, lane) && dbmazz_dead_divert(s, lane) &&
		has_rows(s, lane);
}

/* Send the queue's head, if it is something to send and not too early. */
static void
start_batch(DbmazzShipper *s, Lane *lane)
{
	DbmazzBatchKind kind = dbmazz_lane_kind(lane);
	const char *place = NULL;

	if (kind == DBMAZZ_BATCH_TRUNCATE && dbmazz_exactly_is_done(lane))
	{
		dbmazz_lane_batch_done(s, lane);
		return;
	}
	if (kind == DBMAZZ_BATCH_TRUNCATE &&
		(s->routine->capabilities & DBMAZZ_SINK_TRUNCATE) == 0)
	{
		dbmazz_lane_cannot_truncate(s, lane);
		return;
	}
	if (!lane->prepared &&
		(kind == DBMAZZ_BATCH_REREAD || kind == DBMAZZ_BATCH_REPLAY) &&
		!prepare_portion(s, lane))
		return;
	if (kind == DBMAZZ_BATCH_ROWS && !dbmazz_lane_prepare_rows(s, lane))
		return;
	if (!lane->prepared)
	{
		prepare_batch(s, lane);
		if (!dbmazz_lane_may_send(s, lane))
			return;
	}
	if (kind == DBMAZZ_BATCH_TRUNCATE)
		place = dbmazz_lane_truncate_place(s, lane);
	dbmazz_lane_cover_label(s, lane, place);
	dbmazz_lane_format_label(lane, s->uid, s->epoch, lane->sequence,
							 lane->label);
	/* letters that are replayed are rows by their keys: once more does no harm */
	dbmazz_lane_start_request(s, lane, kind == DBMAZZ_BATCH_TRUNCATE ?
							  DBMAZZ_REQUEST_TRUNCATE :
							  s->exactly_once && kind != DBMAZZ_BATCH_REPLAY ?
							  DBMAZZ_REQUEST_PREPARE : DBMAZZ_REQUEST_LOAD);
}

/* Start what the lane needs next, if it needs anything and may. */
void
dbmazz_lane_drive(DbmazzShipper *s, Lane *lane, TimestampTz now)
{
	/* a batch may be finished without any request */
	while (lane->phase == LANE_IDLE && dbmazz_lane_has_work(lane) &&
		   lane->retry_at <= now)
	{
		if (lane->decision.taken)
		{
			if (s->nbusy >= dbmazz_max_connections)
				return;
			dbmazz_exactly_drive(s, lane);
		}
		else if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_STOP)
			dbmazz_lane_stop_as_told(s, lane);
		else if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_UNFIT)
			dbmazz_lane_keep_unfit(s, lane);
		else if (s->nbusy >= dbmazz_max_connections)
			return;
		else if (dbmazz_lane_is_unsettled(lane))
			dbmazz_lane_settle(s, lane);
		else if (lane->in_doubt)
			start_resolve(s, lane);
		else
			start_batch(s, lane);
	}
}

/* ---- outcomes ------------------------------------------------------------ */

/* For messages. */
static const char *
lane_name(const Lane *lane)
{
	return lane->target[0] == '\0' ? "several tables" :
		dbmazz_from_utf8(lane->target);
}

/* An attempt failed: later again. */
void
dbmazz_lane_note_failure(DbmazzShipper *s, Lane *lane,
						 const DbmazzCompletion *c)
{
	bool		is_news;
	uint32		delay;

	if (lane->backoff.failures == 0)
		s->nfailing++;
	lane->backoff.min_ms = dbmazz_retry_min_delay_ms;
	lane->backoff.max_ms = Max(dbmazz_retry_max_delay_ms,
							   dbmazz_retry_min_delay_ms);
	delay = dbmazz_backoff_fail(&lane->backoff, &is_news);
	/* an overloaded target gets longer pauses from the first time on */
	if (c->slow_down)
		delay = Min(delay * 10, lane->backoff.max_ms);
	lane->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay);
	pg_atomic_fetch_add_u64(&s->p->counters.retries, 1);
	dbmazz_pipeline_set_error(s->p, &c->error);
	dbmazz_pipeline_move_state(s->p, DBMAZZ_STATE_STREAMING,
							   DBMAZZ_STATE_RETRYING);
	if (is_news)
		dbmazz_report(LOG, ERRCODE_CONNECTION_FAILURE,
					  psprintf("%s %s failed, next attempt in %u ms",
							   lane->request.kind == DBMAZZ_REQUEST_TRUNCATE ?
							   "TRUNCATE of" : "load into", lane_name(lane),
							   delay),
					  &c->error);
}

void
dbmazz_lane_note_success(DbmazzShipper *s, Lane *lane)
{
	uint32		failures = lane->backoff.failures;

	lane->retry_at = 0;
	if (failures == 0)
		return;
	ereport(LOG, (errmsg("load into %s works again after %u failures",
						 lane_name(lane), failures)));
	dbmazz_lane_answers(s, lane);
}

void
dbmazz_lane_next_label(Lane *lane)
{
	lane->sequence++;
	lane->in_doubt = false;
	lane->doubts = 0;
}

/* Nothing is left of a load and its parts. */
static void
load_done(DbmazzShipper *s, Lane *lane)
{
	if (dbmazz_reread_has_more(lane))
		lane->prepared = false;
	else
		dbmazz_lane_batch_done(s, lane);
}

/* The decoder knows of one load for each batch; of a replay it knows nothing. */
static void
count_load(DbmazzShipper *s, Lane *lane)
{
	pg_atomic_fetch_add_u64(&s->p->counters.batches, 1);
	if (lane->nloads++ > 0 || dbmazz_lane_kind(lane) == DBMAZZ_BATCH_REPLAY)
		pg_atomic_fetch_add_u32(dbmazz_queue_extra_loads(s->p, lane->relid),
								1);
}

void
dbmazz_lane_loaded(DbmazzShipper *s, Lane *lane)
{
	DbmazzCounters *counters = &s->p->counters;

	pg_atomic_fetch_add_u64(&counters->rows, lane->request.nrows);
	if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_TRUNCATE)
	{
		DBMAZZ_DEBUG_POINT("truncated");
		dbmazz_dead_truncated(s, lane);
		if (s->exactly_once)
			dbmazz_exactly_truncated(lane);
	}
	else
		count_load(s, lane);
	dbmazz_lane_next_label(lane);
	if (lane->covered.place != NULL)
		dbmazz_lane_cover_label(s, lane, NULL);
	if (dbmazz_split_loaded(lane))
		DBMAZZ_DEBUG_POINT("part_loaded");
	else
		load_done(s, lane);
}

/*
 * The target does not take some rows of the load.  Its label is final, and other
 * bytes need another one.
 */
static void
rows_rejected(DbmazzShipper *s, Lane *lane, const DbmazzError *error)
{
	dbmazz_lane_note_success(s, lane);
	dbmazz_lane_next_label(lane);
	if (s->group.is_on && lane->request.nrows > 1 &&
		dbmazz_lane_kind(lane) == DBMAZZ_BATCH_ROWS)
		dbmazz_group_adopt(s, lane, error);
	else if (lane->request.nrows > 1)
	{
		dbmazz_split_rejected(lane);
		DBMAZZ_DEBUG_POINT("load_split");
	}
	else if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_REPLAY)
	{
		dbmazz_dead_again(s, lane, error);
		if (!dbmazz_split_leave_out(lane))
			load_done(s, lane);
	}
	else if (dbmazz_dead_row(s, lane, error))
	{
		DBMAZZ_DEBUG_POINT("letter_written");
		if (!dbmazz_split_leave_out(lane))
			load_done(s, lane);
	}
}

void
dbmazz_lane_complete(DbmazzShipper *s, Lane *lane, const DbmazzCompletion *c)
{
	DbmazzRequestKind kind = lane->request.kind;
	bool		is_load = kind == DBMAZZ_REQUEST_LOAD ||
	kind == DBMAZZ_REQUEST_PREPARE;

	Assert(lane->phase == LANE_BUSY && c->id == lane->request.id);
	DBMAZZ_DEBUG_POINT("answer_received");
	lane->phase = LANE_IDLE;
	s->nbusy--;
	pg_atomic_fetch_add_u64(&s->p->counters.bytes, c->bytes);

	if (lane->decision.taken)
	{
		dbmazz_exactly_answered(s, lane, c);
		return;
	}
	if (lane == s->group.lane)
	{
		dbmazz_group_complete(s, c);
		return;
	}
	if (lane->is_probed)
	{
		dbmazz_group_probe_complete(s, lane, c);
		return;
	}
	if (kind == DBMAZZ_REQUEST_SETTLE && c->outcome == DBMAZZ_DONE)
	{
		/* old labels, or that of the load that is in doubt */
		if (!lane->in_doubt)
			lane->nsettled++;
		else if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_TRUNCATE)
			lane->in_doubt = false;
		else if (lane->is_prepare)
			dbmazz_lane_next_label(lane);
		lane->doubts = 0;
		return;
	}
	if (c->outcome == DBMAZZ_DONE && kind == DBMAZZ_REQUEST_PREPARE)
	{
		dbmazz_exactly_prepared(s, lane);
		return;
	}
	if (c->outcome == DBMAZZ_DONE)
	{
		dbmazz_lane_note_success(s, lane);
		dbmazz_lane_loaded(s, lane);
		return;
	}
	if (c->outcome == DBMAZZ_REJECT &&
		(is_load || kind == DBMAZZ_REQUEST_TRUNCATE))
	{
		if (lane->covered.place != NULL)
			dbmazz_lane_cover_label(s, lane, NULL);
		if (is_load && c->error.status == DBMAZZ_ERR_UNREPRESENTABLE)
			rows_rejected(s, lane, &c->error);
		else
			dbmazz_lane_stop(s, lane, &c->error, NULL);
		return;
	}
	dbmazz_lane_note_failure(s, lane, c);
	if (kind == DBMAZZ_REQUEST_SETTLE)
		return;
	lane->in_doubt = c->outcome == DBMAZZ_DOUBT ||
		(kind == DBMAZZ_REQUEST_RESOLVE && c->outcome == DBMAZZ_REJECT);
	lane->doubts = lane->in_doubt ? lane->doubts + 1 : 0;
	if (c->send_anew || (kind == DBMAZZ_REQUEST_PREPARE && !lane->in_doubt))
		lane->sequence++;
}
