/*
 * roundtrip.c
 *		Random rows through parser, encoder, batch and body, and back.
 *
 * NOTES
 *	  The rows that were put in are kept as they were; what must come out of
 *	  each value is said by one small rule per class, in same_value().  Values
 *	  that are right for their class must be taken.  Wrong ones may be refused;
 *	  if they are not, the rule holds for them too.
 */
#include "roundtrip.h"

#include <stdlib.h>

#include "core/body.h"
#include "core/encode_csv.h"
#include "csv_read.h"
#include "helpers.h"
#include "json_read.h"
#include "random_values.h"

#define MAX_COLUMNS		12
#define MAX_ROWS		40
#define NSEGMENTS		128
#define TAIL			",\"filler\":0,\"__op\":1}"
#define CSV_TAIL		",\\N,1\n"

typedef struct Row
{
	char		op;
	bool		is_taken;
	Buffer		values[MAX_COLUMNS];
	bool		is_null[MAX_COLUMNS];
	const Unfit *unfit[MAX_COLUMNS];
} Row;

typedef struct Trip
{
	Choices		choices;
	bool		csv;
	uint32_t	ncolumns;
	uint32_t	nkeys;
	char		names[MAX_COLUMNS][40];
	ColumnSpec	specs[MAX_COLUMNS];
	uint32_t	nrows;
	Row			rows[MAX_ROWS];
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	DbmazzBatchWriter writer;
	DbmazzBatchView view;
} Trip;

static DbmazzParser parser;
static DbmazzError err;
static Pool pool;

/*
 * A right value, or one with a byte changed; is it still right?  JSON is not
 * looked into by the encoder, so that stays right.
 */
static bool
make_value(Trip *trip, uint8_t value_class, Buffer *value)
{
	make_good(&trip->choices, value_class, value);
	if (choose(&trip->choices, 16) != 15 || value_class == DBMAZZ_VALUE_JSON ||
		value_class == DBMAZZ_VALUE_STRING ||
		value_class == DBMAZZ_VALUE_CHAR || value->len == 0)
		return true;
	value->data[choose(&trip->choices, 256) % value->len] = (char) choose(&trip->choices, 256);
	return false;
}

/* ---- making the table and its rows ------------------------------------ */

static void
make_table(Trip *trip)
{
	uint32_t	i;

	trip->ncolumns = 1 + choose(&trip->choices, MAX_COLUMNS);
	trip->nkeys = 1 + choose(&trip->choices, 3);
	if (trip->nkeys > trip->ncolumns)
		trip->nkeys = trip->ncolumns;
	for (i = 0; i < trip->ncolumns; i++)
	{
		static const char *const forms[] = {
			"c%u", "column number %u of the table", "\"%u\"", "\\\n%u"
		};
		Buffer		name = {0};

		put_printf(&name, forms[choose(&trip->choices, 4)], i);
		put_byte(&name, '\0');
		strcpy(trip->names[i], name.data);
		buffer_free(&name);
		trip->specs[i].name = trip->names[i];
		trip->specs[i].value_class = (uint8_t) choose(&trip->choices, DBMAZZ_LAST_VALUE_CLASS + 1);
		if ((i < trip->nkeys || trip->csv) &&
			trip->specs[i].value_class == DBMAZZ_VALUE_JSON)
			trip->specs[i].value_class = DBMAZZ_VALUE_STRING;
		trip->specs[i].flags = i < trip->nkeys ? DBMAZZ_COLUMN_KEY : 0;
	}
}

/* Key values from a small set, so that keys come again. */
static bool
make_key(Trip *trip, uint32_t i, Row *row)
{
	static const uint8_t fixed[] = {1, 2, 3, 4, 5, 6, 7, 8};
	Choices		saved;

	if (choose(&trip->choices, 2) == 0)
		return make_value(trip, trip->specs[i].value_class, &row->values[i]);
	saved = trip->choices;
	trip->choices.data = fixed + choose(&trip->choices, 4);
	trip->choices.left = 4;
	make_good(&trip->choices, trip->specs[i].value_class, &row->values[i]);
	trip->choices = saved;
	return true;
}

static const char *
encode(Trip *trip, Row *row, bool is_right)
{
	const DbmazzRowSource source = {
		row->op == 'D' ? &parser.old_tuple : &parser.new_tuple, NULL, false
	};
	DbmazzRowKey key;
	DbmazzStatus status;

	if (trip->csv && !dbmazz_csv_can_carry(trip->plan, &source))
		return NULL;			/* such rows go another way */
	status = dbmazz_row_begin(&trip->writer);
	if (status == DBMAZZ_OK && row->op == 'D')
		status = (trip->csv ? dbmazz_csv_delete : dbmazz_json_delete)
			(&trip->writer, trip->plan, &source, &key, &err);
	else if (status == DBMAZZ_OK)
		status = (trip->csv ? dbmazz_csv_upsert : dbmazz_json_upsert)
			(&trip->writer, trip->plan, &source, &key, &err);
	if (status == DBMAZZ_OK)
	{
		if (key.hash != dbmazz_row_key_hash(trip->plan, &source))
			return "the key's hash differs";
		dbmazz_row_end(&trip->writer, (DbmazzRowOp) row->op, key.length,
					   key.hash, 1, 1);
		row->is_taken = true;
		return NULL;
	}
	dbmazz_row_abort(&trip->writer);
	if (status == DBMAZZ_ERR_NO_SPACE)
		return NULL;
	if (is_right)
		return "a good row was refused";
	return err.column > 0 && err.column <= trip->ncolumns ? NULL :
		"the error names no column";
}

/* Put in the place of values that did not fit what must be in the body. */
static void
fit(const Trip *trip, Row *row)
{
	uint32_t	i;

	for (i = 0; i < trip->ncolumns; i++)
	{
		const Unfit *unfit = row->unfit[i];

		if (unfit == NULL)
			continue;
		buffer_free(&row->values[i]);
		if (plan_policy == DBMAZZ_UNREPRESENTABLE_NULL ||
			unfit->clamped == NULL)
			row->is_null[i] = true;
		else
			put_printf(&row->values[i], "%s", unfit->clamped);
	}
}

/* One row: its values, the message, the parser, the encoder. */
static const char *
add_row(Trip *trip, Row *row)
{
	Buffer		message = {0};
	bool		is_right = true;
	char	   *copy;
	const char *wrong;
	uint32_t	i;

	row->op = "IIUD"[choose(&trip->choices, 4)];
	put_byte(&message, row->op);
	put_u32(&message, 16384);
	put_byte(&message, row->op == 'D' ? 'K' : 'N');
	put_u16(&message, (uint16_t) trip->ncolumns);
	for (i = 0; i < trip->ncolumns; i++)
	{
		Buffer	   *value = &row->values[i];

		if (i < trip->nkeys)
			is_right = make_key(trip, i, row) && is_right;
		else if (row->op == 'D' || choose(&trip->choices, 8) == 7)
			row->is_null[i] = true;
		else if (choose(&trip->choices, 8) == 7 &&
				 (row->unfit[i] = make_unfit(&trip->choices, trip->specs[i].value_class,
											 value)) != NULL)
			is_right = plan_policy != DBMAZZ_UNREPRESENTABLE_ERROR && is_right;
		else
			is_right = make_value(trip, trip->specs[i].value_class, value) &&
				is_right;
		if (row->is_null[i])
			put_value(&message, NULL);
		else
			put_value_bytes(&message, value->data, value->len);
	}

	wrong = "the message was not parsed";
	if (parse_copy(&parser, message.data, message.len, &copy) == DBMAZZ_OK)
		wrong = encode(trip, row, is_right);
	buffer_free(&message);
	free(copy);
	fit(trip, row);
	return wrong;
}

/* ---- reading the body ------------------------------------------------- */

static bool
same_bytes(const char *data, size_t len, const char *other, size_t other_len)
{
	return len == other_len && (len == 0 || memcmp(data, other, len) == 0);
}

static bool
same_string(const char *start, const char *end, const char *data, size_t len)
{
	char	   *text = must_alloc((size_t) (end - start));
	size_t		n = json_decode(start, end, text);
	bool		same = same_bytes(text, n, data, len);

	free(text);
	return same;
}

/* The rules: what a value of a class must be in the body. */
static bool
same_value(uint8_t value_class, const Buffer *value, JsonKind kind,
		   const char *start, const char *end)
{
	size_t		n = (size_t) (end - start);

	switch ((DbmazzValueClass) value_class)
	{
		case DBMAZZ_VALUE_BOOL:
			return kind == (value->data[0] == 't' ? JSON_TRUE : JSON_FALSE) &&
				value->len == 1;
		case DBMAZZ_VALUE_INTEGER:
		case DBMAZZ_VALUE_FLOAT:
		case DBMAZZ_VALUE_REAL:
			return kind == JSON_NUMBER &&
				same_bytes(start, n, value->data, value->len);
		case DBMAZZ_VALUE_JSON:
			return same_bytes(start, n, value->data, value->len);
		case DBMAZZ_VALUE_BYTEA:
			return kind == JSON_STRING &&
				same_string(start, end, value->data + 2, value->len - 2);
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			return kind == JSON_STRING &&
				same_string(start, end, value->data, value->len - 3);
		default:
			return kind == JSON_STRING &&
				same_string(start, end, value->data, value->len);
	}
}

/* "name": and the value behind it; NULL if the name or syntax is wrong. */
static const char *
read_member(const char *p, const char *end, const char *name, JsonKind *kind,
			const char **start)
{
	p = json_read(p, end, kind, start);
	if (p == NULL || *kind != JSON_STRING ||
		!same_string(*start, p, name, strlen(name)))
		return NULL;
	p = json_expect(p, end, ':');
	return p == NULL ? NULL : json_read(p, end, kind, start);
}

static const char *
read_row(const Trip *trip, const Row *row, const char *p, const char *end)
{
	uint32_t	n = row->op == 'D' ? trip->nkeys : trip->ncolumns;
	JsonKind	kind;
	const char *start;
	uint32_t	i;

	p = json_expect(p, end, '{');
	for (i = 0; i < n && p != NULL; i++)
	{
		const char *value_end;

		value_end = read_member(p, end, trip->names[i], &kind, &start);
		if (value_end == NULL)
			return NULL;
		if (row->is_null[i])
		{
			if (kind != JSON_NULL)
				return NULL;
		}
		else if (!same_value(trip->specs[i].value_class, &row->values[i],
							 kind, start, value_end))
			return NULL;
		p = json_expect(value_end, end, ',');
	}
	if (p != NULL && row->op == 'D')
	{
		p = read_member(p, end, "filler", &kind, &start);
		if (p != NULL)
			p = json_expect(p, end, ',');
	}
	if (p == NULL)
		return NULL;
	p = read_member(p, end, "__op", &kind, &start);
	if (p == NULL || !same_bytes(start, (size_t) (p - start),
								 row->op == 'D' ? "1" : "0", 1))
		return NULL;
	return json_expect(p, end, '}');
}

/* What a field of CSV must be for a value. */
static bool
same_field(uint8_t value_class, const Buffer *value, const Buffer *field)
{
	switch ((DbmazzValueClass) value_class)
	{
		case DBMAZZ_VALUE_BOOL:
			return same_bytes(field->data, field->len,
							  value->data[0] == 't' ? "true" : "false",
							  value->data[0] == 't' ? 4 : 5);
		case DBMAZZ_VALUE_BYTEA:
			return same_bytes(field->data, field->len, value->data + 2,
							  value->len - 2);
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			return same_bytes(field->data, field->len, value->data,
							  value->len - 3);
		default:
			return same_bytes(field->data, field->len, value->data,
							  value->len);
	}
}

static const char *
read_line(const Trip *trip, const Row *row, const char *p, const char *end)
{
	uint32_t	n = row->op == 'D' ? trip->nkeys + 1 : trip->ncolumns;
	Buffer		field = {0};
	bool		is_last = false;
	bool		same = true;
	uint32_t	i;

	for (i = 0; i < n && p != NULL && same; i++)
	{
		p = csv_read(p, end, &field, &is_last);
		if (is_last)
			same = false;
		else if ((row->op == 'D' && i == trip->nkeys) || row->is_null[i])
			same = same_bytes(field.data, field.len, "\\N", 2);
		else
			same = same_field(trip->specs[i].value_class, &row->values[i],
							  &field);
	}
	if (p != NULL && same)
	{
		p = csv_read(p, end, &field, &is_last);
		same = is_last && same_bytes(field.data, field.len,
									 row->op == 'D' ? "1" : "0", 1);
	}
	buffer_free(&field);
	return same ? p : NULL;
}

/* A later row with the same key values?  Only taken rows count. */
static bool
is_superseded(const Trip *trip, uint32_t number)
{
	uint32_t	later;

	for (later = number + 1; later < trip->nrows; later++)
	{
		const Row  *a = &trip->rows[number];
		const Row  *b = &trip->rows[later];
		bool		same = b->is_taken;
		uint32_t	i;

		for (i = 0; i < trip->nkeys && same; i++)
			same = same_bytes(a->values[i].data, a->values[i].len,
							  b->values[i].data, b->values[i].len);
		if (same)
			return true;
	}
	return false;
}

static const char *
compare(const Trip *trip, DbmazzFraming framing, const Buffer *text,
		uint32_t nrows)
{
	bool		is_array = framing == DBMAZZ_FRAME_JSON_ARRAY;
	const char *p = text->data;
	const char *end = text->data + text->len;
	uint32_t	seen = 0;
	uint32_t	i;

	if (is_array && (p = json_expect(p, end, '[')) == NULL)
		return "no opening bracket";
	for (i = 0; i < trip->nrows; i++)
	{
		const Row  *row = &trip->rows[i];

		if (!row->is_taken || is_superseded(trip, i))
			continue;
		if (is_array && seen > 0 && (p = json_expect(p, end, ',')) == NULL)
			return "no comma";
		p = trip->csv ? read_line(trip, row, p, end) :
			read_row(trip, row, p, end);
		if (p == NULL)
			return "a row is not what was put in";
		if (framing == DBMAZZ_FRAME_NDJSON && (p == end || *p++ != '\n'))
			return "no end of line";
		seen++;
	}
	if (is_array && (p = json_expect(p, end, ']')) == NULL)
		return "no closing bracket";
	if (p != end)
		return "more than the rows";
	return seen == nrows ? NULL : "another number of rows";
}

static const char *
check_body(Trip *trip, DbmazzFraming framing, uint32_t nleft)
{
	static const DbmazzSpan json_tail = {TAIL, sizeof(TAIL) - 1};
	static const DbmazzSpan csv_tail = {CSV_TAIL, sizeof(CSV_TAIL) - 1};
	size_t		step = 1 + choose(&trip->choices, 256) * (choose(&trip->choices, 2) ? 97 : 1);
	Buffer		text = {0};
	DbmazzBody	body;
	const char *wrong;
	char	   *piece;
	size_t		n;

	dbmazz_body_init(&body, &trip->view, framing,
					 trip->csv ? csv_tail : json_tail);
	if (body.size > 10000)		/* else reading is most of the time */
		step += body.size / 100;
	piece = must_alloc(step);
	while ((n = dbmazz_body_read(&body, piece, step)) > 0)
		put_bytes(&text, piece, n);
	if (text.len != body.size)
		wrong = "the body's size is not its size";
	else if (body.nrows != nleft)
		wrong = "dedup and body disagree";
	else if (text.len == 0)
		wrong = nleft == 0 ? NULL : "the body is empty";
	else
		wrong = compare(trip, framing, &text, body.nrows);
	buffer_free(&text);
	free(piece);
	return wrong;
}

static const char *
run(Trip *trip)
{
	uint64_t	slots[256];
	const char *wrong = NULL;
	uint32_t	nrows = choose(&trip->choices, MAX_ROWS + 1);
	uint32_t	nleft;

	while (trip->nrows < nrows && wrong == NULL)
	{
		wrong = add_row(trip, &trip->rows[trip->nrows]);
		trip->nrows++;
	}
	if (wrong != NULL)
		return wrong;
	trip->view = pool_view(&pool, &trip->writer, trip->desc);
	nleft = dbmazz_dedup(&trip->view, slots,
						 dbmazz_dedup_slots(trip->view.nrows));
	wrong = check_body(trip, trip->csv ? DBMAZZ_FRAME_CSV :
					   DBMAZZ_FRAME_JSON_ARRAY, nleft);
	if (wrong == NULL && !trip->csv)
		wrong = check_body(trip, DBMAZZ_FRAME_NDJSON, nleft);
	return wrong;
}

const char *
roundtrip(const uint8_t *data, size_t len)
{
	static Trip trip;
	const char *wrong;
	uint32_t	i;
	uint32_t	j;

	if (pool.memory == NULL)
		pool_init(&pool, NSEGMENTS);
	pool.ntaken = 0;
	memset(&trip, 0, sizeof(trip));
	trip.choices.data = data;
	trip.choices.left = len;
	plan_policy = choose(&trip.choices, 3);
	trip.csv = choose(&trip.choices, 3) == 2;
	make_table(&trip);
	trip.desc = make_desc(trip.specs, trip.ncolumns);
	if (trip.csv)
		trip.desc->flags |= DBMAZZ_TABLE_CSV;
	trip.plan = make_plan(trip.desc);
	wrong = "the batch did not begin";
	if (dbmazz_batch_begin(&trip.writer, pool_alloc, &pool,
						   trip.desc) == DBMAZZ_OK)
		wrong = run(&trip);

	for (i = 0; i < trip.nrows; i++)
	{
		for (j = 0; j < trip.ncolumns; j++)
			buffer_free(&trip.rows[i].values[j]);
	}
	free(trip.desc);
	free(trip.plan);
	plan_policy = DBMAZZ_UNREPRESENTABLE_ERROR;
	return wrong;
}
