/*
 * fixture.c
 *		Table descriptions by hand.
 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
add_text(DbmazzTableDesc *desc, uint32_t *pos, const char *text)
{
	uint32_t	at = *pos;

	strcpy((char *) desc + at, text);
	*pos += (uint32_t) strlen(text) + 1;
	return at;
}

DbmazzTableDesc *
fixture_desc(const char *target, bool partial, const FixtureColumn *columns,
			 int n)
{
	static uint32_t generation;
	DbmazzTableDesc *desc;
	size_t		texts = 7 + 2 * (strlen(target) + 1);
	uint32_t	pos;
	int			i;

	for (i = 0; i < n; i++)
		texts += strlen(columns[i].name) + 1;
	pos = (uint32_t) (sizeof(DbmazzTableDesc) +
					  (size_t) n * sizeof(DbmazzColumnDesc));
	desc = calloc(1, pos + texts);
	desc->relid = 4711;
	desc->generation = ++generation;
	desc->schema = add_text(desc, &pos, "public");
	desc->table = add_text(desc, &pos, target);
	desc->target = add_text(desc, &pos, target);
	desc->ncolumns = (uint16_t) n;
	desc->ntable_columns = (uint16_t) n;
	desc->flags = partial ? DBMAZZ_TABLE_PARTIAL : 0;
	for (i = 0; i < n; i++)
	{
		DbmazzColumnDesc *column = &desc->columns[i];

		column->name = add_text(desc, &pos, columns[i].name);
		column->typid = columns[i].typid;
		column->basetypid = columns[i].typid;
		column->typmod = -1;
		column->attnum = (int16_t) (i + 1);
		column->source = (uint16_t) i;
		column->value_class = columns[i].value_class;
		column->flags = columns[i].flags;
		if ((column->flags & DBMAZZ_COLUMN_KEY) != 0)
			desc->nkeys++;
	}
	desc->size = pos;
	return desc;
}
