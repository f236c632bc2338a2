/*
 * rowtext.c
 *		Encoded rows of a batch as JSON objects, for people and catalogs.
 *
 * NOTES
 *	  JSON rows are objects already.  Of CSV, encode_csv.c has made every line: a
 *	  field is a number or a word as in JSON, or enclosed where JSON has a string,
 *	  or \N.
 */
#include "core/rowtext.h"

#include <string.h>

#include "core/encode_json.h"

typedef struct Out
{
	char	   *data;
	size_t		size;
	size_t		len;			/* of the whole text, whatever there is room for */
} Out;

static void
put(Out *out, const char *data, size_t len)
{
	if (out->len < out->size)
	{
		size_t		room = out->size - out->len;

		memcpy(out->data + out->len, data, len < room ? len : room);
	}
	out->len += len;
}

static size_t
finish(Out *out)
{
	if (out->size > 0)
		out->data[out->len < out->size ? out->len : out->size - 1] = '\0';
	return out->len;
}

static void
put_string_byte(Out *out, char c)
{
	char		escaped[6];

	put(out, escaped, dbmazz_json_escape(escaped, &c, 1));
}

/* The inside of an enclosed field, up to its end; returns what follows. */
static const char *
put_enclosed(Out *out, const char *p, const char *end)
{
	put(out, "\"", 1);
	while (p < end)
	{
		if (*p == '"' && (p + 1 == end || p[1] != '"'))
		{
			p++;
			break;
		}
		if (*p == '"')
			p++;
		put_string_byte(out, *p++);
	}
	put(out, "\"", 1);
	return p;
}

static const char *
put_field(Out *out, const char *p, const char *end)
{
	const char *start = p;

	if (p < end && *p == '"')
		return put_enclosed(out, p + 1, end);
	while (p < end && *p != ',' && *p != '\n')
		p++;
	if (p - start == 2 && memcmp(start, "\\N", 2) == 0)
		put(out, "null", 4);
	else
		put(out, start, (size_t) (p - start));
	return p;
}

static size_t
csv_text(Out *out, const DbmazzTableDesc *desc, int ncolumns, const char *p,
		 size_t len)
{
	const char *end = p + len;
	int			i;

	put(out, "{", 1);
	for (i = 0; i < ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		if (i > 0)
			put(out, ",", 1);
		put(out, "\"", 1);
		for (; *name != '\0'; name++)
			put_string_byte(out, *name);
		put(out, "\":", 2);
		p = put_field(out, p, end);
		if (p < end)
			p++;				/* the comma */
	}
	put(out, "}", 1);
	return finish(out);
}

size_t
dbmazz_key_text(const DbmazzTableDesc *desc, const char *key, size_t len,
				char *out, size_t outlen)
{
	Out			o = {out, outlen, 0};

	if ((desc->flags & DBMAZZ_TABLE_CSV) != 0)
		return csv_text(&o, desc, desc->nkeys, key, len);
	put(&o, "{", 1);
	put(&o, key, len);
	put(&o, "}", 1);
	return finish(&o);
}

size_t
dbmazz_row_text(const DbmazzTableDesc *desc, const char *row, size_t len,
				char *out, size_t outlen)
{
	Out			o = {out, outlen, 0};

	if ((desc->flags & DBMAZZ_TABLE_CSV) != 0)
		return csv_text(&o, desc, desc->ncolumns, row, len);
	/* without the comma behind it */
	put(&o, row, len - 1);
	return finish(&o);
}
