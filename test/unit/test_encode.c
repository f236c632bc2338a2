/*
 * test_encode.c
 *		Tests of encoding rows: plans, keys, deletes, unchanged values.
 */
#include "core/encode_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "helpers.h"

#define KEY			DBMAZZ_COLUMN_KEY
#define IDENTITY	DBMAZZ_COLUMN_IDENTITY

static DbmazzParser parser;
static DbmazzError err;

/* A batch with the plan of its table. */
typedef struct Fixture
{
	Pool		pool;
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	DbmazzBatchWriter writer;
	DbmazzRowKey key;
} Fixture;

static void
begin_desc(Fixture *f, DbmazzTableDesc *desc)
{
	pool_init(&f->pool, 64);
	f->desc = desc;
	f->plan = make_plan(f->desc);
	CHECK_INT(dbmazz_batch_begin(&f->writer, pool_alloc, &f->pool, f->desc),
			  DBMAZZ_OK);
	dbmazz_error_reset(&err);
}

static void
begin(Fixture *f, const ColumnSpec *specs, uint32_t n)
{
	begin_desc(f, make_desc(specs, n));
}

static void
end(Fixture *f)
{
	free(f->plan);
	free(f->desc);
	pool_fini(&f->pool);
}

/* The values as pgoutput sends them; the text must live as long. */
static void
set_tuple(DbmazzTuple *tuple, const char *const *values, int n)
{
	int			i;

	tuple->ncolumns = (uint16_t) n;
	for (i = 0; i < n; i++)
	{
		DbmazzValue *value = &tuple->values[i];

		value->data = NULL;
		value->len = 0;
		if (values[i] == NULL)
			value->kind = DBMAZZ_VALUE_NULL;
		else if (values[i] == UNCHANGED)
			value->kind = DBMAZZ_VALUE_UNCHANGED;
		else
		{
			value->kind = DBMAZZ_VALUE_TEXT;
			value->data = values[i];
			value->len = (uint32_t) strlen(values[i]);
		}
	}
}

static DbmazzStatus
encode(Fixture *f, const DbmazzRowSource *source, bool is_delete)
{
	DbmazzStatus status = dbmazz_row_begin(&f->writer);

	if (status == DBMAZZ_OK && is_delete)
		status = dbmazz_json_delete(&f->writer, f->plan, source, &f->key,
									&err);
	else if (status == DBMAZZ_OK)
		status = dbmazz_json_upsert(&f->writer, f->plan, source, &f->key,
									&err);
	if (status == DBMAZZ_OK)
		dbmazz_row_end(&f->writer,
					   is_delete ? DBMAZZ_ROW_DELETE : DBMAZZ_ROW_UPDATE,
					   f->key.length, f->key.hash, 1, 1);
	else
		dbmazz_row_abort(&f->writer);
	return status;
}

/* The last row, as a text to be freed. */
static char *
last_row(Fixture *f)
{
	DbmazzBatchView view = pool_view(&f->pool, &f->writer, f->desc);
	DbmazzSegment *segment = f->writer.row_segment;
	DbmazzRowEntry *entry = dbmazz_entry_at(segment, segment->nentries - 1);
	char	   *text = must_alloc(entry->length + 1);

	dbmazz_row_copy(&view, segment, entry, 0, text, entry->length);
	text[entry->length] = '\0';
	return text;
}

static void
check_last_row(Fixture *f, const char *expected)
{
	char	   *text = last_row(f);

	CHECK_STR(text, expected);
	free(text);
}

static const ColumnSpec two_keys[] = {
	{"a", DBMAZZ_VALUE_INTEGER, KEY | IDENTITY},
	{"b", DBMAZZ_VALUE_STRING, KEY | IDENTITY},
	{"c", DBMAZZ_VALUE_STRING, 0},
	{"d", DBMAZZ_VALUE_DECIMAL, 0},
};

static void
upsert_and_delete(void)
{
	static const char *const values[] = {"7", "x\"y", NULL, "1.50"};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	uint32_t	hash;
	Fixture		f;

	begin(&f, two_keys, 4);
	set_tuple(&parser.new_tuple, values, 4);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
	check_last_row(&f, "{\"a\":7,\"b\":\"x\\\"y\",\"c\":null,\"d\":\"1.50\","
				   "\"__op\":0},");
	CHECK_INT(f.key.length, strlen("\"a\":7,\"b\":\"x\\\"y\""));
	hash = f.key.hash;
	CHECK_INT(dbmazz_row_key_hash(f.plan, &source), hash);

	CHECK_INT(encode(&f, &source, true), DBMAZZ_OK);
	check_last_row(&f, "{\"a\":7,\"b\":\"x\\\"y\"");
	CHECK_INT(f.key.length, strlen("\"a\":7,\"b\":\"x\\\"y\""));
	CHECK_INT(f.key.hash, hash);
	end(&f);
}

/* Names with every byte that needs an escape, and long ones. */
static void
labels_are_escaped(void)
{
	static const char *const values[] = {"1", "2", "3", "4"};
	static const ColumnSpec specs[] = {
		{"say \"id\"", DBMAZZ_VALUE_INTEGER, KEY},
		{"back\\slash\n\x01", DBMAZZ_VALUE_INTEGER, 0},
		{"gr\xC3\xB6\xC3\x9F" "e", DBMAZZ_VALUE_INTEGER, 0},
		{"a name of sixty-three bytes, which is as long as names can be..",
		DBMAZZ_VALUE_INTEGER, 0},
	};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	Fixture		f;

	begin(&f, specs, 4);
	set_tuple(&parser.new_tuple, values, 4);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
	check_last_row(&f, "{\"say \\\"id\\\"\":1,\"back\\\\slash\\n\\u0001\":2,"
				   "\"gr\xC3\xB6\xC3\x9F" "e\":3,\"a name of sixty-three "
				   "bytes, which is as long as names can be..\":4,"
				   "\"__op\":0},");
	end(&f);
}

/* The plan's size is what it needs, for names of every length. */
static void
plan_size_is_exact(void)
{
	uint32_t	len;

	for (len = 0; len < 64; len++)
	{
		char		name[64];
		ColumnSpec	specs[2];
		DbmazzTableDesc *desc;
		DbmazzRowPlan *plan;

		memset(name, len % 2 == 0 ? 'n' : '"', sizeof(name));
		name[len] = '\0';
		memset(specs, 0, sizeof(specs));
		specs[0].name = name;
		specs[0].flags = KEY;
		specs[1].name = name;
		desc = make_desc(specs, 2);
		plan = make_plan(desc);
		CHECK_INT(plan->size, dbmazz_row_plan_size(desc));
		CHECK_INT(plan->ncolumns, 2);
		CHECK_INT(plan->nkeys, 1);
		CHECK(plan->columns[1].label + plan->columns[1].label_len <
			  plan->size);
		free(plan);
		free(desc);
	}
}

static void
null_key_is_refused(void)
{
	static const char *const values[] = {"7", NULL, "c", "1"};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	Fixture		f;

	begin(&f, two_keys, 4);
	set_tuple(&parser.new_tuple, values, 4);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(err.column, 2);
	CHECK_STR(err.message, "the key column is null");
	CHECK_INT(encode(&f, &source, true), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(err.column, 2);
	CHECK_INT(f.writer.nrows, 0);
	end(&f);
}

static void
errors_name_the_column(void)
{
	static const char *const values[] = {"7", "k", "c", "NaN"};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	Fixture		f;

	begin(&f, two_keys, 4);
	set_tuple(&parser.new_tuple, values, 4);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_UNREPRESENTABLE);
	CHECK_INT(err.column, 4);
	CHECK_INT(encode(&f, &source, true), DBMAZZ_OK);
	end(&f);
}

/* An unchanged value comes from the old tuple, if that has it. */
static void
unchanged_from_the_old_tuple(void)
{
	static const char *const new_values[] = {"7", "k", UNCHANGED, "1"};
	static const char *const old_values[] = {"7", "k", "kept", "2"};
	static const char *const old_null[] = {"7", "k", NULL, "2"};
	static const char *const old_unchanged[] = {"7", "k", UNCHANGED, "2"};
	DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	Fixture		f;

	begin(&f, two_keys, 4);
	set_tuple(&parser.new_tuple, new_values, 4);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[2]) == NULL);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[1]) ==
		  &parser.new_tuple.values[1]);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(err.column, 3);
	CHECK_STR(err.message, "the value is not in the change");

	source.fallback = &parser.old_tuple;
	set_tuple(&parser.old_tuple, old_values, 4);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[2]) ==
		  &parser.old_tuple.values[2]);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
	check_last_row(&f, "{\"a\":7,\"b\":\"k\",\"c\":\"kept\",\"d\":\"1\","
				   "\"__op\":0},");

	set_tuple(&parser.old_tuple, old_null, 4);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
	check_last_row(&f, "{\"a\":7,\"b\":\"k\",\"c\":null,\"d\":\"1\","
				   "\"__op\":0},");

	set_tuple(&parser.old_tuple, old_unchanged, 4);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[2]) == NULL);
	set_tuple(&parser.old_tuple, old_values, 2);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[2]) == NULL);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_MALFORMED);
	end(&f);
}

/* A 'K' tuple has null for what is no key: that is no value. */
static void
unchanged_from_a_key_tuple(void)
{
	static const char *const new_values[] = {UNCHANGED, "k2", UNCHANGED, "1"};
	static const char *const old_values[] = {"7", "k1", NULL, NULL};
	const DbmazzRowSource source = {
		&parser.new_tuple, &parser.old_tuple, true
	};
	Fixture		f;

	begin(&f, two_keys, 4);
	set_tuple(&parser.new_tuple, new_values, 4);
	set_tuple(&parser.old_tuple, old_values, 4);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[0]) ==
		  &parser.old_tuple.values[0]);
	CHECK(dbmazz_row_value(&source, &f.plan->columns[2]) == NULL);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(err.column, 3);
	CHECK_INT(encode(&f, &source, true), DBMAZZ_OK);
	check_last_row(&f, "{\"a\":7,\"b\":\"k2\"");
	CHECK_INT(dbmazz_row_key_hash(f.plan, &source), f.key.hash);
	end(&f);
}

/* The tuple has fewer columns than the plan: no read behind it. */
static void
short_tuple(void)
{
	static const char *const values[] = {"7", "k", "c", "1"};
	const DbmazzRowSource source = {
		&parser.new_tuple, &parser.old_tuple, false
	};
	Fixture		f;
	int			n;

	begin(&f, two_keys, 4);
	set_tuple(&parser.old_tuple, values, 4);
	for (n = 0; n < 4; n++)
	{
		set_tuple(&parser.new_tuple, values, n);
		CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_MALFORMED);
		CHECK_INT(err.column, n + 1);
	}
	end(&f);
}

static void
no_key_no_column(void)
{
	static const char *const values[] = {"7"};
	static const ColumnSpec specs[] = {{"a", DBMAZZ_VALUE_INTEGER, 0}};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	Fixture		f;

	set_tuple(&parser.new_tuple, values, 1);
	begin(&f, specs, 1);
	CHECK_INT(encode(&f, &source, true), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
	CHECK_INT(f.key.length, 0);
	check_last_row(&f, "{\"a\":7},");
	end(&f);
	begin(&f, specs, 0);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_MALFORMED);
	end(&f);
}

static void
keys_compared(void)
{
	static const char *const base[] = {"7", "k", "c", "1"};
	static const char *const same[] = {"7", "k", "other", "2"};
	static const char *const others[][2] = {
		{"8", "k"}, {"7", "K"}, {"7", ""}, {"7k", ""}, {"7", "kk"},
		{NULL, "k"}, {UNCHANGED, "k"}
	};
	const DbmazzRowSource a = {&parser.new_tuple, NULL, false};
	const DbmazzRowSource b = {&parser.old_tuple, NULL, false};
	Fixture		f;
	size_t		i;

	begin(&f, two_keys, 4);
	set_tuple(&parser.new_tuple, base, 4);
	set_tuple(&parser.old_tuple, same, 4);
	CHECK(dbmazz_row_same_key(f.plan, &a, &b));
	CHECK_INT(dbmazz_row_key_hash(f.plan, &a),
			  dbmazz_row_key_hash(f.plan, &b));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
	{
		set_tuple(&parser.old_tuple, others[i], 2);
		CHECK(!dbmazz_row_same_key(f.plan, &a, &b));
		CHECK(dbmazz_row_key_hash(f.plan, &a) !=
			  dbmazz_row_key_hash(f.plan, &b));
	}
	set_tuple(&parser.new_tuple, others[2], 2);
	set_tuple(&parser.old_tuple, others[2], 2);
	CHECK(dbmazz_row_same_key(f.plan, &a, &b));
	end(&f);
}

/* Names and values of a wide table; every third value unchanged. */
typedef struct Wide
{
	ColumnSpec	specs[DBMAZZ_MAX_COLUMNS];
	char		names[DBMAZZ_MAX_COLUMNS][24];
	char		texts[DBMAZZ_MAX_COLUMNS][24];
	const char *values[DBMAZZ_MAX_COLUMNS];
	bool		keep[DBMAZZ_MAX_COLUMNS];
} Wide;

static void
make_wide(Wide *wide, int n)
{
	int			i;

	memset(wide, 0, sizeof(*wide));
	for (i = 0; i < n; i++)
	{
		snprintf(wide->names[i], sizeof(wide->names[i]), "column_%d", i);
		snprintf(wide->texts[i], sizeof(wide->texts[i]), "value %d", i);
		wide->specs[i].name = wide->names[i];
		wide->specs[i].value_class = DBMAZZ_VALUE_STRING;
		wide->specs[i].flags = i == 0 ? KEY : 0;
		wide->keep[i] = i % 3 != 2;
		wide->values[i] = wide->keep[i] ? wide->texts[i] : UNCHANGED;
	}
}

/*
 * A partial update has exactly the columns that came, also beyond the 64th,
 * and over several segments.
 */
static void
partial_rows(void)
{
	static const int counts[] = {70, DBMAZZ_MAX_COLUMNS};
	static Wide wide;
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	size_t		which;

	for (which = 0; which < 2; which++)
	{
		int			n = counts[which];
		DbmazzTableDesc *full;
		DbmazzTableDesc *part;
		Buffer		expected = {0};
		Fixture		f;
		int			i;

		make_wide(&wide, n);
		full = make_desc(wide.specs, (uint32_t) n);
		part = must_alloc(dbmazz_desc_subset_size(full));
		dbmazz_desc_subset(full, wide.keep, 2, part);
		begin_desc(&f, part);
		set_tuple(&parser.new_tuple, wide.values, n);
		for (i = 0; i < 5; i++)
			CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);

		for (i = 0; i < n; i++)
		{
			if (wide.keep[i])
				put_printf(&expected, "%c\"column_%d\":\"value %d\"",
						   i == 0 ? '{' : ',', i, i);
		}
		put_printf(&expected, ",\"__op\":0},");
		put_byte(&expected, '\0');
		check_last_row(&f, expected.data);
		buffer_free(&expected);
		free(full);
		end(&f);
	}
}

/* Columns of the plan in another order than in the tuple: keys first. */
static void
sources_in_another_order(void)
{
	static const char *const values[] = {"text", "5", "2"};
	static const ColumnSpec specs[] = {
		{"id", DBMAZZ_VALUE_INTEGER, KEY},
		{"note", DBMAZZ_VALUE_STRING, 0},
		{"n", DBMAZZ_VALUE_INTEGER, 0},
	};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	DbmazzTableDesc *desc = make_desc(specs, 3);
	Fixture		f;

	desc->columns[0].source = 2;
	desc->columns[1].source = 0;
	desc->columns[2].source = 1;
	begin_desc(&f, desc);
	set_tuple(&parser.new_tuple, values, 3);
	CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
	check_last_row(&f, "{\"id\":2,\"note\":\"text\",\"n\":5,\"__op\":0},");
	end(&f);
}

/* No room at any byte of the row: an error, and the batch is as before. */
static void
no_space_anywhere(void)
{
	static const char *const values[] = {"7", "key", "some text", "1.50"};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	uint32_t	left;

	for (left = 1; left < 100; left++)
	{
		Fixture		f;
		uint32_t	room;

		begin(&f, two_keys, 4);
		f.pool.limit = 1;
		CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_OK);
		room = (uint32_t) (f.writer.limit - f.writer.pos) -
			(uint32_t) sizeof(DbmazzRowEntry) - left;
		while (room-- > 0)
			CHECK_INT(dbmazz_row_put(&f.writer, "f", 1), DBMAZZ_OK);
		dbmazz_row_end(&f.writer, DBMAZZ_ROW_INSERT, 0, 0, 1, 1);

		set_tuple(&parser.new_tuple, values, 4);
		if (left < strlen("{\"a\":7,\"b\":\"key\",\"c\":\"some text\","
						  "\"d\":\"1.50\",\"__op\":0},"))
		{
			CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_NO_SPACE);
			CHECK_INT(err.status, DBMAZZ_ERR_NO_SPACE);
			CHECK_INT(f.writer.nrows, 1);
		}
		else
			CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
		end(&f);
	}
}

/* The same inside of a long text, plain or full of escapes. */
static void
no_space_in_long_values(void)
{
	static char text[100001];
	const char *const values[] = {"7", "key", text, "1"};
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	static const char *const patterns[] = {"a", "\"", "aaaaaaa\n"};
	size_t		which;

	for (which = 0; which < 3; which++)
	{
		size_t		n = strlen(patterns[which]);
		Fixture		f;
		size_t		i;

		for (i = 0; i < sizeof(text) - 1; i++)
			text[i] = patterns[which][i % n];
		begin(&f, two_keys, 4);
		f.pool.limit = 1;
		set_tuple(&parser.new_tuple, values, 4);
		CHECK_INT(encode(&f, &source, false), DBMAZZ_ERR_NO_SPACE);
		CHECK_INT(f.writer.nsegments, 1);
		f.pool.limit = 64;
		CHECK_INT(encode(&f, &source, false), DBMAZZ_OK);
		CHECK_INT(f.writer.nrows, 1);
		end(&f);
	}
}

void
test_encode(void)
{
	RUN(upsert_and_delete);
	RUN(labels_are_escaped);
	RUN(plan_size_is_exact);
	RUN(null_key_is_refused);
	RUN(errors_name_the_column);
	RUN(unchanged_from_the_old_tuple);
	RUN(unchanged_from_a_key_tuple);
	RUN(short_tuple);
	RUN(no_key_no_column);
	RUN(keys_compared);
	RUN(partial_rows);
	RUN(sources_in_another_order);
	RUN(no_space_anywhere);
	RUN(no_space_in_long_values);
}
