/*
 * test_rows.c
 *		Tests the row scanner against a byte by byte reader, on random bodies
 *		cut at random places.
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY	20000

static uint64_t seed = 42;
static int	failures;

static uint32_t
rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t) (seed >> 16) % below;
}

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	failures++;
	printf("not ok: %s (%s)\n", what, bh_rows_variant());
}

/* ---- random documents ------------------------------------------------- */

static size_t
put(char *body, size_t len, const char *text)
{
	memcpy(body + len, text, strlen(text));
	return len + strlen(text);
}

static size_t
put_string(char *body, size_t len)
{
	static const char *const pieces[] = {
		"a", "{", "}", "[", "]", ",", "\\\"", "\\\\", "\\n", "\\u00e9",
		"\xc3\xa4", "some longer text without anything in it", "\\\\\\\"", ":"
	};
	int			n = rnd(8);

	len = put(body, len, "\"");
	while (n-- > 0)
		len = put(body, len,
				  pieces[rnd(sizeof(pieces) / sizeof(pieces[0]))]);
	return put(body, len, "\"");
}

static size_t
put_object(char *body, size_t len, int depth)
{
	int			n = rnd(5);

	len = put(body, len, "{");
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			len = put(body, len, rnd(2) ? "," : " , ");
		len = put_string(body, len);
		len = put(body, len, ":");
		if (depth < 3 && rnd(6) == 0)
			len = put_object(body, len, depth + 1);
		else if (rnd(8) == 0)
			len = put(body, len, "[1,[2,{}],\"]\"]");
		else if (rnd(2))
			len = put_string(body, len);
		else
			len = put(body, len, "-12.5e3");
	}
	return put(body, len, "}");
}

static size_t
put_body(char *body, bool array)
{
	size_t		len = 0;
	int			nrows = rnd(30);

	if (array)
		len = put(body, len, rnd(2) ? "[" : "\n [ ");
	for (int i = 0; i < nrows && len < MAX_BODY / 2; i++)
	{
		if (i > 0 && array)
			len = put(body, len, ",");
		len = put_object(body, len, 0);
		if (!array || rnd(4) == 0)
			len = put(body, len, "\n");
	}
	return array ? put(body, len, "]") : len;
}

/* ---- the reader to compare with --------------------------------------- */

static void
reference(const char *body, size_t len, bool array, uint64_t *rows,
		  uint64_t *checksum)
{
	int			depth = array ? -1 : 0;
	bool		quoted = false;
	size_t		start = 0;

	*rows = *checksum = 0;
	for (size_t i = 0; i < len; i++)
	{
		char		c = body[i];

		if (quoted)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		}
		else if (c == '"')
			quoted = true;
		else if (c == '{' || c == '[')
		{
			if (depth++ == 0)
				start = i;
		}
		else if ((c == '}' || c == ']') && --depth == 0)
		{
			++*rows;
			*checksum += bh_row_hash(body + start, i + 1 - start);
		}
	}
}

/* Feed a body in pieces, keeping in the buffer only what must be kept. */
static void
feed_as(BhRows *rows, const char *body, size_t len, uint32_t max_piece,
		bool csv)
{
	char	   *buf = NULL;
	size_t		have = 0;
	size_t		pos = 0;

	bh_rows_init(rows, NULL, NULL);
	while (pos < len)
	{
		size_t		piece = 1 + rnd(max_piece);
		size_t		keep = bh_rows_keep(rows);
		char	   *old = buf;

		if (piece > len - pos)
			piece = len - pos;

		/* no larger than needed, so that a sanitizer sees a read beyond */
		buf = malloc(have - keep + piece);
		if (old)
			memcpy(buf, old + keep, have - keep);
		free(old);
		bh_rows_forget(rows, keep);
		have -= keep;
		memcpy(buf + have, body + pos, piece);
		have += piece;
		pos += piece;
		if (csv)
			bh_csv_feed(rows, buf, have);
		else
			bh_rows_feed(rows, buf, have, pos == len);
	}
	free(buf);
}

static void
feed(BhRows *rows, const char *body, size_t len, uint32_t max_piece)
{
	feed_as(rows, body, len, max_piece, false);
}

static void
test_random(int rounds)
{
	static char body[MAX_BODY * 2];

	for (int i = 0; i < rounds; i++)
	{
		bool		array = rnd(2);
		size_t		len = put_body(body, array);
		uint64_t	want_rows;
		uint64_t	want_checksum;
		BhRows		rows;

		if (len == 0)
			continue;
		reference(body, len, array, &want_rows, &want_checksum);
		feed(&rows, body, len, rnd(3) == 0 ? 3 : 300);
		check(rows.rows == want_rows, "number of rows");
		check(rows.checksum == want_checksum, "checksum");
		check(bh_rows_complete(&rows), "complete");

		/* one byte less is never complete, but for a final line feed */
		if (array)
		{
			feed(&rows, body, len - 1, 300);
			check(!bh_rows_complete(&rows), "incomplete");
		}
	}
}

static void
test_fixed(void)
{
	static const struct
	{
		const char *body;
		uint64_t	rows;
		bool		complete;
	}			cases[] = {
		{"[]", 0, true},
		{"[{}]", 1, true},
		{"{}{}", 2, true},
		{"{}\n{}\n", 2, true},
		{"[{\"a\":\"}\"},{\"a\":{\"b\":1}}]", 2, true},
		{"[{\"a\":1}", 1, false},
		{"[{\"a\":\"x", 0, false},
		{"[1]", 0, true},
		{"[[1]]", 1, false},
		{"[{}]{}", 1, false},
		{"[{}]]", 1, false},
		{"[{}}", 1, false},
		{"x", 0, false},
		{"  ", 0, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		BhRows		rows;

		feed(&rows, cases[i].body, strlen(cases[i].body), 100);
		check(rows.rows == cases[i].rows, cases[i].body);
		check(bh_rows_complete(&rows) == cases[i].complete, cases[i].body);
	}
	check(bh_row_hash("a", 1) != bh_row_hash("a\0", 2), "length counts");
	check(bh_row_hash("ab", 2) != bh_row_hash("ba", 2), "order counts");
}

/* Lines of CSV, some with line feeds and quotes in their fields. */
static void
test_csv(int rounds)
{
	static const char *const fields[] = {
		"7", "\\N", "\"\"", "\"a,b\"", "\"two\nlines\n\"", "\"\"\"\"",
		"\"x\"\"\ny\"", "1.5", ""
	};
	static char body[MAX_BODY];

	for (int i = 0; i < rounds; i++)
	{
		uint64_t	n = 1 + rnd(20);
		uint64_t	checksum = 0;
		size_t		len = 0;
		BhRows		rows;

		for (uint64_t k = 0; k < n; k++)
		{
			size_t		start = len;

			for (int f = rnd(8); f >= 0; f--)
			{
				len = put(body, len, fields[rnd(9)]);
				len = put(body, len, ",");
			}
			len = put(body, len, "0\n");
			checksum += bh_row_hash(body + start, len - 1 - start);
		}
		feed_as(&rows, body, len, rnd(3) == 0 ? 3 : 300, true);
		check(rows.rows == n, "number of lines");
		check(rows.checksum == checksum, "checksum of lines");
		check(bh_rows_complete(&rows), "complete lines");
		feed_as(&rows, body, len - 1, 300, true);
		check(!bh_rows_complete(&rows), "a line without end");
	}
}

int
main(void)
{
	test_csv(5000);
	test_fixed();
	test_random(20000);
	bh_rows_force_scalar();
	test_fixed();
	test_random(20000);
	printf("%s\n", failures ? "failed" : "ok");
	return failures ? 1 : 0;
}
