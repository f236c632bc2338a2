/*
 * bench_core.c
 *		How long the ways of a row through core take.
 *
 * NOTES
 *	  Each figure is the best of many short runs: what the code needs, not what
 *	  else the machine did.  Rows differ from each other, as they do in a
 *	  stream; messages and rows stay in the caches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/body.h"
#include "core/encode_csv.h"
#include "helpers.h"

#define NMESSAGES	1000		/* different messages, all of them in a run */
#define NRUNS		400
#define NSEGMENTS	1024
#define MANY_ROWS	100000

static DbmazzParser parser;
static DbmazzError err;
static Pool pool;

/* Keeps the compiler from leaving work out. */
static volatile uint64_t result;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

/* ---- tables ----------------------------------------------------------- */

typedef struct Table
{
	const char *name;
	const ColumnSpec *specs;
	uint32_t	ncolumns;
	void		(*make_row) (Buffer *message, uint32_t i);
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	char	   *messages[NMESSAGES];
	size_t		lengths[NMESSAGES];
} Table;

static const ColumnSpec narrow_specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"quantity", DBMAZZ_VALUE_INTEGER, 0},
	{"description", DBMAZZ_VALUE_STRING, 0},
	{"updated_at", DBMAZZ_VALUE_TIMESTAMPTZ, 0},
	{"price", DBMAZZ_VALUE_DECIMAL, 0},
};

static const char text40[] = "An ordinary text without any escape, 40.";

static void
put_formatted(Buffer *message, const char *fmt, uint32_t a, uint32_t b)
{
	char		text[100];

	snprintf(text, sizeof(text), fmt, a, b);
	put_value(message, text);
}

static void
put_header(Buffer *message, uint32_t ncolumns)
{
	put_byte(message, 'I');
	put_u32(message, 16384);
	put_byte(message, 'N');
	put_u16(message, (uint16_t) ncolumns);
}

static void
narrow_row(Buffer *message, uint32_t i)
{
	put_header(message, 5);
	put_formatted(message, "%u%04u", 10000 + i, i * 7 % 10000);
	put_formatted(message, "%u", i * 17 % 1000, 0);
	put_value(message, text40);
	put_formatted(message, "2026-08-01 12:34:56.%06u+00", i * 997, 0);
	put_formatted(message, "%u.%02u", i * 31 % 10000, i % 100);
}

static const ColumnSpec wide_specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"customer_id", DBMAZZ_VALUE_INTEGER, 0},
	{"status", DBMAZZ_VALUE_STRING, 0},
	{"is_paid", DBMAZZ_VALUE_BOOL, 0},
	{"total", DBMAZZ_VALUE_DECIMAL, 0},
	{"tax", DBMAZZ_VALUE_DECIMAL, 0},
	{"currency", DBMAZZ_VALUE_STRING, 0},
	{"ordered_on", DBMAZZ_VALUE_DATE, 0},
	{"created_at", DBMAZZ_VALUE_TIMESTAMPTZ, 0},
	{"updated_at", DBMAZZ_VALUE_TIMESTAMPTZ, 0},
	{"shipped_at", DBMAZZ_VALUE_TIMESTAMP, 0},
	{"weight", DBMAZZ_VALUE_FLOAT, 0},
	{"street", DBMAZZ_VALUE_STRING, 0},
	{"city", DBMAZZ_VALUE_STRING, 0},
	{"postal_code", DBMAZZ_VALUE_STRING, 0},
	{"country", DBMAZZ_VALUE_STRING, 0},
	{"tracking_id", DBMAZZ_VALUE_STRING, 0},
	{"attributes", DBMAZZ_VALUE_JSON, 0},
	{"comment", DBMAZZ_VALUE_STRING, 0},
	{"deleted_at", DBMAZZ_VALUE_TIMESTAMPTZ, 0},
};

static void
wide_row(Buffer *message, uint32_t i)
{
	put_header(message, 20);
	put_formatted(message, "%u%04u", 10000 + i, i * 7 % 10000);
	put_formatted(message, "%u", i * 17, 0);
	put_value(message, i % 3 == 0 ? "new" : "delivered");
	put_value(message, i % 2 == 0 ? "t" : "f");
	put_formatted(message, "%u.%02u", i * 31 % 10000, i % 100);
	put_formatted(message, "%u.%02u", i * 31 % 1000, i % 100);
	put_value(message, "EUR");
	put_formatted(message, "2026-08-%02u", 1 + i % 28, 0);
	put_formatted(message, "2026-08-01 12:34:56.%06u+00", i * 997, 0);
	put_formatted(message, "2026-08-02 12:34:56.%06u+00", i * 997, 0);
	put_formatted(message, "2026-08-03 12:34:%02u", i % 60, 0);
	put_formatted(message, "%u.%u", i, 1 + i % 10);
	put_formatted(message, "Long Street of the Town %u", i, 0);
	put_value(message, "M\xC3\xBCnchen");
	put_formatted(message, "%05u", i, 0);
	put_value(message, "Germany");
	put_value(message, "0f8fad5b-d9cb-469f-a165-70867728950e");
	put_value(message, "{\"color\": \"red\", \"size\": 44, \"tags\": [1, 2]}");
	put_value(message, i % 4 == 0 ? "He said \"yes\"\nand left." : "");
	put_value(message, NULL);
}

static const ColumnSpec text_specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"body", DBMAZZ_VALUE_STRING, 0},
};

/* 2000 bytes with an escape every 'every' bytes. */
static void
text_row(Buffer *message, uint32_t i, uint32_t every)
{
	char		text[2001];
	uint32_t	j;

	for (j = 0; j < 2000; j++)
		text[j] = (j + i) % every == every - 1 ? '"' : (char) ('a' + j % 26);
	text[2000] = '\0';
	put_header(message, 2);
	put_formatted(message, "%u%04u", 10000 + i, i * 7 % 10000);
	put_value(message, text);
}

static void
plain_text_row(Buffer *message, uint32_t i)
{
	text_row(message, i, 100000);
}

static void
quoted_text_row(Buffer *message, uint32_t i)
{
	text_row(message, i, 20);
}

static Table tables[] = {
	{"narrow: 5 columns", narrow_specs, 5, narrow_row, NULL, NULL, {0}, {0}},
	{"wide: 20 columns", wide_specs, 20, wide_row, NULL, NULL, {0}, {0}},
	{"text: 2000 bytes, plain", text_specs, 2, plain_text_row, NULL, NULL,
	{0}, {0}},
	{"text: 2000 bytes, 100 escapes", text_specs, 2, quoted_text_row, NULL,
	NULL, {0}, {0}},
};

static void
make_table(Table *table)
{
	uint32_t	i;

	table->desc = make_desc(table->specs, table->ncolumns);
	table->plan = make_plan(table->desc);
	for (i = 0; i < NMESSAGES; i++)
	{
		Buffer		message = {0};

		table->make_row(&message, i);
		table->messages[i] = message.data;
		table->lengths[i] = message.len;
	}
}

static void
free_table(Table *table)
{
	uint32_t	i;

	free(table->desc);
	free(table->plan);
	for (i = 0; i < NMESSAGES; i++)
		free(table->messages[i]);
}

/* ---- rows ------------------------------------------------------------- */

static void
parse(Table *table, uint32_t i)
{
	if (dbmazz_pgoutput_parse(&parser, table->messages[i],
							  table->lengths[i]) != DBMAZZ_OK)
		abort();
}

static void
begin_batch(Table *table, DbmazzBatchWriter *writer)
{
	pool.ntaken = 0;
	if (dbmazz_batch_begin(writer, pool_alloc, &pool,
						   table->desc) != DBMAZZ_OK)
		abort();
}

static void
encode(Table *table, DbmazzBatchWriter *writer, uint64_t lsn)
{
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	DbmazzRowKey key;

	if (dbmazz_row_begin(writer) != DBMAZZ_OK ||
		dbmazz_json_upsert(writer, table->plan, &source, &key,
						   &err) != DBMAZZ_OK)
		abort();
	dbmazz_row_end(writer, DBMAZZ_ROW_INSERT, key.length, key.hash, lsn, 1);
}

/* The same as CSV. */
static void
encode_csv(Table *table, DbmazzBatchWriter *writer, uint64_t lsn)
{
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	DbmazzRowKey key;

	if (!dbmazz_csv_can_carry(table->plan, &source) ||
		dbmazz_row_begin(writer) != DBMAZZ_OK ||
		dbmazz_csv_upsert(writer, table->plan, &source, &key,
						  &err) != DBMAZZ_OK)
		abort();
	dbmazz_row_end(writer, DBMAZZ_ROW_INSERT, key.length, key.hash, lsn, 1);
}

/* The body of a batch is rows of this many bytes each. */
static double
run_rows(Table *table,
		 void (*encode_row) (Table *, DbmazzBatchWriter *, uint64_t),
		 double *row_bytes)
{
	double		best = 1e18;
	int			run;

	for (run = 0; run < NRUNS; run++)
	{
		DbmazzBatchWriter writer;
		double		start;
		double		spent;
		uint32_t	i;

		begin_batch(table, &writer);
		start = now_ns();
		for (i = 0; i < NMESSAGES; i++)
		{
			parse(table, i);
			if (encode_row != NULL)
				encode_row(table, &writer, i);
		}
		spent = now_ns() - start;
		if (spent < best)
			best = spent;
		result += parser.new_tuple.ncolumns;
		*row_bytes = (double) writer.nbytes / NMESSAGES;
	}
	return best / NMESSAGES;
}

static void
bench_rows(Table *table)
{
	double		row_bytes;
	double		parse_ns = run_rows(table, NULL, &row_bytes);
	double		both_ns = run_rows(table, encode, &row_bytes);

	printf("%-32s parse %7.1f ns   parse+encode %7.1f ns   %6.0f MB/s\n",
		   table->name, parse_ns, both_ns, row_bytes / both_ns * 1e3);
	if (!dbmazz_csv_can_hold(table->desc))
		return;
	both_ns = run_rows(table, encode_csv, &row_bytes);
	printf("%-32s                    parse+CSV    %7.1f ns   %6.0f MB/s\n",
		   "", both_ns, row_bytes / both_ns * 1e3);
}

/* ---- batches ---------------------------------------------------------- */

static void
fill_batch(Table *table, DbmazzBatchWriter *writer, uint32_t nrows)
{
	uint32_t	i;

	begin_batch(table, writer);
	for (i = 0; i < nrows; i++)
	{
		char		id[20];

		parse(table, i % NMESSAGES);
		snprintf(id, sizeof(id), "%u", 1000000 + i);
		parser.new_tuple.values[0].data = id;
		parser.new_tuple.values[0].len = (uint32_t) strlen(id);
		encode(table, writer, i);
	}
}

static void
bench_body(Table *table, const DbmazzBatchView *view, DbmazzFraming framing,
		   const char *name)
{
	static const DbmazzSpan tail = {",\"__op\":1}", 10};
	static char buffer[65536];
	double		best = 1e18;
	DbmazzBody	body;
	int			run;

	for (run = 0; run < NRUNS / 20; run++)
	{
		double		start = now_ns();
		size_t		n;

		dbmazz_body_init(&body, view, framing, tail);
		while ((n = dbmazz_body_read(&body, buffer, sizeof(buffer))) > 0)
			result += n;
		if (now_ns() - start < best)
			best = now_ns() - start;
	}
	printf("body, %-26s %7.1f ns per row   %6.0f MB/s  (%s)\n", name,
		   best / view->nrows, (double) body.size / best * 1e3, table->name);
}

/* 'mask' makes keys equal: all rows differ with UINT32_MAX. */
static void
bench_dedup(const DbmazzBatchView *view, const char *name)
{
	uint32_t	nslots = dbmazz_dedup_slots(view->nrows);
	uint64_t   *slots = must_alloc(nslots * sizeof(uint64_t));
	double		best = 1e18;
	uint32_t	left = 0;
	int			run;

	for (run = 0; run < NRUNS / 20; run++)
	{
		double		start = now_ns();

		left = dbmazz_dedup(view, slots, nslots);
		if (now_ns() - start < best)
			best = now_ns() - start;
	}
	printf("dedup, %-25s %7.1f ns per row   %u of %u rows left\n", name,
		   best / view->nrows, left, view->nrows);
	free(slots);
}

/* What a row costs beside its bytes: its beginning, its end, its entry. */
static void
bench_directory(Table *table)
{
	static char row[100];
	double		best = 1e18;
	int			run;

	for (run = 0; run < NRUNS / 20; run++)
	{
		DbmazzBatchWriter writer;
		double		start;
		uint32_t	i;

		begin_batch(table, &writer);
		start = now_ns();
		for (i = 0; i < MANY_ROWS; i++)
		{
			if (dbmazz_row_begin(&writer) != DBMAZZ_OK ||
				dbmazz_row_put(&writer, row, sizeof(row)) != DBMAZZ_OK)
				abort();
			dbmazz_row_end(&writer, DBMAZZ_ROW_INSERT, 8, i, i, i);
		}
		if (now_ns() - start < best)
			best = now_ns() - start;
		result += writer.nbytes;
	}
	printf("directory, %-21s %7.1f ns per row\n", "rows of 100 bytes",
		   best / MANY_ROWS);
}

static void
bench_hash(Table *table)
{
	const DbmazzRowSource source = {&parser.new_tuple, NULL, false};
	double		best = 1e18;
	int			run;

	parse(table, 0);
	for (run = 0; run < NRUNS / 20; run++)
	{
		double		start = now_ns();
		uint32_t	i;

		for (i = 0; i < MANY_ROWS; i++)
			result += dbmazz_row_key_hash(table->plan, &source);
		if (now_ns() - start < best)
			best = now_ns() - start;
	}
	printf("hash of a key %27.1f ns per row   (%s)\n", best / MANY_ROWS,
		   table->name);
}

static void
bench_batches(Table *table)
{
	DbmazzBatchWriter writer;
	DbmazzBatchView view;
	uint32_t	i;

	fill_batch(table, &writer, MANY_ROWS);
	view = pool_view(&pool, &writer, table->desc);
	bench_body(table, &view, DBMAZZ_FRAME_JSON_ARRAY, "array");
	bench_body(table, &view, DBMAZZ_FRAME_NDJSON, "NDJSON");
	bench_dedup(&view, "100000 keys");
	bench_body(table, &view, DBMAZZ_FRAME_JSON_ARRAY, "array again");

	begin_batch(table, &writer);
	for (i = 0; i < MANY_ROWS; i++)
	{
		parse(table, i * 7 % NMESSAGES);
		encode(table, &writer, i);
	}
	view = pool_view(&pool, &writer, table->desc);
	bench_dedup(&view, "1000 keys");
}

static void
bench_scan(const char *name, size_t len)
{
	DbmazzScan	scan = dbmazz_json_scan_variant(name);
	char	   *text = must_alloc(len);
	double		best = 1e18;
	int			run;

	if (scan != NULL)
	{
		memset(text, 'x', len);
		for (run = 0; run < NRUNS; run++)
		{
			double		start = now_ns();
			int			i;

			for (i = 0; i < 1000; i++)
				result += scan(text, len);
			if (now_ns() - start < best)
				best = now_ns() - start;
		}
		printf("scan, %-6s %5zu bytes %18.1f ns\n", name, len, best / 1000);
	}
	free(text);
}

int
main(void)
{
	static const char *const variants[] = {"scalar", "sse2", "avx2", "neon"};
	size_t		i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pool_init(&pool, NSEGMENTS);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		make_table(&tables[i]);
		bench_rows(&tables[i]);
	}
	bench_directory(&tables[0]);
	bench_hash(&tables[0]);
	bench_batches(&tables[0]);
	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
	{
		bench_scan(variants[i], 40);
		bench_scan(variants[i], 2000);
	}
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		free_table(&tables[i]);
	pool_fini(&pool);
	return 0;
}
