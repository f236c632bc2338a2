/*
 * schema.c
 *		The tables that the stand-in says it has.
 */
#include "schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_LEN	128

typedef struct Column
{
	char		name[NAME_LEN];
	char		type[NAME_LEN]; /* without (…), upper case */
	int			arg1;			/* length or precision; -1 if none */
	int			arg2;			/* scale; -1 if none */
	bool		key;
	bool		notnull;
} Column;

typedef struct Table
{
	struct Table *next;
	char		name[NAME_LEN];
	Column	   *columns;
	int			ncolumns;
} Table;

static Table *tables;

static Table *
find_table(BhSpan name)
{
	for (Table *table = tables; table; table = table->next)
	{
		if (bh_span_is(name, table->name))
			return table;
	}
	return NULL;
}

static bool
copy_name(char *out, const char *from, size_t len)
{
	if (len == 0 || len >= NAME_LEN)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

/* "DECIMAL(12,2)" */
static bool
parse_type(Column *column, const char *text, size_t len)
{
	const char *args = memchr(text, '(', len);

	column->arg1 = column->arg2 = -1;
	if (args &&
		sscanf(args, "(%d,%d)", &column->arg1, &column->arg2) < 1)
		return false;
	if (!copy_name(column->type, text, args ? (size_t) (args - text) : len))
		return false;
	for (char *c = column->type; *c; c++)
		*c = (char) toupper((unsigned char) *c);
	return true;
}

/* "name:type[:key][:notnull]" */
static bool
parse_column(Column *column, const char *text, size_t len)
{
	const char *end = text + len;

	memset(column, 0, sizeof(*column));
	for (int field = 0; text <= end; field++)
	{
		const char *stop = memchr(text, ':', (size_t) (end - text));
		size_t		n = (size_t) ((stop ? stop : end) - text);
		BhSpan		word = {text, n};
		bool		ok = true;

		if (field == 0)
			ok = copy_name(column->name, text, n);
		else if (field == 1)
			ok = parse_type(column, text, n);
		else if (bh_span_is_nocase(word, "key"))
			column->key = column->notnull = true;
		else if (bh_span_is_nocase(word, "notnull"))
			column->notnull = true;
		else
			ok = bh_span_is_nocase(word, "null");
		if (!ok)
			return false;
		text += n + 1;
	}
	return column->type[0] != '\0';
}

/* Length of a column's text: to a comma that is not within parentheses. */
static size_t
column_length(const char *text)
{
	int			depth = 0;
	size_t		len = 0;

	for (; text[len]; len++)
	{
		if (text[len] == '(')
			depth++;
		else if (text[len] == ')')
			depth--;
		else if (text[len] == ',' && depth == 0)
			break;
	}
	return len;
}

bool
bh_schema_add(const char *text)
{
	const char *equals = strchr(text, '=');
	Table	   *table = calloc(1, sizeof(Table));

	if (table == NULL || equals == NULL ||
		!copy_name(table->name, text, (size_t) (equals - text)))
	{
		free(table);
		return false;
	}
	for (text = equals + 1; *text;)
	{
		size_t		len = column_length(text);
		size_t		size = (size_t) (table->ncolumns + 1) * sizeof(Column);

		table->columns = realloc(table->columns, size);
		if (table->columns == NULL ||
			!parse_column(&table->columns[table->ncolumns], text, len))
		{
			free(table->columns);
			free(table);
			return false;
		}
		table->ncolumns++;
		text += len + (text[len] == ',');
	}
	/* found before an older one of the same name */
	table->next = tables;
	tables = table;
	return table->ncolumns > 0;
}

bool
bh_schema_read(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;
	bool		ok = file != NULL;

	while (ok && (len = getline(&line, &size, file)) >= 0)
	{
		while (len > 0 && isspace((unsigned char) line[len - 1]))
			line[--len] = '\0';
		if (len > 0 && line[0] != '#')
			ok = bh_schema_add(line);
	}
	free(line);
	if (file)
		fclose(file);
	return ok;
}

/* ---- answers ---------------------------------------------------------- */

/* The name of the stored type, and its size, as the server gives them. */
static const char *
primitive(const Column *column, int *size)
{
	static const struct
	{
		const char *type;
		const char *primitive;
		int			size;
	}			types[] = {
		{"BOOLEAN", "BOOLEAN", 1}, {"TINYINT", "TINYINT", 1},
		{"SMALLINT", "SMALLINT", 2}, {"INT", "INT", 4},
		{"BIGINT", "BIGINT", 8}, {"LARGEINT", "LARGEINT", 16},
		{"FLOAT", "FLOAT", 4}, {"DOUBLE", "DOUBLE", 8},
		{"DATE", "DATE", 4}, {"DATETIME", "DATETIME", 8},
		{"STRING", "VARCHAR", 16},
	};

	*size = 16;
	if (strcmp(column->type, "DECIMAL") == 0)
	{
		*size = column->arg1 <= 9 ? 4 : column->arg1 <= 18 ? 8 : 16;
		return *size == 4 ? "DECIMAL32" :
			*size == 8 ? "DECIMAL64" : "DECIMAL128";
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		if (strcmp(column->type, types[i].type) == 0)
		{
			*size = types[i].size;
			return types[i].primitive;
		}
	}
	return column->type;
}

static void
column_v2(BhBuffer *out, const Column *column, int number)
{
	bool		decimal = strcmp(column->type, "DECIMAL") == 0;
	bool		string = strcmp(column->type, "STRING") == 0;
	int			size;
	const char *name = primitive(column, &size);
	int			width = string ? 65533 : column->arg1;

	bh_buffer_printf(out, "%s{\"name\":\"%s\",\"primitiveType\":\"%s\","
					 "\"primitiveTypeSize\":%d,\"columnSize\":%d,"
					 "\"precision\":%d,\"scale\":%d,",
					 number > 0 ? "," : "", column->name, name, size,
					 decimal || width < 0 ? size : width,
					 decimal ? column->arg1 : 0,
					 decimal && column->arg2 > 0 ? column->arg2 : 0);
	bh_buffer_printf(out, "\"aggregationType\":%s,\"isKey\":%s,"
					 "\"isAllowNull\":%s,\"isAutoIncrement\":false,"
					 "\"defaultValueType\":\"NULL\",\"defaultValue\":null,"
					 "\"defaultExpr\":null,\"comment\":\"\",\"uniqueId\":%d}",
					 column->key ? "null" : "\"REPLACE\"",
					 column->key ? "true" : "false",
					 column->notnull ? "false" : "true", number);
}

bool
bh_schema_v2(BhBuffer *out, BhSpan name)
{
	Table	   *table = find_table(name);

	if (table == NULL)
		return false;
	bh_buffer_printf(out, "{\"code\":\"0\",\"message\":\"OK\",\"result\":{"
					 "\"id\":10001,\"name\":\"%s\",\"tableType\":\"OLAP\","
					 "\"keysType\":\"PRIMARY_KEYS\",\"comment\":\"\","
					 "\"columns\":[", table->name);
	for (int i = 0; i < table->ncolumns; i++)
		column_v2(out, &table->columns[i], i);
	bh_buffer_printf(out, "]}}");
	return true;
}

bool
bh_schema_v1(BhBuffer *out, BhSpan name)
{
	Table	   *table = find_table(name);

	if (table == NULL)
		return false;
	bh_buffer_printf(out, "{\"status\":200,\"properties\":[");
	for (int i = 0; i < table->ncolumns; i++)
	{
		const Column *column = &table->columns[i];
		int			size;

		bh_buffer_printf(out, "%s{\"name\":\"%s\",\"type\":\"%s\","
						 "\"comment\":\"\"", i > 0 ? "," : "", column->name,
						 primitive(column, &size));
		if (strcmp(column->type, "DECIMAL") == 0)
			bh_buffer_printf(out, ",\"precision\":\"%d\",\"scale\":\"%d\"",
							 column->arg1,
							 column->arg2 > 0 ? column->arg2 : 0);
		bh_buffer_printf(out, "}");
	}
	bh_buffer_printf(out, "]}");
	return true;
}
