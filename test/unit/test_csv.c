/*
 * test_csv.c
 *		Tests of core/encode_csv.c: the form of values, and what cannot be CSV.
 */
#include "core/encode_csv.h"

#include <stdlib.h>

#include "check.h"
#include "core/body.h"
#include "helpers.h"

#define KEY		DBMAZZ_COLUMN_KEY

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, KEY},
	{"name", DBMAZZ_VALUE_STRING, KEY},
	{"text", DBMAZZ_VALUE_STRING, 0},
	{"price", DBMAZZ_VALUE_DECIMAL, 0},
	{"done", DBMAZZ_VALUE_BOOL, 0},
	{"at", DBMAZZ_VALUE_TIMESTAMPTZ, 0},
	{"photo", DBMAZZ_VALUE_BYTEA, 0},
	{"c", DBMAZZ_VALUE_CHAR, 0},
	{"real", DBMAZZ_VALUE_REAL, 0}
};

#define NCOLUMNS	9

static DbmazzTuple tuple;
static DbmazzError err;
static DbmazzRowKey key;
static Pool pool;
static DbmazzTableDesc *desc;
static DbmazzRowPlan *plan;
static DbmazzBatchWriter writer;

static void
begin(void)
{
	static const char *const values[NCOLUMNS] = {
		"7", "x", "y", "1.50", "t", "2024-02-29 12:34:56.5+00", "\\x00ff",
		"a", "1.5"
	};
	int			i;

	pool_init(&pool, 64);
	desc = make_desc(specs, NCOLUMNS);
	desc->flags |= DBMAZZ_TABLE_CSV;
	plan = make_plan(desc);
	CHECK_INT(dbmazz_batch_begin(&writer, pool_alloc, &pool, desc), DBMAZZ_OK);
	dbmazz_error_reset(&err);
	tuple.ncolumns = NCOLUMNS;
	for (i = 0; i < NCOLUMNS; i++)
	{
		tuple.values[i].kind = DBMAZZ_VALUE_TEXT;
		tuple.values[i].data = values[i];
		tuple.values[i].len = (uint32_t) strlen(values[i]);
	}
}

static void
end(void)
{
	free(plan);
	free(desc);
	pool_fini(&pool);
}

static void
set_bytes(int column, const char *data, size_t len)
{
	tuple.values[column].kind = data != NULL ? DBMAZZ_VALUE_TEXT :
		DBMAZZ_VALUE_NULL;
	tuple.values[column].data = data;
	tuple.values[column].len = (uint32_t) len;
}

static void
set(int column, const char *text)
{
	set_bytes(column, text, text != NULL ? strlen(text) : 0);
}

static DbmazzStatus
put(DbmazzRowOp op)
{
	const DbmazzRowSource source = {&tuple, NULL, false};
	DbmazzStatus status = dbmazz_row_begin(&writer);

	if (status == DBMAZZ_OK)
		status = (op == DBMAZZ_ROW_DELETE ? dbmazz_csv_delete :
				  dbmazz_csv_upsert) (&writer, plan, &source, &key, &err);
	if (status == DBMAZZ_OK)
		dbmazz_row_end(&writer, op, key.length, key.hash, 1, 1);
	else
		(void) dbmazz_row_abort(&writer);
	return status;
}

/* The body of the rows so far. */
static char *
body(size_t *len)
{
	static const DbmazzSpan tail = {",\\N,0,1\n", 8};
	DbmazzBatchView view = pool_view(&pool, &writer, desc);
	DbmazzBody	reader;
	char	   *text;

	dbmazz_body_init(&reader, &view, DBMAZZ_FRAME_CSV, tail);
	text = must_alloc((size_t) reader.size + 1);
	*len = dbmazz_body_read(&reader, text, (size_t) reader.size + 1);
	CHECK_INT(*len, reader.size);
	return text;
}

static void
check_body(const char *expected)
{
	size_t		len;
	char	   *text = body(&len);

	CHECK_TEXT(text, len, expected);
	free(text);
}

static void
forms(void)
{
	begin();
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
	CHECK_INT(key.length, 5);
	set(1, "a,b");
	set(2, "\"");
	set(3, "-0.00");
	set(4, "f");
	set(6, "\\x");
	set(7, "\377");
	set(8, "1e+10");
	CHECK_INT(put(DBMAZZ_ROW_UPDATE), DBMAZZ_OK);
	set(1, "");
	set(2, "two\nlines, \\ and \"quotes\"\r\n");
	set(3, NULL);
	set(4, NULL);
	set(5, NULL);
	set(6, NULL);
	set(7, NULL);
	set(8, NULL);
	CHECK_INT(put(DBMAZZ_ROW_UPDATE), DBMAZZ_OK);
	check_body("7,\"x\",\"y\",\"1.50\",true,\"2024-02-29 12:34:56.5\",\"00ff\","
			   "\"a\",1.5,0\n"
			   "7,\"a,b\",\"\"\"\",\"-0.00\",false,\"2024-02-29 12:34:56.5\","
			   "\"\",\"\\377\",1e+10,0\n"
			   "7,\"\",\"two\nlines, \\ and \"\"quotes\"\"\r\n\",\\N,\\N,\\N,"
			   "\\N,\\N,\\N,0\n");
	end();
}

/* Deletes, also as first and last rows, and neighbours that are superseded. */
static void
deletes(void)
{
	uint64_t	slots[64];
	DbmazzBatchView view;

	begin();
	CHECK_INT(put(DBMAZZ_ROW_DELETE), DBMAZZ_OK);
	set(0, "8");
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
	set(0, "9");
	set(1, NULL);
	CHECK_INT(put(DBMAZZ_ROW_DELETE), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(err.column, 2);
	set(1, "\"");
	CHECK_INT(put(DBMAZZ_ROW_DELETE), DBMAZZ_OK);
	check_body("7,\"x\",\\N,0,1\n"
			   "8,\"x\",\"y\",\"1.50\",true,\"2024-02-29 12:34:56.5\",\"00ff\","
			   "\"a\",1.5,0\n"
			   "9,\"\"\"\",\\N,0,1\n");
	set(0, "8");
	set(1, "x");
	CHECK_INT(put(DBMAZZ_ROW_DELETE), DBMAZZ_OK);
	set(0, "18");
	CHECK_INT(put(DBMAZZ_ROW_DELETE), DBMAZZ_OK);
	view = pool_view(&pool, &writer, desc);
	CHECK_INT(dbmazz_dedup(&view, slots, dbmazz_dedup_slots(view.nrows)), 4);
	check_body("7,\"x\",\\N,0,1\n9,\"\"\"\",\\N,0,1\n8,\"x\",\\N,0,1\n"
			   "18,\"x\",\\N,0,1\n");
	end();
}

/* Keys that differ in the first byte alone are two keys, whatever their hash. */
static void
first_byte_counts(void)
{
	uint64_t	slots[64];
	DbmazzBatchView view;
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;

	begin();
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
	set(0, "8");
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
	view = pool_view(&pool, &writer, desc);
	dbmazz_rows_begin(&cursor, &view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
		entry->key_hash = 1;
	CHECK_INT(dbmazz_dedup(&view, slots, dbmazz_dedup_slots(2)), 2);
	end();
}

/* Texts of all lengths with quotes at all places, over borders of segments. */
static void
long_texts(void)
{
	static char text[200000];
	uint64_t	seed = 4;
	size_t		len;
	int			i;

	begin();
	for (i = 2; i < NCOLUMNS; i++)
		set(i, NULL);
	for (i = 0; i < 500; i++)
	{
		size_t		n = i <= 400 ? (size_t) i / 2 : random_below(&seed, 10000);
		size_t		shift = (size_t) i % 33;
		char	   *exact;
		uint32_t	every = 1 + random_below(&seed, i % 3 == 0 ? 3000 : 12);
		size_t		k;
		char	   *p;
		char	   *start;
		bool		same = true;

		if (i == 499)
			n = sizeof(text);
		for (k = 0; k < n; k++)
			text[k] = random_below(&seed, every) == 0 ? '"' :
				(char) random_below(&seed, 256);
		exact = must_alloc(shift + n);
		memcpy(exact + shift, text, n);
		set_bytes(2, exact + shift, n);
		free(desc);
		free(plan);
		pool_fini(&pool);
		pool_init(&pool, 64);
		desc = make_desc(specs, NCOLUMNS);
		desc->flags |= DBMAZZ_TABLE_CSV;
		plan = make_plan(desc);
		CHECK_INT(dbmazz_batch_begin(&writer, pool_alloc, &pool, desc),
				  DBMAZZ_OK);
		CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
		start = p = body(&len);
		CHECK(memcmp(p, "7,\"x\",\"", 7) == 0);
		p += 7;
		for (k = 0; k < n && same; k++)
		{
			same = *p++ == text[k];
			if (text[k] == '"')
				same = *p++ == '"' && same;
		}
		CHECK(same);
		CHECK_TEXT(p, len - (size_t) (p - start),
				   "\",\\N,\\N,\\N,\\N,\\N,\\N,0\n");
		free(start);
		free(exact);
	}
	end();
}

static void
what_cannot_be(void)
{
	const DbmazzRowSource source = {&tuple, NULL, false};
	static const ColumnSpec document[] = {
		{"id", DBMAZZ_VALUE_INTEGER, KEY}, {"doc", DBMAZZ_VALUE_JSON, 0}
	};
	static const ColumnSpec keyless[] = {{"id", DBMAZZ_VALUE_INTEGER, 0}};
	DbmazzTableDesc *other;

	begin();
	CHECK(dbmazz_csv_can_hold(desc));
	CHECK(dbmazz_csv_can_carry(plan, &source));
	set(2, "\\N");
	CHECK(!dbmazz_csv_can_carry(plan, &source));
	set(2, "\\N ");
	CHECK(dbmazz_csv_can_carry(plan, &source));
	set(2, "\\n");
	CHECK(dbmazz_csv_can_carry(plan, &source));
	set(1, "\\N");
	CHECK(!dbmazz_csv_can_carry(plan, &source));
	set(1, NULL);
	tuple.values[2].kind = DBMAZZ_VALUE_UNCHANGED;
	CHECK(dbmazz_csv_can_carry(plan, &source));
	other = make_desc(document, 2);
	CHECK(!dbmazz_csv_can_hold(other));
	free(other);
	other = make_desc(keyless, 1);
	CHECK(!dbmazz_csv_can_hold(other));
	free(other);
	end();
}

/* The policy for values that do not fit is that of JSON. */
static void
unfit_values(void)
{
	begin();
	set(5, "infinity");
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_ERR_UNREPRESENTABLE);
	CHECK_INT(err.column, 6);
	plan->unrepresentable = DBMAZZ_UNREPRESENTABLE_NULL;
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
	plan->unrepresentable = DBMAZZ_UNREPRESENTABLE_CLAMP;
	set(8, "-Infinity");
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_OK);
	check_body("7,\"x\",\"y\",\"1.50\",true,\\N,\"00ff\",\"a\",1.5,0\n"
			   "7,\"x\",\"y\",\"1.50\",true,\"9999-12-31 23:59:59.999999\","
			   "\"00ff\",\"a\",-3.4028234663852886e+38,0\n");
	tuple.values[2].kind = DBMAZZ_VALUE_UNCHANGED;
	CHECK_INT(put(DBMAZZ_ROW_INSERT), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(err.column, 3);
	end();
}

void
test_csv(void)
{
	RUN(forms);
	RUN(deletes);
	RUN(first_byte_counts);
	RUN(long_texts);
	RUN(what_cannot_be);
	RUN(unfit_values);
}
