/*
 * guard.c
 *		What the SQL functions do at the end of a transaction, and what may not
 *		be dropped.
 *
 * NOTES
 *	  Rows that the SQL functions write are seen by the launcher when they are
 *	  committed, so it is told then and not before.
 *
 *	  A slot is no part of a transaction.  It is dropped in the pre-commit
 *	  callback: later an error is not allowed any more, and dropping can fail
 *	  (somebody may have taken the slot a moment ago); then the transaction fails
 *	  as a whole.  Should the commit fail after that, the pipeline is there
 *	  without its slot; drop_pipeline() can be repeated.  The other way round, a
 *	  slot without a pipeline, would keep WAL for ever.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "guard.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/slot.h"
#include "shmem.h"
#include "slot.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define LEAVE_TIMEOUT_MS	5000
#define LEAVE_STEP_MS		10

typedef struct Action
{
	DbmazzAtCommit what;
	int			id;
	int			nest_level;		/* of the subtransaction that wants it */
	char	   *slot;
} Action;

/* In TopTransactionContext. */
static List *pending = NIL;
static bool callbacks_are_registered = false;
static object_access_hook_type prev_object_access_hook = NULL;

/* ---- end of transaction ------------------------------------------------- */

/* Is there such a slot, and can it be the one that we made? */
static bool
is_our_slot(const char *name)
{
	ReplicationSlot *slot;
	bool		result = false;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	slot = SearchNamedReplicationSlot(name, false);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		result = dbmazz_slot_is_ours(slot);
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return result;
}

static void
drop_slot(const char *name)
{
	if (SearchNamedReplicationSlot(name, true) == NULL)
		return;
	if (is_our_slot(name))
		ReplicationSlotDrop(name, true);
	else
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("replication slot \"%s\" was not dropped", name),
				 errdetail("It belongs to another database or output plugin "
						   "now.")));
}

/* Never throws: the transaction is committed. */
static void
do_after_commit(const Action *action)
{
	DbmazzPipeline *p;

	if (dbmazz_shmem == NULL || action->what == DBMAZZ_AT_COMMIT_DROP_SLOT)
		return;
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	p = dbmazz_pipeline_find(MyDatabaseId, action->id);
	if (p != NULL && action->what == DBMAZZ_AT_COMMIT_RECONFIGURE)
		pg_atomic_fetch_add_u32(&p->config_changed, 1);
	if (p != NULL && action->what == DBMAZZ_AT_COMMIT_STOP)
		p->wanted = false;
	/* looks that have begun before may have read that it should run */
	if (action->what == DBMAZZ_AT_COMMIT_STOP)
		dbmazz_shmem->kept_out++;
	if (p != NULL && action->what == DBMAZZ_AT_COMMIT_RESTART)
	{
		DbmazzState state = dbmazz_pipeline_state(p);

		/* it may still be there if it was stopped a moment ago */
		p->restart = true;
		if (state == DBMAZZ_STATE_FAILED || state == DBMAZZ_STATE_BACKOFF)
			dbmazz_pipeline_set_state(p, DBMAZZ_STATE_STARTING);
	}
	LWLockRelease(dbmazz_registry_lock());

	if (p != NULL && action->what == DBMAZZ_AT_COMMIT_RECONFIGURE)
		dbmazz_pipeline_wake(p, DBMAZZ_ROLE_SHIPPER);
	dbmazz_request_rescan(MyDatabaseId);
}

static void
before_commit(void)
{
	ListCell   *lc;

	foreach(lc, pending)
	{
		Action	   *action = lfirst(lc);

		if (action->what == DBMAZZ_AT_COMMIT_DROP_SLOT)
			drop_slot(action->slot);
	}
}

static void
xact_callback(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (pending == NIL)
		return;
	if (event == XACT_EVENT_PRE_PREPARE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has changed "
						"pipelines"),
				 errhint("Use COMMIT.")));
	if (event == XACT_EVENT_PRE_COMMIT)
		before_commit();
	if (event == XACT_EVENT_COMMIT)
	{
		foreach(lc, pending)
			do_after_commit(lfirst(lc));
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		pending = NIL;
}

static void
subxact_callback(SubXactEvent event, SubTransactionId mySubid,
				 SubTransactionId parentSubid, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	ListCell   *lc;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	foreach(lc, pending)
	{
		Action	   *action = lfirst(lc);

		if (action->nest_level < level)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			action->nest_level = level - 1;
		else
			pending = foreach_delete_current(pending, lc);
	}
}

void
dbmazz_guard_at_commit(DbmazzAtCommit what, int id, const char *slot)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	Action	   *action = palloc0(sizeof(Action));

	action->what = what;
	action->id = id;
	action->nest_level = GetCurrentTransactionNestLevel();
	action->slot = slot ? pstrdup(slot) : NULL;
	if (!callbacks_are_registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		RegisterSubXactCallback(subxact_callback, NULL);
		callbacks_are_registered = true;
	}
	pending = lappend(pending, action);
	MemoryContextSwitchTo(old);
}

bool
dbmazz_guard_pending(void)
{
	return pending != NIL;
}

bool
dbmazz_guard_has_switched(int id)
{
	ListCell   *lc;

	foreach(lc, pending)
	{
		Action	   *action = lfirst(lc);

		if (action->id == id && (action->what == DBMAZZ_AT_COMMIT_STOP ||
								 action->what == DBMAZZ_AT_COMMIT_RESTART))
			return true;
	}
	return false;
}

/* ---- DROP DATABASE ------------------------------------------------------ */

/* Is a pipeline of this database about to leave, and none there that stays? */
static bool
is_being_left(Oid dboid)
{
	int			nleaving = 0;
	int			nstaying = 0;
	int			i;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	for (i = 0; i < dbmazz_shmem->npipelines; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];

		if (!p->in_use || p->dboid != dboid)
			continue;
		if (p->wanted)
			nstaying++;
		else
			nleaving++;
	}
	LWLockRelease(dbmazz_registry_lock());
	return nleaving > 0 && nstaying == 0;
}

static bool
has_active_slot(Oid dboid)
{
	int			nslots;
	int			nactive;

	return ReplicationSlotsCountDBSlots(dboid, &nslots, &nactive) &&
		nactive > 0;
}

/*
 * For sessions that are still there the server waits some seconds, but not for a
 * slot that is in use.  So let decoders that are on their way out give theirs back,
 * and wait for no more than that: the caller has locked the database.  What does
 * not leave in time, or runs, is refused by the server.
 */
static void
wait_for_leaving(Oid dboid)
{
	TimestampTz deadline =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LEAVE_TIMEOUT_MS);

	while (has_active_slot(dboid) && is_being_left(dboid) &&
		   GetCurrentTimestamp() < deadline)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LEAVE_STEP_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---- DROP EXTENSION ----------------------------------------------------- */

/* Caller's transaction fails if a pipeline of this database runs. */
static void
refuse_while_running(void)
{
	NameData	name;
	bool		found = false;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	for (int i = 0; i < dbmazz_shmem->npipelines && !found; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];

		found = p->in_use && p->dboid == MyDatabaseId;
		if (found)
			name = p->name;
	}
	LWLockRelease(dbmazz_registry_lock());
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot drop extension dbmazz while pipeline \"%s\" is "
						"running", NameStr(name)),
				 errhint("Use dbmazz.stop_pipeline() and "
						 "dbmazz.drop_pipeline() first.")));
}

static void
refuse_slot(const char *slot)
{
	if (is_our_slot(slot))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot drop extension dbmazz while a pipeline has a "
						"replication slot"),
				 errdetail("Slot \"%s\" would keep WAL for ever.", slot),
				 errhint("Use dbmazz.stop_pipeline() and "
						 "dbmazz.drop_pipeline() first.")));
}

/*
 * dbmazz.pipeline is about to go.  Its rows are read without SPI: other objects
 * of the extension have gone already.
 */
static void
refuse_while_slots_exist(Oid relid)
{
	AttrNumber	attnum = get_attnum(relid, "slot");
	Relation	rel = table_open(relid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tup;

	while ((tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		Datum		slot = heap_getattr(tup, attnum, RelationGetDescr(rel),
										&isnull);

		if (!isnull)
			refuse_slot(NameStr(*DatumGetName(slot)));
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
}

/* Somebody else's table of that name is none of our business. */
static bool
is_pipeline_table(Oid relid)
{
	char	   *name = get_rel_name(relid);
	Oid			extension;

	if (name == NULL || strcmp(name, "pipeline") != 0)
		return false;
	extension = getExtensionOfObject(RelationRelationId, relid);
	return OidIsValid(extension) &&
		extension == get_extension_oid("dbmazz", true);
}

static void
object_access(ObjectAccessType access, Oid classId, Oid objectId, int subId,
			  void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, classId, objectId, subId, arg);
	if (access != OAT_DROP || subId != 0)
		return;
	if (classId == DatabaseRelationId && dbmazz_shmem != NULL)
		wait_for_leaving(objectId);
	if (classId == RelationRelationId && is_pipeline_table(objectId))
		refuse_while_slots_exist(objectId);
	if (classId == ExtensionRelationId && dbmazz_shmem != NULL &&
		objectId == get_extension_oid("dbmazz", true))
		refuse_while_running();
}

void
dbmazz_guard_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = object_access;
}
