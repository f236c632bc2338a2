/*
 * test_keyrow.c
 *		Tests of rows of which only the key is known.
 */
#include "core/keyrow.h"

#include <stdlib.h>

#include "check.h"
#include "helpers.h"

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"code", DBMAZZ_VALUE_STRING, DBMAZZ_COLUMN_KEY},
	{"body", DBMAZZ_VALUE_STRING, 0},
	{"op", DBMAZZ_VALUE_INTEGER, 0},
};

#define NCOLUMNS	4
#define XID			0xFEDCBA98

typedef struct Fixture
{
	Pool		pool;
	DbmazzBatchWriter writer;
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	DbmazzTuple *tuple;
	DbmazzError error;
} Fixture;

/* The last column is none of the source, so its value is kept. */
static void
begin(Fixture *f)
{
	uint32_t	i;

	memset(f, 0, sizeof(*f));
	pool_init(&f->pool, 4);
	f->desc = make_desc(specs, NCOLUMNS);
	for (i = 0; i < NCOLUMNS; i++)
		f->desc->columns[i].attnum = (int16_t) (i == 3 ? 0 : i + 1);
	f->plan = make_plan(f->desc);
	f->tuple = must_alloc(sizeof(*f->tuple));
	CHECK_INT(dbmazz_batch_begin(&f->writer, pool_alloc, &f->pool, f->desc),
			  DBMAZZ_OK);
}

static void
end(Fixture *f)
{
	pool_fini(&f->pool);
	free(f->desc);
	free(f->plan);
	free(f->tuple);
}

/* NULL: the change came without the value. */
static void
set(Fixture *f, uint32_t i, const char *text, char kind)
{
	f->tuple->values[i].kind = kind;
	f->tuple->values[i].data = text;
	f->tuple->values[i].len = text != NULL ? (uint32_t) strlen(text) : 0;
	f->tuple->ncolumns = NCOLUMNS;
}

static DbmazzStatus
put(Fixture *f, DbmazzRowKey *key)
{
	DbmazzRowSource source = {f->tuple, NULL, false};

	CHECK_INT(dbmazz_row_begin(&f->writer), DBMAZZ_OK);
	return dbmazz_keyrow_put(&f->writer, f->desc, f->plan, &source, XID, key,
							 &f->error);
}

/* The row that was put, as a block of exactly its size. */
static char *
take(Fixture *f, const DbmazzRowKey *key, uint32_t *len)
{
	DbmazzBatchView view;
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	DbmazzRowEntry *entry;
	char	   *row;

	dbmazz_row_end(&f->writer, DBMAZZ_ROW_UPDATE, key->length, key->hash, 1, 0);
	view = pool_view(&f->pool, &f->writer, f->desc);
	dbmazz_rows_begin(&cursor, &view);
	entry = dbmazz_rows_next(&cursor, &segment);
	*len = entry->length;
	row = must_alloc(entry->length);
	CHECK_INT(dbmazz_row_copy(&view, segment, entry, 0, row, *len), *len);
	return row;
}

static void
round_trip(void)
{
	Fixture		f;
	DbmazzRowKey key = {0};
	DbmazzTuple *back = must_alloc(sizeof(*back));
	uint32_t	xid = 0;
	uint32_t	len;
	char	   *row;
	uint32_t	cut;

	begin(&f);
	set(&f, 0, "17", DBMAZZ_VALUE_TEXT);
	set(&f, 1, "", DBMAZZ_VALUE_TEXT);
	set(&f, 2, NULL, DBMAZZ_VALUE_UNCHANGED);
	set(&f, 3, NULL, DBMAZZ_VALUE_NULL);
	CHECK_INT(put(&f, &key), DBMAZZ_OK);
	/* two values of five bytes before their texts, "17" and "" */
	CHECK_INT(key.length, 5 + 2 + 5);
	row = take(&f, &key, &len);
	CHECK_INT(len, 1 + key.length + 5 + 4);

	CHECK(dbmazz_keyrow_get(f.desc, row, len, back, &xid));
	CHECK_INT(xid, XID);
	CHECK_INT(back->ncolumns, NCOLUMNS);
	CHECK_TEXT(back->values[0].data, back->values[0].len, "17");
	CHECK_INT(back->values[1].kind, DBMAZZ_VALUE_TEXT);
	CHECK_INT(back->values[1].len, 0);
	CHECK_INT(back->values[2].kind, DBMAZZ_VALUE_UNCHANGED);
	CHECK_INT(back->values[3].kind, DBMAZZ_VALUE_NULL);

	/* cut anywhere, too long, or of another kind */
	for (cut = 0; cut < len; cut++)
	{
		char	   *part = must_alloc(cut + 1);

		memcpy(part, row, cut);
		part = realloc(part, cut > 0 ? cut : 1);
		CHECK(!dbmazz_keyrow_get(f.desc, part, cut, back, &xid));
		free(part);
	}
	CHECK(!dbmazz_keyrow_get(f.desc, row + 1, len - 1, back, &xid));
	free(row);
	free(back);
	end(&f);
}

static void
keys_differ(void)
{
	Fixture		f;
	DbmazzRowKey a = {0};
	DbmazzRowKey b = {0};

	begin(&f);
	set(&f, 2, NULL, DBMAZZ_VALUE_UNCHANGED);
	set(&f, 3, "1", DBMAZZ_VALUE_TEXT);
	set(&f, 0, "1", DBMAZZ_VALUE_TEXT);
	set(&f, 1, "23", DBMAZZ_VALUE_TEXT);
	CHECK_INT(put(&f, &a), DBMAZZ_OK);
	dbmazz_row_end(&f.writer, DBMAZZ_ROW_UPDATE, a.length, a.hash, 1, 0);
	set(&f, 0, "12", DBMAZZ_VALUE_TEXT);
	set(&f, 1, "3", DBMAZZ_VALUE_TEXT);
	CHECK_INT(put(&f, &b), DBMAZZ_OK);
	dbmazz_row_end(&f.writer, DBMAZZ_ROW_UPDATE, b.length, b.hash, 1, 1);
	CHECK(a.hash != b.hash);
	CHECK_INT(a.length, b.length);
	end(&f);
}

static void
missing_key(void)
{
	static const char kinds[] = {DBMAZZ_VALUE_UNCHANGED, DBMAZZ_VALUE_NULL};
	uint32_t	i;

	for (i = 0; i < 2; i++)
	{
		Fixture		f;
		DbmazzRowKey key = {0};

		begin(&f);
		set(&f, 0, "17", DBMAZZ_VALUE_TEXT);
		set(&f, 1, NULL, kinds[i]);
		set(&f, 2, NULL, DBMAZZ_VALUE_UNCHANGED);
		set(&f, 3, "1", DBMAZZ_VALUE_TEXT);
		CHECK_INT(put(&f, &key), DBMAZZ_ERR_MALFORMED);
		CHECK_INT(f.error.column, 2);
		end(&f);
	}
}

void
test_keyrow(void)
{
	RUN(round_trip);
	RUN(keys_differ);
	RUN(missing_key);
}
