/*
 * checkpoint.h
 *		The position, its row in the catalogs, and what the slot may forget.
 */
#ifndef DBMAZZ_CHECKPOINT_H
#define DBMAZZ_CHECKPOINT_H

#include "access/xlogdefs.h"
#include "shmem.h"

typedef struct DbmazzCheckpointer DbmazzCheckpointer;

/* 'written' is the position that the row has now. */
extern DbmazzCheckpointer *dbmazz_checkpointer_create(DbmazzPipeline *p,
													  int32 id,
													  XLogRecPtr written);

/*
 * If it is time to, recompute the position, publish it, and write the row.
 * 'shipped_lsn' is the start of the newest commit with rows in the target, and
 * 'tables_floor' the smallest position of a table with one of its own (or
 * Invalid).  Returns the milliseconds until it wants to be called again.  May
 * commit.
 */
extern long dbmazz_checkpointer_step(DbmazzCheckpointer *c,
									 XLogRecPtr shipped_lsn,
									 XLogRecPtr tables_floor);

/* Write the row now, if there is news for it.  Commits. */
extern void dbmazz_checkpointer_write(DbmazzCheckpointer *c);

/* A last row before the process leaves, if there is news for it.  Commits. */
extern void dbmazz_checkpointer_finish(DbmazzCheckpointer *c,
									   XLogRecPtr shipped_lsn);

/* What the slot may forget, from the row's position and the tables' own. */
extern XLogRecPtr dbmazz_checkpoint_floor(XLogRecPtr written,
										  XLogRecPtr tables_floor);

#endif							/* DBMAZZ_CHECKPOINT_H */
