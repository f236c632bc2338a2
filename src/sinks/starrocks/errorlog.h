/*
 * errorlog.h
 *		The log of bad rows that a backend keeps (what ErrorURL points to).
 */
#ifndef DBMAZZ_SR_ERRORLOG_H
#define DBMAZZ_SR_ERRORLOG_H

#include "core/tabledesc.h"

typedef struct DbmazzSrBadRow
{
	int			column;			/* of the batch; -1: it is not named */
	bool		is_null;		/* NULL is what it does not take */
} DbmazzSrBadRow;

/*
 * Its lines as text for a message: at most 'outlen' bytes, each with the key of
 * the row if it can be found, and without the row's other values.  'first' is
 * about the first line.  Never throws.
 */
extern void dbmazz_sr_error_log(const char *data, size_t len,
								const DbmazzTableDesc *desc, char *out,
								size_t outlen, DbmazzSrBadRow *first);

#endif							/* DBMAZZ_SR_ERRORLOG_H */
