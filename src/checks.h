/*
 * checks.h
 *		What must be true before a pipeline is made or started.
 *
 * NOTES
 *	  Each function raises an error whose hint says what to do, or returns.
 *	  None of them changes anything.
 */
#ifndef DBMAZZ_CHECKS_H
#define DBMAZZ_CHECKS_H

#include "catalog.h"

struct RelationData;

/* The library is preloaded, the server and database can be decoded. */
extern void dbmazz_check_server(void);

/* The name of a new pipeline fits; so does a slot's. */
extern void dbmazz_check_name(const char *name);

/* No pipeline of this database has the slot. */
extern void dbmazz_check_slot_name(const char *slot);

/* There is no such slot, and room for one more. */
extern void dbmazz_check_slot_room(const char *slot);

extern void dbmazz_check_publication(const char *publication);

/* A pipeline that has a slot may change over to the publication. */
extern void dbmazz_check_new_publication(const DbmazzPipelineRow *row,
										 const char *publication);

/* Its settings, on top of the server's, go together and with the server. */
extern void dbmazz_check_settings(const DbmazzPipelineRow *row);

/* Its sink can deliver as its settings say. */
extern void dbmazz_check_delivery(const DbmazzPipelineRow *row);

/*
 * The sink exists, the owner may use the destination, its options are complete
 * and right.  Returns the destination's identity, palloc'd.
 */
extern char *dbmazz_check_destination(const DbmazzPipelineRow *row);

/* The owner may read all published tables. */
extern void dbmazz_check_privileges(const DbmazzPipelineRow *row,
									List *tables);

/*
 * Every published table has a key that its replica identity gives, or is to be
 * a change log; it has no column that audit columns need, and a target name of
 * its own.
 */
extern void dbmazz_check_tables(const DbmazzPipelineRow *row, List *tables);

/* The server has room for the workers of one more pipeline. */
extern void dbmazz_check_workers(const DbmazzPipelineRow *row);

/*
 * The attribute numbers of a table's key, in the key's order: of the primary
 * key, or else of the replica identity's index; 0 if there is none.  'keys' has
 * room for INDEX_MAX_KEYS.
 */
extern int	dbmazz_table_key(struct RelationData *rel, int16 *keys);

#endif							/* DBMAZZ_CHECKS_H */
