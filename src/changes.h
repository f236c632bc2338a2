/*
 * changes.h
 *		From pgoutput's messages to rows in batches.
 */
#ifndef DBMAZZ_CHANGES_H
#define DBMAZZ_CHANGES_H

#include "batcher.h"
#include "relation.h"

typedef struct DbmazzChanges DbmazzChanges;

extern DbmazzChanges *dbmazz_changes_create(MemoryContext parent,
											DbmazzPipeline *p,
											DbmazzRelations *relations,
											DbmazzBatcher *batcher);

/*
 * A transaction begins; its edges are not taken from pgoutput's messages, which
 * leave them out where nothing went through pgoutput.  'commit_lsn' is the start
 * of the commit record.
 */
extern void dbmazz_changes_begin(DbmazzChanges *changes,
								 XLogRecPtr commit_lsn,
								 TimestampTz commit_time, TransactionId xid);
extern void dbmazz_changes_commit(DbmazzChanges *changes);

/*
 * Take the change that has been put into the parser, as one that a message
 * brought.
 */
extern DbmazzParser *dbmazz_changes_parser(DbmazzChanges *changes);
extern void dbmazz_changes_change(DbmazzChanges *changes, uint64 number);

/*
 * Take one message, as pgoutput wrote it for the record at 'lsn'; 'number' as in
 * decoder.h.  Runs inside decoding callbacks; may wait for buffer space; may longjmp
 * (malformed message: ERRCODE_DATA_CORRUPTED with the byte's offset).
 */
extern void dbmazz_changes_message(DbmazzChanges *changes, XLogRecPtr lsn,
								   uint64 number,
								   const char *data, Size len);

/* Has a transaction with rows ended since the last call? */
extern bool dbmazz_changes_committed(DbmazzChanges *changes);

#endif							/* DBMAZZ_CHANGES_H */
