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
 * only: List of DbmazzDeadLetter.
 */
extern List *dbmazz_catalog_dead_keys(int32 id);

/* Those of a target are obsolete. */
extern void dbmazz_catalog_remove_dead_letters(int32 id, const char *target);

#endif							/* DBMAZZ_CATALOG_DEAD_H */
