/*
 * test_relmap.c
 *		Tests of the map of relations.
 */
#include "core/relmap.h"

#include <stdlib.h>

#include "check.h"
#include "helpers.h"

/* Entries are made-up addresses; the map never looks into them. */
static void *
entry_of(uint32_t relid)
{
	return (void *) ((uintptr_t) relid * 16 + 8);
}

static void
grow_if_full(DbmazzRelmap *map)
{
	DbmazzRelmapSlot *larger;

	if (!dbmazz_relmap_full(map))
		return;
	larger = calloc((size_t) map->nslots * 2, sizeof(*larger));
	free(dbmazz_relmap_grow(map, larger, map->nslots * 2));
}

static void
start(DbmazzRelmap *map, uint32_t nslots)
{
	dbmazz_relmap_init(map, calloc(nslots, sizeof(DbmazzRelmapSlot)), nslots);
}

static void
set_get_replace(void)
{
	DbmazzRelmap map;

	start(&map, 8);
	CHECK(dbmazz_relmap_get(&map, 16384) == NULL);
	CHECK(dbmazz_relmap_set(&map, 16384, entry_of(1)) == NULL);
	CHECK(dbmazz_relmap_get(&map, 16384) == entry_of(1));
	CHECK(dbmazz_relmap_set(&map, 16384, entry_of(2)) == entry_of(1));
	CHECK(dbmazz_relmap_get(&map, 16384) == entry_of(2));
	CHECK_INT(map.nused, 1);
	CHECK(dbmazz_relmap_get(&map, 16385) == NULL);
	free(map.slots);
}

static void
no_relation_is_no_entry(void)
{
	DbmazzRelmap map;

	start(&map, 8);
	CHECK(dbmazz_relmap_set(&map, 0, entry_of(1)) == NULL);
	CHECK(dbmazz_relmap_get(&map, 0) == NULL);
	CHECK_INT(map.nused, 0);
	free(map.slots);
}

static void
full_at_one_half(void)
{
	DbmazzRelmap map;
	uint32_t	i;

	start(&map, 8);
	for (i = 1; i <= 4; i++)
	{
		CHECK(!dbmazz_relmap_full(&map));
		dbmazz_relmap_set(&map, i, entry_of(i));
	}
	CHECK(dbmazz_relmap_full(&map));
	free(map.slots);
}

/* A caller that forgets to grow must not hang. */
static void
overfull_does_not_hang(void)
{
	DbmazzRelmap map;
	uint32_t	i;

	start(&map, 8);
	for (i = 1; i <= 20; i++)
		dbmazz_relmap_set(&map, i, entry_of(i));
	CHECK_INT(map.nused, 8);
	CHECK(dbmazz_relmap_get(&map, 8) == entry_of(8));
	CHECK(dbmazz_relmap_get(&map, 9) == NULL);
	free(map.slots);
}

/* Running OIDs, as a schema of many tables has them, and scattered ones. */
static void
grows_and_keeps_all(void)
{
	uint32_t	step;

	for (step = 1; step <= 1u << 20; step *= 32)
	{
		DbmazzRelmap map;
		uint32_t	i;

		start(&map, 8);
		for (i = 1; i <= 3000; i++)
		{
			grow_if_full(&map);
			CHECK(dbmazz_relmap_set(&map, i * step, entry_of(i)) == NULL);
		}
		for (i = 1; i <= 3000; i++)
			CHECK(dbmazz_relmap_get(&map, i * step) == entry_of(i));
		CHECK(dbmazz_relmap_get(&map, 3001 * step) == NULL);
		CHECK_INT(map.nused, 3000);
		CHECK_INT(map.nslots, 8192);
		free(map.slots);
	}
}

static void
largest_oid(void)
{
	DbmazzRelmap map;

	start(&map, 8);
	dbmazz_relmap_set(&map, UINT32_MAX, entry_of(5));
	CHECK(dbmazz_relmap_get(&map, UINT32_MAX) == entry_of(5));
	free(map.slots);
}

void
test_relmap(void)
{
	RUN(set_get_replace);
	RUN(no_relation_is_no_entry);
	RUN(full_at_one_half);
	RUN(overfull_does_not_hang);
	RUN(grows_and_keeps_all);
	RUN(largest_oid);
}
