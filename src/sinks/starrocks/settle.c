/*
 * settle.c
 *		The end of TRUNCATEs whose outcome is unknown.
 *
 * NOTES
 *	  A TRUNCATE has no label in the server's sense, so ours stands in front of it
 *	  as a comment, and SHOW PROCESSLIST tells whether it is still at work.  The
 *	  server carries it to its end although its client is gone, and although it is
 *	  killed.  So it is waited for; and KILL QUERY asks it to end, never KILL,
 *	  which takes the session out of the list while the statement goes on.
 *
 *	  A session that sleeps is done with its statement, which the list goes on to
 *	  show: where the server has not noticed that we are gone, that lasts.
 *
 *	  A session that has not read its statement yet, in a server that stood still,
 *	  cannot be told from others of the same user that do nothing.  So if there are
 *	  any, SETTLE looks a second time, when the server has had time to read.
 *
 *	  A frontend lists its own sessions only.  So SETTLE looks at every address
 *	  that the name stands for, and at those that it stood for when a TRUNCATE of
 *	  this life was sent; each must answer, or refuse the connection, for then
 *	  nobody is there to have a session.  See "TRUNCATE whose outcome is unknown" in
 *	  src/README.md for what that leaves open.
 */
#include "sinks/starrocks/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOOK_AGAIN_MS	100		/* until what was killed is gone */
#define IDLE_WAIT_MS	1000	/* until a statement has been read */

static void next_address(DbmazzSrJob *job);
static void note_session(DbmazzSrJob *job);
static bool is_ours(const DbmazzSrJob *job, const char *statement);
static void listed(DbmazzSrJob *job);

void
dbmazz_sr_settle_sessions(DbmazzSrJob *job)
{
	const char *place = job->request->place;
	const char *why;

	job->give_up_ms = dbmazz_http_now_ms() + job->config->request_timeout_ms;
	if (dbmazz_url_parse(place, strlen(place), &job->mysql, &why) &&
		job->mysql.port != 0)
	{
		job->mysql.path = "";
		dbmazz_sr_session_start(job);
		return;
	}
	dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_MALFORMED, 0,
					 "the address that an earlier TRUNCATE was sent to is not "
					 "valid");
	dbmazz_sr_finish(job, DBMAZZ_RETRY);
}

/*
 * TRUNCATE takes any address of the name.  SETTLE needs an answer of all, but for
 * those where nobody listens, and so has no session.
 */
void
dbmazz_sr_settle_refused(DbmazzSrJob *job, const char *message)
{
	bool		is_last = job->address + 1 == job->naddresses;

	if (job->request->kind != DBMAZZ_REQUEST_SETTLE)
	{
		if (is_last)
			dbmazz_sr_session_fail(job, 0, message);
		else
		{
			job->address++;
			dbmazz_sr_session_connect(job);
		}
	}
	else if (!dbmazz_sr_port_refused(job->port) ||
			 (is_last && job->nlooked == 0))
		dbmazz_sr_session_fail(job, 0, message);
	else
		next_address(job);
}

/* No statement of ours is at work at this one. */
static void
next_address(DbmazzSrJob *job)
{
	int			i;

	if (++job->address < job->naddresses)
	{
		dbmazz_sr_session_connect(job);
		return;
	}
	for (i = 0; i < job->request->nlabels; i++)
		dbmazz_sr_sent_forget(job->sr, job->request->labels[i]);
	dbmazz_sr_finish(job, DBMAZZ_DONE);
}

/* The statement's answer, or a row of it, is there. */
bool
dbmazz_sr_settle_list(DbmazzSrJob *job)
{
	if (job->has_list && !dbmazz_sr_port_row(job->port))
	{
		listed(job);
		return false;
	}
	if (job->has_list)
		note_session(job);
	job->has_list = true;
	dbmazz_sr_port_next(job->port);
	return true;
}

/* A row of the list. */
static void
note_session(DbmazzSrJob *job)
{
	const char *id = dbmazz_sr_port_value(job->port, "Id");
	const char *user = dbmazz_sr_port_value(job->port, "User");
	const char *command = dbmazz_sr_port_value(job->port, "Command");
	const char *info = dbmazz_sr_port_value(job->port, "Info");
	unsigned long number = 0;

	if (id == NULL || sscanf(id, "%lu", &number) != 1 ||
		number == dbmazz_sr_port_id(job->port))
		return;
	if (is_ours(job, info))
	{
		if ((command == NULL || strcasecmp(command, "Sleep") != 0) &&
			job->nkills < DBMAZZ_SR_MAX_KILLS)
			job->kills[job->nkills++] = number;
	}
	else if ((info == NULL || info[0] == '\0') &&
			 (user == NULL || strcmp(user, job->config->user) == 0))
		job->is_idle = true;
}

static bool
is_ours(const DbmazzSrJob *job, const char *statement)
{
	char		comment[DBMAZZ_SR_COMMENT_SIZE];
	size_t		len;
	int			i;

	for (i = 0; statement != NULL && i < job->request->nlabels; i++)
	{
		(void) snprintf(comment, sizeof(comment), DBMAZZ_SR_COMMENT,
						job->request->labels[i]);
		len = strlen(comment);
		if (len > DBMAZZ_SR_LISTED)
			len = DBMAZZ_SR_LISTED;
		if (strncmp(statement, comment, len) == 0)
			return true;
	}
	return false;
}

static void
listed(DbmazzSrJob *job)
{
	int64_t		now = dbmazz_http_now_ms();

	if (job->looked_ms == 0)
		job->looked_ms = now;
	if (job->nkills > 0)
		dbmazz_sr_settle_kill(job);
	else if (job->is_idle && now < job->looked_ms + IDLE_WAIT_MS)
		dbmazz_sr_session_pause(job, job->looked_ms + IDLE_WAIT_MS - now);
	else
	{
		job->nlooked++;
		next_address(job);
	}
}

/* One after another; then see what has become of them. */
void
dbmazz_sr_settle_kill(DbmazzSrJob *job)
{
	if (dbmazz_http_now_ms() >= job->give_up_ms)
	{
		dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_LIMIT, 0,
						 "StarRocks has not yet ended an earlier TRUNCATE");
		dbmazz_error_hint(&job->completion.error, "SHOW PROCESSLIST in "
						  "StarRocks shows its session.");
		dbmazz_sr_finish(job, DBMAZZ_RETRY);
	}
	else if (job->nkills > 0)
	{
		job->nkills--;
		dbmazz_sr_session_send(job, DBMAZZ_SR_STEP_KILL);
	}
	else
		dbmazz_sr_session_pause(job, LOOK_AGAIN_MS);
}

/* ---- where statements were sent ------------------------------------------ */

/*
 * Where it is sent, before it is: a name may stand for other addresses when SETTLE
 * asks.  False: out of memory.
 */
bool
dbmazz_sr_sent_note(DbmazzSrJob *job)
{
	DbmazzSrSent *sent = calloc(1, sizeof(*sent));

	if (sent == NULL)
		return false;
	(void) snprintf(sent->label, sizeof(sent->label), "%s",
					job->request->label);
	memcpy(sent->address, job->addresses[job->address], sizeof(sent->address));
	sent->next = job->sr->sent;
	job->sr->sent = sent;
	return true;
}

/* The statements under the label have come to their end. */
void
dbmazz_sr_sent_forget(DbmazzSr *sr, const char *label)
{
	DbmazzSrSent **link = &sr->sent;

	while (*link != NULL)
	{
		DbmazzSrSent *sent = *link;

		if (strcmp(sent->label, label) == 0)
		{
			*link = sent->next;
			free(sent);
		}
		else
			link = &sent->next;
	}
}

void
dbmazz_sr_sent_clear(DbmazzSr *sr)
{
	while (sr->sent != NULL)
	{
		DbmazzSrSent *sent = sr->sent;

		sr->sent = sent->next;
		free(sent);
	}
}

/* Addresses that the name had when one of the statements was sent. */
void
dbmazz_sr_sent_add(DbmazzSrJob *job)
{
	const DbmazzRequest *request = job->request;
	const DbmazzSrSent *sent;
	int			i;

	if (request->kind != DBMAZZ_REQUEST_SETTLE)
		return;
	for (sent = job->sr->sent; sent != NULL; sent = sent->next)
	{
		for (i = 0; i < request->nlabels; i++)
		{
			if (strcmp(request->labels[i], sent->label) == 0)
				break;
		}
		if (i == request->nlabels)
			continue;
		for (i = 0; i < job->naddresses; i++)
		{
			if (strcmp(job->addresses[i], sent->address) == 0)
				break;
		}
		if (i == job->naddresses && i < DBMAZZ_SR_MAX_ADDRESSES)
			memcpy(job->addresses[job->naddresses++], sent->address,
				   sizeof(sent->address));
	}
}
