/*
 * truncate.c
 *		TRUNCATE over the MySQL port, and the end of those of earlier tries.
 *
 * NOTES
 *	  A TRUNCATE has no label in the server's sense, so ours stands in it as a
 *	  comment, and SHOW FULL PROCESSLIST tells whether it is still at work.  The
 *	  server carries it to its end although its client is gone, and although it is
 *	  killed.  So it is waited for; and KILL QUERY asks it to end, never KILL,
 *	  which takes the session out of the list while the statement goes on.
 *
 *	  A session that sleeps is done with its statement, which the list goes on to
 *	  show: where the server has not noticed that we are gone, that lasts.
 *
 *	  A session that has not read its statement yet, in a server that stood still,
 *	  cannot be told from others of the same user that do nothing.  So if there are
 *	  any, SETTLE looks a second time, when the server has had time to read.  What
 *	  earlier lives sent was sent before the first look of this one, so the first
 *	  SETTLE waits for all, until a TRUNCATE is sent again.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/job.h"

#define COMMENT			"/* dbmazz %s */"
#define COMMENT_SIZE	160
#define LOOK_AGAIN_MS	100		/* until what was killed is gone */
#define IDLE_WAIT_MS	1000	/* until a statement has been read */

static void find_address(DbmazzSrJob *job);
static void connect_next(DbmazzSrJob *job);
static void send_statement(DbmazzSrJob *job, DbmazzSrStep step);
static void truncated(DbmazzSrJob *job, bool ok);
static void judge(DbmazzSrJob *job, const char *message);
static void listed(DbmazzSrJob *job);
static bool is_ours(const DbmazzSrJob *job, const char *statement);
static void kill_next(DbmazzSrJob *job);
static void pause_for(DbmazzSrJob *job, int64_t ms);
static void no_session(DbmazzSrJob *job, unsigned code, const char *message);
static void no_memory(DbmazzSrJob *job);

void
dbmazz_sr_truncate_start(DbmazzSrJob *job)
{
	DbmazzError *err = &job->completion.error;
	DbmazzSrText name = {0};

	if (job->config->has_mysql)
	{
		find_address(job);
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
dbmazz_sr_sessions_start(DbmazzSrJob *job)
{
	job->give_up_ms = dbmazz_http_now_ms() + job->config->request_timeout_ms;
	find_address(job);
}

/* libmariadb would wait for the lookup of a name. */
static void
find_address(DbmazzSrJob *job)
{
	const DbmazzUrl *url = &job->config->mysql;
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
		connect_next(job);
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
	memcpy(job->addresses, answer->addresses, sizeof(job->addresses));
	if (job->naddresses > 0)
	{
		dbmazz_sr_call_end(job);
		connect_next(job);
	}
	else
		no_session(job, 0, answer->error);
}

/* Try the next address. */
static void
connect_next(DbmazzSrJob *job)
{
	const DbmazzSrConfig *config = job->config;

	dbmazz_sr_port_end(job);
	job->step = DBMAZZ_SR_STEP_CONNECT;
	job->port = dbmazz_sr_port_open(job->addresses[job->address],
									config->mysql.port, config->user,
									config->password,
									config->connect_timeout_ms);
	job->port_serial = ++job->sr->port_serial | 0x80000000;
	if (job->port == NULL)
		no_memory(job);
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
	DbmazzSrPortState state = dbmazz_sr_port_poll(job->port);
	const char *message;
	unsigned	code = dbmazz_sr_port_error(job->port, &message);

	if (state == DBMAZZ_SR_PORT_BUSY)
		return;
	if (job->step == DBMAZZ_SR_STEP_PAUSE)
	{
		if (dbmazz_http_now_ms() >= job->resume_ms)
			send_statement(job, DBMAZZ_SR_STEP_LIST);
	}
	else if (job->step == DBMAZZ_SR_STEP_TRUNCATE)
		truncated(job, state == DBMAZZ_SR_PORT_READY);
	else if (state == DBMAZZ_SR_PORT_READY)
	{
		if (job->step == DBMAZZ_SR_STEP_CONNECT)
			send_statement(job, job->request->kind == DBMAZZ_REQUEST_TRUNCATE ?
						   DBMAZZ_SR_STEP_TRUNCATE : DBMAZZ_SR_STEP_LIST);
		else if (job->step == DBMAZZ_SR_STEP_LIST)
			listed(job);
		else
			kill_next(job);
	}
	else if (job->step == DBMAZZ_SR_STEP_KILL && code != 0)
		/* perhaps it has just ended; the next look tells */
		kill_next(job);
	else if (job->step == DBMAZZ_SR_STEP_CONNECT && code == 0 &&
			 ++job->address < job->naddresses)
		connect_next(job);
	else
		no_session(job, code, message);
}

void
dbmazz_sr_port_end(DbmazzSrJob *job)
{
	dbmazz_sr_port_close(job->port);
	job->port = NULL;
}

static void
send_statement(DbmazzSrJob *job, DbmazzSrStep step)
{
	DbmazzSrText *text = &job->post;

	job->step = step;
	dbmazz_sr_text_clear(text);
	if (step == DBMAZZ_SR_STEP_TRUNCATE)
	{
		dbmazz_sr_text_addf(text, "TRUNCATE TABLE ");
		dbmazz_sr_text_ident(text, job->config->database);
		dbmazz_sr_text_add(text, ".", 1);
		dbmazz_sr_text_ident(text, job->request->target);
		dbmazz_sr_text_addf(text, " " COMMENT, job->request->label);
		job->sr->looked_ms = 0;
	}
	else if (step == DBMAZZ_SR_STEP_LIST)
		dbmazz_sr_text_addf(text, "SHOW FULL PROCESSLIST");
	else
		dbmazz_sr_text_addf(text, "KILL QUERY %lu",
							job->kills[job->nkills]);
	if (text->failed)
		no_memory(job);
	else
		dbmazz_sr_port_query(job->port, text->data, text->len,
							 job->config->request_timeout_ms);
}

/* ---- TRUNCATE ------------------------------------------------------------ */

static void
truncated(DbmazzSrJob *job, bool ok)
{
	const char *message;
	unsigned	code = dbmazz_sr_port_error(job->port, &message);
	DbmazzError *err = &job->completion.error;

	if (ok)
		dbmazz_sr_finish(job, DBMAZZ_DONE);
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
	dbmazz_sr_finish(job, outcome);
}

/* ---- SETTLE -------------------------------------------------------------- */

static void
listed(DbmazzSrJob *job)
{
	unsigned long own = dbmazz_sr_port_id(job->port);
	int64_t		now = dbmazz_http_now_ms();
	bool		is_idle = false;

	job->nkills = 0;
	while (dbmazz_sr_port_next(job->port))
	{
		const char *id = dbmazz_sr_port_value(job->port, "Id");
		const char *user = dbmazz_sr_port_value(job->port, "User");
		const char *command = dbmazz_sr_port_value(job->port, "Command");
		const char *info = dbmazz_sr_port_value(job->port, "Info");
		bool		sleeps = command != NULL &&
		strcasecmp(command, "Sleep") == 0;
		unsigned long number = 0;

		if (id == NULL || sscanf(id, "%lu", &number) != 1 || number == own)
			continue;
		if (is_ours(job, info))
		{
			if (!sleeps && job->nkills < DBMAZZ_SR_MAX_KILLS)
				job->kills[job->nkills++] = number;
		}
		else if ((info == NULL || info[0] == '\0') &&
				 (user == NULL || strcmp(user, job->config->user) == 0))
			is_idle = true;
	}
	if (job->sr->looked_ms == 0)
		job->sr->looked_ms = now;
	if (job->nkills > 0)
		kill_next(job);
	else if (is_idle && now < job->sr->looked_ms + IDLE_WAIT_MS)
		pause_for(job, job->sr->looked_ms + IDLE_WAIT_MS - now);
	else
		dbmazz_sr_finish(job, DBMAZZ_DONE);
}

static bool
is_ours(const DbmazzSrJob *job, const char *statement)
{
	char		comment[COMMENT_SIZE];
	int			i;

	for (i = 0; statement != NULL && i < job->request->nlabels; i++)
	{
		(void) snprintf(comment, sizeof(comment), COMMENT,
						job->request->labels[i]);
		if (strstr(statement, comment) != NULL)
			return true;
	}
	return false;
}

/* One after another; then see what has become of them. */
static void
kill_next(DbmazzSrJob *job)
{
	if (dbmazz_http_now_ms() >= job->give_up_ms)
	{
		dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_LIMIT, 0,
						 "StarRocks has not yet ended an earlier TRUNCATE");
		dbmazz_error_hint(&job->completion.error, "SHOW FULL PROCESSLIST in "
						  "StarRocks shows its session.");
		dbmazz_sr_finish(job, DBMAZZ_RETRY);
	}
	else if (job->nkills > 0)
	{
		job->nkills--;
		send_statement(job, DBMAZZ_SR_STEP_KILL);
	}
	else
		pause_for(job, LOOK_AGAIN_MS);
}

static void
pause_for(DbmazzSrJob *job, int64_t ms)
{
	job->step = DBMAZZ_SR_STEP_PAUSE;
	job->resume_ms = dbmazz_http_now_ms() + ms;
}

/* ---- errors -------------------------------------------------------------- */

/* No statement that could change something was sent. */
static void
no_session(DbmazzSrJob *job, unsigned code, const char *message)
{
	const DbmazzUrl *url = &job->config->mysql;
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

static void
no_memory(DbmazzSrJob *job)
{
	dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_NO_SPACE, 0,
					 "out of memory");
	dbmazz_sr_finish(job, DBMAZZ_RETRY);
}
