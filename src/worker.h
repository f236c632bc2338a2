/*
 * worker.h
 *		What all background workers of dbmazz do alike.
 */
#ifndef DBMAZZ_WORKER_H
#define DBMAZZ_WORKER_H

#include "catalog.h"
#include "postmaster/bgworker.h"
#include "shmem.h"

/* What the launcher tells a worker, in bgw_extra. */
typedef struct DbmazzWorkerArg
{
	DbmazzRole	role;
	int			index;			/* of the pipeline in shared memory */
	uint32		life;
	Oid			dboid;
	int32		id;				/* of the pipeline in its database */
} DbmazzWorkerArg;

/* For whoever finds that changes are missing from the target for good. */
#define DBMAZZ_REPAIR_HINT \
	"Stop the pipeline, use dbmazz.repair_pipeline(), start it, and load the " \
	"tables anew."

/* Names of the functions that a worker starts with. */
#define DBMAZZ_LAUNCHER_MAIN	"dbmazz_launcher_main"
#define DBMAZZ_SCAN_MAIN		"dbmazz_scan_main"
#define DBMAZZ_DECODER_MAIN		"dbmazz_decoder_main"
#define DBMAZZ_SHIPPER_MAIN		"dbmazz_shipper_main"

/*
 * Fill a worker's registration: library, function, type and name, shared memory
 * and a database connection, never restarted by the server itself.
 */
extern void dbmazz_worker_fill(BackgroundWorker *worker, const char *function,
							   const char *type, const char *name);

/* Handlers of SIGTERM (an error at the next interrupt check) and SIGHUP. */
extern void dbmazz_worker_signals(void);

/*
 * For a worker that has something to write down before it leaves: from now on
 * SIGTERM only sets ShutdownRequestPending, except in a transaction, which may
 * wait for a lock: the server sends it only once.
 */
extern void dbmazz_worker_leaves_by_itself(void);

/*
 * Claim the pipeline that bgw_extra names; the claim is dropped at exit.  Ends
 * the process quietly if the life is over or another worker has the claim.
 */
extern DbmazzPipeline *dbmazz_worker_attach(DbmazzWorkerArg *arg);

/* Connect to the pipeline's database with safe settings. */
extern void dbmazz_worker_connect(Oid dboid);

/*
 * Give values text forms that do not depend on anybody's settings: the same in
 * both workers, for both write rows.  How many digits of money are behind the
 * point is known from lc_monetary alone, so that stays as it is in the database,
 * but for the whole life.
 */
extern void dbmazz_worker_fix_formats(void);

/* Settings read again after SIGHUP?  (Does it, if it was asked for.) */
extern bool dbmazz_worker_reloaded(void);

/* One short transaction around catalog work; commit is durable locally. */
extern void dbmazz_worker_begin(void);
extern void dbmazz_worker_commit(void);

/* Read the pipeline's row in its own transaction, into 'cxt'; fails the
 * pipeline if it is gone. */
extern DbmazzPipelineRow *dbmazz_worker_load(DbmazzPipeline *p, int32 id,
											 MemoryContext cxt);

/*
 * Make the settings of the pipeline those of this process; fails the pipeline
 * where one of them does not hold (any more).  Outside of transactions.
 */
extern void dbmazz_worker_apply(DbmazzPipeline *p,
								const DbmazzPipelineRow *row);

/*
 * In PG_CATCH, behind dbmazz_guc_apply(): the error as the pipeline's owner needs
 * it.  The server's error state is empty afterwards.
 */
extern void dbmazz_worker_settings_error(DbmazzError *error);

/* Show "pipeline: what" in pg_stat_activity. */
extern void dbmazz_worker_show(const DbmazzPipeline *p, const char *what);

/*
 * Run 'main' with an ERROR recorded as the pipeline's last error; the error
 * then ends the process, as it would without.
 */
extern void dbmazz_worker_run(DbmazzPipeline *p,
							  void (*main) (DbmazzPipeline *,
											const DbmazzWorkerArg *),
							  const DbmazzWorkerArg *arg);

/*
 * The pipeline cannot go on until somebody acts: state FAILED with this error,
 * logged as a warning; ends the process.
 */
extern void dbmazz_worker_fail(DbmazzPipeline *p, const DbmazzError *error)
			__attribute__((noreturn));

#endif							/* DBMAZZ_WORKER_H */
