/*
 * unit_cache.c
 *		Tests of sinks/starrocks/cache.c.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "sinks/starrocks/job.h"

static const FixtureColumn columns[] = {
	{"id", 20, DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"v", 25, DBMAZZ_VALUE_STRING, 0}
};

/* What was read behind a load, by the plan that the load was sent by. */
static void
check_renewal(DbmazzSr *sr, const DbmazzTableDesc *desc)
{
	DbmazzSrSchema *same = dbmazz_sr_schema_assume(desc);
	DbmazzSrSchema *changed = dbmazz_sr_schema_assume(desc);
	DbmazzSrPlan *plan = dbmazz_sr_cache_plan(sr, desc);
	DbmazzSrPlan *last;

	changed->columns[1].number = 7;
	CHECK(dbmazz_sr_cache_renew(sr, "t", plan, same));
	CHECK(!dbmazz_sr_cache_renew(sr, "t", plan, changed));
	CHECK(!dbmazz_sr_cache_renew(sr, "t", NULL, same));
	CHECK(!dbmazz_sr_cache_renew(sr, "nobody", plan, same));

	/* too old for a load; but it is what the last one was sent by */
	dbmazz_sr_cache_expire(sr, "t");
	CHECK(dbmazz_sr_cache_plan(sr, desc) == NULL);
	last = dbmazz_sr_cache_last(sr, desc);
	CHECK(last == plan);
	dbmazz_sr_plan_release(last);

	/* the same schema keeps the plans, another one does not */
	dbmazz_sr_cache_store(sr, "t", same);
	last = dbmazz_sr_cache_plan(sr, desc);
	CHECK(last == plan);
	dbmazz_sr_plan_release(last);
	dbmazz_sr_cache_expire(sr, "t");
	dbmazz_sr_cache_store(sr, "t", changed);
	CHECK(dbmazz_sr_cache_last(sr, desc) == NULL);
	last = dbmazz_sr_cache_plan(sr, desc);
	CHECK(last != NULL && last != plan);
	dbmazz_sr_plan_release(last);
	dbmazz_sr_plan_release(plan);
}

/* The schema, as told by a frontend that knows these numbers. */
static DbmazzSrSchema *
numbered(const DbmazzTableDesc *desc, double number, double column)
{
	DbmazzSrSchema *schema = dbmazz_sr_schema_assume(desc);

	schema->number = number;
	schema->columns[1].number = column;
	return schema;
}

static bool
serves(DbmazzSr *sr, const DbmazzTableDesc *desc, const DbmazzSrPlan *plan)
{
	DbmazzSrPlan *now = dbmazz_sr_cache_plan(sr, desc);
	bool		result = now == plan;

	dbmazz_sr_plan_release(now);
	return result;
}

/* A frontend that tells no numbers does not make those forgotten that are known. */
static void
check_numbers(DbmazzSr *sr, const DbmazzTableDesc *desc)
{
	DbmazzSrSchema *other = numbered(desc, 0, -1);
	DbmazzSrPlan *plan;

	dbmazz_sr_cache_store(sr, "t", numbered(desc, 5, 7));
	plan = dbmazz_sr_cache_plan(sr, desc);
	CHECK(plan->number == 5 && plan->numbers[1] == 7);
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 0, -1));
	CHECK(serves(sr, desc, plan));
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 5, -1));
	CHECK(serves(sr, desc, plan));

	/* nor does one that must be asked in another way, or how to ask for them */
	other->source = DBMAZZ_SR_SCHEMA_SQL;
	dbmazz_sr_cache_store(sr, "t", other);
	CHECK(serves(sr, desc, plan));
	CHECK_INT(dbmazz_sr_cache_source(sr, "t"), DBMAZZ_SR_SCHEMA_V2);

	/* another table, another column, and one that was altered */
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 6, -1));
	CHECK(!serves(sr, desc, plan));
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 6, 7));
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 0, 8));
	dbmazz_sr_plan_release(plan);
	plan = dbmazz_sr_cache_plan(sr, desc);
	CHECK(plan->number == 0 && plan->numbers[1] == 8);
	dbmazz_sr_plan_release(plan);
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 6, 7));
	dbmazz_sr_cache_expire(sr, "t");
	dbmazz_sr_cache_store(sr, "t", numbered(desc, 0, -1));
	plan = dbmazz_sr_cache_plan(sr, desc);
	CHECK(plan->number == 0 && plan->numbers[1] == -1);
	dbmazz_sr_plan_release(plan);
}

/* Of the attempts under a label, the first one counts. */
static void
check_first(DbmazzSr *sr, const DbmazzTableDesc *desc)
{
	DbmazzSrSchema *changed = dbmazz_sr_schema_assume(desc);
	DbmazzSrPlan *plan = dbmazz_sr_cache_plan(sr, desc);
	DbmazzSrPlan *other;
	DbmazzSrPlan *first;

	CHECK(dbmazz_sr_cache_first(sr, "t", "l1") == NULL);
	CHECK(dbmazz_sr_cache_sent(sr, "t", "l1", plan));

	/* it outlives the schema */
	changed->columns[1].number = 8;
	dbmazz_sr_cache_store(sr, "t", changed);
	other = dbmazz_sr_cache_plan(sr, desc);
	CHECK(other != NULL && other != plan);
	CHECK(!dbmazz_sr_cache_sent(sr, "t", "l1", other));
	first = dbmazz_sr_cache_first(sr, "t", "l1");
	CHECK(first == plan);
	dbmazz_sr_plan_release(first);

	/* but not the next label */
	CHECK(dbmazz_sr_cache_sent(sr, "t", "l2", other));
	CHECK(dbmazz_sr_cache_first(sr, "t", "l1") == NULL);
	first = dbmazz_sr_cache_first(sr, "t", "l2");
	CHECK(first == other);
	dbmazz_sr_plan_release(first);
	dbmazz_sr_plan_release(other);
	dbmazz_sr_plan_release(plan);
}

/* Under other settings a label that was used before does not pass for a new one. */
static void
check_outdated(DbmazzSr *sr, const DbmazzTableDesc *desc)
{
	DbmazzSrPlan *plan = dbmazz_sr_cache_plan(sr, desc);

	CHECK(dbmazz_sr_cache_sent(sr, "t", "l3", plan));
	dbmazz_sr_cache_outdate(sr);
	CHECK(dbmazz_sr_cache_plan(sr, desc) == NULL);
	CHECK(dbmazz_sr_cache_last(sr, desc) == NULL);
	CHECK_INT(dbmazz_sr_cache_source(sr, "t"), DBMAZZ_SR_SCHEMA_V2);
	CHECK(!dbmazz_sr_cache_renew(sr, "t", plan, NULL));
	dbmazz_sr_plan_release(plan);

	dbmazz_sr_cache_store(sr, "t", dbmazz_sr_schema_assume(desc));
	plan = dbmazz_sr_cache_plan(sr, desc);
	CHECK(!dbmazz_sr_cache_sent(sr, "t", "l3", plan));
	CHECK(dbmazz_sr_cache_first(sr, "t", "l3") == NULL);
	CHECK(dbmazz_sr_cache_sent(sr, "t", "l4", plan));

	/* nor one that a request with the older ones uses behind that */
	CHECK(dbmazz_sr_cache_sent(sr, "t", "l5", NULL));
	CHECK(!dbmazz_sr_cache_sent(sr, "t", "l5", plan));
	CHECK(dbmazz_sr_cache_first(sr, "t", "l5") == NULL);
	CHECK(dbmazz_sr_cache_sent(sr, "new", "l6", NULL));
	CHECK(!dbmazz_sr_cache_sent(sr, "new", "l6", plan));
	CHECK(dbmazz_sr_cache_first(sr, "new", "l6") == NULL);
	dbmazz_sr_plan_release(plan);
}

void
unit_cache(void)
{
	DbmazzOption options[2] = {{"url", "http://fe"}, {"database", "d"}};
	DbmazzTableDesc *full = fixture_desc("t", false, columns, 2);
	DbmazzTableDesc *keys = fixture_desc("t", false, columns, 1);
	DbmazzTableDesc *other = fixture_desc("u", false, columns, 2);
	DbmazzSr	sr = {0};
	DbmazzError err;
	DbmazzSrPlan *plan;
	DbmazzSrPlan *again;
	int			i;

	sr.config = dbmazz_sr_config_create(options, 2, &err);
	CHECK(dbmazz_sr_cache_plan(&sr, full) == NULL);
	dbmazz_sr_cache_store(&sr, "t", dbmazz_sr_schema_assume(full));

	/* a fresh schema serves any description that it fits */
	plan = dbmazz_sr_cache_plan(&sr, full);
	CHECK(plan != NULL);
	again = dbmazz_sr_cache_plan(&sr, full);
	CHECK(again == plan);
	dbmazz_sr_plan_release(again);
	CHECK(dbmazz_sr_cache_plan(&sr, other) == NULL);
	again = dbmazz_sr_cache_plan(&sr, keys);
	CHECK(again != NULL && again != plan);
	dbmazz_sr_plan_release(again);

	/* a plan in use outlives its place in the cache */
	for (i = 0; i < 100; i++)
	{
		DbmazzTableDesc *desc = fixture_desc("t", i % 2 == 0, columns, 2);

		dbmazz_sr_plan_release(dbmazz_sr_cache_plan(&sr, desc));
		free(desc);
	}
	dbmazz_sr_cache_forget(&sr, "t");
	CHECK_STR(plan->columns, "`id`,`v`");
	dbmazz_sr_plan_release(plan);
	CHECK(dbmazz_sr_cache_plan(&sr, full) == NULL);

	dbmazz_sr_cache_store(&sr, "t", dbmazz_sr_schema_assume(full));
	check_renewal(&sr, full);
	check_numbers(&sr, full);
	check_first(&sr, full);
	check_outdated(&sr, full);
	dbmazz_sr_cache_store(&sr, "u", dbmazz_sr_schema_assume(other));
	dbmazz_sr_cache_clear(&sr);
	for (i = 0; i < DBMAZZ_SR_BUCKETS; i++)
		CHECK(sr.targets[i] == NULL);
	dbmazz_sr_config_release(sr.config);
	free(full);
	free(keys);
	free(other);
}
