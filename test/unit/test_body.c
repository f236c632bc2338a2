/*
 * test_body.c
 *		Tests of the body of a load.
 */
#include "core/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "helpers.h"

#define TAIL	",\"b\":0,\"__op\":1}"

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
};

/*
 * A batch, and for both framings the body that it must give, made row by row.
 */
typedef struct Fixture
{
	Pool		pool;
	DbmazzBatchWriter writer;
	DbmazzTableDesc *desc;
	DbmazzBatchView view;
	Buffer		expected[2];
	uint32_t	nsent;
} Fixture;

static void
begin(Fixture *f, uint32_t nsegments)
{
	memset(f, 0, sizeof(*f));
	pool_init(&f->pool, nsegments);
	f->desc = make_desc(specs, 1);
	CHECK_INT(dbmazz_batch_begin(&f->writer, pool_alloc, &f->pool, f->desc),
			  DBMAZZ_OK);
}

static void
end(Fixture *f)
{
	buffer_free(&f->expected[0]);
	buffer_free(&f->expected[1]);
	pool_fini(&f->pool);
	free(f->desc);
}

/*
 * One row by a letter: I upsert, D delete, i and d the same, superseded.
 */
static void
add(Fixture *f, char what, uint32_t id, uint32_t padding)
{
	bool		is_delete = what == 'D' || what == 'd';
	bool		is_sent = what == 'D' || what == 'I';
	Buffer		row = {0};
	int			i;

	put_printf(&row, "{\"id\":%u", id);
	if (!is_delete)
	{
		put_printf(&row, ",\"a\":\"");
		while (padding-- > 0)
			put_byte(&row, (char) ('a' + padding % 26));
		put_printf(&row, "\",\"__op\":0}");
	}
	if (is_sent)
	{
		Buffer	   *array = &f->expected[DBMAZZ_FRAME_JSON_ARRAY];

		put_byte(array, f->nsent == 0 ? '[' : ',');
		for (i = 0; i < 2; i++)
		{
			put_bytes(&f->expected[i], row.data, row.len);
			if (is_delete)
				put_printf(&f->expected[i], TAIL);
		}
		put_byte(&f->expected[DBMAZZ_FRAME_NDJSON], '\n');
		f->nsent++;
	}
	if (!is_delete)
		put_byte(&row, ',');

	CHECK_INT(dbmazz_row_begin(&f->writer), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_put(&f->writer, row.data, row.len), DBMAZZ_OK);
	dbmazz_row_end(&f->writer,
				   is_delete ? DBMAZZ_ROW_DELETE : DBMAZZ_ROW_INSERT,
				   4, id, 1, 1);
	if (!is_sent)
	{
		DbmazzSegment *start = f->writer.row_segment;

		dbmazz_entry_at(start, start->nentries - 1)->flags |=
			DBMAZZ_ROW_SUPERSEDED;
	}
	buffer_free(&row);
}

static void
finish(Fixture *f)
{
	Buffer	   *array = &f->expected[DBMAZZ_FRAME_JSON_ARRAY];

	if (f->nsent == 0)
		put_byte(array, '[');
	put_byte(array, ']');
	f->view = pool_view(&f->pool, &f->writer, f->desc);
}

/* Read all in pieces of 'step' bytes; a guard byte stands behind each. */
static void
check_read(DbmazzBody *body, const Buffer *expected, size_t step)
{
	char	   *piece = must_alloc(step);
	Buffer		got = {0};
	size_t		n;

	while ((n = dbmazz_body_read(body, piece, step)) > 0)
	{
		put_bytes(&got, piece, n);
		/* only the end may give less than was asked for */
		CHECK(n == step || got.len == body->size);
		if (got.len > expected->len)
			break;
	}
	CHECK_INT(dbmazz_body_read(body, piece, step), 0);
	CHECK_BYTES(got.data, got.len, expected->data, expected->len);
	buffer_free(&got);
	free(piece);
}

static void
check_body(Fixture *f, size_t first_step, size_t last_step)
{
	static const DbmazzSpan tail = {TAIL, sizeof(TAIL) - 1};
	int			framing;

	for (framing = 0; framing < 2; framing++)
	{
		DbmazzBody	body;
		size_t		step;

		dbmazz_body_init(&body, &f->view, (DbmazzFraming) framing, tail);
		CHECK_INT(body.size, f->expected[framing].len);
		CHECK_INT(body.nrows, f->nsent);
		for (step = first_step; step <= last_step; step++)
		{
			check_read(&body, &f->expected[framing], step);
			dbmazz_body_rewind(&body);
		}
	}
}

/* All sequences of up to five rows of each sort, with all small buffers. */
static void
all_short_sequences(void)
{
	static const char sorts[] = "IDid";
	uint32_t	len;

	for (len = 0; len <= 5; len++)
	{
		uint32_t	code;

		for (code = 0; code < 1u << 2 * len; code++)
		{
			Fixture		f;
			uint32_t	i;

			begin(&f, 1);
			for (i = 0; i < len; i++)
				add(&f, sorts[code >> 2 * i & 3], i, i);
			finish(&f);
			check_body(&f, 1, len < 4 ? 9 : 3);
			end(&f);
		}
	}
}

static void
every_buffer_size(void)
{
	Fixture		f;
	uint32_t	i;

	begin(&f, 4);
	for (i = 0; i < 40; i++)
		add(&f, "IIDIiIIdDDiI"[i % 12], i * 1000, i * 3);
	finish(&f);
	check_body(&f, 1, 200);
	end(&f);
}

static void
runs_over_segments(void)
{
	static const size_t steps[] = {1, 7, 100, 4096, 65536, 1000000};
	static const char *const orders[] = {"I", "II", "IIIIIIIIi", "D", "ID",
	"IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIID", "Di"};
	size_t		which;

	for (which = 0; which < sizeof(orders) / sizeof(orders[0]); which++)
	{
		const char *order = orders[which];
		Fixture		f;
		uint32_t	i;

		begin(&f, 16);
		for (i = 0; i < 3000; i++)
			add(&f, order[i % strlen(order)], i, i % 120);
		finish(&f);
		CHECK(f.writer.nsegments > 2 || order[0] == 'D');
		for (i = which == 0 ? 0 : 1; i < sizeof(steps) / sizeof(steps[0]); i++)
			check_body(&f, steps[i], steps[i]);
		end(&f);
	}
}

static void
rows_over_many_segments(void)
{
	Fixture		f;
	static const size_t steps[] = {1000, 65520, 65536, 10000000};
	uint32_t	i;

	begin(&f, 32);
	add(&f, 'I', 1, 200000);
	add(&f, 'd', 2, 0);
	add(&f, 'i', 3, 150000);
	add(&f, 'I', 4, 10);
	add(&f, 'I', 5, 300000);
	add(&f, 'D', 6, 0);
	add(&f, 'I', 7, 65536);
	finish(&f);
	for (i = 0; i < 4; i++)
		check_body(&f, steps[i], steps[i]);
	end(&f);
}

/* The last row of a segment ends exactly with it. */
static void
segment_ends_with_a_row(void)
{
	int			extra;

	for (extra = -2; extra <= 2; extra++)
	{
		Fixture		f;
		uint32_t	room;

		begin(&f, 8);
		room = (uint32_t) (f.writer.limit - f.writer.pos) -
			(uint32_t) sizeof(DbmazzRowEntry);
		/* {"id":1,"a":"","__op":0}, has 25 bytes */
		add(&f, 'I', 1, (uint32_t) ((int) room - 25 + extra));
		add(&f, 'I', 2, 10);
		add(&f, 'D', 3, 0);
		finish(&f);
		CHECK_INT(f.writer.nsegments, 2);
		check_body(&f, 1000, 1010);
		end(&f);
	}
}

static void
rewind_in(const char *order)
{
	static const DbmazzSpan tail = {TAIL, sizeof(TAIL) - 1};
	Fixture		f;
	uint32_t	i;
	int			framing;

	begin(&f, 4);
	for (i = 0; i < 30; i++)
		add(&f, order[i % strlen(order)], i, 5);
	finish(&f);
	for (framing = 0; framing < 2; framing++)
	{
		const Buffer *expected = &f.expected[framing];
		char	   *start = must_alloc(expected->len);
		size_t		upto;

		for (upto = 0; upto <= expected->len; upto++)
		{
			DbmazzBody	body;

			dbmazz_body_init(&body, &f.view, (DbmazzFraming) framing, tail);
			CHECK_INT(dbmazz_body_read(&body, start, upto), upto);
			CHECK(memcmp(start, expected->data, upto) == 0);
			dbmazz_body_rewind(&body);
			check_read(&body, expected, 64);
		}
		free(start);
	}
	end(&f);
}

static void
rewind_in_the_middle(void)
{
	rewind_in("IDiIdI");
	rewind_in("I");
}

static void
nothing_left(void)
{
	Fixture		f;

	begin(&f, 1);
	add(&f, 'i', 1, 1);
	add(&f, 'd', 2, 1);
	finish(&f);
	CHECK_TEXT(f.expected[0].data, f.expected[0].len, "[]");
	CHECK_INT(f.expected[1].len, 0);
	check_body(&f, 1, 5);
	end(&f);
}

static void
read_of_no_bytes(void)
{
	static const DbmazzSpan tail = {TAIL, sizeof(TAIL) - 1};
	Fixture		f;
	DbmazzBody	body;
	char		c;

	begin(&f, 1);
	add(&f, 'I', 1, 1);
	finish(&f);
	dbmazz_body_init(&body, &f.view, DBMAZZ_FRAME_JSON_ARRAY, tail);
	CHECK_INT(dbmazz_body_read(&body, NULL, 0), 0);
	CHECK_INT(dbmazz_body_read(&body, &c, 1), 1);
	CHECK_INT(c, '[');
	end(&f);
}

/* With marks from the real thing. */
static void
after_dedup(void)
{
	Fixture		f;
	uint64_t	slots[256];
	uint32_t	i;

	begin(&f, 4);
	for (i = 0; i < 90; i++)
		add(&f, i < 60 ? 'i' : i % 3 == 0 ? 'D' : 'I', i % 30, 7);
	finish(&f);
	/* add() has marked them; take that back and let dedup find them */
	for (i = 0; i < 90; i++)
		dbmazz_entry_at(f.writer.segment, i)->flags = 0;
	CHECK_INT(f.writer.nsegments, 1);
	for (i = 0; i < 90; i++)
		dbmazz_entry_at(f.writer.segment, i)->key_length =
			i % 30 < 10 ? 6 : 7;
	CHECK_INT(dbmazz_dedup(&f.view, slots, 256), 30);
	check_body(&f, 1, 50);
	end(&f);
}

void
test_body(void)
{
	RUN(all_short_sequences);
	RUN(every_buffer_size);
	RUN(runs_over_segments);
	RUN(rows_over_many_segments);
	RUN(segment_ends_with_a_row);
	RUN(rewind_in_the_middle);
	RUN(nothing_left);
	RUN(read_of_no_bytes);
	RUN(after_dedup);
}
