/*
 * fastpath.c
 *		Changes that need not go through pgoutput, once it has shown how.
 *
 * NOTES
 *	  What pgoutput does with a change is in pgoutput_change() of
 *	  src/backend/replication/pgoutput/pgoutput.c and logicalrep_write_tuple() of
 *	  src/backend/replication/logical/proto.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "compat.h"
#include "debug_point.h"
#include "fastpath.h"
#include "fastpath_private.h"
#include "guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* What pgoutput's answer has shown of a table. */
typedef struct Table
{
	Oid			relid;			/* key of the hash table */
	bool		is_known;		/* the rest holds */
	bool		is_plain;
	uint8		learned;		/* bit per action */
	int			ncolumns;
	DbmazzFastColumn *columns;	/* in the order of the Relation message */
	MemoryContext cxt;			/* of the columns */
	slist_node	node;			/* in DbmazzFastPath.forgotten, if it is */
} Table;

struct DbmazzFastPath
{
	DbmazzRelations *relations;
	const char *publication;
	MemoryContext cxt;
	HTAB	   *tables;
	Table	   *last;			/* that was looked for; or NULL */
	slist_head	forgotten;		/* of Table, to be removed */
	HTAB	   *needed;			/* DbmazzFastNeed of all tables */
	bool		forget_all;		/* something has changed that is needed */
	bool		is_stale;		/* something has, since the last take */

	/* pgoutput's messages for the change at hand */
	int			nsent;
	char		sent_kind;
	uint32		sent_relid;

	/* verify */
	DbmazzParser *expected;		/* NULL: not that mode */
	DbmazzParser *seen;
	bool		is_expected;

	Datum		values[MaxTupleAttributeNumber];
	bool		nulls[MaxTupleAttributeNumber];
	DbmazzTexts texts;
};

/* Callbacks of invalidations have no place for it that could go away. */
static DbmazzFastPath *instance;

/* ---- forgetting ---------------------------------------------------------- */

static void
forget(DbmazzFastPath *fast, Table *table)
{
	if (!table->is_known)
		return;
	table->is_known = false;
	slist_push_head(&fast->forgotten, &table->node);
}

static void
relation_changed(Datum arg, Oid relid)
{
	Table	   *table;

	instance->is_stale = true;
	if (!OidIsValid(relid))
	{
		instance->forget_all = true;
		return;
	}
	table = hash_search(instance->tables, &relid, HASH_FIND, NULL);
	if (table != NULL)
		forget(instance, table);
}

/* Whatever it is about: a publication, for example. */
static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	instance->is_stale = true;
	instance->forget_all = true;
}

/*
 * A schema, a type, a function.  Most are of no interest: each temporary table comes
 * and goes with two types.
 */
static void
row_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	DbmazzFastNeed need = {cacheid, hashvalue};

	instance->is_stale = true;
	if (hashvalue == 0 ||		/* may be any of them */
		hash_search(instance->needed, &need, HASH_FIND, NULL) != NULL)
		instance->forget_all = true;
}

static HTAB *
make_hash(DbmazzFastPath *fast, const char *name, Size keysize,
		  Size entrysize)
{
	HASHCTL		ctl = {0};

	ctl.keysize = keysize;
	ctl.entrysize = entrysize;
	ctl.hcxt = fast->cxt;
	return hash_create(name, 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
make_tables(DbmazzFastPath *fast)
{
	fast->tables = make_hash(fast, "dbmazz fast path", sizeof(Oid),
							 sizeof(Table));
	fast->needed = make_hash(fast, "dbmazz fast path needs",
							 sizeof(DbmazzFastNeed), sizeof(DbmazzFastNeed));
	slist_init(&fast->forgotten);
	fast->last = NULL;
	fast->forget_all = false;
}

/* Not in the callbacks: somebody may be at work with a table. */
static void
forget_what_changed(DbmazzFastPath *fast)
{
	if (fast->forget_all)
	{
		hash_destroy(fast->tables);
		hash_destroy(fast->needed);
		MemoryContextReset(fast->cxt);	/* with the contexts of the columns */
		make_tables(fast);
	}
	while (!slist_is_empty(&fast->forgotten))
	{
		slist_node *node = slist_pop_head_node(&fast->forgotten);
		Table	   *table = slist_container(Table, node, node);

		MemoryContextDelete(table->cxt);
		hash_search(fast->tables, &table->relid, HASH_REMOVE, NULL);
		fast->last = NULL;
	}
}

DbmazzFastPath *
dbmazz_fastpath_create(MemoryContext parent, DbmazzRelations *relations,
					   const char *publication)
{
	static const int caches[] = {
		PUBLICATIONOID, PUBLICATIONREL, PUBLICATIONRELMAP,
		PUBLICATIONNAMESPACE, PUBLICATIONNAMESPACEMAP
	};
	static const int needed[] = {NAMESPACEOID, TYPEOID, ENUMOID, PROCOID};
	DbmazzFastPath *fast;

	if (dbmazz_fast_path == DBMAZZ_FAST_PATH_OFF)
		return NULL;
	fast = MemoryContextAllocZero(parent, sizeof(*fast));
	fast->relations = relations;
	fast->publication = publication;
	fast->cxt = AllocSetContextCreate(parent, "dbmazz fast path",
									  ALLOCSET_DEFAULT_SIZES);
	make_tables(fast);
	dbmazz_texts_init(&fast->texts, parent);
	if (dbmazz_fast_path == DBMAZZ_FAST_PATH_VERIFY)
	{
		fast->expected = MemoryContextAllocHuge(parent, sizeof(DbmazzParser));
		fast->seen = MemoryContextAllocHuge(parent, sizeof(DbmazzParser));
	}
	Assert(instance == NULL);
	instance = fast;
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	for (int i = 0; i < lengthof(caches); i++)
		CacheRegisterSyscacheCallback(caches[i], catalog_changed, (Datum) 0);
	for (int i = 0; i < lengthof(needed); i++)
		CacheRegisterSyscacheCallback(needed[i], row_changed, (Datum) 0);
	return fast;
}

/* ---- learning ------------------------------------------------------------ */

/* 0: not one that has rows */
static char
kind_of(const ReorderBufferChange *change)
{
	switch (change->action)
	{
		case REORDER_BUFFER_CHANGE_INSERT:
			return 'I';
		case REORDER_BUFFER_CHANGE_UPDATE:
			return 'U';
		case REORDER_BUFFER_CHANGE_DELETE:
			return 'D';
		default:
			return 0;
	}
}

static uint8
bit_of(char kind)
{
	return kind == 'I' ? 1 : kind == 'U' ? 2 : 4;
}

/* Does the publication name the table with a condition? */
static bool
has_filter(const DbmazzFastPath *fast, Oid relid)
{
	Oid			publication = get_publication_oid(fast->publication, true);
	HeapTuple	tuple = SearchSysCache2(PUBLICATIONRELMAP,
										ObjectIdGetDatum(relid),
										ObjectIdGetDatum(publication));
	bool		has_none = true;

	if (HeapTupleIsValid(tuple))
	{
		(void) SysCacheGetAttr(PUBLICATIONRELMAP, tuple,
							   Anum_pg_publication_rel_prqual, &has_none);
		ReleaseSysCache(tuple);
	}
	return !has_none;
}

/* Where the columns of the Relation message are in the tuple; false: not all are. */
static bool
find_columns(DbmazzFastPath *fast, Table *table, const DbmazzRelation *rel,
			 TupleDesc tupdesc)
{
	const DbmazzTableDesc *desc = rel->full.desc;
	int			n = desc->ntable_columns - rel->naudit;
	int			nfound = 0;

	table->ncolumns = n;
	table->columns = MemoryContextAllocZero(table->cxt,
											Max(n, 1) * sizeof(DbmazzFastColumn));
	for (uint32 i = 0; i < desc->ncolumns; i++)
	{
		const DbmazzColumnDesc *col = &desc->columns[i];
		Form_pg_attribute att;

		if (col->source >= n)
			continue;			/* an audit column */
		if (col->attnum < 1 || col->attnum > tupdesc->natts)
			return false;
		att = TupleDescAttr(tupdesc, col->attnum - 1);
		if (att->attisdropped || att->atttypid != col->typid)
			return false;
		dbmazz_texts_column(&table->columns[col->source], att, table->cxt,
							fast->needed);
		nfound++;
	}
	return nfound == n;
}

/* A table that is new. */
static void
learn_table(DbmazzFastPath *fast, Table *table, Relation relation)
{
	DbmazzRelation *rel = dbmazz_relations_get(fast->relations,
											   table->relid);

	table->cxt = AllocSetContextCreate(fast->cxt, "dbmazz fast path table",
									   ALLOCSET_SMALL_SIZES);
	table->learned = 0;
	table->is_known = true;
	dbmazz_texts_need(fast->needed, NAMESPACEOID,
					  relation->rd_rel->relnamespace);
	table->is_plain = rel != NULL &&
		relation->rd_rel->relkind == RELKIND_RELATION &&
		!relation->rd_rel->relispartition &&
		!has_filter(fast, table->relid) &&
		find_columns(fast, table, rel, RelationGetDescr(relation));
	/* what changes behind the look is not among the needed yet */
	if (fast->is_stale)
		forget(fast, table);
}

void
dbmazz_fastpath_learn(DbmazzFastPath *fast, Relation relation,
					  const ReorderBufferChange *change)
{
	Oid			relid = RelationGetRelid(relation);
	char		kind = kind_of(change);
	bool		is_plain = fast->nsent == 1 && fast->sent_kind == kind &&
		fast->sent_relid == relid;
	Table	   *table;
	bool		found;

	if (fast->is_expected && !is_plain)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("pgoutput wrote %d messages for a change of relation %u",
						fast->nsent, relid),
				 errdetail("One of kind \"%c\" was expected.", kind)));
	dbmazz_texts_reset(&fast->texts);	/* what verify expected */
	if (!is_plain || fast->is_stale)
		return;
	table = hash_search(fast->tables, &relid, HASH_ENTER, &found);
	if (!found)
		learn_table(fast, table, relation);
	if (!table->is_known || !table->is_plain ||
		(table->learned & bit_of(kind)) != 0)
		return;
	table->learned |= bit_of(kind);
	ereport(DEBUG1,
			(errmsg_internal("the fast path has learned \"%c\" of relation %u",
							 kind, relid)));
}

/* ---- taking -------------------------------------------------------------- */

static Table *
find_table(DbmazzFastPath *fast, Oid relid)
{
	forget_what_changed(fast);
	if (fast->last == NULL || fast->last->relid != relid)
	{
		Table	   *table = hash_search(fast->tables, &relid, HASH_FIND, NULL);

		if (table == NULL)
			return NULL;
		fast->last = table;
	}
	return fast->last;
}

static void
fill(DbmazzFastPath *fast, const Table *table, TupleDesc tupdesc,
	 HeapTuple heap, DbmazzTuple *tuple)
{
	heap_deform_tuple(heap, tupdesc, fast->values, fast->nulls);
	tuple->ncolumns = (uint16) table->ncolumns;
	for (int i = 0; i < table->ncolumns; i++)
	{
		DbmazzFastColumn *column = &table->columns[i];
		DbmazzValue *value = &tuple->values[i];
		Datum		datum = fast->values[column->index];

		if (fast->nulls[column->index])
			value->kind = DBMAZZ_VALUE_NULL;
		else if (column->is_varlena &&
				 VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(datum)))
			value->kind = DBMAZZ_VALUE_UNCHANGED;
		else
		{
			value->kind = DBMAZZ_VALUE_TEXT;
			dbmazz_texts_value(&fast->texts, column, datum, value);
			continue;
		}
		value->data = NULL;
		value->len = 0;
	}
}

bool
dbmazz_fastpath_take(DbmazzFastPath *fast, Relation relation,
					 ReorderBufferChange *change, DbmazzParser *parser)
{
	Oid			relid = RelationGetRelid(relation);
	char		kind = kind_of(change);
	HeapTuple	old = dbmazz_change_tuple_compat(change->data.tp.oldtuple);
	HeapTuple	new = dbmazz_change_tuple_compat(change->data.tp.newtuple);
	TupleDesc	tupdesc = RelationGetDescr(relation);
	Table	   *table = find_table(fast, relid);

	fast->is_stale = false;
	fast->nsent = 0;
	fast->is_expected = false;
	if (table == NULL || !table->is_known || !table->is_plain || kind == 0 ||
		(table->learned & bit_of(kind)) == 0)
		return false;
	/* pgoutput has its own ways with these */
	if (kind == 'D' ? old == NULL : new == NULL)
		return false;

	fast->is_expected = fast->expected != NULL;
	if (fast->is_expected)
		parser = fast->expected;
	parser->message.kind = kind;
	parser->message.u.change.relid = relid;
	parser->message.u.change.old_kind = 0;
	if (kind != 'I' && old != NULL)
	{
		bool		is_full;

		is_full = relation->rd_rel->relreplident == REPLICA_IDENTITY_FULL;
		parser->message.u.change.old_kind = is_full ? 'O' : 'K';
		fill(fast, table, tupdesc, old, &parser->old_tuple);
	}
	if (kind != 'D')
		fill(fast, table, tupdesc, new, &parser->new_tuple);
	DBMAZZ_DEBUG_POINT("fast_path");
	return !fast->is_expected;
}

void
dbmazz_fastpath_release(DbmazzFastPath *fast)
{
	dbmazz_texts_reset(&fast->texts);
}

MemoryContext
dbmazz_fastpath_context(const DbmazzFastPath *fast)
{
	return fast->texts.cxt;
}

/* ---- verify -------------------------------------------------------------- */

static void
compare_tuples(const DbmazzFastPath *fast, const DbmazzTuple *ours,
			   const DbmazzTuple *pgoutputs)
{
	const DbmazzMessage *m = &fast->expected->message;
	int			i;

	if (ours->ncolumns != pgoutputs->ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a row of relation %u has %d columns, pgoutput wrote %d",
						m->u.change.relid, ours->ncolumns,
						pgoutputs->ncolumns)));
	for (i = 0; i < ours->ncolumns; i++)
	{
		const DbmazzValue *a = &ours->values[i];
		const DbmazzValue *b = &pgoutputs->values[i];

		if (a->kind == b->kind &&
			(a->kind != DBMAZZ_VALUE_TEXT ||
			 (a->len == b->len && memcmp(a->data, b->data, a->len) == 0)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("column %d of relation %u (%c) is not what pgoutput wrote",
						i + 1, m->u.change.relid, m->kind),
				 errdetail("Kind \"%c\" with %u bytes, pgoutput: \"%c\" with %u bytes.",
						   a->kind, a->len, b->kind, b->len)));
	}
}

static void
verify(const DbmazzFastPath *fast, const char *data, Size len)
{
	const DbmazzMessage *ours = &fast->expected->message;
	const DbmazzMessage *pgoutputs = &fast->seen->message;

	if (dbmazz_pgoutput_parse(fast->seen, data, len) != DBMAZZ_OK)
		return;					/* whoever applies it says so */
	if (ours->kind != pgoutputs->kind ||
		ours->u.change.relid != pgoutputs->u.change.relid ||
		ours->u.change.old_kind != pgoutputs->u.change.old_kind)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a change of relation %u is not what pgoutput wrote",
						ours->u.change.relid)));
	if (ours->u.change.old_kind != 0)
		compare_tuples(fast, &fast->expected->old_tuple,
					   &fast->seen->old_tuple);
	if (ours->kind != 'D')
		compare_tuples(fast, &fast->expected->new_tuple,
					   &fast->seen->new_tuple);
}

void
dbmazz_fastpath_message(DbmazzFastPath *fast, const char *data, Size len)
{
	if (len < 5 || (data[0] != 'I' && data[0] != 'U' && data[0] != 'D'))
		return;
	fast->nsent++;
	fast->sent_kind = data[0];
	fast->sent_relid = dbmazz_get_u32(data + 1);
	if (fast->is_expected)
		verify(fast, data, len);
}
