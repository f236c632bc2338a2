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

#include "catalog.h"
#include "core/batch.h"
#include "guc.h"
#include "miscadmin.h"
#include "queue.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker.h"

PGDLLEXPORT void dbmazz_scan_main(Datum arg);

static void
note_pipeline(const DbmazzPipelineRow *row, uint32 want_segments)
{
	DbmazzPipeline *p;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	p = dbmazz_pipeline_register(MyDatabaseId, row->id, row->name);
	if (p != NULL)
	{
		p->want_segments = want_segments;
		p->wanted = true;
	}
	LWLockRelease(dbmazz_registry_lock());

	if (p == NULL)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no room for pipeline \"%s\"", row->name),
				 errdetail("%d pipelines are registered.",
						   dbmazz_shmem->npipelines),
				 errhint("Raise dbmazz.max_pipelines and restart the "
						 "server.")));
}

static uint32
segments_of(const DbmazzPipelineRow *row)
{
	uint64		bytes;

	dbmazz_guc_apply(row->settings);
	bytes = (uint64) dbmazz_pipeline_buffer_size_kb * 1024;
	return Min((uint32) (bytes / DBMAZZ_SEGMENT_SIZE),
			   dbmazz_queue_total_segments());
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
	ListCell   *lc;
	int			i;

	dbmazz_worker_signals();
	dbmazz_worker_connect(dboid);

	dbmazz_worker_begin();
	if (dbmazz_catalog_exists())
		rows = dbmazz_catalog_pipelines();

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

		if (row->enabled)
			note_pipeline(row, segments_of(row));
	}
	dbmazz_worker_commit();
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	dbmazz_shmem->scanned = dboid;
	LWLockRelease(dbmazz_registry_lock());
	dbmazz_launcher_wake();
	proc_exit(0);
}
