/*
 * rows.c
 *		Counts and sums up the rows of a JSON body while it arrives.
 *
 * NOTES
 *	  64 bytes become four bit masks: quotes, backslashes, opening and closing
 *	  braces (brackets count as braces).  The quotes that are not escaped give
 *	  the mask of bytes inside strings by a running XOR; what is left of the
 *	  braces outside of strings is walked bit by bit, which is two steps for a
 *	  narrow row.
 */
#include "rows.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define BH_HAVE_AVX2	1
#endif

#define BLOCK	64

typedef struct Masks
{
	uint64_t	quote;
	uint64_t	backslash;
	uint64_t	open;
	uint64_t	close;
} Masks;

typedef void (*ScanFn) (BhRows *rows, const char *buf, size_t to);

static ScanFn scan;
static const char *variant;

void
bh_rows_init(BhRows *rows, BhRowFn fn, void *arg)
{
	memset(rows, 0, sizeof(*rows));
	rows->base = -1;
	rows->fn = fn;
	rows->arg = arg;
}

size_t
bh_rows_keep(const BhRows *rows)
{
	if (rows->base >= 0 && rows->depth > rows->base)
		return rows->row_start;
	return rows->scanned;
}

void
bh_rows_forget(BhRows *rows, size_t n)
{
	rows->scanned -= n;
	rows->row_start = rows->row_start >= n ? rows->row_start - n : 0;
}

bool
bh_rows_complete(const BhRows *rows)
{
	if (rows->broken || rows->in_string || rows->base < 0)
		return false;
	return rows->depth == 0;
}

/* ---- hash ------------------------------------------------------------- */

static inline uint64_t
load64(const char *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Both halves of the product, folded: every bit depends on every input bit. */
static inline uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned	__int128 product = (unsigned __int128) a * b;

	return (uint64_t) product ^ (uint64_t) (product >> 64);
}

uint64_t
bh_row_hash(const char *row, size_t len)
{
	const uint64_t k1 = UINT64_C(0x9e3779b97f4a7c15);
	const uint64_t k2 = UINT64_C(0xd1b54a32d192ed03);
	uint64_t	hash = k2 ^ len;
	size_t		left = len;
	char		tail[16] = {0};

	for (; left >= 16; row += 16, left -= 16)
		hash = fold(load64(row) ^ k1, load64(row + 8) ^ hash);
	memcpy(tail, row, left);
	hash = fold(load64(tail) ^ k1, load64(tail + 8) ^ hash);
	return fold(hash ^ k2, k1);
}

/* ---- structure -------------------------------------------------------- */

void
bh_row_done(BhRows *rows, const char *buf, size_t end)
{
	const char *row = buf + rows->row_start;
	size_t		len = end - rows->row_start;

	rows->rows++;
	rows->checksum += bh_row_hash(row, len);
	if (rows->fn)
		rows->fn(rows->arg, row, len);
}

/* A brace opens at the depth of rows or outside of them. */
static void
row_opens(BhRows *rows, const char *buf, size_t pos)
{
	if (rows->closed || (rows->depth == rows->base && buf[pos] != '{'))
		rows->broken = true;
	rows->row_start = pos;
}

/* Walk the braces of one block, which are outside of strings. */
static inline void
walk(BhRows *rows, const char *buf, size_t pos, uint64_t open, uint64_t close)
{
	uint64_t	both = open | close;

	while (both)
	{
		int			i = __builtin_ctzll(both);

		both &= both - 1;
		if ((open >> i) & 1)
		{
			if (rows->depth <= rows->base)
				row_opens(rows, buf, pos + i);
			rows->depth++;
			continue;
		}
		rows->depth--;
		if (rows->depth == rows->base)
			bh_row_done(rows, buf, pos + i + 1);
		else if (rows->depth < rows->base)
		{
			rows->broken |= rows->closed || buf[pos + i] != ']';
			rows->closed = true;
		}
	}
}

/*
 * The bytes that a backslash escapes.  Backslashes are rare, so they are taken
 * one by one.
 */
static inline uint64_t
escaped_bytes(BhRows *rows, uint64_t backslash)
{
	uint64_t	escaped = rows->escaped;

	backslash &= ~escaped;
	rows->escaped = 0;
	while (backslash)
	{
		int			i = __builtin_ctzll(backslash);

		if (i == BLOCK - 1)
		{
			rows->escaped = 1;
			break;
		}
		escaped |= UINT64_C(2) << i;
		backslash &= ~(UINT64_C(3) << i);
	}
	return escaped;
}

/*
 * Move over one block.  'inside' are the bytes within strings, opening quote
 * included, had the block begun outside of one.
 */
static inline void
block_done(BhRows *rows, const char *buf, size_t pos, const Masks *masks,
		   uint64_t inside)
{
	uint64_t	outside = ~(inside ^ rows->in_string);

	rows->in_string = (uint64_t) ((int64_t) ~outside >> (BLOCK - 1));
	if ((masks->open | masks->close) & outside)
		walk(rows, buf, pos, masks->open & outside, masks->close & outside);
}

static inline uint64_t
real_quotes(BhRows *rows, const Masks *masks)
{
	if (__builtin_expect((masks->backslash | rows->escaped) != 0, 0))
		return masks->quote & ~escaped_bytes(rows, masks->backslash);
	return masks->quote;
}

/* ---- portable --------------------------------------------------------- */

static void
masks_scalar(const char *p, Masks *masks)
{
	memset(masks, 0, sizeof(*masks));
	for (int i = 0; i < BLOCK; i++)
	{
		uint64_t	c = (unsigned char) p[i];

		masks->quote |= (uint64_t) (c == '"') << i;
		masks->backslash |= (uint64_t) (c == '\\') << i;
		masks->open |= (uint64_t) ((c | 0x20) == '{') << i;
		masks->close |= (uint64_t) ((c | 0x20) == '}') << i;
	}
}

static uint64_t
prefix_xor(uint64_t x)
{
	for (int shift = 1; shift < BLOCK; shift *= 2)
		x ^= x << shift;
	return x;
}

static void
scan_scalar(BhRows *rows, const char *buf, size_t to)
{
	size_t		pos = rows->scanned;

	for (; pos + BLOCK <= to; pos += BLOCK)
	{
		Masks		masks;

		masks_scalar(buf + pos, &masks);
		block_done(rows, buf, pos, &masks,
				   prefix_xor(real_quotes(rows, &masks)));
	}
	rows->scanned = pos;
}

/* ---- AVX2 ------------------------------------------------------------- */

#ifdef BH_HAVE_AVX2

#define AVX2	__attribute__((target("avx2,pclmul,bmi")))

AVX2 static inline uint64_t
equal(__m256i a, __m256i b, __m256i c)
{
	int			low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(a, c));
	int			high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(b, c));

	return (uint64_t) (uint32_t) high << 32 | (uint32_t) low;
}

AVX2 static void
scan_avx2(BhRows *rows, const char *buf, size_t to)
{
	const		__m256i quote = _mm256_set1_epi8('"');
	const		__m256i backslash = _mm256_set1_epi8('\\');
	const		__m256i open = _mm256_set1_epi8('{');
	const		__m256i close = _mm256_set1_epi8('}');
	const		__m256i fold_case = _mm256_set1_epi8(0x20);
	const		__m128i ones = _mm_set1_epi8((char) 0xff);
	size_t		pos = rows->scanned;

	for (; pos + BLOCK <= to; pos += BLOCK)
	{
		const char *p = buf + pos;
		__m256i		a = _mm256_loadu_si256((const __m256i *) p);
		__m256i		b = _mm256_loadu_si256((const __m256i *) (p + 32));
		__m256i		a2 = _mm256_or_si256(a, fold_case);
		__m256i		b2 = _mm256_or_si256(b, fold_case);
		__m128i		quotes;
		Masks		masks;

		masks.quote = equal(a, b, quote);
		masks.backslash = equal(a, b, backslash);
		masks.open = equal(a2, b2, open);
		masks.close = equal(a2, b2, close);

		/* a carry-less product with all ones is the running XOR */
		quotes = _mm_cvtsi64_si128((long long) real_quotes(rows, &masks));
		quotes = _mm_clmulepi64_si128(quotes, ones, 0);
		block_done(rows, buf, pos, &masks,
				   (uint64_t) _mm_cvtsi128_si64(quotes));
	}
	rows->scanned = pos;
}

#endif							/* BH_HAVE_AVX2 */

/* ---- entry ------------------------------------------------------------ */

static void
choose_scan(void)
{
	scan = scan_scalar;
	variant = "scalar";
#ifdef BH_HAVE_AVX2
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul"))
	{
		scan = scan_avx2;
		variant = "avx2";
	}
#endif
}

void
bh_rows_force_scalar(void)
{
	scan = scan_scalar;
	variant = "scalar";
}

const char *
bh_rows_variant(void)
{
	if (scan == NULL)
		choose_scan();
	return variant;
}

/* What kind of document is it?  Its first byte that is not blank says so. */
static void
find_base(BhRows *rows, const char *buf, size_t len)
{
	size_t		pos = rows->scanned;

	while (pos < len && strchr(" \t\r\n", buf[pos]) && buf[pos] != '\0')
		pos++;
	rows->scanned = pos;
	if (pos == len)
		return;
	rows->base = buf[pos] == '[' ? 1 : 0;
	rows->broken = buf[pos] != '[' && buf[pos] != '{';
	if (rows->base == 1)
	{
		rows->depth = 1;
		rows->scanned++;
	}
}

void
bh_rows_feed(BhRows *rows, const char *buf, size_t len, bool last)
{
	if (scan == NULL)
		choose_scan();
	if (rows->base < 0)
		find_base(rows, buf, len);
	if (rows->base < 0)
		return;
	scan(rows, buf, len);

	if (last && rows->scanned < len)
	{
		char		block[BLOCK];
		size_t		left = len - rows->scanned;
		Masks		masks;

		/* blanks change nothing, so the rest can be filled up with them */
		memset(block, ' ', sizeof(block));
		memcpy(block, buf + rows->scanned, left);
		masks_scalar(block, &masks);
		block_done(rows, buf, rows->scanned, &masks,
				   prefix_xor(real_quotes(rows, &masks)));
		rows->scanned = len;
	}
}
