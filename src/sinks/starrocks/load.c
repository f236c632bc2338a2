/*
 * load.c
 *		LOAD: redirect, rows, and what the backend says about them.  Rejected rows
 *		are also PREPARE's.  What comes before and behind is in target.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/errorlog.h"
#include "sinks/starrocks/job.h"
#include "sinks/starrocks/names.h"

#define MAX_LOAD_ANSWER		(1024 * 1024)
#define MAX_ERROR_LOG		4096

static void send_rows(DbmazzSrJob *job);
static void redirect_ended(DbmazzSrJob *job);
static void take_first_plan(DbmazzSrJob *job);
static void load_ended(DbmazzSrJob *job);
static bool ask_error_log(DbmazzSrJob *job);
static void error_log_ended(DbmazzSrJob *job);
static void state_ended(DbmazzSrJob *job);

void
dbmazz_sr_load_start(DbmazzSrJob *job)
{
	if (!dbmazz_sr_check_table_name(job->target,
									&job->completion.error))
	{
		dbmazz_sr_hint_row_name(&job->completion.error);
		dbmazz_sr_finish(job, DBMAZZ_REJECT);
		return;
	}
	job->plan = dbmazz_sr_cache_plan(job->sr, job->batch->table);
	if (job->plan != NULL)
		dbmazz_sr_load_send(job);
	else
		dbmazz_sr_target_read(job);
}

void
dbmazz_sr_load_step(DbmazzSrJob *job)
{
	switch (job->step)
	{
		case DBMAZZ_SR_STEP_REDIRECT:
			redirect_ended(job);
			break;
		case DBMAZZ_SR_STEP_LOAD:
			if (job->request->kind == DBMAZZ_REQUEST_PREPARE)
				dbmazz_sr_transaction_step(job);
			else if (job->request->kind == DBMAZZ_REQUEST_GROUP)
				dbmazz_sr_group_step(job);
			else
				load_ended(job);
			break;
		case DBMAZZ_SR_STEP_BEGIN:
		case DBMAZZ_SR_STEP_PREPARE:
			dbmazz_sr_transaction_step(job);
			break;
		case DBMAZZ_SR_STEP_GROUP_BEGIN:
		case DBMAZZ_SR_STEP_GROUP_REDIRECT:
		case DBMAZZ_SR_STEP_GROUP_COMMIT:
		case DBMAZZ_SR_STEP_ROLLBACK:
			dbmazz_sr_group_step(job);
			break;
		case DBMAZZ_SR_STEP_ERROR_LOG:
			error_log_ended(job);
			break;
		default:
			state_ended(job);
			break;
	}
}

/* Send the rows to a backend, which a frontend names. */
void
dbmazz_sr_load_send(DbmazzSrJob *job)
{
	if (job->request->kind == DBMAZZ_REQUEST_GROUP)
	{
		dbmazz_sr_group_planned(job);
		return;
	}
	dbmazz_sr_plan_body(job->plan, job->batch, &job->body);
	if (job->body.nrows == 0)
	{
		/* The server takes an empty load for an error. */
		dbmazz_sr_finish(job, DBMAZZ_DONE);
		return;
	}
	if (job->request->kind == DBMAZZ_REQUEST_PREPARE)
	{
		dbmazz_sr_transaction_begin(job);
		return;
	}
	dbmazz_sr_load_headers(&job->headers, job->config, job->request,
						   job->plan);
	dbmazz_sr_load_path(&job->path, job->config, job->target);
	dbmazz_sr_text_clear(&job->post);
	if (dbmazz_sr_backend_take(job))
	{
		send_rows(job);
		return;
	}
	job->step = DBMAZZ_SR_STEP_REDIRECT;
	dbmazz_sr_call(job, "PUT", MAX_LOAD_ANSWER);
}

/* job->where is the backend. */
static void
send_rows(DbmazzSrJob *job)
{
	/* what other settings made is no plan for those that come later */
	job->is_first =
		dbmazz_sr_cache_sent(job->sr, job->target, job->request->label,
							 job->config == job->sr->config ? job->plan : NULL);
	job->step = DBMAZZ_SR_STEP_LOAD;
	dbmazz_sr_call_there(job, "PUT", MAX_LOAD_ANSWER);
}

static void
redirect_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzError *err = &job->completion.error;

	if (answer->status == 307 && answer->complete)
	{
		if (dbmazz_sr_take_redirect(job, answer))
			send_rows(job);
		return;
	}

	/*
	 * A frontend that answers itself has something to complain about; but not
	 * about rows, for it has seen none.
	 */
	dbmazz_sr_answer_error(answer, &job->verdict, err);
	if (job->verdict.outcome == DBMAZZ_DONE ||
		job->verdict.reason == DBMAZZ_SR_DATA ||
		job->verdict.reason == DBMAZZ_SR_UNREADABLE)
	{
		job->verdict.outcome = DBMAZZ_RETRY;
		job->verdict.reason = DBMAZZ_SR_TRANSPORT;
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "StarRocks did not name a backend to send rows to");
		dbmazz_error_hint(err, "The option url must name frontends, by their "
						  "HTTP port (8030 by default).");
	}
	dbmazz_sr_fail(job);
}

/*
 * The rows were loaded by an earlier attempt: what it was sent by counts.  Of one
 * that is not known to have been, nobody knows.
 */
static void
take_first_plan(DbmazzSrJob *job)
{
	dbmazz_sr_plan_release(job->plan);
	job->plan = job->is_first ? NULL :
		dbmazz_sr_cache_first(job->sr, job->target, job->request->label);
}

static void
load_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzSrVerdict *verdict = &job->verdict;

	job->completion.bytes = answer->bytes_sent;
	if (job->is_reused && answer->phase == DBMAZZ_HTTP_UNSENT &&
		(answer->status == 0 || answer->status == 307))
	{
		/* no backend any more, perhaps */
		dbmazz_sr_backend_shun(job);
		dbmazz_sr_load_send(job);
		return;
	}
	if (answer->status == 307 && answer->complete &&
		answer->phase == DBMAZZ_HTTP_UNSENT)
	{
		/* it is not followed, and the job is finished */
		(void) dbmazz_sr_take_redirect(job, answer);
		return;
	}
	dbmazz_sr_answer_load(answer, job->request->label, job->body.nrows,
						  verdict, &job->completion.error);
	job->completion.slow_down = verdict->slow_down;
	if (verdict->outcome == DBMAZZ_DONE)
		dbmazz_sr_backend_give(job);
	else
		dbmazz_sr_backend_shun(job);
	if (verdict->is_earlier)
		take_first_plan(job);
	if (verdict->outcome == DBMAZZ_DONE && verdict->ask_state)
		dbmazz_sr_ask_state(job, job->request->label);
	else if (verdict->outcome == DBMAZZ_REJECT)
		dbmazz_sr_rejected(job);
	else if (verdict->outcome == DBMAZZ_DONE)
		dbmazz_sr_target_confirm(job);
	else if (answer->phase == DBMAZZ_HTTP_UNSENT &&
			 verdict->outcome == DBMAZZ_RETRY)
		dbmazz_sr_fail(job);
	else
		dbmazz_sr_finish(job, verdict->outcome);
}

/* Perhaps our picture of the target was out of date. */
void
dbmazz_sr_rejected(DbmazzSrJob *job)
{
	const DbmazzTableDesc *desc = job->batch->table;

	dbmazz_sr_cache_forget(job->sr, job->target);
	dbmazz_sr_hint_reason(&job->completion.error, job->verdict.reason,
						  job->config->database, desc);
	if (job->verdict.reason == DBMAZZ_SR_UNREADABLE &&
		job->config->compression != DBMAZZ_COMPRESS_NONE)
		dbmazz_error_hint(&job->completion.error, "StarRocks before 3.2.7 "
						  "does not read compressed JSON: set the option "
						  "compression to none.");
	if (job->verdict.error_url[0] != '\0')
	{
		char		url[DBMAZZ_SR_ERROR_URL];

		dbmazz_sr_clean(url, sizeof(url), job->verdict.error_url,
						strlen(job->verdict.error_url));
		dbmazz_error_detail(&job->completion.error,
							"StarRocks tells about the rows at %s.", url);
		if (ask_error_log(job))
			return;
	}
	dbmazz_sr_finish(job, DBMAZZ_REJECT);
}

/*
 * Get the log of bad rows, but only from the backend that had them: the answer
 * must not make us call any address.  False: not done.
 */
static bool
ask_error_log(DbmazzSrJob *job)
{
	const DbmazzSrConfig *config = job->config;
	const char *text = job->verdict.error_url;
	const char *why;
	DbmazzUrl	url;

	if (!dbmazz_url_parse(text, strlen(text), &url, &why) || !url.has_scheme)
		return false;
	if (strcmp(url.host, job->named.host) != 0 &&
		strcmp(url.host, job->where.host) != 0)
		return false;
	dbmazz_sr_text_clear(&job->path);
	dbmazz_sr_text_addf(&job->path, "%s", url.path);
	if (config->has_backend)
	{
		url = job->where;
		url.path = "";
	}
	if (!dbmazz_sr_call_allowed(job, &url))
		return false;
	job->where = url;
	job->where.path = "";
	job->step = DBMAZZ_SR_STEP_ERROR_LOG;
	dbmazz_sr_call_there(job, "GET", MAX_ERROR_LOG);
	return true;
}

/* It is only for the message; a log that cannot be had changes nothing. */
static void
error_log_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	char		lines[DBMAZZ_ERROR_DETAIL];

	if (answer->status == 200)
	{
		DbmazzSrBadRow bad;

		dbmazz_sr_error_log(answer->body, answer->body_len,
							job->batch->table, lines, sizeof(lines),
							&bad);
		if (lines[0] != '\0')
			dbmazz_error_detail(&job->completion.error, "%s", lines);
		if (bad.column >= 0)
			dbmazz_sr_hint_modify(&job->completion.error,
								  job->config->database,
								  job->batch->table, bad.column,
								  bad.is_null);
	}
	dbmazz_sr_finish(job, DBMAZZ_REJECT);
}

/* Publish Timeout, or a group's commit: committed, if the state says so. */
static void
state_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzSrLabelState state;

	state = dbmazz_sr_answer_state(answer, &job->verdict,
								   &job->completion.error);
	if (state == DBMAZZ_SR_LABEL_COMMITTED && job->batch == NULL)
		dbmazz_sr_finish(job, DBMAZZ_DONE);
	else if (state == DBMAZZ_SR_LABEL_COMMITTED)
		dbmazz_sr_target_confirm(job);
	else
	{
		if (job->completion.error.message[0] == '\0')
			dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_LIMIT, 0,
							 "StarRocks does not know a load that it has "
							 "committed");
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
	}
}
