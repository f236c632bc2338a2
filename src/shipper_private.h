/*
 * shipper_private.h
 *		Lanes, as the files of the shipper see them.
 */
#ifndef DBMAZZ_SHIPPER_PRIVATE_H
#define DBMAZZ_SHIPPER_PRIVATE_H

#include "core/backoff.h"
#include "core/label.h"
#include "core/policy.h"
#include "lib/ilist.h"
#include "shipper.h"
#include "utils/hsearch.h"

#define LABEL_WINDOW	8
#define DOUBTS_BEFORE_CANCEL	5

typedef struct DbmazzReread DbmazzReread;

typedef struct QueuedBatch
{
	slist_node	node;
	uint32		head;
} QueuedBatch;

typedef enum LanePhase
{
	LANE_IDLE = 0,
	LANE_BUSY					/* a request is under way */
} LanePhase;

/*
 * A load that was rejected because of rows, on its way in parts
 * (shipper_split.c).  Numbers of rows, of those that the load had.
 */
typedef struct DbmazzSplit
{
	uint32		nrows;			/* all; 0: not split */
	uint32		lo;				/* the part under way, */
	uint32		hi;				/* up to, not including */
	uint32		bad;			/* > lo: some row of lo up to 'bad' is bad */
	uint32		step;			/* size of the next part, if nothing is known */
	uint32		good;			/* loaded since the last bad row */
} DbmazzSplit;

/* Labels of loads that may be left of an earlier life, or of another pipeline. */
typedef struct OldLabels
{
	char		uid[DBMAZZ_UID_SIZE];
	uint64		epoch;
	uint64		sequence;		/* the first of LABEL_WINDOW */
	char	   *place;			/* where a TRUNCATE may have been sent, or NULL */
	bool		is_dropped;		/* dbmazz.dropped_lanes has them */
} OldLabels;

typedef struct Lane
{
	dlist_node	node;			/* in DbmazzShipper.working, if is_working */
	bool		is_working;		/* has batches */
	char	   *target;
	char	   *source;			/* schema.table of the newest batch */
	Oid			relid;
	uint32		index;
	uint64		lane;			/* its part of the label */
	MemoryContext cxt;			/* of the batch under way */

	/* labels */
	bool		settled;
	List	   *old;			/* of OldLabels; empty once settled */
	int			nsettled;		/* the first so many of them are */
	uint64		sequence;		/* of the load under way, or the next */
	uint64		durable;		/* what the catalogs say; valid if settled */
	char	   *place;			/* likewise; NULL: no TRUNCATE is under way */

	/* work */
	slist_head	queue;			/* of QueuedBatch, oldest first */
	slist_node *queue_tail;
	LanePhase	phase;
	bool		in_doubt;		/* RESOLVE before anything else */
	int			doubts;			/* answers in a row that did not tell */
	bool		prepared;		/* request.batch is that of the queue's head */
	DbmazzRequest request;
	uint64		serial;			/* of the request under way */
	DbmazzBatchView view;
	DbmazzReread *reread;		/* of the queue's head, where its rows must be
								 * read; in 'cxt' */
	DbmazzSplit split;			/* of the load under way */
	char		label[DBMAZZ_LABEL_SIZE];
	char		old_labels[LABEL_WINDOW][DBMAZZ_LABEL_SIZE];
	const char *old_label_list[LABEL_WINDOW];
	DbmazzBackoff backoff;
	TimestampTz retry_at;

	uint32		allowed;		/* generation of a description that says that
								 * the owner could not read the table, though
								 * by now he may */

	/* dead letters (shipper_dead.c) */
	uint32		nletters;
	HTAB	   *dead;			/* keys that have some; NULL: none has */
	MemoryContext dead_cxt;

	/* a position of its own */
	bool		stopped;
	XLogRecPtr	own_lsn;
} Lane;

struct DbmazzShipper
{
	MemoryContext cxt;
	DbmazzPipeline *p;
	int32		id;
	Oid			owner;
	char	   *destination;	/* its identity */
	char	   *publication;
	DbmazzUnrepresentable unrepresentable;
	char		uid[DBMAZZ_UID_SIZE];
	uint64		epoch;
	const DbmazzSinkRoutine *routine;
	void	   *sink;
	dlist_head	working;		/* lanes with batches; the front one is served
								 * first */
	Lane	  **by_index;
	uint32		nlanes;
	uint32		maxlanes;
	HTAB	   *by_target;
	int			nbusy;
	int			nfailing;		/* lanes whose last attempt failed */
	uint64		serial;
	XLogRecPtr	shipped_lsn;
	uint64	   *slots;			/* scratch of dbmazz_dedup() */
	uint32		nslots;
	uint32		reread_segments;	/* that the portions of all lanes take */
	uint32		nletters;		/* dead letters of all lanes */
};

/* The lane of a target, made if it is new. */
extern Lane *dbmazz_shipper_lane(DbmazzShipper *s, const char *target);

/* The lane's oldest batch; it must have one. */
extern uint32 dbmazz_lane_first_batch(const Lane *lane);

/* Drop all batches of a lane that has no request under way. */
extern void dbmazz_lane_drop_queue(DbmazzShipper *s, Lane *lane);

/*
 * The table stops before its oldest batch, which must be there.  'row' is the row
 * that is to blame, or NULL.  Commits.
 */
extern void dbmazz_lane_stop(DbmazzShipper *s, Lane *lane,
							 const DbmazzError *error,
							 const DbmazzRowEntry *row);

/* Start what the lane needs next, if it needs anything and may.  May commit. */
extern void dbmazz_lane_drive(DbmazzShipper *s, Lane *lane, TimestampTz now);

/* Act on the outcome of the lane's request.  May commit. */
extern void dbmazz_lane_complete(DbmazzShipper *s, Lane *lane,
								 const DbmazzCompletion *c);

/* ---- loads in parts (shipper_split.c) -------------------------------------- */

/* The load of more than one row was rejected because of some: send a part. */
extern void dbmazz_split_rejected(Lane *lane);

/* The load is in the target.  True if it was a part and another one follows. */
extern bool dbmazz_split_loaded(Lane *lane);

/*
 * The load of one row was rejected because of it, and the row is dealt with.
 * True if another part follows.
 */
extern bool dbmazz_split_leave_out(Lane *lane);

/* The first row of the load under way. */
extern DbmazzRowEntry *dbmazz_split_row(const Lane *lane,
										DbmazzSegment **segment);

/* ---- rows that the target does not take (shipper_dead.c) ------------------- */

/* Read what keys are dead.  Commits. */
extern void dbmazz_dead_load(DbmazzShipper *s);

/*
 * Keep those rows of lane->view in the dead letters whose keys have some, and take
 * them out of the request.  False: there are too many, and the table has stopped.
 * Commits if there are any.
 */
extern bool dbmazz_dead_divert(DbmazzShipper *s, Lane *lane);

/*
 * The only row of the load was rejected because of it: keep it in the dead
 * letters, or stop the table.  True if the lane goes on.  Commits.
 */
extern bool dbmazz_dead_row(DbmazzShipper *s, Lane *lane,
							const DbmazzError *error);

/* The target was emptied: what came before is obsolete.  May commit. */
extern void dbmazz_dead_truncated(DbmazzShipper *s, Lane *lane);

/* ---- labels (shipper_label.c) --------------------------------------------- */

extern void dbmazz_lane_format_label(const Lane *lane, const char *uid,
									 uint64 epoch, uint64 sequence,
									 char *out);

/*
 * Make the catalogs cover the label that is about to be used, and no old ones; and
 * the place that a TRUNCATE is about to be sent to, or none.  May commit.
 */
extern void dbmazz_lane_cover_label(DbmazzShipper *s, Lane *lane,
									const char *place);

/* Where the sink would send a TRUNCATE now, or NULL; in the batch's memory. */
extern const char *dbmazz_lane_truncate_place(DbmazzShipper *s, Lane *lane);

/* ---- batches whose rows must be read (shipper_reread.c) ------------------- */

typedef enum DbmazzRereadResult
{
	DBMAZZ_REREAD_READY,		/* lane->view and request.nrows are the portion */
	DBMAZZ_REREAD_NOTHING,		/* no row is left to send */
	DBMAZZ_REREAD_LATER,		/* a lock, a commit or memory to wait for */
	DBMAZZ_REREAD_FAILED		/* the table must stop */
} DbmazzRereadResult;

/* Begin with lane->view, the rows of keys. */
extern void dbmazz_reread_begin(Lane *lane);

/*
 * Read the next portion, in a transaction of its own.  Never waits for longer
 * than a tenth of a second for a lock.  May raise an error.
 */
extern DbmazzRereadResult dbmazz_reread_portion(DbmazzShipper *s, Lane *lane,
												DbmazzError *err);

/* After the portion under way: are there rows that were not read yet? */
extern bool dbmazz_reread_has_more(const Lane *lane);

/* The batch is finished or dropped, if it was one to read. */
extern void dbmazz_reread_end(DbmazzShipper *s, Lane *lane);

#endif							/* DBMAZZ_SHIPPER_PRIVATE_H */
