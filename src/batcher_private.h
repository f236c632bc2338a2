/*
 * batcher_private.h
 *		Open batches, as the files of the batcher see them.
 */
#ifndef DBMAZZ_BATCHER_PRIVATE_H
#define DBMAZZ_BATCHER_PRIVATE_H

#include "batcher.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"

typedef struct DbmazzOpenBatch
{
	dlist_node	node;
	DbmazzBatchWriter writer;
	DbmazzRelation *rel;
	DbmazzColumnSet *set;
	/* batcher_due.c's; not of a batch in a group */
	int64		opened_us;		/* times as dbmazz_due_now() */
	int64		due_us;			/* valid unless is_late */
	pairingheap_node due_node;	/* likewise */
	dlist_node	late_node;		/* if is_late */
	bool		is_late;		/* due, and waits for its lane */

	XLogRecPtr	last_commit_lsn;
	uint32		last_sequence;
	TimestampTz last_commit_time;
	bool		ends_group;		/* sealed as the last of its group */
} DbmazzOpenBatch;

/* When open batches are sealed (batcher_due.c). */
typedef struct DbmazzDue
{
	pairingheap *heap;			/* of those that are not late, soonest first */
	dlist_head	late;			/* of DbmazzOpenBatch */
	uint32		ndone;			/* of the pipeline, when those were looked at */
	bool		look_again;		/* whatever that says */
	int64		interval_us;	/* settings, as the heap follows them */
	uint32		per_minute;
} DbmazzDue;

/* About the group of open batches (batcher_group.c). */
typedef struct DbmazzOpenGroup
{
	bool		is_on;			/* batches are sealed in groups */
	XLogRecPtr	row_lsn;		/* transaction of the last row in it, or of what
								 * went in a group of its own */
	uint32		nkept;			/* segments of batches that have been handed over
								 * and wait for the rest of it */
	XLogRecPtr	cut_lsn;		/* transaction with rows in an earlier group */
	const char *why;			/* it is */
	uint64		ncut;			/* transactions, since the last word on them */
	TimestampTz told_at;
	int64		opened_us;		/* when the first of its batches was */
	DbmazzBudget budget;		/* each is a load, as it is for its tables */
} DbmazzOpenGroup;

struct DbmazzBatcher
{
	MemoryContext cxt;
	DbmazzPipeline *p;
	uint32		wait_event;
	void		(*while_waiting) (void *arg);
	void	   *arg;
	dlist_head	open;			/* of DbmazzOpenBatch, oldest first */
	XLogRecPtr	final_lsn;		/* of the transaction */
	TimestampTz commit_time;
	TransactionId xid;
	uint32		sequence;		/* of the next row: twice the change's number,
								 * one more for the second row of a change */
	bool		exactly_once;
	struct dbmazz_keys_hash *spare_keys;	/* empty (batcher_keys.c), or NULL */
	DbmazzDue	due;
	DbmazzOpenGroup group;
	const DbmazzRelation *writing;	/* a row of it is being written */
	const DbmazzBatchWriter *opening;	/* of a batch that is not in 'open' yet */
	DbmazzError error;
};

/*
 * A row of 'set' is about to be written: seals the open batches of the table
 * first if the order of the key's changes demands it.
 */
extern void dbmazz_batcher_note_key(DbmazzBatcher *b, DbmazzRelation *rel,
									DbmazzColumnSet *set,
									const DbmazzRowSource *source);

/* Are its rows read again by the shipper? */
static inline bool
dbmazz_is_reread(const DbmazzRelation *rel, const DbmazzColumnSet *set)
{
	return set == &rel->reread;
}

static inline bool
dbmazz_is_csv(const DbmazzColumnSet *set)
{
	return (set->desc->flags & DBMAZZ_TABLE_CSV) != 0;
}

/*
 * A segment, for writers ('arg' is the batcher).  May wait for one; NULL if none
 * will be free by itself.
 */
extern DbmazzSegment *dbmazz_batcher_segment(void *arg, uint32 *index);

/* Seal a batch, and remember it as the last one of the table. */
extern void dbmazz_batcher_hand_over(DbmazzBatcher *b, DbmazzRelation *rel,
									 const DbmazzBatchWriter *writer,
									 XLogRecPtr last_commit_lsn,
									 uint32 last_sequence,
									 TimestampTz last_commit_time,
									 bool ends_group);

extern void dbmazz_batcher_seal_all(DbmazzBatcher *b);

/*
 * Seal what else goes to the target of a set that has no open batch: other column
 * sets, and a table that had the name before.
 */
extern void dbmazz_batcher_seal_target(DbmazzBatcher *b,
									   const DbmazzColumnSet *set);

/*
 * Hand a row that cannot be sent, because of b->error, over to the shipper, which
 * keeps it in the dead letters: in the order of the table's rows, for later
 * changes of its key follow it there.  False if there is not as much space.
 */
extern bool dbmazz_batcher_keep(DbmazzBatcher *b, DbmazzRelation *rel,
								DbmazzColumnSet *set,
								const DbmazzRowSource *source, DbmazzRowOp op);
/* Seal a batch (batcher.c); one without rows is taken back. */
extern void dbmazz_batcher_seal(DbmazzBatcher *b, DbmazzOpenBatch *ob);

/* Is a sealed batch on its way, whose end will free segments? */
extern bool dbmazz_batcher_is_busy(DbmazzBatcher *b);

/* Is it large enough to be sent? */
extern bool dbmazz_batcher_is_full(DbmazzBatcher *b,
								   const DbmazzOpenBatch *ob);

/* ---- time (batcher_due.c) -------------------------------------------------- */

/* Microseconds of a clock that never goes back. */
extern int64 dbmazz_due_now(void);

extern void dbmazz_due_init(DbmazzBatcher *b);

/* A batch was opened; and: it is not open any more. */
extern void dbmazz_due_add(DbmazzBatcher *b, DbmazzOpenBatch *ob);
extern void dbmazz_due_remove(DbmazzBatcher *b, DbmazzOpenBatch *ob);

/* A batch of the table becomes a load. */
extern void dbmazz_due_charge(DbmazzBatcher *b, DbmazzRelation *rel);

/* To be called before the next two.  Are the settings other ones than before? */
extern bool dbmazz_due_follow_settings(DbmazzBatcher *b);

/* From when on may go what was opened then? */
extern int64 dbmazz_due_time(const DbmazzBatcher *b, int64 opened_us,
							 const DbmazzBudget *budget);

/* For the views: until when it waits because of the budget, if it does. */
extern void dbmazz_due_tell(const DbmazzBatcher *b, const DbmazzOpenBatch *ob,
							int64 opened_us, const DbmazzBudget *budget);

/*
 * What is due by this time may go now; 'at_rest' if no more WAL is there.  The
 * milliseconds until what is due later may.
 */
extern int64 dbmazz_due_limit(bool at_rest);
extern long dbmazz_due_wait_ms(int64 due, int64 limit);

/*
 * Seal what may go, but not batches of the table 'except'.  Returns as
 * dbmazz_batcher_tick() does, which it is where there are no groups.
 */
extern long dbmazz_due_seal(DbmazzBatcher *b, const DbmazzRelation *except,
							bool at_rest);

/* ---- groups (batcher_group.c) ---------------------------------------------- */

/* Seal all open batches, now: 'why' is told if that cuts a transaction. */
extern void dbmazz_group_end(DbmazzBatcher *b, const char *why);

/* The same, but that one more batch follows, the last one of the group. */
extern void dbmazz_group_seal(DbmazzBatcher *b);

/* A batch of 'set' is about to be opened: what it must not stand beside is sealed. */
extern void dbmazz_group_make_room(DbmazzBatcher *b, const DbmazzRelation *rel,
								   const DbmazzColumnSet *set);

/* One is about to be put into 'open'. */
extern void dbmazz_group_add(DbmazzBatcher *b, const DbmazzOpenBatch *ob);

/* A row, or what is a group of its own, was put into the transaction. */
extern void dbmazz_group_note(DbmazzBatcher *b);

/* What dbmazz_batcher_tick() does, between transactions. */
extern long dbmazz_group_tick(DbmazzBatcher *b, bool at_rest);

/* A batch of the table is gone: what is known of keys does not hold any more. */
extern void dbmazz_batcher_forget_keys(DbmazzBatcher *b, DbmazzRelation *rel);

#endif							/* DBMAZZ_BATCHER_PRIVATE_H */
