/*
 * csv_read.c
 *		A reader of CSV as strict as can be, for tests.
 */
#include "csv_read.h"

static const char *
read_enclosed(const char *p, const char *end, Buffer *field)
{
	while (p < end)
	{
		if (*p == '"')
		{
			if (end - p < 2 || p[1] != '"')
				return p + 1;
			p++;
		}
		put_byte(field, *p++);
	}
	return NULL;
}

static const char *
read_bare(const char *p, const char *end, Buffer *field)
{
	while (p < end && *p != ',' && *p != '\n')
	{
		if (*p == '"')
			return NULL;
		put_byte(field, *p++);
	}
	return p;
}

const char *
csv_read(const char *p, const char *end, Buffer *field, bool *is_last)
{
	field->len = 0;
	if (p < end && *p == '"')
		p = read_enclosed(p + 1, end, field);
	else
		p = read_bare(p, end, field);
	if (p == NULL || p == end || (*p != ',' && *p != '\n'))
		return NULL;
	*is_last = *p == '\n';
	return p + 1;
}
