/*
 * one_row.c
 *		The ways of a row into a batch that need no server, for time_row.c.
 */
#include "one_row.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/encode_csv.h"
#include "core/encode_json.h"
#include "core/keyrow.h"
#include "helpers.h"
#include "rows.h"

#define KEY_DIGITS		8
#define NSEGMENTS		1024

struct OneRow
{
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	const DbmazzValue *texts;
	uint32_t	nsamples;
	uint32_t	nrows;
	uint32_t	max_rows;
	uint64_t	max_bytes;
	char	   *keys;			/* KEY_DIGITS of each row */
	DbmazzTuple tuple;
	DbmazzRowSource source;
	Pool		pool;
	DbmazzBatchWriter writer;
	uint64_t   *slots;
	uint32_t	nslots;
};

static void
must(DbmazzStatus status, const DbmazzError *err)
{
	if (status != DBMAZZ_OK)
	{
		fprintf(stderr, "a row could not be written: %s\n", err->message);
		abort();
	}
}

/* ---- the rows ------------------------------------------------------------- */

/* As the decoder's callback leaves it: the values in one tuple, the texts elsewhere. */
static inline const DbmazzRowSource *
make_source(OneRow *rows, uint32_t i)
{
	uint32_t	ncolumns = rows->plan->ncolumns;

	memcpy(rows->tuple.values, rows->texts + i % rows->nsamples * ncolumns,
		   ncolumns * sizeof(DbmazzValue));
	rows->tuple.values[0].data = rows->keys + (size_t) i * KEY_DIGITS;
	rows->tuple.values[0].len = KEY_DIGITS;
	return &rows->source;
}

const DbmazzRowSource *
one_row_source(OneRow *rows, uint32_t i)
{
	return make_source(rows, i);
}

static void
begin_batch(OneRow *rows)
{
	static const DbmazzError none = {.message = "no segment"};

	rows->pool.ntaken = 0;
	must(dbmazz_batch_begin(&rows->writer, bench_take_segment, &rows->pool,
							rows->desc), &none);
}

/* As try_row() of src/batcher.c. */
static inline void
write_row(OneRow *rows, EncodeRow encode, uint32_t i)
{
	DbmazzRowKey key;
	DbmazzError err;

	must(dbmazz_row_begin(&rows->writer), &err);
	must(encode(&rows->writer, rows->plan, make_source(rows, i), &key, &err),
		 &err);
	dbmazz_row_end(&rows->writer, DBMAZZ_ROW_UPDATE, key.length, key.hash, i, i);
}

void
one_row_set_keys(OneRow *rows, uint32_t nkeys)
{
	for (uint32_t i = 0; i < rows->max_rows; i++)
	{
		char		digits[KEY_DIGITS + 3];

		/* neighbours in a stream of updates are none in the table */
		snprintf(digits, sizeof(digits), "%u",
				 10000000 + (nkeys > 0 ? i * 7919 % nkeys : i));
		memcpy(rows->keys + (size_t) i * KEY_DIGITS, digits, KEY_DIGITS);
	}
}

OneRow *
one_row_create(const OneRowColumn *columns, uint32_t ncolumns,
			   const DbmazzValue *texts, uint32_t nrows, uint32_t max_rows,
			   uint64_t max_bytes)
{
	OneRow	   *rows = must_alloc(sizeof(*rows));
	ColumnSpec *specs = must_alloc(ncolumns * sizeof(*specs));

	for (uint32_t i = 0; i < ncolumns; i++)
	{
		specs[i].name = columns[i].name;
		specs[i].value_class = columns[i].value_class;
		specs[i].flags = i == 0 ? DBMAZZ_COLUMN_KEY : 0;
	}
	memset(rows, 0, sizeof(*rows));
	rows->desc = make_desc(specs, ncolumns);
	rows->plan = make_plan(rows->desc);
	free(specs);
	rows->texts = texts;
	rows->nsamples = nrows;
	rows->max_rows = max_rows;
	rows->max_bytes = max_bytes;
	rows->keys = must_alloc((size_t) max_rows * KEY_DIGITS);
	rows->tuple.ncolumns = (uint16_t) ncolumns;
	rows->source.tuple = &rows->tuple;
	pool_init(&rows->pool, NSEGMENTS);
	one_row_set_keys(rows, 0);

	begin_batch(rows);
	while (rows->nrows < max_rows && rows->writer.nbytes < max_bytes)
		write_row(rows, dbmazz_json_upsert, rows->nrows++);
	rows->nslots = dbmazz_dedup_slots(rows->nrows);
	rows->slots = must_alloc(rows->nslots * sizeof(uint64_t));
	return rows;
}

void
one_row_free(OneRow *rows)
{
	free(rows->desc);
	free(rows->plan);
	free(rows->keys);
	free(rows->slots);
	pool_fini(&rows->pool);
	free(rows);
}

uint32_t
one_row_count(const OneRow *rows)
{
	return rows->nrows;
}

const DbmazzRowPlan *
one_row_plan(const OneRow *rows)
{
	return rows->plan;
}

/* ---- ways ----------------------------------------------------------------- */

/* What all others have, too. */
static uint64_t
run_nothing(OneRow *rows)
{
	uint64_t	sum = 0;

	for (uint32_t i = 0; i < rows->nrows; i++)
	{
		const DbmazzRowSource *source = make_source(rows, i);

		/* the tuple is really written */
		__asm__ volatile("" : : "r" (source) : "memory");
		sum += source->tuple->values[0].len;
	}
	return sum;
}

/* The bytes of all rows as if they were one: no directory. */
static inline uint64_t
encode_only(OneRow *rows, EncodeRow encode)
{
	DbmazzRowKey key = {0};
	DbmazzError err;

	begin_batch(rows);
	must(dbmazz_row_begin(&rows->writer), &err);
	for (uint32_t i = 0; i < rows->nrows; i++)
		must(encode(&rows->writer, rows->plan, make_source(rows, i), &key, &err),
			 &err);
	return key.hash;
}

static inline uint64_t
write_batch(OneRow *rows, EncodeRow encode)
{
	begin_batch(rows);
	for (uint32_t i = 0; i < rows->nrows; i++)
		write_row(rows, encode, i);
	return rows->writer.nbytes;
}

static uint64_t
run_json(OneRow *rows)
{
	return encode_only(rows, dbmazz_json_upsert);
}

static uint64_t
run_json_batch(OneRow *rows)
{
	return write_batch(rows, dbmazz_json_upsert);
}

static uint64_t
run_csv(OneRow *rows)
{
	return encode_only(rows, dbmazz_csv_upsert);
}

static uint64_t
run_csv_batch(OneRow *rows)
{
	return write_batch(rows, dbmazz_csv_upsert);
}

/* Asked before each row, for one that cannot be goes elsewhere. */
static uint64_t
run_can_carry(OneRow *rows)
{
	uint64_t	sum = 0;

	for (uint32_t i = 0; i < rows->nrows; i++)
		sum += dbmazz_csv_can_carry(rows->plan, make_source(rows, i));
	return sum;
}

static uint64_t
run_hash(OneRow *rows)
{
	uint64_t	sum = 0;

	for (uint32_t i = 0; i < rows->nrows; i++)
		sum += dbmazz_row_key_hash(rows->plan, make_source(rows, i));
	return sum;
}

static DbmazzStatus
put_keyrow(OneRow *rows, uint32_t i, DbmazzRowKey *key, DbmazzError *err)
{
	return dbmazz_keyrow_put(&rows->writer, rows->desc, rows->plan,
							 make_source(rows, i), 1234, key, err);
}

static uint64_t
run_keyrow_batch(OneRow *rows)
{
	begin_batch(rows);
	for (uint32_t i = 0; i < rows->nrows; i++)
	{
		DbmazzRowKey key;
		DbmazzError err;

		must(dbmazz_row_begin(&rows->writer), &err);
		must(put_keyrow(rows, i, &key, &err), &err);
		dbmazz_row_end(&rows->writer, DBMAZZ_ROW_UPDATE, key.length, key.hash, i,
					   i);
	}
	return rows->writer.nbytes;
}

static uint64_t
run_dedup(OneRow *rows)
{
	DbmazzBatchView view = pool_view(&rows->pool, &rows->writer, rows->desc);

	return dbmazz_dedup(&view, rows->slots, rows->nslots);
}

static const struct
{
	const char *name;
	OneRowRun	run;
	OneRowRun	prepare;
}			ways[] =
{
	{"nothing", run_nothing, NULL},
	{"hash", run_hash, NULL},
	{"json", run_json, NULL},
	{"json_batch", run_json_batch, NULL},
	{"csv_check", run_can_carry, NULL},
	{"csv", run_csv, NULL},
	{"csv_batch", run_csv_batch, NULL},
	{"keyrow_batch", run_keyrow_batch, NULL},
	/* a batch is marked once, and its rows were just written */
	{"dedup", run_dedup, run_json_batch},
};

OneRowRun
one_row_way(const char *name, OneRowRun *prepare)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
	{
		if (strcmp(ways[i].name, name) == 0)
		{
			*prepare = ways[i].prepare;
			return ways[i].run;
		}
	}
	return NULL;
}
