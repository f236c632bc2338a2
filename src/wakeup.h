/*
 * wakeup.h
 *		Commits wake sleeping decoders.
 */
#ifndef DBMAZZ_WAKEUP_H
#define DBMAZZ_WAKEUP_H

#include "shmem.h"

/* Register the transaction callback; in every process, by _PG_init. */
extern void dbmazz_wakeup_init(void);

/*
 * A decoder is about to sleep: from now on commits wake it.  The caller must
 * look once more for new WAL between this and its wait.  Both never throw.
 */
extern void dbmazz_wakeup_arm(DbmazzPipeline *p);
extern void dbmazz_wakeup_disarm(DbmazzPipeline *p);

#endif							/* DBMAZZ_WAKEUP_H */
