/*
 * test_typemap.c
 *		Tests of the table of types.
 */
#include "core/typemap.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"

#define VARHDRSZ	4

static int32_t
numeric_typmod(int precision, int scale)
{
	return (int32_t) (((uint32_t) precision << 16) |
					  ((uint32_t) scale & 0x7FF)) + VARHDRSZ;
}

static void
check_target(uint32_t typid, int32_t typmod, bool is_key,
			 const char *expected)
{
	char		out[64];

	CHECK(dbmazz_type_target(typid, typmod, is_key, out, sizeof(out)));
	CHECK_STR(out, expected);
}

static void
table_is_sorted_and_complete(void)
{
	int			count;
	const DbmazzType *types = dbmazz_type_table(&count);
	int			i;

	CHECK(count > 50);
	for (i = 0; i < count; i++)
	{
		CHECK(i == 0 || types[i - 1].typid < types[i].typid);
		CHECK(dbmazz_type_lookup(types[i].typid) == &types[i]);
		CHECK(types[i].name[0] != '\0');
		CHECK(types[i].target[0] != '\0');
		CHECK(types[i].value_class <= DBMAZZ_LAST_VALUE_CLASS);
	}
}

static void
strangers_are_text(void)
{
	CHECK_STR(dbmazz_type_lookup(0)->name, "text");
	CHECK_STR(dbmazz_type_lookup(1007)->name, "text");	/* integer[] */
	CHECK_STR(dbmazz_type_lookup(3904)->name, "text");	/* int4range */
	CHECK_STR(dbmazz_type_lookup(99999)->name, "text");
	CHECK_STR(dbmazz_type_lookup(UINT32_MAX)->name, "text");
	check_target(1007, -1, false, "VARCHAR(1048576)");
	check_target(99999, 12, true, "VARCHAR(65533)");
}

typedef struct Expected
{
	uint32_t	typid;
	uint8_t		value_class;
	const char *target;
	const char *key;			/* NULL: can be none */
} Expected;

static void
plain_types(void)
{
	static const Expected expected[] = {
		{16, DBMAZZ_VALUE_BOOL, "BOOLEAN", "BOOLEAN"},
		{17, DBMAZZ_VALUE_BYTEA, "VARBINARY", "VARCHAR(65533)"},
		{18, DBMAZZ_VALUE_CHAR, "VARCHAR(4)", "VARCHAR(4)"},
		{19, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{20, DBMAZZ_VALUE_INTEGER, "BIGINT", "BIGINT"},
		{21, DBMAZZ_VALUE_INTEGER, "SMALLINT", "SMALLINT"},
		{23, DBMAZZ_VALUE_INTEGER, "INT", "INT"},
		{25, DBMAZZ_VALUE_STRING, "VARCHAR(1048576)", "VARCHAR(65533)"},
		{26, DBMAZZ_VALUE_INTEGER, "BIGINT", "BIGINT"},
		{27, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{28, DBMAZZ_VALUE_INTEGER, "BIGINT", "BIGINT"},
		{114, DBMAZZ_VALUE_JSON, "JSON", NULL},
		{142, DBMAZZ_VALUE_STRING, "VARCHAR(1048576)", "VARCHAR(65533)"},
		{700, DBMAZZ_VALUE_REAL, "FLOAT", "VARCHAR(32)"},
		{701, DBMAZZ_VALUE_FLOAT, "DOUBLE", "VARCHAR(32)"},
		{790, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{1042, DBMAZZ_VALUE_STRING, "VARCHAR(1048576)", "VARCHAR(65533)"},
		{1043, DBMAZZ_VALUE_STRING, "VARCHAR(1048576)", "VARCHAR(65533)"},
		{1082, DBMAZZ_VALUE_DATE, "DATE", "DATE"},
		{1083, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{1114, DBMAZZ_VALUE_TIMESTAMP, "DATETIME", "DATETIME"},
		{1184, DBMAZZ_VALUE_TIMESTAMPTZ, "DATETIME", "DATETIME"},
		{1186, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{1266, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{1700, DBMAZZ_VALUE_DECIMAL, "VARCHAR(1048576)", "VARCHAR(128)"},
		{2950, DBMAZZ_VALUE_STRING, "VARCHAR(36)", "VARCHAR(36)"},
		{3220, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
		{3802, DBMAZZ_VALUE_JSON, "JSON", NULL},
		{5069, DBMAZZ_VALUE_STRING, "STRING", "VARCHAR(65533)"},
	};
	size_t		i;

	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		const Expected *e = &expected[i];
		char		out[64] = "garbage";

		CHECK_INT(dbmazz_type_lookup(e->typid)->value_class, e->value_class);
		check_target(e->typid, -1, false, e->target);
		if (e->key != NULL)
			check_target(e->typid, -1, true, e->key);
		else
		{
			CHECK(!dbmazz_type_target(e->typid, -1, true, out, sizeof(out)));
			CHECK_STR(out, "");
		}
	}
}

static void
numeric_typmods(void)
{
	check_target(1700, numeric_typmod(10, 2), false, "DECIMAL(10,2)");
	check_target(1700, numeric_typmod(1, 0), false, "DECIMAL(1,0)");
	check_target(1700, numeric_typmod(5, 5), false, "DECIMAL(5,5)");
	check_target(1700, numeric_typmod(38, 38), false, "DECIMAL(38,38)");
	check_target(1700, numeric_typmod(39, 0), false, "VARCHAR(1048576)");
	check_target(1700, numeric_typmod(1000, 1000), false, "VARCHAR(1048576)");
	check_target(1700, numeric_typmod(3, 5), false, "VARCHAR(1048576)");
	check_target(1700, numeric_typmod(5, -2), false, "VARCHAR(1048576)");
	check_target(1700, numeric_typmod(5, -1000), false, "VARCHAR(1048576)");
}

static void
numeric_keys(void)
{
	check_target(1700, numeric_typmod(10, 2), true, "VARCHAR(13)");
	check_target(1700, numeric_typmod(38, 38), true, "VARCHAR(41)");
	check_target(1700, numeric_typmod(3, 5), true, "VARCHAR(8)");
	check_target(1700, numeric_typmod(5, -2), true, "VARCHAR(10)");
	check_target(1700, numeric_typmod(1000, 0), true, "VARCHAR(128)");
	check_target(1700, numeric_typmod(5, -1000), true, "VARCHAR(128)");
}

static void
character_typmods(void)
{
	check_target(1043, 20 + VARHDRSZ, false, "VARCHAR(80)");
	check_target(1043, 20 + VARHDRSZ, true, "VARCHAR(80)");
	check_target(1042, 1 + VARHDRSZ, false, "VARCHAR(4)");
	check_target(1043, 262144 + VARHDRSZ, false, "VARCHAR(1048576)");
	check_target(1043, 262145 + VARHDRSZ, false, "VARCHAR(1048576)");
	check_target(1043, 10485760 + VARHDRSZ, false, "VARCHAR(1048576)");
	check_target(1043, INT32_MAX, false, "VARCHAR(1048576)");
	check_target(1560, 8, false, "VARCHAR(8)");
	check_target(1562, 83886080, false, "VARCHAR(1048576)");
	check_target(1562, -1, false, "VARCHAR(1048576)");
}

/* Precision of times does not matter. */
static void
other_typmods(void)
{
	check_target(1114, 3, false, "DATETIME");
	check_target(1184, 0, true, "DATETIME");
	check_target(1083, 6, false, "STRING");
	check_target(25, 77, false, "VARCHAR(1048576)");
}

/* Where the target is a text, the text is sent: NaN is one. */
static void
classes(void)
{
	CHECK_INT(dbmazz_type_class(1700, numeric_typmod(38, 10), false),
			  DBMAZZ_VALUE_DECIMAL);
	CHECK_INT(dbmazz_type_class(1700, numeric_typmod(39, 10), false),
			  DBMAZZ_VALUE_STRING);
	CHECK_INT(dbmazz_type_class(1700, numeric_typmod(3, 5), false),
			  DBMAZZ_VALUE_STRING);
	CHECK_INT(dbmazz_type_class(1700, -1, false), DBMAZZ_VALUE_STRING);
	CHECK_INT(dbmazz_type_class(1700, numeric_typmod(10, 2), true),
			  DBMAZZ_VALUE_STRING);
	CHECK_INT(dbmazz_type_class(700, -1, false), DBMAZZ_VALUE_REAL);
	CHECK_INT(dbmazz_type_class(700, -1, true), DBMAZZ_VALUE_STRING);
	CHECK_INT(dbmazz_type_class(701, -1, false), DBMAZZ_VALUE_FLOAT);
	CHECK_INT(dbmazz_type_class(701, -1, true), DBMAZZ_VALUE_STRING);
	CHECK_INT(dbmazz_type_class(17, -1, true), DBMAZZ_VALUE_BYTEA);
	CHECK_INT(dbmazz_type_class(1082, -1, true), DBMAZZ_VALUE_DATE);
	CHECK_INT(dbmazz_type_class(99999, 5, false), DBMAZZ_VALUE_STRING);
}

static void
limits(void)
{
	CHECK_INT(dbmazz_value_limit(DBMAZZ_VALUE_STRING), 1048576);
	CHECK_INT(dbmazz_value_limit(DBMAZZ_VALUE_BYTEA), 2097154);
	CHECK_INT(dbmazz_value_limit(DBMAZZ_VALUE_JSON), 16777216);
	CHECK_INT(dbmazz_value_limit(DBMAZZ_VALUE_DECIMAL), UINT32_MAX);
	CHECK(!dbmazz_type_keeps_not_null(114));
	CHECK(!dbmazz_type_keeps_not_null(3802));
	CHECK(dbmazz_type_keeps_not_null(25));
}

/* The documentation has a word for every class. */
static void
texts_are_there(void)
{
	int			count;
	const DbmazzOtherType *others = dbmazz_other_types(&count);
	int			i;

	CHECK(count > 5 && others[0].remark != NULL);
	for (i = 0; i <= DBMAZZ_LAST_VALUE_CLASS; i++)
	{
		const DbmazzClassText *text = dbmazz_class_text((uint8_t) i);

		CHECK(text->form != NULL);
		CHECK((text->unfit == NULL) == (text->clamp == NULL));
	}
}

static void
short_output_is_cut(void)
{
	char	   *out = must_alloc(5);

	CHECK(dbmazz_type_target(1700, numeric_typmod(10, 2), false, out, 5));
	CHECK_STR(out, "DECI");
	CHECK(!dbmazz_type_target(114, -1, true, out, 0));
	free(out);
}

void
test_typemap(void)
{
	RUN(table_is_sorted_and_complete);
	RUN(strangers_are_text);
	RUN(plain_types);
	RUN(numeric_typmods);
	RUN(numeric_keys);
	RUN(character_typmods);
	RUN(other_typmods);
	RUN(classes);
	RUN(limits);
	RUN(texts_are_there);
	RUN(short_output_is_cut);
}
