/*
 * dbmazz.c
 *		Entry point of the library.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "guard.h"
#include "guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "shmem.h"
#include "wakeup.h"
#include "worker.h"

DBMAZZ_MODULE_MAGIC("dbmazz");

void		_PG_init(void);

void
_PG_init(void)
{
	BackgroundWorker worker;

	dbmazz_guc_init(process_shared_preload_libraries_in_progress);
	dbmazz_guard_init();
	if (!process_shared_preload_libraries_in_progress)
		return;

	dbmazz_shmem_init();
	dbmazz_wakeup_init();

	/* pg_upgrade must find a quiet server */
	if (IsBinaryUpgrade)
		return;

	dbmazz_worker_fill(&worker, DBMAZZ_LAUNCHER_MAIN, DBMAZZ_LAUNCHER_NAME,
					   DBMAZZ_LAUNCHER_NAME);
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}
