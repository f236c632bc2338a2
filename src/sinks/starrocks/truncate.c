/*
 * truncate.c
 *		TRUNCATE over the MySQL port.
 */
#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/session.h"

static void judge(DbmazzSrJob *job, const char *message);

void
dbmazz_sr_truncate_start(DbmazzSrJob *job)
{
	DbmazzError *err = &job->completion.error;
	DbmazzSrText name = {0};

	if (job->config->has_mysql)
	{
		job->mysql = job->config->mysql;
		dbmazz_sr_session_start(job);
		return;
	}
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "target table \"%s\" cannot be truncated without the "
					 "address of StarRocks' MySQL port", job->request->target);
	dbmazz_sr_text_ident(&name, job->config->database);
	dbmazz_sr_text_add(&name, ".", 1);
	dbmazz_sr_text_ident(&name, job->request->target);
	if (!name.failed)
		dbmazz_error_hint(err, "Set dbmazz.starrocks_mysql_address (option "
						  "mysql_address of a foreign server), then stop and "
						  "start the pipeline. Or run in StarRocks: TRUNCATE "
						  "TABLE %s; and start the pipeline with "
						  "truncate_mode=ignore until it is past this place.",
						  name.data);
	dbmazz_sr_text_free(&name);
	dbmazz_sr_finish(job, DBMAZZ_REJECT);
}

void
dbmazz_sr_truncate_step(DbmazzSrJob *job, bool ok)
{
	const char *message;
	unsigned	code = dbmazz_sr_port_error(job->port, &message);
	DbmazzError *err = &job->completion.error;

	if (ok)
	{
		dbmazz_sr_sent_forget(job->sr, job->request->label);
		dbmazz_sr_finish(job, DBMAZZ_DONE);
	}
	else if (code != 0)
		judge(job, message);
	else
	{
		dbmazz_sr_answer_text(err, DBMAZZ_SR_UNCERTAIN,
							  "StarRocks did not tell what became of a TRUNCATE",
							  message);
		dbmazz_error_hint(err, "If it takes longer than "
						  "dbmazz.starrocks_request_timeout (option "
						  "request_timeout), set that to more.");
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
	}
}

/*
 * The server refused.  What we do not know may be a frontend that has lost
 * sight of the statement, not the statement's end: that is doubt.
 */
static void
judge(DbmazzSrJob *job, const char *message)
{
	DbmazzError *err = &job->completion.error;
	DbmazzSrReason reason = dbmazz_sr_answer_reason(message);
	DbmazzOutcome outcome = DBMAZZ_DOUBT;

	if (reason == DBMAZZ_SR_FINE)
		reason = DBMAZZ_SR_UNCERTAIN;
	if (reason == DBMAZZ_SR_ACCESS || reason == DBMAZZ_SR_NO_TABLE ||
		reason == DBMAZZ_SR_NO_DATABASE || reason == DBMAZZ_SR_SCHEMA)
		outcome = DBMAZZ_REJECT;
	dbmazz_sr_answer_text(err, outcome == DBMAZZ_REJECT ? DBMAZZ_SR_REFUSED :
						  reason, "StarRocks refused a TRUNCATE", message);
	if (reason == DBMAZZ_SR_ACCESS)
		dbmazz_error_hint(err, "The user of the destination needs the DROP "
						  "privilege on table \"%s\".", job->request->target);
	else if (reason == DBMAZZ_SR_NO_DATABASE)
		dbmazz_sr_hint_reason(err, reason, job->config->database, NULL);
	else if (outcome == DBMAZZ_REJECT)
		dbmazz_error_hint(err, "Create table \"%s\" in the database of the "
						  "destination; dbmazz.target_ddl() shows the "
						  "statement.", job->request->target);
	if (outcome == DBMAZZ_REJECT)
		dbmazz_sr_sent_forget(job->sr, job->request->label);
	dbmazz_sr_finish(job, outcome);
}
