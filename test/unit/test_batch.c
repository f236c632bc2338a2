/*
 * test_batch.c
 *		Tests of writing and reading batches.
 */
#include "core/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "helpers.h"

#define HEADER		((uint32_t) sizeof(DbmazzSegment))
#define ENTRY		((uint32_t) sizeof(DbmazzRowEntry))

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
	{"name", DBMAZZ_VALUE_STRING, 0},
};

/* A batch under test with its pool. */
typedef struct Fixture
{
	Pool		pool;
	DbmazzBatchWriter writer;
	DbmazzTableDesc *desc;
} Fixture;

static void
begin(Fixture *f, uint32_t nsegments)
{
	pool_init(&f->pool, nsegments);
	f->desc = make_desc(specs, 2);
	CHECK_INT(dbmazz_batch_begin(&f->writer, pool_alloc, &f->pool, f->desc),
			  DBMAZZ_OK);
}

static void
end(Fixture *f)
{
	pool_fini(&f->pool);
	free(f->desc);
}

/* Byte 'i' of row 'row': any pattern in which a shifted copy shows. */
static char
byte_of(uint32_t row, uint32_t i)
{
	return (char) (row * 131 + i * 7 + (i >> 8));
}

static DbmazzStatus
put_row_bytes(Fixture *f, uint32_t row, uint32_t len, uint32_t piece)
{
	char	   *bytes = must_alloc(len);
	DbmazzStatus status = DBMAZZ_OK;
	uint32_t	i;

	for (i = 0; i < len; i++)
		bytes[i] = byte_of(row, i);
	for (i = 0; i < len && status == DBMAZZ_OK; i += piece)
	{
		uint32_t	n = len - i < piece ? len - i : piece;

		status = dbmazz_row_put(&f->writer, bytes + i, n);
		if (status == DBMAZZ_OK && f->writer.row_segments > 0)
			CHECK(dbmazz_row_size(&f->writer) >= i + n);
		else if (status == DBMAZZ_OK)
			CHECK_INT(f->writer.pos - f->writer.row_start, i + n);
	}
	free(bytes);
	return status;
}

/* A whole row, with directory values that can be recognised. */
static DbmazzStatus
add_row(Fixture *f, uint32_t row, uint32_t len, uint32_t piece)
{
	DbmazzStatus status = dbmazz_row_begin(&f->writer);

	if (status == DBMAZZ_OK)
		status = put_row_bytes(f, row, len, piece);
	if (status == DBMAZZ_OK)
		dbmazz_row_end(&f->writer, DBMAZZ_ROW_UPDATE, row + 1, row + 2,
					   row + 3, row + 4);
	return status;
}

/* The batch has rows 0 .. n-1 of these lengths, and nothing else. */
static void
check_rows(const Fixture *f, const uint32_t *lengths, uint32_t n)
{
	DbmazzBatchView view = pool_view(&f->pool, &f->writer, f->desc);
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	uint64_t	total = 0;
	uint32_t	row;

	CHECK_INT(view.nrows, n);
	dbmazz_rows_begin(&cursor, &view);
	for (row = 0; row < n; row++)
	{
		DbmazzRowEntry *entry = dbmazz_rows_next(&cursor, &segment);
		char	   *bytes;
		uint32_t	i;

		if (!CHECK(entry != NULL))
			return;
		CHECK_INT(entry->length, lengths[row]);
		CHECK_INT(entry->key_length, row + 1);
		CHECK_INT(entry->key_hash, row + 2);
		CHECK_INT(entry->commit_lsn, row + 3);
		CHECK_INT(entry->sequence, row + 4);
		CHECK_INT(entry->op, DBMAZZ_ROW_UPDATE);
		CHECK_INT(entry->flags, 0);
		total += entry->length;

		bytes = must_alloc(entry->length);
		CHECK_INT(dbmazz_row_copy(&view, segment, entry, 0, bytes, UINT32_MAX),
				  entry->length);
		for (i = 0; i < entry->length; i++)
		{
			if (bytes[i] != byte_of(row, i))
				break;
		}
		CHECK_INT(i, entry->length);
		free(bytes);
	}
	CHECK(dbmazz_rows_next(&cursor, &segment) == NULL);
	CHECK(dbmazz_rows_next(&cursor, &segment) == NULL);
	CHECK_INT(view.nbytes, total);
}

static void
empty_batch(void)
{
	Fixture		f;
	char	   *copy;

	begin(&f, 4);
	check_rows(&f, NULL, 0);
	CHECK_INT(f.writer.nsegments, 1);
	CHECK_INT(f.writer.head, 3);
	CHECK_INT(dbmazz_batch_desc_size(f.pool.memory, f.writer.head),
			  f.desc->size);
	copy = must_alloc(f.desc->size);
	dbmazz_batch_copy_desc(f.pool.memory, f.writer.head, copy, f.desc->size);
	CHECK(memcmp(copy, f.desc, f.desc->size) == 0);
	free(copy);
	end(&f);
}

static void
few_rows(void)
{
	static const uint32_t lengths[] = {10, 1, 500, 33};
	Fixture		f;
	uint32_t	row;

	begin(&f, 4);
	for (row = 0; row < 4; row++)
		CHECK_INT(add_row(&f, row, lengths[row], 7), DBMAZZ_OK);
	check_rows(&f, lengths, 4);
	CHECK_INT(f.writer.nsegments, 1);
	end(&f);
}

/* Bytes of neighbours are adjacent, also over segments: the body relies on
 * it. */
static void
rows_are_adjacent(void)
{
	Fixture		f;
	DbmazzBatchView view;
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	DbmazzSegment *last = NULL;
	DbmazzRowEntry *entry;
	uint32_t	next = 0;
	uint32_t	row;

	begin(&f, 64);
	for (row = 0; row < 4000; row++)
		CHECK_INT(add_row(&f, row, 1 + row % 97, 50), DBMAZZ_OK);
	view = pool_view(&f.pool, &f.writer, f.desc);
	dbmazz_rows_begin(&cursor, &view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		if (segment == last)
			CHECK_INT(entry->offset, next);
		last = segment;
		next = entry->offset + entry->length;
		CHECK(segment->data_end <= DBMAZZ_SEGMENT_SIZE -
			  segment->nentries * ENTRY);
	}
	end(&f);
}

/* Lengths around what fits into the first segment, byte by byte. */
static void
row_fills_the_segment(void)
{
	int32_t		extra;

	for (extra = -40; extra <= 40; extra++)
	{
		Fixture		f;
		uint32_t	lengths[3];
		uint32_t	room;
		uint32_t	row;

		begin(&f, 8);
		room = DBMAZZ_SEGMENT_SIZE - HEADER - f.desc->size - ENTRY;
		lengths[0] = room + (uint32_t) extra;
		lengths[1] = 5;
		lengths[2] = 70;
		for (row = 0; row < 3; row++)
			CHECK_INT(add_row(&f, row, lengths[row], 1000), DBMAZZ_OK);
		check_rows(&f, lengths, 3);
		CHECK_INT(f.writer.nsegments, 2);
		end(&f);
	}
}

static void
row_spans_many_segments(void)
{
	static const uint32_t pieces[] = {1000, 65536, 70001, 400000};
	uint32_t	i;

	for (i = 0; i < 4; i++)
	{
		static const uint32_t lengths[] = {11, 400000, 12, 200000, 1, 1};
		Fixture		f;
		uint32_t	row;

		begin(&f, 16);
		for (row = 0; row < 6; row++)
			CHECK_INT(add_row(&f, row, lengths[row], pieces[i]), DBMAZZ_OK);
		check_rows(&f, lengths, 6);
		CHECK_INT(f.writer.nsegments, 10);
		end(&f);
	}
}

/* A row that ends exactly with its second segment. */
static void
row_ends_with_a_segment(void)
{
	Fixture		f;
	uint32_t	lengths[2];

	begin(&f, 4);
	lengths[0] = 2 * (DBMAZZ_SEGMENT_SIZE - HEADER) - f.desc->size - ENTRY;
	lengths[1] = 3;
	CHECK_INT(add_row(&f, 0, lengths[0], 5000), DBMAZZ_OK);
	CHECK_INT(f.writer.nsegments, 2);
	CHECK(f.writer.pos == f.writer.limit);
	CHECK_INT(add_row(&f, 1, lengths[1], 5000), DBMAZZ_OK);
	CHECK_INT(f.writer.nsegments, 3);
	check_rows(&f, lengths, 2);
	end(&f);
}

/* As many rows of one byte as there can be entries. */
static void
directory_meets_bytes(void)
{
	static uint32_t lengths[5000];
	Fixture		f;
	uint32_t	row;

	begin(&f, 4);
	for (row = 0; row < 5000; row++)
	{
		lengths[row] = 1;
		CHECK_INT(add_row(&f, row, 1, 1), DBMAZZ_OK);
	}
	check_rows(&f, lengths, 5000);
	CHECK_INT(f.writer.nsegments, 3);
	end(&f);
}

static void
abort_of_a_small_row(void)
{
	static const uint32_t lengths[] = {10, 20};
	Fixture		f;

	begin(&f, 4);
	CHECK_INT(add_row(&f, 0, 10, 10), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_OK);
	CHECK_INT(put_row_bytes(&f, 77, 3000, 100), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_abort(&f.writer), DBMAZZ_NO_SEGMENT);
	CHECK_INT(add_row(&f, 1, 20, 10), DBMAZZ_OK);
	check_rows(&f, lengths, 2);
	end(&f);
}

static uint32_t
chain_length(const Pool *pool, uint32_t index)
{
	uint32_t	n = 0;

	for (; index != DBMAZZ_NO_SEGMENT; n++)
		index = dbmazz_segment_at(pool->memory, index)->next;
	return n;
}

static void
abort_of_a_spanning_row(void)
{
	static const uint32_t lengths[] = {10, 200000, 20};
	Fixture		f;
	uint32_t	freed;

	begin(&f, 16);
	CHECK_INT(add_row(&f, 0, 10, 10), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_OK);
	CHECK_INT(put_row_bytes(&f, 77, 250000, 70000), DBMAZZ_OK);
	CHECK_INT(f.writer.nsegments, 4);
	freed = dbmazz_row_abort(&f.writer);
	CHECK_INT(chain_length(&f.pool, freed), 3);
	CHECK_INT(chain_length(&f.pool, f.writer.head), 1);
	CHECK_INT(f.writer.nsegments, 1);
	check_rows(&f, lengths, 1);
	CHECK_INT(add_row(&f, 1, 200000, 999), DBMAZZ_OK);
	CHECK_INT(add_row(&f, 2, 20, 20), DBMAZZ_OK);
	check_rows(&f, lengths, 3);
	end(&f);
}

/* The segment that row_begin() takes stays when the row is aborted. */
static void
abort_after_a_new_segment(void)
{
	Fixture		f;
	uint32_t	lengths[2];

	begin(&f, 8);
	lengths[0] = DBMAZZ_SEGMENT_SIZE - HEADER - f.desc->size - ENTRY;
	lengths[1] = 40;
	CHECK_INT(add_row(&f, 0, lengths[0], 1000), DBMAZZ_OK);
	CHECK_INT(f.writer.nsegments, 1);
	CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_OK);
	CHECK_INT(f.writer.nsegments, 2);
	CHECK_INT(put_row_bytes(&f, 77, 5, 1), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_abort(&f.writer), DBMAZZ_NO_SEGMENT);
	CHECK_INT(f.writer.nsegments, 2);
	check_rows(&f, lengths, 1);
	CHECK_INT(add_row(&f, 1, lengths[1], 40), DBMAZZ_OK);
	check_rows(&f, lengths, 2);
	CHECK_INT(f.writer.nsegments, 2);
	end(&f);
}

static void
no_space_for_the_batch(void)
{
	Fixture		f;

	pool_init(&f.pool, 4);
	f.pool.limit = 0;
	f.desc = make_desc(specs, 2);
	CHECK_INT(dbmazz_batch_begin(&f.writer, pool_alloc, &f.pool, f.desc),
			  DBMAZZ_ERR_NO_SPACE);
	CHECK(f.writer.head == DBMAZZ_NO_SEGMENT);
	CHECK_INT(f.writer.nsegments, 0);
	end(&f);
}

static void
no_space_inside_a_row(void)
{
	static const uint32_t lengths[] = {100, 50};
	Fixture		f;
	uint32_t	freed;

	begin(&f, 4);
	f.pool.limit = 3;
	CHECK_INT(add_row(&f, 0, 100, 100), DBMAZZ_OK);
	CHECK_INT(add_row(&f, 77, 300000, 9999), DBMAZZ_ERR_NO_SPACE);
	freed = dbmazz_row_abort(&f.writer);
	CHECK_INT(chain_length(&f.pool, freed), 2);
	CHECK_INT(add_row(&f, 1, 50, 50), DBMAZZ_OK);
	check_rows(&f, lengths, 2);
	end(&f);
}

/* The writer may go on when its owner has found room again. */
static void
no_space_to_begin_a_row(void)
{
	Fixture		f;
	uint32_t	lengths[2];

	begin(&f, 4);
	f.pool.limit = 1;
	lengths[0] = DBMAZZ_SEGMENT_SIZE - HEADER - f.desc->size - ENTRY;
	lengths[1] = 10;
	CHECK_INT(add_row(&f, 0, lengths[0], 10000), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_ERR_NO_SPACE);
	CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_ERR_NO_SPACE);
	check_rows(&f, lengths, 1);
	f.pool.limit = 2;
	CHECK_INT(add_row(&f, 1, 10, 10), DBMAZZ_OK);
	check_rows(&f, lengths, 2);
	end(&f);
}

/* 4 GB are not written for this: the length so far is made up. */
static void
row_beyond_the_limit(void)
{
	static const uint32_t lengths[] = {10};
	Fixture		f;

	begin(&f, 4);
	CHECK_INT(dbmazz_row_begin(&f.writer), DBMAZZ_OK);
	f.writer.row_length = UINT32_MAX - 2 * DBMAZZ_SEGMENT_SIZE;
	CHECK_INT(put_row_bytes(&f, 0, 60000, 60000), DBMAZZ_OK);
	CHECK_INT(put_row_bytes(&f, 0, 60000, 60000), DBMAZZ_ERR_LIMIT);
	CHECK_INT(dbmazz_row_abort(&f.writer), DBMAZZ_NO_SEGMENT);
	CHECK_INT(add_row(&f, 0, 10, 10), DBMAZZ_OK);
	check_rows(&f, lengths, 1);
	end(&f);
}

/* 1600 columns with names of 63 bytes do not fit into one segment. */
static void
desc_spans_segments(void)
{
	static ColumnSpec many[DBMAZZ_MAX_COLUMNS];
	static char names[DBMAZZ_MAX_COLUMNS][64];
	static const uint32_t lengths[] = {100, 70000, 5};
	Fixture		f;
	DbmazzTableDesc *copy;
	DbmazzError err;
	uint32_t	i;

	for (i = 0; i < DBMAZZ_MAX_COLUMNS; i++)
	{
		snprintf(names[i], sizeof(names[i]), "%063u", i);
		many[i].name = names[i];
		many[i].flags = i == 0 ? DBMAZZ_COLUMN_KEY : 0;
	}
	pool_init(&f.pool, 16);
	f.desc = make_desc(many, DBMAZZ_MAX_COLUMNS);
	CHECK(f.desc->size > 2 * DBMAZZ_SEGMENT_SIZE);
	CHECK_INT(dbmazz_batch_begin(&f.writer, pool_alloc, &f.pool, f.desc),
			  DBMAZZ_OK);
	CHECK_INT(f.writer.nsegments, 3);
	for (i = 0; i < 3; i++)
		CHECK_INT(add_row(&f, i, lengths[i], 333), DBMAZZ_OK);
	check_rows(&f, lengths, 3);

	CHECK_INT(dbmazz_batch_desc_size(f.pool.memory, f.writer.head),
			  f.desc->size);
	copy = must_alloc(f.desc->size);
	dbmazz_batch_copy_desc(f.pool.memory, f.writer.head, copy, f.desc->size);
	CHECK_INT(dbmazz_desc_check(copy, f.desc->size, &err), DBMAZZ_OK);
	CHECK(memcmp(copy, f.desc, f.desc->size) == 0);
	free(copy);

	/* no room for it: what was taken can be freed */
	f.pool.ntaken = 0;
	f.pool.limit = 2;
	CHECK_INT(dbmazz_batch_begin(&f.writer, pool_alloc, &f.pool, f.desc),
			  DBMAZZ_ERR_NO_SPACE);
	CHECK_INT(chain_length(&f.pool, f.writer.head), 2);
	end(&f);
}

/* A description that leaves no byte in its segment. */
static void
desc_fills_a_segment(void)
{
	static const uint32_t lengths[] = {10, 20};
	int32_t		missing;

	for (missing = -2; missing <= 34; missing++)
	{
		Fixture		f;
		uint32_t	size;

		pool_init(&f.pool, 4);
		size = (uint32_t) ((int32_t) (DBMAZZ_SEGMENT_SIZE - HEADER) - missing);
		f.desc = must_alloc(size);
		memset(f.desc, 1, size);
		f.desc->size = size;
		CHECK_INT(dbmazz_batch_begin(&f.writer, pool_alloc, &f.pool, f.desc),
				  DBMAZZ_OK);
		CHECK_INT(add_row(&f, 0, lengths[0], 1), DBMAZZ_OK);
		CHECK_INT(add_row(&f, 1, lengths[1], 1), DBMAZZ_OK);
		check_rows(&f, lengths, 2);
		end(&f);
	}
}

static void
row_copy_from_anywhere(void)
{
	Fixture		f;
	DbmazzBatchView view;
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	DbmazzRowEntry *entry;
	uint32_t	from;

	begin(&f, 8);
	CHECK_INT(add_row(&f, 0, 150000, 5000), DBMAZZ_OK);
	CHECK_INT(add_row(&f, 1, 100, 100), DBMAZZ_OK);
	view = pool_view(&f.pool, &f.writer, f.desc);
	dbmazz_rows_begin(&cursor, &view);
	entry = dbmazz_rows_next(&cursor, &segment);
	for (from = 0; from < 150000; from += 777)
	{
		char		bytes[1000];
		uint32_t	n;
		uint32_t	i;

		n = dbmazz_row_copy(&view, segment, entry, from, bytes, 1000);
		CHECK_INT(n, from + 1000 <= 150000 ? 1000 : 150000 - from);
		for (i = 0; i < n; i++)
		{
			if (!CHECK(bytes[i] == byte_of(0, from + i)))
				break;
		}
	}
	CHECK_INT(dbmazz_row_copy(&view, segment, entry, 150000, NULL, 10), 0);
	CHECK_INT(dbmazz_row_copy(&view, segment, entry, 0, NULL, 0), 0);
	end(&f);
}

/* Rows of all sizes, some aborted, against a plain list. */
static void
random_rows(void)
{
	static uint32_t lengths[2000];
	uint64_t	state = 4711;
	int			run;

	for (run = 0; run < 20; run++)
	{
		Fixture		f;
		uint32_t	n = 0;

		begin(&f, 64);
		while (f.pool.ntaken < 50 && n < 2000)
		{
			uint32_t	len = 1 + random_below(&state,
											   1u << random_below(&state, 18));
			uint32_t	piece = 1 + random_below(&state, len);

			if (random_below(&state, 4) == 0)
			{
				uint32_t	before = f.writer.nsegments;

				if (dbmazz_row_begin(&f.writer) != DBMAZZ_OK)
					break;
				if (f.pool.ntaken + len / 60000 + 2 < f.pool.nsegments)
					put_row_bytes(&f, 99, len, piece);
				dbmazz_row_abort(&f.writer);
				CHECK(f.writer.nsegments <= before + 1);
				continue;
			}
			if (add_row(&f, n, len, piece) != DBMAZZ_OK)
			{
				dbmazz_row_abort(&f.writer);
				break;
			}
			lengths[n++] = len;
		}
		check_rows(&f, lengths, n);
		end(&f);
	}
}

void
test_batch(void)
{
	RUN(empty_batch);
	RUN(few_rows);
	RUN(rows_are_adjacent);
	RUN(row_fills_the_segment);
	RUN(row_spans_many_segments);
	RUN(row_ends_with_a_segment);
	RUN(directory_meets_bytes);
	RUN(abort_of_a_small_row);
	RUN(abort_of_a_spanning_row);
	RUN(abort_after_a_new_segment);
	RUN(no_space_for_the_batch);
	RUN(no_space_inside_a_row);
	RUN(no_space_to_begin_a_row);
	RUN(row_beyond_the_limit);
	RUN(desc_spans_segments);
	RUN(desc_fills_a_segment);
	RUN(row_copy_from_anywhere);
	RUN(random_rows);
}
