/*
 * relation_now.c
 *		The description of a published table as it is now, outside of decoding.
 *
 * NOTES
 *	  It is made by the same code as that of the decoder, from a message such as
 *	  pgoutput would send if the table changed now.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog.h"
#include "encoding.h"
#include "relation_now.h"
#include "relation_private.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* What the publication says about the table; NULL: it is not in it. */
static const DbmazzPublishedTable *
find_published(const char *publication, Oid relid)
{
	ListCell   *lc;

	foreach(lc, dbmazz_catalog_published_tables(publication))
	{
		const DbmazzPublishedTable *table = lfirst(lc);

		if (table->relid == relid)
			return table;
	}
	return NULL;
}

static bool
is_published(const DbmazzPublishedTable *table, Form_pg_attribute att)
{
	int			i;

	if (att->attisdropped)
		return false;
	if (table->ncolumns < 0)
		return att->attgenerated == '\0';
	for (i = 0; i < table->ncolumns; i++)
	{
		if (table->columns[i] == att->attnum)
			return true;
	}
	return false;
}

static DbmazzParser *
make_message(Relation rel, const DbmazzPublishedTable *table)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	DbmazzParser *parser = palloc0(sizeof(*parser));
	int			n = 0;
	int			i;

	for (i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);

		if (!is_published(table, att))
			continue;
		parser->columns[n].name = NameStr(att->attname);
		parser->columns[n].typid = att->atttypid;
		parser->columns[n].typmod = att->atttypmod;
		n++;
	}
	parser->message.kind = 'R';
	parser->message.u.relation.relid = RelationGetRelid(rel);
	parser->message.u.relation.table = RelationGetRelationName(rel);
	parser->message.u.relation.ncolumns = n;
	return parser;
}

DbmazzReaderState
dbmazz_relation_now(const DbmazzRelations *relations, Oid relid,
					const char *target, const char *publication,
					DbmazzTableDesc **desc, DbmazzError *err)
{
	const DbmazzPublishedTable *table;
	const char *problem = NULL;
	Relation	rel;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return DBMAZZ_READER_LOCKED;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return DBMAZZ_READER_GONE;
	table = find_published(publication, relid);
	if (table == NULL)
		problem = "is not published any more";
	else
		*desc = dbmazz_relation_describe(relations, rel,
										 make_message(rel, table),
										 get_namespace_name(RelationGetNamespace(rel)),
										 target, &problem);
	if (problem == NULL && (*desc)->nkeys == 0)
		problem = "has no key";
	if (problem != NULL)
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0, "table \"%s\" %s",
						 dbmazz_to_utf8(RelationGetRelationName(rel)),
						 problem);
	relation_close(rel, NoLock);
	return problem == NULL ? DBMAZZ_READER_READY : DBMAZZ_READER_CHANGED;
}
