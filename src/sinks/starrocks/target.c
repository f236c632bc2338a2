/*
 * target.c
 *		Reading the target's schema: before a load, and behind it.
 *
 * NOTES
 *	  The server takes no notice of values for a column that the table lacks, and
 *	  nothing in its answer tells.  What the table has when the load is planned
 *	  there, only the server knows.  But a schema that is read when the load has
 *	  been answered shows what was dropped, renamed or made anew before: then the
 *	  rows are sent again, by a new schema and under another label, for the old one
 *	  belongs to a load that is committed.  A column that goes when the schema has
 *	  been read takes values with it that were there.
 *
 *	  What was dropped and is there again looks the same, but has another number,
 *	  where the server tells it (V2; of columns, where the table has the property
 *	  fast_schema_evolution).
 *
 *	  A load that is to be prepared is confirmed before it counts as prepared, so
 *	  before anybody decides to commit it; those of a group before its commit.
 *	  One that is not confirmed is rolled back.
 */
#include <stdlib.h>
#include <string.h>

#include "sinks/starrocks/job.h"

#define MAX_ANSWER		(4 * 1024 * 1024)

static void ask(DbmazzSrJob *job, DbmazzSrSchemaSource source);
static void write_query(DbmazzSrText *post, const char *database,
						const char *target);
static void add_literal(DbmazzSrText *text, const char *value);
static void take_schema(DbmazzSrJob *job, DbmazzSrSchema *schema);
static void tell_altered(DbmazzError *err);
static void compare_schema(DbmazzSrJob *job, DbmazzSrSchema *schema);
static void confirmed(DbmazzSrJob *job);
static void send_anew(DbmazzSrJob *job);

void
dbmazz_sr_target_read(DbmazzSrJob *job)
{
	job->step = DBMAZZ_SR_STEP_SCHEMA;
	ask(job, DBMAZZ_SR_SCHEMA_V2);
}

void
dbmazz_sr_target_confirm(DbmazzSrJob *job)
{
	dbmazz_error_reset(&job->completion.error);
	job->step = DBMAZZ_SR_STEP_CONFIRM;
	ask(job, dbmazz_sr_cache_source(job->sr, job->target));
}

void
dbmazz_sr_target_step(DbmazzSrJob *job)
{
	const DbmazzHttpAnswer *answer = dbmazz_http_answer(job->transfer);
	DbmazzError *err = &job->completion.error;
	DbmazzSrSchemaSource next = (DbmazzSrSchemaSource) (job->source + 1);
	DbmazzSrSchemaResult result;
	DbmazzSrSchema *schema;

	result = dbmazz_sr_schema_read(job->source, answer, &schema,
								   &job->verdict, err);
	if (result == DBMAZZ_SR_SCHEMA_READ)
	{
		if (job->step == DBMAZZ_SR_STEP_SCHEMA)
			take_schema(job, schema);
		else
			compare_schema(job, schema);
		return;
	}
	if (result == DBMAZZ_SR_SCHEMA_NO_WAY)
	{
		if (next < DBMAZZ_SR_SCHEMA_SOURCES)
		{
			ask(job, next);
			return;
		}
		dbmazz_sr_answer_error(answer, &job->verdict, err);
	}
	/* no table, or no right to look: the next attempt finds and says it */
	if (job->step == DBMAZZ_SR_STEP_CONFIRM &&
		job->verdict.outcome == DBMAZZ_REJECT)
		send_anew(job);
	else
		dbmazz_sr_fail(job);
}

static void
ask(DbmazzSrJob *job, DbmazzSrSchemaSource source)
{
	const char *database = job->config->database;
	const char *target = job->target;
	DbmazzSrText *path = &job->path;

	job->source = source;
	dbmazz_sr_text_clear(path);
	dbmazz_sr_text_clear(&job->post);
	if (source == DBMAZZ_SR_SCHEMA_OLD)
	{
		dbmazz_sr_text_addf(path, "/api/");
		dbmazz_sr_text_url(path, database);
		dbmazz_sr_text_addf(path, "/");
		dbmazz_sr_text_url(path, target);
		dbmazz_sr_text_addf(path, "/_schema");
		dbmazz_sr_call(job, "GET", MAX_ANSWER);
		return;
	}
	dbmazz_sr_text_addf(path, "/api/%s/catalogs/default_catalog/databases/",
						source == DBMAZZ_SR_SCHEMA_V2 ? "v2" : "v1");
	dbmazz_sr_text_url(path, database);
	if (source == DBMAZZ_SR_SCHEMA_V2)
	{
		dbmazz_sr_text_addf(path, "/tables/");
		dbmazz_sr_text_url(path, target);
		dbmazz_sr_text_addf(path, "/schema");
		dbmazz_sr_call(job, "GET", MAX_ANSWER);
	}
	else
	{
		dbmazz_sr_text_addf(path, "/sql");
		write_query(&job->post, database, target);
		dbmazz_sr_call(job, "POST", MAX_ANSWER);
	}
}

/* As dbmazz_sr_schema_read() expects it. */
static void
write_query(DbmazzSrText *post, const char *database, const char *target)
{
	DbmazzSrText query = {0};

	dbmazz_sr_text_addf(&query,
						"SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, "
						"COLUMN_KEY, COLUMN_DEFAULT, EXTRA "
						"FROM information_schema.columns "
						"WHERE TABLE_SCHEMA = ");
	add_literal(&query, database);
	dbmazz_sr_text_addf(&query, " AND TABLE_NAME = ");
	add_literal(&query, target);
	dbmazz_sr_text_addf(&query, " ORDER BY ORDINAL_POSITION;");
	dbmazz_sr_text_addf(post, "{\"query\":");
	if (query.failed)
		post->failed = true;
	else
		dbmazz_sr_text_json(post, query.data);
	dbmazz_sr_text_addf(post, "}");
	dbmazz_sr_text_free(&query);
}

static void
add_literal(DbmazzSrText *text, const char *value)
{
	dbmazz_sr_text_add(text, "'", 1);
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			dbmazz_sr_text_add(text, "\\", 1);
		dbmazz_sr_text_add(text, value, 1);
	}
	dbmazz_sr_text_add(text, "'", 1);
}

/* Before a load. */
static void
take_schema(DbmazzSrJob *job, DbmazzSrSchema *schema)
{
	const DbmazzTableDesc *desc = job->batch->table;
	DbmazzError *err = &job->completion.error;
	DbmazzSrPlan *last = NULL;

	if (job->config == job->sr->config)
	{
		last = dbmazz_sr_cache_last(job->sr, desc);
		dbmazz_sr_cache_store(job->sr, job->target, schema);
		job->plan = dbmazz_sr_cache_make(job->sr, desc, err);
	}
	else
	{
		/* The settings have changed since: not for those who come later. */
		job->plan = dbmazz_sr_plan_create(desc, schema, job->config->database,
										  err);
		free(schema);
	}
	if (job->plan != NULL)
		dbmazz_sr_load_send(job);
	else
	{
		if (last != NULL)
			tell_altered(err);
		dbmazz_sr_cache_forget(job->sr, job->target);
		dbmazz_sr_finish(job, err->status == DBMAZZ_ERR_NO_SPACE ?
						 DBMAZZ_RETRY : DBMAZZ_REJECT);
	}
	dbmazz_sr_plan_release(last);
}

/* Rows like these went there before, and are not sent again. */
static void
tell_altered(DbmazzError *err)
{
	char		detail[DBMAZZ_ERROR_DETAIL];

	strcpy(detail, err->detail);
	dbmazz_error_detail(err, "%s%sThe target was altered after rows had been "
						"loaded. If it has lost values of theirs by that, load "
						"the table anew.", detail,
						detail[0] != '\0' ? " " : "");
}

/* Behind a load. */
static void
compare_schema(DbmazzSrJob *job, DbmazzSrSchema *schema)
{
	DbmazzError *err = &job->completion.error;
	DbmazzSrPlan *now;

	if (dbmazz_sr_cache_renew(job->sr, job->target, job->plan, schema))
	{
		free(schema);
		confirmed(job);
		return;
	}
	now = dbmazz_sr_plan_create(job->batch->table, schema,
								job->config->database, err);
	if (now != NULL && job->plan != NULL &&
		dbmazz_sr_plan_equal(job->plan, now))
	{
		/* what else there is has changed */
		if (job->config == job->sr->config)
			dbmazz_sr_cache_store(job->sr, job->target, schema);
		else
			free(schema);
		dbmazz_sr_plan_release(now);
		confirmed(job);
		return;
	}
	free(schema);
	if (now == NULL && err->status == DBMAZZ_ERR_NO_SPACE)
		dbmazz_sr_finish(job, DBMAZZ_DOUBT);
	else if (now == NULL)
		send_anew(job);
	else
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "target table \"%s\" was altered while rows were "
						 "sent to it", job->target);
		dbmazz_error_detail(err, "The rows are sent again, for the table may "
							"have been without a column of theirs.");
		send_anew(job);
	}
	dbmazz_sr_plan_release(now);
}

static void
confirmed(DbmazzSrJob *job)
{
	if (job->request->kind == DBMAZZ_REQUEST_GROUP)
		dbmazz_sr_group_confirmed(job);
	else
		dbmazz_sr_finish(job, DBMAZZ_DONE);
}

/*
 * What the cache has is out of date, too.  What is prepared under the label must
 * go first.
 */
static void
send_anew(DbmazzSrJob *job)
{
	bool		is_prepared = job->request->kind == DBMAZZ_REQUEST_PREPARE ||
	job->request->kind == DBMAZZ_REQUEST_GROUP;

	dbmazz_sr_cache_expire(job->sr, job->target);
	job->completion.send_anew = !is_prepared;
	dbmazz_sr_finish(job, is_prepared ? DBMAZZ_DOUBT : DBMAZZ_RETRY);
}
