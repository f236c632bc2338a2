/*
 * transaction.c
 *		PREPARE and COMMIT: the transaction interface, for one table.
 *
 * NOTES
 *	  A transaction that is not prepared is in the memory of the backend that its
 *	  begin went to.  So the rows and the prepare go straight to that one; commit
 *	  goes to a frontend, which needs no backend for what is prepared.
 *
 *	  When a call fails, there may be a transaction left, which cannot commit
 *	  without us.  Where the server says that it refused, it has rolled back; else
 *	  the outcome is in doubt, and SETTLE takes away what there is.
 */
#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/job.h"

#define MAX_ANSWER		(1024 * 1024)

static void call_ended(DbmazzSrJob *job);
static void send_rows(DbmazzSrJob *job);
static void rows_ended(DbmazzSrJob *job);
static void prepare_ended(DbmazzSrJob *job);
static void failed(DbmazzSrJob *job);

void
dbmazz_sr_transaction_path(DbmazzSrJob *job, const char *call)
{
	dbmazz_sr_text_clear(&job->post);
	dbmazz_sr_text_clear(&job->path);
	dbmazz_sr_text_addf(&job->path, "/api/transaction/%s", call);
}

void
dbmazz_sr_transaction_headers(DbmazzSrJob *job, const char *label,
							  const char *target)
{
	DbmazzSrText *headers = &job->headers;

	dbmazz_sr_text_clear(headers);
	dbmazz_sr_text_line(headers, "label: %s", label);
	dbmazz_sr_text_line(headers, "db: %s", job->config->database);
	if (target != NULL)
		dbmazz_sr_text_line(headers, "table: %s", target);
}

void
dbmazz_sr_transaction_begin(DbmazzSrJob *job)
{
	int64_t		timeout_s = (job->config->load_timeout_ms + 999) / 1000;

	dbmazz_sr_transaction_headers(job, job->request->label, job->target);
	dbmazz_sr_text_line(&job->headers, "timeout: %lld", (long long) timeout_s);
	dbmazz_sr_transaction_path(job, "begin");
	job->step = DBMAZZ_SR_STEP_BEGIN;
	dbmazz_sr_call(job, "POST", MAX_ANSWER);
}

void
dbmazz_sr_transaction_step(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);

	/* the first names a backend, or the leader, which names one */
	if (job->step == DBMAZZ_SR_STEP_BEGIN && answer->status == 307 &&
		answer->complete)
	{
		if (dbmazz_sr_take_redirect(job, answer))
			dbmazz_sr_call_there(job, "POST", MAX_ANSWER);
		return;
	}
	if (job->step == DBMAZZ_SR_STEP_LOAD)
		rows_ended(job);
	else
		call_ended(job);
}

static void
call_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);

	if (!dbmazz_sr_answer_call(answer, job->request->label, &job->verdict,
							   &job->completion.error))
		failed(job);
	else if (job->step == DBMAZZ_SR_STEP_BEGIN)
		send_rows(job);
	else if (job->step == DBMAZZ_SR_STEP_PREPARE)
		prepare_ended(job);
	else
		dbmazz_sr_finish(job, DBMAZZ_DONE);
}

static void
send_rows(DbmazzSrJob *job)
{
	dbmazz_sr_load_headers(&job->headers, job->config, job->request,
						   job->plan);
	dbmazz_sr_text_line(&job->headers, "db: %s", job->config->database);
	dbmazz_sr_text_line(&job->headers, "table: %s", job->target);
	dbmazz_sr_transaction_path(job, "load");
	job->step = DBMAZZ_SR_STEP_LOAD;
	dbmazz_sr_call_there(job, "PUT", MAX_ANSWER);
}

static void
rows_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);

	job->completion.bytes = answer->bytes_sent;
	if (!dbmazz_sr_answer_call(answer, job->request->label, &job->verdict,
							   &job->completion.error))
	{
		failed(job);
		return;
	}
	if (answer->phase != DBMAZZ_HTTP_SENT)
	{
		dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks reported success before it had all rows");
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
		return;
	}
	dbmazz_sr_transaction_headers(job, job->request->label, job->target);
	dbmazz_sr_text_line(&job->headers, "prepared_timeout: %d",
						DBMAZZ_PREPARED_HOLD_S);
	dbmazz_sr_transaction_path(job, "prepare");
	job->step = DBMAZZ_SR_STEP_PREPARE;
	dbmazz_sr_call_there(job, "POST", MAX_ANSWER);
}

/* It must have all rows: what is missing here would be missing for good. */
static void
prepare_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzError *err = &job->completion.error;
	double		nrows = dbmazz_sr_answer_loaded(answer);

	if (nrows == (double) job->body.nrows)
	{
		dbmazz_sr_target_confirm(job);
		return;
	}
	if (nrows < 0)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks did not say how many rows it loaded");
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
		return;
	}
	dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
					 "StarRocks loaded %.0f rows of the %llu that were sent",
					 nrows, (unsigned long long) job->body.nrows);
	dbmazz_error_detail(err, "The load is prepared under the label %s; it will "
						"not be committed.", job->request->label);
	dbmazz_sr_finish(job, DBMAZZ_REJECT);
}

/*
 * Where the server has refused to begin, nothing is left.  Later the transaction
 * may be there.
 */
static void
failed(DbmazzSrJob *job)
{
	const DbmazzSrVerdict *verdict = &job->verdict;
	bool		is_refusal = !job->fixed ||
		(verdict->reason != DBMAZZ_SR_TRANSPORT &&
		 dbmazz_http_answer(job->transfer)->status == 200);

	if (verdict->outcome == DBMAZZ_REJECT && job->batch != NULL)
		dbmazz_sr_rejected(job);
	else if (job->step == DBMAZZ_SR_STEP_BEGIN && is_refusal &&
			 verdict->outcome == DBMAZZ_RETRY)
		dbmazz_sr_fail(job);
	else
	{
		job->completion.slow_down = verdict->slow_down;
		dbmazz_sr_hint_reason(&job->completion.error, verdict->reason,
							  job->config->database,
							  job->batch != NULL ?
							  job->batch->table : NULL);
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
	}
}

/* Of what is prepared, or of a group; any frontend does it. */
static void
end_transaction(DbmazzSrJob *job, const char *label, const char *call,
				DbmazzSrStep step)
{
	dbmazz_sr_transaction_headers(job, label, NULL);
	if (job->request->of_groups ||
		job->request->kind == DBMAZZ_REQUEST_GROUP)
		dbmazz_sr_text_line(&job->headers, DBMAZZ_SR_OF_GROUPS);
	dbmazz_sr_transaction_path(job, call);
	job->step = step;
	dbmazz_sr_call(job, "POST", MAX_ANSWER);
}

void
dbmazz_sr_commit_start(DbmazzSrJob *job)
{
	end_transaction(job, job->request->label, "commit",
					DBMAZZ_SR_STEP_COMMIT);
}

void
dbmazz_sr_rollback(DbmazzSrJob *job, const char *label)
{
	end_transaction(job, label, "rollback", DBMAZZ_SR_STEP_ROLLBACK);
}
