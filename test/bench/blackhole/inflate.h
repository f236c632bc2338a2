/*
 * inflate.h
 *		The plain bytes of a compressed body, piece by piece.
 */
#ifndef BH_INFLATE_H
#define BH_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

typedef struct BhInflate BhInflate;

/*
 * "gzip", "zstd", "lz4" or "lz4_frame", 'len' bytes; NULL for anything else.
 */
extern BhInflate *bh_inflate_open(const char *name, size_t len);

/* Append what comes out of these bytes; false if they make no sense. */
extern bool bh_inflate_feed(BhInflate *inflate, const char *data, size_t len,
							BhBuffer *out);

/* Has the stream come to its end? */
extern bool bh_inflate_complete(const BhInflate *inflate);

/* NULL is allowed. */
extern void bh_inflate_close(BhInflate *inflate);

#endif							/* BH_INFLATE_H */
