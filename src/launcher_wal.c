/*
 * launcher_wal.c
 *		How much WAL the slots of pipelines keep, and a word when it is too much.
 *
 * NOTES
 *	  See walwatch.h for who does what.  A level ends a bit below where it begins,
 *	  for a slot's WAL grows and shrinks all the time.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "compat.h"
#include "guc.h"
#include "launcher_wal.h"
#include "replication/slot.h"
#include "shmem.h"
#include "utils/timestamp.h"
#include "walwatch.h"
#include "worker.h"

#define LOOK_MS				2000
#define MEGABYTE			((int64) 1024 * 1024)

/* Less than this part of max_slot_wal_keep_size is left: critical. */
#define CRITICAL_PART		4

typedef enum SlotFound
{
	SLOT_NONE,					/* nothing is known */
	SLOT_KEEPS_WAL,
	SLOT_INVALID
} SlotFound;

/* As the server computes safe_wal_size of pg_replication_slots. */
static int64
safe_wal_size(XLogRecPtr restart_lsn)
{
	uint64		keep = XLogMBVarToSegs(Max(max_slot_wal_keep_size_mb,
										   wal_keep_size_mb),
									   wal_segment_size);
	XLogSegNo	segment;
	XLogRecPtr	lost;

	XLByteToSeg(restart_lsn, segment, wal_segment_size);
	XLogSegNoOffsetToRecPtr(segment + keep + 1, 0, wal_segment_size, lost);
	return (int64) (lost - GetXLogWriteRecPtr());
}

/* A slot of that name in another database is not the pipeline's. */
static SlotFound
find_slot(const DbmazzWalWatch *w, DbmazzSlotWal *wal)
{
	SlotFound	found = SLOT_NONE;
	XLogRecPtr	restart_lsn = InvalidXLogRecPtr;
	ReplicationSlot *slot;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	slot = SearchNamedReplicationSlot(NameStr(w->slot), false);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		if (slot->data.database != w->dboid)
			found = SLOT_NONE;
		else if (dbmazz_slot_is_invalid_compat(slot))
			found = SLOT_INVALID;
		else if (slot->data.restart_lsn != InvalidXLogRecPtr)
			found = SLOT_KEEPS_WAL;
		restart_lsn = slot->data.restart_lsn;
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);

	MemSet(wal, 0, sizeof(*wal));
	if (found != SLOT_KEEPS_WAL)
		return found;
	wal->retained = (int64) (GetFlushRecPtr(NULL) - restart_lsn);
	wal->is_limited = max_slot_wal_keep_size_mb >= 0;
	if (wal->is_limited)
		wal->safe = safe_wal_size(restart_lsn);
	return found;
}

static DbmazzWalWarning
judge(const DbmazzWalWatch *w, const DbmazzSlotWal *wal)
{
	int64		limit = w->limit_mb * MEGABYTE;
	int64		reserve = Max(max_slot_wal_keep_size_mb, 0) * MEGABYTE /
		CRITICAL_PART;

	if (w->level != DBMAZZ_WAL_FINE)
		limit -= limit / 10;
	if (w->level >= DBMAZZ_WAL_CRITICAL)
		reserve += reserve / 10;
	if (wal->is_limited && wal->safe < reserve)
		return DBMAZZ_WAL_CRITICAL;
	return wal->retained >= limit ? DBMAZZ_WAL_LARGE : DBMAZZ_WAL_FINE;
}

static void
write_log(const DbmazzWalWatch *w)
{
	const char *pipeline = NameStr(w->pipeline);
	const char *slot = NameStr(w->slot);
	long long	mb = w->wal.retained / MEGABYTE;

	switch (w->level)
	{
		case DBMAZZ_WAL_FINE:
			ereport(LOG,
					(errmsg("pipeline \"%s\": replication slot \"%s\" keeps "
							"%lld MB of WAL, no longer too much", pipeline,
							slot, mb)));
			break;
		case DBMAZZ_WAL_LARGE:
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("pipeline \"%s\": replication slot \"%s\" keeps "
							"%lld MB of WAL", pipeline, slot, mb),
					 errdetail("dbmazz.wal_warning_size is %d MB.",
							   w->limit_mb),
					 errhint("The pipeline may be stopped or have failed, the "
							 "target may be down or too slow, a table may have "
							 "stopped, or a transaction may be open for long: "
							 "see dbmazz.stat_pipeline and "
							 "dbmazz.stat_table.")));
			break;
		case DBMAZZ_WAL_CRITICAL:
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("pipeline \"%s\": replication slot \"%s\" is about "
							"to lose WAL that it needs", pipeline, slot),
					 errdetail("It keeps %lld MB, and max_slot_wal_keep_size "
							   "allows %lld MB more.", mb,
							   (long long) Max(w->wal.safe, 0) / MEGABYTE),
					 errhint("Raise max_slot_wal_keep_size, or the tables will "
							 "have to be loaded anew.")));
			break;
		case DBMAZZ_WAL_LOST:
			ereport(WARNING,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("pipeline \"%s\": replication slot \"%s\" was "
							"invalidated by the server", pipeline, slot),
					 errhint(DBMAZZ_REPAIR_HINT)));
			break;
	}
}

static void
look_at(int i, DbmazzWalWatch *w)
{
	DbmazzWalWarning before = w->level;
	DbmazzSlotWal wal;
	SlotFound	found = find_slot(w, &wal);

	/* of one that is to run, the entry stays, but the old slot's level does not */
	if (found == SLOT_NONE)
		dbmazz_walwatch_forget(i, w);
	if (found == SLOT_NONE || w->limit_mb == 0)
		w->level = DBMAZZ_WAL_FINE;
	else
		w->level = found == SLOT_INVALID ? DBMAZZ_WAL_LOST : judge(w, &wal);
	w->wal = wal;
	if (w->level == before || !dbmazz_walwatch_put(i, w) || w->limit_mb == 0)
		return;
	write_log(w);
	dbmazz_request_rescan(w->dboid);
}

/* Limits of pipelines that have none of their own are others now. */
static void
ask_for_limits(void)
{
	Oid			last = InvalidOid;
	int			i;

	for (i = 0; i < dbmazz_walwatch_size(); i++)
	{
		DbmazzWalWatch w;

		if (!dbmazz_walwatch_get(i, &w) || w.dboid == last)
			continue;
		dbmazz_request_rescan(w.dboid);
		last = w.dboid;
	}
}

long
dbmazz_wal_drive(TimestampTz now)
{
	static TimestampTz looked_at = 0;
	static int	limit_mb = -1;
	bool		any = false;
	long		left;
	int			i;

	if (limit_mb >= 0 && limit_mb != dbmazz_wal_warning_size_mb)
		ask_for_limits();
	limit_mb = dbmazz_wal_warning_size_mb;
	left = TimestampDifferenceMilliseconds(now,
										   TimestampTzPlusMilliseconds(looked_at,
																	   LOOK_MS));
	if (looked_at != 0 && left > 0)
		return left;
	looked_at = now;
	for (i = 0; i < dbmazz_walwatch_size(); i++)
	{
		DbmazzWalWatch w;

		if (!dbmazz_walwatch_get(i, &w))
			continue;
		any = any || w.limit_mb > 0;
		look_at(i, &w);
	}
	return any ? LOOK_MS : -1;
}
