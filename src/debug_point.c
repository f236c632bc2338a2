/*
 * debug_point.c
 *		Named points where a test can break a process.
 */
#include "postgres.h"

#include "debug_point.h"

#ifdef DBMAZZ_DEBUG_POINTS

#include <signal.h>

#include "compat.h"
#include "core/bytes.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/latch.h"
#include "worker.h"

char	   *dbmazz_debug_point = NULL;

void
dbmazz_debug_hit(const char *point)
{
	size_t		len = strlen(point);
	const char *action;
	uint64		value;

	if (strncmp(dbmazz_debug_point, point, len) != 0 ||
		dbmazz_debug_point[len] != ':')
		return;
	action = dbmazz_debug_point + len + 1;
	value = dbmazz_hash(dbmazz_debug_point, strlen(dbmazz_debug_point), 1);
	if (pg_atomic_exchange_u64(&dbmazz_shmem->debug_fired, value) == value)
		return;

	if (strncmp(action, "error", 5) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("debug point \"%s\" raised an error", point)));
	ereport(LOG, (errmsg("debug point \"%s\" was reached", point)));
	if (strncmp(action, "kill", 4) == 0)
	{
		kill(MyProcPid, SIGKILL);
		pg_usleep(10 * 1000000L);
	}
	while (strncmp(action, "wait", 4) == 0)
	{
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 100, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		dbmazz_worker_reloaded();
		if (dbmazz_debug_point == NULL ||
			strncmp(dbmazz_debug_point, point, len) != 0)
			break;
		action = dbmazz_debug_point + len + 1;
	}
}

#endif							/* DBMAZZ_DEBUG_POINTS */
