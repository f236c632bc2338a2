/*
 * plan.c
 *		Compares a table description with the target's schema, and prepares
 *		what every load of it has in common.
 *
 * NOTES
 *	  Names must be the same to the letter: the server matches the names of the
 *	  header "columns" without regard to case, but the keys of the JSON objects
 *	  with it.
 *
 *	  All columns of the batch are listed in "columns", so what a delete leaves
 *	  out is NULL there.  That is refused for NOT NULL columns although the row
 *	  is going to be deleted; those get a filler of their type, which is never
 *	  stored.
 */
#include "sinks/starrocks/plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/bytes.h"
#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/loss.h"
#include "sinks/starrocks/names.h"
#include "sinks/starrocks/text.h"

/* Longest list of names in a message. */
#define LIST_SIZE		160

static bool compare(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
					const char *database, DbmazzError *err);
static bool check_names(const DbmazzTableDesc *desc, DbmazzError *err);
static bool check_missing(const DbmazzTableDesc *desc,
						  const DbmazzSrSchema *schema, const char *database,
						  DbmazzError *err);
static bool check_format(const DbmazzTableDesc *desc,
						 const DbmazzSrSchema *schema, DbmazzError *err);
static bool check_keys(const DbmazzTableDesc *desc,
					   const DbmazzSrSchema *schema, const char *database,
					   DbmazzError *err);
static bool check_types(const DbmazzTableDesc *desc,
						const DbmazzSrSchema *schema, const char *database,
						DbmazzError *err);
static bool check_unfilled(const DbmazzTableDesc *desc,
						   const DbmazzSrSchema *schema,
						   const char *database, DbmazzError *err);
static void set_numbers(DbmazzSrPlan *plan, const DbmazzTableDesc *desc,
						const DbmazzSrSchema *schema);
static bool is_same_number(double a, double b, double unknown);
static const DbmazzColumnDesc *find_source(const DbmazzTableDesc *desc,
										   const char *name);
static const char *find_other_case(const DbmazzSrSchema *schema,
								   const char *name);
static void list_name(char list[LIST_SIZE], const char *name);
static void write_columns(DbmazzSrText *text, const DbmazzTableDesc *desc,
						  const DbmazzSrSchema *schema);
static void write_tail(DbmazzSrText *text, const DbmazzTableDesc *desc,
					   const DbmazzSrSchema *schema);
static bool is_csv(const DbmazzTableDesc *desc);
static const char *filler(DbmazzSrType type);

uint64_t
dbmazz_sr_plan_key(const DbmazzTableDesc *desc)
{
	return dbmazz_hash((const char *) desc, desc->size, 0);
}

DbmazzSrPlan *
dbmazz_sr_plan_create(const DbmazzTableDesc *desc,
					  const DbmazzSrSchema *schema, const char *database,
					  DbmazzError *err)
{
	DbmazzSrText columns = {0};
	DbmazzSrText tail = {0};
	DbmazzSrPlan *plan;

	dbmazz_error_reset(err);
	if (!compare(desc, schema, database, err))
		return NULL;
	write_columns(&columns, desc, schema);
	write_tail(&tail, desc, schema);
	plan = calloc(1, sizeof(*plan) + desc->ncolumns * sizeof(double));
	if (plan == NULL || columns.failed || tail.failed)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
		dbmazz_sr_text_free(&columns);
		dbmazz_sr_text_free(&tail);
		free(plan);
		return NULL;
	}
	plan->refs = 1;
	plan->key = dbmazz_sr_plan_key(desc);
	set_numbers(plan, desc, schema);
	plan->columns = columns.data;
	plan->delete_tail = tail.data;
	plan->delete_tail_len = tail.len;
	return plan;
}

bool
dbmazz_sr_plan_equal(const DbmazzSrPlan *a, const DbmazzSrPlan *b)
{
	int			i;

	if (strcmp(a->columns, b->columns) != 0 ||
		!is_same_number(a->number, b->number, 0))
		return false;
	/* without the table's number, those of columns mean nothing */
	if (a->number == 0 || b->number == 0)
		return true;
	for (i = 0; i < a->nnumbers && i < b->nnumbers; i++)
	{
		if (!is_same_number(a->numbers[i], b->numbers[i], -1))
			return false;
	}
	return true;
}

void
dbmazz_sr_plan_body(const DbmazzSrPlan *plan, const DbmazzBatchView *batch,
					DbmazzBody *body)
{
	DbmazzSpan	tail = {plan->delete_tail, plan->delete_tail_len};

	dbmazz_body_init(body, batch, is_csv(batch->table) ? DBMAZZ_FRAME_CSV :
					 DBMAZZ_FRAME_JSON_ARRAY, tail);
}

void
dbmazz_sr_plan_release(DbmazzSrPlan *plan)
{
	if (plan == NULL || --plan->refs > 0)
		return;
	free(plan->columns);
	free(plan->delete_tail);
	free(plan);
}

static bool
compare(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
		const char *database, DbmazzError *err)
{
	bool		is_log = (desc->flags & DBMAZZ_TABLE_LOG) != 0;

	if (schema->keys_known &&
		!(is_log ? schema->is_duplicate : schema->is_primary))
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "target table \"%s\" is not a %s Key table",
						 dbmazz_desc_text(desc, desc->target),
						 is_log ? "Duplicate" : "Primary");
		dbmazz_sr_hint_create(err, database, desc);
		return false;
	}
	return check_names(desc, err) &&
		check_missing(desc, schema, database, err) &&
		check_types(desc, schema, database, err) &&
		check_format(desc, schema, err) &&
		check_keys(desc, schema, database, err) &&
		check_unfilled(desc, schema, database, err);
}

static bool
check_names(const DbmazzTableDesc *desc, DbmazzError *err)
{
	const char *target = dbmazz_desc_text(desc, desc->target);
	int			i;
	int			k;

	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		bool		is_good = dbmazz_sr_check_column_name(target, name, err);

		for (k = 0; k < i && is_good; k++)
			is_good = dbmazz_sr_check_two_names(target,
												dbmazz_desc_text(desc, desc->columns[k].name),
												name, err);
		if (!is_good)
		{
			dbmazz_sr_hint_row_name(err);
			return false;
		}
	}
	return true;
}

/* Columns of the batch that the target does not have. */
static bool
check_missing(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
			  const char *database, DbmazzError *err)
{
	const char *target = dbmazz_desc_text(desc, desc->target);
	bool	   *missing = calloc((size_t) desc->ncolumns + 1, sizeof(bool));
	const char *other = NULL;
	char		list[LIST_SIZE] = "";
	int			nmissing = 0;
	int			i;

	if (missing == NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
		return false;
	}
	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		if (dbmazz_sr_schema_find(schema, name) != NULL)
			continue;
		missing[i] = true;
		nmissing++;
		list_name(list, name);
		if (other == NULL)
			other = find_other_case(schema, name);
	}
	if (nmissing > 0)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "target table \"%s\" has no column %s", target, list);
		if (other != NULL)
			dbmazz_error_hint(err, "It has a column \"%s\"; names must be "
							  "the same in upper and lower case.", other);
		else
			dbmazz_sr_hint_add_columns(err, database, desc, missing);
	}
	free(missing);
	return nmissing == 0;
}

/* A text goes into a JSON column as a string by JSON, but not by CSV. */
static bool
check_format(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
			 DbmazzError *err)
{
	int			i;

	for (i = 0; i < desc->ncolumns && is_csv(desc); i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		if (dbmazz_sr_schema_find(schema, name)->type != DBMAZZ_SR_TYPE_JSON)
			continue;
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "column \"%s\" of target table \"%s\" is of type "
						 "JSON, and rows are sent as CSV", name,
						 dbmazz_desc_text(desc, desc->target));
		dbmazz_error_hint(err, "Make it a column of type VARCHAR, or set the "
						  "option format of the destination to json: stop the "
						  "pipeline, alter it, and start it.");
		return false;
	}
	return true;
}

/* The same key columns on both sides, in any order. */
static bool
check_keys(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
		   const char *database, DbmazzError *err)
{
	char		source_keys[LIST_SIZE] = "";
	char		target_keys[LIST_SIZE] = "";
	bool		same = true;
	int			i;

	if (!schema->keys_known || (desc->flags & DBMAZZ_TABLE_LOG) != 0)
		return true;
	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		if ((desc->columns[i].flags & DBMAZZ_COLUMN_KEY) == 0)
			continue;
		list_name(source_keys, name);
		if (!dbmazz_sr_schema_find(schema, name)->is_key)
			same = false;
	}
	for (i = 0; i < schema->ncolumns; i++)
	{
		const DbmazzColumnDesc *source;

		if (!schema->columns[i].is_key)
			continue;
		list_name(target_keys, schema->columns[i].name);
		source = find_source(desc, schema->columns[i].name);
		if (source == NULL || (source->flags & DBMAZZ_COLUMN_KEY) == 0)
			same = false;
	}
	if (same)
		return true;
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "primary key of target table \"%s\" is not that of the "
					 "source", dbmazz_desc_text(desc, desc->target));
	dbmazz_error_detail(err, "The key is %s in the target and %s in the "
						"source.", target_keys, source_keys);
	dbmazz_sr_hint_create(err, database, desc);
	return false;
}

/*
 * Columns that would take values of the source and change them without a word.
 * Those that refuse what they cannot hold are the server's to judge.
 */
static bool
check_types(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
			const char *database, DbmazzError *err)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);
		const DbmazzSrColumn *column = dbmazz_sr_schema_find(schema, name);
		const char *what = dbmazz_sr_type_loses(&desc->columns[i], column);

		if (what == NULL)
			continue;
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "column \"%s\" of target table \"%s\" would change "
						 "values of the source", name,
						 dbmazz_desc_text(desc, desc->target));
		dbmazz_error_detail(err, "StarRocks says nothing when %s.", what);
		if ((desc->columns[i].flags & DBMAZZ_COLUMN_KEY) != 0)
			dbmazz_sr_hint_create(err, database, desc);
		else
			dbmazz_sr_hint_modify(err, database, desc, i,
								  !schema->nulls_known || column->is_nullable);
		return false;
	}
	return true;
}

/* Columns that the target must have a value for and nobody gives one. */
static bool
check_unfilled(const DbmazzTableDesc *desc, const DbmazzSrSchema *schema,
			   const char *database, DbmazzError *err)
{
	DbmazzSrText table = {0};
	int			i;

	if (!schema->nulls_known || (desc->flags & DBMAZZ_TABLE_PARTIAL) != 0)
		return true;
	for (i = 0; i < schema->ncolumns; i++)
	{
		const DbmazzSrColumn *column = &schema->columns[i];

		if (column->is_nullable || column->has_default ||
			find_source(desc, column->name) != NULL)
			continue;
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "target table \"%s\" wants a value for column "
						 "\"%s\", which the source does not have",
						 dbmazz_desc_text(desc, desc->target), column->name);
		dbmazz_sr_text_ident(&table, database);
		dbmazz_sr_text_add(&table, ".", 1);
		dbmazz_sr_text_ident(&table, dbmazz_desc_text(desc, desc->target));
		dbmazz_sr_text_addf(&table, " DROP COLUMN ");
		dbmazz_sr_text_ident(&table, column->name);
		if (!table.failed)
			dbmazz_error_hint(err, "Make the column nullable, give it a "
							  "default, or run in StarRocks: ALTER TABLE %s;",
							  table.data);
		dbmazz_sr_text_free(&table);
		return false;
	}
	return true;
}

static void
set_numbers(DbmazzSrPlan *plan, const DbmazzTableDesc *desc,
			const DbmazzSrSchema *schema)
{
	int			i;

	plan->number = schema->number;
	plan->nnumbers = desc->ncolumns;
	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		plan->numbers[i] = dbmazz_sr_schema_find(schema, name)->number;
	}
}

static bool
is_same_number(double a, double b, double unknown)
{
	return a == b || a == unknown || b == unknown;
}

static const DbmazzColumnDesc *
find_source(const DbmazzTableDesc *desc, const char *name)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		if (strcmp(dbmazz_desc_text(desc, desc->columns[i].name), name) == 0)
			return &desc->columns[i];
	}
	return NULL;
}

static const char *
find_other_case(const DbmazzSrSchema *schema, const char *name)
{
	int			i;

	for (i = 0; i < schema->ncolumns; i++)
	{
		if (strcasecmp(schema->columns[i].name, name) == 0)
			return schema->columns[i].name;
	}
	return NULL;
}

/* Add "name" to a list, or "..." if there is no more room. */
static void
list_name(char list[LIST_SIZE], const char *name)
{
	size_t		len = strlen(list);
	size_t		size = strlen(name);

	if (len >= 3 && strcmp(list + len - 3, "...") == 0)
		return;
	if (len > 0)
	{
		strcpy(list + len, ", ");
		len += 2;
	}
	if (len + size + 2 + 6 > LIST_SIZE)
	{
		strcpy(list + len, "...");
		return;
	}
	list[len++] = '"';
	memcpy(list + len, name, size);
	strcpy(list + len + size, "\"");
}

static bool
is_csv(const DbmazzTableDesc *desc)
{
	return (desc->flags & DBMAZZ_TABLE_CSV) != 0;
}

/* `a`,`b`,`b`=to_binary(`b`,'hex'); in CSV all fields of a line come first */
static void
write_columns(DbmazzSrText *text, const DbmazzTableDesc *desc,
			  const DbmazzSrSchema *schema)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		if (i > 0)
			dbmazz_sr_text_add(text, ",", 1);
		dbmazz_sr_text_ident(text,
							 dbmazz_desc_text(desc, desc->columns[i].name));
	}
	if (is_csv(desc))
		dbmazz_sr_text_addf(text, ",__op");
	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);
		const DbmazzSrColumn *column = dbmazz_sr_schema_find(schema, name);

		/* Into a column of another type the hexadecimal text itself goes. */
		if (desc->columns[i].value_class != DBMAZZ_VALUE_BYTEA ||
			column->type != DBMAZZ_SR_TYPE_BINARY)
			continue;
		dbmazz_sr_text_add(text, ",", 1);
		dbmazz_sr_text_ident(text, name);
		dbmazz_sr_text_addf(text, "=to_binary(");
		dbmazz_sr_text_ident(text, name);
		dbmazz_sr_text_addf(text, ",'hex')");
	}
}

/* ,"b":0,"__op":1} or, in CSV, a field for each column that is no key: ,\N,0,1 */
static void
write_tail(DbmazzSrText *text, const DbmazzTableDesc *desc,
		   const DbmazzSrSchema *schema)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);
		const DbmazzSrColumn *column = dbmazz_sr_schema_find(schema, name);
		bool		is_null = schema->nulls_known && column->is_nullable;

		if ((desc->columns[i].flags & DBMAZZ_COLUMN_KEY) != 0 ||
			(is_null && !is_csv(desc)))
			continue;
		dbmazz_sr_text_add(text, ",", 1);
		if (!is_csv(desc))
		{
			dbmazz_sr_text_json(text, name);
			dbmazz_sr_text_add(text, ":", 1);
		}
		dbmazz_sr_text_addf(text, "%s", is_null ? "\\N" :
							filler(column->type));
	}
	dbmazz_sr_text_addf(text, is_csv(desc) ? ",1\n" : ",\"__op\":1}");
}

/* Any value of the type; JSON and CSV have the same. */
static const char *
filler(DbmazzSrType type)
{
	switch (type)
	{
		case DBMAZZ_SR_TYPE_INTEGER:
		case DBMAZZ_SR_TYPE_DECIMAL:
		case DBMAZZ_SR_TYPE_FLOAT:
		case DBMAZZ_SR_TYPE_DOUBLE:
			return "0";
		case DBMAZZ_SR_TYPE_BOOLEAN:
			return "false";
		case DBMAZZ_SR_TYPE_STRING:
		case DBMAZZ_SR_TYPE_BINARY:
			return "\"\"";
		case DBMAZZ_SR_TYPE_DATE:
			return "\"1970-01-01\"";
		case DBMAZZ_SR_TYPE_DATETIME:
			return "\"1970-01-01 00:00:00\"";
		case DBMAZZ_SR_TYPE_JSON:
			return "{}";
		case DBMAZZ_SR_TYPE_NESTED:
		case DBMAZZ_SR_TYPE_OTHER:
			return "[]";
	}
	return "null";
}
