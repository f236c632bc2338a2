/*
 * one_value.c
 *		Encodes single values in many places of a segment.
 */
#include "one_value.h"

#include <stdlib.h>

#include "check.h"

/* Room left in the segment when the row begins: the fast way, and borders at
 * several places of the row. */
const uint32_t rooms[NROOMS] = {
	60000, 1, 4, 8, 12, 13, 14, 20, 35, 60, 300
};

uint8_t		value_flags;
DbmazzError value_error;

/* Kept from row to row: a new one each time would be most of the work. */
static Pool pool;

/* A row that leaves 'room' bytes of the segment for the next. */
static void
fill_segment(DbmazzBatchWriter *writer, uint32_t room)
{
	uint32_t	left;

	dbmazz_row_begin(writer);
	left = (uint32_t) (writer->limit - writer->pos) -
		(uint32_t) sizeof(DbmazzRowEntry);
	while (left-- > room)
		dbmazz_row_put(writer, "f", 1);
	dbmazz_row_end(writer, DBMAZZ_ROW_INSERT, 1, 0, 0, 0);
}

/* Encode {"k":1,"v":...} with this value; the row is returned in 'out'. */
DbmazzStatus
encode_value(uint8_t value_class, const DbmazzValue *value, uint32_t room,
			 Buffer *out)
{
	static DbmazzTuple tuple;
	const ColumnSpec specs[] = {
		{"k", DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY},
		{"v", value_class, value_flags},
	};
	const DbmazzRowSource source = {&tuple, NULL, false};
	DbmazzTableDesc *desc = make_desc(specs, 2);
	DbmazzRowPlan *plan = make_plan(desc);
	DbmazzBatchWriter writer;
	DbmazzRowKey key;
	DbmazzStatus status;

	if (pool.memory == NULL)
		pool_init(&pool, 64);
	pool.ntaken = 0;
	dbmazz_batch_begin(&writer, pool_alloc, &pool, desc);
	if (room < 60000)
		fill_segment(&writer, room);
	tuple.ncolumns = 2;
	tuple.values[0].kind = DBMAZZ_VALUE_TEXT;
	tuple.values[0].data = "1";
	tuple.values[0].len = 1;
	tuple.values[1] = *value;

	dbmazz_row_begin(&writer);
	dbmazz_error_reset(&value_error);
	status = dbmazz_json_upsert(&writer, plan, &source, &key, &value_error);
	if (status == DBMAZZ_OK)
	{
		DbmazzBatchView view;
		DbmazzRowEntry *entry;
		uint32_t	len = dbmazz_row_size(&writer);

		dbmazz_row_end(&writer, DBMAZZ_ROW_INSERT, key.length, key.hash, 1, 1);
		CHECK_INT(key.length, strlen("\"k\":1"));
		view = pool_view(&pool, &writer, desc);
		entry = dbmazz_entry_at(writer.row_segment,
								writer.row_segment->nentries - 1);
		CHECK_INT(entry->length, len);
		out->data = must_alloc(len);
		out->size = out->len = len;
		dbmazz_row_copy(&view, writer.row_segment, entry, 0, out->data, len);
	}
	else
		CHECK_INT(value_error.status, status);
	free(plan);
	free(desc);
	return status;
}

DbmazzValue
text_value(const char *data, size_t len)
{
	DbmazzValue value;

	value.kind = DBMAZZ_VALUE_TEXT;
	value.data = data;
	value.len = (uint32_t) len;
	return value;
}

/* The value gives this text in the row, in all rooms. */
void
value_gives_bytes(uint8_t value_class, const char *data, size_t len,
				  const char *expected, size_t expected_len)
{
	char	   *exact = malloc(len);
	DbmazzValue value = text_value(exact, len);
	Buffer		row = {0};
	size_t		i;

	memcpy(exact, data, len);
	put_printf(&row, "{\"k\":1,\"v\":");
	put_bytes(&row, expected, expected_len);
	put_printf(&row, ",\"__op\":0},");
	for (i = 0; i < NROOMS; i++)
	{
		Buffer		got = {0};

		if (!CHECK_INT(encode_value(value_class, &value, rooms[i], &got),
					   DBMAZZ_OK))
			CHECK_STR(value_error.message, data);
		CHECK_BYTES(got.data, got.len, row.data, row.len);
		buffer_free(&got);
	}
	buffer_free(&row);
	free(exact);
}

void
value_gives(uint8_t value_class, const char *text, const char *expected)
{
	value_gives_bytes(value_class, text, strlen(text), expected, strlen(expected));
}

static void
refused(uint8_t value_class, const char *text, DbmazzStatus status,
		const char *message)
{
	size_t		len = strlen(text);
	char	   *exact = malloc(len);
	DbmazzValue value = text_value(exact, len);
	size_t		i;

	memcpy(exact, text, len);
	for (i = 0; i < NROOMS; i++)
	{
		Buffer		got = {0};

		if (!CHECK_INT(encode_value(value_class, &value, rooms[i], &got),
					   status))
			CHECK_STR(text, "(refused)");
		CHECK_INT(value_error.column, 2);
		CHECK_STR(value_error.message, message);
		buffer_free(&got);
	}
	free(exact);
}

void
value_is_malformed(uint8_t value_class, const char *text, const char *message)
{
	refused(value_class, text, DBMAZZ_ERR_MALFORMED, message);
}

void
value_is_unfit(uint8_t value_class, const char *text, const char *message)
{
	refused(value_class, text, DBMAZZ_ERR_UNREPRESENTABLE, message);
}
