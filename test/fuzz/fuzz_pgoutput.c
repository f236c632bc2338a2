/*
 * fuzz_pgoutput.c
 *		Fuzz target: any bytes as a message of pgoutput; rows that are parsed
 *		go on into the encoder.
 *
 * NOTES
 *	  All that the parser hands out is read, so that a pointer or length that
 *	  leaves the message is noticed.
 */
#include <string.h>

#include "core/batch.h"
#include "core/encode_json.h"
#include "core/pgoutput.h"
#include "fuzz.h"
#include "helpers.h"
#include "json_read.h"

#define NCOLUMNS	10
#define NSEGMENTS	64

static DbmazzParser parser;
static Pool pool;

/* Keeps the reads below from being left out. */
static volatile uint32_t sum;

static void
touch(const char *data, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
		sum += (unsigned char) data[i];
}

static void
touch_string(const char *text)
{
	touch(text, strlen(text));
}

static void
touch_tuple(const DbmazzTuple *tuple)
{
	uint32_t	i;

	MUST(tuple->ncolumns <= DBMAZZ_MAX_COLUMNS);
	for (i = 0; i < tuple->ncolumns; i++)
		touch(tuple->values[i].data, tuple->values[i].len);
}

/* ---- what a row becomes ----------------------------------------------- */

/* A table with a column of each class, rotated by the relation's number. */
static DbmazzTableDesc *
make_table(uint32_t relid)
{
	static const char *const names[NCOLUMNS] = {
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"
	};
	ColumnSpec	specs[NCOLUMNS];
	uint32_t	nkeys = 1 + relid / 16 % 3;
	uint32_t	i;

	for (i = 0; i < NCOLUMNS; i++)
	{
		specs[i].name = names[i];
		specs[i].value_class = (uint8_t) ((i + relid) % NCOLUMNS);
		specs[i].flags = i < nkeys ? DBMAZZ_COLUMN_KEY : 0;
		if (relid & 0x100)
			specs[i].flags |= DBMAZZ_COLUMN_IDENTITY;
	}
	return make_desc(specs, 1 + relid / 64 % NCOLUMNS < nkeys ? nkeys :
					 1 + relid / 64 % NCOLUMNS);
}

/* A row that was taken is JSON, unless it has a document that is none. */
static void
check_row(DbmazzBatchWriter *writer, const DbmazzTableDesc *desc,
		  bool is_delete)
{
	DbmazzBatchView view = pool_view(&pool, writer, desc);
	DbmazzRowEntry *entry = dbmazz_entry_at(writer->row_segment,
											writer->row_segment->nentries - 1);
	char	   *row = must_alloc(entry->length + 1);
	const char *end;
	const char *start;
	JsonKind	kind;
	uint32_t	i;

	MUST(dbmazz_row_copy(&view, writer->row_segment, entry, 0, row,
						 entry->length) == entry->length);
	if (is_delete)
		row[entry->length] = '}';
	else
		MUST(row[entry->length - 1] == ',');
	end = row + entry->length + (is_delete ? 1 : -1);
	for (i = 0; i < desc->ncolumns; i++)
	{
		if (desc->columns[i].value_class == DBMAZZ_VALUE_JSON)
			break;
	}
	if (i == desc->ncolumns)
	{
		MUST(json_read(row, end, &kind, &start) == end);
		MUST(kind == JSON_OBJECT);
	}
	free(row);
}

static void
encode(const DbmazzTableDesc *desc, const DbmazzRowSource *source,
	   bool is_delete)
{
	DbmazzRowPlan *plan = make_plan(desc);
	DbmazzBatchWriter writer;
	DbmazzError err;
	DbmazzRowKey key;
	DbmazzStatus status;

	pool.ntaken = 0;
	MUST(dbmazz_batch_begin(&writer, pool_alloc, &pool, desc) == DBMAZZ_OK);
	MUST(dbmazz_row_begin(&writer) == DBMAZZ_OK);
	dbmazz_error_reset(&err);
	if (is_delete)
		status = dbmazz_json_delete(&writer, plan, source, &key, &err);
	else
		status = dbmazz_json_upsert(&writer, plan, source, &key, &err);
	MUST(err.status == status);
	if (status == DBMAZZ_OK)
	{
		MUST(key.hash == dbmazz_row_key_hash(plan, source));
		MUST(dbmazz_row_same_key(plan, source, source));
		dbmazz_row_end(&writer, DBMAZZ_ROW_UPDATE, key.length, key.hash, 1, 1);
		check_row(&writer, desc, is_delete);
	}
	else
	{
		MUST(err.message[0] != '\0');
		dbmazz_row_abort(&writer);
		MUST(writer.nrows == 0);
	}
	free(plan);
}

static void
check_change(void)
{
	const DbmazzMessage *message = &parser.message;
	char		old_kind = message->u.change.old_kind;
	DbmazzTableDesc *desc = make_table(message->u.change.relid);
	DbmazzRowSource source = {&parser.new_tuple, NULL, false};

	if (old_kind != 0)
	{
		touch_tuple(&parser.old_tuple);
		source.tuple = &parser.old_tuple;
		encode(desc, &source, true);
		source.tuple = &parser.new_tuple;
		source.fallback = &parser.old_tuple;
		source.fallback_key_only = old_kind == 'K';
	}
	if (message->kind != 'D')
	{
		touch_tuple(&parser.new_tuple);
		encode(desc, &source, false);
		encode(desc, &source, true);
	}
	free(desc);
}

static void
check_message(void)
{
	const DbmazzMessage *message = &parser.message;
	uint32_t	i;

	switch (message->kind)
	{
		case 'I':
		case 'U':
		case 'D':
			check_change();
			break;
		case 'R':
			touch_string(message->u.relation.schema);
			touch_string(message->u.relation.table);
			for (i = 0; i < message->u.relation.ncolumns; i++)
				touch_string(parser.columns[i].name);
			break;
		case 'Y':
			touch_string(message->u.type.schema);
			touch_string(message->u.type.name);
			break;
		case 'O':
			touch_string(message->u.origin.name);
			break;
		case 'T':
			for (i = 0; i < message->u.truncate.nrelids; i++)
				sum += dbmazz_truncate_relid(message, i);
			break;
		case 'M':
			touch_string(message->u.message.prefix);
			touch(message->u.message.content.data,
				  message->u.message.content.len);
			break;
		default:
			MUST(message->kind == 'B' || message->kind == 'C');
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DbmazzStatus status;
	char	   *copy;

	if (pool.memory == NULL)
		pool_init(&pool, NSEGMENTS);
	status = parse_copy(&parser, (const char *) data, size, &copy);
	if (status == DBMAZZ_OK)
		check_message();
	else
	{
		MUST(parser.error.status == status);
		MUST(parser.error.offset <= size);
		MUST(parser.error.message[0] != '\0');
	}
	free(copy);
	return 0;
}
