/*
 * time_row.c
 *		How long a row takes on its way into a batch, and in it: the parts of it one by
 *		one.
 *
 * NOTES
 *	  batcher_keys.c is built into this module as it is; what it calls of the batcher
 *	  and of the queue is below.
 */
#include "postgres.h"

#include <time.h>

#include "batcher_private.h"
#include "core/typemap.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "one_row.h"
#include "queue.h"
#include "utils/builtins.h"

/* defaults of batch_max_rows and batch_max_bytes */
#define MAX_ROWS		100000
#define MAX_BYTES		(8 * 1024 * 1024)

/* A table with two open batches; a row for one of them comes. */
typedef struct Keys
{
	DbmazzBatcher batcher;
	DbmazzRelation rel;
	DbmazzColumnSet other;
	DbmazzOpenBatch open[2];
} Keys;

/* Keeps the compiler from leaving work out. */
static volatile uint64 result;

PG_FUNCTION_INFO_V1(time_row);

/* ---- what batcher_keys.c needs -------------------------------------------- */

/* It looks at the rows of open batches; these have no segments. */
char *
dbmazz_queue_pool(void)
{
	return NULL;
}

void
dbmazz_batcher_seal_relation(void *batcher, DbmazzRelation *rel)
{
	elog(ERROR, "all keys are of one batch");
}

/* ---- the rows ------------------------------------------------------------- */

static OneRow *
read_rows(const char *query)
{
	TupleDesc	tupdesc;
	OneRowColumn *columns;
	DbmazzValue *texts;
	DbmazzValue *value;

	if (SPI_execute(query, true, 0) != SPI_OK_SELECT || SPI_processed == 0)
		elog(ERROR, "the query gives no rows: %s", query);
	tupdesc = SPI_tuptable->tupdesc;
	columns = palloc(tupdesc->natts * sizeof(*columns));
	texts = palloc0(SPI_processed * tupdesc->natts * sizeof(*texts));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc, i);

		columns[i].name = NameStr(att->attname);
		columns[i].value_class = dbmazz_type_class(att->atttypid,
												   att->atttypmod, i == 0);
	}
	value = texts;
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		for (int i = 0; i < tupdesc->natts; i++, value++)
		{
			value->data = SPI_getvalue(SPI_tuptable->vals[row], tupdesc, i + 1);
			if (value->data == NULL)
				elog(ERROR, "a value is null: %s", query);
			value->kind = DBMAZZ_VALUE_TEXT;
			value->len = strlen(value->data);
		}
	}
	return one_row_create(columns, tupdesc->natts, texts, SPI_processed, MAX_ROWS,
						  MAX_BYTES);
}

/* ---- ways that need the server -------------------------------------------- */

/* For the ways that are here: how many batches are open. */
static Keys *
make_keys(OneRow *rows, const char *way)
{
	static const char *const ways[] = {"call", "note1", "note2"};
	int			nopen = 0;
	Keys	   *k = palloc0(sizeof(*k));

	while (strcmp(way, ways[nopen]) != 0)
	{
		if (++nopen == lengthof(ways))
			elog(ERROR, "there is no way \"%s\"", way);
	}

	k->batcher.cxt = CurrentMemoryContext;
	k->rel.full.plan = unconstify(DbmazzRowPlan *, one_row_plan(rows));
	k->other.plan = k->rel.full.plan;
	k->rel.partial = &k->other;
	k->rel.nopen = nopen;
	k->rel.full.open = nopen > 0 ? &k->open[0] : NULL;
	k->other.open = nopen > 1 ? &k->open[1] : NULL;
	for (int i = 0; i < lengthof(k->open); i++)
		k->open[i].writer.head = DBMAZZ_NO_SEGMENT;
	return k;
}

/* All keys of a batch, and its end; with none open only what is not part of it. */
static void
note_keys(OneRow *rows, Keys *k)
{
	uint32		n = one_row_count(rows);

	for (uint32 i = 0; i < n; i++)
	{
		const DbmazzRowSource *source = one_row_source(rows, i);

		if (k->rel.nopen > 0)
			dbmazz_batcher_note_key(&k->batcher, &k->rel, &k->rel.full, source);
	}
	dbmazz_batcher_forget_keys(&k->batcher, &k->rel);
}

/* ---- measuring ------------------------------------------------------------ */

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* 'k' if the way is dbmazz_batcher_note_key(), else 'run'. */
static double
measure(OneRow *rows, OneRowRun run, OneRowRun prepare, Keys *k, int rounds)
{
	double		best = 1e18;

	for (int round = 0; round < rounds; round++)
	{
		double		start;

		CHECK_FOR_INTERRUPTS();
		if (prepare != NULL)
			result += prepare(rows);
		start = now_ns();
		if (k != NULL)
			note_keys(rows, k);
		else
			result += run(rows);
		best = Min(best, now_ns() - start);
	}
	return best / one_row_count(rows);
}

/*
 * time_row(query text, way text, nkeys int, rounds int) returns float8
 *
 * 'query' gives the rows; 'way' is one of one_row_way() or of make_keys().
 */
Datum
time_row(PG_FUNCTION_ARGS)
{
	const char *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *way = text_to_cstring(PG_GETARG_TEXT_PP(1));
	OneRowRun	prepare = NULL;
	OneRowRun	run = one_row_way(way, &prepare);
	Keys	   *k = NULL;
	OneRow	   *rows;
	double		ns;

	SPI_connect();
	rows = read_rows(query);
	one_row_set_keys(rows, PG_GETARG_INT32(2));
	if (run == NULL)
		k = make_keys(rows, way);
	ns = measure(rows, run, prepare, k, PG_GETARG_INT32(3));
	one_row_free(rows);
	SPI_finish();
	PG_RETURN_FLOAT8(ns);
}
