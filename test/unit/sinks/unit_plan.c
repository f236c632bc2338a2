/*
 * unit_plan.c
 *		Tests of sinks/starrocks/plan.c: comparison, header, end of deletes.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/typemap.h"
#include "fixture.h"
#include "sinks/starrocks/plan.h"

#define KEY		(DBMAZZ_COLUMN_KEY | DBMAZZ_COLUMN_NOT_NULL)
#define NN		DBMAZZ_COLUMN_NOT_NULL

static const FixtureColumn source[] = {
	{"id", 20, DBMAZZ_VALUE_INTEGER, KEY},
	{"a`b\"", 25, DBMAZZ_VALUE_STRING, NN},
	{"n", 23, DBMAZZ_VALUE_INTEGER, 0},
	{"flag", 16, DBMAZZ_VALUE_BOOL, NN},
	{"day", 1082, DBMAZZ_VALUE_DATE, NN},
	{"at", 1184, DBMAZZ_VALUE_TIMESTAMPTZ, NN},
	{"doc", 3802, DBMAZZ_VALUE_JSON, NN},
	{"bin", 17, DBMAZZ_VALUE_BYTEA, NN},
	{"hex", 17, DBMAZZ_VALUE_BYTEA, 0}
};

#define NSOURCE		((int) (sizeof(source) / sizeof(source[0])))

/* A schema of columns in the same form, all that is known about it known. */
typedef struct Target
{
	const char *name;
	DbmazzSrType type;
	bool		is_key;
	bool		is_nullable;
	bool		has_default;
} Target;

static const Target target[] = {
	{"id", DBMAZZ_SR_TYPE_INTEGER, true, false, false},
	{"a`b\"", DBMAZZ_SR_TYPE_STRING, false, false, false},
	{"n", DBMAZZ_SR_TYPE_INTEGER, false, false, false},
	{"flag", DBMAZZ_SR_TYPE_BOOLEAN, false, false, false},
	{"day", DBMAZZ_SR_TYPE_DATE, false, false, true},
	{"at", DBMAZZ_SR_TYPE_DATETIME, false, false, false},
	{"doc", DBMAZZ_SR_TYPE_JSON, false, false, false},
	{"bin", DBMAZZ_SR_TYPE_BINARY, false, false, false},
	{"hex", DBMAZZ_SR_TYPE_STRING, false, true, false},
	{"more", DBMAZZ_SR_TYPE_STRING, false, true, false},
	{"filled", DBMAZZ_SR_TYPE_INTEGER, false, false, true}
};

#define NTARGET		((int) (sizeof(target) / sizeof(target[0])))

static DbmazzSrSchema *
make_schema(const Target *columns, int n)
{
	DbmazzSrSchema *schema = calloc(1, sizeof(*schema) +
									(size_t) n * sizeof(DbmazzSrColumn));
	int			i;

	schema->keys_known = true;
	schema->nulls_known = true;
	schema->is_primary = true;
	schema->ncolumns = n;
	for (i = 0; i < n; i++)
	{
		schema->columns[i].name = columns[i].name;
		schema->columns[i].type = columns[i].type;
		schema->columns[i].number = -1;
		schema->columns[i].is_key = columns[i].is_key;
		schema->columns[i].is_nullable = columns[i].is_nullable;
		schema->columns[i].has_default = columns[i].has_default;
	}
	return schema;
}

static void
fitting(void)
{
	DbmazzTableDesc *desc = fixture_desc("t", false, source, NSOURCE);
	DbmazzSrSchema *schema = make_schema(target, NTARGET);
	DbmazzError err;
	DbmazzSrPlan *plan = dbmazz_sr_plan_create(desc, schema, "d", &err);

	if (CHECK(plan != NULL))
	{
		CHECK_STR(plan->columns,
				  "`id`,`a``b\"`,`n`,`flag`,`day`,`at`,`doc`,`bin`,`hex`,"
				  "`bin`=to_binary(`bin`,'hex')");
		CHECK_STR(plan->delete_tail,
				  ",\"a`b\\\"\":\"\",\"n\":0,\"flag\":false,"
				  "\"day\":\"1970-01-01\",\"at\":\"1970-01-01 00:00:00\","
				  "\"doc\":{},\"bin\":\"\",\"__op\":1}");
		CHECK_INT(plan->delete_tail_len, strlen(plan->delete_tail));
	}
	dbmazz_sr_plan_release(plan);

	/* without knowledge of NULLs, all columns are filled */
	schema->nulls_known = false;
	schema->keys_known = false;
	schema->is_primary = false;
	plan = dbmazz_sr_plan_create(desc, schema, "d", &err);
	if (CHECK(plan != NULL))
		CHECK_HAS(plan->delete_tail, "\"bin\":\"\",\"hex\":\"\",\"__op\":1}");
	dbmazz_sr_plan_release(plan);
	free(schema);
	free(desc);
}

static void
partial(void)
{
	static const Target with_unfilled[] = {
		{"id", DBMAZZ_SR_TYPE_INTEGER, true, false, false},
		{"n", DBMAZZ_SR_TYPE_INTEGER, false, true, false},
		{"must", DBMAZZ_SR_TYPE_INTEGER, false, false, false}
	};
	FixtureColumn columns[2];
	DbmazzTableDesc *desc;
	DbmazzTableDesc *full;
	DbmazzSrSchema *schema = make_schema(with_unfilled, 3);
	DbmazzError err;
	DbmazzSrPlan *plan;

	columns[0] = source[0];
	columns[1] = source[2];
	desc = fixture_desc("t", true, columns, 2);
	full = fixture_desc("t", false, columns, 2);
	CHECK(dbmazz_sr_plan_key(desc) != dbmazz_sr_plan_key(full));
	plan = dbmazz_sr_plan_create(desc, schema, "d", &err);
	if (CHECK(plan != NULL))
	{
		CHECK_STR(plan->columns, "`id`,`n`");
		CHECK_STR(plan->delete_tail, ",\"__op\":1}");
	}
	dbmazz_sr_plan_release(plan);

	plan = dbmazz_sr_plan_create(full, schema, "d", &err);
	CHECK(plan == NULL);
	CHECK_HAS(err.message, "wants a value for column \"must\"");
	CHECK_HAS(err.hint, "ALTER TABLE `d`.`t` DROP COLUMN `must`;");
	free(schema);
	free(desc);
	free(full);
}

/* What does not fit, one thing at a time. */
static void
misfits(void)
{
	DbmazzTableDesc *desc = fixture_desc("t", false, source, NSOURCE);
	DbmazzSrSchema *schema;
	DbmazzError err;

	schema = make_schema(target, NTARGET);
	schema->is_primary = false;
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "is not a Primary Key table");
	CHECK_HAS(err.hint, "CREATE TABLE `d`.`t`");
	free(schema);

	schema = make_schema(target, 7);
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_STR(err.message,
			  "target table \"t\" has no column \"bin\", \"hex\"");
	CHECK_STR(err.hint, "Run in StarRocks: ALTER TABLE `d`.`t` ADD COLUMN "
			  "`bin` VARBINARY NULL, ADD COLUMN `hex` VARBINARY NULL;");
	CHECK_INT(err.status, DBMAZZ_ERR_UNSUPPORTED);
	free(schema);

	schema = make_schema(target, NTARGET);
	schema->columns[2].name = "N";
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "has no column \"n\"");
	CHECK_HAS(err.hint, "It has a column \"N\"");
	free(schema);

	schema = make_schema(target, NTARGET);
	schema->columns[2].is_key = true;
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "primary key of target table \"t\"");
	CHECK_STR(err.detail, "The key is \"id\", \"n\" in the target and \"id\" "
			  "in the source.");
	free(schema);

	schema = make_schema(target, NTARGET);
	schema->columns[9].is_key = true;
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.detail, "\"id\", \"more\"");
	free(schema);
	free(desc);
}

/* Hundreds of columns: nothing overflows, and the statement is whole. */
static void
wide(void)
{
	enum
	{
		N = 1600
	};
	FixtureColumn *columns = calloc(N, sizeof(*columns));
	Target		one = {"c0", DBMAZZ_SR_TYPE_INTEGER, true, false, false};
	char		(*names)[64] = calloc(N, 64);
	DbmazzSrSchema *schema = make_schema(&one, 1);
	DbmazzTableDesc *desc;
	DbmazzError err;
	size_t		len;
	int			i;

	for (i = 0; i < N; i++)
	{
		snprintf(names[i], 64, i == 0 ? "c%d" : "c%d_%050d", i, i);
		columns[i].name = names[i];
		columns[i].typid = 20;
		columns[i].value_class = DBMAZZ_VALUE_INTEGER;
		columns[i].flags = i == 0 ? KEY : 0;
	}
	desc = fixture_desc("t", false, columns, N);
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "...");
	CHECK_HAS(err.hint, "Run in StarRocks: ALTER TABLE");
	len = strlen(err.hint);
	CHECK_STR(err.hint + len - 6, " more)");
	free(schema);
	free(desc);
	free(columns);
	free(names);
}

static void
bad_name(void)
{
	static const FixtureColumn columns[] = {
		{"id", 20, DBMAZZ_VALUE_INTEGER, KEY},
		{"x\r\ny: z", 20, DBMAZZ_VALUE_INTEGER, 0}
	};
	static const Target same[] = {
		{"id", DBMAZZ_SR_TYPE_INTEGER, true, false, false},
		{"x\r\ny: z", DBMAZZ_SR_TYPE_INTEGER, false, true, false}
	};
	DbmazzTableDesc *desc = fixture_desc("t", false, columns, 2);
	DbmazzSrSchema *schema = make_schema(same, 2);
	DbmazzError err;

	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "control character");
	free(schema);
	free(desc);
}

/* Equal but for upper and lower case; a type that loses values. */
static void
collisions(void)
{
	static const FixtureColumn columns[] = {
		{"id", 20, DBMAZZ_VALUE_INTEGER, KEY},
		{"A", 25, DBMAZZ_VALUE_STRING, 0},
		{"a", 25, DBMAZZ_VALUE_STRING, 0}
	};
	static const Target same[] = {
		{"id", DBMAZZ_SR_TYPE_INTEGER, true, false, false},
		{"A", DBMAZZ_SR_TYPE_INTEGER, false, true, false}
	};
	DbmazzTableDesc *desc = fixture_desc("t", false, columns, 3);
	DbmazzSrSchema *schema = make_schema(same, 2);
	DbmazzError err;

	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_STR(err.message,
			  "columns \"A\" and \"a\" of table \"t\" are one in StarRocks");
	CHECK_HAS(err.hint, "This pipeline cannot get past the row");
	CHECK_HAS(err.hint, "Rename one of them");
	CHECK_HAS(err.hint, "drop the pipeline");
	free(desc);
	desc = fixture_desc("t", false, columns, 2);
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_STR(err.message, "column \"A\" of target table \"t\" would change "
			  "values of the source");
	CHECK_HAS(err.hint, "ALTER TABLE `d`.`t` MODIFY COLUMN `A` ");
	free(schema);
	free(desc);
}

/* A log goes to a Duplicate Key table and nowhere else, whatever its keys. */
static void
change_log(void)
{
	static const FixtureColumn columns[] = {
		{"a", 23, DBMAZZ_VALUE_INTEGER, 0},
		{"dbmazz_op_type", DBMAZZ_TYPE_TINYINT, DBMAZZ_VALUE_INTEGER, 0},
		{"dbmazz_cdc_version", 20, DBMAZZ_VALUE_INTEGER,
		DBMAZZ_COLUMN_SORT}
	};
	static const Target log[] = {
		{"a", DBMAZZ_SR_TYPE_INTEGER, true, true, false},
		{"dbmazz_op_type", DBMAZZ_SR_TYPE_INTEGER, false, true, false},
		{"dbmazz_cdc_version", DBMAZZ_SR_TYPE_INTEGER, false, true, false}
	};
	DbmazzTableDesc *desc = fixture_desc("t", false, columns, 3);
	DbmazzSrSchema *schema = make_schema(log, 3);
	DbmazzSrSchema *assumed;
	DbmazzError err;
	DbmazzSrPlan *plan;

	desc->flags |= DBMAZZ_TABLE_LOG;
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_STR(err.message, "target table \"t\" is not a Duplicate Key table");
	CHECK_STR(err.hint, "Create it: CREATE TABLE `d`.`t` (\n"
			  "\t`dbmazz_cdc_version` BIGINT NOT NULL,\n"
			  "\t`a` INT NULL,\n"
			  "\t`dbmazz_op_type` TINYINT NULL\n)\n"
			  "DUPLICATE KEY (`dbmazz_cdc_version`)\n"
			  "DISTRIBUTED BY HASH (`dbmazz_cdc_version`);");
	schema->is_primary = false;
	schema->is_duplicate = true;
	plan = dbmazz_sr_plan_create(desc, schema, "d", &err);
	if (CHECK(plan != NULL))
		CHECK_STR(plan->columns, "`a`,`dbmazz_op_type`,`dbmazz_cdc_version`");
	dbmazz_sr_plan_release(plan);
	assumed = dbmazz_sr_schema_assume(desc);
	CHECK(assumed->is_duplicate && !assumed->is_primary);
	desc->flags &= (uint16_t) ~DBMAZZ_TABLE_LOG;
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "is not a Primary Key table");
	free(assumed);
	free(schema);
	free(desc);
}

/* With rows as CSV: all fields of a line, in the header and in a delete. */
static void
csv(void)
{
	static const FixtureColumn columns[] = {
		{"id", 20, DBMAZZ_VALUE_INTEGER, KEY},
		{"bin", 17, DBMAZZ_VALUE_BYTEA, NN},
		{"hex", 17, DBMAZZ_VALUE_BYTEA, 0},
		{"at", 1184, DBMAZZ_VALUE_TIMESTAMPTZ, NN},
		{"n", 23, DBMAZZ_VALUE_INTEGER, 0}
	};
	DbmazzTableDesc *desc = fixture_desc("t", true, columns, 5);
	DbmazzSrSchema *schema = make_schema(target, NTARGET);
	DbmazzError err;
	DbmazzSrPlan *plan;

	desc->flags |= DBMAZZ_TABLE_CSV;
	plan = dbmazz_sr_plan_create(desc, schema, "d", &err);
	if (CHECK(plan != NULL))
	{
		CHECK_STR(plan->columns, "`id`,`bin`,`hex`,`at`,`n`,__op,"
				  "`bin`=to_binary(`bin`,'hex')");
		CHECK_STR(plan->delete_tail,
				  ",\"\",\\N,\"1970-01-01 00:00:00\",0,1\n");
	}
	dbmazz_sr_plan_release(plan);

	/* a text is not sent to a column that reads it as a document */
	schema->columns[8].type = DBMAZZ_SR_TYPE_JSON;
	CHECK(dbmazz_sr_plan_create(desc, schema, "d", &err) == NULL);
	CHECK_HAS(err.message, "\"hex\" of target table \"t\" is of type JSON");
	CHECK_HAS(err.hint, "format");
	desc->flags &= (uint16_t) ~DBMAZZ_TABLE_CSV;
	plan = dbmazz_sr_plan_create(desc, schema, "d", &err);
	CHECK(plan != NULL);
	dbmazz_sr_plan_release(plan);
	free(schema);
	free(desc);
}

/* Is what was sent by one plan what the other one would send? */
static void
equality(void)
{
	DbmazzTableDesc *desc = fixture_desc("t", false, source, NSOURCE);
	DbmazzSrSchema *schema = make_schema(target, NTARGET);
	DbmazzError err;
	DbmazzSrPlan *plans[7];
	int			i;

	plans[0] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	schema->number = 10005;
	schema->columns[8].number = 97;
	plans[1] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	schema->columns[9].number = 99; /* none of the source's */
	plans[2] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	schema->columns[8].number = 98;
	plans[3] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	schema->number = 10006;
	plans[4] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	/* a frontend that tells the table's number, and none of this column */
	schema->columns[8].number = -1;
	plans[6] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	schema->number = 0;
	schema->columns[7].type = DBMAZZ_SR_TYPE_STRING;
	plans[5] = dbmazz_sr_plan_create(desc, schema, "d", &err);
	for (i = 0; i < 5; i++)
		CHECK(dbmazz_sr_plan_equal(plans[0], plans[i]));
	CHECK(dbmazz_sr_plan_equal(plans[1], plans[2]));
	CHECK(!dbmazz_sr_plan_equal(plans[2], plans[3]));
	CHECK(!dbmazz_sr_plan_equal(plans[3], plans[4]));
	CHECK(!dbmazz_sr_plan_equal(plans[0], plans[5]));
	CHECK(dbmazz_sr_plan_equal(plans[4], plans[6]));
	CHECK(dbmazz_sr_plan_equal(plans[6], plans[4]));
	CHECK(!dbmazz_sr_plan_equal(plans[3], plans[6]));
	for (i = 0; i < 7; i++)
		dbmazz_sr_plan_release(plans[i]);
	free(schema);
	free(desc);
}

void
unit_plan(void)
{
	equality();
	change_log();
	collisions();
	csv();
	fitting();
	partial();
	misfits();
	wide();
	bad_name();
}
