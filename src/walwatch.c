/*
 * walwatch.c
 *		The slots whose WAL is watched, and what was said of it.
 */
#include "postgres.h"

#include "guc.h"
#include "replication/slot.h"
#include "shmem.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "walwatch.h"

static DbmazzWalWatch *entries = NULL;

const char *
dbmazz_wal_warning_name(DbmazzWalWarning level)
{
	static const char *const names[] = {
		[DBMAZZ_WAL_FINE] = "fine",
		[DBMAZZ_WAL_LARGE] = "large",
		[DBMAZZ_WAL_CRITICAL] = "critical",
		[DBMAZZ_WAL_LOST] = "lost",
	};

	return names[level];
}

/* Room for all slots, and for pipelines that have none yet. */
int
dbmazz_walwatch_size(void)
{
	return max_replication_slots + dbmazz_max_pipelines;
}

Size
dbmazz_walwatch_shmem_size(void)
{
	return mul_size(dbmazz_walwatch_size(), sizeof(DbmazzWalWatch));
}

void
dbmazz_walwatch_shmem_startup(void)
{
	bool		found;

	entries = ShmemInitStruct("dbmazz slots", dbmazz_walwatch_shmem_size(),
							  &found);
	if (!found)
		MemSet(entries, 0, dbmazz_walwatch_shmem_size());
}

static bool
is_of(const DbmazzWalWatch *w, Oid dboid, int32 id, const char *slot)
{
	return w->in_use && w->dboid == dboid && w->id == id &&
		strcmp(NameStr(w->slot), slot) == 0;
}

void
dbmazz_walwatch_set(Oid dboid, const DbmazzPipelineRow *row, int limit_mb)
{
	DbmazzWalWatch *entry = NULL;
	int			i;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	for (i = 0; i < dbmazz_walwatch_size(); i++)
	{
		DbmazzWalWatch *w = &entries[i];

		if (is_of(w, dboid, row->id, row->slot))
		{
			entry = w;
			break;
		}
		if (!w->in_use && entry == NULL)
			entry = w;
	}
	/* none is free: more pipelines are enabled than the server runs */
	if (entry != NULL)
	{
		if (!entry->in_use)
			MemSet(entry, 0, sizeof(*entry));
		entry->in_use = true;
		entry->dboid = dboid;
		entry->id = row->id;
		namestrcpy(&entry->pipeline, row->name);
		namestrcpy(&entry->slot, row->slot);
		entry->limit_mb = limit_mb;
	}
	LWLockRelease(dbmazz_registry_lock());
}

void
dbmazz_walwatch_retain(Oid dboid, List *ids)
{
	int			i;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	for (i = 0; i < dbmazz_walwatch_size(); i++)
	{
		DbmazzWalWatch *w = &entries[i];

		if (w->in_use && w->dboid == dboid && !list_member_int(ids, w->id))
			w->in_use = false;
	}
	LWLockRelease(dbmazz_registry_lock());
}

List *
dbmazz_walwatch_take_news(Oid dboid)
{
	/* nothing is allocated while the lock is held */
	DbmazzWalWatch *copies = palloc(dbmazz_walwatch_shmem_size());
	List	   *result = NIL;
	int			n = 0;
	int			i;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	for (i = 0; i < dbmazz_walwatch_size(); i++)
	{
		DbmazzWalWatch *w = &entries[i];

		if (!w->in_use || w->dboid != dboid || w->level == w->notified)
			continue;
		w->notified = w->level;
		if (w->limit_mb > 0)
			copies[n++] = *w;
	}
	LWLockRelease(dbmazz_registry_lock());
	for (i = 0; i < n; i++)
		result = lappend(result, &copies[i]);
	return result;
}

bool
dbmazz_walwatch_get(int i, DbmazzWalWatch *copy)
{
	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	*copy = entries[i];
	LWLockRelease(dbmazz_registry_lock());
	return copy->in_use;
}

void
dbmazz_walwatch_forget(int i, const DbmazzWalWatch *copy)
{
	DbmazzWalWatch *w = &entries[i];

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	if (is_of(w, copy->dboid, copy->id, NameStr(copy->slot)) &&
		dbmazz_pipeline_find(copy->dboid, copy->id) == NULL)
		w->in_use = false;
	LWLockRelease(dbmazz_registry_lock());
}

DbmazzWalWarning
dbmazz_walwatch_level(Oid dboid, int32 id)
{
	DbmazzWalWarning level = DBMAZZ_WAL_FINE;
	int			i;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	for (i = 0; i < dbmazz_walwatch_size(); i++)
	{
		const DbmazzWalWatch *w = &entries[i];

		if (w->in_use && w->dboid == dboid && w->id == id)
			level = Max(level, w->level);
	}
	LWLockRelease(dbmazz_registry_lock());
	return level;
}

bool
dbmazz_walwatch_put(int i, const DbmazzWalWatch *copy)
{
	DbmazzWalWatch *w = &entries[i];
	bool		same;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	same = is_of(w, copy->dboid, copy->id, NameStr(copy->slot));
	if (same)
	{
		w->level = copy->level;
		w->wal = copy->wal;
	}
	LWLockRelease(dbmazz_registry_lock());
	return same;
}
