/*
 * test_dedup.c
 *		Tests of marking superseded rows.
 */
#include "core/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "helpers.h"

#define MAX_ROWS	20000

static const ColumnSpec specs[] = {
	{"id", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
};

/* Rows by hand: the key's text, and the hash that the writer claims. */
typedef struct Fixture
{
	Pool		pool;
	DbmazzBatchWriter writer;
	DbmazzTableDesc *desc;
	uint64_t   *slots;
	uint32_t	nslots;
	uint32_t	nkeys_seen;
	char	   *keys[MAX_ROWS];
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
	uint32_t	i;

	for (i = 0; i < f->writer.nrows; i++)
		free(f->keys[i]);
	free(f->slots);
	pool_fini(&f->pool);
	free(f->desc);
}

static void
add(Fixture *f, DbmazzRowOp op, const char *key, uint32_t hash,
	uint32_t padding)
{
	uint32_t	row = f->writer.nrows;
	uint32_t	i;

	f->keys[row] = must_alloc(strlen(key) + 1);
	strcpy(f->keys[row], key);
	CHECK_INT(dbmazz_row_begin(&f->writer), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_put(&f->writer, "{", 1), DBMAZZ_OK);
	CHECK_INT(dbmazz_row_put(&f->writer, key, strlen(key)), DBMAZZ_OK);
	for (i = 0; i < padding; i++)
		CHECK_INT(dbmazz_row_put(&f->writer, "p", 1), DBMAZZ_OK);
	dbmazz_row_end(&f->writer, op, (uint32_t) strlen(key), hash, row, row);
}

static uint32_t
dedup(Fixture *f)
{
	DbmazzBatchView view = pool_view(&f->pool, &f->writer, f->desc);

	free(f->slots);
	f->nslots = dbmazz_dedup_slots(view.nrows);
	f->slots = must_alloc(f->nslots * sizeof(uint64_t));
	memset(f->slots, 0xEE, f->nslots * sizeof(uint64_t));
	return dbmazz_dedup(&view, f->slots, f->nslots);
}

/* Compare the marks with those that a search in all later rows gives. */
static void
check_marks(Fixture *f, uint32_t nleft)
{
	DbmazzBatchView view = pool_view(&f->pool, &f->writer, f->desc);
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	DbmazzRowEntry *entry;
	uint32_t	left = 0;
	uint32_t	row = 0;

	dbmazz_rows_begin(&cursor, &view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		bool		superseded = false;
		uint32_t	later;

		for (later = row + 1; later < view.nrows && !superseded; later++)
			superseded = entry->key_length > 0 &&
				strcmp(f->keys[row], f->keys[later]) == 0;
		CHECK_INT((entry->flags & DBMAZZ_ROW_SUPERSEDED) != 0, superseded);
		left += !superseded;
		row++;
	}
	CHECK_INT(nleft, left);
}

static void
slots_are_enough(void)
{
	CHECK_INT(dbmazz_dedup_slots(0), 16);
	CHECK_INT(dbmazz_dedup_slots(8), 16);
	CHECK_INT(dbmazz_dedup_slots(9), 32);
	CHECK_INT(dbmazz_dedup_slots(100000), 262144);
	CHECK(dbmazz_dedup_slots(UINT32_MAX) == UINT32_C(1) << 31);
}

static void
nothing_to_do(void)
{
	static Fixture f;

	begin(&f, 4);
	CHECK_INT(dedup(&f), 0);
	add(&f, DBMAZZ_ROW_INSERT, "\"id\":1", 1, 0);
	add(&f, DBMAZZ_ROW_INSERT, "\"id\":2", 2, 0);
	CHECK_INT(dedup(&f), 2);
	check_marks(&f, 2);
	end(&f);
}

static void
last_operation_stays(void)
{
	static Fixture f;

	begin(&f, 4);
	add(&f, DBMAZZ_ROW_INSERT, "\"id\":1", 1, 10);
	add(&f, DBMAZZ_ROW_UPDATE, "\"id\":1", 1, 20);
	add(&f, DBMAZZ_ROW_INSERT, "\"id\":2", 2, 30);
	add(&f, DBMAZZ_ROW_DELETE, "\"id\":1", 1, 0);
	add(&f, DBMAZZ_ROW_UPDATE, "\"id\":2", 2, 1);
	add(&f, DBMAZZ_ROW_DELETE, "\"id\":3", 3, 0);
	CHECK_INT(dedup(&f), 3);
	check_marks(&f, 3);
	end(&f);
}

static void
again_changes_nothing(void)
{
	static Fixture f;
	uint32_t	i;

	begin(&f, 4);
	for (i = 0; i < 100; i++)
	{
		char		key[20];

		snprintf(key, sizeof(key), "\"id\":%u", i % 7);
		add(&f, DBMAZZ_ROW_UPDATE, key, i % 7, i);
	}
	CHECK_INT(dedup(&f), 7);
	check_marks(&f, 7);
	CHECK_INT(dedup(&f), 7);
	check_marks(&f, 7);
	end(&f);
}

/* The bytes decide, not the hash. */
static void
all_hashes_equal(void)
{
	static const uint32_t hashes[] = {0, 1, UINT32_MAX, 0x800};
	uint32_t	which;

	for (which = 0; which < 4; which++)
	{
		static Fixture f;
		uint32_t	i;

		begin(&f, 8);
		for (i = 0; i < 300; i++)
		{
			char		key[20];

			snprintf(key, sizeof(key), "\"id\":%u", i * 7 % 150);
			add(&f, DBMAZZ_ROW_UPDATE, key, hashes[which], 0);
		}
		CHECK_INT(dedup(&f), 150);
		check_marks(&f, 150);
		end(&f);
	}
}

/* Hashes that differ only in bits of the tag, or only outside of it. */
static void
neighbouring_hashes(void)
{
	static Fixture f;
	uint32_t	i;

	begin(&f, 8);
	for (i = 0; i < 400; i++)
	{
		char		key[20];
		uint32_t	id = i % 200;

		snprintf(key, sizeof(key), "\"id\":%u", id);
		add(&f, DBMAZZ_ROW_UPDATE, key,
			id % 2 == 0 ? UINT32_C(1) << id % 32 : id, 3);
	}
	CHECK_INT(dedup(&f), 200);
	check_marks(&f, 200);
	end(&f);
}

static void
one_key_is_the_prefix_of_another(void)
{
	static Fixture f;

	begin(&f, 4);
	add(&f, DBMAZZ_ROW_UPDATE, "\"id\":1", 9, 0);
	add(&f, DBMAZZ_ROW_UPDATE, "\"id\":12", 9, 0);
	add(&f, DBMAZZ_ROW_UPDATE, "\"id\":123", 9, 0);
	CHECK_INT(dedup(&f), 3);
	check_marks(&f, 3);
	end(&f);
}

static void
rows_without_key_all_stay(void)
{
	static Fixture f;
	uint32_t	i;

	begin(&f, 4);
	for (i = 0; i < 10; i++)
		add(&f, DBMAZZ_ROW_INSERT, "", 0, 5);
	CHECK_INT(dedup(&f), 10);
	check_marks(&f, 10);
	end(&f);
}

/*
 * Keys that cross the border of segments at every byte, compared with copies
 * that do not, and with others that differ only behind the border.
 */
static void
keys_cross_segments(void)
{
	static const char *const key = "\"id\":12345678901234567890";
	static const char *const other = "\"id\":12345678901234567891";
	uint32_t	len = (uint32_t) strlen(key);
	uint32_t	inside;

	for (inside = 0; inside <= len + 1; inside++)
	{
		static Fixture f;
		uint32_t	free_bytes;

		begin(&f, 8);
		add(&f, DBMAZZ_ROW_INSERT, key, 5, 0);
		add(&f, DBMAZZ_ROW_INSERT, other, 5, 0);

		/* leave room for two entries, '{' and so many bytes of the key */
		free_bytes = (uint32_t) (f.writer.limit - f.writer.pos);
		free_bytes -= 2 * (uint32_t) sizeof(DbmazzRowEntry);
		add(&f, DBMAZZ_ROW_INSERT, "\"id\":0", 0,
			free_bytes - (uint32_t) strlen("{\"id\":0") - 1 - inside);
		add(&f, DBMAZZ_ROW_UPDATE, key, 5, 0);
		add(&f, DBMAZZ_ROW_UPDATE, other, 5, 100);
		add(&f, DBMAZZ_ROW_INSERT, "\"id\":0", 0, 65500);
		add(&f, DBMAZZ_ROW_DELETE, key, 5, 0);
		CHECK(f.writer.nsegments > 1);
		CHECK_INT(dedup(&f), 3);
		check_marks(&f, 3);
		end(&f);
	}
}

/* Keys longer than a segment. */
static void
huge_keys(void)
{
	static Fixture f;
	char	   *key = must_alloc(100001);
	uint32_t	i;

	memset(key, 'k', 100000);
	key[100000] = '\0';
	begin(&f, 32);
	for (i = 0; i < 6; i++)
	{
		key[99999] = (char) ('a' + i % 2);
		add(&f, DBMAZZ_ROW_UPDATE, key, 1, i * 1111);
	}
	CHECK_INT(dedup(&f), 2);
	check_marks(&f, 2);
	free(key);
	end(&f);
}

static void
random_keys(void)
{
	uint64_t	state = 5;
	int			run;

	for (run = 0; run < 20; run++)
	{
		static Fixture f;
		uint32_t	nkeys = 1 + random_below(&state, 1000);
		uint32_t	nrows = 1 + random_below(&state, 1500);
		uint32_t	hash_mask = run % 3 == 0 ? 7 : UINT32_MAX;
		uint32_t	nleft;
		uint32_t	i;

		begin(&f, 64);
		for (i = 0; i < nrows; i++)
		{
			char		key[40];
			uint64_t	hash;

			snprintf(key, sizeof(key), "\"id\":%u",
					 random_below(&state, nkeys));
			hash = dbmazz_hash(key, strlen(key), 0);
			add(&f, DBMAZZ_ROW_UPDATE, key, (uint32_t) hash & hash_mask,
				random_below(&state, 500));
		}
		nleft = dedup(&f);
		check_marks(&f, nleft);
		end(&f);
	}
}

/* A table that is too small must not hang or mark a wrong row. */
static void
too_few_slots(void)
{
	static Fixture f;
	DbmazzBatchView view;
	uint64_t	slots[16];
	uint32_t	i;

	begin(&f, 8);
	for (i = 0; i < 100; i++)
	{
		char		key[20];

		snprintf(key, sizeof(key), "\"id\":%u", i);
		add(&f, DBMAZZ_ROW_UPDATE, key, i, 0);
	}
	view = pool_view(&f.pool, &f.writer, f.desc);
	CHECK_INT(dbmazz_dedup(&view, slots, 16), 100);
	check_marks(&f, 100);
	end(&f);
}

void
test_dedup(void)
{
	RUN(slots_are_enough);
	RUN(nothing_to_do);
	RUN(last_operation_stays);
	RUN(again_changes_nothing);
	RUN(all_hashes_equal);
	RUN(neighbouring_hashes);
	RUN(one_key_is_the_prefix_of_another);
	RUN(rows_without_key_all_stay);
	RUN(keys_cross_segments);
	RUN(huge_keys);
	RUN(random_keys);
	RUN(too_few_slots);
}
