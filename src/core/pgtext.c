/*
 * pgtext.c
 *		Text of the server's values, as its output functions write it.
 */
#include "core/pgtext.h"

#include "core/vectors.h"

#define EIGHT_DIGITS	100000000
#define SECOND_US		INT64_C(1000000)
#define DAY_US			(INT64_C(86400) * SECOND_US)

/*
 * Days are counted from 0000-03-01, so that a leap day is a year's last; 400
 * years always have the same number of them.
 */
#define DAYS_TO_2000	730425
#define ERA_DAYS		146097
#define DAYS_OF_4_YEARS	1461

/* 0001-01-01 and 9999-12-31, in days since 2000-01-01. */
#define FIRST_DAY		(-730119)
#define LAST_DAY		2921939

#define HEX_BLOCK		16

/* The first word of a numeric, and of a long one the second (numeric.c). */
#define NUMERIC_KIND_MASK		0xC000
#define NUMERIC_NEGATIVE		0x4000
#define NUMERIC_SHORT			0x8000
#define NUMERIC_SPECIAL			0xC000
#define NUMERIC_SPECIAL_MASK	0xF000
#define NUMERIC_PLUS_INFINITY	0xD000
#define NUMERIC_MINUS_INFINITY	0xF000
#define NUMERIC_DSCALE_MASK		0x3FFF
#define SHORT_NEGATIVE			0x2000
#define SHORT_DSCALE_MASK		0x1F80
#define SHORT_DSCALE_SHIFT		7
#define SHORT_WEIGHT_SIGN		0x0040
#define SHORT_WEIGHT_MASK		0x003F
#define GROUP_DIGITS			4	/* decimal ones, of each of its digits */

static const char pairs[] =
	"00010203040506070809101112131415161718192021222324"
	"25262728293031323334353637383940414243444546474849"
	"50515253545556575859606162636465666768697071727374"
	"75767778798081828384858687888990919293949596979899";

static inline char *
put_pair(char *out, unsigned value)
{
	memcpy(out, pairs + 2 * value, 2);
	return out + 2;
}

static size_t
put_text(char *out, const char *text)
{
	size_t		len = strlen(text);

	memcpy(out, text, len);
	return len;
}

static inline char *
put_four(char *out, unsigned value)
{
	out = put_pair(out, value / 100);
	return put_pair(out, value % 100);
}

static inline char *
put_eight(char *out, uint32_t value)
{
	out = put_four(out, value / 10000);
	return put_four(out, value % 10000);
}

/* How many decimal digits has it?  Of as many bits, all but the last are sure. */
static inline unsigned
count_digits(uint32_t value)
{
	static const uint32_t powers[] = {
		0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
		1000000000
	};
	unsigned	bits = 32 - (unsigned) __builtin_clz(value | 1);
	unsigned	sure = bits * 1233 >> 12;	/* log10(2) is 1233 / 4096 */

	return sure + (value >= powers[sure] ? 1 : 0);
}

static inline char *
put_number(char *out, uint32_t value)
{
	char	   *end = out + count_digits(value);
	char	   *p = end;

	while (value >= 10000)
	{
		p -= 4;
		(void) put_four(p, value % 10000);
		value /= 10000;
	}
	if (value >= 100)
	{
		p -= 2;
		(void) put_pair(p, value % 100);
		value /= 100;
	}
	if (value >= 10)
		(void) put_pair(p - 2, value);
	else
		p[-1] = (char) ('0' + value);
	return end;
}

size_t
dbmazz_pgtext_integer(char *out, int64_t value)
{
	uint64_t	rest = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;
	uint64_t	high;
	char	   *end = out;

	if (value < 0)
		*end++ = '-';
	if (rest <= UINT32_MAX)
		return (size_t) (put_number(end, (uint32_t) rest) - out);
	high = rest / EIGHT_DIGITS;
	if (high <= UINT32_MAX)
		end = put_number(end, (uint32_t) high);
	else
	{
		end = put_number(end, (uint32_t) (high / EIGHT_DIGITS));
		end = put_eight(end, (uint32_t) (high % EIGHT_DIGITS));
	}
	return (size_t) (put_eight(end, (uint32_t) (rest % EIGHT_DIGITS)) - out);
}

size_t
dbmazz_pgtext_short_double(char *out, double value)
{
	double		size = value < 0 ? -value : value;
	char	   *end = out;
	uint64_t	scaled;

	if (!(size >= 1e-4 && size < 1e11))	/* nor is NaN */
		return 0;
	scaled = (uint64_t) (size * 1e4 + 0.5);
	/* both are exact, and so a division gives the double of the decimal number */
	if ((double) scaled / 1e4 != size)
		return 0;
	if (value < 0)
		*end++ = '-';
	end += dbmazz_pgtext_integer(end, (int64_t) (scaled / 10000));
	if (scaled % 10000 != 0)
	{
		*end++ = '.';
		end = put_four(end, (unsigned) (scaled % 10000));
		while (end[-1] == '0')
			end--;
	}
	return (size_t) (end - out);
}

/* A quotient that is rounded down, and what is left over. */
static int64_t
divide(int64_t *rest, int64_t divisor)
{
	int64_t		quotient = *rest / divisor;

	if (*rest % divisor < 0)
		quotient--;
	*rest -= quotient * divisor;
	return quotient;
}

/* -MM-DD of a day of a year that begins in March; of it, which is the month? */
static inline char *
put_month_day(char *out, unsigned day, unsigned *month)
{
	unsigned	m = (5 * day + 2) / 153;	/* 0: March */

	*month = m >= 10 ? m - 9 : m + 3;
	*out++ = '-';
	out = put_pair(out, *month);
	*out++ = '-';
	return put_pair(out, day - (153 * m + 2) / 5 + 1);
}

/*
 * YYYY-MM-DD of a day of the years 1 to 9999, for which 32 bits are enough.  In
 * quarters of a day, a century has as many as its days times 4, plus one for the
 * leap day of every fourth; and so it is with the years of a century.
 */
static inline char *
put_near_day(char *out, int32_t day)
{
	uint32_t	quarters = 4 * (uint32_t) (day + DAYS_TO_2000) + 3;
	unsigned	century = quarters / ERA_DAYS;
	unsigned	year;
	unsigned	month;

	quarters = quarters % ERA_DAYS | 3;	/* the day's last quarter */
	year = quarters / DAYS_OF_4_YEARS;
	(void) put_month_day(out + 4, quarters % DAYS_OF_4_YEARS / 4, &month);
	/* January and February are of the next one */
	year += 100 * century + (month <= 2 ? 1 : 0);
	(void) put_four(out, year);
	return out + 10;
}

/*
 * YYYY-MM-DD; sets whether " BC" has to stand at the end.  The year has four
 * digits or more.
 */
static char *
put_far_day(char *out, int64_t day, bool *is_bc)
{
	int64_t		n = day + DAYS_TO_2000;
	int64_t		year = 400 * divide(&n, ERA_DAYS);
	int64_t		of_era;
	char		rest[6];		/* -MM-DD */
	unsigned	month;

	of_era = (n - n / 1460 + n / 36524 - n / (ERA_DAYS - 1)) / 365;
	n -= 365 * of_era + of_era / 4 - of_era / 100;
	(void) put_month_day(rest, (unsigned) n, &month);
	year += of_era + (month <= 2 ? 1 : 0);
	*is_bc = year <= 0;
	if (*is_bc)
		year = 1 - year;
	if (year > 9999)
		out += dbmazz_pgtext_integer(out, year);
	else
		out = put_four(out, (unsigned) year);
	memcpy(out, rest, sizeof(rest));
	return out + sizeof(rest);
}

static inline char *
put_day(char *out, int64_t day, bool *is_bc)
{
	*is_bc = false;
	if (day >= FIRST_DAY && day <= LAST_DAY)
		return put_near_day(out, (int32_t) day);
	return put_far_day(out, day, is_bc);
}

/* HH:MM:SS, and the fraction without the zeros at its end. */
static char *
put_time(char *out, int64_t us)
{
	unsigned	seconds = (unsigned) (us / SECOND_US);
	unsigned	fraction = (unsigned) (us % SECOND_US);

	out = put_pair(out, seconds / 3600);
	*out++ = ':';
	out = put_pair(out, seconds / 60 % 60);
	*out++ = ':';
	out = put_pair(out, seconds % 60);
	if (fraction == 0)
		return out;
	*out++ = '.';
	out = put_pair(out, fraction / 10000);
	out = put_pair(out, fraction / 100 % 100);
	out = put_pair(out, fraction % 100);
	while (out[-1] == '0')
		out--;
	return out;
}

size_t
dbmazz_pgtext_date(char *out, int32_t days)
{
	bool		is_bc;
	char	   *end;

	if (days == INT32_MAX)
		return put_text(out, "infinity");
	if (days == INT32_MIN)
		return put_text(out, "-infinity");
	end = put_day(out, days, &is_bc);
	if (is_bc)
		end += put_text(end, " BC");
	return (size_t) (end - out);
}

size_t
dbmazz_pgtext_time(char *out, int64_t us)
{
	return (size_t) (put_time(out, us) - out);
}

size_t
dbmazz_pgtext_timestamp(char *out, int64_t us, bool has_zone)
{
	int64_t		day;
	bool		is_bc;
	char	   *end;

	if (us == INT64_MAX)
		return put_text(out, "infinity");
	if (us == INT64_MIN)
		return put_text(out, "-infinity");
	day = divide(&us, DAY_US);
	end = put_day(out, day, &is_bc);
	*end++ = ' ';
	end = put_time(end, us);
	if (has_zone)
		end += put_text(end, "+00");
	if (is_bc)
		end += put_text(end, " BC");
	return (size_t) (end - out);
}

/* ---- bytes in hex ------------------------------------------------------- */

static const char hex[] = "0123456789abcdef";

static char *
put_hex_bytes(char *out, const unsigned char *data, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		*out++ = hex[data[i] >> 4];
		*out++ = hex[data[i] & 15];
	}
	return out;
}

#if defined(DBMAZZ_SSE2)

/* As many bytes as a block has. */
static inline void
put_hex_block(char *out, const unsigned char *data)
{
	const __m128i nibble = _mm_set1_epi8(0x0F);
	const __m128i nine = _mm_set1_epi8(9);
	const __m128i zero = _mm_set1_epi8('0');
	const __m128i letters = _mm_set1_epi8('a' - '0' - 10);
	__m128i		v = _mm_loadu_si128((const __m128i *) data);
	__m128i		high = _mm_and_si128(_mm_srli_epi16(v, 4), nibble);
	__m128i		low = _mm_and_si128(v, nibble);

	high = _mm_add_epi8(_mm_add_epi8(high, zero),
						_mm_and_si128(_mm_cmpgt_epi8(high, nine), letters));
	low = _mm_add_epi8(_mm_add_epi8(low, zero),
					   _mm_and_si128(_mm_cmpgt_epi8(low, nine), letters));
	_mm_storeu_si128((__m128i *) out, _mm_unpacklo_epi8(high, low));
	_mm_storeu_si128((__m128i *) (out + 16), _mm_unpackhi_epi8(high, low));
}

#elif defined(DBMAZZ_NEON)

static inline void
put_hex_block(char *out, const unsigned char *data)
{
	uint8x16_t	table = vld1q_u8((const uint8_t *) hex);
	uint8x16_t	v = vld1q_u8(data);
	uint8x16x2_t digits;

	digits.val[0] = vqtbl1q_u8(table, vshrq_n_u8(v, 4));
	digits.val[1] = vqtbl1q_u8(table, vandq_u8(v, vdupq_n_u8(0x0F)));
	vst2q_u8((uint8_t *) out, digits);	/* takes them in turns */
}

#else

static inline void
put_hex_block(char *out, const unsigned char *data)
{
	(void) put_hex_bytes(out, data, HEX_BLOCK);
}

#endif

/* The last block overlaps the one before it. */
static char *
put_hex(char *out, const unsigned char *data, size_t len)
{
	size_t		i;

	if (len < HEX_BLOCK)
		return put_hex_bytes(out, data, len);
	for (i = 0; i + HEX_BLOCK <= len; i += HEX_BLOCK)
		put_hex_block(out + 2 * i, data + i);
	put_hex_block(out + 2 * (len - HEX_BLOCK), data + len - HEX_BLOCK);
	return out + 2 * len;
}

size_t
dbmazz_pgtext_uuid(char *out, const unsigned char *uuid)
{
	char		digits[2 * HEX_BLOCK];

	put_hex_block(digits, uuid);
	memcpy(out, digits, 8);
	out[8] = '-';
	memcpy(out + 9, digits + 8, 4);
	out[13] = '-';
	memcpy(out + 14, digits + 12, 4);
	out[18] = '-';
	memcpy(out + 19, digits + 16, 4);
	out[23] = '-';
	memcpy(out + 24, digits + 20, 12);
	return 36;
}

size_t
dbmazz_pgtext_bytea(char *out, const unsigned char *data, size_t len)
{
	out[0] = '\\';
	out[1] = 'x';
	return (size_t) (put_hex(out + 2, data, len) - out);
}

/* ---- numeric ------------------------------------------------------------- */

typedef struct Numeric
{
	const char *special;		/* NULL: a number */
	bool		is_negative;
	int			dscale;			/* decimal digits behind the point */
	int			weight;			/* of the first digit, in powers of 10000 */
	int			ndigits;
	const char *digits;			/* base 10000, uint16 each, not aligned */
} Numeric;

/* false: too short, or a digit group that is none */
static inline bool
read_numeric(Numeric *n, const char *data, size_t len)
{
	unsigned	head;
	unsigned	too_large = 0;
	int			i;

	if (len < sizeof(uint16_t))
		return false;
	head = dbmazz_load16(data);
	n->special = NULL;
	if ((head & NUMERIC_KIND_MASK) == NUMERIC_SPECIAL)
	{
		n->special = "NaN";
		if ((head & NUMERIC_SPECIAL_MASK) == NUMERIC_PLUS_INFINITY)
			n->special = "Infinity";
		else if ((head & NUMERIC_SPECIAL_MASK) == NUMERIC_MINUS_INFINITY)
			n->special = "-Infinity";
		return true;
	}
	if (head & NUMERIC_SHORT)
	{
		n->is_negative = (head & SHORT_NEGATIVE) != 0;
		n->dscale = (int) ((head & SHORT_DSCALE_MASK) >> SHORT_DSCALE_SHIFT);
		n->weight = (int) (head & SHORT_WEIGHT_MASK);
		if (head & SHORT_WEIGHT_SIGN)
			n->weight -= SHORT_WEIGHT_MASK + 1;
		n->digits = data + sizeof(uint16_t);
	}
	else
	{
		if (len < 2 * sizeof(uint16_t))
			return false;
		n->is_negative = (head & NUMERIC_KIND_MASK) == NUMERIC_NEGATIVE;
		n->dscale = (int) (head & NUMERIC_DSCALE_MASK);
		n->weight = (int16_t) dbmazz_load16(data + sizeof(uint16_t));
		n->digits = data + 2 * sizeof(uint16_t);
	}
	n->ndigits = (int) ((len - (size_t) (n->digits - data)) / sizeof(uint16_t));
	for (i = 0; i < n->ndigits; i++)
		too_large |= dbmazz_load16(n->digits + 2 * i) > 9999;
	return !too_large;
}

static inline unsigned
group(const Numeric *n, int i)
{
	return i >= 0 && i < n->ndigits ? dbmazz_load16(n->digits + 2 * i) : 0;
}

size_t
dbmazz_pgtext_numeric(char *out, size_t room, const void *data, size_t len)
{
	Numeric		n;
	size_t		need;
	char	   *end = out;
	char	   *point;
	int			i;

	if (!read_numeric(&n, data, len))
		return 0;
	if (n.special != NULL)
		return room < DBMAZZ_PGTEXT_ROOM ? DBMAZZ_PGTEXT_ROOM :
			put_text(out, n.special);
	/* sign, a digit before the point, the point, the rest of the last group */
	need = (size_t) (n.weight < 0 ? 0 : n.weight + 1) * GROUP_DIGITS +
		(size_t) n.dscale + 3 + GROUP_DIGITS;
	if (need > room)
		return need;
	if (n.is_negative)
		*end++ = '-';
	if (n.weight < 0)
		*end++ = '0';
	else
	{
		end = put_number(end, group(&n, 0));
		for (i = 1; i <= n.weight; i++)
			end = put_four(end, group(&n, i));
	}
	if (n.dscale == 0)
		return (size_t) (end - out);
	*end++ = '.';
	point = end;
	for (i = n.weight + 1; end < point + n.dscale; i++)
		end = put_four(end, group(&n, i));
	return (size_t) (point + n.dscale - out);
}
