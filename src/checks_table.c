/*
 * checks_table.c
 *		What must be true of the tables of a pipeline.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "checks.h"
#include "compat.h"
#include "core/audit.h"
#include "guc.h"
#include "miscadmin.h"
#include "privilege.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

static char *
qualified_name(const DbmazzPublishedTable *table)
{
	return quote_qualified_identifier(table->schema, table->name);
}

/* Without a list all columns are, apart from generated ones. */
static bool
is_published(const DbmazzPublishedTable *table, TupleDesc tupdesc,
			 int16 attnum)
{
	if (table->ncolumns < 0)
		return TupleDescAttr(tupdesc, attnum - 1)->attgenerated == '\0';
	for (int i = 0; i < table->ncolumns; i++)
	{
		if (table->columns[i] == attnum)
			return true;
	}
	return false;
}

void
dbmazz_check_privileges(const DbmazzPipelineRow *row, List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		DbmazzPublishedTable *table = lfirst(lc);
		DbmazzPrivilege privilege = dbmazz_privilege(table->relid, row->owner,
													 table->ncolumns,
													 table->columns);

		if (privilege == DBMAZZ_LACKS_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for table %s",
							qualified_name(table)),
					 errdetail("The owner of the pipeline, \"%s\", may not "
							   "read all of its published columns.",
							   GetUserNameFromId(row->owner, false)),
					 errhint("Grant SELECT on the table to the owner, or take "
							 "the table out of publication \"%s\".",
							 row->publication)));
		if (privilege == DBMAZZ_HAS_POLICIES)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("row-level security of table %s applies to the "
							"owner of the pipeline", qualified_name(table)),
					 errhint("Give the owner \"%s\" the attribute BYPASSRLS, or "
							 "take the table out of publication \"%s\".",
							 GetUserNameFromId(row->owner, false),
							 row->publication)));
	}
}

/* Attribute numbers of an index's key columns; 0 without an index. */
static int
index_key(Oid indexoid, int16 *keys)
{
	Relation	index;
	int			n;

	if (!OidIsValid(indexoid))
		return 0;
	index = relation_open(indexoid, AccessShareLock);
	n = index->rd_index->indnkeyatts;
	for (int i = 0; i < n; i++)
		keys[i] = index->rd_index->indkey.values[i];
	relation_close(index, AccessShareLock);
	return n;
}

int
dbmazz_table_key(struct RelationData *rel, int16 *keys)
{
	int			n = index_key(dbmazz_primary_key_index_compat(rel), keys);

	return n > 0 ? n : index_key(RelationGetReplicaIndex(rel), keys);
}

static void
check_identity(Relation rel, const DbmazzPublishedTable *table,
			   const PublicationActions * actions, const int16 *keys, int nkeys)
{
	int16		identity[INDEX_MAX_KEYS];
	char		replident = rel->rd_rel->relreplident;
	int			n;

	if (!actions->pubupdate && !actions->pubdelete)
		return;					/* no old rows will ever be needed */
	if (replident == REPLICA_IDENTITY_NOTHING)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s has replica identity \"nothing\"",
						qualified_name(table)),
				 errdetail("The target could not be told which rows are "
						   "updated and deleted."),
				 errhint("Use ALTER TABLE %s REPLICA IDENTITY DEFAULT, or "
						 "publish inserts only.", qualified_name(table))));
	if (replident != REPLICA_IDENTITY_INDEX)
		return;					/* the primary key, or everything */
	n = index_key(RelationGetReplicaIndex(rel), identity);
	for (int i = 0; i < nkeys; i++)
	{
		int			k = 0;

		while (k < n && identity[k] != keys[i])
			k++;
		if (k == n)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the replica identity of table %s lacks column "
							"\"%s\" of its primary key",
							qualified_name(table),
							get_attname(table->relid, keys[i], false)),
					 errdetail("The primary key is the key of the target "
							   "table."),
					 errhint("Use ALTER TABLE %s REPLICA IDENTITY DEFAULT or "
							 "FULL.", qualified_name(table))));
	}
}

/* No published column may have the name of an audit column. */
static void
check_column_names(Relation rel, const DbmazzPublishedTable *table)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && is_published(table, desc, att->attnum) &&
			dbmazz_audit_is_name(NameStr(att->attname)))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" of table %s has the name of an "
							"audit column", NameStr(att->attname),
							qualified_name(table)),
					 errhint("Rename the column, leave it out of the "
							 "publication by a column list, or set "
							 "audit_columns=off for the pipeline.")));
	}
}

/* The table can be the source of a Primary Key table. */
static void
check_key(Relation rel, const DbmazzPublishedTable *table,
		  const PublicationActions * actions)
{
	int16		keys[INDEX_MAX_KEYS];
	int			nkeys = dbmazz_table_key(rel, keys);

	if (nkeys == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s has no key", qualified_name(table)),
				 errdetail("A target table needs the primary key of its source, "
						   "or the index that is its replica identity."),
				 errhint("Add a primary key, use ALTER TABLE ... REPLICA "
						 "IDENTITY USING INDEX, take the table out of the "
						 "publication, or set change_log=keyless for the "
						 "pipeline to send it to a Duplicate Key table.")));
	for (int i = 0; i < nkeys; i++)
	{
		TupleDesc	tupdesc = RelationGetDescr(rel);

		if (!is_published(table, tupdesc, keys[i]))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("column \"%s\" of the key of table %s is not "
							"published",
							get_attname(table->relid, keys[i], false),
							qualified_name(table)),
					 TupleDescAttr(tupdesc, keys[i] - 1)->attgenerated ?
					 errhint("Generated columns can be published from "
							 "PostgreSQL 18 on, with publish_generated_columns "
							 "= stored.") :
					 errhint("Add the column to the publication's column "
							 "list.")));
	}
	check_identity(rel, table, actions, keys, nkeys);
}

static void
check_table(const DbmazzPipelineRow *row, const DbmazzPublishedTable *table,
			const PublicationActions * actions)
{
	Relation	rel = relation_open(table->relid, AccessShareLock);
	int16		keys[INDEX_MAX_KEYS];

	if (dbmazz_guc_flag(row->settings, "audit_columns"))
		check_column_names(rel, table);
	if (!dbmazz_guc_is_log(dbmazz_guc_change_log(row->settings),
						   dbmazz_table_key(rel, keys) > 0))
		check_key(rel, table, actions);
	relation_close(rel, AccessShareLock);
}

/* A table and the name of its target. */
typedef struct Target
{
	char	   *name;
	const DbmazzPublishedTable *table;
} Target;

static int
compare_targets(const void *a, const void *b)
{
	return strcmp(((const Target *) a)->name, ((const Target *) b)->name);
}

static void
check_collisions(const DbmazzPipelineRow *row, List *tables)
{
	int			n = list_length(tables);
	Target	   *targets = palloc(sizeof(Target) * Max(n, 1));
	const char *name_template = dbmazz_guc_value(row->settings,
												 "table_name_template");

	for (int i = 0; i < n; i++)
	{
		const DbmazzPublishedTable *table = list_nth(tables, i);

		targets[i].table = table;
		targets[i].name = dbmazz_guc_target_name(name_template,
												 table->schema, table->name);
	}
	qsort(targets, n, sizeof(Target), compare_targets);
	for (int i = 1; i < n; i++)
	{
		if (strcmp(targets[i - 1].name, targets[i].name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("tables %s and %s have the same target \"%s\"",
							qualified_name(targets[i - 1].table),
							qualified_name(targets[i].table),
							targets[i].name),
					 errhint("Set table_name_template for the pipeline, for "
							 "example settings => "
							 "'{\"table_name_template={schema}_{table}\"}'.")));
	}
}

void
dbmazz_check_tables(const DbmazzPipelineRow *row, List *tables)
{
	Publication *publication = GetPublicationByName(row->publication, false);
	ListCell   *lc;

	foreach(lc, tables)
		check_table(row, lfirst(lc), &publication->pubactions);
	check_collisions(row, tables);
}
