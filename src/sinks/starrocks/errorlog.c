/*
 * errorlog.c
 *		The log of bad rows that a backend keeps.
 *
 * NOTES
 *	  A line is "Error: REASON. Row: {"id":1,...}"; older servers say "Src line".
 *	  The form of the reason differs from version to version, so it is shown as
 *	  it stands and only searched for the name of a column.
 */
#include "sinks/starrocks/errorlog.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sinks/starrocks/text.h"

#define PART_SIZE		100		/* bytes of the names, or values, of a key */
#define KEY_SIZE		(2 * PART_SIZE + 32)

static size_t reason_length(const char *line, size_t len);
static int	find_column(const DbmazzTableDesc *desc, const char *reason,
						size_t len);
static bool is_named(const char *reason, size_t len, const char *name);
static void find_key(const DbmazzTableDesc *desc, const char *row, size_t len,
					 char key[KEY_SIZE]);
static bool find_value(const char *row, size_t len, const char *name,
					   const char **value, size_t *valuelen);

void
dbmazz_sr_error_log(const char *data, size_t len, const DbmazzTableDesc *desc,
					char *out, size_t outlen, DbmazzSrBadRow *first)
{
	size_t		used = 0;

	out[0] = '\0';
	first->column = -1;
	first->is_null = false;
	while (len > 0 && used + 2 < outlen)
	{
		const char *end = memchr(data, '\n', len);
		size_t		line = end != NULL ? (size_t) (end - data) : len;
		size_t		keep = reason_length(data, line);
		char		key[KEY_SIZE];

		if (keep > 0)
		{
			find_key(desc, data + keep, line - keep, key);
			if (used > 0)
				out[used++] = '\n';
			else
			{
				first->column = find_column(desc, data, keep);
				first->is_null = memmem(data, keep, "NULL value", 10) != NULL;
			}
			dbmazz_sr_clean(out + used, outlen - used, key, strlen(key));
			used += strlen(out + used);
			dbmazz_sr_clean(out + used, outlen - used, data, keep);
			used += strlen(out + used);
		}
		line += end != NULL ? 1 : 0;
		data += line;
		len -= line;
	}
}

/* Bytes before the row. */
static size_t
reason_length(const char *line, size_t len)
{
	static const char *const tails[] = {". Row:", " Row:", ". Src line:",
	" Src line:"};
	size_t		i;

	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
	{
		const char *tail = memmem(line, len, tails[i], strlen(tails[i]));

		if (tail != NULL)
			len = (size_t) (tail - line);
	}
	while (len > 0 && isspace((unsigned char) line[len - 1]))
		len--;
	return len;
}

/* The batch's column that the reason names, or -1. */
static int
find_column(const DbmazzTableDesc *desc, const char *reason, size_t len)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		if (is_named(reason, len,
					 dbmazz_desc_text(desc, desc->columns[i].name)))
			return i;
	}
	return -1;
}

/* In one of the server's ways to name a column, which values do not have. */
static bool
is_named(const char *reason, size_t len, const char *name)
{
	static const char *const before[] = {"of '", "column '", "column: ",
	"name = "};
	size_t		namelen = strlen(name);
	size_t		i;

	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++)
	{
		const char *p = reason;
		size_t		left = len;
		const char *found;

		while ((found = memmem(p, left, before[i],
							   strlen(before[i]))) != NULL)
		{
			p = found + strlen(before[i]);
			left = len - (size_t) (p - reason);
			if (left >= namelen && memcmp(p, name, namelen) == 0 &&
				(left == namelen || strchr("',). ", p[namelen]) != NULL))
				return true;
		}
	}
	return false;
}

/* Row with key (a, b)=(1, "x"): or "" if not all of it is there. */
static void
find_key(const DbmazzTableDesc *desc, const char *row, size_t len,
		 char key[KEY_SIZE])
{
	char		names[PART_SIZE] = "";
	char		values[PART_SIZE] = "";
	int			i;

	key[0] = '\0';
	for (i = 0; i < desc->nkeys; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);
		size_t		nused = strlen(names);
		size_t		vused = strlen(values);
		const char *comma = i > 0 ? ", " : "";
		const char *value;
		size_t		valuelen;

		if (!find_value(row, len, name, &value, &valuelen))
			return;
		(void) snprintf(names + nused, sizeof(names) - nused, "%s%s", comma,
						name);
		(void) snprintf(values + vused, sizeof(values) - vused, "%s", comma);
		vused = strlen(values);
		dbmazz_sr_clean(values + vused, sizeof(values) - vused, value,
						valuelen);
	}
	(void) snprintf(key, KEY_SIZE, "Row with key (%s)=(%s): ", names, values);
}

/* The member of a JSON object, a scalar, as it is written there. */
static bool
find_value(const char *row, size_t len, const char *name, const char **value,
		   size_t *valuelen)
{
	size_t		namelen = strlen(name);
	const char *end = row + len;
	const char *p = row;

	while ((p = memmem(p, (size_t) (end - p), name, namelen)) != NULL)
	{
		const char *start = p + namelen;

		if (p > row && p[-1] == '"' && start < end && *start++ == '"')
		{
			while (start < end && (*start == ' ' || *start == ':'))
				start++;
			*value = start;
			if (start < end && *start == '"')
			{
				for (start++; start < end && *start != '"'; start++)
					if (*start == '\\')
						start++;
				start++;
			}
			else
				while (start < end && strchr(",} ", *start) == NULL)
					start++;
			*valuelen = (size_t) (start - *value);
			return start <= end && *valuelen > 0;
		}
		p += namelen;
	}
	return false;
}
