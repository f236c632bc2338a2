/*
 * cache.c
 *		Keeps the schemas of targets and the plans made from them.
 *
 * NOTES
 *	  A schema is read again when a description comes that no plan is kept for,
 *	  when it is some seconds old, and after the target has refused a load.  Each
 *	  load is followed by a look of its own (target.c), which keeps the cache fresh
 *	  as long as rows flow.  So nothing depends on the age but this: a column that
 *	  was dropped while the table was at rest is found before rows are sent, not
 *	  behind them.
 *
 *	  Of frontends of several versions, one may tell numbers (schema.h) and another
 *	  one not.  Those that are known are kept, and so is the way to ask for them, so
 *	  that it does not matter which one is asked in between; but not where the target
 *	  was altered.  Where the best way is not open, it is tried again when the schema
 *	  is some seconds old, although rows flow.
 *
 *	  A label is used for several attempts where it seemed that the target does not
 *	  know it.  Any of them may turn out to be the one that was loaded, perhaps when
 *	  a column was not there for a while.  So the plan of the first one is kept: a
 *	  schema that equals its own has had all columns all the time.  What was sent
 *	  under older settings is known by its label only, so that a later attempt does
 *	  not pass for the first one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "sinks/starrocks/job.h"

#define MAX_AGE_MS		5000
#define FRESH_MS		1000	/* a schema that young serves any description */
#define MAX_PLANS		32		/* column sets of a target in use at a time */

struct DbmazzSrTarget
{
	DbmazzSrTarget *next;
	char	   *name;
	DbmazzSrSchema *schema;		/* NULL: not known under the settings of now */
	int64_t		read_at_ms;
	bool		is_expired;		/* the table was altered since */
	DbmazzSrPlan *plans[MAX_PLANS];
	int			next_plan;		/* the place to be used next */
	char		label[DBMAZZ_LABEL_SIZE];	/* of the newest load, */
	DbmazzSrPlan *first;		/* and what its first attempt was sent by; NULL:
								 * not known */
};

static DbmazzSrTarget **find(DbmazzSr *sr, const char *name);
static DbmazzSrTarget *add(DbmazzSr *sr, const char *name);
static DbmazzSrPlan *find_plan(const DbmazzSrTarget *target,
							   const DbmazzTableDesc *desc);
static void drop_plans(DbmazzSrTarget *target);
static void drop_known(DbmazzSrTarget *target);

DbmazzSrPlan *
dbmazz_sr_cache_plan(DbmazzSr *sr, const DbmazzTableDesc *desc)
{
	DbmazzSrTarget *target = *find(sr, dbmazz_desc_text(desc, desc->target));
	DbmazzSrPlan *plan;
	DbmazzError ignored;
	int64_t		age;

	if (target == NULL || target->schema == NULL)
		return NULL;
	age = dbmazz_http_now_ms() - target->read_at_ms;
	if (age > MAX_AGE_MS)
		return NULL;
	plan = find_plan(target, desc);
	if (plan != NULL)
		return plan;
	return age <= FRESH_MS ? dbmazz_sr_cache_make(sr, desc, &ignored) : NULL;
}

DbmazzSrPlan *
dbmazz_sr_cache_last(DbmazzSr *sr, const DbmazzTableDesc *desc)
{
	DbmazzSrTarget *target = *find(sr, dbmazz_desc_text(desc, desc->target));

	return target != NULL ? find_plan(target, desc) : NULL;
}

DbmazzSrSchemaSource
dbmazz_sr_cache_source(DbmazzSr *sr, const char *name)
{
	DbmazzSrTarget *target = *find(sr, name);

	return target != NULL && target->schema != NULL ?
		target->schema->source : DBMAZZ_SR_SCHEMA_V2;
}

bool
dbmazz_sr_cache_renew(DbmazzSr *sr, const char *name,
					  const DbmazzSrPlan *plan, const DbmazzSrSchema *schema)
{
	DbmazzSrTarget *target = *find(sr, name);
	int			i;

	for (i = 0; target != NULL && i < MAX_PLANS; i++)
	{
		if (target->plans[i] != plan || plan == NULL)
			continue;
		if (!dbmazz_sr_schema_equal(target->schema, schema))
			return false;
		if (schema->source == DBMAZZ_SR_SCHEMA_V2)
			target->read_at_ms = dbmazz_http_now_ms();
		return true;
	}
	return false;
}

void
dbmazz_sr_cache_expire(DbmazzSr *sr, const char *name)
{
	DbmazzSrTarget *target = *find(sr, name);

	if (target == NULL)
		return;
	target->read_at_ms = dbmazz_http_now_ms() - MAX_AGE_MS - 1;
	target->is_expired = true;
}

void
dbmazz_sr_cache_store(DbmazzSr *sr, const char *name, DbmazzSrSchema *schema)
{
	DbmazzSrTarget *target = *find(sr, name);
	bool		has_schema = target != NULL && target->schema != NULL;

	if (has_schema && !target->is_expired)
		dbmazz_sr_schema_keep_numbers(schema, target->schema);
	if (has_schema && dbmazz_sr_schema_equal(target->schema, schema))
	{
		free(schema);
		target->is_expired = false;
		target->read_at_ms = dbmazz_http_now_ms();
		return;
	}
	if (target == NULL)
		target = add(sr, name);
	if (target == NULL)
	{
		free(schema);
		return;
	}
	drop_plans(target);
	free(target->schema);
	target->schema = schema;
	target->is_expired = false;
	target->read_at_ms = dbmazz_http_now_ms();
}

DbmazzSrPlan *
dbmazz_sr_cache_make(DbmazzSr *sr, const DbmazzTableDesc *desc,
					 DbmazzError *err)
{
	DbmazzSrTarget *target = *find(sr, dbmazz_desc_text(desc, desc->target));
	DbmazzSrPlan *plan;
	int			place;

	if (target == NULL || target->schema == NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
		return NULL;
	}
	plan = find_plan(target, desc);
	if (plan != NULL)
		return plan;
	plan = dbmazz_sr_plan_create(desc, target->schema, sr->config->database,
								 err);
	if (plan == NULL)
		return NULL;
	place = target->next_plan;
	target->next_plan = (place + 1) % MAX_PLANS;
	dbmazz_sr_plan_release(target->plans[place]);
	target->plans[place] = plan;
	plan->refs++;
	return plan;
}

void
dbmazz_sr_cache_forget(DbmazzSr *sr, const char *name)
{
	DbmazzSrTarget **link = find(sr, name);
	DbmazzSrTarget *target = *link;

	if (target == NULL)
		return;
	*link = target->next;
	drop_known(target);
	free(target->name);
	free(target);
}

void
dbmazz_sr_cache_clear(DbmazzSr *sr)
{
	int			i;

	for (i = 0; i < DBMAZZ_SR_BUCKETS; i++)
	{
		while (sr->targets[i] != NULL)
			dbmazz_sr_cache_forget(sr, sr->targets[i]->name);
	}
}

void
dbmazz_sr_cache_outdate(DbmazzSr *sr)
{
	DbmazzSrTarget *target;
	int			i;

	for (i = 0; i < DBMAZZ_SR_BUCKETS; i++)
	{
		for (target = sr->targets[i]; target != NULL; target = target->next)
			drop_known(target);
	}
}

bool
dbmazz_sr_cache_sent(DbmazzSr *sr, const char *name, const char *label,
					 DbmazzSrPlan *plan)
{
	DbmazzSrTarget *target = *find(sr, name);

	if (target == NULL)
		target = add(sr, name);
	if (target == NULL)
		return true;
	if (strcmp(target->label, label) == 0)
		return false;
	dbmazz_sr_plan_release(target->first);
	(void) snprintf(target->label, sizeof(target->label), "%s", label);
	target->first = plan;
	if (plan != NULL)
		plan->refs++;
	return true;
}

DbmazzSrPlan *
dbmazz_sr_cache_first(DbmazzSr *sr, const char *name, const char *label)
{
	DbmazzSrTarget *target = *find(sr, name);

	if (target == NULL || target->first == NULL ||
		strcmp(target->label, label) != 0)
		return NULL;
	target->first->refs++;
	return target->first;
}

/* The link to the target's entry, or the one at the end of its list. */
static DbmazzSrTarget **
find(DbmazzSr *sr, const char *name)
{
	uint64_t	hash = dbmazz_hash(name, strlen(name), 0);
	DbmazzSrTarget **link = &sr->targets[hash % DBMAZZ_SR_BUCKETS];

	while (*link != NULL && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	return link;
}

/* An entry without a schema; NULL if out of memory. */
static DbmazzSrTarget *
add(DbmazzSr *sr, const char *name)
{
	DbmazzSrTarget *target = calloc(1, sizeof(*target));

	if (target != NULL)
		target->name = strdup(name);
	if (target == NULL || target->name == NULL)
	{
		free(target);
		return NULL;
	}
	*find(sr, name) = target;
	return target;
}

/* With a reference for the caller; NULL if there is none. */
static DbmazzSrPlan *
find_plan(const DbmazzSrTarget *target, const DbmazzTableDesc *desc)
{
	uint64_t	key = dbmazz_sr_plan_key(desc);
	int			i;

	for (i = 0; i < MAX_PLANS; i++)
	{
		if (target->plans[i] == NULL || target->plans[i]->key != key)
			continue;
		target->plans[i]->refs++;
		return target->plans[i];
	}
	return NULL;
}

static void
drop_plans(DbmazzSrTarget *target)
{
	int			i;

	for (i = 0; i < MAX_PLANS; i++)
	{
		dbmazz_sr_plan_release(target->plans[i]);
		target->plans[i] = NULL;
	}
}

/* All but the name, and the label that was used last. */
static void
drop_known(DbmazzSrTarget *target)
{
	drop_plans(target);
	dbmazz_sr_plan_release(target->first);
	target->first = NULL;
	free(target->schema);
	target->schema = NULL;
}
