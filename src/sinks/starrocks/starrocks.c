/*
 * starrocks.c
 *		The StarRocks sink: its routine table, state, and the life of jobs.
 *
 * NOTES
 *	  Rows go over Stream Load, as one JSON array or CSV text per batch.  See
 *	  job.h for the way of a request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/starrocks/ddl.h"
#include "sinks/starrocks/job.h"
#include "sinks/starrocks/secret.h"

/* Most turns of "answer, next step" in one poll(), so that it ends. */
#define MAX_TURNS		8

/* Longest wait if there were more sockets than the caller could take. */
#define OVERFLOW_WAIT_MS	10

static bool sr_check(const DbmazzOption *options, int noptions,
					 DbmazzError *err);
static void *sr_open(const DbmazzOption *options, int noptions,
					 DbmazzError *err);
static bool sr_reconfigure(void *state, const DbmazzOption *options,
						   int noptions, DbmazzError *err);
static void sr_start(void *state, const DbmazzRequest *request);
static int	sr_sockets(void *state, DbmazzSinkSocket *sockets, int max,
					   int64_t *timeout_ms);
static int	sr_poll(void *state, const DbmazzSinkEvent *events, int nevents,
					DbmazzCompletion *completions, int max);
static void sr_cancel(void *state, uint64_t id);
static void sr_close(void *state);
static size_t sr_place(void *state, char *out, size_t len);
static size_t sr_render(void *state, const DbmazzRequest *request, char *out,
						size_t len);
static size_t sr_identity(const DbmazzOption *options, int noptions,
						  char *out, size_t len);
static bool advance(DbmazzSr *sr);
static int	port_sockets(DbmazzSr *sr, DbmazzSinkSocket *sockets, int n,
						 int max, int64_t *timeout_ms);
static void advance_ports(DbmazzSr *sr);
static bool remove_job(DbmazzSrJob **list, DbmazzSrJob *job);
static void free_job(DbmazzSrJob *job);

static const DbmazzSinkRoutine routine = {
	.abi = DBMAZZ_SINK_ABI,
	.struct_size = sizeof(DbmazzSinkRoutine),
	.name = "starrocks",
	.encodings = DBMAZZ_ENCODING_JSON | DBMAZZ_ENCODING_CSV,
	.capabilities = DBMAZZ_SINK_IDEMPOTENT | DBMAZZ_SINK_DDL |
		DBMAZZ_SINK_TRUNCATE | DBMAZZ_SINK_PREPARE | DBMAZZ_SINK_GROUP,
	.options = dbmazz_sr_option_defs,
	.noptions = DBMAZZ_SR_OPTIONS,
	.check = sr_check,
	.open = sr_open,
	.reconfigure = sr_reconfigure,
	.start = sr_start,
	.sockets = sr_sockets,
	.poll = sr_poll,
	.cancel = sr_cancel,
	.close = sr_close,
	.place = sr_place,
	.render = sr_render,
	.ddl = dbmazz_sr_ddl,
	.identity = sr_identity
};

extern __attribute__((visibility("default")))
const DbmazzSinkRoutine *dbmazz_sink_init(void);

const DbmazzSinkRoutine *
dbmazz_sink_init(void)
{
	return &routine;
}

void
dbmazz_sr_finish(DbmazzSrJob *job, DbmazzOutcome outcome)
{
	DbmazzSrJob **tail = &job->sr->finished;

	if (dbmazz_sr_group_rolls_back(job, &outcome))
		return;
	job->completion.is_late = job->is_open &&
		dbmazz_http_now_ms() - job->began_ms >= job->config->load_timeout_ms;
	if (job->request->kind == DBMAZZ_REQUEST_GROUP)
		job->completion.is_aborted = outcome == DBMAZZ_DOUBT &&
			!job->commit_sent;
	dbmazz_sr_call_end(job);
	dbmazz_sr_port_end(job);
	if (outcome == DBMAZZ_DONE)
		dbmazz_error_reset(&job->completion.error);
	else if (job->completion.is_late && outcome != DBMAZZ_REJECT)
		dbmazz_error_hint(&job->completion.error,
						  "Raise dbmazz.starrocks_load_timeout (option "
						  "\"load_timeout\"), or find out why StarRocks is "
						  "slow.");
	dbmazz_sr_hide(&job->completion.error, job->config->basic);
	dbmazz_sr_hide(&job->completion.error, job->config->password);
	job->completion.id = job->request->id;
	job->completion.outcome = outcome;
	job->completion.part = job->part;
	(void) remove_job(&job->sr->jobs, job);
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = job;
	job->next = NULL;
}

void
dbmazz_sr_fail(DbmazzSrJob *job)
{
	const DbmazzSrVerdict *verdict = &job->verdict;
	DbmazzError *err = &job->completion.error;
	DbmazzOutcome outcome = verdict->outcome;

	job->completion.slow_down = verdict->slow_down;
	if (job->request->kind == DBMAZZ_REQUEST_SETTLE)
		outcome = DBMAZZ_RETRY;
	else if (job->request->kind == DBMAZZ_REQUEST_RESOLVE ||
			 job->step == DBMAZZ_SR_STEP_CONFIRM ||
			 job->step == DBMAZZ_SR_STEP_STATE)
		outcome = DBMAZZ_DOUBT;
	else if (outcome == DBMAZZ_REJECT)
		dbmazz_sr_cache_forget(job->sr, job->target);
	if (verdict->reason == DBMAZZ_SR_ACCESS || job->batch != NULL)
		dbmazz_sr_hint_reason(err, verdict->reason, job->config->database,
							  job->batch != NULL ?
							  job->batch->table : NULL);
	if (verdict->reason == DBMAZZ_SR_TRANSPORT && err->detail[0] == '\0' &&
		job->where.host[0] != '\0')
	{
		int			port = job->where.port;

		if (port == 0)
			port = job->where.tls ? 443 : 80;
		dbmazz_error_detail(err, "It was sent to %s://%s:%d.",
							job->where.tls ? "https" : "http",
							job->where.host, port);
	}
	dbmazz_sr_finish(job, outcome);
}

static bool
sr_check(const DbmazzOption *options, int noptions, DbmazzError *err)
{
	DbmazzSrConfig *config = dbmazz_sr_config_create(options, noptions, err);

	dbmazz_sr_config_release(config);
	return config != NULL;
}

static void *
sr_open(const DbmazzOption *options, int noptions, DbmazzError *err)
{
	DbmazzSr   *sr = calloc(1, sizeof(*sr));

	dbmazz_error_reset(err);
	if (sr != NULL)
	{
		sr->config = dbmazz_sr_config_create(options, noptions, err);
		if (sr->config != NULL)
			sr->http = dbmazz_http_open();
		if (sr->http != NULL)
			return sr;
		dbmazz_sr_config_release(sr->config);
		free(sr);
	}
	if (err->message[0] == '\0')
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
	return NULL;
}

static bool
sr_reconfigure(void *state, const DbmazzOption *options, int noptions,
			   DbmazzError *err)
{
	DbmazzSr   *sr = state;
	DbmazzSrConfig *config = dbmazz_sr_config_create(options, noptions, err);

	if (config == NULL)
		return false;
	dbmazz_sr_config_release(sr->config);
	sr->config = config;
	sr->frontend = 0;
	sr->nbackends = 0;
	dbmazz_sr_cache_outdate(sr);
	return true;
}

static void
sr_start(void *state, const DbmazzRequest *request)
{
	DbmazzSr   *sr = state;
	DbmazzSrJob *job = calloc(1, sizeof(*job));

	/* Without memory for a job, poll() says so from what it has at hand. */
	if (job == NULL)
	{
		if (sr->nrefused < DBMAZZ_SR_MAX_REFUSED)
			sr->refused[sr->nrefused++] = request->id;
		return;
	}
	job->sr = sr;
	job->request = request;
	job->target = request->target;
	job->batch = request->batch;
	job->config = sr->config;
	job->config->refs++;
	job->next = sr->jobs;
	sr->jobs = job;
	if (request->kind == DBMAZZ_REQUEST_LOAD ||
		request->kind == DBMAZZ_REQUEST_PREPARE)
		dbmazz_sr_load_start(job);
	else if (request->kind == DBMAZZ_REQUEST_GROUP)
		dbmazz_sr_group_start(job);
	else if (request->kind == DBMAZZ_REQUEST_COMMIT)
		dbmazz_sr_commit_start(job);
	else if (request->kind == DBMAZZ_REQUEST_TRUNCATE)
		dbmazz_sr_truncate_start(job);
	else
		dbmazz_sr_label_start(job);
}

static int
sr_sockets(void *state, DbmazzSinkSocket *sockets, int max,
		   int64_t *timeout_ms)
{
	DbmazzSr   *sr = state;
	int			n = dbmazz_http_sockets(sr->http, sockets, max, timeout_ms);

	n = port_sockets(sr, sockets, n, max, timeout_ms);
	if (sr->finished != NULL || sr->nrefused > 0)
		*timeout_ms = 0;
	return n;
}

/* Add those of the sessions at the MySQL port. */
static int
port_sockets(DbmazzSr *sr, DbmazzSinkSocket *sockets, int n, int max,
			 int64_t *timeout_ms)
{
	DbmazzSrJob *job;

	for (job = sr->jobs; job != NULL; job = job->next)
	{
		DbmazzSinkSocket socket;
		int64_t		deadline;
		int64_t		wait;

		if (!dbmazz_sr_port_waits(job, &socket, &deadline))
			continue;
		wait = deadline - dbmazz_http_now_ms();
		if (wait < 0)
			wait = 0;
		if (socket.fd >= 0 && n < max)
			sockets[n++] = socket;
		else if (socket.fd >= 0 && wait > OVERFLOW_WAIT_MS)
			wait = OVERFLOW_WAIT_MS;
		if (*timeout_ms < 0 || wait < *timeout_ms)
			*timeout_ms = wait;
	}
	return n;
}

/*
 * One answer often leads straight to the next call, which is begun here and now
 * rather than after another wait of the shipper.
 */
static int
sr_poll(void *state, const DbmazzSinkEvent *events, int nevents,
		DbmazzCompletion *completions, int max)
{
	DbmazzSr   *sr = state;
	int			turn;
	int			n = 0;

	dbmazz_http_poll(sr->http, events, nevents);
	for (turn = 0; turn < MAX_TURNS && advance(sr); turn++)
		dbmazz_http_poll(sr->http, NULL, 0);
	advance_ports(sr);
	while (n < max && sr->nrefused > 0)
	{
		memset(&completions[n], 0, sizeof(completions[n]));
		completions[n].id = sr->refused[--sr->nrefused];
		completions[n].outcome = DBMAZZ_RETRY;
		dbmazz_error_set(&completions[n].error, DBMAZZ_ERR_NO_SPACE, 0,
						 "out of memory");
		n++;
	}
	while (n < max && sr->finished != NULL)
	{
		DbmazzSrJob *job = sr->finished;

		completions[n++] = job->completion;
		(void) remove_job(&sr->finished, job);
		free_job(job);
	}
	return n;
}

static void
sr_cancel(void *state, uint64_t id)
{
	DbmazzSr   *sr = state;
	DbmazzSrJob **lists[2];
	int			i;

	for (i = 0; i < sr->nrefused; i++)
	{
		if (sr->refused[i] == id)
		{
			sr->refused[i] = sr->refused[--sr->nrefused];
			return;
		}
	}
	lists[0] = &sr->jobs;
	lists[1] = &sr->finished;
	for (i = 0; i < 2; i++)
	{
		DbmazzSrJob *job = *lists[i];

		while (job != NULL && job->request->id != id)
			job = job->next;
		if (job != NULL)
		{
			(void) remove_job(lists[i], job);
			free_job(job);
			return;
		}
	}
}

static void
sr_close(void *state)
{
	DbmazzSr   *sr = state;
	DbmazzSrJob *job;

	while ((job = sr->jobs) != NULL || (job = sr->finished) != NULL)
	{
		if (!remove_job(&sr->jobs, job))
			(void) remove_job(&sr->finished, job);
		free_job(job);
	}
	dbmazz_sr_cache_clear(sr);
	dbmazz_sr_sent_clear(sr);
	dbmazz_http_close(sr->http);
	dbmazz_sr_config_release(sr->config);
	free(sr);
}

static size_t
sr_place(void *state, char *out, size_t len)
{
	const DbmazzSrConfig *config = ((DbmazzSr *) state)->config;

	if (!config->has_mysql)
		return 0;
	return (size_t) snprintf(out, len, "%s:%d", config->mysql.host,
							 config->mysql.port);
}

static size_t
sr_render(void *state, const DbmazzRequest *request, char *out, size_t len)
{
	return dbmazz_sr_render(state, request, out, len);
}

static size_t
sr_identity(const DbmazzOption *options, int noptions, char *out, size_t len)
{
	DbmazzError err;
	DbmazzSrConfig *config = dbmazz_sr_config_create(options, noptions, &err);
	size_t		result = 0;

	if (len > 0)
		out[0] = '\0';
	if (config != NULL)
		result = dbmazz_sr_config_identity(config, out, len);
	dbmazz_sr_config_release(config);
	return result;
}

/* Take the next steps of jobs whose calls have ended; false if there are none. */
static bool
advance(DbmazzSr *sr)
{
	DbmazzHttpTransfer *transfer;
	bool		moved = false;

	while ((transfer = dbmazz_http_next(sr->http)) != NULL)
	{
		DbmazzSrJob *job = dbmazz_http_owner(transfer);

		moved = true;
		if (!dbmazz_sr_call_ended(job))
			continue;
		if (job->step == DBMAZZ_SR_STEP_ADDRESS)
			dbmazz_sr_port_resolved(job);
		else if (job->step == DBMAZZ_SR_STEP_SCHEMA ||
				 job->step == DBMAZZ_SR_STEP_CONFIRM)
			dbmazz_sr_target_step(job);
		else if (job->request->kind == DBMAZZ_REQUEST_LOAD ||
				 job->request->kind == DBMAZZ_REQUEST_PREPARE ||
				 job->request->kind == DBMAZZ_REQUEST_GROUP)
			dbmazz_sr_load_step(job);
		else if (job->request->kind == DBMAZZ_REQUEST_COMMIT)
			dbmazz_sr_transaction_step(job);
		else
			dbmazz_sr_label_step(job);
	}
	return moved;
}

/* The same for jobs at the MySQL port; they look at their sockets themselves. */
static void
advance_ports(DbmazzSr *sr)
{
	DbmazzSrJob *job;
	DbmazzSrJob *next;

	for (job = sr->jobs; job != NULL; job = next)
	{
		DbmazzSinkSocket socket;
		int64_t		deadline;

		next = job->next;
		if (dbmazz_sr_port_waits(job, &socket, &deadline))
			dbmazz_sr_port_step(job);
	}
}

static bool
remove_job(DbmazzSrJob **list, DbmazzSrJob *job)
{
	while (*list != NULL && *list != job)
		list = &(*list)->next;
	if (*list == NULL)
		return false;
	*list = job->next;
	return true;
}

static void
free_job(DbmazzSrJob *job)
{
	int			i;

	for (i = 0; job->plans != NULL && i < job->request->nparts; i++)
		dbmazz_sr_plan_release(job->plans[i]);
	free(job->plans);
	dbmazz_sr_call_end(job);
	dbmazz_compress_close(job->compressor);
	dbmazz_sr_port_end(job);
	dbmazz_sr_plan_release(job->plan);
	dbmazz_sr_config_release(job->config);
	dbmazz_sr_text_free(&job->path);
	dbmazz_sr_text_free(&job->post);
	dbmazz_sr_text_free(&job->url);
	dbmazz_sr_text_free(&job->headers);
	free(job);
}
