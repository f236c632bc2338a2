/*
 * relation_sets.c
 *		The column sets that rows of a table come with, how they are encoded, and
 *		which rows are left out.
 */
#include "postgres.h"

#include "catalog_dead.h"
#include "core/encode_csv.h"
#include "relation_private.h"
#include "utils/memutils.h"

/* More sets than this of one table: start over (unlikely by far). */
#define MAX_PARTIAL_SETS	256

void
dbmazz_relation_encoding(const DbmazzRelations *r, DbmazzTableDesc *desc)
{
	desc->flags &= ~DBMAZZ_TABLE_CSV;
	if (r->csv && dbmazz_csv_can_hold(desc))
		desc->flags |= DBMAZZ_TABLE_CSV;
}

DbmazzRowPlan *
dbmazz_relation_plan(const DbmazzRelations *r, const DbmazzTableDesc *desc)
{
	DbmazzRowPlan *plan = palloc(dbmazz_row_plan_size(desc));

	dbmazz_row_plan_init(plan, desc, r->unrepresentable);
	return plan;
}

static DbmazzColumnSet *
find_set(const DbmazzRelation *rel, const bool *keep, bool is_fallback)
{
	Size		size = rel->full.desc->ncolumns * sizeof(bool);
	DbmazzColumnSet *set;

	for (set = rel->partial; set != NULL; set = set->next)
	{
		if (set->is_fallback == is_fallback &&
			(keep == NULL || set->keep == NULL ? keep == set->keep :
			 memcmp(set->keep, keep, size) == 0))
			break;
	}
	return set;
}

static void
forget_unused_sets(DbmazzRelation *rel)
{
	DbmazzColumnSet **link = &rel->partial;

	while (*link != NULL)
	{
		DbmazzColumnSet *unused = *link;

		if (unused->open != NULL)
		{
			link = &unused->next;
			continue;
		}
		*link = unused->next;
		pfree(unused->desc);
		pfree(unused->plan);
		if (unused->keep != NULL)
			pfree(unused->keep);
		pfree(unused);
		rel->npartial--;
	}
}

/* Takes over the description, which is in the relation's context. */
static DbmazzColumnSet *
add_set(DbmazzRelation *rel, DbmazzTableDesc *desc, const bool *keep)
{
	Size		size = rel->full.desc->ncolumns * sizeof(bool);
	DbmazzColumnSet *set;

	set = palloc0(sizeof(*set));
	set->desc = desc;
	set->plan = dbmazz_relation_plan(rel->owner, desc);
	if (keep != NULL)
	{
		set->keep = palloc(size);
		memcpy(set->keep, keep, size);
	}
	set->next = rel->partial;
	rel->partial = set;
	rel->npartial++;
	return set;
}

DbmazzColumnSet *
dbmazz_relation_partial(DbmazzRelations *relations, DbmazzRelation *rel,
						const bool *keep)
{
	DbmazzColumnSet *set = find_set(rel, keep, false);
	DbmazzTableDesc *desc;
	MemoryContext old;

	if (set != NULL)
		return set;

	/* where a table comes with very many sets */
	if (rel->npartial >= MAX_PARTIAL_SETS && rel->keys == NULL)
		forget_unused_sets(rel);

	old = MemoryContextSwitchTo(rel->cxt);
	desc = palloc(dbmazz_desc_subset_size(rel->full.desc));
	dbmazz_desc_subset(rel->full.desc, keep, ++relations->generation, desc);
	dbmazz_relation_encoding(relations, desc);
	set = add_set(rel, desc, keep);
	MemoryContextSwitchTo(old);
	return set;
}

DbmazzColumnSet *
dbmazz_relation_fallback(DbmazzRelation *rel, const DbmazzColumnSet *set)
{
	DbmazzColumnSet *fallback = find_set(rel, set->keep, true);
	DbmazzTableDesc *desc;
	MemoryContext old;

	if (fallback != NULL)
		return fallback;
	old = MemoryContextSwitchTo(rel->cxt);
	desc = palloc(set->desc->size);
	memcpy(desc, set->desc, set->desc->size);
	desc->generation = ++rel->owner->generation;
	desc->flags &= ~DBMAZZ_TABLE_CSV;
	fallback = add_set(rel, desc, set->keep);
	fallback->is_fallback = true;
	MemoryContextSwitchTo(old);
	return fallback;
}

/* ---- rows that are skipped -------------------------------------------------- */

bool
dbmazz_relation_has_skipped(const DbmazzRelations *r, const DbmazzRelation *rel)
{
	ListCell   *lc;

	foreach(lc, r->skipped)
	{
		const DbmazzSkippedRow *row = lfirst(lc);

		if (strcmp(row->target, rel->target) == 0)
			return true;
	}
	return false;
}

bool
dbmazz_relation_skips(const DbmazzRelation *rel, XLogRecPtr lsn,
					  uint32 sequence)
{
	ListCell   *lc;

	if (!rel->has_skipped)
		return false;
	foreach(lc, rel->owner->skipped)
	{
		const DbmazzSkippedRow *row = lfirst(lc);

		if (row->lsn == lsn && row->sequence == sequence &&
			strcmp(row->target, rel->target) == 0)
			return true;
	}
	return false;
}
