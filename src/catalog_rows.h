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
 *
 * Rows outside of the publication's row filter are left out, as it is now.
 */
extern DbmazzReaderState dbmazz_catalog_rows_begin(const DbmazzTableDesc *desc,
												   const char *publication,
												   bool *has,
												   DbmazzRowReader **reader,
												   DbmazzError *err);

/*
 * Read the row whose key is in 'tuple' (texts as pgoutput gave them, in UTF-8):
 * fills in the columns that are there, the key included, in the encoding of the
 * database and in the caller's memory context.  False if there is no such row.
 */
extern bool dbmazz_catalog_rows_read(DbmazzRowReader *reader,
									 DbmazzTuple *tuple);

extern void dbmazz_catalog_rows_end(DbmazzRowReader *reader);

#endif							/* DBMAZZ_CATALOG_ROWS_H */
