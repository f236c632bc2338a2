/*
 * keyrow.h
 *		Rows that are to be read again by their key.
 *
 * NOTES
 *	  Such a row holds the values that do not come from the source table's row:
 *	  those of the key columns, and those of columns without an attribute number
 *	  there.  In this form, in the bytes of a batch:
 *
 *		'R', values of the key columns, other values, transaction id (4 bytes)
 *
 *	  and a value is its kind (1 byte), its length (4 bytes, of this machine's
 *	  order) and its bytes, as pgoutput gave them.  So the key begins one byte
 *	  behind the row's first, as in rows that are sent (batch.h).
 */
#ifndef DBMAZZ_KEYROW_H
#define DBMAZZ_KEYROW_H

#include "core/rowplan.h"

/* Is the column's value in the row? */
static inline bool
dbmazz_keyrow_has(const DbmazzColumnDesc *column)
{
	return (column->flags & DBMAZZ_COLUMN_KEY) != 0 || column->attnum == 0;
}

/*
 * Write a row between dbmazz_row_begin() and dbmazz_row_end(); 'plan' is that of
 * 'desc'.  A value that is missing, or a null in the key: DBMAZZ_ERR_MALFORMED,
 * with the column (from 1).  Else as dbmazz_json_upsert().
 */
extern DbmazzStatus dbmazz_keyrow_put(DbmazzBatchWriter *writer,
									  const DbmazzTableDesc *desc,
									  const DbmazzRowPlan *plan,
									  const DbmazzRowSource *source,
									  uint32_t xid, DbmazzRowKey *key,
									  DbmazzError *err);

/*
 * Take a row of 'len' bytes apart.  The values point into it; columns that it
 * does not have become DBMAZZ_VALUE_UNCHANGED.  False if it is malformed.
 */
extern bool dbmazz_keyrow_get(const DbmazzTableDesc *desc, const char *row,
							  size_t len, DbmazzTuple *tuple, uint32_t *xid);

#endif							/* DBMAZZ_KEYROW_H */
