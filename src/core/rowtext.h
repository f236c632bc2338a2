/*
 * rowtext.h
 *		Encoded rows of a batch as JSON objects, for people and catalogs.
 */
#ifndef DBMAZZ_ROWTEXT_H
#define DBMAZZ_ROWTEXT_H

#include <stddef.h>

#include "core/tabledesc.h"

/*
 * Both fill up to 'outlen' bytes, terminated if there are any, and return the
 * length of the whole text without the zero byte.  Never throw.
 *
 * The key of a row, from its 'len' bytes at dbmazz_key_start(), as they are in
 * the row's directory entry.  The same key gives the same text in every encoding
 * and column set.
 */
extern size_t dbmazz_key_text(const DbmazzTableDesc *desc, const char *key,
							  size_t len, char *out, size_t outlen);

/* A whole row, no delete, from all its bytes; one that was JSON has "__op". */
extern size_t dbmazz_row_text(const DbmazzTableDesc *desc, const char *row,
							  size_t len, char *out, size_t outlen);

#endif							/* DBMAZZ_ROWTEXT_H */
