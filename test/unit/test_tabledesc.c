/*
 * test_tabledesc.c
 *		Tests of table descriptions.
 */
#include "core/tabledesc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"region", DBMAZZ_VALUE_STRING, DBMAZZ_COLUMN_KEY},
	{"name", DBMAZZ_VALUE_STRING, 0},
	{"price", DBMAZZ_VALUE_DECIMAL, DBMAZZ_COLUMN_NOT_NULL},
	{"note", DBMAZZ_VALUE_STRING, 0},
};

#define NSPECS	((uint32_t) (sizeof(specs) / sizeof(specs[0])))

static bool
is_fine(const DbmazzTableDesc *desc)
{
	DbmazzError err;

	dbmazz_error_reset(&err);
	return dbmazz_desc_check(desc, desc->size, &err) == DBMAZZ_OK &&
		err.status == DBMAZZ_OK;
}

static void
good_one_passes(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);

	CHECK(is_fine(desc));
	CHECK_STR(dbmazz_desc_text(desc, desc->columns[3].name), "price");
	free(desc);
}

/* Each too short piece, in an allocation of its size. */
static void
truncated_ones_fail(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);
	uint32_t	size;

	for (size = 0; size < desc->size; size++)
	{
		DbmazzTableDesc *cut = malloc(size);
		DbmazzError err;

		memcpy((void *) cut, desc, size);
		CHECK(dbmazz_desc_check(cut, size, &err) != DBMAZZ_OK);
		if (size >= sizeof(uint32_t))
		{
			memcpy((void *) cut, &size, sizeof(size));
			CHECK(dbmazz_desc_check(cut, size, &err) != DBMAZZ_OK);
		}
		free(cut);
	}
	free(desc);
}

static void
expect_refused(const DbmazzTableDesc *desc, const char *message)
{
	DbmazzError err;

	CHECK(dbmazz_desc_check(desc, desc->size, &err) != DBMAZZ_OK);
	CHECK_STR(err.message, message);
}

/* Set a field of a good description to something wrong, check, restore. */
#define REFUSED(field, value, message) \
	do { \
		DbmazzTableDesc *desc_ = make_desc(specs, NSPECS); \
		desc_->field = (value); \
		expect_refused(desc_, (message)); \
		free(desc_); \
	} while (0)

static void
wrong_fields_fail(void)
{
	REFUSED(ncolumns, 0, "table description has a wrong number of columns");
	REFUSED(ncolumns, DBMAZZ_MAX_VALUES + 1, "table description has a wrong number of columns");
	REFUSED(ncolumns, 300,
			"table description has a wrong number of table columns");
	REFUSED(ntable_columns, 4,
			"table description has a wrong number of table columns");
	REFUSED(ntable_columns, DBMAZZ_MAX_VALUES + 1,
			"table description has a wrong number of table columns");
	REFUSED(nkeys, 6, "table description has a wrong number of key columns");
	REFUSED(nkeys, 1, "table description has a wrong order of key columns");
	REFUSED(nkeys, 3, "table description has a wrong order of key columns");
	REFUSED(schema, 0, "table description has a wrong schema name");
	REFUSED(schema, UINT32_MAX, "table description has a wrong schema name");
	REFUSED(table, desc_->size, "table description has a wrong table name");
	REFUSED(target, 12, "table description has a wrong target name");
	REFUSED(columns[4].name, desc_->size,
			"table description has a wrong column name");
	REFUSED(columns[2].source, DBMAZZ_MAX_VALUES,
			"table description has a wrong source position");
	REFUSED(columns[2].value_class, DBMAZZ_LAST_VALUE_CLASS + 1,
			"table description has a wrong value class");
	REFUSED(columns[2].flags, DBMAZZ_COLUMN_KEY,
			"table description has a wrong order of key columns");
	REFUSED(columns[0].flags, 0,
			"table description has a wrong order of key columns");
}

static void
many_columns_claimed(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);

	desc->ncolumns = 1600;
	desc->ntable_columns = 1600;
	expect_refused(desc, "table description ends inside its columns");
	free(desc);
}

static void
last_name_must_end(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);

	((char *) desc)[desc->size - 1] = 'x';
	expect_refused(desc, "table description has a wrong column name");
	free(desc);
}

static void
unaligned_is_refused(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);
	char	   *block = must_alloc(desc->size + 1);
	DbmazzError err;

	memcpy(block + 1, desc, desc->size);
	CHECK_INT(dbmazz_desc_check(block + 1, desc->size, &err),
			  DBMAZZ_ERR_MALFORMED);
	free(block);
	free(desc);
}

static void
subset_keeps_keys_and_wanted(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);
	DbmazzTableDesc *part = must_alloc(dbmazz_desc_subset_size(desc));
	bool		keep[NSPECS] = {false, false, false, true, false};

	dbmazz_desc_subset(desc, keep, 77, part);
	CHECK(is_fine(part));
	CHECK_INT(part->generation, 77);
	CHECK_INT(part->relid, desc->relid);
	CHECK_INT(part->ncolumns, 3);
	CHECK_INT(part->nkeys, 2);
	CHECK_INT(part->ntable_columns, NSPECS);
	CHECK_INT(part->flags, DBMAZZ_TABLE_PARTIAL);
	CHECK_STR(dbmazz_desc_text(part, part->columns[0].name), "id");
	CHECK_STR(dbmazz_desc_text(part, part->columns[1].name), "region");
	CHECK_STR(dbmazz_desc_text(part, part->columns[2].name), "price");
	CHECK_STR(dbmazz_desc_text(part, part->schema), "public");
	CHECK_STR(dbmazz_desc_text(part, part->table), "orders");
	CHECK_STR(dbmazz_desc_text(part, part->target), "orders_target");
	CHECK_INT(part->columns[2].source, 3);
	CHECK_INT(part->columns[2].flags, DBMAZZ_COLUMN_NOT_NULL);
	CHECK(part->size < desc->size);
	free(part);
	free(desc);
}

static void
subset_of_all(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);
	DbmazzTableDesc *part = must_alloc(dbmazz_desc_subset_size(desc));
	bool		keep[NSPECS] = {true, true, true, true, true};

	dbmazz_desc_subset(desc, keep, 2, part);
	CHECK(is_fine(part));
	CHECK_INT(part->ncolumns, NSPECS);
	CHECK_INT(part->size, dbmazz_desc_subset_size(desc));
	free(part);
	free(desc);
}

/* Names may share bytes in a description; a copy of it has room for each. */
static void
subset_of_shared_names(void)
{
	DbmazzTableDesc *desc = make_desc(specs, NSPECS);
	DbmazzTableDesc *part;
	bool		keep[NSPECS] = {false, false, true, true, true};
	uint32_t	i;

	for (i = 0; i < NSPECS; i++)
		desc->columns[i].name = desc->target;
	desc->table = desc->target;
	desc->schema = desc->target;
	part = must_alloc(dbmazz_desc_subset_size(desc));
	dbmazz_desc_subset(desc, keep, 2, part);
	CHECK(is_fine(part));
	CHECK_STR(dbmazz_desc_text(part, part->columns[4].name), "orders_target");
	free(part);
	free(desc);
}

/* More columns than bits in a word: every second of 70, and of 1600. */
static void
subset_of_many(void)
{
	static ColumnSpec many[DBMAZZ_MAX_COLUMNS];
	static char names[DBMAZZ_MAX_COLUMNS][64];
	static bool keep[DBMAZZ_MAX_COLUMNS];
	static const uint32_t counts[] = {70, DBMAZZ_MAX_COLUMNS};
	uint32_t	which;

	for (which = 0; which < 2; which++)
	{
		uint32_t	n = counts[which];
		DbmazzTableDesc *desc;
		DbmazzTableDesc *part;
		uint32_t	i;

		for (i = 0; i < n; i++)
		{
			snprintf(names[i], sizeof(names[i]), "%059u_%03u", i, i % 1000);
			many[i].name = names[i];
			many[i].value_class = DBMAZZ_VALUE_STRING;
			many[i].flags = i == 0 ? DBMAZZ_COLUMN_KEY : 0;
			keep[i] = i % 2 == 1;
		}
		desc = make_desc(many, n);
		CHECK(is_fine(desc));
		part = must_alloc(dbmazz_desc_subset_size(desc));
		dbmazz_desc_subset(desc, keep, 2, part);
		CHECK(is_fine(part));
		CHECK_INT(part->ncolumns, n / 2 + 1);
		for (i = 1; i < part->ncolumns; i++)
		{
			CHECK_INT(part->columns[i].source, 2 * i - 1);
			CHECK_STR(dbmazz_desc_text(part, part->columns[i].name),
					  names[2 * i - 1]);
		}
		free(part);
		free(desc);
	}
}

void
test_tabledesc(void)
{
	RUN(good_one_passes);
	RUN(truncated_ones_fail);
	RUN(wrong_fields_fail);
	RUN(many_columns_claimed);
	RUN(last_name_must_end);
	RUN(unaligned_is_refused);
	RUN(subset_keeps_keys_and_wanted);
	RUN(subset_of_all);
	RUN(subset_of_shared_names);
	RUN(subset_of_many);
}
