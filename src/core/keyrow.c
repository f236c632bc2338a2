/*
 * keyrow.c
 *		Writing and reading rows of which only the key is known.
 */
#include "core/keyrow.h"

#define ROW_MARK	'R'

static DbmazzStatus
put_value(DbmazzBatchWriter *writer, const DbmazzValue *value)
{
	DbmazzStatus status = dbmazz_row_put(writer, &value->kind, 1);

	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, (const char *) &value->len,
								sizeof(value->len));
	if (status == DBMAZZ_OK && value->len > 0)
		status = dbmazz_row_put(writer, value->data, value->len);
	return status;
}

DbmazzStatus
dbmazz_keyrow_put(DbmazzBatchWriter *writer, const DbmazzTableDesc *desc,
				  const DbmazzRowPlan *plan, const DbmazzRowSource *source,
				  uint32_t xid, DbmazzRowKey *key, DbmazzError *err)
{
	const char	mark = ROW_MARK;
	DbmazzStatus status = dbmazz_row_put(writer, &mark, 1);
	uint32_t	i;

	for (i = 0; i < desc->ncolumns && status == DBMAZZ_OK; i++)
	{
		const DbmazzValue *value;

		if (!dbmazz_keyrow_has(&desc->columns[i]))
			continue;
		value = dbmazz_row_value(source, &plan->columns[i]);
		if (value != NULL && value->kind == DBMAZZ_VALUE_BROKEN)
		{
			dbmazz_error_set(err, DBMAZZ_ERR_UNREPRESENTABLE, 0,
							 "the value has bytes that are no characters");
			err->column = i + 1;
			return DBMAZZ_ERR_UNREPRESENTABLE;
		}
		if (value == NULL || (i < desc->nkeys &&
							  value->kind != DBMAZZ_VALUE_TEXT))
		{
			dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
							 "the key column is null or not in the change");
			err->column = i + 1;
			return DBMAZZ_ERR_MALFORMED;
		}
		status = put_value(writer, value);
		if (i + 1 == desc->nkeys)
			key->length = dbmazz_row_size(writer) - 1;
	}
	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, (const char *) &xid, sizeof(xid));
	if (status != DBMAZZ_OK)
		return dbmazz_error_set(err, status, 0, "no room for the row");
	key->hash = dbmazz_row_key_hash(plan, source);
	return DBMAZZ_OK;
}

/* The next value; false if the row ends before it does. */
static bool
get_value(const char **pos, size_t *left, DbmazzValue *value)
{
	if (*left < 1 + sizeof(value->len))
		return false;
	value->kind = **pos;
	memcpy(&value->len, *pos + 1, sizeof(value->len));
	*pos += 1 + sizeof(value->len);
	*left -= 1 + sizeof(value->len);
	if (value->len > *left)
		return false;
	value->data = *pos;
	*pos += value->len;
	*left -= value->len;
	return true;
}

bool
dbmazz_keyrow_get(const DbmazzTableDesc *desc, const char *row, size_t len,
				  DbmazzTuple *tuple, uint32_t *xid)
{
	const char *pos = row + 1;
	size_t		left = len - 1;
	uint32_t	i;

	if (len < 1 || *row != ROW_MARK)
		return false;
	tuple->ncolumns = desc->ntable_columns;
	for (i = 0; i < desc->ncolumns; i++)
	{
		uint16_t	source = desc->columns[i].source;
		DbmazzValue *value = &tuple->values[source];

		if (source >= tuple->ncolumns)
			return false;
		if (!dbmazz_keyrow_has(&desc->columns[i]))
		{
			value->kind = DBMAZZ_VALUE_UNCHANGED;
			value->data = NULL;
			value->len = 0;
		}
		else if (!get_value(&pos, &left, value))
			return false;
	}
	if (left != sizeof(*xid))
		return false;
	memcpy(xid, pos, sizeof(*xid));
	return true;
}
