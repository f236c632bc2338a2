/*
 * relation_private.h
 *		What relation.c (tables) and relation_sets.c (their column sets) share.
 */
#ifndef DBMAZZ_RELATION_PRIVATE_H
#define DBMAZZ_RELATION_PRIVATE_H

#include "core/relmap.h"
#include "guc.h"
#include "relation.h"

struct DbmazzRelations
{
	MemoryContext cxt;
	Oid			owner;			/* of the pipeline */
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

/* Are rows of the table not to be sent? */
extern bool dbmazz_relation_has_skipped(const DbmazzRelations *r,
										const DbmazzRelation *rel);

/* Mark the description as CSV where that is wanted and possible. */
extern void dbmazz_relation_encoding(const DbmazzRelations *r,
									 DbmazzTableDesc *desc);

/* The plan for a description, in the current context. */
extern DbmazzRowPlan *dbmazz_relation_plan(const DbmazzRelations *r,
										   const DbmazzTableDesc *desc);

#endif							/* DBMAZZ_RELATION_PRIVATE_H */
