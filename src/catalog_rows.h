/*
 * catalog_rows.h
 *		Reads rows of a published table by their key.
 *
 * NOTES
 *	  For changes that came without the values of large columns: the shipper
 *	  reads the rows as they are now, in a short transaction of its own, whose
 *	  snapshot is one for all rows of it.
 *
 *	  The description is that of the change.  The table may have been altered
 *	  since; columns are found by their attribute numbers.
 */
#ifndef DBMAZZ_CATALOG_ROWS_H
#define DBMAZZ_CATALOG_ROWS_H

#include "core/pgoutput.h"
#include "core/tabledesc.h"

typedef struct DbmazzRowReader DbmazzRowReader;

typedef enum DbmazzReaderState
{
	DBMAZZ_READER_READY,
	DBMAZZ_READER_LOCKED,		/* somebody has the table for himself */
	DBMAZZ_READER_GONE,			/* the table was dropped */
	DBMAZZ_READER_CHANGED		/* it has become another one, or may not be
								 * read: 'err' tells */
} DbmazzReaderState;

/*
 * Begin, in the caller's transaction.  From here to the end the process acts as
 * the table's owner, in a restricted operation; an error undoes that with the
 * transaction.  Takes AccessShareLock on the table, but
 * does not wait for it.  Other locks (of partitions, indexes) are waited for, not
 * for long: then ERRCODE_LOCK_NOT_AVAILABLE is raised.  has[i] tells whether
 * column i of the description is still there; columns that are not of the source
 * count as not there.
 */
extern DbmazzReaderState dbmazz_catalog_rows_begin(const DbmazzTableDesc *desc,
												   const char *publication,
												   bool *has,
												   DbmazzRowReader **reader,
												   DbmazzError *err);

typedef enum DbmazzRowState
{
	DBMAZZ_ROW_READ,
	DBMAZZ_ROW_GONE,			/* there is none, or it was moved out of the row
								 * filter that the change came through */
	DBMAZZ_ROW_HIDDEN			/* by another row filter: 'err' tells */
} DbmazzRowState;

/*
 * Read the row whose key is in 'tuple' (texts as pgoutput gave them, in UTF-8):
 * fills in the columns that are there, the key included, in the encoding of the
 * database and in the caller's memory context, if it is DBMAZZ_ROW_READ.
 */
extern DbmazzRowState dbmazz_catalog_rows_read(DbmazzRowReader *reader,
											   DbmazzTuple *tuple,
											   DbmazzError *err);

extern void dbmazz_catalog_rows_end(DbmazzRowReader *reader);

#endif							/* DBMAZZ_CATALOG_ROWS_H */
