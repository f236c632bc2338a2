/*
 * time_encoders.c
 *		How long one value takes: in the server's output function, in the fast
 *		path's, and in the encoders of rows.
 *
 * NOTES
 *	  Each figure is the best of many short runs over the same values, the ways in
 *	  turns: what the code needs, not what else the machine did.  Values are
 *	  taken from tuples, as in decoding.
 */
#include "postgres.h"

#include <time.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "core/typemap.h"
#include "executor/spi.h"
#include "fastpath_private.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

PG_MODULE_MAGIC;

typedef struct Sample
{
	int			n;				/* of the values */
	FormData_pg_attribute att;
	Datum	   *datums;
	DbmazzValue *texts;			/* the same as text */
	DbmazzFastColumn column;
	DbmazzTexts room;
	StringInfoData message;
	FmgrInfo	output;
	BenchRows  *rows;
} Sample;

/* Keeps the compiler from leaving work out. */
static volatile uint64 result;

PG_FUNCTION_INFO_V1(time_encoders);

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* ---- text of a value ------------------------------------------------------ */

/* What was allocated is freed with each row, as pgoutput does it. */
static inline void
begin_value(int i)
{
	if (i % BENCH_NCOLUMNS == 0)
		MemoryContextReset(CurrentMemoryContext);
}

/* As in logicalrep_write_tuple() of src/backend/replication/logical/proto.c. */
static void
run_pgoutput(Sample *s)
{
	for (int i = 0; i < s->n; i++)
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID,
											ObjectIdGetDatum(s->att.atttypid));
		Form_pg_type type = (Form_pg_type) GETSTRUCT(tuple);
		char	   *text;
		int			len;

		begin_value(i);
		text = OidOutputFunctionCall(type->typoutput, s->datums[i]);
		len = strlen(text);
		resetStringInfo(&s->message);
		pq_sendbyte(&s->message, 't');
		if (pg_server_to_client(text, len) != text)
			elog(ERROR, "the client's encoding is another one");
		pq_sendint32(&s->message, len);
		appendBinaryStringInfo(&s->message, text, len);
		pfree(text);
		ReleaseSysCache(tuple);
	}
}

/* The output function alone, looked up once. */
static void
run_function(Sample *s)
{
	for (int i = 0; i < s->n; i++)
	{
		char	   *text;

		begin_value(i);
		text = OutputFunctionCall(&s->output, s->datums[i]);
		result += strlen(text);
		pfree(text);
	}
}

static void
run_ours(Sample *s)
{
	for (int i = 0; i < s->n; i++)
	{
		DbmazzValue value;

		if (i % BENCH_NCOLUMNS == 0)
			dbmazz_texts_reset(&s->room);
		dbmazz_texts_value(&s->room, &s->column, s->datums[i], &value);
		result += value.len;
	}
}

/* ---- rows of texts -------------------------------------------------------- */

static void
run_json(Sample *s)
{
	result += bench_rows_json(s->rows, s->texts, s->n);
}

static void
run_csv(Sample *s)
{
	if (bench_rows_have_csv(s->rows))
		result += bench_rows_csv(s->rows, s->texts, s->n);
}

/* ---- the sample ----------------------------------------------------------- */

/* All values of the query's only column, none of which may be null. */
static void
read_values(Sample *s, const char *query)
{
	TupleDesc	tupdesc;

	if (SPI_execute(query, true, 0) != SPI_OK_SELECT || SPI_processed == 0 ||
		SPI_processed % BENCH_NCOLUMNS != 0)
		elog(ERROR, "the query gives not whole rows of values: %s", query);
	tupdesc = SPI_tuptable->tupdesc;
	s->att = *TupleDescAttr(tupdesc, 0);
	s->n = SPI_processed;
	s->datums = palloc(s->n * sizeof(Datum));
	s->texts = palloc0(s->n * sizeof(DbmazzValue));
	for (int i = 0; i < s->n; i++)
	{
		bool		is_null;

		s->datums[i] = SPI_getbinval(SPI_tuptable->vals[i], tupdesc, 1,
									 &is_null);
		if (is_null)
			elog(ERROR, "a value is null: %s", query);
	}
}

/* The figures mean something only where both write the same. */
static double
make_texts(Sample *s)
{
	double		bytes = 0;

	for (int i = 0; i < s->n; i++)
	{
		char	   *theirs = OutputFunctionCall(&s->output, s->datums[i]);
		DbmazzValue value;

		dbmazz_texts_value(&s->room, &s->column, s->datums[i], &value);
		if (value.len != strlen(theirs) ||
			memcmp(value.data, theirs, value.len) != 0)
			elog(ERROR, "\"%.*s\" is not what the server writes: \"%s\"",
				 (int) value.len, value.data, theirs);
		s->texts[i].kind = DBMAZZ_VALUE_TEXT;
		s->texts[i].data = theirs;
		s->texts[i].len = value.len;
		bytes += value.len;
		dbmazz_texts_reset(&s->room);
	}
	return bytes / s->n;
}

static void
make_sample(Sample *s, const char *query)
{
	HASHCTL		needs = {0};
	Oid			output;
	bool		is_varlena;

	read_values(s, query);
	getTypeOutputInfo(s->att.atttypid, &output, &is_varlena);
	fmgr_info(output, &s->output);
	s->att.attnum = 1;
	needs.keysize = needs.entrysize = sizeof(DbmazzFastNeed);
	dbmazz_texts_column(&s->column, &s->att, CurrentMemoryContext,
						hash_create("needs", 8, &needs, HASH_ELEM | HASH_BLOBS));
	dbmazz_texts_init(&s->room, CurrentMemoryContext);
	initStringInfo(&s->message);
	s->rows = bench_rows_create(dbmazz_type_class(s->att.atttypid,
												  s->att.atttypmod, false));
}

/* ---- measuring ------------------------------------------------------------ */

static void (*const ways[]) (Sample *) = {
	run_pgoutput, run_function, run_ours, run_json, run_csv
};

#define NWAYS	lengthof(ways)

static void
measure(Sample *s, int rounds, double *best)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext,
											  "time_encoders",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);

	for (int w = 0; w < NWAYS; w++)
		best[w] = 1e18;
	for (int round = 0; round < rounds; round++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int w = 0; w < NWAYS; w++)
		{
			double		start = now_ns();

			ways[w] (s);
			best[w] = Min(best[w], now_ns() - start);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/*
 * time_encoders(query text, rounds int, OUT bytes float8, OUT pgoutput float8,
 *				 OUT function float8, OUT ours float8, OUT json float8,
 *				 OUT csv float8)
 */
Datum
time_encoders(PG_FUNCTION_ARGS)
{
	Sample	   *s = palloc0(sizeof(Sample));
	TupleDesc	tupdesc;
	Datum		values[1 + NWAYS];
	bool		nulls[1 + NWAYS] = {false};
	double		best[NWAYS];

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != lengthof(values))
		elog(ERROR, "the function has not the columns that it should have");
	tupdesc = BlessTupleDesc(tupdesc);
	SPI_connect();
	make_sample(s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	values[0] = Float8GetDatum(make_texts(s));
	measure(s, PG_GETARG_INT32(1), best);
	for (int w = 0; w < NWAYS; w++)
		values[1 + w] = Float8GetDatum(best[w] / s->n);
	nulls[NWAYS] = !bench_rows_have_csv(s->rows);
	bench_rows_free(s->rows);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
