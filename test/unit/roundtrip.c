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
#include "helpers.h"
#include "json_read.h"

#define MAX_COLUMNS		12
#define MAX_ROWS		40
#define NSEGMENTS		128
#define TAIL			",\"filler\":0,\"__op\":1}"

/* The bytes that decide; zeros when they are used up. */
typedef struct Choices
{
	const uint8_t *data;
	size_t		left;
} Choices;

/* A value that does not fit, and what "clamp" makes of it. */
typedef struct Unfit
{
	uint8_t		value_class;
	const char *text;
	const char *clamped;		/* NULL: null */
} Unfit;

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
	uint32_t	ncolumns;
	uint32_t	nkeys;
	char		names[MAX_COLUMNS][40];
	ColumnSpec	specs[MAX_COLUMNS];
	uint32_t	nrows;
	Row			rows[MAX_ROWS];
	DbmazzTableDesc *desc;
	DbmazzJsonPlan *plan;
	DbmazzBatchWriter writer;
	DbmazzBatchView view;
} Trip;

static DbmazzParser parser;
static DbmazzError err;
static Pool pool;

static uint32_t
choose(Trip *trip, uint32_t bound)
{
	uint32_t	v = 0;

	if (trip->choices.left > 0)
	{
		v = *trip->choices.data++;
		trip->choices.left--;
	}
	return v % bound;
}

/* ---- making values ---------------------------------------------------- */

static void
make_digits(Trip *trip, Buffer *value, uint32_t n)
{
	uint32_t	i;

	put_byte(value, (char) ('1' + choose(trip, 9)));
	for (i = 1; i < n; i++)
		put_byte(value, (char) ('0' + (i * 7 + n) % 10));
}

static void
make_string(Trip *trip, Buffer *value)
{
	static const char special[] = "\"\\\n\r\t\b\f\x01\x1F/\x7F";
	uint32_t	size = choose(trip, 64);
	uint32_t	n = choose(trip, 256);
	uint32_t	every = 1 + choose(trip, 64);
	uint32_t	which = choose(trip, sizeof(special));
	uint32_t	i;

	if (size < 40)
		n %= 40;
	else if (size == 63)
		n *= 300;
	for (i = 0; i < n; i++)
	{
		if (i % every == 0 && every < 60)
			put_byte(value, special[which]);
		else
			put_byte(value, (char) (' ' + (i * 31 + which) % 90 + 2));
	}
}

static void
make_json(Trip *trip, Buffer *value)
{
	static const char *const documents[] = {
		"{}", "[]", "1", "-1.5e+3", "null", "true", "\"\\u00e4\\n\"",
		"{\"a\": [1, 2, {\"b\": null}], \"c\": \"d\\\"\"}"
	};

	put_printf(value, "%s", documents[choose(trip, 8)]);
}

static void
make_date(Trip *trip, Buffer *value)
{
	put_printf(value, "%04u-%02u-%02u", 1 + choose(trip, 256) * 39,
			   1 + choose(trip, 12), 1 + choose(trip, 28));
}

static void
make_timestamp(Trip *trip, Buffer *value)
{
	uint32_t	fraction = choose(trip, 7);

	make_date(trip, value);
	put_printf(value, " %02u:%02u:%02u", choose(trip, 24), choose(trip, 60),
			   choose(trip, 60));
	if (fraction > 0)
	{
		put_byte(value, '.');
		make_digits(trip, value, fraction);
	}
}

/* A value that is right for its class. */
static void
make_good(Trip *trip, uint8_t value_class, Buffer *value)
{
	switch ((DbmazzValueClass) value_class)
	{
		case DBMAZZ_VALUE_STRING:
			make_string(trip, value);
			return;
		case DBMAZZ_VALUE_BOOL:
			put_byte(value, "tf"[choose(trip, 2)]);
			return;
		case DBMAZZ_VALUE_INTEGER:
			if (choose(trip, 4) == 0)
				put_byte(value, '-');
			make_digits(trip, value, 1 + choose(trip, 20));
			return;
		case DBMAZZ_VALUE_DECIMAL:
			if (choose(trip, 4) == 0)
				put_byte(value, '-');
			make_digits(trip, value, choose(trip, 64) == 63 ?
						1 + choose(trip, 256) * 200 : 1 + choose(trip, 30));
			put_byte(value, '.');
			make_digits(trip, value, 1 + choose(trip, 20));
			return;
		case DBMAZZ_VALUE_CHAR:
			if (choose(trip, 8) > 0)
				put_byte(value, (char) (1 + choose(trip, 127)));
			return;
		case DBMAZZ_VALUE_FLOAT:
		case DBMAZZ_VALUE_REAL:
			make_digits(trip, value, 1);
			put_byte(value, '.');
			make_digits(trip, value, 1 + choose(trip, 15));
			put_printf(value, "e-%02u", choose(trip, 99));
			return;
		case DBMAZZ_VALUE_DATE:
			make_date(trip, value);
			return;
		case DBMAZZ_VALUE_TIMESTAMP:
			make_timestamp(trip, value);
			return;
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			make_timestamp(trip, value);
			put_printf(value, "+00");
			return;
		case DBMAZZ_VALUE_BYTEA:
			put_printf(value, "\\x");
			make_digits(trip, value, 2 * (1 + choose(trip, 256)));
			return;
		case DBMAZZ_VALUE_JSON:
			make_json(trip, value);
			return;
	}
}

static const Unfit unfits[] = {
	{DBMAZZ_VALUE_DECIMAL, "NaN", NULL},
	{DBMAZZ_VALUE_FLOAT, "NaN", NULL},
	{DBMAZZ_VALUE_FLOAT, "-Infinity", "-1.7976931348623157e+308"},
	{DBMAZZ_VALUE_REAL, "Infinity", "3.4028234663852886e+38"},
	{DBMAZZ_VALUE_DATE, "infinity", "9999-12-31"},
	{DBMAZZ_VALUE_DATE, "0044-03-15 BC", "0001-01-01"},
	{DBMAZZ_VALUE_TIMESTAMP, "12345-01-01 00:00:00",
	"9999-12-31 23:59:59.999999"},
	{DBMAZZ_VALUE_TIMESTAMPTZ, "-infinity", "0001-01-01 00:00:00+00"},
	{DBMAZZ_VALUE_JSON, "[1e400, \"\\u0000\"]",
	"[1.7976931348623157e308, \"\\uFFFD\"]"},
	{DBMAZZ_VALUE_JSON, "{\"a\":-123456789012345678901234567890}",
	"{\"a\":-123456789012345678901234567890.0}"},
};

/* One that does not fit, if the class has such; NULL if not. */
static const Unfit *
make_unfit(Trip *trip, uint8_t value_class, Buffer *value)
{
	const size_t n = sizeof(unfits) / sizeof(unfits[0]);
	size_t		first = choose(trip, (uint32_t) n);
	size_t		i;

	for (i = 0; i < n; i++)
	{
		const Unfit *unfit = &unfits[(first + i) % n];

		if (unfit->value_class == value_class)
		{
			put_printf(value, "%s", unfit->text);
			return unfit;
		}
	}
	return NULL;
}

/*
 * A right value, or one with a byte changed; is it still right?  JSON is not
 * looked into by the encoder, so that stays right.
 */
static bool
make_value(Trip *trip, uint8_t value_class, Buffer *value)
{
	make_good(trip, value_class, value);
	if (choose(trip, 16) != 15 || value_class == DBMAZZ_VALUE_JSON ||
		value_class == DBMAZZ_VALUE_STRING ||
		value_class == DBMAZZ_VALUE_CHAR || value->len == 0)
		return true;
	value->data[choose(trip, 256) % value->len] = (char) choose(trip, 256);
	return false;
}

/* ---- making the table and its rows ------------------------------------ */

static void
make_table(Trip *trip)
{
	uint32_t	i;

	trip->ncolumns = 1 + choose(trip, MAX_COLUMNS);
	trip->nkeys = 1 + choose(trip, 3);
	if (trip->nkeys > trip->ncolumns)
		trip->nkeys = trip->ncolumns;
	for (i = 0; i < trip->ncolumns; i++)
	{
		static const char *const forms[] = {
			"c%u", "column number %u of the table", "\"%u\"", "\\\n%u"
		};
		Buffer		name = {0};

		put_printf(&name, forms[choose(trip, 4)], i);
		put_byte(&name, '\0');
		strcpy(trip->names[i], name.data);
		buffer_free(&name);
		trip->specs[i].name = trip->names[i];
		trip->specs[i].value_class = (uint8_t) choose(trip, DBMAZZ_LAST_VALUE_CLASS + 1);
		if (i < trip->nkeys && trip->specs[i].value_class == DBMAZZ_VALUE_JSON)
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

	if (choose(trip, 2) == 0)
		return make_value(trip, trip->specs[i].value_class, &row->values[i]);
	saved = trip->choices;
	trip->choices.data = fixed + choose(trip, 4);
	trip->choices.left = 4;
	make_good(trip, trip->specs[i].value_class, &row->values[i]);
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
	DbmazzStatus status = dbmazz_row_begin(&trip->writer);

	if (status == DBMAZZ_OK && row->op == 'D')
		status = dbmazz_json_delete(&trip->writer, trip->plan, &source, &key,
									&err);
	else if (status == DBMAZZ_OK)
		status = dbmazz_json_upsert(&trip->writer, trip->plan, &source, &key,
									&err);
	if (status == DBMAZZ_OK)
	{
		if (key.hash != dbmazz_json_key_hash(trip->plan, &source))
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

	row->op = "IIUD"[choose(trip, 4)];
	put_byte(&message, row->op);
	put_u32(&message, 16384);
	put_byte(&message, row->op == 'D' ? 'K' : 'N');
	put_u16(&message, (uint16_t) trip->ncolumns);
	for (i = 0; i < trip->ncolumns; i++)
	{
		Buffer	   *value = &row->values[i];

		if (i < trip->nkeys)
			is_right = make_key(trip, i, row) && is_right;
		else if (row->op == 'D' || choose(trip, 8) == 7)
			row->is_null[i] = true;
		else if (choose(trip, 8) == 7 &&
				 (row->unfit[i] = make_unfit(trip, trip->specs[i].value_class,
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
		p = read_row(trip, row, p, end);
		if (p == NULL)
			return "a row is not what was put in";
		if (!is_array && (p == end || *p++ != '\n'))
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
	static const DbmazzSpan tail = {TAIL, sizeof(TAIL) - 1};
	size_t		step = 1 + choose(trip, 256) * (choose(trip, 2) ? 97 : 1);
	Buffer		text = {0};
	DbmazzBody	body;
	const char *wrong;
	char	   *piece;
	size_t		n;

	dbmazz_body_init(&body, &trip->view, framing, tail);
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
	uint32_t	nrows = choose(trip, MAX_ROWS + 1);
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
	wrong = check_body(trip, DBMAZZ_FRAME_JSON_ARRAY, nleft);
	if (wrong == NULL)
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
	plan_policy = choose(&trip, 3);
	make_table(&trip);
	trip.desc = make_desc(trip.specs, trip.ncolumns);
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
