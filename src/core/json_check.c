/*
 * json_check.c
 *		Finds what StarRocks refuses in a document that PostgreSQL took.
 */
#include "core/json_check.h"

#include <string.h>

#include "core/encode_json.h"
#include "core/json_scan.h"

#define NO_CHARACTER		"\\uFFFD"
#define LARGEST				"1.7976931348623157e308"
#define SMALLEST			"-1.7976931348623157e308"

/* The largest integers of 64 bits, without and with a sign. */
#define UINT64_TEXT			"18446744073709551615"
#define INT64_TEXT			"9223372036854775808"

/* From here on, with the exponent 308, a number rounds to infinity. */
#define DOUBLE_TEXT			"17976931348623158"
#define DOUBLE_EXPONENT		308

/* ---- the quick look --------------------------------------------------- */

#ifdef DBMAZZ_SSE2

#define LOOK				16	/* bytes that one look takes in */

static inline unsigned int
equal_mask(__m128i v, char c)
{
	return (unsigned int) _mm_movemask_epi8(_mm_cmpeq_epi8(v,
														   _mm_set1_epi8(c)));
}

/*
 * Does a block look like a part of a flaw: "\u", the exponent of a number, or
 * eight digits in a row?  The first byte is the lowest bit of a mask.
 */
static inline bool
is_suspect(const char *p)
{
	__m128i		v = _mm_loadu_si128((const __m128i *) p);
	__m128i		low = _mm_or_si128(v, _mm_set1_epi8(0x20));
	__m128i		beyond = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	unsigned int digits =
		(unsigned int) _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(beyond,
																	 _mm_set1_epi8(9)),
														beyond));
	unsigned int run = digits & (digits >> 1);

	run &= run >> 2;
	run &= run >> 4;
	return (run | (digits & (equal_mask(low, 'e') >> 1)) |
			(equal_mask(v, '\\') & (equal_mask(v, 'u') >> 1))) != 0;
}

#else

#define LOOK				8

/* The upper bit of every byte of 'v' that is 'c'; exact. */
static inline uint64_t
bytes_equal(uint64_t v, unsigned char c)
{
	uint64_t	d = v ^ DBMAZZ_EACH_BYTE(c);
	uint64_t	low = (d & DBMAZZ_EACH_BYTE(0x7F)) + DBMAZZ_EACH_BYTE(0x7F);

	return ~(low | d) & DBMAZZ_EACH_BYTE(0x80);
}

/* The same for digits. */
static inline uint64_t
bytes_digits(uint64_t v)
{
	uint64_t	d = v ^ DBMAZZ_EACH_BYTE('0');
	uint64_t	low = (d & DBMAZZ_EACH_BYTE(0x7F)) +
		DBMAZZ_EACH_BYTE(0x80 - 10);

	return ~(low | d) & DBMAZZ_EACH_BYTE(0x80);
}

/* The same in a general register. */
static inline bool
is_suspect(const char *p)
{
	uint64_t	v = dbmazz_load64(p);
	uint64_t	digits;
	uint64_t	escape;
	uint64_t	exponent;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);	/* the byte that follows is the higher one */
#endif
	digits = bytes_digits(v);
	escape = bytes_equal(v, '\\') & (bytes_equal(v, 'u') >> 8);
	exponent = digits & (bytes_equal(v | DBMAZZ_EACH_BYTE(0x20), 'e') >> 8);
	return (escape | exponent) != 0 || digits == DBMAZZ_EACH_BYTE(0x80);
}

#endif

/*
 * Looks overlap by a byte, so that no pair is missed; of a number of 19 digits
 * one of them sees eight.  Nesting takes two bytes a level.
 */
bool
dbmazz_json_is_harmless(const char *data, size_t len)
{
	char		last[LOOK] = {0};
	size_t		i;

	if (len > 2 * DBMAZZ_JSON_DEPTH)
		return false;
	for (i = 0; i + LOOK <= len; i += LOOK - 1)
	{
		if (is_suspect(data + i))
			return false;
	}
	if (i > 0 && i < len)
		return !is_suspect(data + len - LOOK);
	memcpy(last, data + i, len - i);
	return !is_suspect(last);
}

/* ---- the exact look --------------------------------------------------- */

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') < 10;
}

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code of \uXXXX at 'p'; -1 if there is none. */
static int
unicode_escape(const char *p, const char *end)
{
	int			code = 0;
	int			i;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++)
	{
		int			digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

/*
 * A backslash: step over what belongs to it.  True if that is an escape that
 * is no character.
 */
static bool
walk_escape(DbmazzJsonWalk *walk, DbmazzJsonFlaw *flaw)
{
	const char *p = walk->pos;
	int			code = unicode_escape(p, walk->end);
	bool		is_high = code >= 0xD800 && code <= 0xDBFF;

	if (code < 0)
	{
		walk->pos += walk->end - p < 2 ? 1 : 2;
		return false;
	}
	walk->pos += 6;
	if (is_high)
	{
		int			low = unicode_escape(walk->pos, walk->end);

		if (low >= 0xDC00 && low <= 0xDFFF)
		{
			walk->pos += 6;
			return false;
		}
	}
	if (!is_high && code != 0 && (code < 0xDC00 || code > 0xDFFF))
		return false;
	flaw->kind = DBMAZZ_JSON_BAD_ESCAPE;
	flaw->start = p;
	flaw->len = 6;
	flaw->instead = NO_CHARACTER;
	return true;
}

/* Is the number with these digits larger than 'limit' allows? */
static bool
is_beyond(const char *digits, size_t n, const char *limit)
{
	size_t		len = strlen(limit);

	return n > len || (n == len && memcmp(digits, limit, len) > 0);
}

/* An exponent, as far as it matters. */
static long
read_exponent(const char *p, const char *end)
{
	bool		negative = p < end && *p == '-';
	long		value = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end && is_digit(*p); p++)
	{
		if (value < 100000000)
			value = value * 10 + (*p - '0');
	}
	return negative ? -value : value;
}

/*
 * Is a number with a fraction or an exponent beyond DOUBLE?  'exponent' is the
 * one that is written.
 */
static bool
is_beyond_double(const char *p, const char *end, long exponent)
{
	char		digits[sizeof(DOUBLE_TEXT) - 1];
	size_t		n = 0;
	long		magnitude = 0;	/* exponent of the first digit that counts */
	bool		in_fraction = false;

	for (; p < end && (is_digit(*p) || *p == '.'); p++)
	{
		if (*p == '.')
		{
			in_fraction = true;
			continue;
		}
		if (n == 0 && *p == '0')
		{
			magnitude -= in_fraction;
			continue;
		}
		if (n > 0 && !in_fraction)
			magnitude++;
		else if (n == 0 && in_fraction)
			magnitude--;
		if (n < sizeof(digits))
			digits[n++] = *p;
	}
	if (n == 0)
		return false;
	while (n < sizeof(digits))
		digits[n++] = '0';
	magnitude += exponent;
	return magnitude > DOUBLE_EXPONENT ||
		(magnitude == DOUBLE_EXPONENT &&
		 memcmp(digits, DOUBLE_TEXT, sizeof(digits)) >= 0);
}

/* Step over a number.  True if it is one that StarRocks cannot take. */
static bool
walk_number(DbmazzJsonWalk *walk, DbmazzJsonFlaw *flaw)
{
	const char *start = walk->pos;
	bool		negative = *start == '-';
	const char *digits = start + negative;
	const char *p = digits;
	const char *mantissa;
	long		exponent = 0;

	while (p < walk->end && (is_digit(*p) || *p == '.'))
		p++;
	mantissa = p;
	if (p < walk->end && (*p == 'e' || *p == 'E'))
	{
		exponent = read_exponent(++p, walk->end);
		while (p < walk->end && (is_digit(*p) || *p == '-' || *p == '+'))
			p++;
	}
	walk->pos = p;
	flaw->kind = DBMAZZ_JSON_BAD_NUMBER;
	if (is_beyond_double(digits, mantissa, exponent))
	{
		flaw->start = start;
		flaw->len = (size_t) (p - start);
		flaw->instead = negative ? SMALLEST : LARGEST;
		return true;
	}
	if (p != mantissa ||
		memchr(digits, '.', (size_t) (mantissa - digits)) != NULL ||
		!is_beyond(digits, (size_t) (p - digits),
				   negative ? INT64_TEXT : UINT64_TEXT))
		return false;
	/* with a fraction it is a DOUBLE, and the nearest one */
	flaw->start = p;
	flaw->len = 0;
	flaw->instead = ".0";
	return true;
}

void
dbmazz_json_walk(DbmazzJsonWalk *walk, const char *data, size_t len)
{
	walk->pos = data;
	walk->end = data + len;
	walk->depth = 0;
	walk->in_string = false;
}

/* One byte outside of strings. */
static bool
walk_outside(DbmazzJsonWalk *walk, DbmazzJsonFlaw *flaw)
{
	char		c = *walk->pos;

	if (is_digit(c) || c == '-')
		return walk_number(walk, flaw);
	walk->pos++;
	if (c == '"')
		walk->in_string = true;
	else if (c == ']' || c == '}')
		walk->depth--;
	else if ((c == '[' || c == '{') && ++walk->depth > DBMAZZ_JSON_DEPTH)
	{
		flaw->kind = DBMAZZ_JSON_TOO_DEEP;
		flaw->start = walk->pos - 1;
		flaw->len = 1;
		flaw->instead = NULL;
		return true;
	}
	return false;
}

DbmazzJsonFlawKind
dbmazz_json_next_flaw(DbmazzJsonWalk *walk, DbmazzJsonFlaw *flaw)
{
	while (walk->pos < walk->end)
	{
		if (!walk->in_string)
		{
			if (walk_outside(walk, flaw))
				return flaw->kind;
			continue;
		}
		walk->pos += dbmazz_json_scan(walk->pos,
									  (size_t) (walk->end - walk->pos));
		if (walk->pos == walk->end)
			break;
		if (*walk->pos != '\\')
			walk->in_string = *walk->pos++ != '"';
		else if (walk_escape(walk, flaw))
			return flaw->kind;
	}
	flaw->kind = DBMAZZ_JSON_FLAWLESS;
	return flaw->kind;
}
