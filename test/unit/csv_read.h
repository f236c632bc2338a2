/*
 * csv_read.h
 *		A reader of CSV as strict as can be, for tests.
 */
#ifndef DBMAZZ_CSV_READ_H
#define DBMAZZ_CSV_READ_H

#include "helpers.h"

/*
 * Read a field that begins at 'p': its content replaces that of 'field'.
 * Returns what is behind the separator or the line's end, '*is_last' telling
 * which; NULL if it is not of the form that we write: a '"' in a bare field, or
 * anything behind an enclosed one, or no end.
 */
extern const char *csv_read(const char *p, const char *end, Buffer *field,
							bool *is_last);

#endif							/* DBMAZZ_CSV_READ_H */
