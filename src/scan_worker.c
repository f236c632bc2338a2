/*
 * scan_worker.c
 *		A short look into one database: which pipelines should run?
 *
 * NOTES
 *	  The launcher holds no connection to a user database, so it sends this
 *	  worker, which compares the catalogs with the registry in shared memory and
 *	  leaves.  The catalogs are the truth; a request to look is only a hint.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog.h"
#include "core/batch.h"
#include "debug_point.h"
#include "guc.h"
#include "miscadmin.h"
#include "queue.h"
#include "replication/slot.h"
#include "report.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "walwatch.h"
#include "worker.h"

PGDLLEXPORT void dbmazz_scan_main(Datum arg);

static uint32 kept_out;			/* as it was when this look began */
static bool is_outdated = false;

/* Does it run, or end?  Registry lock is held. */
static bool
has_workers(const DbmazzPipeline *p)
{
	int			role;

	for (role = 0; role < DBMAZZ_NROLES; role++)
	{
		if (p->claims[role].pid != 0)
			return true;
	}
	return false;
}

/*
 * Register it as wanted; with an error that keeps it from running, as failed.  One
 * that runs is left alone: it has the settings that it began with.  Nothing is
 * registered where somebody relies on a pipeline being stopped since this look has
 * begun, for it may have read of it before.
 */
static void
note_pipeline(const DbmazzPipelineRow *row, uint32 want_segments,
			  const DbmazzError *error)
{
	DbmazzPipeline *p;
	bool		fails = false;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	if (dbmazz_shmem->kept_out != kept_out)
	{
		LWLockRelease(dbmazz_registry_lock());
		is_outdated = true;
		return;
	}
	p = dbmazz_pipeline_register(MyDatabaseId, row->id, row->name);
	if (p != NULL)
	{
		p->want_segments = want_segments;
		p->wanted = true;
		fails = error != NULL && !has_workers(p) &&
			dbmazz_pipeline_state(p) != DBMAZZ_STATE_FAILED;
	}
	if (fails)
	{
		dbmazz_pipeline_set_error(p, error);
		dbmazz_pipeline_set_state(p, DBMAZZ_STATE_FAILED);
	}
	LWLockRelease(dbmazz_registry_lock());
	if (fails)
		dbmazz_report(WARNING, ERRCODE_INVALID_PARAMETER_VALUE, row->name,
					  error);

	if (p == NULL)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no room for pipeline \"%s\"", row->name),
				 errdetail("%d pipelines are registered.",
						   dbmazz_shmem->npipelines),
				 errhint("Raise dbmazz.max_pipelines and restart the "
						 "server.")));
}

/* Its settings count in this process until the next one is looked at. */
static uint32
segments_of(const DbmazzPipelineRow *row)
{
	uint64		bytes;

	dbmazz_guc_apply(row->settings);
	bytes = (uint64) dbmazz_pipeline_buffer_size_kb * 1024;
	return Min((uint32) (bytes / DBMAZZ_SEGMENT_SIZE),
			   dbmazz_queue_total_segments());
}

/* A slot keeps WAL whether its pipeline runs or not. */
static bool
is_watched(const DbmazzPipelineRow *row)
{
	return row->enabled ||
		SearchNamedReplicationSlot(row->slot, true) != NULL;
}

/*
 * A setting that does not hold (any more) is that pipeline's trouble alone, so
 * the error ends a subtransaction and not this process.
 */
static void
look_at(const DbmazzPipelineRow *row)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile uint32 segments = 0;
	volatile bool failed = false;
	DbmazzError error;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		segments = segments_of(row);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		dbmazz_worker_settings_error(&error);
		RollbackAndReleaseCurrentSubTransaction();
		failed = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;
	if (failed)
		dbmazz_guc_apply(NIL);	/* the server's own count */
	if (row->enabled)
		note_pipeline(row, segments, failed ? &error : NULL);
	dbmazz_walwatch_set(MyDatabaseId, row, dbmazz_wal_warning_size_mb);
}

/* Notify of what the launcher has found since the last look. */
static void
tell_of_wal(Oid dboid)
{
	List	   *news = dbmazz_walwatch_take_news(dboid);
	ListCell   *lc;

	if (news == NIL)
		return;
	dbmazz_worker_begin();
	foreach(lc, news)
	{
		const DbmazzWalWatch *w = lfirst(lc);

		dbmazz_catalog_notify_wal(NameStr(w->pipeline),
								  dbmazz_wal_warning_name(w->level), &w->wal);
	}
	dbmazz_worker_commit();
}

static bool
is_enabled(List *rows, int32 id)
{
	ListCell   *lc;

	foreach(lc, rows)
	{
		DbmazzPipelineRow *row = lfirst(lc);

		if (row->id == id)
			return row->enabled;
	}
	return false;
}

void
dbmazz_scan_main(Datum arg)
{
	Oid			dboid = DatumGetObjectId(arg);
	List	   *rows = NIL;
	List	   *watched = NIL;
	ListCell   *lc;
	int			i;

	dbmazz_worker_signals();
	dbmazz_worker_connect(dboid);

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	kept_out = dbmazz_shmem->kept_out;
	LWLockRelease(dbmazz_registry_lock());

	/* no snapshot is older than that */
	dbmazz_worker_begin();
	if (dbmazz_catalog_exists())
		rows = dbmazz_catalog_pipelines();
	DBMAZZ_DEBUG_POINT("pipelines_read");

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	for (i = 0; i < dbmazz_shmem->npipelines; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];

		if (p->in_use && p->dboid == dboid && !is_enabled(rows, p->id))
			p->wanted = false;
	}
	LWLockRelease(dbmazz_registry_lock());

	foreach(lc, rows)
	{
		DbmazzPipelineRow *row = lfirst(lc);

		if (!is_watched(row))
			continue;
		look_at(row);
		watched = lappend_int(watched, row->id);
	}
	dbmazz_walwatch_retain(dboid, watched);
	dbmazz_worker_commit();
	if (is_outdated)
		dbmazz_request_rescan(dboid);
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	dbmazz_shmem->scanned = dboid;
	LWLockRelease(dbmazz_registry_lock());
	dbmazz_launcher_wake();
	tell_of_wal(dboid);
	proc_exit(0);
}
