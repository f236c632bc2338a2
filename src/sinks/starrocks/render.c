/*
 * render.c
 *		A load as text, for tests: the request that would go to the backend.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/starrocks/job.h"

static DbmazzSrPlan *make_plan(DbmazzSr *sr, const DbmazzTableDesc *desc,
							   DbmazzError *err);

size_t
dbmazz_sr_render(DbmazzSr *sr, const DbmazzRequest *request, char *out,
				 size_t len)
{
	const DbmazzUrl *where = &sr->config->frontends[0];
	DbmazzSrText text = {0};
	DbmazzSrText part = {0};
	DbmazzSrPlan *plan;
	DbmazzError err;
	DbmazzBody	body;
	char		piece[4096];
	size_t		n;

	plan = make_plan(sr, request->batch->table, &err);
	if (plan == NULL)
	{
		n = strlen(err.message);
		if (len > 0)
			(void) snprintf(out, len, "%s", err.message);
		return n;
	}
	dbmazz_sr_plan_body(plan, request->batch, &body);
	dbmazz_sr_load_path(&part, sr->config, request->target);
	dbmazz_sr_text_addf(&text, "PUT %s HTTP/1.1\nHost: %s:%d\n"
						"Authorization: Basic ***\nExpect: 100-continue\n",
						part.data, where->host, where->port);
	dbmazz_sr_load_headers(&part, sr->config, request, plan);
	for (n = 0; n < part.len; n += strlen(part.data + n) + 1)
		dbmazz_sr_text_addf(&text, "%s\n", part.data + n);
	/* The body is shown as it is before it is compressed. */
	if (sr->config->compression != DBMAZZ_COMPRESS_NONE)
		dbmazz_sr_text_addf(&text, "Transfer-Encoding: chunked\n\n");
	else
		dbmazz_sr_text_addf(&text, "Content-Length: %llu\n\n",
							(unsigned long long) body.size);
	while ((n = dbmazz_body_read(&body, piece, sizeof(piece))) > 0)
		dbmazz_sr_text_add(&text, piece, n);
	n = text.failed ? 0 : text.len;
	if (len > 0)
	{
		size_t		keep = n < len ? n : len - 1;

		memcpy(out, text.data, keep);
		out[keep] = '\0';
	}
	dbmazz_sr_plan_release(plan);
	dbmazz_sr_text_free(&part);
	dbmazz_sr_text_free(&text);
	return n;
}

/* Without a known schema, as if the target had been made by our own DDL. */
static DbmazzSrPlan *
make_plan(DbmazzSr *sr, const DbmazzTableDesc *desc, DbmazzError *err)
{
	DbmazzSrPlan *plan = dbmazz_sr_cache_plan(sr, desc);
	DbmazzSrSchema *schema;

	if (plan != NULL)
		return plan;
	schema = dbmazz_sr_schema_assume(desc);
	if (schema == NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
		return NULL;
	}
	plan = dbmazz_sr_plan_create(desc, schema, sr->config->database, err);
	free(schema);
	return plan;
}
