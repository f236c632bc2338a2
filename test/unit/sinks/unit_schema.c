/*
 * unit_schema.c
 *		Tests of sinks/starrocks/schema.c.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "sinks/starrocks/schema.h"

static const char v2[] =
	"{\"status\":\"OK\",\"code\":\"0\",\"message\":\"OK\",\"result\":{"
	"\"name\":\"t\",\"tableType\":\"OLAP\",\"keysType\":\"PRIMARY_KEYS\","
	"\"columns\":["
	"{\"name\":\"id\",\"primitiveType\":\"BIGINT\",\"isKey\":true,"
	"\"isAllowNull\":false,\"defaultValueType\":\"NULL\"},"
	"{\"name\":\"v\",\"primitiveType\":\"VARCHAR\",\"isKey\":false,"
	"\"isAllowNull\":true,\"defaultValueType\":\"NULL\"},"
	"{\"name\":\"n\",\"primitiveType\":\"DECIMAL64\",\"scale\":2,\"isKey\":false,"
	"\"isAllowNull\":false,\"defaultValueType\":\"CONST\","
	"\"defaultValue\":\"0\"},"
	"{\"name\":\"b\",\"primitiveType\":\"VARBINARY\",\"isKey\":false,"
	"\"isAllowNull\":false,\"defaultValueType\":\"NULL\"},"
	"{\"name\":\"a\",\"primitiveType\":\"INVALID_TYPE\",\"isKey\":false,"
	"\"isAllowNull\":true,\"isAutoIncrement\":true}]}}";

static const char sql[] =
	"{\"connectionId\":49}\n"
	"{\"meta\":[{\"name\":\"COLUMN_NAME\",\"type\":\"varchar\"}]}\n"
	"{\"data\":[\"id\",\"bigint\",\"NO\",\"PRI\",null,\"\"]}\n"
	"{\"data\":[\"v\",\"varchar\",\"YES\",\"\",null,\"\"]}\n"
	"{\"data\":[\"n\",\"decimal(10, 2)\",\"NO\",\"\",\"0\",\"\"]}\n"
	"{\"data\":[\"b\",\"varbinary\",\"NO\",\"\",null,\"\"]}\n"
	"{\"data\":[\"a\",\"array\",\"YES\",\"\",null,\"\"]}\n"
	"{\"statistics\":{\"scanRows\":0}}\n";

static const char old[] =
	"{\"status\":200,\"properties\":[{\"name\":\"id\",\"type\":\"BIGINT\","
	"\"comment\":\"\"},{\"name\":\"v\",\"type\":\"VARCHAR\"},{\"name\":\"n\","
	"\"type\":\"DECIMAL64\",\"precision\":\"10\",\"scale\":\"2\"},{\"name\":\"b\",\"type\":"
	"\"VARBINARY\"},{\"name\":\"a\",\"type\":\"ARRAY<INT>\"}]}";

static DbmazzSrSchemaResult
read_it(DbmazzSrSchemaSource source, int status, const char *body,
		DbmazzSrSchema **schema, DbmazzSrVerdict *verdict)
{
	DbmazzHttpAnswer answer = {0};
	DbmazzError err;

	answer.status = status;
	answer.complete = status != 0;
	answer.body = body;
	answer.body_len = strlen(body);
	if (status == 0)
		strcpy(answer.error, "Connection refused");
	return dbmazz_sr_schema_read(source, &answer, schema, verdict, &err);
}

static void
check_schema(DbmazzSrSchemaSource source, const char *body)
{
	DbmazzSrVerdict verdict;
	DbmazzSrSchema *schema;
	const DbmazzSrColumn *column;
	bool		full = source != DBMAZZ_SR_SCHEMA_OLD;

	if (!CHECK_INT(read_it(source, 200, body, &schema, &verdict),
				   DBMAZZ_SR_SCHEMA_READ))
		return;
	CHECK_INT(schema->ncolumns, 5);
	CHECK_INT(schema->keys_known, full);
	CHECK_INT(schema->nulls_known, full);
	CHECK_INT(schema->is_primary, full);
	column = dbmazz_sr_schema_find(schema, "id");
	CHECK(column != NULL && column->type == DBMAZZ_SR_TYPE_INTEGER);
	CHECK_INT(column->is_key, full);
	column = dbmazz_sr_schema_find(schema, "v");
	CHECK(column != NULL && column->type == DBMAZZ_SR_TYPE_STRING);
	CHECK_INT(column->is_nullable, full);
	column = dbmazz_sr_schema_find(schema, "n");
	CHECK(column != NULL && column->type == DBMAZZ_SR_TYPE_DECIMAL);
	CHECK_INT(column->scale, 2);
	CHECK_INT(column->has_default, full);
	CHECK(!column->is_nullable);
	column = dbmazz_sr_schema_find(schema, "b");
	CHECK(column != NULL && column->type == DBMAZZ_SR_TYPE_BINARY);
	CHECK(!column->has_default && !column->is_nullable);
	column = dbmazz_sr_schema_find(schema, "a");
	CHECK(column != NULL && column->type == DBMAZZ_SR_TYPE_NESTED);
	CHECK(dbmazz_sr_schema_find(schema, "ID") == NULL);
	free(schema);
}

static void
errors(void)
{
	static const struct
	{
		DbmazzSrSchemaSource source;
		int			status;
		const char *body;
		DbmazzSrSchemaResult result;
		DbmazzSrReason reason;
	}			cases[] = {
		{DBMAZZ_SR_SCHEMA_V2, 404, "{\"code\":\"404\",\"message\":\"Unknown "
			"table 't'\"}", DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_NO_TABLE},
		{DBMAZZ_SR_SCHEMA_V2, 404, "{\"code\":\"404\",\"message\":\"Unknown "
			"database 'd'\"}", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_NO_DATABASE},
		{DBMAZZ_SR_SCHEMA_V2, 403, "{\"code\":\"403\",\"message\":\"'t' is "
			"not OLAP table\"}", DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_SCHEMA},
		{DBMAZZ_SR_SCHEMA_OLD, 404, "{\"status\":404,\"exception\":\"Table "
			"[t] does not exists\"}", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_NO_TABLE},
		{DBMAZZ_SR_SCHEMA_V2, 401, "{\"status\":\"FAILED\",\"msg\":\"Access "
			"denied for root\"}", DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_ACCESS},
		{DBMAZZ_SR_SCHEMA_V2, 401, "", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_ACCESS},
		{DBMAZZ_SR_SCHEMA_V2, 404, "", DBMAZZ_SR_SCHEMA_NO_WAY, 0},
		{DBMAZZ_SR_SCHEMA_V2, 404, "<html>Not Found</html>",
		DBMAZZ_SR_SCHEMA_NO_WAY, 0},
		{DBMAZZ_SR_SCHEMA_V2, 405, "", DBMAZZ_SR_SCHEMA_NO_WAY, 0},
		{DBMAZZ_SR_SCHEMA_V2, 200, "{\"status\":\"FAILED\",\"msg\":\"Not "
			"implemented\"}", DBMAZZ_SR_SCHEMA_NO_WAY, 0},
		{DBMAZZ_SR_SCHEMA_V2, 503, "", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_V2, 0, "", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_V2, 200, "{}", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_V2, 200, "{\"result\":{\"columns\":[]}}",
		DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_V2, 200, "{\"result\":{\"columns\":{\"a\":1}}}",
		DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_V2, 200, "garbage", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_SQL, 200, "{\"meta\":[]}\n{\"statistics\":{}}\n",
		DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_NO_TABLE},
		/* rows, but not to their end */
		{DBMAZZ_SR_SCHEMA_SQL, 200, "{\"data\":[\"id\",\"bigint\",\"NO\","
			"\"PRI\",null,\"\"]}\n", DBMAZZ_SR_SCHEMA_ERROR,
		DBMAZZ_SR_TRANSPORT},
		{DBMAZZ_SR_SCHEMA_SQL, 200, "{\"data\":[1,2,3,4,5,6]}\n"
		"{\"data\":[\"a\"]}\n{\"data\":5}\n\n\nx\n",
		DBMAZZ_SR_SCHEMA_ERROR, DBMAZZ_SR_TRANSPORT}
	};
	DbmazzSrVerdict verdict;
	DbmazzSrSchema *schema;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		bool		ok;

		ok = CHECK_INT(read_it(cases[i].source, cases[i].status,
							   cases[i].body, &schema, &verdict),
					   cases[i].result);
		CHECK(schema == NULL);
		if (cases[i].result == DBMAZZ_SR_SCHEMA_ERROR)
			ok = CHECK_INT(verdict.reason, cases[i].reason) && ok;
		if (!ok)
			printf("  case %zu: %s\n", i, cases[i].body);
		free(schema);
	}
}

/* Every prefix: never a schema, for its end is missing. */
static void
damaged(void)
{
	static const char *const bodies[] = {v2, sql, old};
	DbmazzSrVerdict verdict;
	DbmazzSrSchema *schema;
	size_t		i;
	int			k;

	for (k = 0; k < 3; k++)
	{
		for (i = 0; i + 2 < strlen(bodies[k]); i++)
		{
			char	   *copy = strndup(bodies[k], i);

			CHECK(read_it((DbmazzSrSchemaSource) k, 200, copy, &schema,
						  &verdict) != DBMAZZ_SR_SCHEMA_READ);
			free(schema);
			free(copy);
		}
	}
}

static void
assumed(void)
{
	static const FixtureColumn columns[] = {
		{"id", 1700, DBMAZZ_VALUE_DECIMAL, DBMAZZ_COLUMN_KEY |
		DBMAZZ_COLUMN_NOT_NULL},
		{"b", 17, DBMAZZ_VALUE_BYTEA, DBMAZZ_COLUMN_NOT_NULL},
		{"j", 3802, DBMAZZ_VALUE_JSON, 0}
	};
	DbmazzTableDesc *desc = fixture_desc("t", false, columns, 3);
	DbmazzSrSchema *schema = dbmazz_sr_schema_assume(desc);

	CHECK(schema->is_primary && schema->keys_known);
	CHECK_INT(schema->columns[0].type, DBMAZZ_SR_TYPE_STRING);
	CHECK(schema->columns[0].is_key);
	CHECK_INT(schema->columns[1].type, DBMAZZ_SR_TYPE_BINARY);
	CHECK(!schema->columns[1].is_nullable);
	CHECK_INT(schema->columns[2].type, DBMAZZ_SR_TYPE_JSON);
	CHECK(schema->columns[2].is_nullable);
	free(schema);
	free(desc);
}

/* Numbers by which a table or column is told from one that had its name. */
static void
numbers(void)
{
	static const char body[] =
		"{\"result\":{\"id\":10005,\"columns\":["
		"{\"name\":\"id\",\"uniqueId\":0},{\"name\":\"v\",\"uniqueId\":5}]}}";
	static const char again[] =
		"{\"result\":{\"id\":10005,\"columns\":["
		"{\"name\":\"id\",\"uniqueId\":0},{\"name\":\"v\",\"uniqueId\":6}]}}";
	static const char strange[] =
		"{\"result\":{\"id\":\"10005\",\"columns\":["
		"{\"name\":\"id\",\"uniqueId\":null},{\"name\":\"v\",\"uniqueId\":1e300}]}}";
	static const char *const bodies[] = {body, body, again, strange};
	DbmazzSrSchema *schemas[4];
	DbmazzSrVerdict verdict;
	int			i;

	for (i = 0; i < 4; i++)
		CHECK_INT(read_it(DBMAZZ_SR_SCHEMA_V2, 200, bodies[i], &schemas[i],
						  &verdict), DBMAZZ_SR_SCHEMA_READ);
	CHECK(schemas[0]->number == 10005 && schemas[0]->columns[1].number == 5);
	CHECK(schemas[3]->number == 0 && schemas[3]->columns[0].number == -1);
	CHECK(dbmazz_sr_schema_equal(schemas[0], schemas[1]));
	CHECK(!dbmazz_sr_schema_equal(schemas[0], schemas[2]));
	CHECK(!dbmazz_sr_schema_equal(schemas[0], schemas[3]));
	for (i = 0; i < 4; i++)
		free(schemas[i]);
}

void
unit_schema(void)
{
	numbers();
	check_schema(DBMAZZ_SR_SCHEMA_V2, v2);
	check_schema(DBMAZZ_SR_SCHEMA_SQL, sql);
	check_schema(DBMAZZ_SR_SCHEMA_OLD, old);
	errors();
	damaged();
	assumed();
}
