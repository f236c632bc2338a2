/*
 * catalog.h
 *		The extension's own tables.  All SQL text of dbmazz is in catalog*.c.
 *
 * NOTES
 *	  All functions run SPI inside the caller's transaction, as the owner of the
 *	  tables and with a search_path of their own, and may longjmp.
 *	  Results are palloc'd in the memory context that was current at the call.
 */
#ifndef DBMAZZ_CATALOG_H
#define DBMAZZ_CATALOG_H

#include "access/xlogdefs.h"
#include "core/error.h"
#include "core/label.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* A pipeline as asked for: dbmazz.pipeline and dbmazz.run_state. */
typedef struct DbmazzPipelineRow
{
	int32		id;
	char	   *name;
	Oid			owner;
	char	   *publication;
	char	   *slot;
	char	   *sink;
	char	   *server;			/* foreign server, or NULL: dbmazz.* settings */
	char	   *encoding;
	List	   *settings;		/* of char *: "name=value" without prefix */
	char	   *uid;			/* NULL: never started here */
	bool		enabled;
} DbmazzPipelineRow;

/* Is the extension there in this database? */
extern bool dbmazz_catalog_exists(void);

/* One pipeline, or NULL if there is no such one. */
extern DbmazzPipelineRow *dbmazz_catalog_pipeline(int32 id);
extern DbmazzPipelineRow *dbmazz_catalog_pipeline_by_name(const char *name);

/* All of this database: a List of DbmazzPipelineRow. */
extern List *dbmazz_catalog_pipelines(void);

/* ---- progress (catalog_progress.c; called by the shipper) --------------- */

typedef enum DbmazzSlotState
{
	DBMAZZ_SLOT_NONE = 0,		/* never tried */
	DBMAZZ_SLOT_CREATING,		/* a worker was told to make it */
	DBMAZZ_SLOT_CREATED
} DbmazzSlotState;

typedef struct DbmazzCheckpoint
{
	char	   *slot;
	DbmazzSlotState slot_state;
	uint64		epoch;
	XLogRecPtr	start_lsn;		/* where the slot began; Invalid: no slot yet */
	XLogRecPtr	lsn;			/* of tables without a position of their own */
	char	   *destination;
	char	   *name_template;	/* that made the names of the target tables */
	uint64		system_identifier;	/* of the server that it is of */
	uint32		timeline;
	uint64		rows;
	uint64		bytes;
	uint64		batches;
} DbmazzCheckpoint;

/* A row in the stream of changes; all rows of a target are in their order. */
typedef struct DbmazzMark
{
	XLogRecPtr	lsn;			/* of the commit; Invalid: before all rows */
	uint32		row;			/* in the transaction; DbmazzRowEntry.sequence */
} DbmazzMark;

/* Is the row at or before the mark? */
static inline bool
dbmazz_mark_covers(const DbmazzMark *mark, XLogRecPtr lsn, uint32 row)
{
	return lsn < mark->lsn || (lsn == mark->lsn && row <= mark->row &&
							   lsn != InvalidXLogRecPtr);
}

/* Labels that a lane may have used and whose loads may not be final. */
typedef struct DbmazzLaneLabels
{
	uint64		epoch;			/* 0: there are none */
	uint64		sequence;		/* the first; those before it are final */
	uint32		n;
	char	   *place;			/* where a TRUNCATE under one of them may have
								 * been sent (see dbmazz_sink.h), or NULL */
} DbmazzLaneLabels;

/* A lane: dbmazz.pipeline_tables. */
typedef struct DbmazzTableRow
{
	char	   *target;
	Oid			relid;
	DbmazzLaneLabels labels;
	bool		stopped;
	XLogRecPtr	lsn;			/* the table's own position, or Invalid */
	DbmazzMark	done;			/* rows up to it are in the target */
	DbmazzMark	prepared;		/* or in the load with the first label, which
								 * the target has prepared; Invalid: none.  Of
								 * groups: see shipper_group.c */
	XLogRecPtr	prepared_from;	/* the commit of that load's first row */
	TimestampTz prepared_at;
} DbmazzTableRow;

/*
 * The checkpoint of a pipeline, made if it is not there; the epoch in it has
 * been raised by one.  The caller commits before anything is sent.
 */
extern DbmazzCheckpoint *dbmazz_catalog_begin_epoch(const DbmazzPipelineRow *row,
													const char *destination,
													const char *name_template,
													uint64 system_identifier,
													uint32 timeline);

/* With the slot that was created end the gaps in front of it. */
extern void dbmazz_catalog_set_slot_state(int32 id, DbmazzSlotState state,
										  XLogRecPtr start_lsn);

/* Move the position and the totals. */
extern void dbmazz_catalog_set_checkpoint(int32 id, XLogRecPtr lsn,
										  uint64 rows, uint64 bytes,
										  uint64 batches);

/* The lanes of a pipeline: a List of DbmazzTableRow. */
extern List *dbmazz_catalog_tables(int32 id);

/* Add or change a lane's labels; 'done' and 'prepared' as in DbmazzTableRow. */
extern void dbmazz_catalog_set_lane(int32 id, const char *target, Oid relid,
									const char *source,
									const DbmazzLaneLabels *labels,
									const DbmazzMark *done,
									const DbmazzMark *prepared);

/*
 * The lane's load with the label of 'sequence' is prepared and is to be
 * committed: done, prepared and 'from' as in DbmazzTableRow.  The lane must be
 * there.
 */
extern void dbmazz_catalog_prepare_lane(int32 id, const char *target,
										uint64 sequence,
										const DbmazzMark *done,
										const DbmazzMark *prepared,
										XLogRecPtr from);

/* What the lane's row says to be prepared has come to an end. */
extern void dbmazz_catalog_end_prepared(int32 id, const char *target,
										const DbmazzMark *done);

/*
 * A target that has, or will have, rows behind the position, which are not to be
 * sent to it again; NULL if there is none.
 */
extern char *dbmazz_catalog_target_ahead(int32 id);

/*
 * The table stops at 'lsn'.  'row_lsn' and 'row_sequence' name the row that is to
 * blame (as in a batch's directory); Invalid: none is.
 */
extern void dbmazz_catalog_stop_table(int32 id, const char *target, Oid relid,
									  const char *source, XLogRecPtr lsn,
									  const DbmazzError *error,
									  XLogRecPtr row_lsn,
									  uint64 row_sequence);

/*
 * Stopped tables stream again, each from its own position: one of them, or all
 * ('target', in the database's encoding, is NULL).  Returns how many.
 */
extern uint64 dbmazz_catalog_resume_tables(int32 id, const char *target);

/* A resumed table has caught up: it has no position of its own any more. */
extern void dbmazz_catalog_table_caught_up(int32 id, const char *target);

/*
 * Labels of loads that may be under way at a destination though the pipeline has
 * left it: dbmazz.dropped_lanes.
 */
typedef struct DbmazzDroppedLane
{
	char	   *target;
	char	   *uid;
	DbmazzLaneLabels labels;
} DbmazzDroppedLane;

/*
 * Keep the labels of a pipeline that is about to leave the destination in its
 * checkpoint; it must have no shipper.
 */
extern void dbmazz_catalog_keep_lanes(int32 id);

/* Those of a destination: a List of DbmazzDroppedLane. */
extern List *dbmazz_catalog_dropped_lanes(const char *destination);

/* None of its loads can commit any more. */
extern void dbmazz_catalog_forget_lane(const char *destination,
									   const char *target, const char *uid,
									   uint64 epoch);

/* ---- slot and repair (catalog_repair.c) ---------------------------------- */

/* The WAL of a slot, in bytes. */
typedef struct DbmazzSlotWal
{
	int64		retained;		/* kept for it */
	bool		is_limited;		/* by max_slot_wal_keep_size */
	int64		safe;			/* can be written until it loses some; may be
								 * negative */
} DbmazzSlotWal;

/* NOTIFY whoever listens to "dbmazz" in this database, at commit. */
extern void dbmazz_catalog_notify_wal(const char *pipeline, const char *level,
									  const DbmazzSlotWal *wal);

/* Only slot, slot_state, lsn, system_identifier and timeline; NULL: none. */
extern DbmazzCheckpoint *dbmazz_catalog_checkpoint(int32 id);

/* The checkpoint is this server's from now on, and at 'lsn'. */
extern void dbmazz_catalog_set_identity(int32 id, uint64 system_identifier,
										uint32 timeline, XLogRecPtr lsn);

/* A published table's target has a gap that begins at the checkpoint. */
extern void dbmazz_catalog_add_gap(int32 id, const char *target, Oid relid,
								   const char *source);

/*
 * The same for targets that rows were sent to: all of them, or only those that
 * were behind the checkpoint, which begin at their own positions, or have a load
 * that may not be committed.
 */
extern void dbmazz_catalog_add_known_gaps(int32 id, bool all);

/*
 * The checkpoint, of this server from now on, has no slot any more, and no table
 * a position of its own, marks or rows to skip: these are places of the WAL as it
 * was.  A load that is prepared is none that is to be committed; it is rolled back
 * with the labels of the earlier life.
 */
extern void dbmazz_catalog_forget_slot(int32 id, uint64 system_identifier,
									   uint32 timeline);

/* How many targets have a gap. */
extern int	dbmazz_catalog_count_gaps(int32 id);

/* The target was loaded anew; false if it had no gap. */
extern bool dbmazz_catalog_remove_gap(int32 id, const char *target);

/* ---- requests (catalog.c; called by the SQL functions) ------------------ */

/*
 * The pipeline, locked against other changes until the end of the transaction
 * (but not against the shipper's writes); NULL if there is no such one.
 */
extern DbmazzPipelineRow *dbmazz_catalog_lock_pipeline(const char *name);

/* Wait for others that add pipelines; held until the transaction ends. */
extern void dbmazz_catalog_lock_additions(void);

/* Add a pipeline and its run_state, not enabled.  Returns its id. */
extern int32 dbmazz_catalog_add_pipeline(const DbmazzPipelineRow *row);

/* Write publication, server and settings. */
extern void dbmazz_catalog_change_pipeline(const DbmazzPipelineRow *row);

/* Switch it on or off.  'uid' is used if it has none yet. */
extern void dbmazz_catalog_enable_pipeline(int32 id, const char *uid,
										   bool enabled);
extern void dbmazz_catalog_remove_pipeline(int32 id);

/* The name of the pipeline of this database that uses a slot, or NULL. */
extern char *dbmazz_catalog_slot_user(const char *slot);

/* Did a worker make the pipeline's slot? */
extern bool dbmazz_catalog_has_slot(int32 id);

/*
 * Destination and template of names in the checkpoint, or NULL if there is none
 * yet; and the explicit commands to go on with others.
 */
extern char *dbmazz_catalog_destination(int32 id);
extern void dbmazz_catalog_set_destination(int32 id, const char *destination);
extern char *dbmazz_catalog_name_template(int32 id);
extern void dbmazz_catalog_set_name_template(int32 id,
											 const char *name_template);

/* A table that a publication sends changes of. */
typedef struct DbmazzPublishedTable
{
	Oid			relid;
	char	   *schema;
	char	   *name;
	int			ncolumns;		/* published ones; -1: all */
	int16	   *columns;		/* their attribute numbers */
} DbmazzPublishedTable;

/* All of them without our own tables, by name: List of the above. */
extern List *dbmazz_catalog_published_tables(const char *publication);

#endif							/* DBMAZZ_CATALOG_H */
