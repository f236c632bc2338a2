/*
 * ddl.c
 *		CREATE TABLE and ALTER TABLE statements for StarRocks.
 */
#include "sinks/starrocks/ddl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/typemap.h"
#include "sinks/starrocks/names.h"
#include "sinks/starrocks/text.h"

#define TYPE_SIZE		64

static bool write_create(DbmazzSrText *text, const char *database,
						 const char *target, const DbmazzDdlColumn *columns,
						 int ncolumns, bool is_log, DbmazzError *err);
static bool write_column(DbmazzSrText *text, const DbmazzDdlColumn *column,
						 DbmazzError *err);
static void write_keys(DbmazzSrText *text, const DbmazzDdlColumn *columns,
					   int ncolumns);
static void ddl_column(const DbmazzTableDesc *desc, int i,
					   DbmazzDdlColumn *column);
static void hint_function(DbmazzError *err, const DbmazzTableDesc *desc);
static void add_quoted(DbmazzSrText *text, const char *name);

size_t
dbmazz_sr_ddl(const char *target, const DbmazzDdlColumn *columns,
			  int ncolumns, bool is_log, char *out, size_t len,
			  DbmazzError *err)
{
	DbmazzSrText text = {0};
	size_t		result = 0;

	dbmazz_error_reset(err);
	if (len > 0)
		out[0] = '\0';
	if (write_create(&text, NULL, target, columns, ncolumns, is_log, err))
	{
		result = text.len;
		if (len > 0)
			(void) snprintf(out, len, "%s", text.data);
	}
	dbmazz_sr_text_free(&text);
	return result;
}

void
dbmazz_sr_hint_create(DbmazzError *err, const char *database,
					  const DbmazzTableDesc *desc)
{
	const char *target = dbmazz_desc_text(desc, desc->target);
	DbmazzDdlColumn *columns;
	DbmazzSrText text = {0};
	DbmazzError ignored;
	int			i;

	columns = calloc((size_t) desc->ncolumns + 1, sizeof(*columns));
	if (columns != NULL && (desc->flags & DBMAZZ_TABLE_PARTIAL) == 0)
	{
		for (i = 0; i < desc->ncolumns; i++)
			ddl_column(desc, i, &columns[i]);
		if (write_create(&text, database, target, columns, desc->ncolumns,
						 (desc->flags & DBMAZZ_TABLE_LOG) != 0, &ignored) &&
			text.len + 32 < DBMAZZ_ERROR_HINT)
			dbmazz_error_hint(err, "Create it: %s", text.data);
	}
	if (err->hint[0] == '\0')
		hint_function(err, desc);
	free(columns);
	dbmazz_sr_text_free(&text);
}

/* One statement with as many columns as there is room for in a hint. */
void
dbmazz_sr_hint_add_columns(DbmazzError *err, const char *database,
						   const DbmazzTableDesc *desc, const bool *missing)
{
	DbmazzSrText text = {0};
	DbmazzSrText one = {0};
	DbmazzError ignored;
	int			nadded = 0;
	int			nleft = 0;
	int			i;

	dbmazz_sr_text_addf(&text, "ALTER TABLE ");
	dbmazz_sr_text_ident(&text, database);
	dbmazz_sr_text_add(&text, ".", 1);
	dbmazz_sr_text_ident(&text, dbmazz_desc_text(desc, desc->target));
	for (i = 0; i < desc->ncolumns; i++)
	{
		DbmazzDdlColumn column;

		if (!missing[i])
			continue;
		ddl_column(desc, i, &column);
		/* Rows that are there have no value for it. */
		column.not_null = false;
		dbmazz_sr_text_clear(&one);
		if (!write_column(&one, &column, &ignored) || one.failed ||
			text.len + one.len + 64 > DBMAZZ_ERROR_HINT)
		{
			nleft++;
			continue;
		}
		dbmazz_sr_text_addf(&text, "%s ADD COLUMN %s", nadded > 0 ? "," : "",
							one.data);
		nadded++;
	}
	if (nadded == 0 || text.failed)
		hint_function(err, desc);
	else if (nleft > 0)
		dbmazz_error_hint(err, "Run in StarRocks: %s; (and %d more)",
						  text.data, nleft);
	else
		dbmazz_error_hint(err, "Run in StarRocks: %s;", text.data);
	dbmazz_sr_text_free(&text);
	dbmazz_sr_text_free(&one);
}

void
dbmazz_sr_hint_modify(DbmazzError *err, const char *database,
					  const DbmazzTableDesc *desc, int i, bool nullable)
{
	DbmazzSrText text = {0};
	DbmazzSrText one = {0};
	DbmazzDdlColumn column;
	DbmazzError ignored;

	ddl_column(desc, i, &column);
	column.not_null = column.not_null && !nullable;
	dbmazz_sr_text_addf(&text, "ALTER TABLE ");
	dbmazz_sr_text_ident(&text, database);
	dbmazz_sr_text_add(&text, ".", 1);
	dbmazz_sr_text_ident(&text, dbmazz_desc_text(desc, desc->target));
	if (write_column(&one, &column, &ignored) && !one.failed && !text.failed)
		dbmazz_error_hint(err, "If the column is narrower there, run in "
						  "StarRocks: %s MODIFY COLUMN %s; or create the table "
						  "anew; then stop and start the pipeline. The row is "
						  "sent again as it was, so its value cannot be "
						  "corrected in the source.",
						  text.data, one.data);
	dbmazz_sr_text_free(&text);
	dbmazz_sr_text_free(&one);
}

void
dbmazz_sr_hint_reason(DbmazzError *err, DbmazzSrReason reason,
					  const char *database, const DbmazzTableDesc *desc)
{
	DbmazzSrText name = {0};

	switch (reason)
	{
		case DBMAZZ_SR_NO_TABLE:
		case DBMAZZ_SR_SCHEMA:
			dbmazz_sr_hint_create(err, database, desc);
			break;
		case DBMAZZ_SR_NO_DATABASE:
			dbmazz_sr_text_ident(&name, database);
			if (!name.failed)
				dbmazz_error_hint(err, "Run in StarRocks: CREATE DATABASE %s;",
								  name.data);
			dbmazz_sr_text_free(&name);
			break;
		case DBMAZZ_SR_KEY_SIZE:
			dbmazz_error_hint(err, "StarRocks takes keys of up to 128 bytes, "
							  "all columns of the key together "
							  "(primary_key_limit_size of its backends). "
							  "Raise that, then stop and start the pipeline. "
							  "A shorter primary key in the source is for a "
							  "new pipeline only: drop this one, create it "
							  "again, and load the table anew.");
			break;
		case DBMAZZ_SR_ACCESS:
			dbmazz_error_hint(err, "Check user and password of the "
							  "destination; the user needs SELECT and INSERT "
							  "on the target table.");
			break;
		default:
			break;
	}
}

static bool
write_create(DbmazzSrText *text, const char *database, const char *target,
			 const DbmazzDdlColumn *columns, int ncolumns, bool is_log,
			 DbmazzError *err)
{
	int			nkeys = 0;
	int			nwritten = 0;
	int			pass;
	int			i;
	int			k;

	if (!dbmazz_sr_check_table_name(target, err))
		return false;
	for (i = 0; i < ncolumns; i++)
	{
		nkeys += columns[i].is_key ? 1 : 0;
		if (!dbmazz_sr_check_column_name(target, columns[i].name, err))
			return false;
		for (k = 0; k < i; k++)
		{
			if (!dbmazz_sr_check_two_names(target, columns[k].name,
										   columns[i].name, err))
				return false;
		}
	}
	if (nkeys == 0)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "table \"%s\" has no key column", target);
		dbmazz_error_hint(err, "A Primary Key table in StarRocks needs the "
						  "primary key of the source.");
		return false;
	}
	dbmazz_sr_text_addf(text, "CREATE TABLE ");
	if (database != NULL)
	{
		dbmazz_sr_text_ident(text, database);
		dbmazz_sr_text_add(text, ".", 1);
	}
	dbmazz_sr_text_ident(text, target);
	dbmazz_sr_text_addf(text, " (\n");
	/* StarRocks wants the key columns first. */
	for (pass = 0; pass < 2; pass++)
	{
		for (i = 0; i < ncolumns; i++)
		{
			if (columns[i].is_key != (pass == 0))
				continue;
			dbmazz_sr_text_addf(text, "%s\t", nwritten++ > 0 ? ",\n" : "");
			if (!write_column(text, &columns[i], err))
				return false;
		}
	}
	dbmazz_sr_text_addf(text, "\n)\n%s KEY (",
						is_log ? "DUPLICATE" : "PRIMARY");
	write_keys(text, columns, ncolumns);
	dbmazz_sr_text_addf(text, ")\nDISTRIBUTED BY HASH (");
	write_keys(text, columns, ncolumns);
	dbmazz_sr_text_addf(text, ");");
	if (text->failed)
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0, "out of memory");
	return !text->failed;
}

static bool
write_column(DbmazzSrText *text, const DbmazzDdlColumn *column,
			 DbmazzError *err)
{
	char		type[TYPE_SIZE];

	if (!dbmazz_type_target(column->basetypid, column->typmod, column->is_key,
							type, sizeof(type)))
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "column \"%s\" is of a type that cannot be a key in "
						 "StarRocks", column->name);
		return false;
	}
	dbmazz_sr_text_ident(text, column->name);
	dbmazz_sr_text_addf(text, " %s %s", type,
						column->is_key ||
						(column->not_null &&
						 dbmazz_type_keeps_not_null(column->basetypid)) ?
						"NOT NULL" : "NULL");
	return true;
}

static void
write_keys(DbmazzSrText *text, const DbmazzDdlColumn *columns, int ncolumns)
{
	int			n = 0;
	int			i;

	for (i = 0; i < ncolumns; i++)
	{
		if (!columns[i].is_key)
			continue;
		if (n++ > 0)
			dbmazz_sr_text_addf(text, ", ");
		dbmazz_sr_text_ident(text, columns[i].name);
	}
}

static void
ddl_column(const DbmazzTableDesc *desc, int i, DbmazzDdlColumn *column)
{
	const DbmazzColumnDesc *source = &desc->columns[i];

	column->name = dbmazz_desc_text(desc, source->name);
	column->basetypid = source->basetypid;
	column->typmod = source->typmod;
	column->is_key = (source->flags & (DBMAZZ_COLUMN_KEY |
									   DBMAZZ_COLUMN_SORT)) != 0;
	column->not_null = (source->flags & DBMAZZ_COLUMN_NOT_NULL) != 0;
}

static void
hint_function(DbmazzError *err, const DbmazzTableDesc *desc)
{
	DbmazzSrText name = {0};

	add_quoted(&name, dbmazz_desc_text(desc, desc->schema));
	dbmazz_sr_text_add(&name, ".", 1);
	add_quoted(&name, dbmazz_desc_text(desc, desc->table));
	if (!name.failed)
		dbmazz_error_hint(err, "SELECT dbmazz.target_ddl('%s'::regclass) "
						  "shows the statement that creates the target table.",
						  name.data);
	dbmazz_sr_text_free(&name);
}

/* A name of PostgreSQL, quoted twice: as an identifier in a string. */
static void
add_quoted(DbmazzSrText *text, const char *name)
{
	dbmazz_sr_text_add(text, "\"", 1);
	for (; *name != '\0'; name++)
	{
		if (*name == '"' || *name == '\'')
			dbmazz_sr_text_add(text, name, 1);
		dbmazz_sr_text_add(text, name, 1);
	}
	dbmazz_sr_text_add(text, "\"", 1);
}
