/*
 * null.c
 *		A sink that accepts everything: for measuring and for crash tests.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dbmazz_sink.h"

typedef struct NullJob
{
	struct NullJob *next;
	uint64_t	id;
	uint64_t	bytes;
	int64_t		due_ms;
} NullJob;

#define MAX_REFUSED		64

typedef struct NullState
{
	int64_t		delay_ms;
	NullJob    *jobs;			/* oldest first */
	NullJob    *idle;
	uint64_t	refused[MAX_REFUSED];	/* there was no memory for */
	int			nrefused;
} NullState;

static const DbmazzOptionDef options[] = {
	{
		"delay_ms", DBMAZZ_OPTION_MS, 0, "0", 0, 3600 * 1000,
		"How long each request takes, for tests."
	}
};

static bool null_check(const DbmazzOption *given, int ngiven,
					   DbmazzError *err);
static void *null_open(const DbmazzOption *given, int ngiven,
					   DbmazzError *err);
static bool null_reconfigure(void *state, const DbmazzOption *given,
							 int ngiven, DbmazzError *err);
static void null_start(void *state, const DbmazzRequest *request);
static int	null_sockets(void *state, DbmazzSinkSocket *sockets, int max,
						 int64_t *timeout_ms);
static int	null_poll(void *state, const DbmazzSinkEvent *events, int nevents,
					  DbmazzCompletion *completions, int max);
static void null_cancel(void *state, uint64_t id);
static void null_close(void *state);
static size_t null_render(void *state, const DbmazzRequest *request,
						  char *out, size_t len);
static size_t null_identity(const DbmazzOption *given, int ngiven, char *out,
							size_t len);
static bool parse(const DbmazzOption *given, int ngiven, int64_t *delay_ms,
				  DbmazzError *err);
static int64_t now_ms(void);
static void release(NullState *sink, NullJob **link);

static const DbmazzSinkRoutine routine = {
	.abi = DBMAZZ_SINK_ABI,
	.struct_size = sizeof(DbmazzSinkRoutine),
	.name = "null",
	.encodings = DBMAZZ_ENCODING_JSON,
	.capabilities = DBMAZZ_SINK_IDEMPOTENT | DBMAZZ_SINK_TRUNCATE,
	.options = options,
	.noptions = sizeof(options) / sizeof(options[0]),
	.check = null_check,
	.open = null_open,
	.reconfigure = null_reconfigure,
	.start = null_start,
	.sockets = null_sockets,
	.poll = null_poll,
	.cancel = null_cancel,
	.close = null_close,
	.render = null_render,
	.identity = null_identity
};

extern __attribute__((visibility("default")))
const DbmazzSinkRoutine *dbmazz_sink_init(void);

const DbmazzSinkRoutine *
dbmazz_sink_init(void)
{
	return &routine;
}

static bool
null_check(const DbmazzOption *given, int ngiven, DbmazzError *err)
{
	int64_t		delay_ms;

	return parse(given, ngiven, &delay_ms, err);
}

static void *
null_open(const DbmazzOption *given, int ngiven, DbmazzError *err)
{
	NullState  *sink;
	int64_t		delay_ms;

	if (!parse(given, ngiven, &delay_ms, err))
		return NULL;
	sink = calloc(1, sizeof(*sink));
	if (sink == NULL)
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
	else
		sink->delay_ms = delay_ms;
	return sink;
}

static bool
null_reconfigure(void *state, const DbmazzOption *given, int ngiven,
				 DbmazzError *err)
{
	NullState  *sink = state;

	return parse(given, ngiven, &sink->delay_ms, err);
}

static void
null_start(void *state, const DbmazzRequest *request)
{
	NullState  *sink = state;
	NullJob   **link = &sink->jobs;
	NullJob    *job = sink->idle;

	if (job != NULL)
		sink->idle = job->next;
	else
		job = malloc(sizeof(*job));
	if (job == NULL)
	{
		if (sink->nrefused < MAX_REFUSED)
			sink->refused[sink->nrefused++] = request->id;
		return;
	}
	job->id = request->id;
	job->bytes = request->kind == DBMAZZ_REQUEST_LOAD ?
		request->batch->nbytes : 0;
	job->due_ms = sink->delay_ms > 0 ? now_ms() + sink->delay_ms : 0;
	job->next = NULL;
	while (*link != NULL)
		link = &(*link)->next;
	*link = job;
}

static int
null_sockets(void *state, DbmazzSinkSocket *sockets, int max,
			 int64_t *timeout_ms)
{
	NullState  *sink = state;
	int64_t		first = INT64_MAX;
	NullJob    *job;

	(void) sockets;
	(void) max;
	for (job = sink->jobs; job != NULL; job = job->next)
	{
		if (job->due_ms < first)
			first = job->due_ms;
	}
	*timeout_ms = sink->nrefused > 0 ? 0 : -1;
	if (sink->jobs != NULL && sink->nrefused == 0)
	{
		*timeout_ms = first == 0 ? 0 : first - now_ms();
		if (*timeout_ms < 0)
			*timeout_ms = 0;
	}
	return 0;
}

static int
null_poll(void *state, const DbmazzSinkEvent *events, int nevents,
		  DbmazzCompletion *completions, int max)
{
	NullState  *sink = state;
	NullJob   **link = &sink->jobs;
	int64_t		now = sink->jobs != NULL ? now_ms() : 0;
	int			n = 0;

	(void) events;
	(void) nevents;
	while (n < max && sink->nrefused > 0)
	{
		memset(&completions[n], 0, sizeof(completions[n]));
		completions[n].id = sink->refused[--sink->nrefused];
		completions[n].outcome = DBMAZZ_RETRY;
		dbmazz_error_set(&completions[n++].error, DBMAZZ_ERR_NO_SPACE, 0,
						 "out of memory");
	}
	while (*link != NULL && n < max)
	{
		if ((*link)->due_ms > now)
		{
			link = &(*link)->next;
			continue;
		}
		memset(&completions[n], 0, sizeof(completions[n]));
		completions[n].id = (*link)->id;
		completions[n].outcome = DBMAZZ_DONE;
		completions[n].bytes = (*link)->bytes;
		n++;
		release(sink, link);
	}
	return n;
}

static void
null_cancel(void *state, uint64_t id)
{
	NullState  *sink = state;
	NullJob   **link = &sink->jobs;

	while (*link != NULL && (*link)->id != id)
		link = &(*link)->next;
	if (*link != NULL)
		release(sink, link);
}

static void
null_close(void *state)
{
	NullState  *sink = state;
	NullJob    *job;

	while (sink->jobs != NULL)
		release(sink, &sink->jobs);
	while ((job = sink->idle) != NULL)
	{
		sink->idle = job->next;
		free(job);
	}
	free(sink);
}

static size_t
null_render(void *state, const DbmazzRequest *request, char *out, size_t len)
{
	(void) state;
	(void) request;
	if (len > 0)
		out[0] = '\0';
	return 0;
}

static size_t
null_identity(const DbmazzOption *given, int ngiven, char *out, size_t len)
{
	(void) given;
	(void) ngiven;
	if (len >= 5)
		memcpy(out, "null", 5);
	else if (len > 0)
		out[0] = '\0';
	return 4;
}

static bool
parse(const DbmazzOption *given, int ngiven, int64_t *delay_ms,
	  DbmazzError *err)
{
	int64_t		delay = 0;
	int			i;

	dbmazz_error_reset(err);
	for (i = 0; i < ngiven; i++)
	{
		char	   *end = NULL;

		if (strcmp(given[i].name, "delay_ms") != 0)
		{
			dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
							 "unknown option \"%s\"", given[i].name);
			dbmazz_error_hint(err, "The only option is delay_ms.");
			return false;
		}
		if (given[i].value == NULL)
			continue;
		delay = strtol(given[i].value, &end, 10);
		if (strcmp(end, "s") == 0 && delay <= options[0].max / 1000)
			delay *= 1000;
		else if (strcmp(end, "") != 0 && strcmp(end, "ms") != 0)
			delay = -1;
		if (end == given[i].value || delay < 0 || delay > options[0].max)
		{
			dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
							 "option \"delay_ms\" is not a valid time");
			return false;
		}
	}
	*delay_ms = delay;
	return true;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
release(NullState *sink, NullJob **link)
{
	NullJob    *job = *link;

	*link = job->next;
	job->next = sink->idle;
	sink->idle = job;
}
