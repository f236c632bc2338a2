/*
 * buffer.c
 *		A growing run of bytes.
 */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
bh_buffer_reserve(BhBuffer *buf, size_t more)
{
	size_t		cap = buf->cap ? buf->cap : 1024;

	while (cap - buf->len < more)
		cap *= 2;
	if (cap == buf->cap)
		return;
	buf->data = realloc(buf->data, cap);
	buf->cap = cap;
	if (buf->data == NULL)
	{
		fprintf(stderr, "blackhole: out of memory\n");
		exit(1);
	}
}

void
bh_buffer_append(BhBuffer *buf, const void *data, size_t len)
{
	bh_buffer_reserve(buf, len);
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
}

void
bh_buffer_printf(BhBuffer *buf, const char *format,...)
{
	va_list		args;
	int			len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);

	bh_buffer_reserve(buf, (size_t) len + 1);
	va_start(args, format);
	vsnprintf(buf->data + buf->len, (size_t) len + 1, format, args);
	va_end(args);
	buf->len += (size_t) len;
}

void
bh_buffer_consume(BhBuffer *buf, size_t n)
{
	if (n > 0 && n < buf->len)
		memmove(buf->data, buf->data + n, buf->len - n);
	buf->len -= n;
}

void
bh_buffer_free(BhBuffer *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}
