/*
 * wakeup.c
 *		Commits wake sleeping decoders.
 *
 * NOTES
 *	  A transaction callback runs in every backend.  It must cost nothing where
 *	  nobody sleeps: two comparisons and one read of a shared word.  A commit
 *	  with synchronous_commit = off is not flushed yet when it comes here; the
 *	  decoder sees from commit_lsn that there is more to come and looks again
 *	  soon.  Not covered (parallel workers, other writers of WAL): the decoder's
 *	  timed look.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogdefs.h"
#include "wakeup.h"

/* where this backend's last record was when it last came here */
static XLogRecPtr last_record = InvalidXLogRecPtr;

static void
wake_sleepers(void)
{
	uint64		asleep = pg_atomic_exchange_u64(&dbmazz_shmem->asleep, 0);
	int			i;

	for (i = 0; asleep != 0 && i < dbmazz_shmem->npipelines; i++)
	{
		if (asleep & (UINT64CONST(1) << i))
			dbmazz_pipeline_wake(&dbmazz_shmem->pipelines[i],
								 DBMAZZ_ROLE_DECODER);
	}
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_PREPARE)
		return;
	/* nothing written, nothing to decode; COMMIT PREPARED does write */
	if (ProcLastRecPtr == last_record)
		return;
	last_record = ProcLastRecPtr;
	if (XactLastCommitEnd != InvalidXLogRecPtr)
		dbmazz_atomic_max(&dbmazz_shmem->commit_lsn, XactLastCommitEnd);
	pg_memory_barrier();
	if (pg_atomic_read_u64(&dbmazz_shmem->asleep) != 0)
		wake_sleepers();
}

void
dbmazz_wakeup_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
}

void
dbmazz_wakeup_arm(DbmazzPipeline *p)
{
	pg_atomic_fetch_or_u64(&dbmazz_shmem->asleep,
						   UINT64CONST(1) << dbmazz_pipeline_index(p));
}

void
dbmazz_wakeup_disarm(DbmazzPipeline *p)
{
	pg_atomic_fetch_and_u64(&dbmazz_shmem->asleep,
							~(UINT64CONST(1) << dbmazz_pipeline_index(p)));
}
