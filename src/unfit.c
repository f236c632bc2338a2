/*
 * unfit.c
 *		Errors about a value that cannot be sent: which row, which value.
 */
#include "postgres.h"

#include "core/utf8.h"
#include "unfit.h"

#define KEY_LENGTH		200		/* bytes of names and values of the key */
#define VALUE_LENGTH	100		/* bytes of a value */

/* Append to a text of at most KEY_LENGTH bytes; "..." once it is full. */
static void
add_to_key(char key[KEY_LENGTH], const char *text)
{
	size_t		used = strlen(key);

	if (used + strlen(text) + 4 > KEY_LENGTH)
	{
		if (used < 3 || strcmp(key + used - 3, "...") != 0)
			strcpy(key + used, "...");
		return;
	}
	strcpy(key + used, text);
}

static bool
has_text(const DbmazzValue *value)
{
	return value != NULL && (value->kind == DBMAZZ_VALUE_TEXT ||
							 value->kind == DBMAZZ_VALUE_BROKEN);
}

/* "(a, b)=(1, x)" */
static void
show_key(char key[KEY_LENGTH], const DbmazzColumnSet *set,
		 const DbmazzRowSource *source)
{
	const DbmazzTableDesc *desc = set->desc;
	int			i;

	strcpy(key, "(");
	for (i = 0; i < desc->nkeys; i++)
	{
		if (i > 0)
			add_to_key(key, ", ");
		add_to_key(key, dbmazz_desc_text(desc, desc->columns[i].name));
	}
	add_to_key(key, ")=(");
	for (i = 0; i < desc->nkeys; i++)
	{
		const DbmazzValue *value = dbmazz_row_value(source,
													&set->plan->columns[i]);
		char		text[VALUE_LENGTH];

		if (i > 0)
			add_to_key(key, ", ");
		if (!has_text(value))
			strcpy(text, "null");
		else
			dbmazz_show_value(text, sizeof(text), value->data, value->len);
		add_to_key(key, text);
	}
	add_to_key(key, ")");
}

static const char *
remedy(const DbmazzColumnDesc *column, uint8 policy)
{
	if (column->flags & DBMAZZ_COLUMN_KEY)
		return "Columns of the key are sent as they are, or two rows could become "
			"one. Set on_bad_row to dead_letter for the pipeline to keep such "
			"rows aside, or use dbmazz.skip_batch() for this one; and correct "
			"the value in the source.";
	if (policy == DBMAZZ_UNREPRESENTABLE_ERROR)
		return "Set unrepresentable to null or clamp for the pipeline with "
			"dbmazz.alter_pipeline(), then stop and start it: the table goes "
			"on with this row.";
	if (policy == DBMAZZ_UNREPRESENTABLE_NULL)
		return "Set unrepresentable to clamp for the pipeline with "
			"dbmazz.alter_pipeline(), then stop and start it: the table goes "
			"on with this row, if a value that the target can hold is near.";
	return "Set on_bad_row to dead_letter for the pipeline to keep such rows "
		"aside, or use dbmazz.skip_batch() for this one; then allow the column "
		"to be null, or correct the value in the source.";
}

void
dbmazz_unfit_describe(DbmazzError *error, const DbmazzColumnSet *set,
					  const DbmazzRowSource *source, XLogRecPtr final_lsn)
{
	DbmazzError reason = *error;
	const DbmazzColumnDesc *column = &set->desc->columns[reason.column - 1];
	const DbmazzValue *value =
		dbmazz_row_value(source, &set->plan->columns[reason.column - 1]);
	char		key[KEY_LENGTH];
	char		text[VALUE_LENGTH] = "";

	if (set->desc->nkeys > 0)
		show_key(key, set, source);
	else
		strcpy(key, "(none)");	/* of a change log */
	if (has_text(value))
		dbmazz_show_value(text, sizeof(text), value->data, value->len);
	dbmazz_error_set(error, reason.status, reason.offset,
					 "cannot send column \"%s\" of table \"%s.%s\": %s",
					 dbmazz_desc_text(set->desc, column->name),
					 dbmazz_desc_text(set->desc, set->desc->schema),
					 dbmazz_desc_text(set->desc, set->desc->table),
					 reason.message);
	error->column = reason.column;
	dbmazz_error_detail(error, "Key %s, value \"%s\". The transaction committed "
						"at %X/%X.", key, text, LSN_FORMAT_ARGS(final_lsn));
	if (reason.status == DBMAZZ_ERR_UNREPRESENTABLE)
		dbmazz_error_hint(error, "%s",
						  remedy(column, set->plan->unrepresentable));
}
