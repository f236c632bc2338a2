/*
 * encode_csv.h
 *		Writes rows as lines of CSV into a batch (see batch.h for the form).
 *
 * NOTES
 *	  The plan is that of rowplan.h; only its labels are not used.  What a
 *	  value of a class may be, and what is sent for one that the target cannot
 *	  hold, is the same for both, for the same functions decide it.
 *
 *	  Readers go wrong with escapes, so there is none: a text is enclosed, and
 *	  holds separators and line ends as they are.
 */
#ifndef DBMAZZ_ENCODE_CSV_H
#define DBMAZZ_ENCODE_CSV_H

#include "core/rowplan.h"

/*
 * Can rows of this table be CSV at all?  Not with documents (readers differ
 * about them), nor without a key (there is no operation to end a line with, and
 * a line of one empty field is left out by readers).
 */
extern bool dbmazz_csv_can_hold(const DbmazzTableDesc *desc);

/* Can these values of a row be?  Not the text \N, which is a null there. */
extern bool dbmazz_csv_can_carry(const DbmazzRowPlan *plan,
								 const DbmazzRowSource *source);

/* As dbmazz_json_upsert() and dbmazz_json_delete(), where both are true. */
extern DbmazzStatus dbmazz_csv_upsert(DbmazzBatchWriter *writer,
									  const DbmazzRowPlan *plan,
									  const DbmazzRowSource *source,
									  DbmazzRowKey *key, DbmazzError *err);
extern DbmazzStatus dbmazz_csv_delete(DbmazzBatchWriter *writer,
									  const DbmazzRowPlan *plan,
									  const DbmazzRowSource *source,
									  DbmazzRowKey *key, DbmazzError *err);

#endif							/* DBMAZZ_ENCODE_CSV_H */
