/*
 * catalog_dead.h
 *		Rows that a target did not take: dbmazz.dead_letter.
 *
 * NOTES
 *	  As catalog.h: inside the caller's transaction, may longjmp, results in the
 *	  context that was current at the call.  Texts are UTF-8.
 */
#ifndef DBMAZZ_CATALOG_DEAD_H
#define DBMAZZ_CATALOG_DEAD_H

#include "catalog.h"

typedef struct DbmazzDeadLetter
{
	char	   *target;
	Oid			relid;
	char	   *source;			/* schema.table */
	XLogRecPtr	lsn;			/* these two name the row, as in a batch's */
	uint32		sequence;		/* directory */
	char		op;				/* DbmazzRowOp */
	char	   *key;			/* core/rowtext.h; NULL: the table has none */
	char	   *row;			/* likewise; NULL: no values are known */
	const DbmazzError *error;	/* NULL: it follows another letter of its key */
} DbmazzDeadLetter;

/*
 * Enter a letter.  False if the row was entered before.  A row whose text jsonb
 * does not take is entered as a string, or without values.
 */
extern bool dbmazz_catalog_add_dead_letter(int32 id,
										   const DbmazzDeadLetter *letter);

/*
 * All letters of a pipeline, the oldest first, with target, key, lsn and sequence
 * only: List of DbmazzDeadLetter.  Those from before a repair are in front of all
 * that can come: their LSN is 0.
 */
extern List *dbmazz_catalog_dead_keys(int32 id);

/* Those of a target are obsolete. */
extern void dbmazz_catalog_remove_dead_letters(int32 id, const char *target);

/* ---- rows that are skipped -------------------------------------------------- */

/* The row at which a table has stopped. */
typedef struct DbmazzStoppedRow
{
	XLogRecPtr	lsn;			/* of its commit; Invalid: it was no row */
	char	   *error;			/* in the database's encoding, not NULL */
	char	   *detail;			/* likewise */
} DbmazzStoppedRow;

/* False if the table has not stopped.  'target' as the database has it. */
extern bool dbmazz_catalog_stopped_row(int32 id, const char *target,
									   DbmazzStoppedRow *row);

/* Never send that row; 'user' said so. */
extern void dbmazz_catalog_skip_row(int32 id, const char *target, Oid user);

typedef struct DbmazzSkippedRow
{
	char	   *target;			/* UTF-8 */
	XLogRecPtr	lsn;
	uint32		sequence;
} DbmazzSkippedRow;

/* Those that a stream from 'lsn' on may meet: List of DbmazzSkippedRow. */
extern List *dbmazz_catalog_skipped_rows(int32 id, XLogRecPtr lsn);

/* ---- letters that are to be sent again -------------------------------------- */

/*
 * Ask for that: those of a target (as the database has it), or all (NULL).
 * Returns the number of letters; '*nkeyless' are those that cannot be, for they
 * are of change logs.
 */
extern int64 dbmazz_catalog_request_replay(int32 id, const char *target,
										   int64 *nkeyless);

typedef struct DbmazzReplayRequest
{
	char	   *target;			/* UTF-8 */
	int64		id;				/* of the newest */
} DbmazzReplayRequest;

/* What has been asked for: List of DbmazzReplayRequest, one for each target. */
extern List *dbmazz_catalog_replay_requests(int32 id);

/* They wait for that, or for nothing (NULL). */
extern void dbmazz_catalog_replay_waits(int32 id, const char *target,
										const char *for_what);

/* The requests up to that one are done with. */
extern void dbmazz_catalog_end_replay(int32 id,
									  const DbmazzReplayRequest *request);

/* A dead key, and the newest of its letters. */
typedef struct DbmazzReplayKey
{
	char	   *text;			/* as in DbmazzDeadLetter */
	bool		is_insert;
	XLogRecPtr	lsn;
	uint32		sequence;
	char	  **values;			/* of the 'ncolumns' columns; NULL: not there */
} DbmazzReplayKey;

/* The table of the newest letter with a key; InvalidOid: there is none. */
extern Oid	dbmazz_catalog_replay_table(int32 id, const char *target);

/* All dead keys of a target, with these columns: List of DbmazzReplayKey. */
extern List *dbmazz_catalog_replay_keys(int32 id, const char *target,
										int ncolumns, const char **columns);

/* The letters of these keys have been replayed.  Returns how many there were. */
extern uint64 dbmazz_catalog_remove_replayed(int32 id, const char *target,
											 List *keys);

/* The row of a key was rejected once more: so says its newest letter. */
extern void dbmazz_catalog_rejected_again(int32 id, const char *target,
										  const char *key,
										  const DbmazzError *error);

#endif							/* DBMAZZ_CATALOG_DEAD_H */
