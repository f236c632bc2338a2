/*
 * test_audit.c
 *		Tests of the audit columns.
 */
#include "core/audit.h"

#include <string.h>

#include "check.h"

static DbmazzTuple tuple;
static DbmazzAudit audit;

static void
check_value(int i, const char *expected)
{
	const DbmazzValue *value = &tuple.values[i];

	CHECK_INT(value->kind, DBMAZZ_VALUE_TEXT);
	CHECK_TEXT(value->data, value->len, expected);
}

static void
values_follow_those_of_the_source(void)
{
	tuple.ncolumns = 2;
	tuple.values[1].kind = DBMAZZ_VALUE_NULL;
	dbmazz_audit_begin(&audit, INT64_C(1500000), UINT64_C(0x16B374D848));
	dbmazz_audit_stamp(&audit, &tuple, dbmazz_audit_count(true, false),
					   DBMAZZ_AUDIT_DELETE, true, 7);
	CHECK_INT(tuple.ncolumns, 2 + DBMAZZ_AUDIT_COLUMNS);
	CHECK_INT(tuple.values[1].kind, DBMAZZ_VALUE_NULL);
	check_value(2 + DBMAZZ_AUDIT_OP_TYPE, "2");
	check_value(2 + DBMAZZ_AUDIT_IS_DELETED, "t");
	check_value(2 + DBMAZZ_AUDIT_SYNCED_AT, "2000-01-01 00:00:01.500000");
	check_value(2 + DBMAZZ_AUDIT_CDC_VERSION, "97500059720");
}

static void
change_logs_have_one_more(void)
{
	tuple.ncolumns = DBMAZZ_MAX_COLUMNS;
	dbmazz_audit_begin(&audit, 0, UINT64_MAX >> 1);
	dbmazz_audit_stamp(&audit, &tuple, dbmazz_audit_count(true, true),
					   DBMAZZ_AUDIT_INSERT, false, UINT64_C(1) << 40);
	CHECK_INT(tuple.ncolumns, DBMAZZ_MAX_COLUMNS + DBMAZZ_AUDIT_LOG_COLUMNS);
	CHECK(tuple.ncolumns <= DBMAZZ_MAX_VALUES);
	check_value(DBMAZZ_MAX_COLUMNS + DBMAZZ_AUDIT_OP_TYPE, "0");
	check_value(DBMAZZ_MAX_COLUMNS + DBMAZZ_AUDIT_IS_DELETED, "f");
	check_value(DBMAZZ_MAX_COLUMNS + DBMAZZ_AUDIT_CDC_VERSION,
				"9223372036854775807");
	check_value(DBMAZZ_MAX_COLUMNS + DBMAZZ_AUDIT_CDC_SEQUENCE,
				"1099511627776");
	CHECK_INT(dbmazz_audit_count(false, false), 0);
}

static void
times(void)
{
	static const struct
	{
		int64_t		now;
		const char *text;
	}			cases[] = {
		{0, "2000-01-01 00:00:00.000000"},
		{-1, "1999-12-31 23:59:59.999999"},
		{-1000000, "1999-12-31 23:59:59.000000"},
		{INT64_C(762523199999999), "2024-02-29 11:59:59.999999"},
		{INT64_C(762523200000000), "2024-02-29 12:00:00.000000"},
		{INT64_C(252455615999999999), "9999-12-31 23:59:59.999999"}
	};
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		tuple.ncolumns = 0;
		dbmazz_audit_begin(&audit, cases[i].now, 1);
		dbmazz_audit_stamp(&audit, &tuple, DBMAZZ_AUDIT_COLUMNS,
						   DBMAZZ_AUDIT_UPDATE, false, 0);
		check_value(DBMAZZ_AUDIT_SYNCED_AT, cases[i].text);
	}
}

static void
names(void)
{
	CHECK(dbmazz_audit_is_name("dbmazz_op_type"));
	CHECK(dbmazz_audit_is_name("DBMAZZ_Cdc_Sequence"));
	CHECK(!dbmazz_audit_is_name("dbmazz_op_types"));
	CHECK(!dbmazz_audit_is_name(""));
	CHECK_STR(dbmazz_audit_def(DBMAZZ_AUDIT_SYNCED_AT)->name,
			  "dbmazz_synced_at");
}

void
test_audit(void)
{
	RUN(values_follow_those_of_the_source);
	RUN(change_logs_have_one_more);
	RUN(times);
	RUN(names);
}
