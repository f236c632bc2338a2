/*
 * dbmazz_sink.h
 *		The contract between the shipper and a sink module.
 *
 * NOTES
 *	  A sink is a shared library "dbmazz_<name>" that exports one function,
 *	  dbmazz_sink_init(), which returns a constant struct of callbacks.  Loading
 *	  has no side effects.  The shipper loads it, and on demand a backend that
 *	  checks options or renders DDL.
 *
 *	  Everything is asynchronous, for loads of many tables are under way in one
 *	  process: start() begins a request and never blocks; the shipper waits on
 *	  its latch and on what sockets() names; poll() moves requests on and hands
 *	  out completions.
 *
 *	  A sink never retries, sleeps, logs or reads a setting, never waits, and
 *	  never raises an error with the server's machinery (no ereport, no palloc:
 *	  its frames may be called from a library that must not be jumped over).
 *	  Policy (when to try again, what to log, when to give up) is the shipper's.
 *	  Memory is malloc'ed by the sink and freed in close(), which is called on
 *	  every exit of the process that the shipper survives.
 */
#ifndef DBMAZZ_SINK_H
#define DBMAZZ_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/error.h"

#define DBMAZZ_SINK_ABI		1

typedef enum DbmazzOutcome
{
	DBMAZZ_DONE,				/* LOAD: committed in the target, with all values
								 * of all rows.  RESOLVE: so it was.  SETTLE: no
								 * old load can commit any more */
	DBMAZZ_RETRY,				/* nothing happened there; send the same again.
								 * RESOLVE: so says is_aborted or is_forgotten;
								 * with neither nobody was asked.  LOAD, RESOLVE:
								 * or send_anew says what to do */
	DBMAZZ_DOUBT,				/* unknown outcome: RESOLVE before anything else */
	DBMAZZ_REJECT				/* will never work without an operator.  LOAD: with
								 * the status DBMAZZ_ERR_UNREPRESENTABLE, because of
								 * some rows: others alone may work.  Nothing of the
								 * load is, or will be, committed then */
} DbmazzOutcome;

typedef enum DbmazzRequestKind
{
	DBMAZZ_REQUEST_LOAD,		/* send a batch under a label */
	DBMAZZ_REQUEST_RESOLVE,		/* what became of the load with this label? */
	DBMAZZ_REQUEST_SETTLE,		/* make sure that nothing under these labels,
								 * load or truncation, can still take effect:
								 * cancel what is under way, wait for final
								 * states */
	DBMAZZ_REQUEST_TRUNCATE,	/* empty the target table; the label marks the
								 * statement, so that SETTLE can find it.
								 * DONE: the table was emptied.  RETRY: nothing
								 * happened and nothing will.  DOUBT: it may
								 * still happen, at any time: SETTLE the label,
								 * then send it again (once more does no harm,
								 * for no later load is sent before DONE).
								 * REJECT: it cannot be done; the error says
								 * how to go on */
	DBMAZZ_REQUEST_PREPARE,		/* LOAD without its commit.  DONE: the rows are
								 * durable in the target and invisible, for
								 * DBMAZZ_PREPARED_HOLD_S at least.  Otherwise
								 * as LOAD, but that nothing is visible, and
								 * will not be: DOUBT means that something may
								 * be left under the label, which SETTLE takes
								 * away; it must not be used again */
	DBMAZZ_REQUEST_COMMIT,		/* make visible what was prepared under the
								 * label; once more does no harm.  DONE: it is.
								 * Any other: RESOLVE, or COMMIT again */
	DBMAZZ_REQUEST_GROUP		/* LOAD of several tables, of which the target
								 * shows all rows at once, or none.  Whatever
								 * the outcome, the label is used up.  DOUBT:
								 * SETTLE the label, then RESOLVE.  REJECT:
								 * where the status is
								 * DBMAZZ_ERR_UNREPRESENTABLE, because of rows
								 * of any part; see also 'part' */
} DbmazzRequestKind;

/* What a GROUP has for one table. */
typedef struct DbmazzGroupPart
{
	const char *target;
	const DbmazzBatchView *batch;	/* some of its rows are sent */
} DbmazzGroupPart;

#define DBMAZZ_PREPARED_HOLD_S	86400

typedef struct DbmazzRequest
{
	uint64_t	id;				/* chosen by the shipper */
	DbmazzRequestKind kind;
	const char *target;			/* name of the target table */
	const char *label;			/* all but SETTLE */
	const char *const *labels;	/* SETTLE */
	int			nlabels;
	bool		of_groups;		/* SETTLE: the labels are of GROUPs */
	const DbmazzGroupPart *parts;	/* GROUP: each for another target */
	int			nparts;
	const char *place;			/* SETTLE: a TRUNCATE may have been sent under one
								 * of the labels, when place() said this; NULL:
								 * none was */
	const DbmazzBatchView *batch;	/* LOAD, PREPARE; see dbmazz_row_is_sent().
									 * RESOLVE: of the LOAD; NULL: it was
									 * prepared, or a GROUP, and its values are
									 * settled */
	uint32_t	nrows;			/* of it: rows that are sent, > 0 */
} DbmazzRequest;

typedef struct DbmazzCompletion
{
	uint64_t	id;
	DbmazzOutcome outcome;
	bool		slow_down;		/* RETRY because the target is overloaded */
	bool		is_aborted;		/* RESOLVE, RETRY: the target says that it has
								 * aborted the load: it never commits.  SETTLE of
								 * GROUPs, DONE: none of them was committed, if
								 * only the first label was used for one.  GROUP,
								 * DOUBT: it was not asked to commit, and so it
								 * never does */
	bool		is_forgotten;	/* RESOLVE, RETRY: the target says that it does
								 * not know the label: it was never used, or
								 * long ago */
	bool		send_anew;		/* LOAD, RESOLVE, RETRY: the rows may be committed
								 * without some of their values, and the label
								 * with them; send them under another one */
	bool		is_late;		/* GROUP: it has taken longer than a load may */
	int			part;			/* GROUP, REJECT: of which table, from 1 on;
								 * 0: not known, or of all */
	uint64_t	bytes;			/* of a batch's body that were sent */
	DbmazzError error;			/* empty if DONE */
} DbmazzCompletion;

/* What to wait for.  'serial' differs for two sockets that had the same fd. */
typedef struct DbmazzSinkSocket
{
	int			fd;
	uint32_t	serial;
	bool		want_read;
	bool		want_write;
} DbmazzSinkSocket;

typedef struct DbmazzSinkEvent
{
	int			fd;
	bool		readable;
	bool		writable;
} DbmazzSinkEvent;

typedef enum DbmazzOptionKind
{
	DBMAZZ_OPTION_STRING,
	DBMAZZ_OPTION_BOOL,
	DBMAZZ_OPTION_INTEGER,
	DBMAZZ_OPTION_MS			/* a time: "500ms", "10s", "5min"; plain numbers
								 * are milliseconds */
} DbmazzOptionKind;

#define DBMAZZ_OPTION_SECRET	0x01	/* never shown; user mapping only */
#define DBMAZZ_OPTION_USER		0x02	/* user mapping, not server */
#define DBMAZZ_OPTION_REQUIRED	0x04
#define DBMAZZ_OPTION_ADDRESS	0x08	/* everybody can see it, so a user name and
										 * a password in it are refused */

typedef struct DbmazzOptionDef
{
	const char *name;
	DbmazzOptionKind kind;
	int			flags;			/* DBMAZZ_OPTION_* */
	const char *default_value;	/* NULL: none */
	int64_t		min;			/* INTEGER, MS */
	int64_t		max;
	const char *description;	/* one sentence */
} DbmazzOptionDef;

typedef struct DbmazzOption
{
	const char *name;
	const char *value;
} DbmazzOption;

#define DBMAZZ_ENCODING_JSON	0x01	/* see core/batch.h; every sink takes it */
#define DBMAZZ_ENCODING_CSV		0x02	/* the sink's option "format" says whether
								 * it wants that; single batches may be JSON
								 * all the same: see DBMAZZ_TABLE_CSV */

#define DBMAZZ_SINK_IDEMPOTENT	0x01	/* sending a batch twice does no harm */
#define DBMAZZ_SINK_DDL			0x02	/* has a ddl callback */
#define DBMAZZ_SINK_TRUNCATE	0x04	/* knows DBMAZZ_REQUEST_TRUNCATE */
#define DBMAZZ_SINK_PREPARE		0x08	/* knows DBMAZZ_REQUEST_PREPARE and COMMIT,
										 * for batches in JSON */
#define DBMAZZ_SINK_GROUP		0x10	/* knows DBMAZZ_REQUEST_GROUP, likewise; then
										 * PREPARE too */

/* A column as ddl() gets it. */
typedef struct DbmazzDdlColumn
{
	const char *name;
	uint32_t	basetypid;
	int32_t		typmod;
	bool		is_key;
	bool		not_null;
} DbmazzDdlColumn;

typedef struct DbmazzSinkRoutine
{
	uint32_t	abi;			/* DBMAZZ_SINK_ABI */
	uint32_t	struct_size;	/* sizeof(DbmazzSinkRoutine) */
	const char *name;
	uint32_t	encodings;		/* DBMAZZ_ENCODING_* */
	uint32_t	capabilities;	/* DBMAZZ_SINK_* */
	const DbmazzOptionDef *options;
	int			noptions;

	/*
	 * Check a complete set of options (defaults are filled in by the caller;
	 * an absent option is one without default).  False: err tells.
	 */
	bool		(*check) (const DbmazzOption *options, int noptions,
						  DbmazzError *err);

	/* NULL: err tells.  The options are copied. */
	void	   *(*open) (const DbmazzOption *options, int noptions,
						 DbmazzError *err);

	/*
	 * Take other options from the next request on (requests under way keep
	 * theirs).  False: err tells and nothing has changed.
	 */
	bool		(*reconfigure) (void *state, const DbmazzOption *options,
								int noptions, DbmazzError *err);

	/* The request and all it points to stay valid until its completion has
	 * been handed out, or cancel() or close() returned. */
	void		(*start) (void *state, const DbmazzRequest *request);

	/*
	 * The sockets to wait for, at most 'max'; '*timeout_ms' is the longest
	 * wait before poll() must be called, or -1.  Returns their number.
	 */
	int			(*sockets) (void *state, DbmazzSinkSocket *sockets, int max,
							int64_t *timeout_ms);

	/*
	 * Move on: what the sockets are ready for (none after a timeout or a
	 * start()).  Returns the number of completions written, at most 'max';
	 * if 'max', call again with no events.
	 */
	int			(*poll) (void *state, const DbmazzSinkEvent *events,
						 int nevents, DbmazzCompletion *completions, int max);

	/* Forget a request; no completion will follow. */
	void		(*cancel) (void *state, uint64_t id);
	void		(*close) (void *state);

	/*
	 * Where a TRUNCATE would go now, as a text that a SETTLE of any later life
	 * understands, whatever the options are then; it has no secrets.  It is in the
	 * catalogs before a TRUNCATE is sent, so that one whose outcome is unknown is
	 * not forgotten.  Fills up to 'len' bytes (terminated), returns the whole
	 * length; 0: nowhere, it would be rejected.  NULL if a SETTLE needs no place.
	 */
	size_t		(*place) (void *state, char *out, size_t len);

	/*
	 * The exact request of a load as text (headers and body, the password
	 * left out) for tests: fills up to 'len' bytes, returns the whole length.
	 * Needs no network.
	 */
	size_t		(*render) (void *state, const DbmazzRequest *request,
						   char *out, size_t len);

	/*
	 * The statement that makes a table for these columns: fills up to 'len'
	 * bytes (terminated), returns the whole length; 0: err tells.  In a change
	 * log is_key means the sort key, which may repeat.  May be NULL.
	 */
	size_t		(*ddl) (const char *target, const DbmazzDdlColumn *columns,
						int ncolumns, bool is_log, char *out, size_t len,
						DbmazzError *err);

	/*
	 * A text that names the destination (not user or password): two different
	 * destinations never have the same.  Kept in the checkpoint.
	 */
	size_t		(*identity) (const DbmazzOption *options, int noptions,
							 char *out, size_t len);
} DbmazzSinkRoutine;

typedef const DbmazzSinkRoutine *(*DbmazzSinkInit) (void);

/* The function that a sink module exports; the server hides all others. */
#define DBMAZZ_SINK_INIT_SYMBOL		"dbmazz_sink_init"
extern __attribute__((visibility("default")))
const DbmazzSinkRoutine *dbmazz_sink_init(void);

#endif							/* DBMAZZ_SINK_H */
