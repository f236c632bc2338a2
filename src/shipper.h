/*
 * shipper.h
 *		Lanes: sealed batches become loads, one at a time per target table.
 *
 * NOTES
 *	  All policy is here: which lane goes next, what to do about an outcome, when
 *	  to try again, what to log.  The sink only carries requests out.
 *
 *	  A lane:
 *
 *	  unsettled --SETTLE done--> idle --LOAD--> loading --done--> idle
 *	      |  retry: later                        | retry: LOAD again later
 *	      +------                                | doubt: RESOLVE, until known
 *	                                             | reject: stopped; because of
 *	                                             |   rows: in parts, till the row
 *	                                             |   is found, then as on_bad_row
 *	                                             |   says
 */
#ifndef DBMAZZ_SHIPPER_H
#define DBMAZZ_SHIPPER_H

#include "access/xlogdefs.h"
#include "catalog.h"
#include "dbmazz_sink.h"
#include "shmem.h"

typedef struct DbmazzShipper DbmazzShipper;

/*
 * 'tables' and 'dropped' are what dbmazz_catalog_tables() and _dropped_lanes()
 * gave, after the epoch was raised.  Commits.
 */
extern DbmazzShipper *dbmazz_shipper_create(DbmazzPipeline *p,
											const DbmazzPipelineRow *row,
											const DbmazzCheckpoint *checkpoint,
											const DbmazzSinkRoutine *routine,
											void *sink, List *tables,
											List *dropped);

/*
 * Take sealed batches, let the sink go on with what its sockets are ready for,
 * act on completions, start what can be started.  Never waits for the network;
 * may commit a short transaction (lane labels, a stopped table).
 */
extern void dbmazz_shipper_step(DbmazzShipper *shipper,
								const DbmazzSinkEvent *events, int nevents);

/*
 * Does the next group wait until the position is in the catalogs?  True once; then
 * the caller has to write it.
 */
extern bool dbmazz_shipper_waits_for_row(DbmazzShipper *shipper);

/* Milliseconds until the next retry is due, or -1. */
extern long dbmazz_shipper_due(DbmazzShipper *shipper);

/*
 * Start of the newest commit of which rows have been put into the target in
 * this life, or Invalid.
 */
extern XLogRecPtr dbmazz_shipper_shipped_lsn(const DbmazzShipper *shipper);

/* Begin the replays that were asked for.  Commits. */
extern void dbmazz_shipper_replay(DbmazzShipper *shipper);

/* The smallest position of a table that has one of its own, or Invalid. */
extern XLogRecPtr dbmazz_shipper_tables_floor(DbmazzShipper *shipper);

/*
 * The stream has reached the point where the other tables began: tables that
 * were resumed need no position of their own any more.  Commits.
 */
extern void dbmazz_shipper_caught_up(DbmazzShipper *shipper);

#endif							/* DBMAZZ_SHIPPER_H */
