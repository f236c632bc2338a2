/*
 * encode_csv.c
 *		Writes rows as lines of CSV into a batch.
 *
 * NOTES
 *	  Built as encode_json.c: the usual column takes one check of the room and
 *	  goes straight into the segment; long values, and those near the end of a
 *	  segment, go through dbmazz_row_put().
 *
 *	  Values that are no text look as in JSON, those that are strings there
 *	  enclosed, which to a reader is the same as bare.
 */
#include "core/encode_csv.h"

#include "core/encode_private.h"
#include "core/json_value.h"

/* Bytes of a long text that are doubled at once. */
#define PIECE			1024

/* Not zero if one of eight bytes is '"'. */
static inline uint64_t
quote_mask(uint64_t v)
{
	uint64_t	low = v & DBMAZZ_EACH_BYTE(0x7F);
	uint64_t	other = (low ^ DBMAZZ_EACH_BYTE('"')) + DBMAZZ_EACH_BYTE(0x7F);

	return ~(other | v) & DBMAZZ_EACH_BYTE(0x80);
}

/* Fewer bytes than a block. */
static inline char *
put_doubled_tail(char *out, const char *p, size_t n)
{
	uint64_t	mask = 1;
	size_t		i;

	if (n >= 8)
		mask = quote_mask(dbmazz_load64(p)) |
			quote_mask(dbmazz_load64(p + n - 8));
	else if (n >= 4)
		mask = quote_mask((uint64_t) dbmazz_load32(p) << 32 |
						  dbmazz_load32(p + n - 4));
	if (mask == 0)
	{
		dbmazz_copy_short(out, p, n);
		return out + n;
	}
	for (i = 0; i < n; i++)
	{
		if (p[i] == '"')
			*out++ = '"';
		*out++ = p[i];
	}
	return out;
}

/*
 * The inside of an enclosed text, at most 2 * n bytes.  Blocks are stored before
 * they are looked at.
 */
static inline char *
put_doubled(char *out, const char *p, size_t n)
{
	const char *end = p + n;
	const char *plain = p;		/* from here on, output is a plain copy */
	size_t		left;

	while ((size_t) (end - p) >= DBMAZZ_BLOCK)
	{
		uint64_t	mask = dbmazz_block_equal(dbmazz_block_load(p), '"');
		size_t		first;

		memcpy(out, p, DBMAZZ_BLOCK);
		if (__builtin_expect(mask == 0, 1))
		{
			p += DBMAZZ_BLOCK;
			out += DBMAZZ_BLOCK;
			continue;
		}
		first = dbmazz_found_first(mask) + 1;
		out += first;
		*out++ = '"';
		p += first;
		plain = p;
	}
	left = (size_t) (end - p);
	if (left > 0 && end - plain >= DBMAZZ_BLOCK &&
		dbmazz_block_equal(dbmazz_block_load(end - DBMAZZ_BLOCK), '"') == 0)
	{
		memcpy(out + left - DBMAZZ_BLOCK, end - DBMAZZ_BLOCK, DBMAZZ_BLOCK);
		return out + left;
	}
	return put_doubled_tail(out, p, left);
}

static DBMAZZ_ALWAYS_INLINE char *
put_enclosed(char *out, const char *p, size_t n)
{
	*out++ = '"';
	out = put_doubled(out, p, n);
	*out++ = '"';
	return out;
}

/*
 * A value of kind text into 'out', which has DBMAZZ_JSON_ROOM(value->len)
 * bytes.  Returns the end, or NULL if it has not the form of its class.
 */
static DBMAZZ_ALWAYS_INLINE char *
put_value(char *out, const DbmazzValue *value, uint8_t value_class)
{
	const char *p = value->data;
	size_t		n = value->len;

	switch (value_class)
	{
		case DBMAZZ_VALUE_STRING:
			return put_enclosed(out, p, n);
		case DBMAZZ_VALUE_CHAR:
			if (n == 1 && (*p & 0x80) != 0)
			{
				/* JSON's "\\ooo", but a backslash is nothing special here */
				char	   *end = dbmazz_put_octal(out, (unsigned char) *p);

				memmove(out + 1, out + 2, (size_t) (end - out) - 2);
				return end - 1;
			}
			return put_enclosed(out, p, n);
		case DBMAZZ_VALUE_BYTEA:
			if (!dbmazz_is_bytea(p, n))
				return NULL;
			return put_enclosed(out, p + 2, n - 2);
		case DBMAZZ_VALUE_JSON:
			return NULL;
		default:
			return dbmazz_put_value(out, value, value_class);
	}
}

/* ---- what can be CSV -------------------------------------------------- */

bool
dbmazz_csv_can_hold(const DbmazzTableDesc *desc)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		if (desc->columns[i].value_class == DBMAZZ_VALUE_JSON)
			return false;
	}
	return desc->nkeys > 0;
}

bool
dbmazz_csv_can_carry(const DbmazzRowPlan *plan, const DbmazzRowSource *source)
{
	uint32_t	i;

	for (i = 0; i < plan->ncolumns; i++)
	{
		const DbmazzValue *value = dbmazz_row_value(source, &plan->columns[i]);

		if (__builtin_expect(value != NULL && value->len == 2, 0) &&
			value->kind == DBMAZZ_VALUE_TEXT &&
			value->data[0] == '\\' && value->data[1] == 'N')
			return false;
	}
	return true;
}

/* ---- columns ---------------------------------------------------------- */

/* A text longer than DBMAZZ_SHORT_VALUE. */
static DbmazzStatus
put_long(DbmazzBatchWriter *writer, const DbmazzValue *value,
		 uint8_t value_class)
{
	char		piece[2 * PIECE];
	size_t		skip = value_class == DBMAZZ_VALUE_BYTEA ? 2 : 0;
	const char *p = value->data + skip;
	const char *end = value->data + value->len;
	DbmazzStatus status = dbmazz_row_put(writer, "\"", 1);

	while (status == DBMAZZ_OK && p < end)
	{
		const char *quote = memchr(p, '"', (size_t) (end - p));
		size_t		n = (size_t) ((quote != NULL ? quote : end) - p);

		/* runs without one as they are; where they are short, in pieces */
		if (n < PIECE && quote != NULL)
		{
			n = (size_t) (end - p) < PIECE ? (size_t) (end - p) : PIECE;
			status = dbmazz_row_put(writer, piece, (size_t)
									(put_doubled(piece, p, n) - piece));
		}
		else
			status = dbmazz_row_put(writer, p, n);
		p += n;
	}
	return status == DBMAZZ_OK ? dbmazz_row_put(writer, "\"", 1) : status;
}

/*
 * A column that needs more than the segment's free room, or might, or that the
 * target cannot hold.
 */
static DBMAZZ_NOINLINE DbmazzStatus
put_slowly(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
		   const DbmazzRowColumn *column, const DbmazzValue *value,
		   DbmazzError *err)
{
	char		field[DBMAZZ_JSON_ROOM(DBMAZZ_SHORT_VALUE) + 1];
	char	   *pos = field;
	DbmazzValue fitted;
	DbmazzStatus status;

	status = dbmazz_row_fit(plan, column, &value, &fitted, err);
	if (status != DBMAZZ_OK)
		return status;
	if (column > plan->columns)
		*pos++ = ',';
	if (value->kind == DBMAZZ_VALUE_NULL)
	{
		memcpy(pos, "\\N", 2);
		pos += 2;
	}
	else if (value->len <= DBMAZZ_SHORT_VALUE)
	{
		pos = put_value(pos, value, column->value_class);
		if (pos == NULL)
			return dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
									"CSV cannot carry a document");
	}
	status = dbmazz_row_put(writer, field, (size_t) (pos - field));
	if (status == DBMAZZ_OK && value->kind != DBMAZZ_VALUE_NULL &&
		value->len > DBMAZZ_SHORT_VALUE)
		status = put_long(writer, value, column->value_class);
	return status == DBMAZZ_OK ? DBMAZZ_OK : dbmazz_row_no_space(status, err);
}

/* The columns from 'first' up to, not including, 'last'. */
static DBMAZZ_NOINLINE DbmazzStatus
put_columns(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
			const DbmazzRowSource *source, uint32_t first, uint32_t last,
			DbmazzError *err)
{
	const DbmazzRowColumn *column = &plan->columns[first];
	const DbmazzRowColumn *end = &plan->columns[last];
	char	   *pos = writer->pos;

	for (; column < end; column++)
	{
		const DbmazzValue *value = dbmazz_row_value(source, column);
		size_t		room = (size_t) (writer->limit - pos);
		DbmazzStatus status;

		if (__builtin_expect(value != NULL &&
							 value->len <= DBMAZZ_SHORT_VALUE &&
							 room >= 1 + DBMAZZ_JSON_ROOM(value->len) + 8, 1))
		{
			char	   *out = pos;

			if (column > plan->columns)
				*out++ = ',';
			if (value->kind == DBMAZZ_VALUE_TEXT)
				out = put_value(out, value, column->value_class);
			else if (value->kind == DBMAZZ_VALUE_NULL &&
					 (column->flags & DBMAZZ_COLUMN_KEY) == 0)
			{
				memcpy(out, "\\N", 2);
				out += 2;
			}
			else
				out = NULL;
			if (__builtin_expect(out != NULL, 1))
			{
				pos = out;
				continue;
			}
		}
		writer->pos = pos;
		status = put_slowly(writer, plan, column, value, err);
		if (status != DBMAZZ_OK)
			return status;
		pos = writer->pos;
	}
	writer->pos = pos;
	return DBMAZZ_OK;
}

/* ---- rows ------------------------------------------------------------- */

DbmazzStatus
dbmazz_csv_delete(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
				  const DbmazzRowSource *source, DbmazzRowKey *key,
				  DbmazzError *err)
{
	DbmazzStatus status;

	if (plan->nkeys == 0)
		return dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
								"the table has no key columns");
	status = put_columns(writer, plan, source, 0, plan->nkeys, err);
	if (status != DBMAZZ_OK)
		return status;
	key->length = dbmazz_row_size(writer);
	key->hash = dbmazz_row_key_hash(plan, source);
	return DBMAZZ_OK;
}

DbmazzStatus
dbmazz_csv_upsert(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
				  const DbmazzRowSource *source, DbmazzRowKey *key,
				  DbmazzError *err)
{
	DbmazzStatus status = dbmazz_csv_delete(writer, plan, source, key, err);

	if (status == DBMAZZ_OK)
		status = put_columns(writer, plan, source, plan->nkeys,
							 plan->ncolumns, err);
	if (status != DBMAZZ_OK)
		return status;
	status = dbmazz_row_put(writer, ",0\n", 3);
	return status == DBMAZZ_OK ? DBMAZZ_OK : dbmazz_row_no_space(status, err);
}
