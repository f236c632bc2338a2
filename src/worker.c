/*
 * worker.c
 *		What all background workers of dbmazz do alike.
 *
 * NOTES
 *	  An ERROR ends a worker: the launcher then ends its twin and starts both in
 *	  a new epoch.  That is simpler and safer than catching, since the checkpoint
 *	  tells where to go on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "encoding.h"
#include "guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "report.h"
#include "storage/ipc.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker.h"

static DbmazzPipeline *my_pipeline = NULL;
static DbmazzRole my_role;
static MemoryContext context_before;	/* the transaction that is open */

void
dbmazz_worker_fill(BackgroundWorker *worker, const char *function,
				   const char *type, const char *name)
{
	MemSet(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "dbmazz",
			sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function,
			sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
	strlcpy(worker->bgw_name, name, BGW_MAXLEN);
}

void
dbmazz_worker_signals(void)
{
	/*
	 * SIGUSR1 keeps the server's handler: it serves the barriers that DROP
	 * DATABASE and DROP TABLESPACE of others wait for.
	 */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
}

static void
ask_then_die(SIGNAL_ARGS)
{
	/* a transaction may wait for somebody's lock */
	if (ShutdownRequestPending || IsTransactionState())
		die(postgres_signal_arg);
	else
		SignalHandlerForShutdownRequest(postgres_signal_arg);
}

void
dbmazz_worker_leaves_by_itself(void)
{
	pqsignal(SIGTERM, ask_then_die);
}

static void
detach(int code, Datum arg)
{
	DbmazzPipeline *p = my_pipeline;

	if (my_role == DBMAZZ_ROLE_DECODER)
		pg_atomic_fetch_and_u64(&dbmazz_shmem->asleep,
								~(UINT64CONST(1) << dbmazz_pipeline_index(p)));
	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	p->claims[my_role].pid = 0;
	p->claims[my_role].latch = NULL;
	if (dbmazz_shmem->launcher_pid != 0)
		SetLatch(dbmazz_shmem->launcher_latch);
	LWLockRelease(dbmazz_registry_lock());
}

DbmazzPipeline *
dbmazz_worker_attach(DbmazzWorkerArg *arg)
{
	DbmazzPipeline *p;
	bool		mine;

	memcpy(arg, MyBgworkerEntry->bgw_extra, sizeof(*arg));
	p = &dbmazz_shmem->pipelines[arg->index];

	LWLockAcquire(dbmazz_registry_lock(), LW_EXCLUSIVE);
	mine = p->in_use && p->life == arg->life &&
		p->claims[arg->role].pid == 0;
	if (mine)
	{
		p->claims[arg->role].pid = MyProcPid;
		p->claims[arg->role].latch = MyLatch;
	}
	LWLockRelease(dbmazz_registry_lock());

	if (!mine)
	{
		ereport(LOG,
				(errmsg("%s of an earlier life of the pipeline leaves",
						MyBgworkerEntry->bgw_type)));
		proc_exit(0);
	}
	my_pipeline = p;
	my_role = arg->role;
	/* after the slot was released, which happens before shmem_exit */
	on_shmem_exit(detach, (Datum) 0);
	return p;
}

void
dbmazz_worker_connect(Oid dboid)
{
	BackgroundWorkerInitializeConnectionByOid(dboid, InvalidOid, 0);

	pgstat_report_appname(MyBgworkerEntry->bgw_name);

	/*
	 * Our own commits must be on disk here before the slot moves, but must
	 * never wait for a standby: that would stall a shutdown.
	 */
	SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("search_path", "pg_catalog", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_SUSET,
					PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET,
					PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_SUSET, PGC_S_OVERRIDE);
#ifdef DBMAZZ_HAVE_TRANSACTION_TIMEOUT
	SetConfigOption("transaction_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
#endif

	if (!dbmazz_encoding_is_utf8())
	{
		dbmazz_worker_begin();
		dbmazz_encoding_init();
		dbmazz_worker_commit();
	}
}

void
dbmazz_worker_fix_formats(void)
{
	char	   *monetary = GetConfigOptionByName("lc_monetary", NULL, false);

	SetConfigOption("lc_monetary", monetary, PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("DateStyle", "ISO", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("IntervalStyle", "postgres", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("TimeZone", "UTC", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("extra_float_digits", "1", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("bytea_output", "hex", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("xmlbinary", "base64", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("search_path", "", PGC_USERSET, PGC_S_OVERRIDE);
}

bool
dbmazz_worker_reloaded(void)
{
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}

void
dbmazz_worker_begin(void)
{
	context_before = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
dbmazz_worker_commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	/* the server leaves us in TopMemoryContext */
	MemoryContextSwitchTo(context_before);
	/* background workers report their statistics themselves */
	pgstat_report_stat(true);
}

DbmazzPipelineRow *
dbmazz_worker_load(DbmazzPipeline *p, int32 id, MemoryContext cxt)
{
	DbmazzPipelineRow *row = NULL;
	MemoryContext old;

	dbmazz_worker_begin();
	old = MemoryContextSwitchTo(cxt);
	if (dbmazz_catalog_exists())
		row = dbmazz_catalog_pipeline(id);
	MemoryContextSwitchTo(old);
	dbmazz_worker_commit();
	if (row == NULL || row->uid == NULL)
	{
		DbmazzError error;

		dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
						 "pipeline %d is not in the catalogs any more", id);
		dbmazz_worker_fail(p, &error);
	}
	return row;
}

void
dbmazz_worker_settings_error(DbmazzError *error)
{
	ErrorData  *edata = CopyErrorData();

	FlushErrorState();
	dbmazz_error_from_server(error, edata);
	FreeErrorData(edata);
	if (error->detail[0] == '\0')
		dbmazz_error_detail(error, "It is in the pipeline's own settings.");
	if (error->hint[0] == '\0')
		dbmazz_error_hint(error, "Correct it with dbmazz.alter_pipeline(), or "
						  "take it away with name=DEFAULT; then use "
						  "dbmazz.start_pipeline().");
}

void
dbmazz_worker_apply(DbmazzPipeline *p, const DbmazzPipelineRow *row)
{
	MemoryContext cxt = CurrentMemoryContext;

	PG_TRY();
	{
		dbmazz_guc_apply(row->settings);
	}
	PG_CATCH();
	{
		DbmazzError error;

		/* the same at every attempt, and the process leaves */
		MemoryContextSwitchTo(cxt);
		dbmazz_worker_settings_error(&error);
		dbmazz_worker_fail(p, &error);
	}
	PG_END_TRY();
}

void
dbmazz_worker_show(const DbmazzPipeline *p, const char *what)
{
	char		text[NAMEDATALEN + 64];

	snprintf(text, sizeof(text), "%s: %s", NameStr(p->name), what);
	pgstat_report_activity(STATE_RUNNING, text);
}

void
dbmazz_worker_run(DbmazzPipeline *p,
				  void (*main) (DbmazzPipeline *, const DbmazzWorkerArg *),
				  const DbmazzWorkerArg *arg)
{
	MemoryContext cxt = CurrentMemoryContext;

	PG_TRY();
	{
		main(p, arg);
	}
	PG_CATCH();
	{
		ErrorData  *edata;
		DbmazzError error;

		MemoryContextSwitchTo(cxt);
		edata = CopyErrorData();
		dbmazz_error_from_server(&error, edata);
		dbmazz_pipeline_set_error(p, &error);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
dbmazz_worker_fail(DbmazzPipeline *p, const DbmazzError *error)
{
	dbmazz_pipeline_set_error(p, error);
	dbmazz_pipeline_set_state(p, DBMAZZ_STATE_FAILED);
	dbmazz_report(WARNING, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
				  NameStr(p->name), error);
	proc_exit(0);
}
