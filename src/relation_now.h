/*
 * relation_now.h
 *		The description of a published table as it is now, outside of decoding.
 */
#ifndef DBMAZZ_RELATION_NOW_H
#define DBMAZZ_RELATION_NOW_H

#include "catalog_rows.h"
#include "relation.h"

/*
 * Make it, in the current context and the caller's transaction, for rows that go
 * to 'target' as JSON.  Takes AccessShareLock on the table, but does not wait for
 * it (DBMAZZ_READER_LOCKED).  'relations' has the settings.
 * DBMAZZ_READER_CHANGED: the table is not published any more, or has no key;
 * 'err' tells.
 */
extern DbmazzReaderState dbmazz_relation_now(const DbmazzRelations *relations,
											 Oid relid, const char *target,
											 const char *publication,
											 DbmazzTableDesc **desc,
											 DbmazzError *err);

#endif							/* DBMAZZ_RELATION_NOW_H */
