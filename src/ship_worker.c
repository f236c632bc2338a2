/*
 * ship_worker.c
 *		Main function of the process "dbmazz shipper".
 *
 * NOTES
 *	  Begins a life: raises the epoch durably, agrees with the decoder on where to
 *	  start, then carries batches to the sink until it is told to leave.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "checkpoint.h"
#include "compat.h"
#include "debug_point.h"
#include "encoding.h"
#include "guc.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "queue.h"
#include "replication/slot.h"
#include "report.h"
#include "shipper.h"
#include "shipwait.h"
#include "sink.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker.h"

#define LAST_LOCK_TIMEOUT	"100ms"	/* a shutdown waits for us */

PGDLLEXPORT void dbmazz_shipper_main(Datum arg);

typedef struct Ship
{
	DbmazzPipeline *p;
	int32		id;
	DbmazzPipelineRow *row;
	const DbmazzSinkRoutine *routine;
	void	   *sink;
	DbmazzCheckpoint *checkpoint;	/* as it was at the start */
	List	   *tables;
	List	   *dropped;		/* lanes that others have left behind */
	DbmazzShipper *shipper;
	DbmazzCheckpointer *checkpointer;
	bool		resuming;		/* tables with positions of their own */
} Ship;

/*
 * Whatever ends this process, no thread of the sink may be at work when exit()
 * takes down the libraries that it uses.  An error is never thrown inside the sink,
 * so it can be closed here.  The frames of ship() may be gone.
 */
static const DbmazzSinkRoutine *open_routine;

static void
close_sink(int code, Datum sink)
{
	open_routine->close(DatumGetPointer(sink));
}

/* Give the decoder the settings that it follows while it runs. */
static void
publish_settings(DbmazzPipeline *p)
{
	pg_atomic_write_u32(&p->keeps_bad_rows,
						dbmazz_on_bad_row == DBMAZZ_BAD_ROW_DEAD_LETTER);
	pg_atomic_write_u32(&p->batch_max_rows, dbmazz_batch_max_rows);
	pg_atomic_write_u64(&p->batch_max_bytes,
						(uint64) dbmazz_batch_max_bytes_kb * 1024);
	pg_atomic_write_u32(&p->flush_interval_ms, dbmazz_flush_interval_ms);
	pg_atomic_write_u32(&p->max_loads_per_minute, dbmazz_max_loads_per_minute);
}

/* Refuse a checkpoint that speaks of other targets. */
static void
check_destination(Ship *s, const char *destination)
{
	DbmazzError error;

	if (strcmp(s->checkpoint->destination, destination) != 0)
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "the destination is not the one that the checkpoint "
						 "belongs to");
		dbmazz_error_detail(&error, "The checkpoint says \"%s\", the settings "
							"say \"%s\".",
							dbmazz_to_utf8(s->checkpoint->destination),
							dbmazz_to_utf8(destination));
		dbmazz_error_hint(&error, "Set the old destination again; or, if the "
						  "new one holds all rows that were sent, stop the "
						  "pipeline and call dbmazz.alter_pipeline() for it.");
	}
	else if (strcmp(s->checkpoint->name_template,
					dbmazz_table_name_template) != 0)
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "table_name_template is not the one that the "
						 "checkpoint belongs to");
		dbmazz_error_detail(&error, "The checkpoint says \"%s\", the settings "
							"say \"%s\".",
							dbmazz_to_utf8(s->checkpoint->name_template),
							dbmazz_to_utf8(dbmazz_table_name_template));
		dbmazz_error_hint(&error, "Set the old one again; or, if the tables "
						  "with the new names hold all rows that were sent, "
						  "stop the pipeline and call dbmazz.alter_pipeline() "
						  "for it.");
	}
	else
		return;
	dbmazz_worker_fail(s->p, &error);
}

/*
 * Refuse a checkpoint of another server or another history: what its LSN stands
 * for there is not what it stands for here.
 */
static void
check_server(Ship *s)
{
	TimeLineID	timeline = GetWALInsertionTimeLine();
	DbmazzError error;

	if (s->checkpoint->system_identifier != GetSystemIdentifier())
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "the checkpoint was written by another server");
		dbmazz_error_hint(&error, "A copy of that server must not send rows to "
						  "its target: drop the pipeline here. If this server "
						  "takes its place, for example after pg_upgrade, stop "
						  "the pipeline and use dbmazz.accept_identity(), or "
						  "dbmazz.repair_pipeline() if the slot did not come "
						  "along.");
	}
	else if (s->checkpoint->timeline != timeline)
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "the checkpoint was written on another timeline");
		dbmazz_error_detail(&error, "It is of timeline %u, the server is on %u: "
							"a standby was promoted, or a backup was restored.",
							s->checkpoint->timeline, timeline);
		dbmazz_error_hint(&error, "Stop the pipeline. After a planned promotion "
						  "with a synchronized slot use "
						  "dbmazz.accept_identity(); else use "
						  "dbmazz.repair_pipeline(), and load the tables "
						  "anew.");
	}
	else if (s->checkpoint->lsn > GetFlushRecPtr(NULL))
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "the checkpoint is beyond the end of the WAL");
		dbmazz_error_hint(&error, "The WAL was reset. " DBMAZZ_REPAIR_HINT);
	}
	else if (strcmp(s->checkpoint->slot, s->row->slot) != 0)
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "the checkpoint belongs to replication slot \"%s\"",
						 s->checkpoint->slot);
		dbmazz_error_hint(&error, "Drop the pipeline and create it anew.");
	}
	else
		return;
	dbmazz_worker_fail(s->p, &error);
}

/* Read everything, raise the epoch: one transaction. */
static void
begin_epoch(Ship *s)
{
	MemoryContext old;
	DbmazzOption *options;
	int			noptions;
	char	   *destination;
	DbmazzError error;

	s->row = dbmazz_worker_load(s->p, s->id, TopMemoryContext);
	dbmazz_worker_apply(s->p, s->row);
	publish_settings(s->p);

	dbmazz_worker_begin();
	old = MemoryContextSwitchTo(TopMemoryContext);
	s->routine = dbmazz_sink_routine(s->row->sink);
	options = dbmazz_sink_options(s->routine, s->row, &noptions);
	destination = dbmazz_sink_identity(s->routine, options, noptions);
	s->checkpoint = dbmazz_catalog_begin_epoch(s->row, destination,
											   dbmazz_table_name_template,
											   GetSystemIdentifier(),
											   GetWALInsertionTimeLine());
	s->tables = dbmazz_catalog_tables(s->id);
	s->dropped = dbmazz_catalog_dropped_lanes(s->checkpoint->destination);
	MemoryContextSwitchTo(old);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("epoch_raised");
	check_server(s);
	check_destination(s, destination);

	dbmazz_error_reset(&error);
	if (dbmazz_delivery == DBMAZZ_EXACTLY_ONCE &&
		!dbmazz_sink_delivers_once(s->routine, s->row->encoding, &error))
		dbmazz_worker_fail(s->p, &error);
	if (dbmazz_atomic == DBMAZZ_ATOMIC_TRANSACTION &&
		!dbmazz_sink_groups(s->routine, s->row->encoding, &error))
		dbmazz_worker_fail(s->p, &error);
	pg_atomic_write_u32(&s->p->exactly_once,
						dbmazz_delivery == DBMAZZ_EXACTLY_ONCE);
	pg_atomic_write_u32(&s->p->atomic,
						dbmazz_atomic == DBMAZZ_ATOMIC_TRANSACTION);
	s->sink = s->routine->open(options, noptions, &error);
	if (s->sink == NULL)
		dbmazz_report(ERROR, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
					  "could not open the sink", &error);
	open_routine = s->routine;
	/* requests point to buffers, which are ours until then */
	before_shmem_exit(close_sink, PointerGetDatum(s->sink));
}

/*
 * A slot that is there before the first attempt belongs to somebody else.  This
 * must be known before the attempt is written down: from then on a slot of that
 * name passes for one that an interrupted attempt has left.
 */
static void
refuse_foreign_slot(Ship *s)
{
	DbmazzError error;

	if (SearchNamedReplicationSlot(s->row->slot, true) == NULL)
		return;
	dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
					 "replication slot \"%s\" already exists", s->row->slot);
	dbmazz_error_hint(&error, "Drop that slot, or create the pipeline with "
					  "another slot name.");
	dbmazz_worker_fail(s->p, &error);
}

/* Let the decoder make the slot, and write down where it begins. */
static void
get_slot(Ship *s)
{
	DbmazzPipeline *p = s->p;
	uint32		wait_event = dbmazz_wait_event_compat("DbmazzShipperStart");
	XLogRecPtr	lsn;

	if (s->checkpoint->slot_state == DBMAZZ_SLOT_NONE)
		refuse_foreign_slot(s);
	/* an attempt that was begun earlier may have left a slot: it is ours */
	pg_atomic_write_u64(&p->slot_lsn,
						s->checkpoint->slot_state == DBMAZZ_SLOT_CREATING);
	dbmazz_worker_begin();
	dbmazz_catalog_set_slot_state(s->id, DBMAZZ_SLOT_CREATING,
								  InvalidXLogRecPtr);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("slot_marked");
	pg_atomic_write_u32(&p->start_phase, DBMAZZ_START_NEED_SLOT);
	dbmazz_pipeline_wake(p, DBMAZZ_ROLE_DECODER);
	dbmazz_worker_show(p, "waiting for the slot");
	while (pg_atomic_read_u32(&p->start_phase) != DBMAZZ_START_HAVE_SLOT)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	lsn = pg_atomic_read_u64(&p->slot_lsn);
	dbmazz_worker_begin();
	dbmazz_catalog_set_slot_state(s->id, DBMAZZ_SLOT_CREATED, lsn);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("slot_recorded");
	s->checkpoint->start_lsn = s->checkpoint->lsn = lsn;
	s->checkpoint->slot_state = DBMAZZ_SLOT_CREATED;
}

/* Tell the decoder where to begin. */
static void
let_go(Ship *s)
{
	DbmazzPipeline *p = s->p;
	XLogRecPtr	start = s->checkpoint->lsn;
	XLogRecPtr	floor = s->checkpoint->lsn;
	ListCell   *lc;

	foreach(lc, s->tables)
	{
		DbmazzTableRow *table = lfirst(lc);

		if (table->lsn == InvalidXLogRecPtr)
			continue;
		floor = Min(floor, table->lsn);
		if (table->stopped)
			continue;
		start = Min(start, table->lsn);
		s->resuming = true;
	}
	pg_atomic_write_u64(&p->counters.rows, s->checkpoint->rows);
	pg_atomic_write_u64(&p->counters.bytes, s->checkpoint->bytes);
	pg_atomic_write_u64(&p->counters.batches, s->checkpoint->batches);
	pg_atomic_write_u64(&p->stream_lsn, s->checkpoint->lsn);
	pg_atomic_write_u64(&p->start_lsn, start);
	pg_atomic_write_u64(&p->position, start);
	pg_atomic_write_u64(&p->durable_row_lsn, XactLastCommitEnd);
	pg_atomic_write_u64(&p->durable_lsn, floor);
	pg_atomic_write_u64(&p->epoch, s->checkpoint->epoch);
	pg_write_barrier();
	pg_atomic_write_u32(&p->start_phase, DBMAZZ_START_GO);
	dbmazz_pipeline_wake(p, DBMAZZ_ROLE_DECODER);
}

/* Settings were changed: of the server, or of the pipeline. */
static void
reconfigure(Ship *s)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext,
											  "dbmazz configuration",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	DbmazzPipelineRow *row = dbmazz_worker_load(s->p, s->id, cxt);
	DbmazzOption *options;
	int			noptions;
	DbmazzError error;

	dbmazz_worker_apply(s->p, row);
	publish_settings(s->p);
	dbmazz_worker_begin();
	MemoryContextSwitchTo(cxt);
	options = dbmazz_sink_options(s->routine, row, &noptions);
	dbmazz_worker_commit();
	/* rows go where the checkpoint says that earlier ones are */
	check_destination(s, dbmazz_sink_identity(s->routine, options, noptions));
	dbmazz_error_reset(&error);
	dbmazz_shipper_replay(s->shipper);
	if (!s->routine->reconfigure(s->sink, options, noptions, &error))
		dbmazz_report(WARNING, ERRCODE_INVALID_PARAMETER_VALUE,
					  "changed settings are not used", &error);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/* Milliseconds to wait: the smallest of those that are set. */
static long
soonest(long a, long b)
{
	if (a < 0)
		return b;
	if (b < 0)
		return a;
	return Min(a, b);
}

static void
one_step(Ship *s, const DbmazzSinkEvent *events, int nevents, long *nap)
{
	DbmazzPipeline *p = s->p;
	TimestampTz oldest;
	long		due;

	if (dbmazz_worker_reloaded() ||
		pg_atomic_exchange_u32(&p->config_changed, 0) != 0)
		reconfigure(s);
	dbmazz_shipper_step(s->shipper, events, nevents);
	while (dbmazz_shipper_waits_for_row(s->shipper))
	{
		dbmazz_checkpointer_write(s->checkpointer);
		dbmazz_shipper_step(s->shipper, NULL, 0);
	}
	due = dbmazz_checkpointer_step(s->checkpointer,
								   dbmazz_shipper_shipped_lsn(s->shipper),
								   dbmazz_shipper_tables_floor(s->shipper));
	if (s->resuming &&
		dbmazz_queue_position_now(p, &oldest) >=
		pg_atomic_read_u64(&p->stream_lsn))
	{
		dbmazz_shipper_caught_up(s->shipper);
		s->resuming = false;
	}
	*nap = soonest(due, dbmazz_shipper_due(s->shipper));
}

static void
ship(DbmazzPipeline *p, const DbmazzWorkerArg *arg)
{
	Ship		s = {0};
	DbmazzShipWait *wait;
	DbmazzSinkSocket sockets[DBMAZZ_MAX_SOCKETS];
	DbmazzSinkEvent events[DBMAZZ_MAX_SOCKETS];
	int			nevents = 0;
	MemoryContext loop_context;

	s.p = p;
	s.id = arg->id;
	begin_epoch(&s);
	if (s.checkpoint->slot_state != DBMAZZ_SLOT_CREATED)
		get_slot(&s);
	s.shipper = dbmazz_shipper_create(p, s.row, s.checkpoint, s.routine,
									  s.sink, s.tables, s.dropped);
	s.checkpointer = dbmazz_checkpointer_create(p, s.id, s.checkpoint->lsn);
	let_go(&s);
	dbmazz_worker_show(p, "streaming");

	wait = dbmazz_shipwait_create(dbmazz_wait_event_compat("DbmazzShipperMain"));
	loop_context = AllocSetContextCreate(TopMemoryContext, "dbmazz ship loop",
										 ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(loop_context);
	dbmazz_worker_leaves_by_itself();
	for (;;)
	{
		int64_t		sink_nap = -1;
		long		nap;
		int			nsockets;

		CHECK_FOR_INTERRUPTS();
		if (ShutdownRequestPending)
			break;
		one_step(&s, events, nevents, &nap);
		nsockets = s.routine->sockets(s.sink, sockets, DBMAZZ_MAX_SOCKETS,
									  &sink_nap);
		nap = soonest(nap, (long) sink_nap);

		/* ask to be woken, then look once more before the wait */
		pg_atomic_exchange_u32(&p->shipper_asleep, 1);
		if (p->ready_head != DBMAZZ_NO_SEGMENT)
			nap = 0;
		nevents = dbmazz_shipwait_wait(wait, sockets, nsockets, nap, events);
		pg_atomic_write_u32(&p->shipper_asleep, 0);
		MemoryContextReset(loop_context);
	}

	/*
	 * Loads under way are cut off: the next life sends them again.  Nobody can
	 * ask us to leave once more, so wait for no lock.
	 */
	SetConfigOption("lock_timeout", LAST_LOCK_TIMEOUT, PGC_SUSET,
					PGC_S_OVERRIDE);
	dbmazz_checkpointer_finish(s.checkpointer,
							   dbmazz_shipper_shipped_lsn(s.shipper));
	proc_exit(0);
}

void
dbmazz_shipper_main(Datum datum)
{
	DbmazzWorkerArg arg;
	DbmazzPipeline *p;

	dbmazz_worker_signals();
	p = dbmazz_worker_attach(&arg);
	dbmazz_worker_connect(arg.dboid);
	dbmazz_worker_fix_formats();
	dbmazz_worker_run(p, ship, &arg);
	proc_exit(1);
}
