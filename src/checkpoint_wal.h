/*
 * checkpoint_wal.h
 *		How much WAL the pipeline's slot keeps, and a word when it is too much.
 */
#ifndef DBMAZZ_CHECKPOINT_WAL_H
#define DBMAZZ_CHECKPOINT_WAL_H

#include "shmem.h"

typedef struct DbmazzWalWatch DbmazzWalWatch;

extern DbmazzWalWatch *dbmazz_walwatch_create(DbmazzPipeline *p,
											  const char *slot);

/*
 * Look, if that is due, and tell of what has changed.  Returns the milliseconds
 * until the next look, or -1 while dbmazz.wal_warning_size is 0.  May commit.
 */
extern long dbmazz_walwatch_step(DbmazzWalWatch *w);

#endif							/* DBMAZZ_CHECKPOINT_WAL_H */
