/*
 * job.h
 *		What the parts of the StarRocks sink share: its state, and the requests
 *		under way.
 *
 * NOTES
 *	  A request of the shipper is a job.  A job goes through steps; each step is
 *	  one HTTP call, which call.c makes (trying the frontends in turn, following
 *	  redirects), and whose answer decides about the next step:
 *
 *		LOAD	schema ... -> (redirect) -> load -> (state) -> confirm ... -> end
 *		RESOLVE	state -> (confirm ...) -> end
 *		PREPARE	schema ... -> begin -> load -> prepare -> confirm ... -> end
 *		COMMIT	commit -> end
 *		GROUP	schema ... -> begin -> (redirect -> load) ... -> confirm ...
 *				-> commit -> state -> end; or, when refused, -> rollback -> end
 *		SETTLE	state -> (cancel or rollback -> state) -> next label ... -> (sessions) -> end
 *		TRUNCATE	(address) -> connect -> truncate -> end
 *		sessions	(address) -> connect -> list -> (kill ... -> pause -> list)
 *				-> next address ...
 *
 *	  Those of the last two lines speak to the MySQL port.  Rows that are rejected
 *	  lead to the error log, and then to the end.
 *
 *	  A LOAD asks for no redirect while there is a backend that was named for another
 *	  one: see backend.c.
 *
 *	  The schema is skipped when the cache has a plan for the description; confirm,
 *	  the same question behind a success, never is: see target.c.
 */
#ifndef DBMAZZ_SR_JOB_H
#define DBMAZZ_SR_JOB_H

#include "core/body.h"
#include "core/label.h"
#include "dbmazz_sink.h"
#include "http/http.h"
#include "sinks/starrocks/answer.h"
#include "sinks/starrocks/mysqlport.h"
#include "sinks/starrocks/options.h"
#include "sinks/starrocks/plan.h"
#include "sinks/starrocks/schema.h"
#include "sinks/starrocks/text.h"

typedef struct DbmazzSr DbmazzSr;
typedef struct DbmazzSrJob DbmazzSrJob;
typedef struct DbmazzSrTarget DbmazzSrTarget;

typedef enum DbmazzSrStep
{
	DBMAZZ_SR_STEP_SCHEMA,
	DBMAZZ_SR_STEP_CONFIRM,		/* does the target still have all columns? */
	DBMAZZ_SR_STEP_REDIRECT,	/* ask a frontend where to send the rows */
	DBMAZZ_SR_STEP_LOAD,
	DBMAZZ_SR_STEP_BEGIN,
	DBMAZZ_SR_STEP_PREPARE,
	DBMAZZ_SR_STEP_COMMIT,
	DBMAZZ_SR_STEP_ROLLBACK,
	DBMAZZ_SR_STEP_GROUP_BEGIN,
	DBMAZZ_SR_STEP_GROUP_REDIRECT,	/* where to send the rows of a part */
	DBMAZZ_SR_STEP_GROUP_COMMIT,
	DBMAZZ_SR_STEP_ERROR_LOG,
	DBMAZZ_SR_STEP_STATE,
	DBMAZZ_SR_STEP_CANCEL,
	DBMAZZ_SR_STEP_ADDRESS,		/* look up the name of the MySQL port's host */
	DBMAZZ_SR_STEP_CONNECT,
	DBMAZZ_SR_STEP_TRUNCATE,
	DBMAZZ_SR_STEP_LIST,		/* who is at work there? */
	DBMAZZ_SR_STEP_KILL,
	DBMAZZ_SR_STEP_PAUSE
} DbmazzSrStep;

#define DBMAZZ_SR_MAX_REFUSED	64
#define DBMAZZ_SR_MAX_KILLS		16	/* sessions to be ended in one look */

/* Lists of targets, by the hash of the name. */
#define DBMAZZ_SR_BUCKETS		1024

/* Addresses of a name, and some that it had when a TRUNCATE was sent. */
#define DBMAZZ_SR_MAX_ADDRESSES	(DBMAZZ_HTTP_ADDRESSES + 4)

/* A TRUNCATE that was sent in this life, and whose outcome is unknown. */
typedef struct DbmazzSrSent
{
	struct DbmazzSrSent *next;
	char		label[DBMAZZ_LABEL_SIZE];
	char		address[DBMAZZ_HTTP_ADDRESS];
} DbmazzSrSent;

/* Most backends that are remembered. */
#define DBMAZZ_SR_BACKENDS		16

/* What a frontend has said of a backend; no load under way goes by it. */
typedef struct DbmazzSrBackend
{
	DbmazzUrl	named;
	int64_t		named_ms;		/* when: see dbmazz_http_now_ms() */
} DbmazzSrBackend;

struct DbmazzSr
{
	DbmazzHttp *http;			/* NULL where only render() is used */
	DbmazzSrConfig *config;		/* for the next requests */
	int			frontend;		/* the one that answered last */
	DbmazzSrTarget *targets[DBMAZZ_SR_BUCKETS]; /* private to cache.c */
	DbmazzSrJob *jobs;			/* under way */
	DbmazzSrJob *finished;		/* completion not yet handed out, in order */
	uint64_t	refused[DBMAZZ_SR_MAX_REFUSED]; /* there was no memory for */
	int			nrefused;
	uint32_t	port_serial;	/* of the last session at the MySQL port */
	DbmazzSrSent *sent;			/* private to settle.c */
	DbmazzSrBackend backends[DBMAZZ_SR_BACKENDS];	/* private to backend.c */
	int			nbackends;
};

struct DbmazzSrJob
{
	DbmazzSrJob *next;
	DbmazzSr   *sr;
	DbmazzSrConfig *config;
	const DbmazzRequest *request;
	DbmazzSrStep step;
	DbmazzCompletion completion;
	const char *target;			/* the request's, or that of the part at hand */
	const DbmazzBatchView *batch;	/* likewise */

	/* the call under way; private to call.c but for path, post and headers */
	DbmazzHttpTransfer *transfer;
	const char *method;
	size_t		max_answer;
	DbmazzUrl	where;			/* whom it goes to */
	int			tried;			/* frontends that could not be reached */
	int			hops;			/* redirects followed */
	bool		fixed;			/* 'where' is no frontend: no other is tried */
	DbmazzSrText path;
	DbmazzSrText post;			/* body of a POST */
	size_t		post_sent;
	DbmazzSrText url;

	/* GROUP */
	int			part;			/* the one at hand, from 1 on; 0: none */
	DbmazzSrPlan **plans;		/* of all parts */
	DbmazzUrl	leader;			/* the frontend that has the transaction */
	bool		is_open;		/* it has begun and has not come to its end */
	bool		commit_sent;	/* or may have been */
	int64_t		began_ms;		/* when it was asked to begin */
	bool		is_rolled_back; /* it was asked to; then the job ends with 'kept' */
	DbmazzCompletion kept;

	/* LOAD, PREPARE, GROUP, RESOLVE */
	DbmazzSrSchemaSource source;
	DbmazzSrPlan *plan;			/* what the rows were sent by; NULL: not known */
	bool		is_first;		/* no earlier attempt under the label is known */
	DbmazzBody	body;
	DbmazzCompressor *compressor;	/* of the body; NULL: it goes as it is */
	DbmazzSrText headers;		/* lines, each with a zero byte */
	DbmazzUrl	named;			/* backend as the frontend named it */
	int64_t		named_ms;		/* when; 0: for this load only */
	bool		is_reused;		/* for another load: no frontend was asked */
	DbmazzSrVerdict verdict;

	/* SETTLE */
	int			label;
	int			cancels;		/* of the current label */
	bool		saw_aborted;	/* one of them is aborted for certain */
	bool		saw_committed;	/* one of them is committed */

	/* at the MySQL port; private to session.c and settle.c */
	DbmazzUrl	mysql;			/* whose port it is */
	DbmazzSrPort *port;
	uint32_t	port_serial;
	char		addresses[DBMAZZ_SR_MAX_ADDRESSES][DBMAZZ_HTTP_ADDRESS];
	int			naddresses;
	int			address;		/* the one that is tried */
	int			nlooked;		/* SETTLE: those that have answered */
	bool		has_list;		/* its rows are being read */
	bool		is_idle;		/* the list has a session that may yet begin */
	unsigned long kills[DBMAZZ_SR_MAX_KILLS];
	int			nkills;
	int64_t		looked_ms;		/* first look at this address; 0: none yet */
	int64_t		resume_ms;		/* end of a pause */
	int64_t		give_up_ms;
};

/* ---- call.c ------------------------------------------------------------ */

/*
 * Make a call with job->path (and job->post, unless empty) to the frontends.
 * If it cannot even be made, the job is finished.
 */
extern void dbmazz_sr_call(DbmazzSrJob *job, const char *method,
						   size_t max_answer);

/* The same, to the address job->where only. */
extern void dbmazz_sr_call_there(DbmazzSrJob *job, const char *method,
								 size_t max_answer);

/*
 * The job's transfer has ended.  True: its answer is that of the step.  False:
 * it was tried elsewhere or the job is finished.  The transfer stays until the
 * next call or dbmazz_sr_call_end().
 */
extern bool dbmazz_sr_call_ended(DbmazzSrJob *job);
extern void dbmazz_sr_call_end(DbmazzSrJob *job);

/* May the job go on from job->where to there?  Not from https to http. */
extern bool dbmazz_sr_call_allowed(const DbmazzSrJob *job,
								   const DbmazzUrl *where);

/* Headers of a load, into job->headers. */
extern void dbmazz_sr_load_headers(DbmazzSrText *headers,
								   const DbmazzSrConfig *config,
								   const DbmazzRequest *request,
								   const DbmazzSrPlan *plan);

/* Path of a load. */
extern void dbmazz_sr_load_path(DbmazzSrText *path,
								const DbmazzSrConfig *config,
								const char *target);

/* ---- starrocks.c ------------------------------------------------------- */

/* End the job.  The error must be in job->completion.error. */
extern void dbmazz_sr_finish(DbmazzSrJob *job, DbmazzOutcome outcome);

/*
 * End the job because of a call that failed before a row was sent, as the
 * verdict says; a RESOLVE is then still in doubt and a SETTLE not done.
 */
extern void dbmazz_sr_fail(DbmazzSrJob *job);

/* ---- target.c ----------------------------------------------------------- */

/*
 * Before a load: read the target's schema, make the plan from it, and go on with
 * dbmazz_sr_load_send().
 */
extern void dbmazz_sr_target_read(DbmazzSrJob *job);

/*
 * The rows are committed, or prepared: read the schema once more, and finish the
 * job.  DONE only if no value of the rows can have been left out.
 */
extern void dbmazz_sr_target_confirm(DbmazzSrJob *job);
extern void dbmazz_sr_target_step(DbmazzSrJob *job);

/* ---- load.c, label.c --------------------------------------------------- */

extern void dbmazz_sr_load_start(DbmazzSrJob *job);
extern void dbmazz_sr_load_send(DbmazzSrJob *job);
extern void dbmazz_sr_load_step(DbmazzSrJob *job);
extern void dbmazz_sr_label_start(DbmazzSrJob *job);
extern void dbmazz_sr_label_step(DbmazzSrJob *job);

/* Ask for the state of a label: begins STEP_STATE. */
extern void dbmazz_sr_ask_state(DbmazzSrJob *job, const char *label);

/* Finish a job whose rows are rejected, as job->verdict says. */
extern void dbmazz_sr_rejected(DbmazzSrJob *job);

/* ---- backend.c --------------------------------------------------------- */

/*
 * The backend that an answer names becomes job->where.  False: it cannot be, and
 * the job is finished.
 */
extern bool dbmazz_sr_take_redirect(DbmazzSrJob *job,
									const DbmazzHttpAnswer *answer);

/*
 * LOAD: one that was named for another load a moment ago becomes job->where; false
 * if there is none.  If the rows were loaded, it is given back, for the next one; if
 * not, the frontends are asked again.
 */
extern bool dbmazz_sr_backend_take(DbmazzSrJob *job);
extern void dbmazz_sr_backend_give(DbmazzSrJob *job);
extern void dbmazz_sr_backend_shun(DbmazzSrJob *job);

/* ---- transaction.c ------------------------------------------------------ */

/* PREPARE, when the plan and the body are there; COMMIT; and their steps. */
extern void dbmazz_sr_transaction_begin(DbmazzSrJob *job);
extern void dbmazz_sr_commit_start(DbmazzSrJob *job);
extern void dbmazz_sr_transaction_step(DbmazzSrJob *job);

/* What every call of a transaction has, into job->headers; 'target' may be NULL. */
extern void dbmazz_sr_transaction_headers(DbmazzSrJob *job, const char *label,
										  const char *target);
extern void dbmazz_sr_transaction_path(DbmazzSrJob *job, const char *call);

/* Begins STEP_ROLLBACK. */
extern void dbmazz_sr_rollback(DbmazzSrJob *job, const char *label);

/* ---- group.c ------------------------------------------------------------ */

#define DBMAZZ_SR_OF_GROUPS		"transaction_type: multi"

/* GROUP; the plan of the part at hand is there; and its other steps. */
extern void dbmazz_sr_group_start(DbmazzSrJob *job);
extern void dbmazz_sr_group_planned(DbmazzSrJob *job);
extern void dbmazz_sr_group_confirmed(DbmazzSrJob *job);
extern void dbmazz_sr_group_step(DbmazzSrJob *job);

/*
 * The job is about to end.  True: not yet, for its transaction is rolled back first,
 * and then it ends as it was to.
 */
extern bool dbmazz_sr_group_rolls_back(DbmazzSrJob *job,
									   DbmazzOutcome *outcome);

/* ---- session.c, truncate.c, settle.c ----------------------------------- */

extern void dbmazz_sr_truncate_start(DbmazzSrJob *job);

/* SETTLE, the last part: no TRUNCATE under one of the labels is at work. */
extern void dbmazz_sr_settle_sessions(DbmazzSrJob *job);

/* STEP_ADDRESS has ended. */
extern void dbmazz_sr_port_resolved(DbmazzSrJob *job);

/*
 * Is the job one for the MySQL port now, and what does it wait for?  The socket's
 * fd is -1 if it only waits for a time ('deadline_ms').
 */
extern bool dbmazz_sr_port_waits(const DbmazzSrJob *job,
								 DbmazzSinkSocket *socket,
								 int64_t *deadline_ms);

/* Move such a job on. */
extern void dbmazz_sr_port_step(DbmazzSrJob *job);
extern void dbmazz_sr_port_end(DbmazzSrJob *job);
extern void dbmazz_sr_sent_clear(DbmazzSr *sr);

/* ---- cache.c ----------------------------------------------------------- */

/*
 * The plan for a description, with a reference for the caller; NULL if the
 * target's schema must be read first (again).
 */
extern DbmazzSrPlan *dbmazz_sr_cache_plan(DbmazzSr *sr,
										  const DbmazzTableDesc *desc);

/*
 * The plan that the description had last, however old, with a reference for the
 * caller; NULL if there is none.
 */
extern DbmazzSrPlan *dbmazz_sr_cache_last(DbmazzSr *sr,
										  const DbmazzTableDesc *desc);

/*
 * Rows are about to be sent under the label, by that plan, or (NULL) by one of older
 * settings.  True if they are for the first time, as far as is known.
 */
extern bool dbmazz_sr_cache_sent(DbmazzSr *sr, const char *target,
								 const char *label, DbmazzSrPlan *plan);

/*
 * The plan that rows were first sent by under the label, with a reference for the
 * caller; NULL if it is not known.  Whichever attempt was loaded, its schema is not
 * older than that of the plan.
 */
extern DbmazzSrPlan *dbmazz_sr_cache_first(DbmazzSr *sr, const char *target,
										   const char *label);

/* The way in which the target's schema was read last. */
extern DbmazzSrSchemaSource dbmazz_sr_cache_source(DbmazzSr *sr,
												   const char *target);

/*
 * A schema that was read just now: true if the plan was made from the very same.
 * Then the cache is as fresh as it, if it was asked for in the best way.
 */
extern bool dbmazz_sr_cache_renew(DbmazzSr *sr, const char *target,
								  const DbmazzSrPlan *plan,
								  const DbmazzSrSchema *schema);

/* No plan of the target serves a load any more. */
extern void dbmazz_sr_cache_expire(DbmazzSr *sr, const char *target);

/* Takes over the schema.  If it is another one, its plans are made anew. */
extern void dbmazz_sr_cache_store(DbmazzSr *sr, const char *target,
								  DbmazzSrSchema *schema);

/* The plan from the stored schema, made if it must be.  NULL: err tells. */
extern DbmazzSrPlan *dbmazz_sr_cache_make(DbmazzSr *sr,
										  const DbmazzTableDesc *desc,
										  DbmazzError *err);
extern void dbmazz_sr_cache_forget(DbmazzSr *sr, const char *target);
extern void dbmazz_sr_cache_clear(DbmazzSr *sr);

/* Settings have changed: forget all but that labels were used. */
extern void dbmazz_sr_cache_outdate(DbmazzSr *sr);

/* ---- render.c ---------------------------------------------------------- */

extern size_t dbmazz_sr_render(DbmazzSr *sr, const DbmazzRequest *request,
							   char *out, size_t len);

#endif							/* DBMAZZ_SR_JOB_H */
