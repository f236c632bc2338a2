/*
 * relation.h
 *		What the decoder knows of each published table.
 *
 * NOTES
 *	  Made anew at every Relation message, from it and from the historic catalog
 *	  that is in force at that point of the WAL: so a description always fits the
 *	  rows that follow it, whatever DDL came later.
 */
#ifndef DBMAZZ_RELATION_H
#define DBMAZZ_RELATION_H

#include "access/xlogdefs.h"
#include "core/budget.h"
#include "core/pgoutput.h"
#include "core/rowplan.h"
#include "lib/ilist.h"
#include "nodes/pg_list.h"

struct DbmazzOpenBatch;

/* A set of columns that rows of the table come with. */
typedef struct DbmazzColumnSet
{
	struct DbmazzColumnSet *next;
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	bool	   *keep;			/* per column of the full description; NULL for
								 * all of them */
	bool		is_fallback;	/* JSON, for rows that CSV cannot carry */
	struct DbmazzOpenBatch *open;	/* the batcher's, or NULL */
} DbmazzColumnSet;

typedef struct DbmazzRelation
{
	uint32		relid;
	char	   *schema;			/* as the catalogs have them; the description */
	char	   *table;			/* has UTF-8 */
	char	   *target;			/* UTF-8 */
	struct DbmazzRelation *next_of_target;	/* see relation_private.h */
	bool		skip;			/* one of our own tables */
	bool		stopped;		/* the table has stopped: drop its changes */
	XLogRecPtr	from_lsn;		/* drop transactions that committed before */
	XLogRecPtr	seen_lsn;		/* commit of the last transaction in which it was
								 * described */
	MemoryContext cxt;			/* of this description and its sets */
	struct DbmazzRelations *owner;
	DbmazzColumnSet full;
	DbmazzColumnSet reread;		/* all columns, of which the shipper reads those
								 * that did not come (core/keyrow.h); JSON */
	DbmazzColumnSet *partial;	/* list; also fallbacks, of 'full' too */
	int			npartial;
	int			naudit;			/* columns at the end that audit.h fills */
	bool		is_log;			/* DBMAZZ_TABLE_LOG */
	const char *problem;		/* why it cannot be replicated, or NULL */
	const char *old_problem;	/* why updates and deletes cannot, or NULL */
	const char *hint;			/* what helps against these two */
	bool		has_skipped;	/* some of its rows are not to be sent */
	bool		collides;		/* another table has the same target */
	bool		is_suspect;		/* may have been dropped; see relation_gone.c */
	slist_node	suspect;

	/* the batcher's */
	uint32		sealed_head;	/* the last sealed batch of the table, and its */
	uint32		sealed_generation;	/* generation then: is the lane free? */
	int			nopen;
	DbmazzBudget budget;		/* of loads, */
	uint32		extra_loads;	/* which is charged up to here for those that are
								 * counted there, */
	int64		extra_at;		/* when that was looked at; 0: never */
	struct dbmazz_keys_hash *keys;	/* key hash → column set, while nopen > 1 */
} DbmazzRelation;

typedef struct DbmazzRelations DbmazzRelations;

/*
 * Positions of tables, from dbmazz.pipeline_tables: List of DbmazzTableRow; and
 * rows that are not to be sent: List of DbmazzSkippedRow.
 * 'owner' and 'publication' are the pipeline's; 'csv' its encoding, where that is
 * possible.
 */
extern DbmazzRelations *dbmazz_relations_create(MemoryContext parent,
												Oid owner,
												const char *publication,
												List *tables,
												List *skipped,
												XLogRecPtr stream_lsn,
												bool csv);

/* The relation of a change, or NULL if no Relation message came for it. */
extern DbmazzRelation *dbmazz_relations_get(DbmazzRelations *relations,
											uint32 relid);

/* Is the row (as a batch's directory names it) one that is not to be sent? */
extern bool dbmazz_relation_skips(const DbmazzRelation *rel, XLogRecPtr lsn,
								  uint32 sequence);

typedef void (*DbmazzRelationFn) (void *arg, DbmazzRelation *rel);

/*
 * Make the description that fits parser->message (a Relation message), with
 * parser->columns, for the change at 'lsn' of a transaction whose commit is at
 * 'final_lsn'.  Runs inside a decoding callback: only catalogs may be read.
 * Where it is the same as the one there was, nothing is touched.  Before an old
 * one is replaced, 'before_replace' is called with it so that its open batches
 * can be sealed.  May longjmp.
 */
extern DbmazzRelation *dbmazz_relations_update(DbmazzRelations *relations,
											   const DbmazzParser *parser,
											   XLogRecPtr lsn,
											   XLogRecPtr final_lsn,
											   DbmazzRelationFn before_replace,
											   void *arg);

/*
 * The set of columns for a partial update: keep[i] for column i of the full
 * description.  Made if it is new.
 */
extern DbmazzColumnSet *dbmazz_relation_partial(DbmazzRelations *relations,
												DbmazzRelation *rel,
												const bool *keep);

/*
 * The set of the same columns whose rows are JSON, for one that is CSV.  Made if
 * it is new.
 */
extern DbmazzColumnSet *dbmazz_relation_fallback(DbmazzRelation *rel,
												 const DbmazzColumnSet *set);

#endif							/* DBMAZZ_RELATION_H */
