/*
 * text.c
 *		A string that grows; quoting and cleaning of names and foreign text.
 */
#include "sinks/starrocks/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode_json.h"
#include "http/url.h"

static bool reserve(DbmazzSrText *text, size_t more);
static size_t char_length(const unsigned char *data, size_t len);

void
dbmazz_sr_text_free(DbmazzSrText *text)
{
	free(text->data);
	memset(text, 0, sizeof(*text));
}

void
dbmazz_sr_text_clear(DbmazzSrText *text)
{
	text->len = 0;
	text->failed = false;
	if (text->data != NULL)
		text->data[0] = '\0';
}

void
dbmazz_sr_text_add(DbmazzSrText *text, const char *data, size_t len)
{
	if (!reserve(text, len))
		return;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
dbmazz_sr_text_addf(DbmazzSrText *text, const char *fmt,...)
{
	va_list		args;
	int			len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0 || !reserve(text, (size_t) len))
	{
		text->failed = true;
		return;
	}
	va_start(args, fmt);
	(void) vsnprintf(text->data + text->len, (size_t) len + 1, fmt, args);
	va_end(args);
	text->len += (size_t) len;
}

void
dbmazz_sr_text_ident(DbmazzSrText *text, const char *name)
{
	dbmazz_sr_text_add(text, "`", 1);
	for (; *name != '\0'; name++)
	{
		if (*name == '`')
			dbmazz_sr_text_add(text, "`", 1);
		dbmazz_sr_text_add(text, name, 1);
	}
	dbmazz_sr_text_add(text, "`", 1);
}

void
dbmazz_sr_text_json(DbmazzSrText *text, const char *value)
{
	size_t		len = strlen(value);

	if (!reserve(text, 6 * len + 2))
		return;
	text->data[text->len++] = '"';
	text->len += dbmazz_json_escape(text->data + text->len, value, len);
	text->data[text->len++] = '"';
	text->data[text->len] = '\0';
}

void
dbmazz_sr_text_url(DbmazzSrText *text, const char *value)
{
	size_t		len = dbmazz_url_encode(NULL, 0, value);

	if (!reserve(text, len))
		return;
	(void) dbmazz_url_encode(text->data + text->len, len + 1, value);
	text->len += len;
}

bool
dbmazz_sr_is_clean(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

void
dbmazz_sr_clean(char *out, size_t outlen, const char *data, size_t len)
{
	const unsigned char *in = (const unsigned char *) data;
	size_t		n = 0;
	size_t		i = 0;

	while (i < len)
	{
		size_t		size = char_length(in + i, len - i);

		if (n + (size > 0 ? size : 1) >= outlen)
			break;
		if (size == 0)
		{
			out[n++] = '?';
			i++;
		}
		else if (size == 1)
		{
			out[n++] = (in[i] < 0x20 || in[i] == 0x7f) ? ' ' : (char) in[i];
			i++;
		}
		else
		{
			memcpy(out + n, in + i, size);
			n += size;
			i += size;
		}
	}
	if (outlen > 0)
		out[n] = '\0';
}

/* Room for 'more' bytes and a zero byte. */
static bool
reserve(DbmazzSrText *text, size_t more)
{
	size_t		need = text->len + more + 1;
	size_t		room = text->room < 128 ? 128 : text->room;
	char	   *larger;

	if (need <= text->room)
		return true;
	while (room < need)
		room *= 2;
	larger = realloc(text->data, room);
	if (larger == NULL)
	{
		text->failed = true;
		return false;
	}
	text->data = larger;
	text->room = room;
	return true;
}

/* Bytes of the UTF-8 character at 'data'; 0 if it is none. */
static size_t
char_length(const unsigned char *data, size_t len)
{
	size_t		size;
	size_t		i;
	uint32_t	code;

	if (data[0] < 0x80)
		return 1;
	if (data[0] >= 0xc2 && data[0] <= 0xdf)
		size = 2;
	else if ((data[0] & 0xf0) == 0xe0)
		size = 3;
	else if (data[0] >= 0xf0 && data[0] <= 0xf4)
		size = 4;
	else
		return 0;
	if (size > len)
		return 0;
	code = data[0] & (0x7fU >> size);
	for (i = 1; i < size; i++)
	{
		if ((data[i] & 0xc0) != 0x80)
			return 0;
		code = (code << 6) | (data[i] & 0x3fU);
	}
	if ((size == 3 && code < 0x800) || (size == 4 && code < 0x10000) ||
		code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return size;
}
