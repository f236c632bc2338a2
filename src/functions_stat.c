/*
 * functions_stat.c
 *		The SQL functions that look: state, waiting.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog.h"
#include "checks.h"
#include "compat.h"
#include "encoding.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guard.h"
#include "miscadmin.h"
#include "queue.h"
#include "shmem.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "walwatch.h"

#define STAT_COLUMNS		22

#define WAIT_FIRST_STEP_MS	2
#define WAIT_LAST_STEP_MS	20
#define WAIT_NUDGE_MS		1000	/* no progress: write a record once */

PG_FUNCTION_INFO_V1(dbmazz_stat_get_pipelines);
PG_FUNCTION_INFO_V1(dbmazz_stat_get_budget_waits);
PG_FUNCTION_INFO_V1(dbmazz_stat_get_wal_warning);
PG_FUNCTION_INFO_V1(dbmazz_wait_for);

/* ---- stat_get_pipelines ------------------------------------------------- */

/* A row of the result under construction. */
typedef struct StatRow
{
	int			n;
	Datum		values[STAT_COLUMNS];
	bool		nulls[STAT_COLUMNS];
} StatRow;

static void
put(StatRow *row, Datum value, bool isnull)
{
	Assert(row->n < STAT_COLUMNS);
	row->values[row->n] = value;
	row->nulls[row->n] = isnull;
	row->n++;
}

static void
put_text(StatRow *row, const char *text)
{
	bool		isnull = text == NULL || *text == '\0';

	put(row, isnull ? (Datum) 0 : CStringGetTextDatum(text), isnull);
}

static void
put_pid(StatRow *row, pid_t pid)
{
	put(row, Int32GetDatum(pid), pid == 0);
}

static void
put_count(StatRow *row, uint64 value)
{
	put(row, Int64GetDatum((int64) value), false);
}

static void
put_lsn(StatRow *row, XLogRecPtr value)
{
	put(row, LSNGetDatum(value), XLogRecPtrIsInvalid(value));
}

static void
put_time(StatRow *row, TimestampTz value)
{
	put(row, TimestampTzGetDatum(value), value == 0);
}

/* What is guarded by the registry lock. */
typedef struct Registered
{
	int32		id;
	pid_t		pids[DBMAZZ_NROLES];
	XLogRecPtr	position;
	TimestampTz oldest;
} Registered;

static bool
read_registered(DbmazzPipeline *p, Registered *r)
{
	bool		is_here;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	is_here = p->in_use && p->dboid == MyDatabaseId;
	r->id = p->id;
	for (int i = 0; i < DBMAZZ_NROLES; i++)
		r->pids[i] = p->claims[i].pid;
	if (is_here)
		r->position = dbmazz_queue_position_now(p, &r->oldest);
	LWLockRelease(dbmazz_registry_lock());
	return is_here;
}

static void
fill_row(StatRow *row, DbmazzPipeline *p, const Registered *r)
{
	DbmazzQueueUsage usage;
	DbmazzError error;
	TimestampTz error_time;

	dbmazz_queue_usage(p, &usage);
	dbmazz_pipeline_get_error(p, &error, &error_time);
	put(row, Int32GetDatum(r->id), false);
	put_text(row, dbmazz_state_name(dbmazz_pipeline_state(p)));
	put_pid(row, r->pids[DBMAZZ_ROLE_DECODER]);
	put_pid(row, r->pids[DBMAZZ_ROLE_SHIPPER]);
	put_count(row, pg_atomic_read_u64(&p->epoch));
	put_lsn(row, r->position);
	put_lsn(row, pg_atomic_read_u64(&p->decoded_upto));
	put_time(row, r->oldest);
	put_count(row, pg_atomic_read_u64(&p->counters.rows));
	put_count(row, pg_atomic_read_u64(&p->counters.changes));
	put_count(row, pg_atomic_read_u64(&p->counters.bytes));
	put_count(row, pg_atomic_read_u64(&p->counters.batches));
	put_count(row, pg_atomic_read_u64(&p->counters.retries));
	put_count(row, usage.batches);
	put_count(row, usage.bytes);
	put_count(row, pg_atomic_read_u32(&p->tables_stopped));
	put_text(row, dbmazz_from_utf8(error.message));
	put_text(row, dbmazz_from_utf8(error.detail));
	put_text(row, dbmazz_from_utf8(error.hint));
	put_time(row, error_time);
	/* an aligned 64-bit value that is only shown */
	put_time(row, p->state_time);
	put(row, BoolGetDatum(true), false);
}

/*
 * Without shared memory nothing runs, and nothing could tell why: say so for
 * every pipeline that should.
 */
static void
fill_not_preloaded(ReturnSetInfo *rsinfo)
{
	ListCell   *lc;

	foreach(lc, dbmazz_catalog_pipelines())
	{
		DbmazzPipelineRow *pipeline = lfirst(lc);
		StatRow		row;

		if (!pipeline->enabled)
			continue;
		MemSet(&row, 0, sizeof(row));
		memset(row.nulls, true, sizeof(row.nulls));
		put(&row, Int32GetDatum(pipeline->id), false);
		put_text(&row, dbmazz_state_name(DBMAZZ_STATE_FAILED));
		row.n = 16;
		put_text(&row, "dbmazz is not preloaded");
		row.n++;
		put_text(&row, "Add dbmazz to shared_preload_libraries and restart "
				 "the server.");
		row.n = STAT_COLUMNS - 1;
		put(&row, BoolGetDatum(false), false);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row.values,
							 row.nulls);
	}
}

Datum
dbmazz_stat_get_pipelines(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (dbmazz_shmem == NULL)
	{
		fill_not_preloaded(rsinfo);
		return (Datum) 0;
	}
	for (int i = 0; i < dbmazz_shmem->npipelines; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];
		Registered	registered;
		StatRow		row;

		if (!read_registered(p, &registered))
			continue;
		MemSet(&row, 0, sizeof(row));
		fill_row(&row, p, &registered);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row.values,
							 row.nulls);
	}
	return (Datum) 0;
}

/*
 * Batches that wait for the budget: pipeline, table, until when.  Those of a decoder
 * that is gone are not sent.
 */
Datum
dbmazz_stat_get_budget_waits(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TimestampTz now = GetCurrentTimestamp();
	DbmazzBudgetWait *waits;

	InitMaterializedSRF(fcinfo, 0);
	if (dbmazz_shmem == NULL)
		return (Datum) 0;
	waits = palloc_array(DbmazzBudgetWait, dbmazz_queue_total_segments());
	for (int i = 0; i < dbmazz_shmem->npipelines; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];
		uint32		n = 0;
		Datum		values[3];
		bool		nulls[3] = {0};

		LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
		values[0] = Int32GetDatum(p->id);
		if (p->in_use && p->dboid == MyDatabaseId &&
			p->claims[DBMAZZ_ROLE_DECODER].pid != 0)
			n = dbmazz_queue_budget_waits(p, now, waits);
		LWLockRelease(dbmazz_registry_lock());
		for (uint32 j = 0; j < n; j++)
		{
			values[1] = ObjectIdGetDatum(waits[j].relid);
			values[2] = TimestampTzGetDatum(waits[j].until);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
								 nulls);
		}
	}
	pfree(waits);
	return (Datum) 0;
}

/* Of a pipeline that does not run, too. */
Datum
dbmazz_stat_get_wal_warning(PG_FUNCTION_ARGS)
{
	DbmazzWalWarning level = DBMAZZ_WAL_FINE;

	if (dbmazz_shmem != NULL)
		level = dbmazz_walwatch_level(MyDatabaseId, PG_GETARG_INT32(0));
	if (level == DBMAZZ_WAL_FINE)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(dbmazz_wal_warning_name(level)));
}

/* ---- wait_for ----------------------------------------------------------- */

typedef enum Progress
{
	PROGRESS_NOT_YET,
	PROGRESS_DONE,
	PROGRESS_MAYBE_STOPPED,		/* look into the catalogs */
	PROGRESS_NO_SLOT_YET		/* perhaps */
} Progress;

static void
report_failed(DbmazzPipeline *p, const char *name)
{
	DbmazzError error;
	TimestampTz when;

	dbmazz_pipeline_get_error(p, &error, &when);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("pipeline \"%s\" has failed", name),
			 error.message[0] != '\0' ?
			 errdetail("The error was: %s",
					   dbmazz_from_utf8(error.message)) : 0,
			 error.hint[0] != '\0' ?
			 errhint("%s", dbmazz_from_utf8(error.hint)) :
			 errhint("Use dbmazz.start_pipeline() when the cause is "
					 "removed.")));
}

static void
report_stopped(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("pipeline \"%s\" is stopped", name),
			 errhint("Use dbmazz.start_pipeline().")));
}

/* The target lacks rows of tables that have stopped: say so. */
static void
warn_of_stopped_tables(DbmazzPipeline *p, const char *name)
{
	uint32		n = pg_atomic_read_u32(&p->tables_stopped);

	if (n > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg_plural("%u table of pipeline \"%s\" has stopped",
							   "%u tables of pipeline \"%s\" have stopped",
							   n, n, name),
				 errhint("See dbmazz.stat_table.")));
}

/* Raises an error if the pipeline has failed. */
static Progress
look(int32 id, const char *name, XLogRecPtr lsn, bool *is_behind)
{
	DbmazzPipeline *p;
	DbmazzState state = DBMAZZ_STATE_STOPPED;
	XLogRecPtr	position = InvalidXLogRecPtr;
	TimestampTz oldest;
	bool		wanted = false;

	/* once the lock is released the entry may become another pipeline's */
	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	p = dbmazz_pipeline_find(MyDatabaseId, id);
	if (p != NULL)
	{
		state = dbmazz_pipeline_state(p);
		wanted = p->wanted;
		/* the shipper may sleep: nothing of what was decoded was for it */
		position = dbmazz_queue_position_now(p, &oldest);
		*is_behind = pg_atomic_read_u64(&p->decoded_upto) < lsn;
	}
	LWLockRelease(dbmazz_registry_lock());

	if (p == NULL || !wanted)
		return PROGRESS_MAYBE_STOPPED;
	if (state == DBMAZZ_STATE_FAILED)
		report_failed(p, name);
	/* first, so that who has waited finds it streaming */
	if (state == DBMAZZ_STATE_STARTING || state == DBMAZZ_STATE_CREATING_SLOT)
		return PROGRESS_NO_SLOT_YET;
	if (position < lsn)
		return PROGRESS_NOT_YET;
	warn_of_stopped_tables(p, name);
	return PROGRESS_DONE;
}

/*
 * Making a slot waits for all transactions that have written, and no deadlock
 * detector sees that one of them waits here.
 */
static void
refuse_deadlock(int32 id)
{
	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		dbmazz_catalog_has_slot(id))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot wait for a pipeline that has no slot yet in a "
					"transaction that has written"),
			 errdetail("Making the slot waits for this transaction to end."),
			 errhint("Commit first, then use dbmazz.wait_for().")));
}

/*
 * Write a record behind everything that was written so far and flush it, so that
 * the decoder reads past the LSN that is waited for: that may lie in a part of
 * the WAL that is not flushed yet, or behind a page's header where no record
 * begins yet.  A position that no record has reached must not be flushed.
 */
static void
nudge(int32 id)
{
	DbmazzPipeline *p;

	(void) dbmazz_log_message_compat("dbmazz", "", 0, false, true);
	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	p = dbmazz_pipeline_find(MyDatabaseId, id);
	LWLockRelease(dbmazz_registry_lock());
	if (p != NULL)
		dbmazz_pipeline_wake(p, DBMAZZ_ROLE_DECODER);
}

static void
check_wait(const char *name, const DbmazzPipelineRow *row, XLogRecPtr lsn)
{
	dbmazz_check_server();
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist", name),
				 errhint("The view dbmazz.pipelines shows all pipelines of this "
						 "database.")));
	if (dbmazz_guard_pending())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot wait for a pipeline in the transaction that "
						"has changed it"),
				 errhint("Commit first, then use dbmazz.wait_for().")));
	if (lsn > GetXLogInsertRecPtr())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("LSN %X/%X is in the future", LSN_FORMAT_ARGS(lsn)),
				 errhint("Use an LSN that the server has reached, such as "
						 "pg_current_wal_lsn().")));
}

/* Microseconds; months count as 30 days. */
static int64
timeout_us(const Interval *timeout)
{
	double		us = (double) timeout->time +
		((double) timeout->month * DAYS_PER_MONTH + timeout->day) *
		USECS_PER_DAY;

	if (us < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must not be negative")));
	return (int64) Min(us, (double) USECS_PER_DAY * 36500);
}

static void
sleep_ms(long ms)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = dbmazz_wait_event_compat("DbmazzWaitFor");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static bool
wait_for(const DbmazzPipelineRow *row, XLogRecPtr lsn, TimestampTz deadline)
{
	TimestampTz nudge_at;
	long		step = WAIT_FIRST_STEP_MS;
	bool		nudged = lsn > GetFlushRecPtr(NULL);

	if (nudged)
		nudge(row->id);
	nudge_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										   WAIT_NUDGE_MS);
	for (;;)
	{
		bool		is_behind = false;
		Progress	progress = look(row->id, row->name, lsn, &is_behind);
		TimestampTz now;

		if (progress == PROGRESS_DONE)
			return true;
		if (progress == PROGRESS_MAYBE_STOPPED)
		{
			DbmazzPipelineRow *fresh = dbmazz_catalog_pipeline(row->id);

			if (fresh == NULL || !fresh->enabled)
				report_stopped(row->name);
			pfree(fresh);
		}
		if (progress != PROGRESS_NOT_YET)
			refuse_deadlock(row->id);
		now = GetCurrentTimestamp();
		if (now >= deadline)
			return false;
		if (!nudged && is_behind && now >= nudge_at)
		{
			nudge(row->id);
			nudged = true;
		}
		InvalidateCatalogSnapshot();
		sleep_ms(Min(step, TimestampDifferenceMilliseconds(now, deadline)));
		step = Min(step * 2, WAIT_LAST_STEP_MS);
	}
}

Datum
dbmazz_wait_for(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = DT_NOEND;
	DbmazzPipelineRow *row;
	char	   *name;
	XLogRecPtr	lsn;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null",
						PG_ARGISNULL(0) ? "name" : "lsn")));
	name = NameStr(*PG_GETARG_NAME(0));
	lsn = PG_GETARG_LSN(1);
	if (!PG_ARGISNULL(2))
		deadline = GetCurrentTimestamp() + timeout_us(PG_GETARG_INTERVAL_P(2));
	row = dbmazz_catalog_pipeline_by_name(name);
	check_wait(name, row, lsn);
	PG_RETURN_BOOL(wait_for(row, lsn, deadline));
}
