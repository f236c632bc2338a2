/*
 * relation_targets.c
 *		Which tables have which target, found without looking at all of them.
 */
#include "postgres.h"

#include "core/bytes.h"
#include "relation_private.h"
#include "utils/memutils.h"

#define MIN_SLOTS	128

/* In the map; 0 marks free slots there. */
static uint32
key_of(const char *target)
{
	return (uint32) dbmazz_hash(target, strlen(target), 0) | 1;
}

/* Tables that are gone keep their slots until the map is moved. */
void
dbmazz_relation_make_room(DbmazzRelations *r, DbmazzRelmap *map)
{
	DbmazzRelmapSlot *old;
	uint32		nlive = 0;
	uint32		n = MIN_SLOTS;

	if (map->slots != NULL && !dbmazz_relmap_full(map))
		return;
	for (uint32 i = 0; i < map->nslots; i++)
		nlive += map->slots[i].entry != NULL;
	while (nlive > n / 4)
		n *= 2;
	old = dbmazz_relmap_grow(map,
							 MemoryContextAllocZero(r->cxt, n * sizeof(DbmazzRelmapSlot)),
							 n);
	if (old != NULL)
		pfree(old);
}

DbmazzRelation *
dbmazz_relation_of_target(const DbmazzRelations *r, const char *target,
						  const DbmazzRelation *previous)
{
	DbmazzRelation *rel = previous != NULL ? previous->next_of_target :
		dbmazz_relmap_get(&r->targets, key_of(target));

	while (rel != NULL && strcmp(rel->target, target) != 0)
		rel = rel->next_of_target;
	return rel;
}

static void
remove_target(DbmazzRelations *r, DbmazzRelation *rel)
{
	uint32		key = key_of(rel->target);
	DbmazzRelation *prior = dbmazz_relmap_get(&r->targets, key);

	if (prior == rel)
	{
		dbmazz_relmap_set(&r->targets, key, rel->next_of_target);
		return;
	}
	while (prior->next_of_target != rel)
		prior = prior->next_of_target;
	prior->next_of_target = rel->next_of_target;
}

void
dbmazz_relation_set_target(DbmazzRelations *r, DbmazzRelation *rel,
						   char *target)
{
	if (rel->target != NULL)
		remove_target(r, rel);
	rel->target = target;
	rel->next_of_target = NULL;
	if (target == NULL)
		return;
	dbmazz_relation_make_room(r, &r->targets);
	rel->next_of_target = dbmazz_relmap_set(&r->targets, key_of(target), rel);
}

/* ---- lanes of earlier lives ------------------------------------------------- */

static int
compare_rows(const void *a, const void *b)
{
	return strcmp((*(DbmazzTableRow *const *) a)->target,
				  (*(DbmazzTableRow *const *) b)->target);
}

void
dbmazz_relation_set_lanes(DbmazzRelations *r, List *tables)
{
	ListCell   *lc;

	r->tables = MemoryContextAlloc(r->cxt, Max(list_length(tables), 1) *
								   sizeof(*r->tables));
	foreach(lc, tables)
		r->tables[r->ntables++] = lfirst(lc);
	qsort(r->tables, r->ntables, sizeof(*r->tables), compare_rows);
}

const DbmazzTableRow *
dbmazz_relation_lane(const DbmazzRelations *r, const char *target)
{
	DbmazzTableRow wanted = {.target = unconstify(char *, target)};
	DbmazzTableRow *key = &wanted;
	DbmazzTableRow **found = bsearch(&key, r->tables, r->ntables,
									 sizeof(*r->tables), compare_rows);

	return found != NULL ? *found : NULL;
}
