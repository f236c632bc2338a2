/*
 * shipper.c
 *		All lanes: sealed batches come in, lanes take turns.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "guc.h"
#include "miscadmin.h"
#include "queue.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define EPOCH_DIGITS	UINT64CONST(1000000)

typedef struct TargetEntry
{
	char	   *target;			/* key: points to the lane's own copy */
	Lane	   *lane;
} TargetEntry;

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

/*
 * The epoch as it is in labels: the millisecond in which the life began, then the
 * last digits of the counter.  The counter alone comes again when the server is
 * put back to an older copy, or a standby that did not have the last one takes
 * over; the target would take new loads for ones that it has.
 */
static uint64
label_epoch(uint64 epoch)
{
	uint64		ms = Max(GetCurrentTimestamp(), 0) / 1000;

	return ms * EPOCH_DIGITS + epoch % EPOCH_DIGITS;
}

/* Before the lane's first load none of these may be able to commit. */
static void
add_old_labels(DbmazzShipper *s, Lane *lane, const char *uid,
			   const DbmazzLaneLabels *labels, bool is_dropped)
{
	MemoryContext cxt = MemoryContextSwitchTo(s->cxt);
	OldLabels  *old = palloc0(sizeof(*old));

	strlcpy(old->uid, uid, sizeof(old->uid));
	old->labels = *labels;
	if (labels->place != NULL)
		old->labels.place = pstrdup(labels->place);
	old->is_dropped = is_dropped;
	lane->old = lappend(lane->old, old);
	MemoryContextSwitchTo(cxt);
}

DbmazzShipper *
dbmazz_shipper_create(DbmazzPipeline *p, const DbmazzPipelineRow *row,
					  const DbmazzCheckpoint *checkpoint,
					  const DbmazzSinkRoutine *routine, void *sink,
					  List *tables, List *dropped)
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
	s->exactly_once = pg_atomic_read_u32(&p->exactly_once) != 0;
	s->owner = row->owner;
	s->unrepresentable = dbmazz_unrepresentable;
	s->publication = MemoryContextStrdup(cxt, row->publication);
	strlcpy(s->uid, row->uid, sizeof(s->uid));
	s->destination = MemoryContextStrdup(cxt, checkpoint->destination);
	s->epoch = label_epoch(checkpoint->epoch);
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
		Lane	   *lane = dbmazz_shipper_lane(s, table->target);

		if (table->labels.epoch != 0)
			add_old_labels(s, lane, row->uid, &table->labels, false);
		if (lane->target[0] == '\0')
			dbmazz_group_recover_lane(s, lane, table);
		else
			dbmazz_exactly_recover(s, lane, table,
								   table->lsn != InvalidXLogRecPtr ?
								   table->lsn : checkpoint->lsn);
		if (lane->decision.taken)
			dbmazz_lane_set_to_work(s, lane);
		lane->stopped = table->stopped;
		dbmazz_lane_set_position(s, lane, table->lsn);
		if (table->stopped)
			pg_atomic_fetch_add_u32(&p->tables_stopped, 1);
	}
	foreach(lc, dropped)
	{
		DbmazzDroppedLane *gone = lfirst(lc);

		add_old_labels(s, dbmazz_shipper_lane(s, gone->target), gone->uid,
					   &gone->labels, true);
	}
	dbmazz_group_recover(s, GetFlushRecPtr(NULL));
	s->soft_deletes = dbmazz_delete_mode == DBMAZZ_DELETE_SOFT;
	s->relations = dbmazz_relations_create(cxt, row->owner, row->publication,
										   NIL, NIL, InvalidXLogRecPtr, false);
	dbmazz_dead_load(s);
	dbmazz_shipper_replay(s);
	return s;
}

Lane *
dbmazz_shipper_lane(DbmazzShipper *s, const char *target)
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

void
dbmazz_lane_set_position(DbmazzShipper *s, Lane *lane, XLogRecPtr lsn)
{
	lane->own_lsn = lsn;
	s->floor_is_known = false;
}

XLogRecPtr
dbmazz_shipper_tables_floor(DbmazzShipper *shipper)
{
	XLogRecPtr	floor = InvalidXLogRecPtr;
	uint32		i;

	/* asked for at every step, and there may be very many lanes */
	if (shipper->floor_is_known)
		return shipper->floor;
	for (i = 0; i < shipper->nlanes; i++)
	{
		XLogRecPtr	lsn = shipper->by_index[i]->own_lsn;

		if (lsn != InvalidXLogRecPtr &&
			(floor == InvalidXLogRecPtr || lsn < floor))
			floor = lsn;
	}
	shipper->floor = floor;
	shipper->floor_is_known = true;
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
		dbmazz_lane_set_position(shipper, lane, InvalidXLogRecPtr);
	}
	if (begun)
		dbmazz_worker_commit();
}

void
dbmazz_shipper_set_source(DbmazzShipper *s, Lane *lane,
						  const DbmazzTableDesc *desc)
{
	const char *schema = dbmazz_desc_text(desc, desc->schema);
	const char *table = dbmazz_desc_text(desc, desc->table);
	Size		len;

	if (lane->relid == desc->relid && lane->source != NULL)
		return;
	lane->relid = desc->relid;
	if (lane->source != NULL)
		pfree(lane->source);
	/* in UTF-8 names may be longer than NAMEDATALEN */
	len = strlen(schema) + strlen(table) + 2;
	lane->source = MemoryContextAlloc(s->cxt, len);
	snprintf(lane->source, len, "%s.%s", schema, table);
}

/* ---- the loop's parts ---------------------------------------------------- */

Lane *
dbmazz_shipper_take(DbmazzShipper *s, uint32 head)
{
	char	   *pool = dbmazz_queue_pool();
	uint32		size = dbmazz_batch_desc_size(pool, head);
	DbmazzTableDesc *desc = MemoryContextAlloc(s->cxt, size);
	Lane	   *lane;

	dbmazz_batch_copy_desc(pool, head, desc, size);
	lane = dbmazz_shipper_lane(s, dbmazz_desc_text(desc, desc->target));
	/* a table that only stops the lane does not have it */
	if (lane->source == NULL ||
		dbmazz_queue_batch(head)->kind != DBMAZZ_BATCH_STOP)
		dbmazz_shipper_set_source(s, lane, desc);
	pfree(desc);
	dbmazz_lane_queue(s, lane, head);
	if (lane->stopped)
		dbmazz_lane_drop_queue(s, lane);
	return lane;
}

static void
take_batches(DbmazzShipper *s)
{
	uint32		head;

	while ((head = dbmazz_queue_take(s->p)) != DBMAZZ_NO_SEGMENT)
	{
		Lane	   *lane;

		if (s->group.is_on)
		{
			dbmazz_group_take(s, head);
			continue;
		}
		lane = dbmazz_shipper_take(s, head);
		/* a table that only stops need not wait for its turn */
		if (s->nbusy >= dbmazz_max_connections)
			dbmazz_lane_drive(s, lane, GetCurrentTimestamp());
	}
}

/* Give every lane with work a chance; true if a request was started. */
static bool
drive_lanes(DbmazzShipper *s, TimestampTz now)
{
	dlist_node *first_served = NULL;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &s->working)
	{
		Lane	   *lane = dlist_container(Lane, node, iter.cur);
		LanePhase	before = lane->phase;

		/* without a connection all wait for their turn, also those without work */
		if (iter.cur == first_served || s->nbusy >= dbmazz_max_connections)
			break;
		dbmazz_lane_drive(s, lane, now);
		if (!dbmazz_lane_has_work(lane))
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

/* The same, where groups come first; true if there is more to do at once. */
static bool
drive(DbmazzShipper *s)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		started = false;

	if (!dbmazz_group_is_settled(s, now))
		return false;
	if (dbmazz_group_drive(s, now, &started))
		return started;
	return drive_lanes(s, now) || started;
}

static void
complete(DbmazzShipper *s, const DbmazzCompletion *c)
{
	uint32		index = (uint32) (c->id & 0xFFFFFF);
	Lane	   *lane = index < s->nlanes ? s->by_index[index] : NULL;

	if (lane == NULL || lane->phase != LANE_BUSY || c->id != lane->request.id)
		elog(ERROR, "sink completed a request that was not started");
	dbmazz_lane_complete(s, lane, c);
}

void
dbmazz_shipper_step(DbmazzShipper *shipper, const DbmazzSinkEvent *events,
					int nevents)
{
	DbmazzCompletion completions[MAX_COMPLETIONS];
	bool		again = true;

	while (again)
	{
		int			n = shipper->routine->poll(shipper->sink, events, nevents,
											   completions, MAX_COMPLETIONS);
		int			i;

		nevents = 0;
		for (i = 0; i < n; i++)
			complete(shipper, &completions[i]);
		dbmazz_exactly_decide(shipper);
		take_batches(shipper);
		again = drive(shipper) || n > 0;
	}
}

/* Milliseconds until the lane tries again; 0: it does not wait for that. */
static long
time_left(const Lane *lane, TimestampTz now)
{
	if (lane->phase != LANE_IDLE || lane->retry_at == 0)
		return 0;
	return Max(TimestampDifferenceMilliseconds(now, lane->retry_at), 1);
}

long
dbmazz_shipper_due(DbmazzShipper *shipper)
{
	TimestampTz now = GetCurrentTimestamp();
	Lane	   *group = shipper->group.lane;
	long		due = -1;
	dlist_iter	iter;

	/* while all connections are in use, only the end of a load helps */
	if (shipper->nbusy >= dbmazz_max_connections)
		return -1;
	if (group != NULL && time_left(group, now) > 0)
		return time_left(group, now);
	dlist_foreach(iter, &shipper->working)
	{
		Lane	   *lane = dlist_container(Lane, node, iter.cur);
		long		left = time_left(lane, now);

		if (left == 0)
			continue;
		due = due < 0 ? left : Min(due, left);
	}
	return due;
}
