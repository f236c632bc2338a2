/*
 * encode_private.h
 *		What the encoders of rows share.
 */
#ifndef DBMAZZ_ENCODE_PRIVATE_H
#define DBMAZZ_ENCODE_PRIVATE_H

#include "core/rowplan.h"

#define DBMAZZ_NOINLINE	__attribute__((noinline))

/* Labels are copied in steps of this many bytes, beyond their end. */
#define DBMAZZ_LABEL_STEP	16

/* Longest value that is written without looking for the segment's end. */
#define DBMAZZ_SHORT_VALUE	256

/*
 * Off the fast way: what to write for the value of a column.  '*value' stays,
 * or becomes 'fitted' where the target cannot hold it (fit.h).  In any other
 * case it is an error, and err->column is set.  Never throws.
 */
extern DbmazzStatus dbmazz_row_fit(const DbmazzRowPlan *plan,
								   const DbmazzRowColumn *column,
								   const DbmazzValue **value,
								   DbmazzValue *fitted, DbmazzError *err);

/* dbmazz_row_put() has failed with this status: so says err.  Returns it. */
extern DbmazzStatus dbmazz_row_no_space(DbmazzStatus status,
										DbmazzError *err);

#endif							/* DBMAZZ_ENCODE_PRIVATE_H */
