/*
 * call.c
 *		One HTTP call of a job: frontends in turn, redirects, credentials.
 *
 * NOTES
 *	  Redirects are followed here and not by the HTTP library.  A load first goes to
 *	  a frontend without its rows (Content-Length 0, but with the header Expect that
 *	  frontends insist on), only to learn the backend, unless backend.c knows one; so
 *	  no row can reach a frontend however slow it is, and its connection is done with.
 *
 *	  User and password go to the configured frontends and to what these
 *	  redirect to, and never from https to http.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/starrocks/job.h"

#define MAX_HOPS		2		/* from a follower to the leader, and from there to
								 * the backend that has the transaction */
#define MAX_HEADERS		24
#define MAX_URL			8192

static void start(DbmazzSrJob *job);
static bool take_rows(DbmazzSrJob *job, DbmazzHttpRequest *request);
static int	list_headers(DbmazzSrText *text, const char **headers);
static bool follow(DbmazzSrJob *job, const DbmazzHttpAnswer *answer);
static void refuse(DbmazzSrJob *job, const char *why);
static size_t read_rows(void *arg, char *out, size_t len);
static void rewind_rows(void *arg);
static size_t read_compressed(void *arg, char *out, size_t len);
static void rewind_compressed(void *arg);
static size_t read_post(void *arg, char *out, size_t len);
static void rewind_post(void *arg);

void
dbmazz_sr_call(DbmazzSrJob *job, const char *method, size_t max_answer)
{
	const DbmazzSrConfig *config = job->config;

	job->method = method;
	job->max_answer = max_answer;
	job->tried = 0;
	job->hops = 0;
	job->fixed = false;
	job->where = config->frontends[job->sr->frontend % config->nfrontends];
	start(job);
}

void
dbmazz_sr_call_there(DbmazzSrJob *job, const char *method, size_t max_answer)
{
	job->method = method;
	job->max_answer = max_answer;
	job->fixed = true;
	start(job);
}

bool
dbmazz_sr_call_ended(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	const DbmazzSrConfig *config = job->config;

	if (job->fixed)
		return true;

	/* Not there, or in trouble of its own: perhaps another one is better. */
	if (answer->status == 0 || answer->status >= 500)
	{
		if (++job->tried >= config->nfrontends)
			return true;
		job->sr->frontend = (job->sr->frontend + 1) % config->nfrontends;
		job->where = config->frontends[job->sr->frontend];
		job->hops = 0;
		start(job);
		return false;
	}
	if (answer->status == 307 && answer->complete &&
		job->step != DBMAZZ_SR_STEP_REDIRECT &&
		job->step != DBMAZZ_SR_STEP_BEGIN)
	{
		if (follow(job, answer))
			start(job);
		return false;
	}
	return true;
}

void
dbmazz_sr_call_end(DbmazzSrJob *job)
{
	if (job->transfer != NULL)
		dbmazz_http_free(job->sr->http, job->transfer);
	job->transfer = NULL;
}

bool
dbmazz_sr_call_allowed(const DbmazzSrJob *job, const DbmazzUrl *where)
{
	return where->tls || !job->where.tls;
}

void
dbmazz_sr_load_headers(DbmazzSrText *headers, const DbmazzSrConfig *config,
					   const DbmazzRequest *request, const DbmazzSrPlan *plan)
{
	static const char *const compressions[] = {
		[DBMAZZ_COMPRESS_GZIP] = "gzip",
		[DBMAZZ_COMPRESS_ZSTD] = "zstd",
		[DBMAZZ_COMPRESS_LZ4] = "lz4_frame"
	};
	/* with CSV the format says how it is compressed */
	static const char *const csv_formats[] = {
		[DBMAZZ_COMPRESS_NONE] = "csv",
		[DBMAZZ_COMPRESS_GZIP] = "gzip",
		[DBMAZZ_COMPRESS_ZSTD] = "zstd",
		[DBMAZZ_COMPRESS_LZ4] = "lz4"
	};
	uint16_t	flags = request->batch->table->flags;
	int64_t		timeout_s = (config->load_timeout_ms + 999) / 1000;

	dbmazz_sr_text_clear(headers);
	dbmazz_sr_text_line(headers, "label: %s", request->label);
	if ((flags & DBMAZZ_TABLE_CSV) != 0)
	{
		dbmazz_sr_text_line(headers, "format: %s", csv_formats[config->compression]);
		dbmazz_sr_text_line(headers, "column_separator: \\x2C");
		dbmazz_sr_text_line(headers, "row_delimiter: \\x0A");
		dbmazz_sr_text_line(headers, "enclose: \"");
	}
	else
	{
		dbmazz_sr_text_line(headers, "format: json");
		dbmazz_sr_text_line(headers, "strip_outer_array: true");
		dbmazz_sr_text_line(headers, "ignore_json_size: true");
		if (config->compression != DBMAZZ_COMPRESS_NONE)
			dbmazz_sr_text_line(headers, "compression: %s", compressions[config->compression]);
	}
	dbmazz_sr_text_line(headers, "strict_mode: true");
	dbmazz_sr_text_line(headers, "max_filter_ratio: 0");
	dbmazz_sr_text_line(headers, "timeout: %lld", (long long) timeout_s);
	dbmazz_sr_text_line(headers, "columns: %s", plan->columns);
	if ((flags & DBMAZZ_TABLE_PARTIAL) != 0)
	{
		dbmazz_sr_text_line(headers, "partial_update: true");
		dbmazz_sr_text_line(headers, "partial_update_mode: row");
	}
}

void
dbmazz_sr_load_path(DbmazzSrText *path, const DbmazzSrConfig *config,
					const char *target)
{
	dbmazz_sr_text_clear(path);
	dbmazz_sr_text_addf(path, "/api/");
	dbmazz_sr_text_url(path, config->database);
	dbmazz_sr_text_addf(path, "/");
	dbmazz_sr_text_url(path, target);
	dbmazz_sr_text_addf(path, "/_stream_load");
}

/* Make the call to job->where. */
static void
start(DbmazzSrJob *job)
{
	const DbmazzSrConfig *config = job->config;
	const char *headers[MAX_HEADERS];
	char		error[DBMAZZ_HTTP_ERROR];
	DbmazzHttpRequest request = {0};
	bool		is_complete = true;

	dbmazz_sr_call_end(job);
	dbmazz_sr_text_clear(&job->url);
	dbmazz_sr_text_addf(&job->url, "%s://%s", job->where.tls ? "https" : "http",
						job->where.host);
	if (job->where.port != 0)
		dbmazz_sr_text_addf(&job->url, ":%d", job->where.port);
	dbmazz_sr_text_addf(&job->url, "%s", job->path.data);
	request.method = job->method;
	request.url = job->url.data;
	request.headers = headers;
	request.user = config->user;
	request.password = config->password;
	request.ca_file = config->ca_file;
	request.tls_verify = config->tls_verify;
	request.keep_alive = true;
	request.connect_timeout_ms = config->connect_timeout_ms;
	request.total_timeout_ms = config->request_timeout_ms;
	request.max_answer = job->max_answer;
	request.arg = job;
	if (job->step == DBMAZZ_SR_STEP_REDIRECT)
	{
		request.expect_timeout_ms = config->request_timeout_ms;
		request.keep_alive = false;

		/*
		 * Only the label, which comes first: a frontend needs no more to name
		 * a backend, and refuses headers of more than 32 kB (older ones 8 kB).
		 * That is less than the names of a table's columns may take.
		 */
		headers[request.nheaders++] = job->headers.data;
	}
	else if (job->step == DBMAZZ_SR_STEP_LOAD)
	{
		/* The server's own timeout is to come first: then it can say so. */
		request.total_timeout_ms = config->load_timeout_ms +
			config->connect_timeout_ms;
		request.expect_timeout_ms = config->expect_timeout_ms;
		request.stall_timeout_ms = config->low_speed_time_ms;
		request.nheaders = list_headers(&job->headers, headers);
		is_complete = take_rows(job, &request);
	}
	else if (job->step == DBMAZZ_SR_STEP_BEGIN ||
			 job->step == DBMAZZ_SR_STEP_PREPARE ||
			 job->step == DBMAZZ_SR_STEP_COMMIT ||
			 job->step == DBMAZZ_SR_STEP_GROUP_BEGIN ||
			 job->step == DBMAZZ_SR_STEP_GROUP_REDIRECT ||
			 job->step == DBMAZZ_SR_STEP_GROUP_COMMIT ||
			 job->step == DBMAZZ_SR_STEP_ROLLBACK)
	{
		if (job->step == DBMAZZ_SR_STEP_GROUP_REDIRECT)
		{
			request.expect_timeout_ms = config->request_timeout_ms;
			request.keep_alive = false;
		}
		if (job->step == DBMAZZ_SR_STEP_PREPARE ||
			job->step == DBMAZZ_SR_STEP_GROUP_COMMIT)
			request.total_timeout_ms = config->load_timeout_ms +
				config->connect_timeout_ms;
		request.nheaders = list_headers(&job->headers, headers);
	}
	else if (job->step == DBMAZZ_SR_STEP_ERROR_LOG)
		request.user = NULL;
	else if (job->step == DBMAZZ_SR_STEP_ADDRESS)
	{
		request.user = NULL;
		request.resolve_only = true;
		request.total_timeout_ms = config->connect_timeout_ms;
	}
	else if (job->post.len > 0)
	{
		headers[request.nheaders++] = "Content-Type: application/json";
		request.body_size = job->post.len;
		request.read = read_post;
		request.rewind = rewind_post;
		job->post_sent = 0;
	}
	if (!is_complete || job->path.failed || job->post.failed ||
		job->headers.failed || job->url.failed)
		refuse(job, "out of memory");
	else
	{
		job->transfer = dbmazz_http_start(job->sr->http, &request, job, error);
		if (job->transfer == NULL)
			refuse(job, error);
	}
}

/* Make the rows the body of the request.  False: out of memory. */
static bool
take_rows(DbmazzSrJob *job, DbmazzHttpRequest *request)
{
	DbmazzCompression method = job->config->compression;

	if (method == DBMAZZ_COMPRESS_NONE)
	{
		request->body_size = job->body.size;
		request->read = read_rows;
		request->rewind = rewind_rows;
	}
	else
	{
		/* Its size would only be known after compressing everything twice. */
		if (job->compressor == NULL)
			job->compressor = dbmazz_compress_open(method, read_rows, job);
		if (job->compressor == NULL)
			return false;
		request->body_size = DBMAZZ_HTTP_UNKNOWN;
		request->read = read_compressed;
		request->rewind = rewind_compressed;
	}
	request->rewind(job);
	return true;
}

/* The lines of the text, each of which ends with a zero byte. */
static int
list_headers(DbmazzSrText *text, const char **headers)
{
	size_t		pos = 0;
	int			n = 0;

	while (pos < text->len && n < MAX_HEADERS)
	{
		headers[n] = text->data + pos;
		pos += strlen(headers[n]) + 1;
		n++;
	}
	return n;
}

/* A follower sends us to the leader.  False: the job is finished. */
static bool
follow(DbmazzSrJob *job, const DbmazzHttpAnswer *answer)
{
	const char *location = answer->location != NULL ? answer->location : "";
	const char *why = "";
	DbmazzUrl	url;
	size_t		len = strlen(location);

	if (++job->hops > MAX_HOPS)
		why = "too many redirects";
	else if (len > MAX_URL ||
			 !dbmazz_url_parse(location, len, &url, &why))
		why = "the redirect is not usable";
	else if (!dbmazz_sr_call_allowed(job, &url))
		why = "the redirect leads from https to http";
	else
	{
		job->where = url;
		dbmazz_sr_text_clear(&job->path);
		dbmazz_sr_text_addf(&job->path, "%s", url.path);
		job->where.path = "";
		return true;
	}
	refuse(job, why);
	return false;
}

/* The call cannot be made. */
static void
refuse(DbmazzSrJob *job, const char *why)
{
	memset(&job->verdict, 0, sizeof(job->verdict));
	job->verdict.outcome = DBMAZZ_RETRY;
	job->verdict.reason = DBMAZZ_SR_TRANSPORT;
	dbmazz_error_set(&job->completion.error, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "request to StarRocks failed: %s", why);
	dbmazz_sr_fail(job);
}

static size_t
read_rows(void *arg, char *out, size_t len)
{
	DbmazzSrJob *job = arg;

	return dbmazz_body_read(&job->body, out, len);
}

static void
rewind_rows(void *arg)
{
	DbmazzSrJob *job = arg;

	dbmazz_body_rewind(&job->body);
}

static size_t
read_compressed(void *arg, char *out, size_t len)
{
	DbmazzSrJob *job = arg;

	return dbmazz_compress_read(job->compressor, out, len);
}

static void
rewind_compressed(void *arg)
{
	DbmazzSrJob *job = arg;

	rewind_rows(job);
	dbmazz_compress_rewind(job->compressor);
}

static size_t
read_post(void *arg, char *out, size_t len)
{
	DbmazzSrJob *job = arg;
	size_t		left = job->post.len - job->post_sent;

	if (len > left)
		len = left;
	memcpy(out, job->post.data + job->post_sent, len);
	job->post_sent += len;
	return len;
}

static void
rewind_post(void *arg)
{
	DbmazzSrJob *job = arg;

	job->post_sent = 0;
}
