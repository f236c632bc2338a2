/*
 * rows.c
 *		Rows of texts into batches, for time_encoders.c.
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/encode_csv.h"
#include "core/encode_json.h"
#include "helpers.h"

#define NSEGMENTS		2048

/* A description and a plan for each form of the rows. */
typedef struct Form
{
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
} Form;

struct BenchRows
{
	Form		json;
	Form		csv;
	DbmazzTuple tuple;
	Pool		pool;
};

DbmazzSegment *
bench_take_segment(void *arg, uint32_t *index)
{
	Pool	   *pool = arg;

	if (pool->ntaken == pool->nsegments)
		return NULL;
	*index = pool->ntaken++;
	return dbmazz_segment_at(pool->memory, *index);
}

BenchRows *
bench_rows_create(uint8_t value_class)
{
	static const char *const names[BENCH_NCOLUMNS] = {
		"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10",
		"c11", "c12", "c13", "c14", "c15"
	};
	BenchRows  *rows = must_alloc(sizeof(*rows));
	ColumnSpec	specs[BENCH_NCOLUMNS];

	for (int i = 0; i < BENCH_NCOLUMNS; i++)
	{
		specs[i].name = names[i];
		specs[i].value_class = value_class;
		specs[i].flags = 0;
	}
	rows->json.desc = make_desc(specs, BENCH_NCOLUMNS);
	rows->json.plan = make_plan(rows->json.desc);
	specs[0].flags = DBMAZZ_COLUMN_KEY;
	rows->csv.desc = make_desc(specs, BENCH_NCOLUMNS);
	rows->csv.plan = make_plan(rows->csv.desc);
	pool_init(&rows->pool, NSEGMENTS);
	return rows;
}

void
bench_rows_free(BenchRows *rows)
{
	free(rows->json.desc);
	free(rows->json.plan);
	free(rows->csv.desc);
	free(rows->csv.plan);
	pool_fini(&rows->pool);
	free(rows);
}

bool
bench_rows_have_csv(const BenchRows *rows)
{
	return dbmazz_csv_can_hold(rows->csv.desc);
}

static uint64_t
run_rows(BenchRows *rows, const Form *form, EncodeRow encode,
		 const DbmazzValue *texts, int n)
{
	const DbmazzRowSource source = {&rows->tuple, NULL, false};
	DbmazzBatchWriter writer;
	DbmazzRowKey key;
	DbmazzError err;

	rows->pool.ntaken = 0;
	if (dbmazz_batch_begin(&writer, bench_take_segment, &rows->pool,
						   form->desc) != DBMAZZ_OK)
		abort();
	for (int i = 0; i < n; i += BENCH_NCOLUMNS)
	{
		memcpy(rows->tuple.values, texts + i,
			   BENCH_NCOLUMNS * sizeof(DbmazzValue));
		rows->tuple.ncolumns = BENCH_NCOLUMNS;
		if (dbmazz_row_begin(&writer) != DBMAZZ_OK ||
			encode(&writer, form->plan, &source, &key, &err) != DBMAZZ_OK)
		{
			fprintf(stderr, "a row could not be encoded: %s\n", err.message);
			abort();
		}
		dbmazz_row_end(&writer, DBMAZZ_ROW_INSERT, key.length, key.hash,
					   (uint64_t) i, 1);
	}
	return writer.nbytes;
}

uint64_t
bench_rows_json(BenchRows *rows, const DbmazzValue *texts, int n)
{
	return run_rows(rows, &rows->json, dbmazz_json_upsert, texts, n);
}

uint64_t
bench_rows_csv(BenchRows *rows, const DbmazzValue *texts, int n)
{
	return run_rows(rows, &rows->csv, dbmazz_csv_upsert, texts, n);
}
