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

/*
 * Bytes of numbers that are no flaws: an integer, which has 19 digits, or 18 and
 * a sign; one with a fraction, and the digits of its exponent.
 */
#define SHORT_INTEGER		19
#define SHORT_NUMBER		200
#define SHORT_EXPONENT		2

/* From here on, with the exponent 308, a number rounds to infinity. */
#define DOUBLE_TEXT			"17976931348623158"
#define DOUBLE_EXPONENT		308

/* ---- the quick look --------------------------------------------------- */

/*
 * Where a block looks like a part of a flaw: at "\u", at the digit before an
 * exponent, at eight digits in a row.
 */
static inline uint64_t
suspects(DbmazzBlock block)
{
	uint64_t	digits = dbmazz_block_digits(block);
	uint64_t	run = digits & (digits >> DBMAZZ_BLOCK_BITS);
	uint64_t	exponent = dbmazz_block_either(block, 'e');
	uint64_t	escape = dbmazz_block_equal(block, 'u');

	run &= run >> 2 * DBMAZZ_BLOCK_BITS;
	run &= run >> 4 * DBMAZZ_BLOCK_BITS;
	exponent = digits & (exponent >> DBMAZZ_BLOCK_BITS);
	escape = dbmazz_block_equal(block, '\\') & (escape >> DBMAZZ_BLOCK_BITS);
	return run | exponent | escape;
}

/* A mask without the first byte in it. */
static inline uint64_t
without_first(uint64_t found)
{
	const uint64_t each = (UINT64_C(1) << DBMAZZ_BLOCK_BITS) - 1;

	return found & ~(each << dbmazz_found_first(found) * DBMAZZ_BLOCK_BITS);
}

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') < 10;
}

static inline bool
is_of_number(char c)
{
	return is_digit(c) || c == '.' || c == '-' || c == '+' || (c | 0x20) == 'e';
}

/* May a number begin behind, or end before this byte? */
static inline bool
is_around_number(char c)
{
	return c == ' ' || c == ',' || c == ':' || c == '[' || c == ']' ||
		c == '}' || c == '\n' || c == '\t' || c == '\r';
}

/*
 * The digits at 'p' are part of a word of the bytes that numbers have; sets where
 * it ends.  Most such words are in strings: identifiers, times, hashes.
 */
static bool
is_harmless_word(const char *begin, const char *p, const char *end,
				 const char **word_end)
{
	const char *start = p;
	const char *exponent = NULL;
	bool		has_point = false;
	size_t		n;

	while (start > begin && is_of_number(start[-1]))
		start--;
	for (p = start; p < end && is_of_number(*p); p++)
	{
		has_point |= *p == '.';
		if ((*p | 0x20) == 'e')
			exponent = p;
	}
	*word_end = p;
	if ((start > begin && !is_around_number(start[-1])) ||
		(p < end && !is_around_number(*p)))
		return true;
	n = (size_t) (p - start);
	if (exponent == NULL)
		return n <= (has_point ? SHORT_NUMBER : SHORT_INTEGER);
	exponent++;
	if (exponent < p && !is_digit(*exponent))
		exponent++;				/* its sign */
	return n <= SHORT_NUMBER && p - exponent <= SHORT_EXPONENT;
}

/* "\u" that gives a character which is one by itself. */
static inline bool
is_harmless_escape(const char *p, const char *end)
{
	return end - p >= 6 && (p[2] | 0x20) != 'd' &&
		(p[2] != '0' || p[3] != '0' || p[4] != '0' || p[5] != '0');
}

/* All that is suspect in a block at 'p'; words up to '*word_end' were looked at. */
static bool
is_harmless_block(const char *begin, const char *p, const char *end,
				  uint64_t found, const char **word_end)
{
	for (; found != 0; found = without_first(found))
	{
		size_t		i = dbmazz_found_first(found);

		if (p[i] == '\\')
		{
			if (!is_harmless_escape(p + i, end))
				return false;
		}
		else if (p + i >= *word_end &&
				 !is_harmless_word(begin, p + i, end, word_end))
			return false;
	}
	return true;
}

/* Has it so many brackets that it may be nested too deeply? */
static bool
may_be_deep(const char *data, size_t len)
{
	size_t		nopen = 0;
	size_t		i;

	for (i = 0; i + DBMAZZ_BLOCK <= len; i += DBMAZZ_BLOCK)
	{
		uint64_t	open = dbmazz_block_either(dbmazz_block_load(data + i),
											   '{');

		for (; open != 0; open = without_first(open))
			nopen++;
	}
	for (; i < len; i++)
		nopen += (data[i] | 0x20) == '{';
	return nopen > DBMAZZ_JSON_DEPTH;
}

/*
 * Looks overlap by a byte, so that no pair is missed; of a number of 19 digits
 * one of them sees eight.  Nesting takes two bytes a level.
 */
bool
dbmazz_json_is_harmless(const char *data, size_t len)
{
	const char *end = data + len;
	const char *word_end = data;
	const char *p = data;
	char		last[DBMAZZ_BLOCK] = {0};
	uint64_t	found;

	if (len > 2 * DBMAZZ_JSON_DEPTH && may_be_deep(data, len))
		return false;
	for (; end - p >= DBMAZZ_BLOCK; p += DBMAZZ_BLOCK - 1)
	{
		found = suspects(dbmazz_block_load(p));
		if (__builtin_expect(found != 0, 0) &&
			!is_harmless_block(data, p, end, found, &word_end))
			return false;
	}
	if (p > data && p < end)
	{
		p = end - DBMAZZ_BLOCK;
		found = suspects(dbmazz_block_load(p));
	}
	else
	{
		memcpy(last, p, (size_t) (end - p));
		found = suspects(dbmazz_block_load(last));
	}
	return found == 0 || is_harmless_block(data, p, end, found, &word_end);
}

/* ---- the exact look --------------------------------------------------- */

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
