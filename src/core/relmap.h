/*
 * relmap.h
 *		Map from a relation's OID to the decoder's entry for it: O(1).
 *
 * NOTES
 *	  Open addressing over memory that the caller gives; when more than half is
 *	  in use, the caller brings a larger piece and the map moves over.
 *
 *	  Any number but 0 will do instead of an OID, such as a name's hash, where the
 *	  entry is the first of those that have it.
 */
#ifndef DBMAZZ_RELMAP_H
#define DBMAZZ_RELMAP_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct DbmazzRelmapSlot
{
	uint32_t	relid;			/* 0: free */
	void	   *entry;
} DbmazzRelmapSlot;

typedef struct DbmazzRelmap
{
	DbmazzRelmapSlot *slots;
	uint32_t	nslots;			/* power of two */
	uint32_t	nused;
} DbmazzRelmap;

/* 'slots' must be zeroed; 'nslots' a power of two, at least 8. */
extern void dbmazz_relmap_init(DbmazzRelmap *map, DbmazzRelmapSlot *slots,
							   uint32_t nslots);
extern void *dbmazz_relmap_get(const DbmazzRelmap *map, uint32_t relid);

/* Is there room for one more?  If not, grow first. */
extern bool dbmazz_relmap_full(const DbmazzRelmap *map);

/* Move to another, zeroed array, without the entries that are NULL; returns the
 * old one, for the caller to free. */
extern DbmazzRelmapSlot *dbmazz_relmap_grow(DbmazzRelmap *map,
											DbmazzRelmapSlot *slots,
											uint32_t nslots);

/* Add or replace; returns the entry that was there, or NULL. */
extern void *dbmazz_relmap_set(DbmazzRelmap *map, uint32_t relid, void *entry);

#endif							/* DBMAZZ_RELMAP_H */
