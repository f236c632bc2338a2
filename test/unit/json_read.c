/*
 * json_read.c
 *		A strict and slow reader of JSON.
 */
#include "json_read.h"

#include <string.h>

#define MAX_DEPTH	200

static const char *read_value(const char *p, const char *end, JsonKind *kind,
							  const char **start, int depth);

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

const char *
json_expect(const char *p, const char *end, char c)
{
	p = skip_space(p, end);
	return p < end && *p == c ? p + 1 : NULL;
}

static int
hex_value(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int) ((found - digits) % 16);
}

/* Behind the opening quote. */
static const char *
read_string(const char *p, const char *end)
{
	while (p < end)
	{
		unsigned char c = (unsigned char) *p++;

		if (c == '"')
			return p;
		if (c < 0x20)
			return NULL;
		if (c != '\\')
			continue;
		if (p == end)
			return NULL;
		c = (unsigned char) *p++;
		if (c == 'u')
		{
			int			i;

			for (i = 0; i < 4; i++)
			{
				if (p == end || hex_value(*p++) < 0)
					return NULL;
			}
		}
		else if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
			return NULL;
	}
	return NULL;
}

static const char *
read_digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > start ? p : NULL;
}

static const char *
read_number(const char *p, const char *end)
{
	if (*p == '-')
		p++;
	if (p < end && *p == '0')
		p++;
	else
		p = read_digits(p, end);
	if (p != NULL && p < end && *p == '.')
		p = read_digits(p + 1, end);
	if (p != NULL && p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = read_digits(p, end);
	}
	return p;
}

/* Behind the opening bracket or brace. */
static const char *
read_list(const char *p, const char *end, int is_object, int depth)
{
	char		close = is_object ? '}' : ']';
	const char *closed = json_expect(p, end, close);
	JsonKind	kind;
	const char *start;

	if (closed != NULL)
		return closed;
	for (;;)
	{
		if (is_object)
		{
			p = read_value(p, end, &kind, &start, depth);
			if (p == NULL || kind != JSON_STRING)
				return NULL;
			p = json_expect(p, end, ':');
			if (p == NULL)
				return NULL;
		}
		p = read_value(p, end, &kind, &start, depth);
		if (p == NULL)
			return NULL;
		closed = json_expect(p, end, close);
		if (closed != NULL)
			return closed;
		p = json_expect(p, end, ',');
		if (p == NULL)
			return NULL;
	}
}

static const char *
read_word(const char *p, const char *end, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (end - p) < len || memcmp(p, word, len) != 0)
		return NULL;
	return p + len;
}

static const char *
read_value(const char *p, const char *end, JsonKind *kind,
		   const char **start, int depth)
{
	p = skip_space(p, end);
	*start = p;
	if (p == end || depth > MAX_DEPTH)
		return NULL;
	switch (*p)
	{
		case 'n':
			*kind = JSON_NULL;
			return read_word(p, end, "null");
		case 't':
			*kind = JSON_TRUE;
			return read_word(p, end, "true");
		case 'f':
			*kind = JSON_FALSE;
			return read_word(p, end, "false");
		case '"':
			*kind = JSON_STRING;
			return read_string(p + 1, end);
		case '[':
			*kind = JSON_ARRAY;
			return read_list(p + 1, end, 0, depth + 1);
		case '{':
			*kind = JSON_OBJECT;
			return read_list(p + 1, end, 1, depth + 1);
		default:
			*kind = JSON_NUMBER;
			return read_number(p, end);
	}
}

const char *
json_read(const char *p, const char *end, JsonKind *kind, const char **start)
{
	return read_value(p, end, kind, start, 0);
}

static unsigned int
four_hex(const char *p)
{
	unsigned int v = 0;
	int			i;

	for (i = 0; i < 4; i++)
		v = v << 4 | (unsigned int) hex_value(p[i]);
	return v;
}

static char *
put_utf8(char *out, unsigned int c)
{
	if (c < 0x80)
		*out++ = (char) c;
	else if (c < 0x800)
	{
		*out++ = (char) (0xC0 | c >> 6);
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else if (c < 0x10000)
	{
		*out++ = (char) (0xE0 | c >> 12);
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | c >> 18);
		*out++ = (char) (0x80 | (c >> 12 & 0x3F));
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	return out;
}

size_t
json_decode(const char *start, const char *end, char *out)
{
	static const char names[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	const char *p = start + 1;
	char	   *to = out;

	while (p < end - 1)
	{
		const char *name;
		unsigned int c;

		if (*p != '\\')
		{
			*to++ = *p++;
			continue;
		}
		p++;
		if (*p == 'u')
		{
			c = four_hex(p + 1);
			p += 5;
			if (c >= 0xD800 && c < 0xDC00 && p[0] == '\\' && p[1] == 'u')
			{
				c = 0x10000 + ((c & 0x3FF) << 10) + (four_hex(p + 2) & 0x3FF);
				p += 6;
			}
			to = put_utf8(to, c);
			continue;
		}
		name = strchr(names, *p);
		*to++ = name != NULL ? meanings[name - names] : *p;
		p++;
	}
	return (size_t) (to - out);
}
