/*
 * relation_collide.c
 *		Do two published tables have the same target?
 *
 * NOTES
 *	  start_pipeline() refuses that, but tables are published, made, renamed and
 *	  moved later.  Rows of two tables must never be merged, and a table must not
 *	  stop because of one that is not there any more, or not published.
 *
 *	  The catalogs answer as of the change that is decoded.  A transaction that has
 *	  been long under way may make a change behind which another table got the
 *	  target, and that table's rows come first, for its transaction was committed
 *	  first.  The catalogs of the change do not know the table then, or by another
 *	  name; but what was described in a transaction that was committed behind the
 *	  change has the target later than that.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_publication.h"
#include "catalog.h"
#include "encoding.h"
#include "relation_private.h"
#include "utils/lsyscache.h"

static bool
is_in(const Publication *publication, Oid relid)
{
	return list_member_oid(GetRelationPublications(relid), publication->oid) ||
		list_member_oid(GetSchemaPublications(get_rel_namespace(relid)),
						publication->oid);
}

/* Are its rows published under its own name? */
static bool
is_published(const DbmazzRelations *r, Oid relid)
{
	Publication *publication = GetPublicationByName(r->publication, true);
	ListCell   *lc;

	if (publication == NULL)
		return false;
	if (publication->alltables || is_in(publication, relid))
		return true;
	if (publication->pubviaroot || !get_rel_relispartition(relid))
		return false;
	foreach(lc, get_partition_ancestors(relid))
	{
		if (is_in(publication, lfirst_oid(lc)))
			return true;
	}
	return false;
}

/*
 * Does a table of another name than 'rel' have its target now?  What has the same
 * name is a former table, whatever a cache says: no two have it at one time.
 */
static bool
has_target_of(const DbmazzRelations *r, Oid relid, const DbmazzRelation *rel)
{
	const char *table = get_rel_name(relid);
	const char *schema = get_namespace_name(get_rel_namespace(relid));
	const char *target;

	if (table == NULL || schema == NULL ||
		(strcmp(schema, rel->schema) == 0 && strcmp(table, rel->table) == 0))
		return false;
	target = dbmazz_guc_target_name(r->name_template, schema, table);
	return strcmp(dbmazz_to_utf8(target), rel->target) == 0 &&
		is_published(r, relid);
}

/*
 * Does the target's lane belong to another table?  That one has sent rows in an
 * earlier life, and was perhaps not described in this one.
 */
static bool
collides_with_lane(const DbmazzRelations *r, const DbmazzRelation *rel)
{
	const DbmazzTableRow *row = dbmazz_relation_lane(r, rel->target);

	return row != NULL && row->relid != rel->relid &&
		has_target_of(r, row->relid, rel);
}

bool
dbmazz_relation_collides(const DbmazzRelations *r, const DbmazzRelation *rel,
						 XLogRecPtr lsn)
{
	const DbmazzRelation *other = NULL;

	if (rel->skip)
		return false;
	while ((other = dbmazz_relation_of_target(r, rel->target, other)) != NULL)
	{
		bool		is_newer = other->seen_lsn > lsn &&
			other->seen_lsn != rel->seen_lsn;

		if (other != rel && !other->skip &&
			(is_newer || has_target_of(r, other->relid, rel)))
			return true;
	}
	return collides_with_lane(r, rel);
}
