/*
 * walwatch.h
 *		The slots whose WAL is watched, and what was said of it.
 *
 * NOTES
 *	  A slot keeps WAL whether its pipeline runs or not, and most of all when it
 *	  does not.  Only the catalogs know which slot is whose, and only a look into
 *	  the database (scan_worker.c) sees the catalogs; only the launcher is always
 *	  there.  So:
 *
 *	  - a look enters the slots of all pipelines of its database that run or have
 *		a slot, with dbmazz.wal_warning_size as it is for that pipeline, and takes
 *		out all others.  Whatever changes a pipeline asks for a look; so does the
 *		launcher when settings were read again;
 *	  - the launcher (launcher_wal.c) compares the slots, which are in shared
 *		memory, with that limit, writes the log, and sets "level";
 *	  - NOTIFY needs a transaction in the database: the launcher asks for a look,
 *		which says what was not said yet, and marks it as said before it commits.
 *		For the queue of notifications can be full, and that must not end one look
 *		after the other.
 *
 *	  All of it is guarded by the registry lock; neither log nor SQL is written
 *	  with it.  It lives as long as the server: after a restart things are said
 *	  once more.
 */
#ifndef DBMAZZ_WALWATCH_H
#define DBMAZZ_WALWATCH_H

#include "catalog.h"

typedef enum DbmazzWalWarning
{
	DBMAZZ_WAL_FINE = 0,
	DBMAZZ_WAL_LARGE,			/* as much as dbmazz.wal_warning_size */
	DBMAZZ_WAL_CRITICAL,		/* the server will take it away soon */
	DBMAZZ_WAL_LOST				/* it has: the slot was invalidated */
} DbmazzWalWarning;

/* One slot. */
typedef struct DbmazzWalWatch
{
	bool		in_use;
	Oid			dboid;
	int32		id;				/* of the pipeline in that database */
	NameData	pipeline;
	NameData	slot;
	int			limit_mb;		/* 0: nothing is said */
	DbmazzWalWarning level;		/* what was logged last; by the launcher */
	DbmazzSlotWal wal;			/* the figures that 'level' is of */
	DbmazzWalWarning notified;	/* the level notified last; by looks */
} DbmazzWalWatch;

extern const char *dbmazz_wal_warning_name(DbmazzWalWarning level);

extern Size dbmazz_walwatch_shmem_size(void);
extern void dbmazz_walwatch_shmem_startup(void);

/* For looks: enter a slot, or change its limit.  Takes the lock. */
extern void dbmazz_walwatch_set(Oid dboid, const DbmazzPipelineRow *row,
								int limit_mb);

/*
 * For looks: take out the slots of this database's pipelines that are not in
 * 'ids' (integer List).  Takes the lock.
 */
extern void dbmazz_walwatch_retain(Oid dboid, List *ids);

/*
 * For looks: the slots of this database of which something is to be notified,
 * marked as notified: a List of DbmazzWalWatch copies.  Takes the lock.
 */
extern List *dbmazz_walwatch_take_news(Oid dboid);

/* Number of entries, and a copy of one; false if it is not in use. */
extern int	dbmazz_walwatch_size(void);
extern bool dbmazz_walwatch_get(int i, DbmazzWalWatch *copy);

/* What the view shows of a pipeline.  Takes the lock. */
extern DbmazzWalWarning dbmazz_walwatch_level(Oid dboid, int32 id);

/*
 * For the launcher: the slot is not there.  Takes it out, unless the pipeline is
 * to run and makes it.  Takes the lock.
 */
extern void dbmazz_walwatch_forget(int i, const DbmazzWalWatch *copy);

/*
 * For the launcher: 'copy' comes from dbmazz_walwatch_get(), with a new level and
 * new figures.  False if the entry is another slot's meanwhile.  Takes the lock.
 */
extern bool dbmazz_walwatch_put(int i, const DbmazzWalWatch *copy);

#endif							/* DBMAZZ_WALWATCH_H */
