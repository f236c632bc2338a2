/*
 * label.c
 *		Labels of loads.
 *
 * NOTES
 *	  The lane's number is kept in the checkpoint and used again by the next
 *	  release of this software, so it must not change: it has a hash of its own
 *	  (FNV-1a) and does not share the one of hash tables.
 */
#include "core/label.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UID_DIGITS		(DBMAZZ_UID_SIZE - 1)
#define LANE_DIGITS		16

uint64_t
dbmazz_label_lane(const char *target)
{
	uint64_t	lane = UINT64_C(0xCBF29CE484222325);

	for (; *target != '\0'; target++)
	{
		lane ^= (unsigned char) *target;
		lane *= UINT64_C(0x100000001B3);
	}
	return lane;
}

size_t
dbmazz_label_format(const DbmazzLabel *label, char out[DBMAZZ_LABEL_SIZE])
{
	return (size_t) snprintf(out, DBMAZZ_LABEL_SIZE,
							 "%.16s-%" PRIu64 "-%016" PRIx64 "-%" PRIu64,
							 label->uid, label->epoch, label->lane,
							 label->sequence);
}

/* Value of a hexadecimal digit as we write them (lower case), or -1. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Exactly 16 hexadecimal digits; returns what follows, or NULL. */
static const char *
parse_hex(const char *text, uint64_t *value)
{
	int			i;

	*value = 0;
	for (i = 0; i < LANE_DIGITS; i++)
	{
		int			digit = hex_digit(text[i]);

		if (digit < 0)
			return NULL;
		*value = *value << 4 | (uint64_t) digit;
	}
	return text + LANE_DIGITS;
}

/*
 * A decimal number without sign or leading zeros, as we write it; returns what
 * follows, or NULL.
 */
static const char *
parse_decimal(const char *text, uint64_t *value)
{
	if (*text < '0' || *text > '9' ||
		(*text == '0' && text[1] >= '0' && text[1] <= '9'))
		return NULL;
	for (*value = 0; *text >= '0' && *text <= '9'; text++)
	{
		uint64_t	digit = (uint64_t) (*text - '0');

		if (*value > (UINT64_MAX - digit) / 10)
			return NULL;
		*value = *value * 10 + digit;
	}
	return text;
}

bool
dbmazz_label_parse(const char *text, DbmazzLabel *label)
{
	const char *p = text;
	uint64_t	uid;

	p = parse_hex(p, &uid);
	if (p == NULL || *p != '-')
		return false;
	memcpy(label->uid, text, UID_DIGITS);
	label->uid[UID_DIGITS] = '\0';

	p = parse_decimal(p + 1, &label->epoch);
	if (p == NULL || *p != '-')
		return false;
	p = parse_hex(p + 1, &label->lane);
	if (p == NULL || *p != '-')
		return false;
	p = parse_decimal(p + 1, &label->sequence);
	return p != NULL && *p == '\0';
}
