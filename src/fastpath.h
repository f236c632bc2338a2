/*
 * fastpath.h
 *		Changes that need not go through pgoutput, once it has shown how.
 *
 * NOTES
 *	  The first change of each kind (INSERT, UPDATE, DELETE) of a table goes
 *	  through pgoutput.  Where its answer is a plain case, later ones are taken
 *	  from the reorder buffer's tuples as pgoutput would have written them: the
 *	  same columns, each value as the same bytes.  A plain case is: one message,
 *	  of the same kind and for the same table; a table that is no partition, has
 *	  no row filter in the publication, and whose columns in the Relation message
 *	  are all found in the tuple.
 *
 *	  What was learned is forgotten when anything changes that pgoutput itself
 *	  looks at: of one table, its description; of all, any publication, and those
 *	  schemas, types and output functions that some table has.  Decoding reports
 *	  that at the right place of the WAL, also inside of a transaction.  pgoutput
 *	  forgets a table when that, a publication or a schema changes: so it sends a
 *	  Relation message again whenever it says something new.
 *
 *	  With dbmazz.fast_path = verify everything goes through pgoutput, and every
 *	  change that was learned is compared with what it writes.
 */
#ifndef DBMAZZ_FASTPATH_H
#define DBMAZZ_FASTPATH_H

#include "relation.h"
#include "replication/reorderbuffer.h"
#include "utils/rel.h"

typedef struct DbmazzFastPath DbmazzFastPath;

/*
 * One in a process, outside of decoding.  'publication' stays the caller's.
 * NULL if dbmazz.fast_path is off.
 */
extern DbmazzFastPath *dbmazz_fastpath_create(MemoryContext parent,
											  DbmazzRelations *relations,
											  const char *publication);

/*
 * Put the change into the parser, as if pgoutput's message had been parsed;
 * false: it has to go there.  Called for each change, inside its callback.  The
 * values are there until dbmazz_fastpath_release().  May longjmp.
 */
extern bool dbmazz_fastpath_take(DbmazzFastPath *fast, Relation relation,
								 ReorderBufferChange *change,
								 DbmazzParser *parser);
extern void dbmazz_fastpath_release(DbmazzFastPath *fast);

/* Memory of the change that was taken, until it is released. */
extern MemoryContext dbmazz_fastpath_context(const DbmazzFastPath *fast);

/*
 * For a change that was not taken: pgoutput wrote this message; and, after the
 * message has been applied, pgoutput is done with the change.  An error is raised
 * if that is not what verify expects.
 */
extern void dbmazz_fastpath_message(DbmazzFastPath *fast, const char *data,
									Size len);
extern void dbmazz_fastpath_learn(DbmazzFastPath *fast, Relation relation,
								  const ReorderBufferChange *change);

#endif							/* DBMAZZ_FASTPATH_H */
