/*
 * launcher.c
 *		Starts, watches and restarts the workers of all pipelines.
 *
 * NOTES
 *	  A pipeline's decoder and shipper live and die together: a "life".  When
 *	  either ends, the other is ended too, the pipeline's part of the buffer is
 *	  taken back, and after a backoff both are started again.  The shipper then
 *	  raises the epoch, so nothing of the old life is used again.
 *
 *	  The launcher reads shared catalogs only (the list of databases) and sends
 *	  scan workers to look at user databases.  If it dies itself, its successor
 *	  finds the workers by the claims in shared memory and ends them: it has no
 *	  handles for them.
 */
#include "postgres.h"

#include <signal.h>

#include "compat.h"
#include "core/backoff.h"
#include "debug_point.h"
#include "guc.h"
#include "launcher_scan.h"
#include "launcher_wal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "queue.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define RESTART_MIN_MS		250
#define WATCH_MS			1000	/* look again while a life begins or ends */
#define IDLE_MS				10000	/* look again when all is quiet */
#define SMALLEST_RESERVE	8		/* segments without which nothing works */

/* The launcher's own view of a pipeline. */
typedef struct Life
{
	bool		active;			/* workers were registered */
	bool		ending;
	BackgroundWorkerHandle *handles[DBMAZZ_NROLES];
	TimestampTz began;
	TimestampTz retry_at;		/* no new life before */
	DbmazzBackoff backoff;
} Life;

PGDLLEXPORT void dbmazz_launcher_main(Datum arg);

static Life *lives;

static void forget_me(int code, Datum arg);
static long drive_pipeline(DbmazzPipeline *p, Life *life, TimestampTz now);

void
dbmazz_launcher_main(Datum arg)
{
	uint32		wait_event;
	int			i;

	dbmazz_worker_signals();

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	dbmazz_shmem->launcher_pid = MyProcPid;
	dbmazz_shmem->launcher_latch = MyLatch;
	/* a predecessor may have died with requests in its own memory */
	dbmazz_shmem->rescan_all = true;
	LWLockRelease(dbmazz_registry_lock());
	before_shmem_exit(forget_me, (Datum) 0);

	/* shared catalogs only */
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname(DBMAZZ_LAUNCHER_NAME);
	wait_event = dbmazz_wait_event_compat("DbmazzLauncherMain");

	lives = MemoryContextAllocZero(TopMemoryContext,
								   sizeof(Life) * dbmazz_shmem->npipelines);
	for (i = 0; i < dbmazz_shmem->npipelines; i++)
		dbmazz_backoff_init(&lives[i].backoff, RESTART_MIN_MS,
							Max(dbmazz_restart_max_delay_ms, RESTART_MIN_MS),
							(uint64) MyProcPid + i);

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		long		nap = IDLE_MS;
		long		wal_due;

		CHECK_FOR_INTERRUPTS();
		(void) dbmazz_worker_reloaded();
		wal_due = dbmazz_wal_drive(now);
		if (wal_due >= 0)
			nap = Min(nap, wal_due);
		if (dbmazz_scans_drive(now))
			nap = Min(nap, WATCH_MS);
		for (i = 0; i < dbmazz_shmem->npipelines; i++)
		{
			long		due = drive_pipeline(&dbmazz_shmem->pipelines[i],
											 &lives[i], now);

			nap = Min(nap, due);
		}
		pgstat_report_activity(STATE_IDLE, NULL);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 nap, wait_event);
		ResetLatch(MyLatch);
	}
}

static void
forget_me(int code, Datum arg)
{
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	dbmazz_shmem->launcher_pid = 0;
	dbmazz_shmem->launcher_latch = NULL;
	LWLockRelease(dbmazz_registry_lock());
}

/* ---- lives --------------------------------------------------------------- */

static void
launch_failed(DbmazzPipeline *p, Life *life, TimestampTz now,
			  const char *message, const char *hint)
{
	DbmazzError error;
	bool		is_news;
	uint32		delay = dbmazz_backoff_fail(&life->backoff, &is_news);

	dbmazz_error_set(&error, DBMAZZ_ERR_LIMIT, 0, "%s", message);
	dbmazz_error_hint(&error, "%s", hint);
	dbmazz_pipeline_set_error(p, &error);
	dbmazz_pipeline_set_state(p, DBMAZZ_STATE_BACKOFF);
	life->retry_at = TimestampTzPlusMilliseconds(now, delay);
	if (is_news)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("pipeline \"%s\": %s", NameStr(p->name), message),
				 errhint("%s", hint)));
}

/*
 * Take back the segments of a life that has ended.  Rows in them are not in the
 * target, so that what the life has decoded counts no more: whoever computes the
 * position must see both or neither.  Registry lock is held.
 */
static void
take_back_segments(DbmazzPipeline *p)
{
	pg_atomic_write_u64(&p->decoded_upto, 0);
	dbmazz_queue_release(p);
}

/* Is a worker of any life there?  Registry lock is held. */
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

/* What a new life must not find of an old one.  Registry lock is held. */
static void
reset_for_life(DbmazzPipeline *p)
{
	p->life++;
	p->restart = false;
	pg_atomic_write_u64(&p->epoch, 0);
	pg_atomic_write_u64(&p->start_lsn, 0);
	pg_atomic_write_u64(&p->stream_lsn, 0);
	pg_atomic_write_u32(&p->start_phase, DBMAZZ_START_NOTHING);
	pg_atomic_write_u64(&p->slot_lsn, 0);
	pg_atomic_write_u64(&p->position, 0);
	pg_atomic_write_u64(&p->durable_lsn, 0);
	pg_atomic_write_u32(&p->decoder_waits, 0);
	pg_atomic_write_u32(&p->shipper_asleep, 0);
	pg_atomic_write_u32(&p->healthy, 0);
	pg_atomic_write_u32(&p->tables_stopped, 0);
	pg_atomic_write_u32(&p->config_changed, 0);
}

static bool
register_worker(DbmazzPipeline *p, Life *life, DbmazzRole role)
{
	static const char *const mains[] = {DBMAZZ_DECODER_MAIN,
	DBMAZZ_SHIPPER_MAIN};
	static const char *const types[] = {"dbmazz decoder", "dbmazz shipper"};
	BackgroundWorker worker;
	DbmazzWorkerArg arg = {0};
	char		name[BGW_MAXLEN];
	MemoryContext old;
	bool		ok;

	StaticAssertStmt(sizeof(DbmazzWorkerArg) <= BGW_EXTRALEN,
					 "worker argument too large");
	snprintf(name, sizeof(name), "%s: %s", types[role], NameStr(p->name));
	dbmazz_worker_fill(&worker, mains[role], types[role], name);
	arg.role = role;
	arg.index = dbmazz_pipeline_index(p);
	arg.life = p->life;
	arg.dboid = p->dboid;
	arg.id = p->id;
	memcpy(worker.bgw_extra, &arg, sizeof(arg));
	worker.bgw_notify_pid = MyProcPid;

	old = MemoryContextSwitchTo(TopMemoryContext);
	ok = RegisterDynamicBackgroundWorker(&worker, &life->handles[role]);
	MemoryContextSwitchTo(old);
	if (!ok)
		life->handles[role] = NULL;
	return ok;
}

static void
begin_life(DbmazzPipeline *p, Life *life, TimestampTz now)
{
	bool		reserved;
	int			role;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	if (has_workers(p))
	{
		/* one that a dead launcher asked for has come at this very moment */
		LWLockRelease(dbmazz_registry_lock());
		return;
	}
	take_back_segments(p);
	reset_for_life(p);
	reserved = dbmazz_queue_reserve(p, Max(p->want_segments,
										   SMALLEST_RESERVE));
	LWLockRelease(dbmazz_registry_lock());
	if (!reserved)
	{
		launch_failed(p, life, now, "no buffer space is left for it",
					  "Raise dbmazz.buffer_size, or lower "
					  "dbmazz.pipeline_buffer_size of some pipelines.");
		return;
	}

	dbmazz_pipeline_set_state(p, DBMAZZ_STATE_STARTING);
	life->active = true;
	life->ending = false;
	life->began = now;
	for (role = 0; role < DBMAZZ_NROLES; role++)
	{
		if (register_worker(p, life, role))
			continue;
		launch_failed(p, life, now, "no background worker slot is free",
					  "Raise max_worker_processes and restart the server.");
		life->ending = true;
		return;
	}
	DBMAZZ_DEBUG_POINT("life_begun");
}

static void
end_life(DbmazzPipeline *p, Life *life, TimestampTz now)
{
	DbmazzState state = dbmazz_pipeline_state(p);
	bool		is_news;
	int			role;

	for (role = 0; role < DBMAZZ_NROLES; role++)
	{
		if (life->handles[role])
			pfree(life->handles[role]);
		life->handles[role] = NULL;
	}
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	take_back_segments(p);
	LWLockRelease(dbmazz_registry_lock());
	DBMAZZ_DEBUG_POINT("life_ended");
	life->active = life->ending = false;

	if (p->restart && p->wanted)
		dbmazz_pipeline_set_state(p, DBMAZZ_STATE_STARTING);
	if (state == DBMAZZ_STATE_FAILED || !p->wanted || p->restart)
		return;
	if (state == DBMAZZ_STATE_BACKOFF)
		return;					/* launch_failed() has said when */
	if (pg_atomic_read_u32(&p->healthy))
		dbmazz_backoff_reset(&life->backoff);
	life->retry_at =
		TimestampTzPlusMilliseconds(now,
									dbmazz_backoff_fail(&life->backoff,
														&is_news));
	dbmazz_pipeline_set_state(p, DBMAZZ_STATE_BACKOFF);
	if (is_news)
		ereport(LOG,
				(errmsg("pipeline \"%s\" restarts in %u ms",
						NameStr(p->name), life->backoff.delay_ms)));
}

/* Drive a life on; returns the milliseconds until it needs a look. */
static long
drive_life(DbmazzPipeline *p, Life *life, TimestampTz now)
{
	int			nstopped = 0;
	int			nstarted = 0;
	bool		late = TimestampDifferenceExceeds(life->began, now,
												  DBMAZZ_LAUNCH_TIMEOUT_MS);
	int			role;

	for (role = 0; role < DBMAZZ_NROLES; role++)
	{
		BgwHandleStatus status = BGWH_STOPPED;
		pid_t		pid;

		if (life->handles[role])
			status = GetBackgroundWorkerPid(life->handles[role], &pid);
		nstopped += status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED;
		nstarted += status == BGWH_STARTED;
	}

	if (!life->ending && late && nstarted + nstopped < DBMAZZ_NROLES)
	{
		launch_failed(p, life, now, "a worker was accepted but never started",
					  "See the server log for the reason, for example lack of "
					  "memory to start a process.");
		life->ending = true;
	}
	if (!p->wanted && dbmazz_pipeline_state(p) != DBMAZZ_STATE_FAILED)
		dbmazz_pipeline_set_state(p, DBMAZZ_STATE_STOPPING);
	if (nstopped > 0 || !p->wanted || p->restart ||
		dbmazz_pipeline_state(p) == DBMAZZ_STATE_FAILED)
		life->ending = true;
	if (!life->ending)
		return nstarted == DBMAZZ_NROLES ? IDLE_MS : WATCH_MS;

	for (role = 0; role < DBMAZZ_NROLES; role++)
	{
		if (life->handles[role])
			TerminateBackgroundWorker(life->handles[role]);
	}
	if (nstopped < DBMAZZ_NROLES)
		return WATCH_MS;
	end_life(p, life, now);
	return 0;
}

/* End workers that a dead launcher left; true while there are any. */
static bool
end_orphans(DbmazzPipeline *p)
{
	bool		any = false;
	int			role;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	for (role = 0; role < DBMAZZ_NROLES; role++)
	{
		/* the claim is dropped before the process ends: the pid is its own */
		if (p->claims[role].pid == 0)
			continue;
		kill(p->claims[role].pid, SIGTERM);
		any = true;
	}
	LWLockRelease(dbmazz_registry_lock());
	return any;
}

static long
drive_pipeline(DbmazzPipeline *p, Life *life, TimestampTz now)
{
	bool		in_use;
	bool		wanted;
	DbmazzState state;

	if (life->active)
	{
		long		due = drive_life(p, life, now);

		if (life->active)
			return due;
	}

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	in_use = p->in_use;
	wanted = p->wanted;
	LWLockRelease(dbmazz_registry_lock());
	if (!in_use)
		return IDLE_MS;
	if (end_orphans(p))
		return WATCH_MS / 10;

	if (!wanted)
	{
		LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
		if (!p->wanted && !has_workers(p))
		{
			take_back_segments(p);
			p->in_use = false;
			dbmazz_backoff_reset(&life->backoff);
			life->retry_at = 0;
			pg_atomic_write_u32(&p->state, DBMAZZ_STATE_STOPPED);
		}
		LWLockRelease(dbmazz_registry_lock());
		return 0;
	}

	state = dbmazz_pipeline_state(p);
	if ((state == DBMAZZ_STATE_FAILED || state == DBMAZZ_STATE_BACKOFF) &&
		!dbmazz_database_exists(p->dboid))
	{
		/* while no worker was connected nothing kept it */
		ereport(LOG,
				(errmsg("pipeline \"%s\" is gone with its database",
						NameStr(p->name))));
		p->wanted = false;
		return 0;
	}
	if (state == DBMAZZ_STATE_FAILED)
		return IDLE_MS;
	/* start_pipeline() makes it STARTING: at once, whatever there was */
	if (state == DBMAZZ_STATE_STARTING)
		dbmazz_backoff_reset(&life->backoff);
	else if (life->retry_at > now)
		return Max(TimestampDifferenceMilliseconds(now, life->retry_at), 1);

	begin_life(p, life, now);
	return life->active ? WATCH_MS : WATCH_MS / 10;
}
