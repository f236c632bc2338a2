/*
 * json_scan.h
 *		Blocks of bytes that are searched for JSON escapes in one step.
 *
 * NOTES
 *	  Private to the JSON encoder.  The vectors here are those that every
 *	  processor of the architecture has, so they can be inlined; wider ones are
 *	  chosen at run time in json_scan.c.
 *
 *	  A mask is zero if the block has no byte that needs an escape; otherwise
 *	  dbmazz_block_first() tells the first one.
 */
#ifndef DBMAZZ_JSON_SCAN_H
#define DBMAZZ_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* DBMAZZ_NO_VECTORS: for tests of what other architectures get. */
#if defined(__SSE2__) && !defined(DBMAZZ_NO_VECTORS)
#define DBMAZZ_SSE2
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && \
	!defined(DBMAZZ_NO_VECTORS)
#define DBMAZZ_NEON
#include <arm_neon.h>
#endif

#define DBMAZZ_EACH_BYTE(b)	(UINT64_C(0x0101010101010101) * (b))

static inline uint64_t
dbmazz_load64(const char *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
dbmazz_load32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
dbmazz_load16(const char *p)
{
	uint16_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Does this byte need an escape? */
static inline int
dbmazz_needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

/*
 * The same for eight bytes in a general register: 0x80 in every byte that
 * needs an escape, exactly (no carry runs into a neighbour).
 */
static inline uint64_t
dbmazz_word_mask(uint64_t v)
{
	uint64_t	low = v & DBMAZZ_EACH_BYTE(0x7F);
	uint64_t	fine = low + DBMAZZ_EACH_BYTE(0x60);	/* >= 0x20 */

	/* A byte that is not zero gets its upper bit from the addition. */
	fine &= (low ^ DBMAZZ_EACH_BYTE('"')) + DBMAZZ_EACH_BYTE(0x7F);
	fine &= (low ^ DBMAZZ_EACH_BYTE('\\')) + DBMAZZ_EACH_BYTE(0x7F);
	return ~(fine | v) & DBMAZZ_EACH_BYTE(0x80);
}

static inline size_t
dbmazz_word_first(uint64_t mask)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (size_t) __builtin_clzll(mask) >> 3;
#else
	return (size_t) __builtin_ctzll(mask) >> 3;
#endif
}

#if defined(DBMAZZ_SSE2)

#define DBMAZZ_BLOCK	16

/* Bit i: byte i needs an escape. */
static inline uint64_t
dbmazz_vector_mask(__m128i v)
{
	/* unsigned v < 0x20 is the same as min(v, 0x1F) == v */
	__m128i		found;

	found = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
	found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
	found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	return (uint32_t) _mm_movemask_epi8(found);
}

static inline uint64_t
dbmazz_block_mask(const char *p)
{
	return dbmazz_vector_mask(_mm_loadu_si128((const __m128i *) p));
}

static inline size_t
dbmazz_block_first(uint64_t mask)
{
	return (size_t) __builtin_ctzll(mask);
}

/* Is a block made of two words free of escapes? */
static inline int
dbmazz_pair_is_plain(uint64_t a, uint64_t b)
{
	return dbmazz_vector_mask(_mm_set_epi64x((int64_t) b, (int64_t) a)) == 0;
}

#elif defined(DBMAZZ_NEON)

#define DBMAZZ_BLOCK	16

/* Four bits for each byte. */
static inline uint64_t
dbmazz_block_mask(const char *p)
{
	uint8x16_t	v = vld1q_u8((const uint8_t *) p);
	uint8x16_t	found = vcltq_u8(v, vdupq_n_u8(0x20));
	uint8x8_t	nibbles;

	found = vorrq_u8(found, vceqq_u8(v, vdupq_n_u8('"')));
	found = vorrq_u8(found, vceqq_u8(v, vdupq_n_u8('\\')));
	nibbles = vshrn_n_u16(vreinterpretq_u16_u8(found), 4);
	return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0);
}

static inline size_t
dbmazz_block_first(uint64_t mask)
{
	return (size_t) __builtin_ctzll(mask) >> 2;
}

static inline int
dbmazz_pair_is_plain(uint64_t a, uint64_t b)
{
	return (dbmazz_word_mask(a) | dbmazz_word_mask(b)) == 0;
}

#else

#define DBMAZZ_BLOCK	8

static inline uint64_t
dbmazz_block_mask(const char *p)
{
	return dbmazz_word_mask(dbmazz_load64(p));
}

static inline size_t
dbmazz_block_first(uint64_t mask)
{
	return dbmazz_word_first(mask);
}

static inline int
dbmazz_pair_is_plain(uint64_t a, uint64_t b)
{
	return (dbmazz_word_mask(a) | dbmazz_word_mask(b)) == 0;
}

#endif

#endif							/* DBMAZZ_JSON_SCAN_H */
