/*
 * relation_private.h
 *		What relation.c (tables), relation_gone.c (tables that are dropped),
 *		relation_targets.c, relation_collide.c (their targets) and relation_sets.c
 *		(their column sets) share.
 */
#ifndef DBMAZZ_RELATION_PRIVATE_H
#define DBMAZZ_RELATION_PRIVATE_H

#include "catalog.h"
#include "core/relmap.h"
#include "guc.h"
#include "relation.h"
#include "utils/relcache.h"

struct DbmazzRelations
{
	MemoryContext cxt;
	Oid			owner;			/* of the pipeline */
	char	   *publication;
	MemoryContext scratch;		/* for the time of an update */
	DbmazzRelmap map;			/* by OID */
	DbmazzRelmap targets;		/* by hash of the target: the first of those that
								 * have it, the others by next_of_target */
	slist_head	suspects;		/* that may have been dropped */
	DbmazzTableRow **tables;	/* by target */
	int			ntables;
	List	   *skipped;		/* DbmazzSkippedRow */
	XLogRecPtr	stream_lsn;
	uint32		generation;

	/* settings that never change in the middle of a life */
	char	   *name_template;
	DbmazzUnrepresentable unrepresentable;
	bool		has_audit;
	bool		soft_deletes;
	DbmazzChangeLog change_log;
	bool		csv;			/* where that is possible */
};

/*
 * The description of a table, in the current context, from a Relation message and
 * the catalogs that are in force; '*problem' as in DbmazzRelation.
 */
extern DbmazzTableDesc *dbmazz_relation_describe(const DbmazzRelations *r,
												 Relation heap,
												 const DbmazzParser *parser,
												 const char *schema,
												 const char *target,
												 const char **problem);

/*
 * Give the table this target, which it keeps (in its own memory), or none (NULL).
 */
extern void dbmazz_relation_set_target(DbmazzRelations *r, DbmazzRelation *rel,
									   char *target);

/*
 * A relation with the target: the first one, or the next after 'previous'; NULL if
 * there are no more.
 */
extern DbmazzRelation *dbmazz_relation_of_target(const DbmazzRelations *r,
												 const char *target,
												 const DbmazzRelation *previous);

/* What the catalogs said of a target's lane when this life began, or NULL. */
extern const DbmazzTableRow *dbmazz_relation_lane(const DbmazzRelations *r,
												  const char *target);

/* Likewise, of all: what dbmazz_relation_lane() finds. */
extern void dbmazz_relation_set_lanes(DbmazzRelations *r, List *tables);

/*
 * Watch out for tables that are dropped, from now on; and forget those that were at
 * 'lsn', the place of the change at hand, and have no open batches.
 */
extern void dbmazz_relation_watch(DbmazzRelations *r);
extern void dbmazz_relation_forget_dropped(DbmazzRelations *r, XLogRecPtr lsn);

/* The table has no open batches. */
extern void dbmazz_relation_forget(DbmazzRelations *r, DbmazzRelation *rel);

/* Make room in one of the maps for one more. */
extern void dbmazz_relation_make_room(DbmazzRelations *r, DbmazzRelmap *map);

/* Are rows of the table not to be sent? */
extern bool dbmazz_relation_has_skipped(const DbmazzRelations *r,
										const DbmazzRelation *rel);

/* Mark the description as CSV where that is wanted and possible. */
extern void dbmazz_relation_encoding(const DbmazzRelations *r,
									 DbmazzTableDesc *desc);

/* The plan for a description, in the current context. */
extern DbmazzRowPlan *dbmazz_relation_plan(const DbmazzRelations *r,
										   const DbmazzTableDesc *desc);

/*
 * Does another published table go to the target of 'rel', whose seen_lsn is that of
 * the transaction that is decoded?  'lsn' is the place of its change.
 */
extern bool dbmazz_relation_collides(const DbmazzRelations *r,
									 const DbmazzRelation *rel,
									 XLogRecPtr lsn);

#endif							/* DBMAZZ_RELATION_PRIVATE_H */
