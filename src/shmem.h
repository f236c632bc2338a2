/*
 * shmem.h
 *		What the processes of dbmazz share, and who may write it.
 *
 * NOTES
 *	  One registry lock (DBMAZZ_LOCK) guards which pipelines there are and what
 *	  is wanted of them; one lock per pipeline guards its texts (last error);
 *	  everything on the way of the data is atomic with one writer each.  No lock
 *	  is held over I/O.  Lock order: registry, then pipeline, then the spinlock.
 */
#ifndef DBMAZZ_SHMEM_H
#define DBMAZZ_SHMEM_H

#include "core/error.h"
#include "core/label.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#define DBMAZZ_LAUNCHER_NAME "dbmazz launcher"

/* What a user sees; the launcher and the workers move it on. */
typedef enum DbmazzState
{
	DBMAZZ_STATE_STOPPED = 0,
	DBMAZZ_STATE_STARTING,		/* wanted; workers not both there yet */
	DBMAZZ_STATE_CREATING_SLOT,
	DBMAZZ_STATE_STREAMING,
	DBMAZZ_STATE_RETRYING,		/* streaming, but the target refuses */
	DBMAZZ_STATE_STOPPING,
	DBMAZZ_STATE_BACKOFF,		/* a worker ended by an error; waiting */
	DBMAZZ_STATE_FAILED			/* an operator must act; see the error */
} DbmazzState;

extern const char *dbmazz_state_name(DbmazzState state);

typedef enum DbmazzRole
{
	DBMAZZ_ROLE_DECODER = 0,
	DBMAZZ_ROLE_SHIPPER,
	DBMAZZ_NROLES
} DbmazzRole;

/* A worker's claim on a pipeline.  Guarded by the registry lock. */
typedef struct DbmazzClaim
{
	pid_t		pid;			/* 0: nobody */
	Latch	   *latch;			/* of that process, in shared memory */
} DbmazzClaim;

/* Counters, for the views.  Written by the shipper only. */
typedef struct DbmazzCounters
{
	pg_atomic_uint64 rows;		/* rows in the target, superseded ones not */
	pg_atomic_uint64 changes;	/* rows taken from batches, all of them */
	pg_atomic_uint64 bytes;		/* of request bodies */
	pg_atomic_uint64 batches;
	pg_atomic_uint64 retries;
} DbmazzCounters;

#define DBMAZZ_EXTRA_COUNTERS	64

typedef struct DbmazzPipeline
{
	/* --- guarded by the registry lock ------------------------------- */
	bool		in_use;
	Oid			dboid;
	int32		id;				/* dbmazz.pipeline.id in that database */
	NameData	name;
	bool		wanted;			/* it should run */
	bool		restart;		/* start_pipeline() came: a life that began
								 * before it must end */
	uint32		life;			/* raised by the launcher for each life; a
								 * worker of another life must leave */
	DbmazzClaim claims[DBMAZZ_NROLES];
	uint32		nsegments;		/* reserved in the pool for this life */
	uint32		want_segments;	/* to reserve for the next one */

	/* --- atomics ----------------------------------------------------- */
	pg_atomic_uint32 state;		/* DbmazzState */
	pg_atomic_uint32 config_changed;	/* raised by alter_pipeline; the
										 * shipper reads the row again */
	pg_atomic_uint64 epoch;		/* by the shipper; 0 until raised durably */
	pg_atomic_uint64 start_lsn; /* by the shipper: where decoding begins; for
								 * tables without a position of their own
								 * stream_lsn counts */
	pg_atomic_uint64 stream_lsn;
	pg_atomic_uint32 start_phase;	/* DbmazzStartPhase */
	pg_atomic_uint32 exactly_once;	/* by the shipper, before GO: each row is
									 * to be sent once */
	pg_atomic_uint32 atomic;	/* likewise: batches are sealed and sent in
								 * groups of whole transactions, */
	pg_atomic_uint64 group_lsn; /* of which the first ends behind this, */
	pg_atomic_uint32 group_segments;	/* and each is full with so many, if it
										 * is not 0; by the shipper, and kept
										 * for the next life */
	pg_atomic_uint64 slot_lsn;	/* by the decoder: where a new slot begins */
	pg_atomic_uint64 decoded_upto;	/* by the decoder, between records */
	pg_atomic_uint64 decoded_time;	/* commit time of the last transaction */
	pg_atomic_uint64 position;	/* by the shipper, now and then: all of it is in
								 * the target; see dbmazz_queue_position_now() */
	pg_atomic_uint64 durable_lsn;	/* by the shipper: committed in the
									 * checkpoint; the slot may go there */
	pg_atomic_uint64 durable_row_lsn;	/* by the shipper, before it raises
										 * durable_lsn: end of its commit */
	pg_atomic_uint64 confirmed_lsn; /* by the decoder: where the slot is */
	pg_atomic_uint32 decoder_waits; /* wake it when a batch was done */
	pg_atomic_uint32 ndone;		/* by the shipper: batches that were */
	pg_atomic_uint32 extra_loads[DBMAZZ_EXTRA_COUNTERS];	/* by the shipper; see
															 * queue.h */
	pg_atomic_uint32 shipper_asleep;	/* wake it when a batch was sealed */
	pg_atomic_uint32 healthy;	/* this life has moved the checkpoint, or
										 * idled well */
	pg_atomic_uint32 tables_stopped;	/* by the shipper */
	DbmazzCounters counters;

	/* settings that the decoder follows while it runs; by the shipper */
	pg_atomic_uint32 keeps_bad_rows;	/* on_bad_row is not stop */
	pg_atomic_uint32 batch_max_rows;
	pg_atomic_uint64 batch_max_bytes;
	pg_atomic_uint32 flush_interval_ms;
	pg_atomic_uint32 max_loads_per_minute;

	/* --- guarded by the spinlock; see queue.c ------------------------ */
	slock_t		mutex;
	uint32		free_head;		/* free segments of this pipeline */
	uint32		nfree;
	uint32		ready_head;		/* sealed batches, oldest first */
	uint32		ready_tail;

	/* --- guarded by the pipeline's lock ------------------------------ */
	DbmazzError error;			/* the last one */
	TimestampTz error_time;
	TimestampTz state_time;
} DbmazzPipeline;

/* How the two workers of a life agree on where to begin. */
typedef enum DbmazzStartPhase
{
	DBMAZZ_START_NOTHING = 0,
	DBMAZZ_START_NEED_SLOT,		/* shipper: no slot yet, decoder makes it */
	DBMAZZ_START_HAVE_SLOT,		/* decoder: slot_lsn is set */
	DBMAZZ_START_GO				/* shipper: the checkpoint is committed,
								 * start_lsn and epoch are set */
} DbmazzStartPhase;

#define DBMAZZ_MAX_PIPELINES 64	/* bits of DbmazzShared.asleep */

typedef struct DbmazzShared
{
	/* guarded by the registry lock */
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	bool		rescan_all;		/* look into every database */
	int			nrescan;
	Oid			rescan[16];		/* databases to look into */
	Oid			scanned;		/* by a scan worker that came to its end */
	uint32		kept_out;		/* raised by dbmazz_pipeline_keep_out(), and when
								 * a stop is committed */

	/* atomics */
	pg_atomic_uint64 commit_lsn;	/* newest commit of any backend */
	pg_atomic_uint64 asleep;	/* bit i: the decoder of pipeline i sleeps and
								 * wants to hear of commits */

	pg_atomic_uint64 debug_fired;	/* see debug_point.c */

	int			npipelines;		/* constant after start */
	DbmazzPipeline pipelines[FLEXIBLE_ARRAY_MEMBER];
} DbmazzShared;

/* NULL in a server that has not preloaded the library. */
extern PGDLLIMPORT DbmazzShared *dbmazz_shmem;

/* Hooks and request; called by _PG_init when preloading. */
extern void dbmazz_shmem_init(void);

/* The registry's lock and a pipeline's lock. */
extern LWLock *dbmazz_registry_lock(void);
extern LWLock *dbmazz_pipeline_lock(const DbmazzPipeline *p);

extern int	dbmazz_pipeline_index(const DbmazzPipeline *p);

/* Find a pipeline; NULL if there is none.  Caller must hold the registry lock. */
extern DbmazzPipeline *dbmazz_pipeline_find(Oid dboid, int32 id);

/*
 * Is it out of the registry?  If so it stays out: looks into the catalogs that
 * have begun before register nothing, those that begin now see what the caller
 * sees.  The caller must have seen it switched off by a transaction that has
 * committed, and must hold its row locked.  Takes the registry lock.
 */
extern bool dbmazz_pipeline_keep_out(Oid dboid, int32 id);

/*
 * Find it or take a free entry; NULL if all are in use.  Caller must hold the
 * registry lock exclusively.
 */
extern DbmazzPipeline *dbmazz_pipeline_register(Oid dboid, int32 id,
												const char *name);

/* Set the state, and its time if it differs. */
extern void dbmazz_pipeline_set_state(DbmazzPipeline *p, DbmazzState state);
extern DbmazzState dbmazz_pipeline_state(DbmazzPipeline *p);

/* The same, but only if the state is 'from' at this moment. */
extern void dbmazz_pipeline_move_state(DbmazzPipeline *p, DbmazzState from,
									   DbmazzState to);

/* Publish an error (copied).  Secrets must not be in it. */
extern void dbmazz_pipeline_set_error(DbmazzPipeline *p,
									  const DbmazzError *error);
extern void dbmazz_pipeline_get_error(DbmazzPipeline *p, DbmazzError *error,
									  TimestampTz *when);

/* Wake a worker of the pipeline, if it is there.  Takes the registry lock. */
extern void dbmazz_pipeline_wake(DbmazzPipeline *p, DbmazzRole role);
extern void dbmazz_launcher_wake(void);

/* Ask the launcher to look into a database; InvalidOid: into all. */
extern void dbmazz_request_rescan(Oid dboid);

/* Raise a 64-bit atomic to at least 'value'. */
extern void dbmazz_atomic_max(pg_atomic_uint64 *target, uint64 value);

#endif							/* DBMAZZ_SHMEM_H */
