/*
 * label.c
 *		What became of loads: RESOLVE and SETTLE.
 *
 * NOTES
 *	  Nothing here waits for a state to become final: the shipper asks again.
 *	  UNKNOWN counts as "not loaded", which is right as long as the server keeps
 *	  its labels longer than the shipper takes to ask.  But that nothing of a group
 *	  was committed is said only if the server says so: see is_aborted.
 */
#include <string.h>

#include "sinks/starrocks/job.h"

#define MAX_STATE_ANSWER	(64 * 1024)

static void resolved(DbmazzSrJob *job, DbmazzSrLabelState state);
static void settled(DbmazzSrJob *job, DbmazzSrLabelState state);
static void not_ended(DbmazzSrJob *job, const char *said);
static void cancel_label(DbmazzSrJob *job, const char *label);
static void settle_label(DbmazzSrJob *job);
static bool is_rolled_back(DbmazzSrJob *job);
static void note_end(DbmazzSrJob *job, DbmazzSrLabelState state);
static void all_settled(DbmazzSrJob *job);

void
dbmazz_sr_label_start(DbmazzSrJob *job)
{
	const DbmazzRequest *request = job->request;

	if (request->kind == DBMAZZ_REQUEST_RESOLVE)
		dbmazz_sr_ask_state(job, request->label);
	else if (request->nlabels <= 0)
		dbmazz_sr_finish(job, DBMAZZ_DONE);
	else
		settle_label(job);
}

void
dbmazz_sr_label_step(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzSrLabelState state;

	if (job->step == DBMAZZ_SR_STEP_CANCEL ||
		job->step == DBMAZZ_SR_STEP_ROLLBACK)
	{
		/* Whatever it says (finished meanwhile?), the state decides. */
		if (!job->request->of_groups || is_rolled_back(job))
			dbmazz_sr_ask_state(job, job->request->labels[job->label]);
		return;
	}
	state = dbmazz_sr_answer_state(answer, &job->verdict,
								   &job->completion.error);
	if (state == DBMAZZ_SR_LABEL_UNREADABLE)
		dbmazz_sr_fail(job);
	else if (job->request->kind == DBMAZZ_REQUEST_RESOLVE)
		resolved(job, state);
	else
		settled(job, state);
}

void
dbmazz_sr_ask_state(DbmazzSrJob *job, const char *label)
{
	job->step = DBMAZZ_SR_STEP_STATE;
	dbmazz_sr_text_clear(&job->post);
	dbmazz_sr_text_clear(&job->path);
	dbmazz_sr_text_addf(&job->path, "/api/");
	dbmazz_sr_text_url(&job->path, job->config->database);
	dbmazz_sr_text_addf(&job->path, "/get_load_state?label=");
	dbmazz_sr_text_url(&job->path, label);
	dbmazz_sr_call(job, "GET", MAX_STATE_ANSWER);
}

static void
resolved(DbmazzSrJob *job, DbmazzSrLabelState state)
{
	DbmazzError *err = &job->completion.error;

	if (state == DBMAZZ_SR_LABEL_COMMITTED && job->request->batch != NULL)
	{
		job->plan = dbmazz_sr_cache_first(job->sr, job->target,
										  job->request->label);
		dbmazz_sr_target_confirm(job);
	}
	else if (state == DBMAZZ_SR_LABEL_COMMITTED)
		dbmazz_sr_finish(job, DBMAZZ_DONE);
	else if (state == DBMAZZ_SR_LABEL_RUNNING ||
			 state == DBMAZZ_SR_LABEL_PREPARED)
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
	else if (state == DBMAZZ_SR_LABEL_ABORTED)
	{
		job->completion.is_aborted = true;
		dbmazz_sr_finish(job, DBMAZZ_RETRY);
	}
	else
	{
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
						 "StarRocks does not know the load");
		job->completion.is_forgotten = true;
		dbmazz_sr_finish(job, DBMAZZ_RETRY);
	}
}

static void
settled(DbmazzSrJob *job, DbmazzSrLabelState state)
{
	const DbmazzRequest *request = job->request;
	const char *label = request->labels[job->label];

	if (state != DBMAZZ_SR_LABEL_RUNNING && state != DBMAZZ_SR_LABEL_PREPARED)
	{
		note_end(job, state);
		job->label++;
		job->cancels = 0;
		if (job->label < request->nlabels)
			settle_label(job);
		else
			all_settled(job);
	}
	else if (job->cancels < 2 && !request->of_groups)
	{
		job->cancels++;
		/* only what is not prepared can be cancelled */
		if (state == DBMAZZ_SR_LABEL_PREPARED)
			dbmazz_sr_rollback(job, label);
		else
			cancel_label(job, label);
	}
	else
		not_ended(job, "");
}

static void
note_end(DbmazzSrJob *job, DbmazzSrLabelState state)
{
	job->saw_aborted |= state == DBMAZZ_SR_LABEL_ABORTED;
	job->saw_committed |= state == DBMAZZ_SR_LABEL_COMMITTED;
}

/*
 * Nothing was committed under a group's label?  It is one, for the lane's row is
 * written anew in front of the next attempt (dbmazz_lane_cover_label()).
 */
static void
all_settled(DbmazzSrJob *job)
{
	if (job->request->of_groups)
		job->completion.is_aborted = job->saw_aborted && !job->saw_committed;
	if (job->request->place != NULL)
		dbmazz_sr_settle_sessions(job);
	else
		dbmazz_sr_finish(job, DBMAZZ_DONE);
}

/* 'said' is what the server had to say on it. */
static void
not_ended(DbmazzSrJob *job, const char *said)
{
	dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_LIMIT, 0,
					 "StarRocks has not yet ended an earlier load");
	dbmazz_error_detail(&job->completion.error, "Its label is %s.%s%s",
						job->request->labels[job->label],
						said[0] != '\0' ? " " : "", said);
	dbmazz_sr_finish(job, DBMAZZ_RETRY);
}

/*
 * The label of a group may be unknown to the server until its commit.  What was
 * rolled back is not committed, nor begun again.
 */
static void
settle_label(DbmazzSrJob *job)
{
	const char *label = job->request->labels[job->label];

	if (job->request->of_groups)
		dbmazz_sr_rollback(job, label);
	else
		dbmazz_sr_ask_state(job, label);
}

/*
 * Did the server say something that makes the label's state final?  If not, the
 * job is finished.
 */
static bool
is_rolled_back(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzError *err = &job->completion.error;
	char		said[DBMAZZ_ERROR_MESSAGE];
	DbmazzSrLabelState state;

	state = dbmazz_sr_answer_ended(answer, job->request->labels[job->label],
								   &job->verdict, err);
	note_end(job, state);
	if (state != DBMAZZ_SR_LABEL_UNREADABLE)
		return true;
	if (job->verdict.reason == DBMAZZ_SR_TRANSPORT ||
		job->verdict.reason == DBMAZZ_SR_ACCESS ||
		job->verdict.reason == DBMAZZ_SR_OVERLOAD)
		dbmazz_sr_fail(job);
	else
	{
		strcpy(said, err->message);
		not_ended(job, said);
	}
	return false;
}

/* Older servers have the label in the place of the table. */
static void
cancel_label(DbmazzSrJob *job, const char *label)
{
	job->step = DBMAZZ_SR_STEP_CANCEL;
	dbmazz_sr_text_clear(&job->post);
	dbmazz_sr_text_clear(&job->path);
	dbmazz_sr_text_addf(&job->path, "/api/");
	dbmazz_sr_text_url(&job->path, job->config->database);
	dbmazz_sr_text_addf(&job->path, "/");
	if (job->cancels == 1)
	{
		dbmazz_sr_text_url(&job->path, job->request->target);
		dbmazz_sr_text_addf(&job->path, "/_cancel?label=");
		dbmazz_sr_text_url(&job->path, label);
	}
	else
	{
		dbmazz_sr_text_url(&job->path, label);
		dbmazz_sr_text_addf(&job->path, "/_cancel");
	}
	dbmazz_sr_call(job, "POST", MAX_STATE_ANSWER);
}
