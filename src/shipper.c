/*
 * shipper.c
 *		Lanes: sealed batches become loads, one at a time per target table.
 *
 * NOTES
 *	  Labels.  A lane numbers its loads; a retry keeps label and bytes.  Before a
 *	  label is used, the catalogs must cover it: the lane's row says "all labels
 *	  of this epoch below 'sequence' are final", and no label at or beyond
 *	  sequence + LABEL_WINDOW is used.  So a later life has to look at no more
 *	  than LABEL_WINDOW labels to be sure that no load of this one can still
 *	  commit.
 */
#include "postgres.h"

#include "core/backoff.h"
#include "core/label.h"
#include "debug_point.h"
#include "guc.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "queue.h"
#include "report.h"
#include "shipper.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define LABEL_WINDOW	8
#define MAX_COMPLETIONS 32

typedef struct QueuedBatch
{
	slist_node	node;
	uint32		head;
} QueuedBatch;

typedef enum LanePhase
{
	LANE_IDLE = 0,
	LANE_BUSY					/* a request is under way */
} LanePhase;

typedef struct Lane
{
	dlist_node	node;			/* in DbmazzShipper.working, if is_working */
	bool		is_working;		/* has batches */
	char	   *target;
	char	   *source;			/* schema.table of the newest batch */
	Oid			relid;
	uint32		index;
	uint64		lane;			/* its part of the label */
	MemoryContext cxt;			/* of the batch under way */

	/* labels */
	bool		settled;
	uint64		old_epoch;		/* labels that may be left of an earlier life */
	uint64		old_sequence;
	uint64		sequence;		/* of the load under way, or the next */
	uint64		durable;		/* what the catalogs say; valid if settled */

	/* work */
	slist_head	queue;			/* of QueuedBatch, oldest first */
	slist_node *queue_tail;
	LanePhase	phase;
	bool		in_doubt;		/* RESOLVE before anything else */
	bool		prepared;		/* request.batch is that of the queue's head */
	DbmazzRequest request;
	uint64		serial;			/* of the request under way */
	DbmazzBatchView view;
	char		label[DBMAZZ_LABEL_SIZE];
	char		old_labels[LABEL_WINDOW][DBMAZZ_LABEL_SIZE];
	const char *old_label_list[LABEL_WINDOW];
	DbmazzBackoff backoff;
	TimestampTz retry_at;

	/* a position of its own */
	bool		stopped;
	XLogRecPtr	own_lsn;
} Lane;

struct DbmazzShipper
{
	MemoryContext cxt;
	DbmazzPipeline *p;
	int32		id;
	char		uid[DBMAZZ_UID_SIZE];
	uint64		epoch;
	const DbmazzSinkRoutine *routine;
	void	   *sink;
	dlist_head	working;		/* lanes with batches; the front one is served
								 * first */
	Lane	  **by_index;
	uint32		nlanes;
	uint32		maxlanes;
	HTAB	   *by_target;
	int			nbusy;
	int			nfailing;		/* lanes whose last attempt failed */
	uint64		serial;
	XLogRecPtr	shipped_lsn;
	uint64	   *slots;			/* scratch of dbmazz_dedup() */
	uint32		nslots;
};

typedef struct TargetEntry
{
	char	   *target;			/* key: points to the lane's own copy */
	Lane	   *lane;
} TargetEntry;

static Lane *lane_of(DbmazzShipper *s, const char *target);
static void drop_queue(DbmazzShipper *s, Lane *lane);

/* ---- lanes --------------------------------------------------------------- */

static uint32
target_hash(const void *key, Size keysize)
{
	return (uint32) dbmazz_label_lane(*(char *const *) key);
}

static int
target_match(const void *a, const void *b, Size keysize)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

DbmazzShipper *
dbmazz_shipper_create(DbmazzPipeline *p, const DbmazzPipelineRow *row,
					  uint64 epoch, const DbmazzSinkRoutine *routine,
					  void *sink, List *tables)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext,
											  "dbmazz shipper",
											  ALLOCSET_DEFAULT_SIZES);
	DbmazzShipper *s = MemoryContextAllocZero(cxt, sizeof(*s));
	HASHCTL		ctl = {0};
	ListCell   *lc;

	s->cxt = cxt;
	s->p = p;
	s->id = row->id;
	strlcpy(s->uid, row->uid, sizeof(s->uid));
	s->epoch = epoch;
	s->routine = routine;
	s->sink = sink;
	dlist_init(&s->working);
	ctl.keysize = sizeof(char *);
	ctl.entrysize = sizeof(TargetEntry);
	ctl.hash = target_hash;
	ctl.match = target_match;
	ctl.hcxt = cxt;
	s->by_target = hash_create("dbmazz lanes", 64, &ctl,
							   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
							   HASH_CONTEXT);
	foreach(lc, tables)
	{
		DbmazzTableRow *table = lfirst(lc);
		Lane	   *lane = lane_of(s, table->target);

		lane->old_epoch = table->epoch;
		lane->old_sequence = table->sequence;
		lane->stopped = table->stopped;
		lane->own_lsn = table->lsn;
		if (table->stopped)
			pg_atomic_fetch_add_u32(&p->tables_stopped, 1);
	}
	return s;
}

static Lane *
lane_of(DbmazzShipper *s, const char *target)
{
	bool		found;
	TargetEntry *entry = hash_search(s->by_target, &target, HASH_FIND, &found);
	Lane	   *lane;

	if (found)
		return entry->lane;
	lane = MemoryContextAllocZero(s->cxt, sizeof(*lane));
	lane->target = MemoryContextStrdup(s->cxt, target);
	lane->lane = dbmazz_label_lane(target);
	lane->cxt = AllocSetContextCreate(s->cxt, "dbmazz lane",
									  ALLOCSET_SMALL_SIZES);
	slist_init(&lane->queue);
	dbmazz_backoff_init(&lane->backoff, dbmazz_retry_min_delay_ms,
						dbmazz_retry_max_delay_ms, lane->lane ^ s->epoch);
	if (s->nlanes == s->maxlanes)
	{
		s->maxlanes = Max(64, s->maxlanes * 2);
		if (s->by_index == NULL)
			s->by_index = MemoryContextAlloc(s->cxt,
											 s->maxlanes * sizeof(Lane *));
		else
			s->by_index = repalloc(s->by_index, s->maxlanes * sizeof(Lane *));
	}
	lane->index = s->nlanes;
	s->by_index[s->nlanes++] = lane;
	entry = hash_search(s->by_target, &lane->target, HASH_ENTER, &found);
	entry->lane = lane;
	return lane;
}

XLogRecPtr
dbmazz_shipper_shipped_lsn(const DbmazzShipper *shipper)
{
	return shipper->shipped_lsn;
}

XLogRecPtr
dbmazz_shipper_tables_floor(const DbmazzShipper *shipper)
{
	XLogRecPtr	floor = InvalidXLogRecPtr;
	uint32		i;

	for (i = 0; i < shipper->nlanes; i++)
	{
		XLogRecPtr	lsn = shipper->by_index[i]->own_lsn;

		if (lsn != InvalidXLogRecPtr &&
			(floor == InvalidXLogRecPtr || lsn < floor))
			floor = lsn;
	}
	return floor;
}

void
dbmazz_shipper_caught_up(DbmazzShipper *shipper)
{
	uint32		i;
	bool		begun = false;

	for (i = 0; i < shipper->nlanes; i++)
	{
		Lane	   *lane = shipper->by_index[i];

		if (lane->stopped || lane->own_lsn == InvalidXLogRecPtr)
			continue;
		if (!begun)
			dbmazz_worker_begin();
		begun = true;
		dbmazz_catalog_table_caught_up(shipper->id, lane->target);
		lane->own_lsn = InvalidXLogRecPtr;
	}
	if (begun)
		dbmazz_worker_commit();
}

/* ---- batches ------------------------------------------------------------- */

static uint32
first_batch(const Lane *lane)
{
	return slist_container(QueuedBatch, node,
						   slist_head_node((slist_head *) & lane->queue))->head;
}

/* The lane's oldest batch is in the target, or is dropped. */
static void
finish_batch(DbmazzShipper *s, Lane *lane)
{
	slist_node *node = slist_pop_head_node(&lane->queue);
	QueuedBatch *qb = slist_container(QueuedBatch, node, node);

	if (slist_is_empty(&lane->queue))
		lane->queue_tail = NULL;
	dbmazz_queue_done(s->p, qb->head);
	pfree(qb);
	lane->prepared = false;
	MemoryContextReset(lane->cxt);
}

static void
drop_queue(DbmazzShipper *s, Lane *lane)
{
	while (!slist_is_empty(&lane->queue))
		finish_batch(s, lane);
}

/* Put all sealed batches into their lanes. */
static void
take_batches(DbmazzShipper *s)
{
	uint32		head;

	while ((head = dbmazz_queue_take(s->p)) != DBMAZZ_NO_SEGMENT)
	{
		char	   *pool = dbmazz_queue_pool();
		uint32		size = dbmazz_batch_desc_size(pool, head);
		DbmazzTableDesc *desc = MemoryContextAlloc(s->cxt, size);
		QueuedBatch *qb;
		Lane	   *lane;

		dbmazz_batch_copy_desc(pool, head, desc, size);
		lane = lane_of(s, dbmazz_desc_text(desc, desc->target));
		if (lane->relid != desc->relid)
		{
			lane->relid = desc->relid;
			lane->source = MemoryContextAlloc(s->cxt, 2 * NAMEDATALEN + 2);
			snprintf(lane->source, 2 * NAMEDATALEN + 2, "%s.%s",
					 dbmazz_desc_text(desc, desc->schema),
					 dbmazz_desc_text(desc, desc->table));
		}
		pfree(desc);
		qb = MemoryContextAlloc(s->cxt, sizeof(*qb));
		qb->head = head;
		if (lane->queue_tail == NULL)
			slist_push_head(&lane->queue, &qb->node);
		else
			slist_insert_after(lane->queue_tail, &qb->node);
		lane->queue_tail = &qb->node;
		if (lane->stopped)
			drop_queue(s, lane);
		else if (!lane->is_working)
		{
			dlist_push_tail(&s->working, &lane->node);
			lane->is_working = true;
		}
	}
}

/* Mark superseded rows and make the view; the same at every attempt. */
static void
prepare_batch(DbmazzShipper *s, Lane *lane)
{
	uint32		head = first_batch(lane);
	DbmazzBatch *batch = dbmazz_queue_batch(head);
	char	   *pool = dbmazz_queue_pool();
	uint32		size = dbmazz_batch_desc_size(pool, head);
	DbmazzTableDesc *desc = MemoryContextAlloc(lane->cxt, size);
	uint32		nslots = dbmazz_dedup_slots(batch->nrows);

	if (nslots > s->nslots)
	{
		if (s->slots)
			pfree(s->slots);
		s->slots = MemoryContextAllocHuge(s->cxt, nslots * sizeof(uint64));
		s->nslots = nslots;
	}
	dbmazz_batch_copy_desc(pool, head, desc, size);
	lane->view.pool = pool;
	lane->view.head = head;
	lane->view.nrows = batch->nrows;
	lane->view.nbytes = batch->nbytes;
	lane->view.first_commit_lsn = batch->first_commit_lsn;
	lane->view.last_commit_lsn = batch->last_commit_lsn;
	lane->view.table = desc;
	lane->request.nrows = dbmazz_dedup(&lane->view, s->slots, nslots);
	lane->prepared = true;
}

/* ---- a table stops ------------------------------------------------------- */

static void
stop_lane(DbmazzShipper *s, Lane *lane, const DbmazzError *error)
{
	XLogRecPtr	lsn = dbmazz_queue_batch(first_batch(lane))->first_commit_lsn;

	/* durable before the batches go: they hold the position back till then */
	dbmazz_worker_begin();
	dbmazz_catalog_stop_table(s->id, lane->target, lane->relid, lane->source,
							  lsn, error);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("table_stopped");
	lane->stopped = true;
	lane->own_lsn = lsn;
	pg_atomic_fetch_add_u32(&s->p->tables_stopped, 1);
	dbmazz_pipeline_set_error(s->p, error);
	dbmazz_report(WARNING, ERRCODE_DATA_EXCEPTION,
				  psprintf("replication of table %s stopped", lane->source),
				  error);
	drop_queue(s, lane);
}

/* A batch that is no load: the decoder found a reason to stop. */
static void
stop_as_told(DbmazzShipper *s, Lane *lane)
{
	DbmazzBatchView view = {0};
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	DbmazzError error;

	dbmazz_error_reset(&error);
	view.pool = dbmazz_queue_pool();
	view.head = first_batch(lane);
	dbmazz_rows_begin(&cursor, &view);
	entry = dbmazz_rows_next(&cursor, &segment);
	dbmazz_row_copy(&view, segment, entry, 0, (char *) &error, sizeof(error));
	stop_lane(s, lane, &error);
}

/* ---- requests ------------------------------------------------------------ */

static void
start_request(DbmazzShipper *s, Lane *lane, DbmazzRequestKind kind)
{
	lane->serial = ++s->serial;
	lane->request.id = (lane->serial << 24) | lane->index;
	lane->request.kind = kind;
	lane->request.target = lane->target;
	lane->request.label = lane->label;
	lane->request.batch = kind == DBMAZZ_REQUEST_LOAD ? &lane->view : NULL;
	lane->phase = LANE_BUSY;
	s->nbusy++;
	s->routine->start(s->sink, &lane->request);
	if (kind == DBMAZZ_REQUEST_LOAD)
		DBMAZZ_DEBUG_POINT("request_started");
}

static void
format_label(DbmazzShipper *s, Lane *lane, uint64 epoch, uint64 sequence,
			 char *out)
{
	DbmazzLabel label;

	strlcpy(label.uid, s->uid, sizeof(label.uid));
	label.epoch = epoch;
	label.lane = lane->lane;
	label.sequence = sequence;
	dbmazz_label_format(&label, out);
}

static void
start_settle(DbmazzShipper *s, Lane *lane)
{
	int			i;

	for (i = 0; i < LABEL_WINDOW; i++)
	{
		format_label(s, lane, lane->old_epoch, lane->old_sequence + i,
					 lane->old_labels[i]);
		lane->old_label_list[i] = lane->old_labels[i];
	}
	lane->request.labels = lane->old_label_list;
	lane->request.nlabels = LABEL_WINDOW;
	start_request(s, lane, DBMAZZ_REQUEST_SETTLE);
}

/* Make the catalogs cover the label that is about to be used. */
static void
cover_label(DbmazzShipper *s, Lane *lane)
{
	if (lane->settled && lane->sequence < lane->durable + LABEL_WINDOW)
		return;
	dbmazz_worker_begin();
	dbmazz_catalog_set_lane(s->id, lane->target, lane->relid, lane->source,
							s->epoch, lane->sequence);
	dbmazz_worker_commit();
	lane->durable = lane->sequence;
	lane->settled = true;
}

/* Start what the lane needs next, if it needs anything and may. */
static void
drive_lane(DbmazzShipper *s, Lane *lane, TimestampTz now)
{
	if (lane->phase != LANE_IDLE || slist_is_empty(&lane->queue) ||
		lane->retry_at > now)
		return;
	if (dbmazz_queue_batch(first_batch(lane))->kind == DBMAZZ_BATCH_STOP)
	{
		stop_as_told(s, lane);
		return;
	}
	if (s->nbusy >= dbmazz_max_connections)
		return;
	if (!lane->settled && lane->old_epoch != 0)
	{
		start_settle(s, lane);
		return;
	}
	if (lane->in_doubt)
	{
		start_request(s, lane, DBMAZZ_REQUEST_RESOLVE);
		return;
	}
	cover_label(s, lane);
	if (!lane->prepared)
		prepare_batch(s, lane);
	format_label(s, lane, s->epoch, lane->sequence, lane->label);
	start_request(s, lane, DBMAZZ_REQUEST_LOAD);
}

/* ---- outcomes ------------------------------------------------------------ */

/* An attempt failed: later again. */
static void
note_failure(DbmazzShipper *s, Lane *lane, const DbmazzCompletion *c)
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
	if (dbmazz_pipeline_state(s->p) == DBMAZZ_STATE_STREAMING)
		dbmazz_pipeline_set_state(s->p, DBMAZZ_STATE_RETRYING);
	if (is_news)
		dbmazz_report(LOG, ERRCODE_CONNECTION_FAILURE,
					  psprintf("load into %s failed, next attempt in %u ms",
							   lane->target, delay), &c->error);
}

static void
note_success(DbmazzShipper *s, Lane *lane)
{
	uint32		failures = dbmazz_backoff_reset(&lane->backoff);

	lane->retry_at = 0;
	if (failures == 0)
		return;
	ereport(LOG, (errmsg("load into %s works again after %u failures",
						 lane->target, failures)));
	if (--s->nfailing == 0 &&
		dbmazz_pipeline_state(s->p) == DBMAZZ_STATE_RETRYING)
		dbmazz_pipeline_set_state(s->p, DBMAZZ_STATE_STREAMING);
}

static void
batch_loaded(DbmazzShipper *s, Lane *lane)
{
	DbmazzCounters *counters = &s->p->counters;
	XLogRecPtr	lsn = lane->view.last_commit_lsn;

	pg_atomic_fetch_add_u64(&counters->rows, lane->request.nrows);
	pg_atomic_fetch_add_u64(&counters->changes, lane->view.nrows);
	pg_atomic_fetch_add_u64(&counters->batches, 1);
	pg_atomic_write_u32(&s->p->healthy, 1);
	s->shipped_lsn = Max(s->shipped_lsn, lsn);
	lane->sequence++;
	lane->in_doubt = false;
	finish_batch(s, lane);
}

static void
complete(DbmazzShipper *s, const DbmazzCompletion *c)
{
	uint32		index = (uint32) (c->id & 0xFFFFFF);
	Lane	   *lane = index < s->nlanes ? s->by_index[index] : NULL;
	DbmazzRequestKind kind;

	if (lane == NULL || lane->phase != LANE_BUSY || c->id != lane->request.id)
		elog(ERROR, "sink completed a request that was not started");
	kind = lane->request.kind;
	DBMAZZ_DEBUG_POINT("answer_received");
	lane->phase = LANE_IDLE;
	s->nbusy--;
	pg_atomic_fetch_add_u64(&s->p->counters.bytes, c->bytes);

	if (c->outcome == DBMAZZ_DONE)
	{
		note_success(s, lane);
		if (kind == DBMAZZ_REQUEST_SETTLE)
			lane->old_epoch = 0;
		else
			batch_loaded(s, lane);
		return;
	}
	if (c->outcome == DBMAZZ_REJECT && kind == DBMAZZ_REQUEST_LOAD)
	{
		stop_lane(s, lane, &c->error);
		return;
	}
	note_failure(s, lane, c);
	if (kind == DBMAZZ_REQUEST_SETTLE)
		return;
	lane->in_doubt = c->outcome == DBMAZZ_DOUBT ||
		(kind == DBMAZZ_REQUEST_RESOLVE && c->outcome == DBMAZZ_REJECT);
}

/* ---- the loop's parts ---------------------------------------------------- */

/* Give every lane with work a chance; true if a request was started. */
static bool
drive_lanes(DbmazzShipper *s)
{
	TimestampTz now = GetCurrentTimestamp();
	dlist_node *first_served = NULL;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &s->working)
	{
		Lane	   *lane = dlist_container(Lane, node, iter.cur);
		LanePhase	before = lane->phase;

		if (iter.cur == first_served)
			break;
		drive_lane(s, lane, now);
		if (slist_is_empty(&lane->queue))
		{
			dlist_delete(&lane->node);
			lane->is_working = false;
		}
		else if (before == LANE_IDLE && lane->phase == LANE_BUSY)
		{
			/* who was served goes to the end, so that all get their turn */
			dlist_delete(&lane->node);
			dlist_push_tail(&s->working, &lane->node);
			if (first_served == NULL)
				first_served = &lane->node;
		}
	}
	return first_served != NULL;
}

void
dbmazz_shipper_step(DbmazzShipper *shipper, const DbmazzSinkEvent *events,
					int nevents)
{
	DbmazzCompletion completions[MAX_COMPLETIONS];
	bool		again = true;

	take_batches(shipper);
	while (again)
	{
		int			n = shipper->routine->poll(shipper->sink, events, nevents,
											   completions, MAX_COMPLETIONS);
		int			i;

		nevents = 0;
		for (i = 0; i < n; i++)
			complete(shipper, &completions[i]);
		again = drive_lanes(shipper) || n > 0;
		take_batches(shipper);
	}
}

long
dbmazz_shipper_due(DbmazzShipper *shipper)
{
	TimestampTz now = GetCurrentTimestamp();
	long		due = -1;
	dlist_iter	iter;

	if (shipper->nfailing == 0)
		return -1;
	dlist_foreach(iter, &shipper->working)
	{
		Lane	   *lane = dlist_container(Lane, node, iter.cur);
		long		left;

		if (lane->phase != LANE_IDLE || lane->retry_at == 0)
			continue;
		left = Max(TimestampDifferenceMilliseconds(now, lane->retry_at), 1);
		due = due < 0 ? left : Min(due, left);
	}
	return due;
}
