/*
 * json_scan.c
 *		Finds the first byte of a text that needs an escape in JSON.
 *
 * NOTES
 *	  The variant is chosen by the first call.  The pointer is the only state,
 *	  and every thread or process would store the same value into it.
 */
#include "core/encode_json.h"

#include "core/json_scan.h"

#if defined(__x86_64__) && defined(DBMAZZ_SSE2)
#define HAVE_AVX2_VARIANT
#include <immintrin.h>
#endif

static size_t scan_choose(const char *data, size_t len);

static DbmazzScan scan = scan_choose;

/* Eight bytes at a time in a general register, then byte by byte. */
static size_t
scan_scalar(const char *data, size_t len)
{
	size_t		i = 0;

	for (; len - i >= 8; i += 8)
	{
		uint64_t	mask = dbmazz_word_mask(dbmazz_load64(data + i));

		if (mask != 0)
			return i + dbmazz_word_first(mask);
	}
	while (i < len && !dbmazz_needs_escape((unsigned char) data[i]))
		i++;
	return i;
}

#if DBMAZZ_BLOCK > 8
/*
 * The vectors that every processor of this architecture has.  The last block
 * overlaps the one before it.
 */
static size_t
scan_block(const char *data, size_t len)
{
	size_t		i = 0;
	uint64_t	mask;

	if (len < DBMAZZ_BLOCK)
		return scan_scalar(data, len);
	for (; len - i >= DBMAZZ_BLOCK; i += DBMAZZ_BLOCK)
	{
		mask = dbmazz_block_mask(data + i);
		if (mask != 0)
			return i + dbmazz_block_first(mask);
	}
	i = len - DBMAZZ_BLOCK;
	mask = dbmazz_block_mask(data + i);
	return mask != 0 ? i + dbmazz_block_first(mask) : len;
}
#endif

#ifdef HAVE_AVX2_VARIANT
__attribute__((target("avx2")))
static inline uint32_t
mask_avx2(__m256i v)
{
	__m256i		found;

	found = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1F)), v);
	found = _mm256_or_si256(found,
							_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')));
	found = _mm256_or_si256(found,
							_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
	return (uint32_t) _mm256_movemask_epi8(found);
}

__attribute__((target("avx2")))
static inline __m256i
load_avx2(const char *p)
{
	return _mm256_loadu_si256((const __m256i *) p);
}

__attribute__((target("avx2")))
static size_t
scan_avx2(const char *data, size_t len)
{
	size_t		i = 0;
	uint32_t	mask;

	if (len < 32)
		return scan_block(data, len);
	for (; len - i >= 32; i += 32)
	{
		mask = mask_avx2(load_avx2(data + i));
		if (mask != 0)
			return i + (size_t) __builtin_ctz(mask);
	}
	i = len - 32;
	mask = mask_avx2(load_avx2(data + i));
	return mask != 0 ? i + (size_t) __builtin_ctz(mask) : len;
}
#endif

DbmazzScan
dbmazz_json_scan_variant(const char *name)
{
	if (strcmp(name, "scalar") == 0)
		return scan_scalar;
#if defined(DBMAZZ_SSE2)
	if (strcmp(name, "sse2") == 0)
		return scan_block;
#elif defined(DBMAZZ_NEON)
	if (strcmp(name, "neon") == 0)
		return scan_block;
#endif
#ifdef HAVE_AVX2_VARIANT
	if (strcmp(name, "avx2") == 0)
	{
		__builtin_cpu_init();
		if (__builtin_cpu_supports("avx2"))
			return scan_avx2;
	}
#endif
	return NULL;
}

static size_t
scan_choose(const char *data, size_t len)
{
	static const char *const best_first[] = {"avx2", "sse2", "neon"};
	DbmazzScan	chosen = scan_scalar;
	size_t		i;

	for (i = 0; i < sizeof(best_first) / sizeof(best_first[0]); i++)
	{
		DbmazzScan	variant = dbmazz_json_scan_variant(best_first[i]);

		if (variant != NULL)
		{
			chosen = variant;
			break;
		}
	}
	scan = chosen;
	return chosen(data, len);
}

size_t
dbmazz_json_scan(const char *data, size_t len)
{
	return scan(data, len);
}
