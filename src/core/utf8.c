/*
 * utf8.c
 *		Characters of UTF-8: their lengths, cuts between them, and messages.
 */
#include "core/utf8.h"

#include <stdbool.h>
#include <string.h>

static inline bool
continues(const char *data, size_t i)
{
	return ((unsigned char) data[i] & 0xC0) == 0x80;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t
dbmazz_utf8_char(const char *data, size_t len)
{
	unsigned char c = (unsigned char) data[0];
	unsigned char second = len > 1 ? (unsigned char) data[1] : 0;

	if (c < 0x80)
		return 1;
	if (c < 0xC2 || c > 0xF4 || len < 2 || !continues(data, 1))
		return 0;
	if (c < 0xE0)
		return 2;
	if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) ||
		(c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F) ||
		len < 3 || !continues(data, 2))
		return 0;
	if (c < 0xF0)
		return 3;
	return len < 4 || !continues(data, 3) ? 0 : 4;
}

uint32_t
dbmazz_utf8_cut(const char *data, uint32_t len, uint32_t limit)
{
	if (len <= limit)
		return len;
	while (limit > 0 && ((unsigned char) data[limit] & 0xC0) == 0x80)
		limit--;
	return limit;
}

void
dbmazz_show_value(char *out, size_t size, const char *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t		used = 0;
	size_t		at = 0;
	size_t		fits = 0;		/* output up to here leaves room for "..." */

	while (at < len)
	{
		unsigned char c = (unsigned char) data[at];
		size_t		n = dbmazz_utf8_char(data + at, len - at);
		size_t		need = n == 0 || c < 0x20 || c == 0x7F ? 4 : n;

		if (used + need >= size)
			break;
		if (need != n)
		{
			out[used] = '\\';
			out[used + 1] = 'x';
			out[used + 2] = digits[c >> 4];
			out[used + 3] = digits[c & 15];
			n = 1;
		}
		else
			memcpy(out + used, data + at, n);
		used += need;
		at += n;
		if (used + 3 < size)
			fits = used;
	}
	if (at < len)
	{
		memcpy(out + fits, "...", 3);
		used = fits + 3;
	}
	out[used] = '\0';
}
