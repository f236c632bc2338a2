/*
 * backend.c
 *		Which backend gets the rows: what frontends name, and for how long that
 *		holds.
 *
 * NOTES
 *	  A frontend closes the connection of every load that it redirects, so asking
 *	  costs a connection and a round trip, which is most of a small load.  It names
 *	  any backend that is alive and in rotation, whichever the table.  So one that
 *	  was named a moment ago (redirect_ttl) serves other loads, too: but one after the
 *	  other, for those that are under way at the same time are to be spread as the
 *	  frontends want it.  What comes of a load that a frontend was not asked for is the same,
 *	  for a backend asks the leader about user, table and label in any case.
 */
#include <string.h>

#include "sinks/starrocks/job.h"

static bool go_to(DbmazzSrJob *job, DbmazzUrl url);
static bool is_same(const DbmazzUrl *a, const DbmazzUrl *b);

bool
dbmazz_sr_backend_take(DbmazzSrJob *job)
{
	DbmazzSr   *sr = job->sr;
	const DbmazzSrConfig *config = job->config;

	job->is_reused = false;
	if (config != sr->config)
		return false;
	/* https stays https as if that one had named it */
	job->where = config->frontends[sr->frontend % config->nfrontends];
	while (sr->nbackends > 0 && !job->is_reused)
	{
		const DbmazzSrBackend *backend = &sr->backends[--sr->nbackends];

		if (dbmazz_http_now_ms() - backend->named_ms >= config->redirect_ttl_ms)
			continue;
		job->named = backend->named;
		job->named_ms = backend->named_ms;
		job->hops = 1;
		job->is_reused = go_to(job, backend->named);
	}
	return job->is_reused;
}

void
dbmazz_sr_backend_give(DbmazzSrJob *job)
{
	DbmazzSr   *sr = job->sr;
	DbmazzSrBackend *backend;

	if (job->named_ms == 0 || job->config != sr->config ||
		sr->nbackends >= DBMAZZ_SR_BACKENDS)
		return;
	backend = &sr->backends[sr->nbackends++];
	backend->named = job->named;
	backend->named_ms = job->named_ms;
}

void
dbmazz_sr_backend_shun(DbmazzSrJob *job)
{
	DbmazzSr   *sr = job->sr;
	int			n = 0;
	int			i;

	for (i = 0; i < sr->nbackends; i++)
	{
		if (!is_same(&sr->backends[i].named, &job->named))
			sr->backends[n++] = sr->backends[i];
	}
	sr->nbackends = n;
}

/*
 * Any frontend names the backend of a load itself, and a backend keeps what it
 * gets.  Only the begin of a transaction goes by way of the leader; but not with
 * be_address, which takes the leader's place, too: there is no need to ask which
 * backend it is to be, and the backend tells the leader of what it begins.
 */
static int
max_hops(const DbmazzSrJob *job)
{
	return job->step == DBMAZZ_SR_STEP_BEGIN ? 2 : 1;
}

bool
dbmazz_sr_take_redirect(DbmazzSrJob *job, const DbmazzHttpAnswer *answer)
{
	const char *location = answer->location != NULL ? answer->location : "";
	DbmazzError *err = &job->completion.error;
	const char *why = NULL;
	DbmazzUrl	url;

	if (++job->hops > max_hops(job))
		why = "there was one before, and rows follow no other";
	else if (dbmazz_url_parse(location, strlen(location), &url, &why))
	{
		/* one with a path or a query of its own serves this load only */
		job->named_ms = job->step == DBMAZZ_SR_STEP_REDIRECT &&
			strcmp(url.path, job->path.data) == 0 ? dbmazz_http_now_ms() : 0;
		job->named = url;
		job->named.path = "";
		dbmazz_sr_text_clear(&job->path);
		dbmazz_sr_text_addf(&job->path, "%s", url.path);
		if (go_to(job, job->named))
			return true;
		why = "it leads from https to http";
	}
	memset(&job->verdict, 0, sizeof(job->verdict));
	job->verdict.outcome = DBMAZZ_RETRY;
	job->verdict.reason = DBMAZZ_SR_TRANSPORT;
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "redirect of the StarRocks frontend is not usable: %s",
					 why);
	dbmazz_error_hint(err, "The option be_address can name the address to "
					  "send rows to.");
	dbmazz_sr_fail(job);
	return false;
}

/* Make the backend of that name job->where.  False: it may not be. */
static bool
go_to(DbmazzSrJob *job, DbmazzUrl url)
{
	const DbmazzSrConfig *config = job->config;

	if (config->has_backend)
	{
		strcpy(url.host, config->backend.host);
		if (config->backend.port != 0)
			url.port = config->backend.port;
		if (config->backend.has_scheme)
			url.tls = config->backend.tls;
	}
	if (!dbmazz_sr_call_allowed(job, &url))
		return false;
	job->where = url;
	return true;
}

static bool
is_same(const DbmazzUrl *a, const DbmazzUrl *b)
{
	return a->tls == b->tls && a->port == b->port &&
		strcmp(a->host, b->host) == 0;
}
