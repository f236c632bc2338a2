/*
 * schema.c
 *		Reading a target table's columns from a frontend's answer.
 *
 * NOTES
 *	  The server drops columns that it does not have without a word, so nothing
 *	  may be sent before its schema has been compared with the batch's columns.
 */
#include "sinks/starrocks/schema.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "core/typemap.h"

#define MAX_TARGET_COLUMNS	10000

static DbmazzSrSchema *read_v2(const DbmazzHttpAnswer *answer);
static DbmazzSrSchema *read_sql(const DbmazzHttpAnswer *answer, bool *empty);
static DbmazzSrSchema *read_old(const DbmazzHttpAnswer *answer);
static bool is_unknown_path(const DbmazzHttpAnswer *answer);
static cJSON *parse(const char *data, size_t len);
static DbmazzSrSchema *schema_alloc(int ncolumns, size_t names, char **pos);
static void set_name(DbmazzSrColumn *column, const char *name, char **pos);
static const char *text_of(const cJSON *item, const char *name);
static double number_of(const cJSON *item, const char *name, double none);
static DbmazzSrType type_of(const char *text);
static void set_type(DbmazzSrColumn *column, const char *text);
static void set_scale(DbmazzSrColumn *column, const cJSON *value);
static void set_sql_column(DbmazzSrSchema *schema, DbmazzSrColumn *column,
						   const cJSON *row);

DbmazzSrSchemaResult
dbmazz_sr_schema_read(DbmazzSrSchemaSource source,
					  const DbmazzHttpAnswer *answer, DbmazzSrSchema **schema,
					  DbmazzSrVerdict *verdict, DbmazzError *err)
{
	bool		empty = false;

	*schema = NULL;
	memset(verdict, 0, sizeof(*verdict));
	dbmazz_error_reset(err);
	if (answer->complete && answer->status == 200)
	{
		if (source == DBMAZZ_SR_SCHEMA_V2)
			*schema = read_v2(answer);
		else if (source == DBMAZZ_SR_SCHEMA_SQL)
			*schema = read_sql(answer, &empty);
		else
			*schema = read_old(answer);
		if (*schema != NULL)
		{
			(*schema)->source = source;
			return DBMAZZ_SR_SCHEMA_READ;
		}
		if (empty)
		{
			verdict->outcome = DBMAZZ_REJECT;
			verdict->reason = DBMAZZ_SR_NO_TABLE;
			dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
							 "StarRocks does not have the table");
			return DBMAZZ_SR_SCHEMA_ERROR;
		}
	}
	if (answer->complete && is_unknown_path(answer))
		return DBMAZZ_SR_SCHEMA_NO_WAY;
	dbmazz_sr_answer_error(answer, verdict, err);
	return DBMAZZ_SR_SCHEMA_ERROR;
}

DbmazzSrSchema *
dbmazz_sr_schema_assume(const DbmazzTableDesc *desc)
{
	DbmazzSrSchema *schema;
	size_t		names = 0;
	char	   *pos;
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
		names += strlen(dbmazz_desc_text(desc, desc->columns[i].name)) + 1;
	schema = schema_alloc(desc->ncolumns, names, &pos);
	if (schema == NULL)
		return NULL;
	schema->keys_known = true;
	schema->nulls_known = true;
	schema->is_duplicate = (desc->flags & DBMAZZ_TABLE_LOG) != 0;
	schema->is_primary = !schema->is_duplicate;
	for (i = 0; i < desc->ncolumns; i++)
	{
		const DbmazzColumnDesc *source = &desc->columns[i];
		DbmazzSrColumn *column = &schema->columns[i];
		char		type[64];

		set_name(column, dbmazz_desc_text(desc, source->name), &pos);
		column->is_key = (source->flags & DBMAZZ_COLUMN_KEY) != 0;
		column->is_nullable = (source->flags & DBMAZZ_COLUMN_NOT_NULL) == 0 &&
			!column->is_key;
		if (!dbmazz_type_target(source->basetypid, source->typmod,
								column->is_key, type, sizeof(type)))
			type[0] = '\0';
		set_type(column, type);
	}
	return schema;
}

/* But for numbers, and for how they were asked for. */
static bool
is_alike(const DbmazzSrSchema *a, const DbmazzSrSchema *b)
{
	int			i;

	if (a->keys_known != b->keys_known || a->nulls_known != b->nulls_known ||
		a->is_primary != b->is_primary || a->is_duplicate != b->is_duplicate ||
		a->ncolumns != b->ncolumns)
		return false;
	for (i = 0; i < a->ncolumns; i++)
	{
		const DbmazzSrColumn *x = &a->columns[i];
		const DbmazzSrColumn *y = &b->columns[i];

		if (strcmp(x->name, y->name) != 0 || x->type != y->type ||
			x->scale != y->scale || x->is_key != y->is_key ||
			x->is_nullable != y->is_nullable ||
			x->has_default != y->has_default)
			return false;
	}
	return true;
}

bool
dbmazz_sr_schema_equal(const DbmazzSrSchema *a, const DbmazzSrSchema *b)
{
	int			i;

	if (a->source != b->source || a->number != b->number || !is_alike(a, b))
		return false;
	for (i = 0; i < a->ncolumns; i++)
	{
		if (a->columns[i].number != b->columns[i].number)
			return false;
	}
	return true;
}

void
dbmazz_sr_schema_keep_numbers(DbmazzSrSchema *schema,
							  const DbmazzSrSchema *known)
{
	int			i;

	if ((schema->number != 0 && schema->number != known->number) ||
		!is_alike(schema, known))
		return;
	for (i = 0; i < schema->ncolumns; i++)
	{
		if (schema->columns[i].number != -1 &&
			schema->columns[i].number != known->columns[i].number)
			return;
	}
	schema->number = known->number;
	for (i = 0; i < schema->ncolumns; i++)
		schema->columns[i].number = known->columns[i].number;
	if (known->source < schema->source)
		schema->source = known->source;
}

const DbmazzSrColumn *
dbmazz_sr_schema_find(const DbmazzSrSchema *schema, const char *name)
{
	int			i;

	for (i = 0; i < schema->ncolumns; i++)
	{
		if (strcmp(schema->columns[i].name, name) == 0)
			return &schema->columns[i];
	}
	return NULL;
}

/* {"code":"0",...,"result":{"keysType":..,"columns":[{"name":..},..]}} */
static DbmazzSrSchema *
read_v2(const DbmazzHttpAnswer *answer)
{
	cJSON	   *root = parse(answer->body, answer->body_len);
	const cJSON *result = cJSON_GetObjectItem(root, "result");
	const cJSON *columns = cJSON_GetObjectItem(result, "columns");
	const cJSON *item;
	DbmazzSrSchema *schema = NULL;
	size_t		names = 0;
	char	   *pos;
	int			n = 0;

	cJSON_ArrayForEach(item, columns)
	{
		names += strlen(text_of(item, "name")) + 1;
		n++;
	}
	if (cJSON_IsArray(columns) && n > 0)
		schema = schema_alloc(n, names, &pos);
	if (schema != NULL)
	{
		DbmazzSrColumn *column = schema->columns;

		schema->keys_known = true;
		schema->nulls_known = true;
		schema->is_primary = strcasecmp(text_of(result, "keysType"),
										"PRIMARY_KEYS") == 0;
		schema->is_duplicate = strcasecmp(text_of(result, "keysType"),
										  "DUP_KEYS") == 0;
		schema->number = number_of(result, "id", 0);
		cJSON_ArrayForEach(item, columns)
		{
			const char *kind = text_of(item, "defaultValueType");

			set_name(column, text_of(item, "name"), &pos);
			set_type(column, text_of(item, "primitiveType"));
			set_scale(column, cJSON_GetObjectItem(item, "scale"));
			column->number = number_of(item, "uniqueId", -1);
			column->is_key = cJSON_IsTrue(cJSON_GetObjectItem(item, "isKey"));
			column->is_nullable =
				cJSON_IsTrue(cJSON_GetObjectItem(item, "isAllowNull"));
			column->has_default = strcasecmp(kind, "CONST") == 0 ||
				strcasecmp(kind, "VARY") == 0 ||
				cJSON_IsTrue(cJSON_GetObjectItem(item, "isAutoIncrement"));
			column++;
		}
	}
	cJSON_Delete(root);
	return schema;
}

/*
 * One JSON object a line; those with "data" are rows, in the order of the
 * query: name, type, nullable, key, default, extra.
 */
static DbmazzSrSchema *
read_sql(const DbmazzHttpAnswer *answer, bool *empty)
{
	const char *data = answer->body;
	size_t		left = answer->body_len;
	cJSON	   *rows = cJSON_CreateArray();
	const cJSON *row;
	DbmazzSrSchema *schema = NULL;
	size_t		names = 0;
	char	   *pos;
	bool		ended = false;
	int			n = 0;

	while (left > 0)
	{
		const char *end = memchr(data, '\n', left);
		size_t		len = end != NULL ? (size_t) (end - data) : left;
		cJSON	   *line = parse(data, len);
		cJSON	   *values = cJSON_DetachItemFromObject(line, "data");

		if (cJSON_IsArray(values) && cJSON_GetArraySize(values) == 6 &&
			cJSON_IsString(cJSON_GetArrayItem(values, 0)))
		{
			names += strlen(cJSON_GetArrayItem(values, 0)->valuestring) + 1;
			n++;
			cJSON_AddItemToArray(rows, values);
		}
		else
			cJSON_Delete(values);
		if (cJSON_HasObjectItem(line, "statistics"))
			ended = true;
		cJSON_Delete(line);
		len += end != NULL ? 1 : 0;
		data += len;
		left -= len;
	}
	*empty = ended && n == 0;
	if (ended && n > 0)
		schema = schema_alloc(n, names, &pos);
	if (schema != NULL)
	{
		DbmazzSrColumn *column = schema->columns;

		schema->keys_known = true;
		schema->nulls_known = true;
		cJSON_ArrayForEach(row, rows)
		{
			set_name(column, row->child->valuestring, &pos);
			set_sql_column(schema, column, row);
			column++;
		}
	}
	cJSON_Delete(rows);
	return schema;
}

/* {"status":200,"properties":[{"name":..,"type":..},..]} */
static DbmazzSrSchema *
read_old(const DbmazzHttpAnswer *answer)
{
	cJSON	   *root = parse(answer->body, answer->body_len);
	const cJSON *columns = cJSON_GetObjectItem(root, "properties");
	const cJSON *item;
	DbmazzSrSchema *schema = NULL;
	size_t		names = 0;
	char	   *pos;
	int			n = 0;

	cJSON_ArrayForEach(item, columns)
	{
		names += strlen(text_of(item, "name")) + 1;
		n++;
	}
	if (cJSON_IsArray(columns) && n > 0)
		schema = schema_alloc(n, names, &pos);
	if (schema != NULL)
	{
		DbmazzSrColumn *column = schema->columns;

		cJSON_ArrayForEach(item, columns)
		{
			set_name(column, text_of(item, "name"), &pos);
			set_type(column, text_of(item, "type"));
			set_scale(column, cJSON_GetObjectItem(item, "scale"));
			column++;
		}
	}
	cJSON_Delete(root);
	return schema;
}

/*
 * Does the server not know the address?  Frontends tell so in several ways, but
 * never with a word about a table or database.
 */
static bool
is_unknown_path(const DbmazzHttpAnswer *answer)
{
	cJSON	   *root = parse(answer->body, answer->body_len);
	const char *message = text_of(root, "message");
	bool		result = false;

	if (message[0] == '\0')
		message = text_of(root, "msg");
	if (message[0] == '\0')
		message = text_of(root, "exception");
	if (strcasecmp(message, "Not implemented") == 0 || answer->status == 405)
		result = true;
	else if (answer->status == 404)
		result = strcasestr(message, "table") == NULL &&
			strcasestr(message, "database") == NULL;
	cJSON_Delete(root);
	return result;
}

/* NULL if it is no object. */
static cJSON *
parse(const char *data, size_t len)
{
	cJSON	   *root = len > 0 ? cJSON_ParseWithLength(data, len) : NULL;

	if (root != NULL && !cJSON_IsObject(root))
	{
		cJSON_Delete(root);
		root = NULL;
	}
	return root;
}

static DbmazzSrSchema *
schema_alloc(int ncolumns, size_t names, char **pos)
{
	size_t		head = sizeof(DbmazzSrSchema) +
	(size_t) ncolumns * sizeof(DbmazzSrColumn);
	DbmazzSrSchema *schema;

	if (ncolumns > MAX_TARGET_COLUMNS)
		return NULL;
	schema = calloc(1, head + names);
	if (schema == NULL)
		return NULL;
	schema->ncolumns = ncolumns;
	*pos = (char *) schema + head;
	return schema;
}

static void
set_name(DbmazzSrColumn *column, const char *name, char **pos)
{
	size_t		size = strlen(name) + 1;

	memcpy(*pos, name, size);
	column->name = *pos;
	column->number = -1;
	*pos += size;
}

/* A member that is a string; else "". */
static const char *
text_of(const cJSON *item, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(item, name));

	return text != NULL ? text : "";
}

/* A member that is a number; else 'none'. */
static double
number_of(const cJSON *item, const char *name, double none)
{
	const cJSON *number = cJSON_GetObjectItem(item, name);

	return cJSON_IsNumber(number) ? number->valuedouble : none;
}

/* By the first word of the type: "decimal(10, 2)", "DECIMAL64", "varchar". */
static DbmazzSrType
type_of(const char *text)
{
	static const struct
	{
		const char *prefix;
		DbmazzSrType type;
	}			types[] = {
		{"boolean", DBMAZZ_SR_TYPE_BOOLEAN},
		{"tinyint", DBMAZZ_SR_TYPE_INTEGER},
		{"smallint", DBMAZZ_SR_TYPE_INTEGER},
		{"int", DBMAZZ_SR_TYPE_INTEGER},
		{"bigint", DBMAZZ_SR_TYPE_INTEGER},
		{"largeint", DBMAZZ_SR_TYPE_INTEGER},
		{"float", DBMAZZ_SR_TYPE_FLOAT},
		{"double", DBMAZZ_SR_TYPE_DOUBLE},
		{"decimal", DBMAZZ_SR_TYPE_DECIMAL},
		{"datetime", DBMAZZ_SR_TYPE_DATETIME},
		{"date", DBMAZZ_SR_TYPE_DATE},
		{"char", DBMAZZ_SR_TYPE_STRING},
		{"varchar", DBMAZZ_SR_TYPE_STRING},
		{"string", DBMAZZ_SR_TYPE_STRING},
		{"varbinary", DBMAZZ_SR_TYPE_BINARY},
		{"binary", DBMAZZ_SR_TYPE_BINARY},
		{"json", DBMAZZ_SR_TYPE_JSON},
		{"array", DBMAZZ_SR_TYPE_NESTED},
		{"map", DBMAZZ_SR_TYPE_NESTED},
		{"struct", DBMAZZ_SR_TYPE_NESTED},
		{"invalid_type", DBMAZZ_SR_TYPE_NESTED} /* as V2 calls all three */
	};
	size_t		i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		if (strncasecmp(text, types[i].prefix, strlen(types[i].prefix)) == 0)
			return types[i].type;
	}
	return DBMAZZ_SR_TYPE_OTHER;
}

/* The scale too, where the text has it: "decimal(10, 2)". */
static void
set_type(DbmazzSrColumn *column, const char *text)
{
	const char *comma = strchr(text, ',');

	column->type = type_of(text);
	column->scale = -1;
	if (column->type == DBMAZZ_SR_TYPE_DECIMAL && comma != NULL)
		column->scale = atoi(comma + 1);
}

/* A number, or a string with one. */
static void
set_scale(DbmazzSrColumn *column, const cJSON *value)
{
	if (column->type != DBMAZZ_SR_TYPE_DECIMAL)
		return;
	if (cJSON_IsNumber(value))
		column->scale = value->valueint;
	else if (cJSON_IsString(value) && value->valuestring[0] != '\0')
		column->scale = atoi(value->valuestring);
}

static void
set_sql_column(DbmazzSrSchema *schema, DbmazzSrColumn *column,
			   const cJSON *row)
{
	const cJSON *type = row->child->next;
	const cJSON *nullable = type->next;
	const cJSON *key = nullable->next;
	const cJSON *value = key->next;
	const cJSON *extra = value->next;

	if (cJSON_IsString(type))
		set_type(column, type->valuestring);
	column->is_nullable = cJSON_IsString(nullable) &&
		strcasecmp(nullable->valuestring, "YES") == 0;
	if (cJSON_IsString(key) && key->valuestring[0] != '\0')
	{
		column->is_key = true;
		if (strcasecmp(key->valuestring, "PRI") == 0)
			schema->is_primary = true;
		if (strcasecmp(key->valuestring, "DUP") == 0)
			schema->is_duplicate = true;
	}
	column->has_default = cJSON_IsString(value) ||
		(cJSON_IsString(extra) && extra->valuestring[0] != '\0');
}
