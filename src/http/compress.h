/*
 * compress.h
 *		A body, compressed while it is being read.
 *
 * NOTES
 *	  Pull on both sides: whoever reads the compressed bytes makes as much of
 *	  the plain body be read as that takes, in pieces of one size.  So the same
 *	  body gives the same bytes however large the reader's buffers are, and a
 *	  second reading after a rewind gives those of the first.
 *
 *	  Memory does not depend on the size of the body: about 0.4 MB with gzip,
 *	  1.5 MB with zstd, 0.3 MB with lz4.  No server header, nothing throws.
 */
#ifndef DBMAZZ_COMPRESS_H
#define DBMAZZ_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum DbmazzCompression
{
	DBMAZZ_COMPRESS_NONE,
	DBMAZZ_COMPRESS_GZIP,
	DBMAZZ_COMPRESS_ZSTD,
	DBMAZZ_COMPRESS_LZ4			/* the frame format */
} DbmazzCompression;

/* What a read function returns when it cannot go on. */
#define DBMAZZ_READ_FAILED	SIZE_MAX

/* Fill 'out' wholly unless the body ends; 0 at its end. */
typedef size_t (*DbmazzReadBody) (void *arg, char *out, size_t len);

typedef struct DbmazzCompressor DbmazzCompressor;

/*
 * 'method' is not NONE.  NULL if out of memory.  'arg' must stay valid until
 * the compressor is closed.
 */
extern DbmazzCompressor *dbmazz_compress_open(DbmazzCompression method,
											  DbmazzReadBody read, void *arg);

/*
 * Fill 'out' with up to 'len' bytes; returns how many, 0 at the end, or
 * DBMAZZ_READ_FAILED, which is then returned until the next rewind.
 */
extern size_t dbmazz_compress_read(DbmazzCompressor *compressor, char *out,
								   size_t len);

/* Start again from the first byte; the caller has rewound the plain body. */
extern void dbmazz_compress_rewind(DbmazzCompressor *compressor);

/* NULL is allowed. */
extern void dbmazz_compress_close(DbmazzCompressor *compressor);

#endif							/* DBMAZZ_COMPRESS_H */
