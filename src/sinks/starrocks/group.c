/*
 * group.c
 *		GROUP: a transaction of several tables.
 *
 * NOTES
 *	  The leader among the frontends has such a transaction.  It answers begin and
 *	  commit itself; for the rows of a table it names a backend, after it has looked
 *	  at the headers of the load, and told that backend what comes.  So it gets all
 *	  headers, and no rows.
 *
 *	  There is no prepare: what is wrong with rows may be told by commit only, and
 *	  not for which table.
 *
 *	  So the schemas that confirm the loads (target.c) are read before commit.
 *
 *	  OK to a commit is no proof, for there are releases that say so when it has
 *	  failed.  So the label's state is asked for behind it.
 *
 *	  A server before 4.0 takes no notice of the header that makes it a transaction
 *	  of several tables.  So begin names no table, which such a server refuses.
 */
#include <stdlib.h>

#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/job.h"

#define MAX_ANSWER		(1024 * 1024)

static void take_part(DbmazzSrJob *job);
static void begin(DbmazzSrJob *job);
static void send_part(DbmazzSrJob *job);
static void rows_ended(DbmazzSrJob *job);
static void commit(DbmazzSrJob *job);
static void failed(DbmazzSrJob *job);

void
dbmazz_sr_group_start(DbmazzSrJob *job)
{
	job->plans = calloc((size_t) job->request->nparts, sizeof(*job->plans));
	if (job->plans == NULL)
	{
		dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_NO_SPACE, 0,
						 "out of memory");
		dbmazz_sr_finish(job, DBMAZZ_RETRY);
		return;
	}
	job->part = 1;
	take_part(job);
	dbmazz_sr_load_start(job);
}

/* Make the part at hand what the job is about. */
static void
take_part(DbmazzSrJob *job)
{
	const DbmazzGroupPart *part = &job->request->parts[job->part - 1];

	job->target = part->target;
	job->batch = part->batch;
}

void
dbmazz_sr_group_planned(DbmazzSrJob *job)
{
	job->plans[job->part - 1] = job->plan;
	job->plan = NULL;
	if (job->part < job->request->nparts)
	{
		job->part++;
		take_part(job);
		dbmazz_sr_load_start(job);
		return;
	}
	begin(job);
}

/* A call that is about all parts. */
static void
set_call(DbmazzSrJob *job, const char *call, DbmazzSrStep step)
{
	int64_t		timeout_s = (job->config->load_timeout_ms + 999) / 1000;

	job->part = 0;
	job->target = "";
	job->batch = NULL;
	dbmazz_sr_transaction_headers(job, job->request->label, NULL);
	dbmazz_sr_text_line(&job->headers, DBMAZZ_SR_OF_GROUPS);
	dbmazz_sr_text_line(&job->headers, "timeout: %lld", (long long) timeout_s);
	dbmazz_sr_transaction_path(job, call);
	job->step = step;
}

static void
begin(DbmazzSrJob *job)
{
	/* the server's time limit, which begins later, is reached later, too */
	job->began_ms = dbmazz_http_now_ms();
	set_call(job, "begin", DBMAZZ_SR_STEP_GROUP_BEGIN);
	dbmazz_sr_call(job, "POST", MAX_ANSWER);
}

void
dbmazz_sr_group_step(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);

	if (job->step == DBMAZZ_SR_STEP_ROLLBACK)
	{
		dbmazz_sr_finish(job, job->kept.outcome);
		return;
	}
	if (job->step == DBMAZZ_SR_STEP_GROUP_REDIRECT && answer->status == 307 &&
		answer->complete)
	{
		job->hops = 0;
		if (dbmazz_sr_take_redirect(job, answer))
		{
			job->step = DBMAZZ_SR_STEP_LOAD;
			dbmazz_sr_call_there(job, "PUT", MAX_ANSWER);
		}
		return;
	}
	if (job->step == DBMAZZ_SR_STEP_LOAD)
		job->completion.bytes += answer->bytes_sent;
	if (!dbmazz_sr_answer_call(answer, job->request->label, &job->verdict,
							   &job->completion.error))
		failed(job);
	else if (job->step == DBMAZZ_SR_STEP_GROUP_BEGIN)
	{
		job->leader = job->where;
		job->is_open = true;
		send_part(job);
	}
	else if (job->step == DBMAZZ_SR_STEP_GROUP_COMMIT)
		dbmazz_sr_ask_state(job, job->request->label);
	else
		rows_ended(job);
}

/* The next part that has a row; after the last one, look at the targets. */
static void
send_part(DbmazzSrJob *job)
{
	while (job->part < job->request->nparts)
	{
		DbmazzSrPlan *plan = job->plans[job->part++];
		DbmazzRequest request = *job->request;

		take_part(job);
		dbmazz_sr_plan_body(plan, job->batch, &job->body);
		if (job->body.nrows == 0)
			continue;
		dbmazz_compress_close(job->compressor);
		job->compressor = NULL;
		request.batch = job->batch;
		dbmazz_sr_load_headers(&job->headers, job->config, &request, plan);
		dbmazz_sr_text_line(&job->headers, "db: %s", job->config->database);
		dbmazz_sr_text_line(&job->headers, "table: %s", job->target);
		dbmazz_sr_text_line(&job->headers, DBMAZZ_SR_OF_GROUPS);
		dbmazz_sr_transaction_path(job, "load");
		job->where = job->leader;
		job->step = DBMAZZ_SR_STEP_GROUP_REDIRECT;
		dbmazz_sr_call_there(job, "PUT", MAX_ANSWER);
		return;
	}
	job->part = 0;
	dbmazz_sr_group_confirmed(job);
}

/* The target of the part at hand has all columns; after the last one, commit. */
void
dbmazz_sr_group_confirmed(DbmazzSrJob *job)
{
	if (job->part == job->request->nparts)
	{
		commit(job);
		return;
	}
	dbmazz_sr_plan_release(job->plan);
	job->plan = job->plans[job->part++];
	job->plan->refs++;
	take_part(job);
	dbmazz_sr_target_confirm(job);
}

static void
rows_ended(DbmazzSrJob *job)
{
	if (job->step == DBMAZZ_SR_STEP_LOAD &&
		dbmazz_http_answer(job->transfer)->phase == DBMAZZ_HTTP_SENT)
	{
		send_part(job);
		return;
	}
	dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_MALFORMED, 0,
					 "StarRocks reported success before it had all rows");
	dbmazz_sr_finish(job, DBMAZZ_DOUBT);
}

static void
commit(DbmazzSrJob *job)
{
	set_call(job, "commit", DBMAZZ_SR_STEP_GROUP_COMMIT);
	job->where = job->leader;
	job->commit_sent = true;
	dbmazz_sr_call_there(job, "POST", MAX_ANSWER);
}

/*
 * An open transaction would stay at the server until its time limit, with a place
 * among those that may run.  What the server says to the rollback does not matter:
 * nobody commits it.  One in doubt is rolled back by whoever settles the label, who
 * does not go on before the server has said so.
 */
bool
dbmazz_sr_group_rolls_back(DbmazzSrJob *job, DbmazzOutcome *outcome)
{
	if (job->is_rolled_back)
	{
		job->completion = job->kept;
		job->part = job->kept.part;
		*outcome = job->kept.outcome;
		return false;
	}
	if (!job->is_open ||
		(*outcome != DBMAZZ_REJECT && *outcome != DBMAZZ_RETRY))
		return false;
	job->is_rolled_back = true;
	job->kept = job->completion;
	job->kept.outcome = *outcome;
	job->kept.part = job->part;
	dbmazz_sr_rollback(job, job->request->label);
	return true;
}

/*
 * A transaction that has begun is rolled back: in dbmazz_sr_finish(), or by whoever
 * settles the label.
 */
static void
failed(DbmazzSrJob *job)
{
	const DbmazzSrVerdict *verdict = &job->verdict;
	DbmazzError *err = &job->completion.error;
	bool		is_begin = job->step == DBMAZZ_SR_STEP_GROUP_BEGIN;

	job->completion.slow_down = verdict->slow_down;
	if (is_begin && verdict->reason == DBMAZZ_SR_NO_TABLE)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "StarRocks has no transactions of several tables");
		dbmazz_error_hint(err, "atomic=transaction needs StarRocks 4.0 or later. "
						  "Upgrade it, or set atomic=none for the pipeline with "
						  "dbmazz.alter_pipeline(); then start the pipeline.");
		dbmazz_sr_finish(job, DBMAZZ_REJECT);
	}
	else if (verdict->outcome == DBMAZZ_REJECT && job->batch != NULL)
		dbmazz_sr_rejected(job);
	else if (verdict->outcome == DBMAZZ_REJECT)
	{
		dbmazz_sr_hint_reason(err, verdict->reason, job->config->database,
							  NULL);
		dbmazz_sr_finish(job, DBMAZZ_REJECT);
	}
	else if (is_begin && verdict->reason != DBMAZZ_SR_TRANSPORT &&
			 verdict->outcome == DBMAZZ_RETRY)
		dbmazz_sr_fail(job);
	else
	{
		dbmazz_sr_hint_reason(err, verdict->reason, job->config->database,
							  job->batch != NULL ? job->batch->table : NULL);
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
	}
}
