/*
 * relation_gone.c
 *		Forgetting what the decoder knows of tables that were dropped.
 *
 * NOTES
 *	  Some servers make tables and drop them all the time, and never use a name
 *	  twice.  The server tells of each table whose catalogs have changed; when the
 *	  next table is new to us, we look which of them are not there any more.
 *
 *	  That a table cannot be seen is not enough: a transaction that began before the
 *	  table was made does not see it either.  But one that is decoded sees what was
 *	  committed before the change at hand.  So if the table was described in a
 *	  transaction that was committed before that, it was there and is gone, and no
 *	  change of it can follow: who drops a table waits for all who have changed it.
 */
#include "postgres.h"

#include "relation_private.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Callbacks of invalidations have no place for it that could go away. */
static DbmazzRelations *instance;

static void
relation_changed(Datum arg, Oid relid)
{
	DbmazzRelation *rel = dbmazz_relmap_get(&instance->map, relid);

	if (rel == NULL || rel->is_suspect)
		return;
	rel->is_suspect = true;
	slist_push_head(&instance->suspects, &rel->suspect);
}

void
dbmazz_relation_watch(DbmazzRelations *r)
{
	Assert(instance == NULL);
	instance = r;
	slist_init(&r->suspects);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

void
dbmazz_relation_forget(DbmazzRelations *r, DbmazzRelation *rel)
{
	Assert(rel->nopen == 0);
	if (rel->is_suspect)
		slist_delete(&r->suspects, &rel->suspect);
	dbmazz_relmap_set(&r->map, rel->relid, NULL);
	dbmazz_relation_set_target(r, rel, NULL);
	MemoryContextDelete(rel->cxt);
	pfree(rel);
}

void
dbmazz_relation_forget_dropped(DbmazzRelations *r, XLogRecPtr lsn)
{
	slist_head	later = SLIST_STATIC_INIT(later);

	while (!slist_is_empty(&r->suspects))
	{
		slist_node *node = slist_pop_head_node(&r->suspects);
		DbmazzRelation *rel = slist_container(DbmazzRelation, suspect, node);

		/* no look at what is newer: a cache would keep that it is not there yet */
		if (rel->seen_lsn < lsn)
		{
			rel->is_suspect = false;
			if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(rel->relid)) ||
				rel->is_suspect)
				continue;
			if (rel->nopen == 0)
			{
				dbmazz_relation_forget(r, rel);
				continue;
			}
			rel->is_suspect = true;
		}
		slist_push_head(&later, &rel->suspect);
	}
	r->suspects = later;
}
