/*
 * relation.c
 *		What the decoder knows of each published table.
 *
 * NOTES
 *	  Relations and indexes are opened by RelationIdGetRelation() without a lock,
 *	  as pgoutput itself does: the historic snapshot makes locks unnecessary, and
 *	  waiting for one here could stall decoding behind somebody's DDL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "compat.h"
#include "core/audit.h"
#include "core/typemap.h"
#include "encoding.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "privilege.h"
#include "relation_private.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

DbmazzRelations *
dbmazz_relations_create(MemoryContext parent, Oid owner,
						const char *publication, List *tables, List *skipped,
						XLogRecPtr stream_lsn, bool csv)
{
	MemoryContext cxt = AllocSetContextCreate(parent, "dbmazz relations",
											  ALLOCSET_DEFAULT_SIZES);
	DbmazzRelations *r = MemoryContextAllocZero(cxt, sizeof(*r));

	r->cxt = cxt;
	r->owner = owner;
	r->publication = MemoryContextStrdup(cxt, publication);
	r->scratch = AllocSetContextCreate(cxt, "dbmazz relation update",
									   ALLOCSET_DEFAULT_SIZES);
	dbmazz_relation_set_lanes(r, tables);
	r->skipped = skipped;
	r->stream_lsn = stream_lsn;
	r->name_template = MemoryContextStrdup(cxt, dbmazz_table_name_template);
	r->unrepresentable = dbmazz_unrepresentable;
	r->has_audit = dbmazz_audit_columns;
	r->soft_deletes = dbmazz_delete_mode == DBMAZZ_DELETE_SOFT;
	r->change_log = dbmazz_change_log;
	r->csv = csv;
	dbmazz_relation_make_room(r, &r->map);
	dbmazz_relation_make_room(r, &r->targets);
	dbmazz_relation_watch(r);
	return r;
}

DbmazzRelation *
dbmazz_relations_get(DbmazzRelations *relations, uint32 relid)
{
	return dbmazz_relmap_get(&relations->map, relid);
}

/* Attribute numbers of an index's key columns, or NULL. */
static Bitmapset *
index_columns(Oid indexoid)
{
	Bitmapset  *result = NULL;
	Relation	index;
	int			i;

	if (!OidIsValid(indexoid))
		return NULL;
	index = RelationIdGetRelation(indexoid);
	if (!RelationIsValid(index))
		return NULL;
	for (i = 0; i < index->rd_index->indnkeyatts; i++)
		result = bms_add_member(result, index->rd_index->indkey.values[i]);
	RelationClose(index);
	return result;
}

/* What the catalog and the settings say about a table. */
typedef struct Shape
{
	Bitmapset  *key;			/* the target's; NULL: none */
	Bitmapset  *identity;		/* what old rows have */
	bool		is_log;
	bool		has_gaps;		/* a row may come without values of columns that
								 * are NOT NULL in the source */
	int			naudit;
	const char *problem;		/* as in DbmazzRelation */
	const char *old_problem;
	const char *hint;
} Shape;

/*
 * The target's key is the primary key, else the index of the replica identity.
 * A change log has none: its rows replace nothing.
 */
static void
find_shape(const DbmazzRelations *r, Relation rel, Shape *shape)
{
	Bitmapset  *key;
	Bitmapset  *identity;

	MemSet(shape, 0, sizeof(*shape));
	shape->hint = "This pipeline cannot get past the row, for it sees the table "
		"and the publication as they were then. Give the table a primary key "
		"that its replica identity includes, or remove the table from the "
		"publication; then drop the pipeline, create it again, and load the "
		"tables anew. A table without a key can be a log of its changes: see "
		"change_log.";
	(void) RelationGetIndexList(rel);	/* sets the two members used here */
	key = index_columns(dbmazz_primary_key_index_compat(rel));
	identity = index_columns(RelationGetReplicaIndex(rel));
	if (key == NULL)
		key = bms_copy(identity);
	shape->is_log = dbmazz_guc_is_log(r->change_log, key != NULL);
	shape->has_gaps = shape->is_log || r->soft_deletes;
	shape->naudit = dbmazz_audit_count(r->has_audit, shape->is_log);
	if (!shape->is_log)
	{
		shape->key = key;
		if (key == NULL)
			shape->problem = "has neither a primary key nor a replica "
				"identity index";
		else if (rel->rd_rel->relreplident == REPLICA_IDENTITY_INDEX &&
				 !bms_is_subset(key, identity))
			shape->old_problem = "has a replica identity index that lacks "
				"columns of the primary key";
	}
	if (rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL)
		identity = bms_add_range(identity, 1,
								 RelationGetNumberOfAttributes(rel));
	shape->identity = identity;
}

static uint32
add_text(StringInfo buf, const char *text)
{
	uint32		offset = buf->len;

	appendBinaryStringInfo(buf, text, strlen(text) + 1);
	return offset;
}

/*
 * The attribute of that name, or NULL.  Messages have columns in the order of the
 * table, so it is looked for behind the one that was found last, '*attnum'.
 */
static Form_pg_attribute
find_attribute(TupleDesc tupdesc, const char *name, int *attnum)
{
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc,
											  (*attnum + i) % tupdesc->natts);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		*attnum = att->attnum;
		return att;
	}
	return NULL;
}

/* Fill a column from pgoutput's message and the catalog's attribute. */
static void
describe_column(DbmazzColumnDesc *col, const DbmazzRelationColumn *sent,
				uint16 position, Form_pg_attribute att, const Shape *shape)
{
	MemSet(col, 0, sizeof(*col));
	col->source = position;
	col->typid = sent->typid;
	col->typmod = sent->typmod;
	if (att != NULL)
	{
		col->attnum = att->attnum;
		if (att->attnotnull && !shape->has_gaps)
			col->flags |= DBMAZZ_COLUMN_NOT_NULL;
		if (bms_is_member(att->attnum, shape->key))
			col->flags |= DBMAZZ_COLUMN_KEY | DBMAZZ_COLUMN_NOT_NULL;
		if (bms_is_member(att->attnum, shape->identity))
			col->flags |= DBMAZZ_COLUMN_IDENTITY;
	}
	col->basetypid = getBaseTypeAndTypmod(sent->typid, &col->typmod);
	col->value_class = dbmazz_type_class(col->basetypid, col->typmod,
										 col->flags & DBMAZZ_COLUMN_KEY);
}

static void
describe_audit(DbmazzColumnDesc *col, const DbmazzAuditDef *def,
			   uint16 position, bool is_log)
{
	MemSet(col, 0, sizeof(*col));
	col->source = position;
	col->typid = col->basetypid = def->typid;
	col->typmod = -1;
	col->value_class = def->value_class;
	if (is_log && def->is_sort_key)
		col->flags = DBMAZZ_COLUMN_SORT;
}

/* Those of the source, then those of audit.h; returns how many are keys. */
static int
describe_columns(DbmazzColumnDesc *columns, StringInfo buf,
				 const DbmazzParser *parser, TupleDesc tupdesc, Shape *shape)
{
	int			n = parser->message.u.relation.ncolumns;
	int			nkeys = 0;
	int			attnum = 0;

	for (int i = 0; i < n; i++)
	{
		const char *name = parser->columns[i].name;

		describe_column(&columns[i], &parser->columns[i], i,
						find_attribute(tupdesc, name, &attnum), shape);
		columns[i].name = add_text(buf, dbmazz_to_utf8(name));
		if (columns[i].flags & DBMAZZ_COLUMN_KEY)
			nkeys++;
		if (shape->naudit > 0 && dbmazz_audit_is_name(name))
		{
			shape->problem = "has a column with the name of an audit column";
			shape->hint = "This pipeline cannot get past the row with "
				"audit_columns=on, for it sees the table and the publication "
				"as they were then. Rename the column, or leave it out of the "
				"publication by a column list; then drop the pipeline, create "
				"it again, and load the tables anew.";
		}
	}
	for (int i = 0; i < shape->naudit; i++)
	{
		const DbmazzAuditDef *def = dbmazz_audit_def(i);

		describe_audit(&columns[n + i], def, n + i, shape->is_log);
		columns[n + i].name = add_text(buf, def->name);
	}
	return nkeys;
}

/* The publication's entry for the table, which has its row filter. */
static Oid
find_member(const DbmazzRelations *r, Oid relid)
{
	Oid			publication = get_publication_oid(r->publication, true);

	return GetSysCacheOid2(PUBLICATIONRELMAP, Anum_pg_publication_rel_oid,
						   ObjectIdGetDatum(relid),
						   ObjectIdGetDatum(publication));
}

/* The whole description, in the current context. */
static DbmazzTableDesc *
describe(const DbmazzRelations *r, const DbmazzParser *parser,
		 const char *schema, const char *target, TupleDesc tupdesc,
		 Shape *shape)
{
	int			n = parser->message.u.relation.ncolumns + shape->naudit;
	DbmazzColumnDesc *columns = palloc(sizeof(*columns) * Max(n, 1));
	StringInfoData buf;
	DbmazzTableDesc head = {0};
	DbmazzTableDesc *desc;
	int			pass;
	int			i;

	initStringInfo(&buf);
	head.relid = parser->message.u.relation.relid;
	head.member = find_member(r, head.relid);
	head.ncolumns = head.ntable_columns = n;
	if (shape->is_log)
		head.flags = DBMAZZ_TABLE_LOG;
	/* room for the fixed part; names follow it */
	enlargeStringInfo(&buf, sizeof(head) + n * sizeof(DbmazzColumnDesc));
	buf.len = sizeof(head) + n * sizeof(DbmazzColumnDesc);
	MemSet(buf.data, 0, buf.len);
	head.schema = add_text(&buf, dbmazz_to_utf8(schema));
	head.table = add_text(&buf,
						  dbmazz_to_utf8(parser->message.u.relation.table));
	head.target = add_text(&buf, target);

	head.nkeys = describe_columns(columns, &buf, parser, tupdesc, shape);
	if (shape->problem == NULL && head.nkeys < bms_num_members(shape->key))
		shape->problem = "has key columns that the publication leaves out";

	head.size = buf.len;
	desc = palloc(buf.len);
	memcpy(desc, buf.data, buf.len);
	memcpy(desc, &head, sizeof(head));
	/* key columns first */
	n = 0;
	for (pass = 0; pass < 2; pass++)
	{
		for (i = 0; i < head.ncolumns; i++)
		{
			bool		is_key = columns[i].flags & DBMAZZ_COLUMN_KEY;

			if (is_key == (pass == 0))
				desc->columns[n++] = columns[i];
		}
	}
	pfree(buf.data);
	return desc;
}

DbmazzTableDesc *
dbmazz_relation_describe(const DbmazzRelations *r, Relation heap,
						 const DbmazzParser *parser, const char *schema,
						 const char *target, const char **problem)
{
	Shape		shape;
	DbmazzTableDesc *desc;

	find_shape(r, heap, &shape);
	desc = describe(r, parser, schema, target, RelationGetDescr(heap), &shape);
	*problem = shape.problem;
	return desc;
}

/* Can all names be converted? */
static bool
has_good_names(const DbmazzParser *parser)
{
	if (!dbmazz_is_convertible(parser->message.u.relation.schema) ||
		!dbmazz_is_convertible(parser->message.u.relation.table))
		return false;
	for (int i = 0; i < parser->message.u.relation.ncolumns; i++)
	{
		if (!dbmazz_is_convertible(parser->columns[i].name))
			return false;
	}
	return true;
}

/* Where the table's own position is, it counts; else the stream's. */
static void
find_position(DbmazzRelations *r, DbmazzRelation *rel)
{
	const DbmazzTableRow *row = dbmazz_relation_lane(r, rel->target);

	rel->from_lsn = r->stream_lsn;
	if (row == NULL)
		return;
	rel->stopped = row->stopped;
	if (row->lsn != InvalidXLogRecPtr)
		rel->from_lsn = row->lsn;
}

/*
 * Is another table in the place of this one?  That it cannot be seen is not
 * enough: a transaction that began before the table was made does not see it
 * either, and its table may have had the name before (the schema was renamed).
 * So it must have been there at the change at 'lsn', as in relation_gone.c, or
 * have been dropped by the transaction that is decoded.
 */
static bool
was_dropped(const DbmazzRelation *rel, const DbmazzRelation *successor,
			XLogRecPtr lsn)
{
	return strcmp(rel->schema, successor->schema) == 0 &&
		strcmp(rel->table, successor->table) == 0 &&
		(rel->seen_lsn < lsn || rel->seen_lsn == successor->seen_lsn) &&
		!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(rel->relid));
}

/*
 * A table dropped and created again is the same lane: let the old one go first,
 * and forget it, for some tables are made anew every minute.
 */
static void
seal_namesakes(DbmazzRelations *r, DbmazzRelation *rel, XLogRecPtr lsn,
			   DbmazzRelationFn before_replace, void *arg)
{
	DbmazzRelation *other = dbmazz_relation_of_target(r, rel->target, NULL);

	while (other != NULL)
	{
		DbmazzRelation *next = dbmazz_relation_of_target(r, rel->target,
														 other);

		if (other != rel)
		{
			before_replace(arg, other);
			if (was_dropped(other, rel, lsn))
				dbmazz_relation_forget(r, other);
		}
		other = next;
	}
}

/* An entry that has no description yet. */
static DbmazzRelation *
make_relation(DbmazzRelations *r, uint32 relid)
{
	DbmazzRelation *rel = MemoryContextAllocZero(r->cxt, sizeof(*rel));

	rel->owner = r;
	rel->relid = relid;
	rel->sealed_head = DBMAZZ_NO_SEGMENT;
	dbmazz_relation_make_room(r, &r->map);
	dbmazz_relmap_set(&r->map, relid, rel);
	return rel;
}

/* Take over a new description, made in memory that is about to be reset. */
static void
replace(DbmazzRelations *r, DbmazzRelation *rel, const DbmazzTableDesc *desc,
		const Shape *shape, const char *schema, const char *table)
{
	MemoryContext old;

	rel->cxt = AllocSetContextCreate(r->cxt, "dbmazz relation",
									 ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(rel->cxt);
	rel->full.desc = palloc(desc->size);
	memcpy(rel->full.desc, desc, desc->size);
	rel->full.desc->generation = ++r->generation;
	rel->schema = pstrdup(schema);
	rel->table = pstrdup(table);
	dbmazz_relation_set_target(r, rel,
							   pstrdup(dbmazz_desc_text(desc, desc->target)));
	rel->skip = strcmp(schema, "dbmazz") == 0;
	rel->full.plan = dbmazz_relation_plan(r, rel->full.desc);
	rel->full.open = NULL;
	rel->reread = rel->full;
	if (desc->flags & DBMAZZ_TABLE_CSV)
	{
		rel->reread.desc = palloc(desc->size);
		memcpy(rel->reread.desc, rel->full.desc, desc->size);
		rel->reread.desc->flags &= ~DBMAZZ_TABLE_CSV;
	}
	rel->partial = NULL;
	rel->npartial = 0;
	rel->naudit = shape->naudit;
	rel->is_log = shape->is_log;
	rel->problem = shape->problem;
	rel->old_problem = shape->old_problem;
	rel->hint = shape->hint;
	MemoryContextSwitchTo(old);
}

DbmazzRelation *
dbmazz_relations_update(DbmazzRelations *relations, const DbmazzParser *parser,
						XLogRecPtr lsn, XLogRecPtr final_lsn,
						DbmazzRelationFn before_replace, void *arg)
{
	uint32		relid = parser->message.u.relation.relid;
	const char *schema = parser->message.u.relation.schema;
	const char *table = parser->message.u.relation.table;
	DbmazzRelation *rel = dbmazz_relations_get(relations, relid);
	MemoryContext old = MemoryContextSwitchTo(relations->scratch);
	Relation	heap = RelationIdGetRelation(relid);
	Shape		shape;
	DbmazzTableDesc *desc;
	char	   *target;

	if (!RelationIsValid(heap))
		elog(ERROR, "could not open relation with OID %u", relid);
	if (schema[0] == '\0')
		schema = "pg_catalog";
	target = dbmazz_to_utf8(dbmazz_guc_target_name(relations->name_template,
												   schema, table));
	find_shape(relations, heap, &shape);
	desc = describe(relations, parser, schema, target,
					RelationGetDescr(heap), &shape);
	if (!has_good_names(parser))
	{
		shape.problem = "has a name, or a column with a name, that cannot be "
			"converted to UTF8";
		shape.hint = "This pipeline cannot get past the row. Rename the table "
			"or the column; then drop the pipeline, create it again, and load "
			"the table anew.";
	}
	dbmazz_relation_encoding(relations, desc);
	RelationClose(heap);
	if (dbmazz_desc_privilege(desc, relations->owner) != DBMAZZ_MAY_READ)
		desc->flags |= DBMAZZ_TABLE_UNREADABLE;

	if (rel == NULL || !dbmazz_desc_same(rel->full.desc, desc))
	{
		MemoryContext before = NULL;

		if (rel != NULL)
		{
			before_replace(arg, rel);
			/* with another target it is in another lane, which has not stopped */
			if (strcmp(rel->target, target) != 0)
				rel->stopped = false;
			before = rel->cxt;
		}
		else
		{
			dbmazz_relation_forget_dropped(relations, lsn);
			rel = make_relation(relations, relid);
		}
		replace(relations, rel, desc, &shape, schema, table);
		if (before != NULL)
			MemoryContextDelete(before);
		rel->seen_lsn = final_lsn;
		rel->collides = dbmazz_relation_collides(relations, rel, lsn);
		rel->has_skipped = dbmazz_relation_has_skipped(relations, rel);
		if (!rel->stopped)
			find_position(relations, rel);
		seal_namesakes(relations, rel, lsn, before_replace, arg);
	}
	rel->seen_lsn = final_lsn;
	MemoryContextSwitchTo(old);
	MemoryContextReset(relations->scratch);
	return rel;
}
