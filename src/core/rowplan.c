/*
 * rowplan.c
 *		The plan of a table's column set, and the keys of rows.
 */
#include "core/rowplan.h"

#include "core/encode_json.h"
#include "core/encode_private.h"
#include "core/json_value.h"

/* ---- the plan --------------------------------------------------------- */

static size_t
escaped_length(const char *text)
{
	size_t		len = 0;
	char		escape[6];

	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if (dbmazz_needs_escape(c))
			len += (size_t) (dbmazz_put_escape(escape, c) - escape);
		else
			len++;
	}
	return len;
}

uint32_t
dbmazz_row_plan_size(const DbmazzTableDesc *desc)
{
	size_t		size = sizeof(DbmazzRowPlan) + DBMAZZ_LABEL_STEP;
	uint32_t	i;

	size += desc->ncolumns * sizeof(DbmazzRowColumn);
	for (i = 0; i < desc->ncolumns; i++)
	{
		const char *name = dbmazz_desc_text(desc, desc->columns[i].name);

		size += strlen(",\"\":") + escaped_length(name);
	}
	return (uint32_t) size;
}

void
dbmazz_row_plan_init(DbmazzRowPlan *plan, const DbmazzTableDesc *desc,
					 DbmazzUnrepresentable unrepresentable)
{
	char	   *out;
	uint32_t	i;

	plan->ncolumns = desc->ncolumns;
	plan->nkeys = desc->nkeys;
	plan->unrepresentable = (uint8_t) unrepresentable;
	out = (char *) &plan->columns[plan->ncolumns];
	for (i = 0; i < plan->ncolumns; i++)
	{
		const DbmazzColumnDesc *from = &desc->columns[i];
		DbmazzRowColumn *column = &plan->columns[i];
		const char *name = dbmazz_desc_text(desc, from->name);
		char	   *label = out;

		*out++ = i == 0 ? '{' : ',';
		*out++ = '"';
		out += dbmazz_json_escape(out, name, strlen(name));
		*out++ = '"';
		*out++ = ':';
		column->label = (uint32_t) (label - (char *) plan);
		column->label_len = (uint32_t) (out - label);
		column->source = from->source;
		column->value_class = from->value_class;
		column->flags = from->flags;
	}
	memset(out, 0, DBMAZZ_LABEL_STEP);
	plan->size = (uint32_t) (out + DBMAZZ_LABEL_STEP - (char *) plan);
}

/* ---- where values come from ------------------------------------------- */

const DbmazzValue *
dbmazz_row_fallback(const DbmazzRowSource *source, const DbmazzRowColumn *column)
{
	const DbmazzTuple *fallback = source->fallback;
	const DbmazzValue *value;

	if (fallback == NULL || column->source >= source->tuple->ncolumns ||
		column->source >= fallback->ncolumns ||
		(source->fallback_key_only &&
		 (column->flags & DBMAZZ_COLUMN_IDENTITY) == 0))
		return NULL;
	value = &fallback->values[column->source];
	return value->kind == DBMAZZ_VALUE_UNCHANGED ? NULL : value;
}

/* ---- keys ------------------------------------------------------------- */

uint32_t
dbmazz_row_key_hash(const DbmazzRowPlan *plan, const DbmazzRowSource *source)
{
	uint64_t	hash = 0;
	uint32_t	i;

	for (i = 0; i < plan->nkeys; i++)
	{
		const DbmazzValue *value = dbmazz_row_value(source, &plan->columns[i]);

		if (value != NULL && value->data != NULL)
			hash = dbmazz_hash(value->data, value->len, hash);
	}
	return (uint32_t) (hash ^ (hash >> 32));
}

bool
dbmazz_row_same_key(const DbmazzRowPlan *plan, const DbmazzRowSource *a,
					const DbmazzRowSource *b)
{
	uint32_t	i;

	for (i = 0; i < plan->nkeys; i++)
	{
		const DbmazzValue *a_value = dbmazz_row_value(a, &plan->columns[i]);
		const DbmazzValue *b_value = dbmazz_row_value(b, &plan->columns[i]);

		if (a_value == NULL || b_value == NULL ||
			a_value->kind != b_value->kind || a_value->len != b_value->len)
			return false;
		if (a_value->len > 0 &&
			memcmp(a_value->data, b_value->data, a_value->len) != 0)
			return false;
	}
	return true;
}
