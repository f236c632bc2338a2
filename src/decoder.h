/*
 * decoder.h
 *		The replication slot and the in-process decoding session.
 *
 * NOTES
 *	  No walsender and no connection: the session reads WAL with its own
 *	  page_read, which waits on the process latch.  One session per process, for
 *	  pgoutput keeps static state.
 */
#ifndef DBMAZZ_DECODER_H
#define DBMAZZ_DECODER_H

#include "access/xlogdefs.h"
#include "catalog.h"
#include "datatype/timestamp.h"
#include "replication/reorderbuffer.h"
#include "shmem.h"

/* What the decoder calls. */
typedef struct DbmazzDecoderOps
{
	void	   *arg;

	/*
	 * Edges of a transaction, whatever it holds.  'commit_lsn' is the start of
	 * its commit record.
	 */
	void		(*begin) (void *arg, XLogRecPtr commit_lsn,
						  TimestampTz commit_time, TransactionId xid);
	void		(*commit) (void *arg);

	/*
	 * A change of a row, inside its decoding callback; 'number' as below.  False:
	 * it is to go through pgoutput, of which 'changed' then tells the end.
	 */
	bool		(*change) (void *arg, Relation relation,
						   ReorderBufferChange *change, uint64 number);
	void		(*changed) (void *arg, Relation relation,
							ReorderBufferChange *change);

	/*
	 * One message of pgoutput for the record at 'lsn'; inside a decoding
	 * callback.  'number' is that of the change in its transaction, counting
	 * from 1 what the WAL has, sent or not; it means nothing for other messages.
	 */
	void		(*message) (void *arg, XLogRecPtr lsn, uint64 number,
							const char *data,
							Size len);

	/*
	 * Has a transaction ended since the last call, after which the batches must
	 * be looked at before the next one begins?
	 */
	bool		(*committed) (void *arg);

	/*
	 * Seal what is due; between records, whenever some WAL was decoded, and,
	 * 'at_rest', before each wait for more.  Returns the milliseconds until it
	 * wants to be called again, or -1.
	 */
	long		(*tick) (void *arg, bool at_rest);
} DbmazzDecoderOps;

/*
 * Make the slot, or adopt the one that an interrupted attempt made.  Returns
 * where it begins.  Waits for the transactions that are running (interruptible).
 * Must not be called in a transaction.
 */
extern XLogRecPtr dbmazz_decoder_make_slot(DbmazzPipeline *p,
										   const char *slot, bool may_adopt);

/*
 * Decode from 'start_lsn' on, for ever.  Fails the pipeline if the slot is gone,
 * invalid, or beyond 'checkpoint_lsn'.  May longjmp.
 */
extern void dbmazz_decoder_run(DbmazzPipeline *p, const DbmazzPipelineRow *row,
							   XLogRecPtr start_lsn,
							   XLogRecPtr checkpoint_lsn,
							   const DbmazzDecoderOps *ops);

/* Move the slot to what the checkpoint allows; for waits inside callbacks. */
extern void dbmazz_decoder_confirm(void *p);

#endif							/* DBMAZZ_DECODER_H */
