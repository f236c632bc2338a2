/*
 * queue.h
 *		Batches on their way from the decoder to the shipper.
 *
 * NOTES
 *	  One pool of equal segments in main shared memory.  A pipeline reserves a
 *	  number of them for each life; a batch is a chain of them (core/batch.h),
 *	  named by its first segment.  The state of a batch says who may write it:
 *
 *		FREE --open--> FILLING --seal--> READY --take--> SHIPPING --done--> FREE
 *		               (decoder)                        (shipper)
 *
 *	  A sealed batch is never written again, except that the shipper marks
 *	  superseded rows.  Free segments and the list of sealed batches are guarded
 *	  by the pipeline's spinlock, held for a few instructions per segment.
 */
#ifndef DBMAZZ_QUEUE_H
#define DBMAZZ_QUEUE_H

#include "access/xlogdefs.h"
#include "core/batch.h"
#include "shmem.h"

typedef enum DbmazzBatchState
{
	DBMAZZ_BATCH_FREE = 0,
	DBMAZZ_BATCH_FILLING,
	DBMAZZ_BATCH_READY,
	DBMAZZ_BATCH_SHIPPING
} DbmazzBatchState;

typedef enum DbmazzBatchKind
{
	DBMAZZ_BATCH_ROWS = 0,
	DBMAZZ_BATCH_REREAD,		/* rows of core/keyrow.h: the shipper reads them
								 * in the table */
	DBMAZZ_BATCH_STOP,			/* one row with a DbmazzError: the table must
								 * stop here */
	DBMAZZ_BATCH_UNFIT,			/* a row that cannot be sent, as
								 * dbmazz_json_keep() makes it, and one with the
								 * DbmazzError that says why */
	DBMAZZ_BATCH_TRUNCATE,		/* no rows: the target is emptied here */
	DBMAZZ_BATCH_REPLAY			/* none in the pool: the shipper sends dead keys
								 * again */
} DbmazzBatchKind;

/* About a batch; written by its owner of the moment. */
typedef struct DbmazzBatch
{
	pg_atomic_uint32 state;		/* DbmazzBatchState */
	pg_atomic_uint32 generation;	/* raised when the batch is freed */
	pg_atomic_uint64 waits_until;	/* while FILLING: a TimestampTz, until then
									 * only the budget keeps it; or 0 */
	uint32		owner;			/* index of the pipeline; registry lock */
	uint32		next_ready;		/* spinlock of the pipeline */
	DbmazzBatchKind kind;
	uint32		relid;
	uint32		nrows;
	uint32		nsegments;
	bool		ends_group;		/* the last of its group; set before READY is */
	uint64		nbytes;
	XLogRecPtr	first_commit_lsn;	/* set before FILLING is */
	XLogRecPtr	last_commit_lsn;
	uint32		last_sequence;	/* of the last row, or of a TRUNCATE, in that
								 * transaction; set before READY is */
	TimestampTz first_commit_time;
	TimestampTz last_commit_time;
} DbmazzBatch;

extern Size dbmazz_queue_shmem_size(void);
extern void dbmazz_queue_shmem_startup(void);

/* The pool and a batch's record. */
extern char *dbmazz_queue_pool(void);
extern DbmazzBatch *dbmazz_queue_batch(uint32 head);
extern uint32 dbmazz_queue_total_segments(void);

/*
 * Give the pipeline 'nsegments' of the pool, all free; false if there are not
 * as many left.  Caller must hold the registry lock exclusively.
 */
extern bool dbmazz_queue_reserve(DbmazzPipeline *p, uint32 nsegments);

/* Take them all back.  Same lock; no worker of the pipeline may be alive. */
extern void dbmazz_queue_release(DbmazzPipeline *p);

/* ---- decoder ------------------------------------------------------------ */

/* A free segment, or DBMAZZ_NO_SEGMENT. */
extern uint32 dbmazz_queue_alloc(DbmazzPipeline *p);
extern uint32 dbmazz_queue_nfree(DbmazzPipeline *p);

/* Free a chain that is not (or no more) part of a batch. */
extern void dbmazz_queue_free_chain(DbmazzPipeline *p, uint32 head);

/* The batch at 'head' exists from now on, and holds back the position. */
extern void dbmazz_queue_open(DbmazzPipeline *p, uint32 head,
							  DbmazzBatchKind kind, uint32 relid,
							  XLogRecPtr first_commit_lsn,
							  TimestampTz first_commit_time);

/* Hand it to the shipper and wake it if it sleeps. */
extern void dbmazz_queue_seal(DbmazzPipeline *p, uint32 head, uint32 nrows,
							  uint32 nsegments, uint64 nbytes,
							  XLogRecPtr last_commit_lsn,
							  TimestampTz last_commit_time);

/* ---- shipper ------------------------------------------------------------ */

/* The oldest sealed batch, now SHIPPING, or DBMAZZ_NO_SEGMENT. */
extern uint32 dbmazz_queue_take(DbmazzPipeline *p);

/* The batch is in the target or dropped: free it, wake a waiting decoder. */
extern void dbmazz_queue_done(DbmazzPipeline *p, uint32 head);

/*
 * Loads of a table beyond the first one of each batch, for the decoder, which
 * counts batches.  Tables may share a counter: it only tells how much has grown.
 */
extern pg_atomic_uint32 *dbmazz_queue_extra_loads(DbmazzPipeline *p,
												  uint32 relid);

/*
 * The position (core/watermark.h) from all batches of the pipeline;
 * 'decoded_upto' must have been read before the call.  '*oldest' gets the commit
 * time of the oldest change that is under way, or 0.
 */
extern XLogRecPtr dbmazz_queue_position(DbmazzPipeline *p,
										XLogRecPtr decoded_upto,
										XLogRecPtr previous,
										TimestampTz *oldest);

/* The same at this moment, for any process: wait_for and the views. */
extern XLogRecPtr dbmazz_queue_position_now(DbmazzPipeline *p,
											TimestampTz *oldest);

/*
 * The smallest first_commit_lsn of a table's batches, those that are being
 * filled included: of several column sets, the batch that was sealed first need
 * not be the one that was opened first.
 */
extern XLogRecPtr dbmazz_queue_first_commit(DbmazzPipeline *p, uint32 relid);

/* What is buffered now, for the views. */
typedef struct DbmazzQueueUsage
{
	uint32		batches;
	uint64		rows;			/* of sealed batches */
	uint64		bytes;			/* segments in use */
} DbmazzQueueUsage;

extern void dbmazz_queue_usage(DbmazzPipeline *p, DbmazzQueueUsage *usage);

/* A table that has rows in a batch that waits for the budget. */
typedef struct DbmazzBudgetWait
{
	uint32		relid;
	TimestampTz until;
} DbmazzBudgetWait;

/*
 * Those that wait at 'now', one for each batch.  Returns how many there are, which
 * is dbmazz_queue_total_segments() at most.  Caller must hold the registry lock.
 */
extern uint32 dbmazz_queue_budget_waits(DbmazzPipeline *p, TimestampTz now,
										DbmazzBudgetWait *waits);

#endif							/* DBMAZZ_QUEUE_H */
