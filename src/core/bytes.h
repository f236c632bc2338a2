/*
 * bytes.h
 *		Spans, big-endian reads and the key hash.
 */
#ifndef DBMAZZ_BYTES_H
#define DBMAZZ_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns; not terminated. */
typedef struct DbmazzSpan
{
	const char *data;
	size_t		len;
} DbmazzSpan;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DBMAZZ_FROM_BIG16(v)	(v)
#define DBMAZZ_FROM_BIG32(v)	(v)
#define DBMAZZ_FROM_BIG64(v)	(v)
#else
#define DBMAZZ_FROM_BIG16(v)	__builtin_bswap16(v)
#define DBMAZZ_FROM_BIG32(v)	__builtin_bswap32(v)
#define DBMAZZ_FROM_BIG64(v)	__builtin_bswap64(v)
#endif

/* Unaligned big-endian reads; the caller has checked the length. */
static inline uint16_t
dbmazz_get_u16(const char *p)
{
	uint16_t	v;

	memcpy(&v, p, sizeof(v));
	return DBMAZZ_FROM_BIG16(v);
}

static inline uint32_t
dbmazz_get_u32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, sizeof(v));
	return DBMAZZ_FROM_BIG32(v);
}

static inline uint64_t
dbmazz_get_u64(const char *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
	return DBMAZZ_FROM_BIG64(v);
}

/*
 * 64-bit hash of some bytes, chained through 'seed'.  Good enough for hash
 * tables whose users compare the bytes as well; not for untrusted collisions.
 */
extern uint64_t dbmazz_hash(const char *data, size_t len, uint64_t seed);

#endif							/* DBMAZZ_BYTES_H */
