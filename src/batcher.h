/*
 * batcher.h
 *		Fills batches with encoded rows and decides when to seal them.
 *
 * NOTES
 *	  Runs in the decoder, inside decoding callbacks: it may wait for buffer
 *	  space (latch, interrupts), never touch a table or the network.  A wait in
 *	  the middle of a transaction is harmless: WAL is the buffer.
 *
 *	  A batch is sealed when it is full (rows, bytes, a quarter of the buffer),
 *	  when its table's description changes, when a row's key is already in
 *	  another open batch of the table, when buffer space runs out, and, where its
 *	  lane is free, when its first row is flush_interval old and the table's budget
 *	  (max_loads_per_minute) has a load for it.  While the lane is busy it goes on
 *	  growing: a slow target gets fewer and larger loads.  See batcher_due.c.
 *
 *	  With atomic = transaction all open batches are sealed at once, between two
 *	  transactions where that can be; see batcher_group.c.
 *
 *	  With delivery = exactly_once a target has one open batch at most, so that
 *	  its batches follow each other in the order of the changes; a row for
 *	  another one seals it.
 */
#ifndef DBMAZZ_BATCHER_H
#define DBMAZZ_BATCHER_H

#include "datatype/timestamp.h"
#include "relation.h"
#include "shmem.h"

typedef struct DbmazzBatcher DbmazzBatcher;

/*
 * 'while_waiting' is called each time it wakes up from a wait for space.  Must
 * not be called before the shipper has said whether each row is to be sent once.
 */
extern DbmazzBatcher *dbmazz_batcher_create(MemoryContext parent,
											DbmazzPipeline *p,
											uint32 wait_event,
											void (*while_waiting) (void *arg),
											void *arg);

/* The transaction that the following rows belong to. */
extern void dbmazz_batcher_begin(DbmazzBatcher *batcher,
								 XLogRecPtr final_lsn,
								 TimestampTz commit_time, TransactionId xid);

/*
 * The change that the following rows belong to.  They are known by its number,
 * which is the same in every life.
 */
extern void dbmazz_batcher_change(DbmazzBatcher *batcher, uint64 number);

/*
 * Add a row, unless it is to be skipped.  One that cannot be encoded stops the
 * table: its error is put into the stream behind the rows before it.  May wait,
 * may longjmp.
 */
extern void dbmazz_batcher_row(DbmazzBatcher *batcher, DbmazzRelation *rel,
							   DbmazzColumnSet *set,
							   const DbmazzRowSource *source, DbmazzRowOp op);

/*
 * Is the next row of the table one that an operator has given up?  Then it is
 * logged, and counts as if it had been written.
 */
extern bool dbmazz_batcher_skips(DbmazzBatcher *batcher,
								 const DbmazzRelation *rel);

/* The table was truncated here: its target is emptied between two loads. */
extern void dbmazz_batcher_truncate(DbmazzBatcher *batcher,
									DbmazzRelation *rel);

/* The table stops here, with this error. */
extern void dbmazz_batcher_stop(DbmazzBatcher *batcher, DbmazzRelation *rel,
								const DbmazzError *error);

/* Seal the open batches of a table; matches dbmazz_relations_update(). */
extern void dbmazz_batcher_seal_relation(void *batcher, DbmazzRelation *rel);

/*
 * Seal what is due.  'at_rest': all WAL that is there has been decoded, so nothing
 * is gained by waiting for more rows.  Returns the milliseconds until the next batch
 * will be, or -1 if none is open or all that are due wait for their lanes (then a
 * finished load sets the latch).
 */
extern long dbmazz_batcher_tick(DbmazzBatcher *batcher, bool at_rest);

#endif							/* DBMAZZ_BATCHER_H */
