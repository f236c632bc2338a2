/*
 * shmem.c
 *		The shared registry of pipelines.
 */
#include "postgres.h"

#include "guc.h"
#include "miscadmin.h"
#include "queue.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "walwatch.h"

#define DBMAZZ_TRANCHE	"dbmazz"

DbmazzShared *dbmazz_shmem = NULL;

static LWLockPadded *locks = NULL;
static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;

static void shmem_request(void);
static void shmem_startup(void);
static void pipeline_init(DbmazzPipeline *p);

static Size
shared_size(void)
{
	return add_size(offsetof(DbmazzShared, pipelines),
					mul_size(sizeof(DbmazzPipeline), dbmazz_max_pipelines));
}

void
dbmazz_shmem_init(void)
{
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = shmem_request;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shmem_startup;
}

static void
shmem_request(void)
{
	if (prev_request_hook)
		prev_request_hook();
	RequestAddinShmemSpace(add_size(shared_size(),
									add_size(dbmazz_queue_shmem_size(),
											 dbmazz_walwatch_shmem_size())));
	RequestNamedLWLockTranche(DBMAZZ_TRANCHE, 1 + dbmazz_max_pipelines);
}

static void
shmem_startup(void)
{
	bool		found;

	if (prev_startup_hook)
		prev_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	dbmazz_shmem = ShmemInitStruct("dbmazz registry", shared_size(), &found);
	if (!found)
	{
		int			i;

		MemSet(dbmazz_shmem, 0, shared_size());
		dbmazz_shmem->rescan_all = true;
		pg_atomic_init_u64(&dbmazz_shmem->commit_lsn, 0);
		pg_atomic_init_u64(&dbmazz_shmem->asleep, 0);
		pg_atomic_init_u64(&dbmazz_shmem->debug_fired, 0);
		dbmazz_shmem->npipelines = dbmazz_max_pipelines;
		for (i = 0; i < dbmazz_max_pipelines; i++)
			pipeline_init(&dbmazz_shmem->pipelines[i]);
	}
	dbmazz_queue_shmem_startup();
	dbmazz_walwatch_shmem_startup();
	LWLockRelease(AddinShmemInitLock);
	locks = GetNamedLWLockTranche(DBMAZZ_TRANCHE);
}

static void
pipeline_init(DbmazzPipeline *p)
{
	pg_atomic_init_u32(&p->state, DBMAZZ_STATE_STOPPED);
	pg_atomic_init_u32(&p->config_changed, 0);
	pg_atomic_init_u64(&p->epoch, 0);
	pg_atomic_init_u64(&p->start_lsn, 0);
	pg_atomic_init_u64(&p->stream_lsn, 0);
	pg_atomic_init_u32(&p->start_phase, DBMAZZ_START_NOTHING);
	pg_atomic_init_u32(&p->exactly_once, 0);
	pg_atomic_init_u32(&p->atomic, 0);
	pg_atomic_init_u64(&p->group_lsn, 0);
	pg_atomic_init_u32(&p->group_segments, 0);
	pg_atomic_init_u64(&p->slot_lsn, 0);
	pg_atomic_init_u64(&p->decoded_upto, 0);
	pg_atomic_init_u64(&p->decoded_time, 0);
	pg_atomic_init_u64(&p->position, 0);
	pg_atomic_init_u64(&p->durable_lsn, 0);
	pg_atomic_init_u64(&p->durable_row_lsn, 0);
	pg_atomic_init_u64(&p->confirmed_lsn, 0);
	pg_atomic_init_u32(&p->decoder_waits, 0);
	pg_atomic_init_u32(&p->ndone, 0);
	for (int i = 0; i < DBMAZZ_EXTRA_COUNTERS; i++)
		pg_atomic_init_u32(&p->extra_loads[i], 0);
	pg_atomic_init_u32(&p->shipper_asleep, 0);
	pg_atomic_init_u32(&p->healthy, 0);
	pg_atomic_init_u32(&p->tables_stopped, 0);
	pg_atomic_init_u64(&p->counters.rows, 0);
	pg_atomic_init_u64(&p->counters.changes, 0);
	pg_atomic_init_u64(&p->counters.bytes, 0);
	pg_atomic_init_u64(&p->counters.batches, 0);
	pg_atomic_init_u64(&p->counters.retries, 0);
	pg_atomic_init_u32(&p->keeps_bad_rows, 0);
	pg_atomic_init_u32(&p->batch_max_rows, 0);
	pg_atomic_init_u64(&p->batch_max_bytes, 0);
	pg_atomic_init_u32(&p->flush_interval_ms, 0);
	pg_atomic_init_u32(&p->max_loads_per_minute, 0);
	SpinLockInit(&p->mutex);
	p->free_head = DBMAZZ_NO_SEGMENT;
	p->ready_head = DBMAZZ_NO_SEGMENT;
	p->ready_tail = DBMAZZ_NO_SEGMENT;
}

LWLock *
dbmazz_registry_lock(void)
{
	return &locks[0].lock;
}

LWLock *
dbmazz_pipeline_lock(const DbmazzPipeline *p)
{
	return &locks[1 + dbmazz_pipeline_index(p)].lock;
}

int
dbmazz_pipeline_index(const DbmazzPipeline *p)
{
	return (int) (p - dbmazz_shmem->pipelines);
}

DbmazzPipeline *
dbmazz_pipeline_find(Oid dboid, int32 id)
{
	int			i;

	Assert(LWLockHeldByMe(dbmazz_registry_lock()));
	for (i = 0; i < dbmazz_shmem->npipelines; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];

		if (p->in_use && p->dboid == dboid && p->id == id)
			return p;
	}
	return NULL;
}

bool
dbmazz_pipeline_keep_out(Oid dboid, int32 id)
{
	bool		is_out;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	is_out = dbmazz_pipeline_find(dboid, id) == NULL;
	if (is_out)
		dbmazz_shmem->kept_out++;
	LWLockRelease(dbmazz_registry_lock());
	return is_out;
}

/* Nothing of the pipeline that had the entry before may be seen. */
static void
forget_progress(DbmazzPipeline *p)
{
	pg_atomic_write_u64(&p->decoded_upto, 0);
	pg_atomic_write_u64(&p->decoded_time, 0);
	pg_atomic_write_u64(&p->position, 0);
	pg_atomic_write_u64(&p->durable_lsn, 0);
	pg_atomic_write_u64(&p->confirmed_lsn, 0);
	pg_atomic_write_u64(&p->epoch, 0);
	pg_atomic_write_u32(&p->group_segments, 0);
	pg_atomic_write_u64(&p->counters.rows, 0);
	pg_atomic_write_u64(&p->counters.changes, 0);
	pg_atomic_write_u64(&p->counters.bytes, 0);
	pg_atomic_write_u64(&p->counters.batches, 0);
	pg_atomic_write_u64(&p->counters.retries, 0);
	LWLockAcquire(dbmazz_pipeline_lock(p), LW_EXCLUSIVE);
	dbmazz_error_reset(&p->error);
	p->error_time = 0;
	LWLockRelease(dbmazz_pipeline_lock(p));
}

DbmazzPipeline *
dbmazz_pipeline_register(Oid dboid, int32 id, const char *name)
{
	DbmazzPipeline *p = dbmazz_pipeline_find(dboid, id);
	int			i;

	Assert(LWLockHeldByMeInMode(dbmazz_registry_lock(), LW_EXCLUSIVE));
	for (i = 0; p == NULL && i < dbmazz_shmem->npipelines; i++)
	{
		if (dbmazz_shmem->pipelines[i].in_use)
			continue;
		p = &dbmazz_shmem->pipelines[i];
		p->in_use = true;
		p->dboid = dboid;
		p->id = id;
		p->wanted = false;
		p->restart = false;
		MemSet(p->claims, 0, sizeof(p->claims));
		forget_progress(p);
		pg_atomic_write_u32(&p->state, DBMAZZ_STATE_STOPPED);
	}
	if (p != NULL)
		namestrcpy(&p->name, name);
	return p;
}

const char *
dbmazz_state_name(DbmazzState state)
{
	static const char *const names[] = {
		[DBMAZZ_STATE_STOPPED] = "stopped",
		[DBMAZZ_STATE_STARTING] = "starting",
		[DBMAZZ_STATE_CREATING_SLOT] = "creating slot",
		[DBMAZZ_STATE_STREAMING] = "streaming",
		[DBMAZZ_STATE_RETRYING] = "retrying",
		[DBMAZZ_STATE_STOPPING] = "stopping",
		[DBMAZZ_STATE_BACKOFF] = "backoff",
		[DBMAZZ_STATE_FAILED] = "failed",
	};

	return names[state];
}

static void
note_state_time(DbmazzPipeline *p)
{
	LWLockAcquire(dbmazz_pipeline_lock(p), LW_EXCLUSIVE);
	p->state_time = GetCurrentTimestamp();
	LWLockRelease(dbmazz_pipeline_lock(p));
}

void
dbmazz_pipeline_set_state(DbmazzPipeline *p, DbmazzState state)
{
	if (pg_atomic_exchange_u32(&p->state, state) != (uint32) state)
		note_state_time(p);
}

void
dbmazz_pipeline_move_state(DbmazzPipeline *p, DbmazzState from, DbmazzState to)
{
	uint32		expected = from;

	if (pg_atomic_compare_exchange_u32(&p->state, &expected, to))
		note_state_time(p);
}

DbmazzState
dbmazz_pipeline_state(DbmazzPipeline *p)
{
	return (DbmazzState) pg_atomic_read_u32(&p->state);
}

void
dbmazz_pipeline_set_error(DbmazzPipeline *p, const DbmazzError *error)
{
	LWLockAcquire(dbmazz_pipeline_lock(p), LW_EXCLUSIVE);
	p->error = *error;
	p->error_time = GetCurrentTimestamp();
	LWLockRelease(dbmazz_pipeline_lock(p));
}

void
dbmazz_pipeline_get_error(DbmazzPipeline *p, DbmazzError *error,
						  TimestampTz *when)
{
	LWLockAcquire(dbmazz_pipeline_lock(p), LW_SHARED);
	*error = p->error;
	*when = p->error_time;
	LWLockRelease(dbmazz_pipeline_lock(p));
}

void
dbmazz_pipeline_wake(DbmazzPipeline *p, DbmazzRole role)
{
	Latch	   *latch;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	latch = p->claims[role].pid != 0 ? p->claims[role].latch : NULL;
	if (latch != NULL)
		SetLatch(latch);
	LWLockRelease(dbmazz_registry_lock());
}

void
dbmazz_launcher_wake(void)
{
	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	if (dbmazz_shmem->launcher_pid != 0)
		SetLatch(dbmazz_shmem->launcher_latch);
	LWLockRelease(dbmazz_registry_lock());
}

void
dbmazz_request_rescan(Oid dboid)
{
	int			i;

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	for (i = 0; i < dbmazz_shmem->nrescan; i++)
	{
		if (dbmazz_shmem->rescan[i] == dboid)
			break;
	}
	if (!OidIsValid(dboid) || i == lengthof(dbmazz_shmem->rescan))
		dbmazz_shmem->rescan_all = true;
	else if (i == dbmazz_shmem->nrescan)
		dbmazz_shmem->rescan[dbmazz_shmem->nrescan++] = dboid;
	if (dbmazz_shmem->launcher_pid != 0)
		SetLatch(dbmazz_shmem->launcher_latch);
	LWLockRelease(dbmazz_registry_lock());
}

void
dbmazz_atomic_max(pg_atomic_uint64 *target, uint64 value)
{
	uint64		old = pg_atomic_read_u64(target);

	while (old < value &&
		   !pg_atomic_compare_exchange_u64(target, &old, value))
		 /* 'old' has been read again */ ;
}
