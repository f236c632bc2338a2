/*
 * checkpoint_wal.c
 *		How much WAL the pipeline's slot keeps, and a word when it is too much.
 *
 * NOTES
 *	  What was said is in shared memory, so that a pipeline that is started again
 *	  and again (that is when WAL piles up) says it once.  Somebody who hears it
 *	  looks at the view.  A level ends a bit below where it begins, for the slot's
 *	  WAL grows and shrinks all the time.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog.h"
#include "checkpoint_wal.h"
#include "guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define LOOK_MS				2000
#define MEGABYTE			((int64) 1024 * 1024)

/* Less than this part of max_slot_wal_keep_size is left: critical. */
#define CRITICAL_PART		4

struct DbmazzWalWatch
{
	DbmazzPipeline *p;
	char	   *slot;
	TimestampTz looked_at;
};

DbmazzWalWatch *
dbmazz_walwatch_create(DbmazzPipeline *p, const char *slot)
{
	DbmazzWalWatch *w = MemoryContextAllocZero(TopMemoryContext, sizeof(*w));

	w->p = p;
	w->slot = MemoryContextStrdup(TopMemoryContext, slot);
	return w;
}

static DbmazzWalWarning
judge(const DbmazzSlotWal *wal, DbmazzWalWarning before)
{
	int64		limit = dbmazz_wal_warning_size_mb * MEGABYTE;
	int64		reserve = Max(max_slot_wal_keep_size_mb, 0) * MEGABYTE /
		CRITICAL_PART;

	if (before != DBMAZZ_WAL_FINE)
		limit -= limit / 10;
	if (before == DBMAZZ_WAL_CRITICAL)
		reserve += reserve / 10;
	if (wal->is_limited && wal->safe < reserve)
		return DBMAZZ_WAL_CRITICAL;
	return wal->retained >= limit ? DBMAZZ_WAL_LARGE : DBMAZZ_WAL_FINE;
}

static void
write_log(const DbmazzWalWatch *w, const DbmazzSlotWal *wal,
		  DbmazzWalWarning level)
{
	const char *name = NameStr(w->p->name);
	long long	mb = wal->retained / MEGABYTE;

	if (level == DBMAZZ_WAL_FINE)
		ereport(LOG,
				(errmsg("pipeline \"%s\": replication slot \"%s\" keeps %lld MB "
						"of WAL, no longer too much", name, w->slot, mb)));
	else if (level == DBMAZZ_WAL_LARGE)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("pipeline \"%s\": replication slot \"%s\" keeps %lld MB "
						"of WAL", name, w->slot, mb),
				 errdetail("dbmazz.wal_warning_size is %d MB.",
						   dbmazz_wal_warning_size_mb),
				 errhint("The target may be down or too slow, a table may have "
						 "stopped, or a transaction may be open for long: see "
						 "dbmazz.stat_pipeline and dbmazz.stat_table.")));
	else
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("pipeline \"%s\": replication slot \"%s\" is about to "
						"lose WAL that it needs", name, w->slot),
				 errdetail("It keeps %lld MB, and max_slot_wal_keep_size allows "
						   "%lld MB more.", mb,
						   (long long) Max(wal->safe, 0) / MEGABYTE),
				 errhint("Raise max_slot_wal_keep_size, or the tables will have "
						 "to be loaded anew.")));
}

/*
 * What is said is marked as said first: the queue of notifications can be full,
 * and that error must not come again in every life.
 */
static void
tell(const DbmazzWalWatch *w, const DbmazzSlotWal *wal, DbmazzWalWarning level)
{
	pg_atomic_write_u32(&w->p->wal_warning, level);
	write_log(w, wal, level);
	dbmazz_worker_begin();
	dbmazz_catalog_notify_wal(NameStr(w->p->name),
							  dbmazz_wal_warning_name(level), wal);
	dbmazz_worker_commit();
}

long
dbmazz_walwatch_step(DbmazzWalWatch *w)
{
	DbmazzWalWarning before = pg_atomic_read_u32(&w->p->wal_warning);
	DbmazzWalWarning level;
	DbmazzSlotWal wal;
	TimestampTz now;
	bool		exists;
	long		left;

	if (dbmazz_wal_warning_size_mb == 0)
	{
		if (before != DBMAZZ_WAL_FINE)
			pg_atomic_write_u32(&w->p->wal_warning, DBMAZZ_WAL_FINE);
		return -1;
	}
	now = GetCurrentTimestamp();
	left = TimestampDifferenceMilliseconds(now,
										   TimestampTzPlusMilliseconds(w->looked_at, LOOK_MS));
	if (left > 0)
		return left;
	w->looked_at = now;

	dbmazz_worker_begin();
	exists = dbmazz_catalog_slot_wal(w->slot, &wal);
	dbmazz_worker_commit();
	level = exists ? judge(&wal, before) : before;
	if (level != before)
		tell(w, &wal, level);
	return LOOK_MS;
}
