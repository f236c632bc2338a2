/*
 * relmap.c
 *		Map from a relation's OID to the decoder's entry for it.
 */
#include "core/relmap.h"

/*
 * OIDs are consecutive numbers: the product with an odd constant near 2^32
 * divided by the golden ratio sends neighbours far apart, and its upper bits
 * are the good ones.
 */
static inline uint32_t
first_slot(const DbmazzRelmap *map, uint32_t relid)
{
	return (relid * UINT32_C(0x9E3779B9) >> 7) & (map->nslots - 1);
}

/* The slot of 'relid', or the free one where it belongs; NULL if none. */
static DbmazzRelmapSlot *
find(const DbmazzRelmap *map, uint32_t relid)
{
	uint32_t	i = first_slot(map, relid);
	uint32_t	probes;

	for (probes = 0; probes < map->nslots; probes++)
	{
		DbmazzRelmapSlot *slot = &map->slots[i];

		if (slot->relid == relid || slot->relid == 0)
			return slot;
		i = (i + 1) & (map->nslots - 1);
	}
	return NULL;
}

void
dbmazz_relmap_init(DbmazzRelmap *map, DbmazzRelmapSlot *slots,
				   uint32_t nslots)
{
	map->slots = slots;
	map->nslots = nslots;
	map->nused = 0;
}

void *
dbmazz_relmap_get(const DbmazzRelmap *map, uint32_t relid)
{
	const DbmazzRelmapSlot *slot = find(map, relid);

	return slot == NULL ? NULL : slot->entry;
}

bool
dbmazz_relmap_full(const DbmazzRelmap *map)
{
	return map->nused >= map->nslots / 2;
}

DbmazzRelmapSlot *
dbmazz_relmap_grow(DbmazzRelmap *map, DbmazzRelmapSlot *slots,
				   uint32_t nslots)
{
	DbmazzRelmapSlot *old = map->slots;
	uint32_t	nold = map->nslots;
	uint32_t	i;

	dbmazz_relmap_init(map, slots, nslots);
	for (i = 0; i < nold; i++)
	{
		if (old[i].entry != NULL)
			dbmazz_relmap_set(map, old[i].relid, old[i].entry);
	}
	return old;
}

void *
dbmazz_relmap_set(DbmazzRelmap *map, uint32_t relid, void *entry)
{
	DbmazzRelmapSlot *slot;
	void	   *before;

	/* 0 is no relation (InvalidOid) and marks free slots. */
	if (relid == 0)
		return NULL;
	slot = find(map, relid);
	if (slot == NULL)
		return NULL;
	if (slot->relid == 0)
	{
		slot->relid = relid;
		map->nused++;
	}
	before = slot->entry;
	slot->entry = entry;
	return before;
}
