/*
 * names.h
 *		Names that cannot be those of a target.
 */
#ifndef DBMAZZ_SR_NAMES_H
#define DBMAZZ_SR_NAMES_H

#include <stdbool.h>

#include "core/error.h"

/* Can loads into a table of this name be asked for?  False: *err says why not. */
extern bool dbmazz_sr_check_table_name(const char *name, DbmazzError *err);

/* Can a column of the table have this name?  False: *err says why not. */
extern bool dbmazz_sr_check_column_name(const char *table, const char *name,
										DbmazzError *err);

/* Can a table have columns of both names?  False: *err says why not. */
extern bool dbmazz_sr_check_two_names(const char *table, const char *one,
									  const char *other, DbmazzError *err);

/*
 * Complete the hint of these where rows are to be sent: they came under that name,
 * and come again under it.
 */
extern void dbmazz_sr_hint_row_name(DbmazzError *err);

#endif							/* DBMAZZ_SR_NAMES_H */
