/*
 * relation_private.h
 *		What relation.c (tables), relation_collide.c (their targets) and
 *		relation_sets.c (their column sets) share.
 */
#ifndef DBMAZZ_RELATION_PRIVATE_H
#define DBMAZZ_RELATION_PRIVATE_H

#include "core/relmap.h"
#include "guc.h"
#include "relation.h"
#include "utils/relcache.h"

struct DbmazzRelations
{
	MemoryContext cxt;
	Oid			owner;			/* of the pipeline */
	char	   *publication;
	DbmazzRelmap map;
	DbmazzRelation **all;
	int			nall;
	int			maxall;
	List	   *tables;			/* DbmazzTableRow */
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
