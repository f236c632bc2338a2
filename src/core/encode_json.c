/*
 * encode_json.c
 *		Writes rows as JSON objects into a batch.
 *
 * NOTES
 *	  The usual column takes one check of the room and goes straight into the
 *	  segment, label and value together.  Long values, and those near the end
 *	  of a segment, take the slow way through dbmazz_row_put(), which may begin
 *	  another segment.
 */
#include "core/encode_json.h"

#include "core/encode_private.h"
#include "core/fit.h"
#include "core/json_value.h"

#define OP_UPSERT		",\"__op\":0},"
#define OP_NONE			"},"

size_t
dbmazz_json_escape(char *out, const char *data, size_t len)
{
	return (size_t) (dbmazz_escape(out, data, len) - out);
}

/* ---- errors ----------------------------------------------------------- */

DbmazzStatus
dbmazz_row_no_space(DbmazzStatus status, DbmazzError *err)
{
	return dbmazz_error_set(err, status, 0, status == DBMAZZ_ERR_LIMIT ?
							"the row is too large" : "no room for the row");
}

static DbmazzStatus
bad_column(DbmazzStatus status, const DbmazzRowPlan *plan,
		   const DbmazzRowColumn *column, const char *reason,
		   DbmazzError *err)
{
	dbmazz_error_set(err, status, 0, "%s", reason);
	err->column = (uint32_t) (column - plan->columns) + 1;
	return status;
}

/* ---- columns ---------------------------------------------------------- */

/*
 * A text of any length as the inside of a JSON string: runs that need no
 * escape as they are, the rest in pieces.
 */
static DbmazzStatus
put_long_string(DbmazzBatchWriter *writer, const char *p, size_t n)
{
	char		piece[6 * DBMAZZ_SHORT_VALUE];

	while (n > 0)
	{
		size_t		len = dbmazz_json_scan(p, n);
		DbmazzStatus status = DBMAZZ_OK;

		if (len >= DBMAZZ_SHORT_VALUE || len == n)
			status = dbmazz_row_put(writer, p, len);
		else
		{
			len = n < DBMAZZ_SHORT_VALUE ? n : DBMAZZ_SHORT_VALUE;
			if ((size_t) (writer->limit - writer->pos) >= sizeof(piece))
				writer->pos += dbmazz_json_escape(writer->pos, p, len);
			else
				status = dbmazz_row_put(writer, piece,
										dbmazz_json_escape(piece, p, len));
		}
		if (status != DBMAZZ_OK)
			return status;
		p += len;
		n -= len;
	}
	return DBMAZZ_OK;
}

/* A document, with what stands for its flaws. */
static DbmazzStatus
put_document(DbmazzBatchWriter *writer, const char *p, size_t n)
{
	const char *end = p + n;
	DbmazzJsonWalk walk;
	DbmazzJsonFlaw flaw;
	DbmazzStatus status = DBMAZZ_OK;

	dbmazz_json_walk(&walk, p, n);
	while (status == DBMAZZ_OK &&
		   dbmazz_json_next_flaw(&walk, &flaw) != DBMAZZ_JSON_FLAWLESS)
	{
		status = dbmazz_row_put(writer, p, (size_t) (flaw.start - p));
		if (status == DBMAZZ_OK)
			status = dbmazz_row_put(writer, flaw.instead,
									strlen(flaw.instead));
		p = flaw.start + flaw.len;
	}
	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, p, (size_t) (end - p));
	return status;
}

/*
 * A value of kind text, of any length, that is as its class demands.  Classes
 * that are never longer than DBMAZZ_SHORT_VALUE are not, if they are.
 */
static DbmazzStatus
put_text(DbmazzBatchWriter *writer, const DbmazzValue *value,
		 uint8_t value_class)
{
	char		encoded[DBMAZZ_JSON_ROOM(DBMAZZ_SHORT_VALUE)];
	const char *p = value->data;
	size_t		n = value->len;
	DbmazzStatus status;

	if (value_class == DBMAZZ_VALUE_JSON)
		return dbmazz_row_put(writer, p, n);
	if (n <= DBMAZZ_SHORT_VALUE)
	{
		const char *end = dbmazz_put_value(encoded, value, value_class);

		return dbmazz_row_put(writer, encoded, (size_t) (end - encoded));
	}
	if (value_class == DBMAZZ_VALUE_BYTEA)
	{
		p += 2;
		n -= 2;
	}
	status = dbmazz_row_put(writer, "\"", 1);
	if (status == DBMAZZ_OK)
		status = put_long_string(writer, p, n);
	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, "\"", 1);
	return status;
}

/* Can put_text() write it? */
static bool
is_fine(const DbmazzValue *value, uint8_t value_class)
{
	char		encoded[DBMAZZ_JSON_ROOM(DBMAZZ_SHORT_VALUE)];

	if (value->len <= DBMAZZ_SHORT_VALUE)
		return dbmazz_put_value(encoded, value, value_class) != NULL;
	switch (value_class)
	{
		case DBMAZZ_VALUE_STRING:
			return true;
		case DBMAZZ_VALUE_JSON:
			return dbmazz_json_is_harmless(value->data, value->len);
		case DBMAZZ_VALUE_BYTEA:
			return dbmazz_is_bytea(value->data, value->len);
		case DBMAZZ_VALUE_DECIMAL:
			return dbmazz_all_pass(value->data, value->len,
								   dbmazz_not_decimal);
		default:
			return false;
	}
}

DbmazzStatus
dbmazz_row_fit(const DbmazzRowPlan *plan, const DbmazzRowColumn *column,
			   const DbmazzValue **value, DbmazzValue *fitted,
			   DbmazzError *err)
{
	uint8_t		value_class = column->value_class;
	DbmazzUnrepresentable policy = plan->unrepresentable;
	DbmazzStatus status;

	if (*value == NULL)
		return bad_column(DBMAZZ_ERR_MALFORMED, plan, column,
						  "the value is not in the change", err);
	if ((*value)->kind == DBMAZZ_VALUE_NULL)
		return (column->flags & DBMAZZ_COLUMN_KEY) == 0 ? DBMAZZ_OK :
			bad_column(DBMAZZ_ERR_MALFORMED, plan, column,
					   "the key column is null", err);
	if ((*value)->kind == DBMAZZ_VALUE_BROKEN)
		return bad_column(DBMAZZ_ERR_UNREPRESENTABLE, plan, column,
						  "the value has bytes that are no characters", err);
	if ((*value)->kind != DBMAZZ_VALUE_TEXT)
		return bad_column(DBMAZZ_ERR_UNSUPPORTED, plan, column,
						  "the value is in binary form", err);
	if (is_fine(*value, value_class) &&
		!dbmazz_is_too_long(*value, value_class, column->flags, policy))
		return DBMAZZ_OK;
	status = dbmazz_fit(*value, value_class, column->flags, policy, fitted,
						err);
	if (status != DBMAZZ_OK)
		err->column = (uint32_t) (column - plan->columns) + 1;
	*value = fitted;
	return status;
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
	uint8_t		value_class = column->value_class;
	DbmazzUnrepresentable policy = plan->unrepresentable;
	DbmazzValue fitted;
	DbmazzStatus status;

	status = dbmazz_row_fit(plan, column, &value, &fitted, err);
	if (status != DBMAZZ_OK)
		return status;
	status = dbmazz_row_put(writer, (const char *) plan + column->label,
							column->label_len);
	if (status != DBMAZZ_OK)
		return dbmazz_row_no_space(status, err);
	if (value->kind == DBMAZZ_VALUE_NULL)
		status = dbmazz_row_put(writer, "null", 4);
	else if (value_class == DBMAZZ_VALUE_JSON && value == &fitted &&
			 policy == DBMAZZ_UNREPRESENTABLE_CLAMP)
		status = put_document(writer, value->data, value->len);
	else
		status = put_text(writer, value, value_class);
	return status == DBMAZZ_OK ? DBMAZZ_OK : dbmazz_row_no_space(status, err);
}

/* Up to DBMAZZ_LABEL_STEP - 1 bytes behind the label's end are overwritten. */
static inline char *
put_label(char *out, const DbmazzRowPlan *plan,
		  const DbmazzRowColumn *column)
{
	const char *label = (const char *) plan + column->label;
	size_t		len = column->label_len;
	size_t		i;

	memcpy(out, label, DBMAZZ_LABEL_STEP);
	for (i = DBMAZZ_LABEL_STEP; __builtin_expect(i < len, 0); i += DBMAZZ_LABEL_STEP)
		memcpy(out + i, label + i, DBMAZZ_LABEL_STEP);
	return out + len;
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

		if (__builtin_expect(value == NULL, 0))
			return bad_column(DBMAZZ_ERR_MALFORMED, plan, column,
							  "the value is not in the change", err);
		if (__builtin_expect(value->len <= DBMAZZ_SHORT_VALUE &&
							 room >= column->label_len + DBMAZZ_LABEL_STEP +
							 DBMAZZ_JSON_ROOM(value->len), 1))
		{
			char	   *out = put_label(pos, plan, column);

			if (value->kind == DBMAZZ_VALUE_TEXT)
				out = dbmazz_put_value(out, value, column->value_class);
			else if (value->kind == DBMAZZ_VALUE_NULL &&
					 (column->flags & DBMAZZ_COLUMN_KEY) == 0)
			{
				memcpy(out, "null", 4);
				out += 4;
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

static inline DbmazzStatus
put_keys(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
		 const DbmazzRowSource *source, DbmazzRowKey *key, DbmazzError *err)
{
	DbmazzStatus status;

	status = put_columns(writer, plan, source, 0, plan->nkeys, err);
	if (status != DBMAZZ_OK)
		return status;
	key->length = plan->nkeys > 0 ? dbmazz_row_size(writer) - 1 : 0;
	key->hash = dbmazz_row_key_hash(plan, source);
	return DBMAZZ_OK;
}

/* ---- rows ------------------------------------------------------------- */

DbmazzStatus
dbmazz_json_upsert(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
				   const DbmazzRowSource *source, DbmazzRowKey *key,
				   DbmazzError *err)
{
	DbmazzStatus status;

	if (plan->ncolumns == 0)
		return dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
								"the table has no columns");
	status = put_keys(writer, plan, source, key, err);
	if (status == DBMAZZ_OK)
		status = put_columns(writer, plan, source, plan->nkeys,
							 plan->ncolumns, err);
	if (status != DBMAZZ_OK)
		return status;
	if (plan->nkeys > 0)
		status = dbmazz_row_put(writer, OP_UPSERT, strlen(OP_UPSERT));
	else
		status = dbmazz_row_put(writer, OP_NONE, strlen(OP_NONE));
	return status == DBMAZZ_OK ? DBMAZZ_OK : dbmazz_row_no_space(status, err);
}

DbmazzStatus
dbmazz_json_delete(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
				   const DbmazzRowSource *source, DbmazzRowKey *key,
				   DbmazzError *err)
{
	if (plan->nkeys == 0)
		return dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
								"the table has no key columns");
	return put_keys(writer, plan, source, key, err);
}

/*
 * A column of a row that is kept, not sent: a value that does not fit is a string
 * with the text of the source.
 */
static DbmazzStatus
put_as_it_is(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
			 const DbmazzRowColumn *column, const DbmazzValue *value,
			 DbmazzError *err)
{
	DbmazzStatus status = put_slowly(writer, plan, column, value, err);

	/* then nothing of the column was written */
	if (status != DBMAZZ_ERR_UNREPRESENTABLE)
		return status;
	status = dbmazz_row_put(writer, (const char *) plan + column->label,
							column->label_len);
	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, "\"", 1);
	if (status == DBMAZZ_OK)
		status = put_long_string(writer, value->data, value->len);
	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, "\"", 1);
	return status == DBMAZZ_OK ? DBMAZZ_OK : dbmazz_row_no_space(status, err);
}

DbmazzStatus
dbmazz_json_keep(DbmazzBatchWriter *writer, const DbmazzRowPlan *plan,
				 const DbmazzRowSource *source, DbmazzRowKey *key,
				 DbmazzError *err)
{
	DbmazzStatus status = DBMAZZ_OK;
	uint32_t	i;

	for (i = 0; i < plan->ncolumns; i++)
	{
		const DbmazzRowColumn *column = &plan->columns[i];
		const DbmazzValue *value = dbmazz_row_value(source, column);

		if (i == plan->nkeys)
			key->length = i > 0 ? dbmazz_row_size(writer) - 1 : 0;
		/* an object begins with its first column */
		if (value != NULL || i < plan->nkeys || i == 0)
			status = put_as_it_is(writer, plan, column, value, err);
		if (status != DBMAZZ_OK)
			return status;
	}
	if (plan->nkeys == plan->ncolumns)
		key->length = dbmazz_row_size(writer) - 1;
	key->hash = dbmazz_row_key_hash(plan, source);
	status = dbmazz_row_put(writer, OP_UPSERT, strlen(OP_UPSERT));
	return status == DBMAZZ_OK ? DBMAZZ_OK : dbmazz_row_no_space(status, err);
}
