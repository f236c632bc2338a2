/*
 * error.c
 *		Filling the error record.
 */
#include "core/error.h"

#include <stdio.h>
#include <string.h>

static void fill(char *out, size_t size, const char *fmt, va_list args)
			__attribute__((format(printf, 3, 0)));

void
dbmazz_error_reset(DbmazzError *err)
{
	memset(err, 0, sizeof(*err));
}

DbmazzStatus
dbmazz_error_set(DbmazzError *err, DbmazzStatus status, uint32_t offset,
				 const char *fmt,...)
{
	va_list		args;

	err->status = status;
	err->offset = offset;
	err->column = 0;
	err->detail[0] = '\0';
	err->hint[0] = '\0';
	va_start(args, fmt);
	fill(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return status;
}

void
dbmazz_error_detail(DbmazzError *err, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	fill(err->detail, sizeof(err->detail), fmt, args);
	va_end(args);
}

void
dbmazz_error_hint(DbmazzError *err, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	fill(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
}

/*
 * Length of 'text' without a character of UTF-8 that was cut at its end.
 * Bytes that are no UTF-8 at all are left alone: the text is for people.
 */
static size_t
whole_characters(const char *text, size_t len)
{
	size_t		start = len;
	size_t		need;
	unsigned char lead;

	while (start > 0 && len - start < 3 &&
		   ((unsigned char) text[start - 1] & 0xC0) == 0x80)
		start--;
	if (start == 0)
		return len;
	lead = (unsigned char) text[start - 1];
	need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	return need > len - start + 1 ? start - 1 : len;
}

static void
fill(char *out, size_t size, const char *fmt, va_list args)
{
	int			len = vsnprintf(out, size, fmt, args);

	if (len < 0)
		out[0] = '\0';
	else if ((size_t) len >= size)
		out[whole_characters(out, size - 1)] = '\0';
}
