/*
 * decode_worker.c
 *		Main function of the process "dbmazz decoder".
 *
 * NOTES
 *	  Reads the catalogs before it takes the slot, and never after that.
 */
#include "postgres.h"

#include "batcher.h"
#include "catalog_dead.h"
#include "changes.h"
#include "compat.h"
#include "decoder.h"
#include "fastpath.h"
#include "guc.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "worker.h"

PGDLLEXPORT void dbmazz_decoder_main(Datum arg);

typedef struct Wiring
{
	DbmazzChanges *changes;
	DbmazzFastPath *fast;		/* NULL: everything goes through pgoutput */
	DbmazzBatcher *batcher;
	bool		in_groups;		/* of whole transactions batches are sealed */
} Wiring;

static void
on_begin(void *arg, XLogRecPtr commit_lsn, TimestampTz commit_time,
		 TransactionId xid)
{
	dbmazz_changes_begin(((Wiring *) arg)->changes, commit_lsn, commit_time,
						 xid);
}

static void
on_commit(void *arg)
{
	dbmazz_changes_commit(((Wiring *) arg)->changes);
}

static bool
on_change(void *arg, Relation relation, ReorderBufferChange *change,
		  uint64 number)
{
	Wiring	   *w = arg;
	MemoryContext old;

	if (w->fast == NULL ||
		!dbmazz_fastpath_take(w->fast, relation, change,
							  dbmazz_changes_parser(w->changes)))
		return false;
	/* ours would grow until the transaction ends; pgoutput has one like this */
	old = MemoryContextSwitchTo(dbmazz_fastpath_context(w->fast));
	dbmazz_changes_change(w->changes, number);
	MemoryContextSwitchTo(old);
	dbmazz_fastpath_release(w->fast);
	return true;
}

static void
on_changed(void *arg, Relation relation, ReorderBufferChange *change)
{
	Wiring	   *w = arg;

	if (w->fast != NULL)
		dbmazz_fastpath_learn(w->fast, relation, change);
}

static void
on_message(void *arg, XLogRecPtr lsn, uint64 number, const char *data,
		   Size len)
{
	Wiring	   *w = arg;

	if (w->fast != NULL)
		dbmazz_fastpath_message(w->fast, data, len);
	dbmazz_changes_message(w->changes, lsn, number, data, len);
}

static bool
on_committed(void *arg)
{
	Wiring	   *w = arg;

	return w->in_groups && dbmazz_changes_committed(w->changes);
}

static long
on_tick(void *arg, bool at_rest)
{
	return dbmazz_batcher_tick(((Wiring *) arg)->batcher, at_rest);
}

/* Wait until the shipper has come as far as 'least'; returns where it is. */
static DbmazzStartPhase
wait_for_phase(DbmazzPipeline *p, DbmazzStartPhase least)
{
	uint32		wait_event = dbmazz_wait_event_compat("DbmazzDecoderStart");

	for (;;)
	{
		uint32		phase = pg_atomic_read_u32(&p->start_phase);

		if (phase >= (uint32) least)
			return (DbmazzStartPhase) phase;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1000, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static List *
load_tables(int32 id)
{
	MemoryContext old;
	List	   *tables;

	dbmazz_worker_begin();
	old = MemoryContextSwitchTo(TopMemoryContext);
	tables = dbmazz_catalog_tables(id);
	MemoryContextSwitchTo(old);
	dbmazz_worker_commit();
	return tables;
}

/* Rows that this life may meet, and is not to send. */
static List *
load_skipped(DbmazzPipeline *p, int32 id)
{
	MemoryContext old;
	List	   *skipped;

	dbmazz_worker_begin();
	old = MemoryContextSwitchTo(TopMemoryContext);
	skipped = dbmazz_catalog_skipped_rows(id,
										  pg_atomic_read_u64(&p->start_lsn));
	MemoryContextSwitchTo(old);
	dbmazz_worker_commit();
	return skipped;
}

/* The server's settings, or the pipeline's own, must go together. */
static void
check_fit(DbmazzPipeline *p, const DbmazzPipelineRow *row)
{
	DbmazzError error;

	dbmazz_error_reset(&error);
	if (!dbmazz_guc_fit(row->settings, &error))
		dbmazz_worker_fail(p, &error);
}

static void
decode(DbmazzPipeline *p, const DbmazzWorkerArg *arg)
{
	DbmazzPipelineRow *row;
	DbmazzRelations *relations;
	DbmazzDecoderOps ops;
	Wiring		wiring;
	uint32		wait_event = dbmazz_wait_event_compat("DbmazzDecoderSpace");
	bool		made_slot = false;

	dbmazz_keep_memory_compat();
	row = dbmazz_worker_load(p, arg->id, TopMemoryContext);
	dbmazz_worker_apply(p, row);
	check_fit(p, row);

	if (wait_for_phase(p, DBMAZZ_START_NEED_SLOT) == DBMAZZ_START_NEED_SLOT)
	{
		XLogRecPtr	lsn;

		dbmazz_pipeline_set_state(p, DBMAZZ_STATE_CREATING_SLOT);
		dbmazz_worker_show(p, "creating slot");

		/* 1: an earlier attempt was begun, so a slot there is its */
		lsn = dbmazz_decoder_make_slot(p, row->slot,
									   pg_atomic_read_u64(&p->slot_lsn) == 1);
		pg_atomic_write_u64(&p->slot_lsn, lsn);
		pg_atomic_write_u32(&p->start_phase, DBMAZZ_START_HAVE_SLOT);
		dbmazz_pipeline_wake(p, DBMAZZ_ROLE_SHIPPER);
		made_slot = true;
	}
	wait_for_phase(p, DBMAZZ_START_GO);
	if (made_slot)
		ereport(LOG,
				(errmsg("pipeline \"%s\" starts at %X/%X with replication slot \"%s\"",
						NameStr(p->name),
						LSN_FORMAT_ARGS(pg_atomic_read_u64(&p->start_lsn)),
						row->slot)));

	/* now they are taken, and they may have changed while a slot was made */
	check_fit(p, row);
	relations = dbmazz_relations_create(TopMemoryContext, row->owner,
										row->publication,
										load_tables(arg->id),
										load_skipped(p, arg->id),
										pg_atomic_read_u64(&p->stream_lsn),
										strcmp(row->encoding, "csv") == 0);
	wiring.batcher = dbmazz_batcher_create(TopMemoryContext, p, wait_event,
										   dbmazz_decoder_confirm, p);
	wiring.changes = dbmazz_changes_create(TopMemoryContext, p, relations,
										   wiring.batcher);
	wiring.fast = dbmazz_fastpath_create(TopMemoryContext, relations,
										 row->publication);
	wiring.in_groups = pg_atomic_read_u32(&p->atomic) != 0;
	ops.arg = &wiring;
	ops.begin = on_begin;
	ops.commit = on_commit;
	ops.change = on_change;
	ops.changed = on_changed;
	ops.message = on_message;
	ops.committed = on_committed;
	ops.tick = on_tick;
	dbmazz_decoder_run(p, row, pg_atomic_read_u64(&p->start_lsn),
					   pg_atomic_read_u64(&p->durable_lsn), &ops);
}

void
dbmazz_decoder_main(Datum datum)
{
	DbmazzWorkerArg arg;
	DbmazzPipeline *p;

	dbmazz_worker_signals();
	p = dbmazz_worker_attach(&arg);
	dbmazz_worker_connect(arg.dboid);
	dbmazz_worker_run(p, decode, &arg);
	proc_exit(1);
}
