/*
 * csvrows.c
 *		Counts and sums up the rows of a CSV body while it arrives.
 *
 * NOTES
 *	  A line feed outside of quotes ends a row; doubled quotes need no care, for
 *	  two of them are none as far as that goes.  The state is that of the JSON
 *	  scanner, used in the same way: 'depth' is 1 within a row.
 */
#include "rows.h"

#include <string.h>

/* Is the number of quotes odd?  The compiler makes vectors of it. */
__attribute__((optimize("O3")))
static bool
odd_quotes(const char *p, size_t len)
{
	unsigned char odd = 0;

	for (size_t i = 0; i < len; i++)
		odd ^= p[i] == '"';
	return odd;
}

void
bh_csv_feed(BhRows *rows, const char *buf, size_t len)
{
	size_t		pos = rows->scanned;

	rows->base = 0;
	while (pos < len)
	{
		const char *feed = memchr(buf + pos, '\n', len - pos);
		size_t		end = feed ? (size_t) (feed - buf) : len;

		if (rows->depth == 0)
			rows->row_start = pos;
		rows->depth = 1;
		if (odd_quotes(buf + pos, end - pos))
			rows->in_string = ~rows->in_string;
		pos = end;
		if (feed == NULL)
			break;
		pos++;
		if (rows->in_string)
			continue;
		bh_row_done(rows, buf, pos - 1);
		rows->depth = 0;
	}
	rows->scanned = pos;
}
