/*
 * test_rowtext.c
 *		Tests of core/rowtext.c: rows and keys as JSON, whatever they were.
 */
#include "core/rowtext.h"

#include <stdlib.h>

#include "check.h"
#include "core/encode_csv.h"
#include "core/encode_json.h"
#include "helpers.h"

#define KEY			DBMAZZ_COLUMN_KEY
#define NCOLUMNS	6

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, KEY},
	{"a \"name\"", DBMAZZ_VALUE_STRING, KEY},
	{"text", DBMAZZ_VALUE_STRING, 0},
	{"price", DBMAZZ_VALUE_DECIMAL, 0},
	{"done", DBMAZZ_VALUE_BOOL, 0},
	{"at", DBMAZZ_VALUE_TIMESTAMP, 0}
};

static DbmazzTuple tuple;
static bool keeps = false;		/* rows that are not sent */

static void
set(int i, const char *text)
{
	tuple.ncolumns = NCOLUMNS;
	tuple.values[i].kind = text != NULL ? DBMAZZ_VALUE_TEXT : DBMAZZ_VALUE_NULL;
	tuple.values[i].data = text;
	tuple.values[i].len = text != NULL ? (uint32_t) strlen(text) : 0;
}

/* Encode the tuple, and give its key and row as texts. */
static void
texts(bool csv, char *key_text, char *row_text, size_t size)
{
	DbmazzTableDesc *desc = make_desc(specs, NCOLUMNS);
	DbmazzRowPlan *plan;
	DbmazzRowSource source = {&tuple, NULL, false};
	DbmazzBatchWriter writer;
	DbmazzBatchView view;
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	DbmazzRowKey key;
	DbmazzError err;
	Pool		pool;
	char		row[1000];
	size_t		len;

	pool_init(&pool, 64);
	desc->flags |= csv ? DBMAZZ_TABLE_CSV : 0;
	plan = make_plan(desc);
	dbmazz_error_reset(&err);
	CHECK_INT(dbmazz_batch_begin(&writer, pool_alloc, &pool, desc), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_begin(&writer), DBMAZZ_OK);
	CHECK_INT(keeps ? dbmazz_json_keep(&writer, plan, &source, &key, &err) :
			  csv ? dbmazz_csv_upsert(&writer, plan, &source, &key, &err) :
			  dbmazz_json_upsert(&writer, plan, &source, &key, &err),
			  DBMAZZ_OK);
	dbmazz_row_end(&writer, DBMAZZ_ROW_INSERT, key.length, key.hash, 1, 1);
	view = pool_view(&pool, &writer, desc);
	dbmazz_rows_begin(&cursor, &view);
	entry = dbmazz_rows_next(&cursor, &segment);
	(void) dbmazz_row_copy(&view, segment, entry, 0, row, sizeof(row));
	len = dbmazz_key_text(desc, row + dbmazz_key_start(desc),
						  entry->key_length, key_text, size);
	CHECK_INT(len, strlen(key_text));
	len = dbmazz_row_text(desc, row, entry->length, row_text, size);
	CHECK_INT(len, strlen(row_text));
	pool_fini(&pool);
	free(plan);
	free(desc);
}

static void
both_encodings(void)
{
	char		key[1000];
	char		row[1000];

	set(0, "7");
	set(1, "x, \"y\"\n\\");
	set(2, "");
	set(3, "-1.50");
	set(4, "t");
	set(5, "2024-02-29 12:34:56.5");
	texts(false, key, row, sizeof(key));
	CHECK_STR(key, "{\"id\":7,\"a \\\"name\\\"\":\"x, \\\"y\\\"\\n\\\\\"}");
	CHECK_STR(row, "{\"id\":7,\"a \\\"name\\\"\":\"x, \\\"y\\\"\\n\\\\\","
			  "\"text\":\"\",\"price\":\"-1.50\",\"done\":true,"
			  "\"at\":\"2024-02-29 12:34:56.5\",\"__op\":0}");
	texts(true, key, row, sizeof(key));
	CHECK_STR(key, "{\"id\":7,\"a \\\"name\\\"\":\"x, \\\"y\\\"\\n\\\\\"}");
	CHECK_STR(row, "{\"id\":7,\"a \\\"name\\\"\":\"x, \\\"y\\\"\\n\\\\\","
			  "\"text\":\"\",\"price\":\"-1.50\",\"done\":true,"
			  "\"at\":\"2024-02-29 12:34:56.5\"}");
}

/* A row that cannot be sent, as it is kept. */
static void
kept_rows(void)
{
	char		key[1000];
	char		row[1000];

	keeps = true;
	set(0, "7");
	set(1, "k");
	set(2, "t");
	set(3, "-1.50");
	set(4, "f");
	set(5, "0044-03-15 12:00:00 BC");
	texts(false, key, row, sizeof(key));
	CHECK_STR(key, "{\"id\":7,\"a \\\"name\\\"\":\"k\"}");
	CHECK_STR(row, "{\"id\":7,\"a \\\"name\\\"\":\"k\",\"text\":\"t\","
			  "\"price\":\"-1.50\",\"done\":false,"
			  "\"at\":\"0044-03-15 12:00:00 BC\",\"__op\":0}");
	/* what the change came without is left out */
	tuple.values[3].kind = DBMAZZ_VALUE_UNCHANGED;
	tuple.values[2].kind = DBMAZZ_VALUE_BROKEN;
	tuple.values[2].data = "\\xe9";
	tuple.values[2].len = 4;
	texts(false, key, row, sizeof(key));
	CHECK_STR(row, "{\"id\":7,\"a \\\"name\\\"\":\"k\",\"text\":\"\\\\xe9\","
			  "\"done\":false,\"at\":\"0044-03-15 12:00:00 BC\",\"__op\":0}");
	keeps = false;
}

static void
nulls(void)
{
	char		key[1000];
	char		row[1000];
	int			i;

	set(0, "-1");
	set(1, "\"");
	for (i = 2; i < NCOLUMNS; i++)
		set(i, NULL);
	texts(true, key, row, sizeof(key));
	CHECK_STR(key, "{\"id\":-1,\"a \\\"name\\\"\":\"\\\"\"}");
	CHECK_STR(row, "{\"id\":-1,\"a \\\"name\\\"\":\"\\\"\",\"text\":null,"
			  "\"price\":null,\"done\":null,\"at\":null}");
}

static void
cut_text(void)
{
	DbmazzTableDesc *desc = make_desc(specs, 1);
	char		out[6];

	CHECK_INT(dbmazz_key_text(desc, "\"id\":1234567", 12, NULL, 0), 14);
	CHECK_INT(dbmazz_key_text(desc, "\"id\":1234567", 12, out, sizeof(out)),
			  14);
	CHECK_STR(out, "{\"id\"");
	desc->flags |= DBMAZZ_TABLE_CSV;
	CHECK_INT(dbmazz_key_text(desc, "1234567", 7, out, sizeof(out)), 14);
	CHECK_STR(out, "{\"id\"");
	free(desc);
}

void
test_rowtext(void)
{
	RUN(both_encodings);
	RUN(kept_rows);
	RUN(nulls);
	RUN(cut_text);
}
