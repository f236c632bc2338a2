/*
 * unfit.h
 *		Errors about a value that cannot be sent: which row, which value.
 */
#ifndef DBMAZZ_UNFIT_H
#define DBMAZZ_UNFIT_H

#include "relation.h"

/*
 * 'error' comes from the encoder, or from encoding.h: a reason without names,
 * and in 'column' the column of the set (from 1).  Puts names, key, value and
 * what an operator can do into it; texts that are long are shortened, and what
 * is no UTF-8 is escaped.  Never throws.
 */
extern void dbmazz_unfit_describe(DbmazzError *error,
								  const DbmazzColumnSet *set,
								  const DbmazzRowSource *source,
								  XLogRecPtr final_lsn);

#endif							/* DBMAZZ_UNFIT_H */
