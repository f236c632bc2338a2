/*
 * json_scan.h
 *		Blocks of bytes that are searched for JSON escapes in one step.
 *
 * NOTES
 *	  Private to the encoders.  The vectors here are those of vectors.h, so they
 *	  can be inlined; wider ones are chosen at run time in json_scan.c.
 *
 *	  A mask is zero if the block has no byte that needs an escape; otherwise
 *	  dbmazz_block_first() tells the first one.
 *
 *	  A DbmazzBlock is searched for other bytes.  Its masks have
 *	  DBMAZZ_BLOCK_BITS for each byte, the first byte's the lowest ones; all or
 *	  none of them are set.
 */
#ifndef DBMAZZ_JSON_SCAN_H
#define DBMAZZ_JSON_SCAN_H

#include "core/vectors.h"

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

#define DBMAZZ_BLOCK_BITS	1

typedef __m128i DbmazzBlock;

static inline DbmazzBlock
dbmazz_block_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *) p);
}

static inline uint64_t
dbmazz_block_equal(DbmazzBlock v, char c)
{
	return (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

/* 'c' is a lower case letter or '{': upper case or '[' are found too. */
static inline uint64_t
dbmazz_block_either(DbmazzBlock v, char c)
{
	return dbmazz_block_equal(_mm_or_si128(v, _mm_set1_epi8(0x20)), c);
}

static inline uint64_t
dbmazz_block_digits(DbmazzBlock v)
{
	__m128i		beyond = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	__m128i		least = _mm_min_epu8(beyond, _mm_set1_epi8(9));

	return (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(least, beyond));
}

#elif defined(DBMAZZ_NEON)

#define DBMAZZ_BLOCK	16

/* Four bits for each byte. */
static inline uint64_t
dbmazz_nibbles(uint8x16_t found)
{
	uint8x8_t	nibbles = vshrn_n_u16(vreinterpretq_u16_u8(found), 4);

	return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0);
}

static inline uint64_t
dbmazz_block_mask(const char *p)
{
	uint8x16_t	v = vld1q_u8((const uint8_t *) p);
	uint8x16_t	found = vcltq_u8(v, vdupq_n_u8(0x20));

	found = vorrq_u8(found, vceqq_u8(v, vdupq_n_u8('"')));
	found = vorrq_u8(found, vceqq_u8(v, vdupq_n_u8('\\')));
	return dbmazz_nibbles(found);
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

#define DBMAZZ_BLOCK_BITS	4

typedef uint8x16_t DbmazzBlock;

static inline DbmazzBlock
dbmazz_block_load(const char *p)
{
	return vld1q_u8((const uint8_t *) p);
}

static inline uint64_t
dbmazz_block_equal(DbmazzBlock v, char c)
{
	return dbmazz_nibbles(vceqq_u8(v, vdupq_n_u8((uint8_t) c)));
}

static inline uint64_t
dbmazz_block_either(DbmazzBlock v, char c)
{
	return dbmazz_block_equal(vorrq_u8(v, vdupq_n_u8(0x20)), c);
}

static inline uint64_t
dbmazz_block_digits(DbmazzBlock v)
{
	return dbmazz_nibbles(vcltq_u8(vsubq_u8(v, vdupq_n_u8('0')),
								   vdupq_n_u8(10)));
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

#define DBMAZZ_BLOCK_BITS	8

typedef uint64_t DbmazzBlock;

static inline DbmazzBlock
dbmazz_block_load(const char *p)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(dbmazz_load64(p));
#else
	return dbmazz_load64(p);
#endif
}

/* From the upper bit of each byte, which no carry of a neighbour reaches. */
static inline uint64_t
dbmazz_whole_bytes(uint64_t upper)
{
	upper &= DBMAZZ_EACH_BYTE(0x80);
	return (upper >> 7) * 0xFF;
}

static inline uint64_t
dbmazz_block_equal(DbmazzBlock v, char c)
{
	uint64_t	d = v ^ DBMAZZ_EACH_BYTE((unsigned char) c);
	uint64_t	low = (d & DBMAZZ_EACH_BYTE(0x7F)) + DBMAZZ_EACH_BYTE(0x7F);

	return dbmazz_whole_bytes(~(low | d));
}

static inline uint64_t
dbmazz_block_either(DbmazzBlock v, char c)
{
	return dbmazz_block_equal(v | DBMAZZ_EACH_BYTE(0x20), c);
}

static inline uint64_t
dbmazz_block_digits(DbmazzBlock v)
{
	uint64_t	d = v ^ DBMAZZ_EACH_BYTE('0');
	uint64_t	low = (d & DBMAZZ_EACH_BYTE(0x7F)) +
		DBMAZZ_EACH_BYTE(0x80 - 10);

	return dbmazz_whole_bytes(~(low | d));
}

#endif

/* How far from the begin is the first byte of a mask of a DbmazzBlock? */
static inline size_t
dbmazz_found_first(uint64_t mask)
{
	return (size_t) __builtin_ctzll(mask) / DBMAZZ_BLOCK_BITS;
}

#endif							/* DBMAZZ_JSON_SCAN_H */
