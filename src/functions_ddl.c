/*
 * functions_ddl.c
 *		The SQL function that tells how a target table is made.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog.h"
#include "catalog/pg_class.h"
#include "checks.h"
#include "core/audit.h"
#include "dbmazz_sink.h"
#include "encoding.h"
#include "fmgr.h"
#include "guc.h"
#include "report.h"
#include "sink.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dbmazz_target_ddl);

/* A name as the target has it. */
static const char *
name_there(Relation rel, const char *name)
{
	if (!dbmazz_is_convertible(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("table \"%s\" has a name, or a column with a name, "
						"that cannot be converted to UTF8",
						dbmazz_from_utf8(dbmazz_to_utf8(RelationGetRelationName(rel)))),
				 errhint("Rename the table or the column.")));
	return pstrdup(dbmazz_to_utf8(name));
}

/* What the columns of a target depend on, besides the source. */
typedef struct Shape
{
	bool		has_audit;
	bool		has_gaps;		/* values of any column may be missing */
	bool		is_log;
} Shape;

static Shape
find_shape(Relation rel, List *settings)
{
	int16		keys[INDEX_MAX_KEYS];
	Shape		shape;

	shape.has_audit = dbmazz_guc_flag(settings, "audit_columns");
	shape.is_log = dbmazz_guc_is_log(dbmazz_guc_change_log(settings),
									 dbmazz_table_key(rel, keys) > 0);
	shape.has_gaps = shape.is_log ||
		pg_strcasecmp(dbmazz_guc_value(settings, "delete_mode"), "soft") == 0;
	return shape;
}

static void
add_column(DbmazzDdlColumn *column, Relation rel, int i, bool is_key,
		   const Shape *shape)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

	column->name = name_there(rel, NameStr(att->attname));
	column->typmod = att->atttypmod;
	column->basetypid = getBaseTypeAndTypmod(att->atttypid, &column->typmod);
	column->is_key = is_key;
	column->not_null = is_key || (att->attnotnull && !shape->has_gaps);
}

static void
add_audit(DbmazzDdlColumn *column, const DbmazzAuditDef *def, bool is_log)
{
	column->name = def->name;
	column->typmod = -1;
	column->basetypid = def->typid;
	column->is_key = is_log && def->is_sort_key;
	column->not_null = column->is_key;
}

/*
 * Key columns first, in the key's order; generated ones are not replicated;
 * those of audit.h last.
 */
static DbmazzDdlColumn *
ddl_columns(Relation rel, const Shape *shape, int *ncolumns)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			naudit = dbmazz_audit_count(shape->has_audit, shape->is_log);
	DbmazzDdlColumn *columns = palloc0(sizeof(*columns) *
									   Max(desc->natts + naudit, 1));
	int16		keys[INDEX_MAX_KEYS];
	int			nkeys = shape->is_log ? 0 : dbmazz_table_key(rel, keys);
	int			n = 0;

	if (nkeys == 0 && !shape->is_log)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no key",
						RelationGetRelationName(rel)),
				 errhint("Add a primary key, use ALTER TABLE ... REPLICA "
						 "IDENTITY USING INDEX, or name a pipeline with "
						 "change_log=keyless.")));
	for (int k = 0; k < nkeys; k++)
		add_column(&columns[n++], rel, keys[k] - 1, true, shape);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		int			k = 0;

		while (k < nkeys && keys[k] != att->attnum)
			k++;
		if (k == nkeys && !att->attisdropped && att->attgenerated == '\0')
			add_column(&columns[n++], rel, i, false, shape);
	}
	for (int i = 0; i < naudit; i++)
		add_audit(&columns[n++], dbmazz_audit_def(i), shape->is_log);
	*ncolumns = n;
	return columns;
}

static char *
render_ddl(const DbmazzSinkRoutine *routine, const char *target,
		   const DbmazzDdlColumn *columns, int ncolumns, bool is_log)
{
	size_t		size = 4096;
	char	   *out = palloc(size);
	DbmazzError error;
	size_t		len;

	dbmazz_error_reset(&error);
	len = routine->ddl(target, columns, ncolumns, is_log, out, size, &error);
	if (len >= size)
	{
		out = repalloc(out, len + 1);
		len = routine->ddl(target, columns, ncolumns, is_log, out, len + 1,
						   &error);
	}
	if (len == 0)
		dbmazz_report(ERROR, ERRCODE_FEATURE_NOT_SUPPORTED, NULL, &error);
	return dbmazz_from_utf8(out);
}

/* The columns' names are those of the source; none may be given twice. */
static void
check_names(Relation rel, const DbmazzDdlColumn *columns, int nsource)
{
	for (int i = 0; i < nsource; i++)
	{
		if (dbmazz_audit_is_name(columns[i].name))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" has the name of "
							"an audit column", columns[i].name,
							RelationGetRelationName(rel)),
					 errhint("Rename the column, or set audit_columns=off for "
							 "the pipeline.")));
	}
}

static char *
table_ddl(Relation rel, const DbmazzSinkRoutine *routine, List *settings)
{
	Shape		shape = find_shape(rel, settings);
	DbmazzDdlColumn *columns;
	DbmazzError error;
	char	   *target;
	int			ncolumns;

	dbmazz_error_reset(&error);
	if (!dbmazz_guc_fit(settings, &error))
		dbmazz_report(ERROR, ERRCODE_INVALID_PARAMETER_VALUE, NULL, &error);
	columns = ddl_columns(rel, &shape, &ncolumns);
	if (shape.has_audit)
		check_names(rel, columns,
					ncolumns - dbmazz_audit_count(true, shape.is_log));
	target = dbmazz_guc_target_name(dbmazz_guc_value(settings,
													 "table_name_template"),
									get_namespace_name(RelationGetNamespace(rel)),
									RelationGetRelationName(rel));
	return render_ddl(routine, name_there(rel, target), columns, ncolumns,
					  shape.is_log);
}

Datum
dbmazz_target_ddl(PG_FUNCTION_ARGS)
{
	const DbmazzSinkRoutine *routine;
	DbmazzPipelineRow *pipeline = NULL;
	Relation	rel;
	char	   *ddl;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2))
	{
		const char *name = NameStr(*PG_GETARG_NAME(2));

		pipeline = dbmazz_catalog_pipeline_by_name(name);
		if (pipeline == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("pipeline \"%s\" does not exist", name)));
	}
	routine = dbmazz_sink_routine(pipeline != NULL ? pipeline->sink :
								  NameStr(*PG_GETARG_NAME(1)));
	if ((routine->capabilities & DBMAZZ_SINK_DDL) == 0 || routine->ddl == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("sink \"%s\" has no DDL", routine->name)));
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table",
						RelationGetRelationName(rel))));
	ddl = table_ddl(rel, routine, pipeline != NULL ? pipeline->settings : NIL);
	relation_close(rel, AccessShareLock);
	PG_RETURN_TEXT_P(cstring_to_text(ddl));
}
