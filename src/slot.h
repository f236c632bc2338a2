/*
 * slot.h
 *		Whose replication slot it is.
 */
#ifndef DBMAZZ_SLOT_H
#define DBMAZZ_SLOT_H

#include "miscadmin.h"
#include "replication/slot.h"

/*
 * Can it be the slot of a pipeline of this database, as far as can be seen?  The
 * caller has the slot, or holds its mutex.
 */
static inline bool
dbmazz_slot_is_ours(const ReplicationSlot *slot)
{
	return slot->data.database == MyDatabaseId &&
		strcmp(NameStr(slot->data.plugin), "pgoutput") == 0;
}

#endif							/* DBMAZZ_SLOT_H */
