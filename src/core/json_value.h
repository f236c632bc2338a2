/*
 * json_value.h
 *		Writes single values as JSON, without calls, into enough room.
 *
 * NOTES
 *	  Private to the JSON encoder; a header, so that the loop over the columns
 *	  of a row is one function.  Short values are the rule: they are checked
 *	  eight bytes at a time in general registers and copied as two overlapping
 *	  words, because for them a call of memcpy() costs more than the work.
 *	  Nothing outside of a value is ever read.
 *
 *	  A value that does not have the form its class demands gives NULL; then
 *	  dbmazz_fit() says why, and what is written in its place (fit.h).
 */
#ifndef DBMAZZ_JSON_VALUE_H
#define DBMAZZ_JSON_VALUE_H

#include <stdbool.h>

#include "core/json_check.h"
#include "core/json_scan.h"
#include "core/pgoutput.h"

#define DBMAZZ_ALWAYS_INLINE	inline __attribute__((always_inline))

/* Room that a value of 'len' bytes may need, quotes included. */
#define DBMAZZ_JSON_ROOM(len)	(6 * (size_t) (len) + 8)

/* ---- copies and checks ------------------------------------------------ */

static inline void
dbmazz_copy_short(char *out, const char *p, size_t n)
{
	if (n >= 16)
	{
		if (n > 32)
		{
			memcpy(out, p, n);
			return;
		}
		memcpy(out, p, 16);
		memcpy(out + n - 16, p + n - 16, 16);
	}
	else if (n >= 8)
	{
		memcpy(out, p, 8);
		memcpy(out + n - 8, p + n - 8, 8);
	}
	else if (n >= 4)
	{
		memcpy(out, p, 4);
		memcpy(out + n - 4, p + n - 4, 4);
	}
	else if (n > 0)
	{
		out[0] = p[0];
		out[n >> 1] = p[n >> 1];
		out[n - 1] = p[n - 1];
	}
}

/* Not zero if one of eight bytes is no digit. */
static inline uint64_t
dbmazz_not_digits(uint64_t v)
{
	uint64_t	d = v ^ DBMAZZ_EACH_BYTE('0');

	return ((d + DBMAZZ_EACH_BYTE(0x80 - 10)) | d) & DBMAZZ_EACH_BYTE(0x80);
}

/* Not zero if one of eight bytes is none of 0123456789.- */
static inline uint64_t
dbmazz_not_decimal(uint64_t v)
{
	uint64_t	low = v & DBMAZZ_EACH_BYTE(0x7F);
	uint64_t	fine = low + DBMAZZ_EACH_BYTE(0x80 - '-');

	fine &= ~(low + DBMAZZ_EACH_BYTE(0x7F - '9'));
	fine &= (low ^ DBMAZZ_EACH_BYTE('/')) + DBMAZZ_EACH_BYTE(0x7F);
	return (~fine | v) & DBMAZZ_EACH_BYTE(0x80);
}

/*
 * Do all of 'n' > 0 bytes pass 'check'?  Words overlap at the end; fewer than
 * four bytes are repeated to fill one.
 */
static DBMAZZ_ALWAYS_INLINE bool
dbmazz_all_pass(const char *p, size_t n, uint64_t (*check) (uint64_t))
{
	if (n >= 8)
	{
		uint64_t	bad = check(dbmazz_load64(p + n - 8));
		size_t		i;

		for (i = 0; i + 8 < n; i += 8)
			bad |= check(dbmazz_load64(p + i));
		return bad == 0;
	}
	if (n >= 4)
		return check((uint64_t) dbmazz_load32(p) << 32 |
					 dbmazz_load32(p + n - 4)) == 0;
	return check((unsigned char) p[0] * UINT64_C(0x0101010101010000) |
				 (unsigned char) p[n >> 1] * UINT64_C(0x0100) |
				 (unsigned char) p[n - 1]) == 0;
}

/*
 * Do eight bytes have a form such as "00:00:00"?  In 'slack', 'v' (0x76)
 * stands where any digit may be, \177 (0x7F) where the form's own byte must
 * be: added to the difference they leave the upper bit clear.
 */
static inline bool
dbmazz_has_form(const char *p, const char *form, const char *slack)
{
	uint64_t	d = dbmazz_load64(p) ^ dbmazz_load64(form);

	return (((d + dbmazz_load64(slack)) | d) & DBMAZZ_EACH_BYTE(0x80)) == 0;
}

/* ---- the classes ------------------------------------------------------ */

/* One byte that needs an escape, as the server's escape_json() writes it. */
static inline char *
dbmazz_put_escape(char *out, unsigned char c)
{
	static const char letters[32] = {
		['\b'] = 'b',['\t'] = 't',['\n'] = 'n',['\f'] = 'f',['\r'] = 'r'
	};

	*out++ = '\\';
	if (c >= 0x20)
		*out++ = (char) c;
	else if (letters[c] != 0)
		*out++ = letters[c];
	else
	{
		memcpy(out, "u00", 3);
		out[3] = (char) ('0' + (c >> 4));
		out[4] = "0123456789abcdef"[c & 15];
		out += 5;
	}
	return out;
}

/* Fewer bytes than a block. */
static inline char *
dbmazz_escape_tail(char *out, const char *p, size_t n)
{
	uint64_t	a;
	uint64_t	b;
	size_t		i;

	if (n >= 8)
	{
		a = dbmazz_load64(p);
		b = dbmazz_load64(p + n - 8);
		if (dbmazz_pair_is_plain(a, b))
		{
			memcpy(out, &a, 8);
			memcpy(out + n - 8, &b, 8);
			return out + n;
		}
	}
	else if (n >= 4)
	{
		a = dbmazz_load32(p);
		b = dbmazz_load32(p + n - 4);
		if (dbmazz_word_mask(b << 32 | a) == 0)
		{
			uint32_t	first = (uint32_t) a;
			uint32_t	last = (uint32_t) b;

			memcpy(out, &first, 4);
			memcpy(out + n - 4, &last, 4);
			return out + n;
		}
	}
	for (i = 0; i < n; i++)
	{
		unsigned char c = (unsigned char) p[i];

		if (dbmazz_needs_escape(c))
			out = dbmazz_put_escape(out, c);
		else
			*out++ = (char) c;
	}
	return out;
}

/*
 * The inside of a JSON string.  Blocks are stored before they are looked at;
 * an escape then overwrites what came too early.
 */
static inline char *
dbmazz_escape(char *out, const char *p, size_t n)
{
	const char *end = p + n;
	const char *plain = p;		/* from here on, output is a plain copy */
	size_t		left;

	while ((size_t) (end - p) >= DBMAZZ_BLOCK)
	{
		uint64_t	mask = dbmazz_block_mask(p);
		size_t		first;

		memcpy(out, p, DBMAZZ_BLOCK);
		if (__builtin_expect(mask == 0, 1))
		{
			p += DBMAZZ_BLOCK;
			out += DBMAZZ_BLOCK;
			continue;
		}
		first = dbmazz_block_first(mask);
		out = dbmazz_put_escape(out + first, (unsigned char) p[first]);
		p += first + 1;
		plain = p;
	}
	left = (size_t) (end - p);
	if (left == 0)
		return out;
	if (end - plain >= DBMAZZ_BLOCK &&
		dbmazz_block_mask(end - DBMAZZ_BLOCK) == 0)
	{
		memcpy(out + left - DBMAZZ_BLOCK, end - DBMAZZ_BLOCK, DBMAZZ_BLOCK);
		return out + left;
	}
	return dbmazz_escape_tail(out, p, left);
}

/* -?(0|[1-9][0-9]*) */
static inline bool
dbmazz_is_integer(const char *p, size_t n)
{
	size_t		sign = n > 0 && p[0] == '-';

	p += sign;
	n -= sign;
	return n > 0 && (p[0] != '0' || n == 1) &&
		dbmazz_all_pass(p, n, dbmazz_not_digits);
}

/* A number as JSON has it, with fraction and exponent. */
static inline bool
dbmazz_is_number(const char *p, size_t n)
{
	const char *end = p + n;
	const char *digits;

	if (p < end && *p == '-')
		p++;
	digits = p;
	while (p < end && (unsigned char) (*p - '0') < 10)
		p++;
	if (p == digits || (*digits == '0' && p - digits > 1))
		return false;
	if (p < end && *p == '.')
	{
		digits = ++p;
		while (p < end && (unsigned char) (*p - '0') < 10)
			p++;
		if (p == digits)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		while (p < end && (unsigned char) (*p - '0') < 10)
			p++;
		if (p == digits)
			return false;
	}
	return p == end;
}

/*
 * Numbers that PostgreSQL and StarRocks do not read alike: a -0 without a point
 * is an integer there, which has no sign; and the shortest text of the largest
 * float4 is, read as DOUBLE, larger than any.
 */
#define DBMAZZ_LARGEST_REAL	"3.4028235e+38"

static inline bool
dbmazz_is_minus_zero(const char *p, size_t n)
{
	return n == 2 && p[0] == '-' && p[1] == '0';
}

static inline bool
dbmazz_is_largest_real(const char *p, size_t n)
{
	const size_t len = sizeof(DBMAZZ_LARGEST_REAL) - 1;

	return n >= len && memcmp(p + n - len, DBMAZZ_LARGEST_REAL, len) == 0;
}

/* YYYY-MM-DD */
static inline bool
dbmazz_is_date(const char *p, size_t n)
{
	return n == 10 &&
		dbmazz_has_form(p, "0000-00-", "vvvv\177vv\177") &&
		dbmazz_has_form(p + 2, "00-00-00", "vv\177vv\177vv");
}

/* YYYY-MM-DD HH:MM:SS with up to six digits of a fraction */
static inline bool
dbmazz_is_timestamp(const char *p, size_t n)
{
	if (n < 19 || n > 26 ||
		!dbmazz_has_form(p, "0000-00-", "vvvv\177vv\177") ||
		!dbmazz_has_form(p + 8, "00 00:00", "vv\177vv\177vv") ||
		!dbmazz_has_form(p + 11, "00:00:00", "vv\177vv\177vv"))
		return false;
	if (n == 26)
		return dbmazz_has_form(p + 18, "0.000000", "v\177vvvvvv");
	return n == 19 ||
		(n > 20 && p[19] == '.' &&
		 dbmazz_all_pass(p + 20, n - 20, dbmazz_not_digits));
}

static inline char *
dbmazz_put_quoted(char *out, const char *p, size_t n)
{
	*out++ = '"';
	dbmazz_copy_short(out, p, n);
	out += n;
	*out++ = '"';
	return out;
}

static DBMAZZ_ALWAYS_INLINE char *
dbmazz_put_string(char *out, const char *p, size_t n)
{
	*out++ = '"';
	out = dbmazz_escape(out, p, n);
	*out++ = '"';
	return out;
}

/* A byte of "char" as servers from 16 on write it: \ooo. */
static inline char *
dbmazz_put_octal(char *out, unsigned char c)
{
	memcpy(out, "\"\\\\", 3);
	out[3] = (char) ('0' + (c >> 6));
	out[4] = (char) ('0' + (c >> 3 & 7));
	out[5] = (char) ('0' + (c & 7));
	out[6] = '"';
	return out + 7;
}

/* Is this the text form of a bytea in hex?  Cheap: no wrong digit is found. */
static inline bool
dbmazz_is_bytea(const char *p, size_t n)
{
	return n >= 2 && n % 2 == 0 && p[0] == '\\' && p[1] == 'x';
}

/*
 * A value of kind text into 'out', which has DBMAZZ_JSON_ROOM(value->len)
 * bytes.  Returns the end, or NULL.
 */
static DBMAZZ_ALWAYS_INLINE char *
dbmazz_put_value(char *out, const DbmazzValue *value, uint8_t value_class)
{
	const char *p = value->data;
	size_t		n = value->len;

	switch (value_class)
	{
		case DBMAZZ_VALUE_INTEGER:
			if (!dbmazz_is_integer(p, n))
				return NULL;
			dbmazz_copy_short(out, p, n);
			return out + n;
		case DBMAZZ_VALUE_DECIMAL:
			if (n == 0 || !dbmazz_all_pass(p, n, dbmazz_not_decimal))
				return NULL;
			return dbmazz_put_quoted(out, p, n);
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			if (n < 3 || memcmp(p + n - 3, "+00", 3) != 0)
				return NULL;
			n -= 3;
			/* FALLTHROUGH */
		case DBMAZZ_VALUE_TIMESTAMP:
			if (!dbmazz_is_timestamp(p, n))
				return NULL;
			return dbmazz_put_quoted(out, p, n);
		case DBMAZZ_VALUE_DATE:
			if (!dbmazz_is_date(p, n))
				return NULL;
			return dbmazz_put_quoted(out, p, n);
		case DBMAZZ_VALUE_BOOL:
			if (n != 1 || (*p != 't' && *p != 'f'))
				return NULL;
			memcpy(out, *p == 't' ? "true" : "fals", 4);
			out[4] = 'e';
			return out + (*p == 't' ? 4 : 5);
		case DBMAZZ_VALUE_REAL:
			if (dbmazz_is_largest_real(p, n))
				return NULL;
			/* FALLTHROUGH */
		case DBMAZZ_VALUE_FLOAT:
			if (!dbmazz_is_number(p, n) || dbmazz_is_minus_zero(p, n))
				return NULL;
			dbmazz_copy_short(out, p, n);
			return out + n;
		case DBMAZZ_VALUE_JSON:
			if (n == 0 || !dbmazz_json_is_harmless(p, n))
				return NULL;
			dbmazz_copy_short(out, p, n);
			return out + n;
		case DBMAZZ_VALUE_BYTEA:
			if (!dbmazz_is_bytea(p, n))
				return NULL;
			p += 2;
			n -= 2;
			/* FALLTHROUGH */
		case DBMAZZ_VALUE_CHAR:
			/* digits never are: one copy of what follows is enough */
			if (value_class == DBMAZZ_VALUE_CHAR && n == 1 &&
				(*p & 0x80) != 0)
				return dbmazz_put_octal(out, (unsigned char) *p);
			/* FALLTHROUGH */
		default:
			return dbmazz_put_string(out, p, n);
	}
}

#endif							/* DBMAZZ_JSON_VALUE_H */
