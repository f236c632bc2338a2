/*
 * guard.h
 *		What the SQL functions do at the end of a transaction, and what may not
 *		be dropped.
 */
#ifndef DBMAZZ_GUARD_H
#define DBMAZZ_GUARD_H

typedef enum DbmazzAtCommit
{
	DBMAZZ_AT_COMMIT_STOP,		/* its life ends */
	DBMAZZ_AT_COMMIT_RESTART,	/* it begins a new life, at once */
	DBMAZZ_AT_COMMIT_RECONFIGURE,	/* its workers read its settings again */
	DBMAZZ_AT_COMMIT_DROP_SLOT	/* its slot goes */
} DbmazzAtCommit;

/* Set the hook that guards the extension.  Called once by _PG_init. */
extern void dbmazz_guard_init(void);

/*
 * Do it if and when this (sub)transaction commits.  'id' is the pipeline's,
 * 'slot' is for DROP_SLOT, else NULL.
 */
extern void dbmazz_guard_at_commit(DbmazzAtCommit what, int id,
								   const char *slot);

/* Has this transaction something to do at its end? */
extern bool dbmazz_guard_pending(void);

/* Has it started or stopped this pipeline? */
extern bool dbmazz_guard_has_switched(int id);

#endif							/* DBMAZZ_GUARD_H */
