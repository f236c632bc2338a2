/*
 * shipper_private.h
 *		Lanes, as the files of the shipper see them.
 */
#ifndef DBMAZZ_SHIPPER_PRIVATE_H
#define DBMAZZ_SHIPPER_PRIVATE_H

#include "core/backoff.h"
#include "core/label.h"
#include "core/pgoutput.h"
#include "core/policy.h"
#include "lib/ilist.h"
#include "queue.h"
#include "relation.h"
#include "shipper.h"
#include "utils/hsearch.h"

#define MAX_COMPLETIONS 32
#define DOUBTS_BEFORE_CANCEL	5

typedef struct DbmazzReread DbmazzReread;
typedef struct DbmazzCommits DbmazzCommits;

typedef struct QueuedBatch
{
	slist_node	node;
	uint32		head;			/* DBMAZZ_NO_SEGMENT: dead keys are to be
								 * replayed */
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
	DbmazzLaneLabels labels;
	bool		is_dropped;		/* dbmazz.dropped_lanes has them */
} OldLabels;

/* About a load that is prepared (shipper_exactly.c). */
typedef struct DbmazzDecision
{
	bool		taken;			/* the load with lane->label is to be committed */
	bool		is_old;			/* by an earlier life: it is of no batch here */
	bool		is_lost;		/* nobody knows what became of it */
	DbmazzMark	mark;			/* its last row */
	TimestampTz taken_at;
} DbmazzDecision;

/* A replay that has to wait. */
typedef struct ReplayWait
{
	TimestampTz since;			/* 0: it does not */
	TimestampTz began;			/* the attempt under way; 0: none is */
	TimestampTz try_at;			/* set once it takes long: batches behind it
								 * pass until then */
	bool		is_shown;		/* in dbmazz.stat_table */
	bool		is_logged;
} ReplayWait;

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
	DbmazzLaneLabels covered;	/* what the catalogs say; valid if settled */
	TimestampTz covered_at;

	/* work */
	slist_head	queue;			/* of QueuedBatch, oldest first */
	slist_node *queue_tail;
	LanePhase	phase;
	bool		in_doubt;		/* RESOLVE before anything else */
	int			doubts;			/* answers in a row that did not tell */
	bool		prepared;		/* request.batch is that of the queue's head */
	uint32		nloads;			/* of the queue's head that are in the target */
	DbmazzRequest request;
	uint64		serial;			/* of the request under way */
	DbmazzBatchView view;
	DbmazzReread *reread;		/* of the queue's head, where its rows must be
								 * read; in 'cxt' */
	DbmazzSplit split;			/* of the load under way */
	char		label[DBMAZZ_LABEL_SIZE];
	const char **old_labels;	/* those that are being settled, or NULL */
	const char *in_use;			/* or this one: 'label' */
	DbmazzBackoff backoff;
	TimestampTz retry_at;

	uint32		allowed;		/* generation of a description that says that
								 * the owner could not read the table, though
								 * by now he may */

	/* dead letters (shipper_dead.c) */
	uint32		nletters;
	HTAB	   *dead;			/* keys that have some; NULL: none has */
	MemoryContext dead_cxt;
	int64		replay;			/* request that is in the queue; 0: none is */
	ReplayWait	wait;			/* of that */

	/* rows that are sent once */
	bool		is_prepare;		/* the load under way does not commit by itself */
	DbmazzMark	done;			/* rows up to it are in the target */
	DbmazzMark	replayed;		/* up to here they were when this life began */
	DbmazzDecision decision;
	bool		row_has_load;	/* the catalogs name a load */

	/* looking for rows that keep a group from being loaded (shipper_probe.c) */
	bool		is_probed;		/* its rows are looked at */
	bool		is_taken;		/* the target takes those of the load under way */
	List	   *bad;			/* rows that are to be left out, in 'cxt' */

	/* a position of its own */
	bool		stopped;
	XLogRecPtr	own_lsn;
} Lane;

/*
 * Groups (shipper_group.c).  'lane' has their labels and attempts; its target is
 * the empty name.  Its mark is where the last group ends that may be in the target,
 * but for the one of 'sent'.
 */
typedef struct DbmazzGroup
{
	bool		is_on;			/* batches come in groups */
	Lane	   *lane;			/* NULL: there never were any */
	List	   *waiting;		/* batches, by their heads, oldest first */
	int			nwhole;			/* groups that they are, the last one not if it
								 * is not there wholly */
	List	   *members;		/* lanes; NIL: no group of several is under way */
	bool		is_begun;		/* one was since the position was written */
	DbmazzMark	sent;			/* end of the group that is sent under the lane's
								 * labels, by this life or an earlier one; if
								 * nothing comes of it, it was never there.
								 * Invalid: none is */
	uint32		nsegments;		/* of the group under way */
	bool		can_shrink;		/* a smaller one may take its place */
	bool		is_late;		/* the last attempt took too long */
	bool		is_settled;		/* the label in doubt is, */
	bool		is_aborted;		/* and nothing was committed under it; before the
								 * life's first group: under none of 'sent' */
	bool		is_probing;
	bool		found;			/* a row that the target does not take */
	DbmazzCompletion rejected;	/* why it looks for them */
} DbmazzGroup;

struct DbmazzShipper
{
	MemoryContext cxt;
	DbmazzPipeline *p;
	int32		id;
	bool		exactly_once;
	DbmazzGroup group;
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
	Lane	   *undecided[MAX_COMPLETIONS]; /* their loads are prepared */
	int			nundecided;
	int			nbusy;
	int			nfailing;		/* lanes whose last attempt failed */
	uint64		serial;
	XLogRecPtr	shipped_lsn;
	XLogRecPtr	floor;			/* smallest position that a lane has of its own, */
	bool		floor_is_known; /* if this is set */
	uint64	   *slots;			/* scratch of dbmazz_dedup() */
	uint32		nslots;
	uint32		reread_segments;	/* that the portions of all lanes take */
	uint32		nletters;		/* dead letters of all lanes */
	bool		soft_deletes;
	DbmazzRelations *relations; /* the settings that descriptions follow */
};

/* The lane of a target, made if it is new. */
extern Lane *dbmazz_shipper_lane(DbmazzShipper *s, const char *target);

/* Rows of this table go through the lane now. */
extern void dbmazz_shipper_set_source(DbmazzShipper *s, Lane *lane,
									  const DbmazzTableDesc *desc);

/* The lane has a position of its own, or (Invalid) none. */
extern void dbmazz_lane_set_position(DbmazzShipper *s, Lane *lane,
									 XLogRecPtr lsn);

/* The lane is driven from now on, until it has no work. */
extern void dbmazz_lane_set_to_work(DbmazzShipper *s, Lane *lane);

/* Put a batch at the end of the lane's queue. */
extern void dbmazz_lane_queue(DbmazzShipper *s, Lane *lane, uint32 head);

/* The lane's oldest batch; it must have one. */
extern uint32 dbmazz_lane_first_batch(const Lane *lane);

extern DbmazzBatchKind dbmazz_lane_kind(const Lane *lane);

/* lane->view is the lane's oldest batch, with all its rows. */
extern void dbmazz_lane_view_batch(Lane *lane);

/* All rows of the lane's oldest batch are in the target, or in letters. */
extern void dbmazz_lane_batch_done(DbmazzShipper *s, Lane *lane);

/* It is in the target, or is dropped. */
extern void dbmazz_lane_finish_batch(DbmazzShipper *s, Lane *lane);

/* What is sent next is another load. */
extern void dbmazz_lane_next_label(Lane *lane);

/* If the lane has failed: its attempts do not fail any more, or it has stopped. */
extern void dbmazz_lane_answers(DbmazzShipper *s, Lane *lane);

/*
 * Make the oldest batch, which must be one of rows, the lane's request.  False:
 * none of its rows is to be sent, or the table has stopped.  May commit.
 */
extern bool dbmazz_lane_prepare_rows(DbmazzShipper *s, Lane *lane);

/* Are there labels of earlier loads to settle?  Then, begin with the next ones. */
extern bool dbmazz_lane_is_unsettled(const Lane *lane);
extern void dbmazz_lane_settle(DbmazzShipper *s, Lane *lane);

/* Give the label that is in doubt its end. */
extern void dbmazz_lane_settle_doubt(DbmazzShipper *s, Lane *lane);

/* Put a sealed batch into its lane, which is returned. */
extern Lane *dbmazz_shipper_take(DbmazzShipper *s, uint32 head);

/* Drop all batches of a lane that has no request under way. */
extern void dbmazz_lane_drop_queue(DbmazzShipper *s, Lane *lane);

/* Is there something to do for the lane? */
static inline bool
dbmazz_lane_has_work(const Lane *lane)
{
	return !slist_is_empty((slist_head *) &lane->queue) ||
		(lane->decision.taken && !lane->decision.is_lost);
}

/*
 * The table stops before its oldest batch, which must be there.  'row' is the row
 * that is to blame, or NULL.  If it is a replay, only that ends.  Commits.
 */
extern void dbmazz_lane_stop(DbmazzShipper *s, Lane *lane,
							 const DbmazzError *error,
							 const DbmazzRowEntry *row);

/* Its oldest batch is none: the decoder found a reason to stop. */
extern void dbmazz_lane_stop_as_told(DbmazzShipper *s, Lane *lane);

/* The lane must empty its target, and this sink cannot do that. */
extern void dbmazz_lane_cannot_truncate(DbmazzShipper *s, Lane *lane);

/*
 * May the rows leave?  If not, the table stops.  One that the pipeline's owner could
 * not read when they were made may be granted to him by now; the decoder cannot
 * see that, for it looks at old catalogs.
 */
extern bool dbmazz_lane_may_send(DbmazzShipper *s, Lane *lane);
extern void dbmazz_lane_start_request(DbmazzShipper *s, Lane *lane,
									  DbmazzRequestKind kind);

/* An attempt failed: later again.  Or it has not. */
extern void dbmazz_lane_note_failure(DbmazzShipper *s, Lane *lane,
									 const DbmazzCompletion *c);
extern void dbmazz_lane_note_success(DbmazzShipper *s, Lane *lane);

/* The request's rows are in the target. */
extern void dbmazz_lane_loaded(DbmazzShipper *s, Lane *lane);

/* Start what the lane needs next, if it needs anything and may.  May commit. */
extern void dbmazz_lane_drive(DbmazzShipper *s, Lane *lane, TimestampTz now);

/* Act on the outcome of the lane's request.  May commit. */
extern void dbmazz_lane_complete(DbmazzShipper *s, Lane *lane,
								 const DbmazzCompletion *c);

/* ---- groups (shipper_group.c) ---------------------------------------------- */

/* Take over what the row of the groups' lane says. */
extern void dbmazz_group_recover_lane(DbmazzShipper *s, Lane *lane,
									  const DbmazzTableRow *table);

/* When the tables are known: 'lsn' is the end of the WAL.  Ends the process if one
 * of them has stopped. */
extern void dbmazz_group_recover(DbmazzShipper *s, XLogRecPtr lsn);

/*
 * Is nothing of an earlier life's groups left?  If not, it is seen to; nothing may
 * be sent before.  May commit.
 */
extern bool dbmazz_group_is_settled(DbmazzShipper *s, TimestampTz now);

/* Could the next group begin, but for the position? */
static inline bool
dbmazz_group_is_next(const DbmazzShipper *s)
{
	return s->group.is_on && s->group.nwhole > 0 &&
		dlist_is_empty((dlist_head *) &s->working);
}

/* The pipeline fails, for the table has stopped. */
extern void dbmazz_group_fail(DbmazzShipper *s, const Lane *lane,
							  const char *why);

/* Take a sealed batch: it waits until its group's turn has come. */
extern void dbmazz_group_take(DbmazzShipper *s, uint32 head);

/*
 * Go on with the group under way.  False: there is none of several tables, and the
 * lanes do what they have to.  When they have nothing, the next group is begun.
 * '*started' is set if there is more to do at once.  May commit.
 */
extern bool dbmazz_group_drive(DbmazzShipper *s, TimestampTz now,
							   bool *started);

/* ---- rows for which a group is refused (shipper_probe.c) -------------------- */

/* Some rows are not taken: look at those of all members. */
extern void dbmazz_group_begin_probes(DbmazzShipper *s,
									  const DbmazzCompletion *c);

/* Look at a member's rows, or undo what that has left; false when all are known. */
extern bool dbmazz_group_probe(DbmazzShipper *s, Lane *lane, TimestampTz now,
							   bool *started);

/* The load of the only batch of a group was rejected because of some rows. */
extern void dbmazz_group_adopt(DbmazzShipper *s, Lane *lane,
							   const DbmazzError *error);

/* Act on the outcome of a request of the group's lane, or of a member's probe. */
extern void dbmazz_group_complete(DbmazzShipper *s, const DbmazzCompletion *c);
extern void dbmazz_group_probe_complete(DbmazzShipper *s, Lane *lane,
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

/* No part is left out any more: the request is the whole load. */
extern void dbmazz_split_forget(Lane *lane);

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

/*
 * Keep a row of lane->view in the dead letters with this error; or stop the table,
 * as on_bad_row says, or where there are too many.  True if the lane goes on.
 * Commits.
 */
extern bool dbmazz_dead_enter(DbmazzShipper *s, Lane *lane,
							  const DbmazzSegment *segment,
							  const DbmazzRowEntry *entry,
							  const DbmazzError *error);

/* A row of lane->view that a replay was to send: its key stays dead.  Commits. */
extern void dbmazz_dead_still(DbmazzShipper *s, Lane *lane,
							  const DbmazzSegment *segment,
							  const DbmazzRowEntry *entry,
							  const DbmazzError *error);

/*
 * The only row of a replay's load was rejected: its key stays dead.  Commits.
 */
extern void dbmazz_dead_again(DbmazzShipper *s, Lane *lane,
							  const DbmazzError *error);

/*
 * All keys but those of dbmazz_dead_again() have been replayed: they are not dead
 * any more.  In the caller's transaction, which must commit; then
 * dbmazz_dead_revived().
 */
extern uint32 dbmazz_dead_revive(DbmazzShipper *s, Lane *lane);
extern void dbmazz_dead_revived(DbmazzShipper *s, Lane *lane, uint32 nletters);

/* The key stays dead, whatever the replay comes to; and: none does. */
extern void dbmazz_dead_keep(Lane *lane, const char *key);
extern void dbmazz_dead_keep_none(Lane *lane);

/* The target was emptied: what came before is obsolete.  May commit. */
extern void dbmazz_dead_truncated(DbmazzShipper *s, Lane *lane);

/* ---- rows that cannot be sent (shipper_unfit.c) ----------------------------- */

/*
 * The lane's oldest batch is such a row: keep it, or stop the table, as on_bad_row
 * says.  Commits.
 */
extern void dbmazz_lane_keep_unfit(DbmazzShipper *s, Lane *lane);

typedef enum DbmazzUnfitRow
{
	DBMAZZ_UNFIT_KEPT,			/* as a letter, or its key stays dead */
	DBMAZZ_UNFIT_NOT_KEPT,		/* the table is to stop with the error */
	DBMAZZ_UNFIT_STOPPED		/* it has stopped: there are too many letters */
} DbmazzUnfitRow;

/*
 * A row of the lane's oldest batch, of keys, that was read: 'tuple', as 'desc' and
 * 'plan' (of JSON) say; 'like' is the key's row.  Overwrites lane->view.  Commits.
 */
extern DbmazzUnfitRow dbmazz_unfit_read(DbmazzShipper *s, Lane *lane,
										const DbmazzTableDesc *desc,
										const DbmazzRowPlan *plan,
										const DbmazzTuple *tuple,
										const DbmazzRowEntry *like,
										const DbmazzError *error);

/* ---- labels (shipper_label.c) --------------------------------------------- */

extern void dbmazz_lane_format_label(const Lane *lane, const char *uid,
									 uint64 epoch, uint64 sequence,
									 char *out);

/*
 * Make the catalogs cover the label that is about to be used, and no old ones; and
 * the place that a TRUNCATE is about to be sent to, or none.  May commit; then
 * rows of other lanes with work are written, too.
 */
extern void dbmazz_lane_cover_label(DbmazzShipper *s, Lane *lane,
									const char *place);

/* Where the sink would send a TRUNCATE now, or NULL; in the batch's memory. */
extern const char *dbmazz_lane_truncate_place(DbmazzShipper *s, Lane *lane);
/* ---- rows that are sent once (shipper_exactly.c) --------------------------- */

/* Take over what the row says; 'position' is where the table's rows begin. */
extern void dbmazz_exactly_recover(DbmazzShipper *s, Lane *lane,
								   const DbmazzTableRow *table,
								   XLogRecPtr position);

/* Mark rows of lane->view that an earlier life has sent. */
extern void dbmazz_exactly_leave_out(Lane *lane);

/* Had an earlier life finished the lane's oldest batch? */
extern bool dbmazz_exactly_is_done(const Lane *lane);

/* The lane's oldest batch, a TRUNCATE, is done. */
extern void dbmazz_exactly_truncated(Lane *lane);

/*
 * The load under way is prepared, and is to be committed.  The decisions of all
 * lanes whose loads are so far are written in one transaction, by the second
 * function, which is called before anything else is done for the lanes.  Commits.
 */
extern void dbmazz_exactly_prepared(DbmazzShipper *s, Lane *lane);
extern void dbmazz_exactly_decide(DbmazzShipper *s);

/*
 * Where a decision was taken, it is what the lane is busy with: the next request,
 * and its outcome.  May commit.
 */
extern void dbmazz_exactly_drive(DbmazzShipper *s, Lane *lane);
extern void dbmazz_exactly_answered(DbmazzShipper *s, Lane *lane,
									const DbmazzCompletion *c);

typedef enum DbmazzRereadResult
{
	DBMAZZ_REREAD_READY,		/* lane->view and request.nrows are the portion */
	DBMAZZ_REREAD_NOTHING,		/* no row is left to send */
	DBMAZZ_REREAD_LATER,		/* a lock, a commit or memory to wait for */
	DBMAZZ_REREAD_FAILED,		/* the table must stop */
	DBMAZZ_REREAD_STOPPED		/* it has, and its batches are gone */
} DbmazzRereadResult;

/* ---- sending dead keys again (shipper_replay.c) ----------------------------- */

/* The lane's turn has come: lane->view gets the keys. */
extern DbmazzRereadResult dbmazz_replay_begin(DbmazzShipper *s, Lane *lane,
											  DbmazzError *err);

/* It is done, or given up for 'error'.  The letters that were sent go.  Commits. */
extern void dbmazz_replay_end(DbmazzShipper *s, Lane *lane,
							  const DbmazzError *error);

/*
 * What is committed in the WAL by now, in 'cxt'; and: does a new snapshot see it?
 * Once it does, all later ones do.
 */
extern DbmazzCommits *dbmazz_commits_begin(MemoryContext cxt);
extern bool dbmazz_commits_are_visible(DbmazzCommits *commits);

/*
 * The replay under way must wait, or (NULL) goes on.  It is shown to others when it
 * takes long.  Outside of transactions; may commit.
 */
extern void dbmazz_replay_waits(DbmazzShipper *s, Lane *lane,
								const char *for_what);

/* Make the audit columns of the tuple say that the row is deleted. */
extern void dbmazz_replay_stamp_deleted(const DbmazzTableDesc *desc,
										DbmazzTuple *tuple);

/* ---- batches whose rows must be read (shipper_reread.c) ------------------- */

/*
 * Begin with lane->view, the rows of keys.  Of dead keys ('is_replay') rows that
 * are not there are deleted in a second pass.
 */
extern void dbmazz_reread_begin(Lane *lane, bool is_replay);

/*
 * Read the next portion, in a transaction of its own.  Never waits for longer
 * than a tenth of a second for a lock.  May raise an error.
 */
extern DbmazzRereadResult dbmazz_reread_portion(DbmazzShipper *s, Lane *lane,
												DbmazzError *err);

/*
 * In PG_CATCH() of a transaction that reads: an error that others need not die of
 * is taken over, and the transaction is given up; 'cxt' was the current context
 * before it.  Raises all others again.
 */
extern DbmazzRereadResult dbmazz_reread_caught(MemoryContext cxt,
											   bool is_replay,
											   DbmazzError *err);

/* May rows of the batch have been read? */
extern bool dbmazz_reread_has_begun(const Lane *lane);

/* What the batch waits for that was told to come back LATER. */
extern const char *dbmazz_reread_waits_for(const Lane *lane);

/* After the portion under way: are there rows that were not read yet? */
extern bool dbmazz_reread_has_more(const Lane *lane);

/* The batch is finished or dropped, if it was one to read. */
extern void dbmazz_reread_end(DbmazzShipper *s, Lane *lane);

#endif							/* DBMAZZ_SHIPPER_PRIVATE_H */
