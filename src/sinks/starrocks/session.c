/*
 * session.c
 *		The session of a job at the MySQL port: addresses, connecting, statements.
 *
 * NOTES
 *	  libmariadb would wait for the lookup of a name, so the HTTP client does that.
 */
#include "sinks/starrocks/session.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_STEPS		1000	/* rows of a list that are read in one go */

static bool step(DbmazzSrJob *job);

void
dbmazz_sr_session_start(DbmazzSrJob *job)
{
	const DbmazzUrl *url = &job->mysql;
	size_t		len = strlen(url->host);
	struct in_addr number;

	dbmazz_sr_call_end(job);
	dbmazz_sr_text_clear(&job->post);
	if (url->host[0] == '[' && len < DBMAZZ_HTTP_ADDRESS)
	{
		memcpy(job->addresses[0], url->host + 1, len - 2);
		job->naddresses = 1;
	}
	else if (inet_pton(AF_INET, url->host, &number) == 1)
	{
		strcpy(job->addresses[0], url->host);
		job->naddresses = 1;
	}
	if (job->naddresses > 0)
	{
		dbmazz_sr_sent_add(job);
		dbmazz_sr_session_connect(job);
		return;
	}
	job->step = DBMAZZ_SR_STEP_ADDRESS;
	job->where = *url;
	dbmazz_sr_text_clear(&job->path);
	dbmazz_sr_text_addf(&job->path, "/");
	dbmazz_sr_call_there(job, "GET", 0);
}

void
dbmazz_sr_port_resolved(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);

	job->naddresses = answer->naddresses;
	memcpy(job->addresses, answer->addresses, sizeof(answer->addresses));
	if (job->naddresses == 0)
		dbmazz_sr_session_fail(job, 0, answer->error);
	else if (job->naddresses == DBMAZZ_HTTP_ADDRESSES)
		dbmazz_sr_session_fail(job, 0,
							   "the name stands for too many addresses");
	else
	{
		dbmazz_sr_call_end(job);
		dbmazz_sr_sent_add(job);
		dbmazz_sr_session_connect(job);
	}
}

void
dbmazz_sr_session_connect(DbmazzSrJob *job)
{
	const DbmazzSrConfig *config = job->config;
	const char *host = job->mysql.host;
	const char *address = job->addresses[job->address];
	DbmazzSrPortTarget target = {0};

	dbmazz_sr_port_end(job);
	job->step = DBMAZZ_SR_STEP_CONNECT;
	job->looked_ms = 0;
	target.address = address;
	target.port = job->mysql.port;
	target.user = config->user;
	target.password = config->password;
	target.tls = dbmazz_sr_config_mysql_tls(config, host) ||
		dbmazz_sr_config_mysql_tls(config, address);
	target.tls_verify = config->tls_verify;
	target.host = host[0] == '[' ? address : host;
	target.ca_file = config->ca_file;
	job->port = dbmazz_sr_port_open(&target, config->connect_timeout_ms);
	job->port_serial = ++job->sr->port_serial | 0x80000000;
	if (job->port == NULL)
		dbmazz_sr_session_no_memory(job);
}

bool
dbmazz_sr_port_waits(const DbmazzSrJob *job, DbmazzSinkSocket *socket,
					 int64_t *deadline_ms)
{
	if (job->port == NULL)
		return false;
	memset(socket, 0, sizeof(*socket));
	socket->fd = -1;
	socket->serial = job->port_serial;
	if (job->step == DBMAZZ_SR_STEP_PAUSE)
		*deadline_ms = job->resume_ms;
	else
		socket->fd = dbmazz_sr_port_socket(job->port, &socket->want_read,
										   &socket->want_write, deadline_ms);
	return true;
}

void
dbmazz_sr_port_step(DbmazzSrJob *job)
{
	int			i;

	for (i = 0; i < MAX_STEPS && step(job); i++)
		;
}

/* True if more can be done at once; false if the job waits, or has ended. */
static bool
step(DbmazzSrJob *job)
{
	DbmazzSrPortState state = dbmazz_sr_port_poll(job->port);
	const char *message;
	unsigned	code = dbmazz_sr_port_error(job->port, &message);
	bool		settles = job->request->kind == DBMAZZ_REQUEST_SETTLE;

	if (state == DBMAZZ_SR_PORT_BUSY)
		return false;
	if (job->step == DBMAZZ_SR_STEP_PAUSE)
	{
		if (dbmazz_http_now_ms() >= job->resume_ms)
			dbmazz_sr_session_send(job, DBMAZZ_SR_STEP_LIST);
	}
	else if (job->step == DBMAZZ_SR_STEP_TRUNCATE)
		dbmazz_sr_truncate_step(job, state == DBMAZZ_SR_PORT_READY);
	else if (state == DBMAZZ_SR_PORT_READY)
	{
		if (job->step == DBMAZZ_SR_STEP_CONNECT)
			dbmazz_sr_session_send(job, settles ? DBMAZZ_SR_STEP_LIST :
						   DBMAZZ_SR_STEP_TRUNCATE);
		else if (job->step == DBMAZZ_SR_STEP_KILL)
			dbmazz_sr_settle_kill(job);
		else
			return dbmazz_sr_settle_list(job);
	}
	else if (job->step == DBMAZZ_SR_STEP_KILL && code != 0)
		/* perhaps it has just ended; the next look tells */
		dbmazz_sr_settle_kill(job);
	else if (job->step == DBMAZZ_SR_STEP_CONNECT && code == 0 && settles)
		dbmazz_sr_settle_refused(job, message);
	else if (job->step == DBMAZZ_SR_STEP_CONNECT && code == 0 &&
			 job->address + 1 < job->naddresses)
	{
		job->address++;
		dbmazz_sr_session_connect(job);
	}
	else
		dbmazz_sr_session_fail(job, code, message);
	return false;
}

void
dbmazz_sr_port_end(DbmazzSrJob *job)
{
	dbmazz_sr_port_close(job->port);
	job->port = NULL;
}

void
dbmazz_sr_session_send(DbmazzSrJob *job, DbmazzSrStep step)
{
	DbmazzSrText *text = &job->post;

	job->step = step;
	dbmazz_sr_text_clear(text);
	if (step == DBMAZZ_SR_STEP_TRUNCATE)
	{
		dbmazz_sr_text_addf(text, DBMAZZ_SR_COMMENT " TRUNCATE TABLE ",
							job->request->label);
		dbmazz_sr_text_ident(text, job->config->database);
		dbmazz_sr_text_add(text, ".", 1);
		dbmazz_sr_text_ident(text, job->request->target);
	}
	else if (step == DBMAZZ_SR_STEP_LIST)
	{
		dbmazz_sr_text_addf(text, "SHOW PROCESSLIST");
		job->has_list = false;
		job->is_idle = false;
		job->nkills = 0;
	}
	else
		dbmazz_sr_text_addf(text, "KILL QUERY %lu",
							job->kills[job->nkills]);
	if (text->failed ||
		(step == DBMAZZ_SR_STEP_TRUNCATE && !dbmazz_sr_sent_note(job)))
		dbmazz_sr_session_no_memory(job);
	else
		dbmazz_sr_port_query(job->port, text->data, text->len,
							 job->config->request_timeout_ms);
}

void
dbmazz_sr_session_pause(DbmazzSrJob *job, int64_t ms)
{
	job->step = DBMAZZ_SR_STEP_PAUSE;
	job->resume_ms = dbmazz_http_now_ms() + ms;
}

void
dbmazz_sr_session_fail(DbmazzSrJob *job, unsigned code, const char *message)
{
	const DbmazzUrl *url = &job->mysql;
	DbmazzError *err = &job->completion.error;
	bool		is_denied = code != 0 &&
	dbmazz_sr_answer_reason(message) == DBMAZZ_SR_ACCESS;

	dbmazz_sr_answer_text(err, DBMAZZ_SR_TRANSIENT,
						  "request to StarRocks' MySQL port failed", message);
	dbmazz_error_detail(err, "It was sent to %s:%d.", url->host, url->port);
	if (is_denied)
		dbmazz_error_hint(err, "Check user and password of the destination.");
	job->completion.slow_down = is_denied;
	dbmazz_sr_finish(job, DBMAZZ_RETRY);
}

void
dbmazz_sr_session_no_memory(DbmazzSrJob *job)
{
	dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_NO_SPACE, 0,
					 "out of memory");
	dbmazz_sr_finish(job, DBMAZZ_RETRY);
}
