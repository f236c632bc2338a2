/*
 * pgtext.c
 *		Text of the server's values, as its output functions write it.
 */
#include "core/pgtext.h"

#include <string.h>

#define SECOND_US		INT64_C(1000000)
#define DAY_US			(INT64_C(86400) * SECOND_US)

/*
 * Days are counted from 0000-03-01, so that a leap day is a year's last; 400
 * years always have the same number of them.
 */
#define DAYS_TO_2000	730425
#define ERA_DAYS		146097

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

size_t
dbmazz_pgtext_integer(char *out, int64_t value)
{
	char		digits[20];
	char	   *p = digits + sizeof(digits);
	uint64_t	rest = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;
	size_t		n;

	while (rest >= 100)
	{
		p -= 2;
		(void) put_pair(p, (unsigned) (rest % 100));
		rest /= 100;
	}
	if (rest >= 10)
	{
		p -= 2;
		(void) put_pair(p, (unsigned) rest);
	}
	else
		*--p = (char) ('0' + rest);
	n = (size_t) (digits + sizeof(digits) - p);
	if (value < 0)
		*out++ = '-';
	memcpy(out, p, n);
	return n + (value < 0 ? 1 : 0);
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

/*
 * YYYY-MM-DD; sets whether " BC" has to stand at the end.  The year has four
 * digits or more.
 */
static char *
put_day(char *out, int64_t day, bool *is_bc)
{
	int64_t		n = day + DAYS_TO_2000;
	int64_t		year = 400 * divide(&n, ERA_DAYS);
	int64_t		of_era;
	int64_t		month;

	of_era = (n - n / 1460 + n / 36524 - n / (ERA_DAYS - 1)) / 365;
	n -= 365 * of_era + of_era / 4 - of_era / 100;
	month = (5 * n + 2) / 153;	/* 0: March */
	n -= (153 * month + 2) / 5;
	year += of_era + (month >= 10 ? 1 : 0);
	*is_bc = year <= 0;
	if (*is_bc)
		year = 1 - year;
	if (year > 9999)
		out += dbmazz_pgtext_integer(out, year);
	else
	{
		out = put_pair(out, (unsigned) (year / 100));
		out = put_pair(out, (unsigned) (year % 100));
	}
	*out++ = '-';
	out = put_pair(out, (unsigned) (month >= 10 ? month - 9 : month + 3));
	*out++ = '-';
	return put_pair(out, (unsigned) (n + 1));
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

static char *
put_hex(char *out, const unsigned char *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t		i;

	for (i = 0; i < len; i++)
	{
		*out++ = hex[data[i] >> 4];
		*out++ = hex[data[i] & 15];
	}
	return out;
}

size_t
dbmazz_pgtext_uuid(char *out, const unsigned char *uuid)
{
	static const unsigned char groups[] = {4, 2, 2, 2, 6};
	char	   *end = out;
	size_t		i;

	for (i = 0; i < sizeof(groups); i++)
	{
		if (i > 0)
			*end++ = '-';
		end = put_hex(end, uuid, groups[i]);
		uuid += groups[i];
	}
	return (size_t) (end - out);
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
	const uint16_t *digits;		/* base 10000 */
} Numeric;

/* false: too short, or a digit group that is none */
static bool
read_numeric(Numeric *n, const void *data, size_t len)
{
	const uint16_t *words = data;
	size_t		nwords = len / sizeof(uint16_t);
	uint16_t	head;
	int			i;

	if (nwords < 1)
		return false;
	head = words[0];
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
		n->dscale = (head & SHORT_DSCALE_MASK) >> SHORT_DSCALE_SHIFT;
		n->weight = head & SHORT_WEIGHT_MASK;
		if (head & SHORT_WEIGHT_SIGN)
			n->weight -= SHORT_WEIGHT_MASK + 1;
		n->digits = words + 1;
		n->ndigits = (int) (nwords - 1);
	}
	else
	{
		if (nwords < 2)
			return false;
		n->is_negative = (head & NUMERIC_KIND_MASK) == NUMERIC_NEGATIVE;
		n->dscale = head & NUMERIC_DSCALE_MASK;
		n->weight = (int16_t) words[1];
		n->digits = words + 2;
		n->ndigits = (int) (nwords - 2);
	}
	for (i = 0; i < n->ndigits; i++)
	{
		if (n->digits[i] > 9999)
			return false;
	}
	return true;
}

static inline unsigned
group(const Numeric *n, int i)
{
	return i >= 0 && i < n->ndigits ? n->digits[i] : 0;
}

static inline char *
put_group(char *out, unsigned value)
{
	out = put_pair(out, value / 100);
	return put_pair(out, value % 100);
}

size_t
dbmazz_pgtext_numeric_room(const void *data, size_t len)
{
	Numeric		n;

	if (!read_numeric(&n, data, len))
		return 0;
	if (n.special != NULL)
		return DBMAZZ_PGTEXT_ROOM;
	/* sign, a digit before the point, the point, the rest of the last group */
	return (size_t) (n.weight < 0 ? 0 : n.weight + 1) * GROUP_DIGITS +
		(size_t) n.dscale + 3 + GROUP_DIGITS;
}

size_t
dbmazz_pgtext_numeric(char *out, const void *data, size_t len)
{
	Numeric		n;
	char	   *end = out;
	char	   *point;
	int			i;

	if (!read_numeric(&n, data, len))
		return 0;
	if (n.special != NULL)
		return put_text(out, n.special);
	if (n.is_negative)
		*end++ = '-';
	if (n.weight < 0)
		*end++ = '0';
	else
	{
		end += dbmazz_pgtext_integer(end, group(&n, 0));
		for (i = 1; i <= n.weight; i++)
			end = put_group(end, group(&n, i));
	}
	if (n.dscale == 0)
		return (size_t) (end - out);
	*end++ = '.';
	point = end;
	for (i = n.weight + 1; end < point + n.dscale; i++)
		end = put_group(end, group(&n, i));
	return (size_t) (point + n.dscale - out);
}
