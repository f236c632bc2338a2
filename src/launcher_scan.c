/*
 * launcher_scan.c
 *		The launcher's looks into databases: which, when, and once more if a look
 *		came to no end.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "compat.h"
#include "core/backoff.h"
#include "launcher_scan.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "worker.h"

#define SCAN_MIN_MS		1000
#define SCAN_MAX_MS		60000	/* longest pause after a failed look */

static List *databases_to_scan = NIL;	/* of Oid, oldest first */
static BackgroundWorkerHandle *scan_handle = NULL;
static Oid	scan_database;
static TimestampTz scan_began;
static DbmazzBackoff scan_backoff;	/* of looks that came to no end */
static Oid	scan_failed = InvalidOid;
static TimestampTz scan_retry_at;

void
dbmazz_scans_init(void)
{
	dbmazz_backoff_init(&scan_backoff, SCAN_MIN_MS, SCAN_MAX_MS,
						(uint64) MyProcPid);
}

bool
dbmazz_database_exists(Oid dboid)
{
	bool		result;

	StartTransactionCommand();
	result = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(dboid));
	CommitTransactionCommand();
	return result;
}

/*
 * Append the OIDs of the databases that take connections: all of them, or only
 * this one if it is still there.
 */
static void
add_databases(Oid only)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tup;
	MemoryContext old;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tup = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database db = (Form_pg_database) GETSTRUCT(tup);

		if (!db->datallowconn || db->datistemplate)
			continue;
		if (OidIsValid(only) && db->oid != only)
			continue;
		old = MemoryContextSwitchTo(TopMemoryContext);
		databases_to_scan = list_append_unique_oid(databases_to_scan, db->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
}

/* Take the requests over. */
static void
collect_rescans(void)
{
	Oid			wanted[lengthof(dbmazz_shmem->rescan)];
	bool		all;
	int			n;
	int			i;
	MemoryContext old;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	all = dbmazz_shmem->rescan_all;
	n = dbmazz_shmem->nrescan;
	memcpy(wanted, dbmazz_shmem->rescan, n * sizeof(Oid));
	dbmazz_shmem->rescan_all = false;
	dbmazz_shmem->nrescan = 0;
	LWLockRelease(dbmazz_registry_lock());

	/* a request counts again even while an earlier look is under way */
	old = MemoryContextSwitchTo(TopMemoryContext);
	for (i = 0; i < n; i++)
		databases_to_scan = list_append_unique_oid(databases_to_scan,
												   wanted[i]);
	MemoryContextSwitchTo(old);
	if (all)
		add_databases(InvalidOid);
}

/* A scan worker is gone; if it did not come to its end, another one will. */
static void
scan_ended(TimestampTz now)
{
	bool		is_news;
	bool		done;

	pfree(scan_handle);
	scan_handle = NULL;
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	done = dbmazz_shmem->scanned == scan_database;
	dbmazz_shmem->scanned = InvalidOid;
	LWLockRelease(dbmazz_registry_lock());
	if (done)
	{
		if (scan_failed == scan_database)
		{
			scan_failed = InvalidOid;
			(void) dbmazz_backoff_reset(&scan_backoff);
		}
		return;
	}
	scan_failed = scan_database;
	scan_retry_at =
		TimestampTzPlusMilliseconds(now, dbmazz_backoff_fail(&scan_backoff,
															 &is_news));
	add_databases(scan_database);
}

/* The database to look into next, taken off the list; Invalid: none now. */
static Oid
next_database(TimestampTz now)
{
	ListCell   *lc;

	foreach(lc, databases_to_scan)
	{
		Oid			dboid = lfirst_oid(lc);

		if (dboid == scan_failed && now < scan_retry_at)
			continue;
		databases_to_scan = list_delete_cell(databases_to_scan, lc);
		return dboid;
	}
	return InvalidOid;
}

/* One scan worker at a time. */
static void
drive_scan(TimestampTz now)
{
	BackgroundWorker worker;
	MemoryContext old;
	pid_t		pid;

	if (scan_handle != NULL)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(scan_handle, &pid);

		if (status == BGWH_NOT_YET_STARTED &&
			TimestampDifferenceExceeds(scan_began, now, DBMAZZ_LAUNCH_TIMEOUT_MS))
			TerminateBackgroundWorker(scan_handle);
		if (status != BGWH_STOPPED)
			return;
		scan_ended(now);
	}
	scan_database = next_database(now);
	if (!OidIsValid(scan_database))
		return;

	dbmazz_worker_fill(&worker, DBMAZZ_SCAN_MAIN, "dbmazz scan",
					   "dbmazz scan");
	worker.bgw_main_arg = ObjectIdGetDatum(scan_database);
	worker.bgw_notify_pid = MyProcPid;
	old = MemoryContextSwitchTo(TopMemoryContext);
	if (RegisterDynamicBackgroundWorker(&worker, &scan_handle))
		scan_began = now;
	else
	{
		static bool told = false;

		scan_handle = NULL;
		databases_to_scan = lappend_oid(databases_to_scan, scan_database);
		if (!told)
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("no background worker slot is free to look for pipelines"),
					 errhint("Raise max_worker_processes and restart the server.")));
		told = true;
	}
	MemoryContextSwitchTo(old);
}

bool
dbmazz_scans_drive(TimestampTz now)
{
	collect_rescans();
	drive_scan(now);
	return scan_handle != NULL || databases_to_scan != NIL;
}
