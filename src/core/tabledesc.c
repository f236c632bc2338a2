/*
 * tabledesc.c
 *		Checking table descriptions, and cutting one down to some columns.
 */
#include "core/tabledesc.h"

#include <string.h>

static inline uint32_t
header_size(uint32_t ncolumns)
{
	return (uint32_t) (sizeof(DbmazzTableDesc) +
					   ncolumns * sizeof(DbmazzColumnDesc));
}

static DbmazzStatus
malformed(DbmazzError *err, const void *block, const void *field,
		  const char *what)
{
	ptrdiff_t	offset = (const char *) field - (const char *) block;

	return dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, (uint32_t) offset,
							"table description has a wrong %s", what);
}

/* Is 'offset' the place of a terminated text behind the columns? */
static bool
is_text(const DbmazzTableDesc *desc, uint32_t offset)
{
	return offset >= header_size(desc->ncolumns) && offset < desc->size &&
		memchr(dbmazz_desc_text(desc, offset), '\0',
			   desc->size - offset) != NULL;
}

static DbmazzStatus
check_column(const DbmazzTableDesc *desc, uint32_t i, DbmazzError *err)
{
	const DbmazzColumnDesc *column = &desc->columns[i];
	bool		is_key = (column->flags & DBMAZZ_COLUMN_KEY) != 0;

	if (!is_text(desc, column->name))
		return malformed(err, desc, &column->name, "column name");
	if (column->source >= DBMAZZ_MAX_VALUES)
		return malformed(err, desc, &column->source, "source position");
	if (column->value_class > DBMAZZ_LAST_VALUE_CLASS)
		return malformed(err, desc, &column->value_class, "value class");
	if (is_key != (i < desc->nkeys))
		return malformed(err, desc, &column->flags, "order of key columns");
	return DBMAZZ_OK;
}

DbmazzStatus
dbmazz_desc_check(const void *block, uint32_t size, DbmazzError *err)
{
	const DbmazzTableDesc *desc = block;
	uint32_t	i;

	if ((uintptr_t) block % sizeof(uint32_t) != 0)
		return malformed(err, block, block, "alignment");
	if (size < sizeof(DbmazzTableDesc))
		return dbmazz_error_set(err, DBMAZZ_ERR_TRUNCATED, size,
								"table description ends inside its header");
	if (desc->size != size)
		return malformed(err, block, &desc->size, "size");
	if (desc->ncolumns == 0 || desc->ncolumns > DBMAZZ_MAX_VALUES)
		return malformed(err, block, &desc->ncolumns, "number of columns");
	if (desc->nkeys > desc->ncolumns ||
		(desc->nkeys > 0 && (desc->flags & DBMAZZ_TABLE_LOG) != 0))
		return malformed(err, block, &desc->nkeys, "number of key columns");
	if (desc->ntable_columns < desc->ncolumns ||
		desc->ntable_columns > DBMAZZ_MAX_VALUES)
		return malformed(err, block, &desc->ntable_columns,
						 "number of table columns");
	if (size < header_size(desc->ncolumns))
		return dbmazz_error_set(err, DBMAZZ_ERR_TRUNCATED, size,
								"table description ends inside its columns");

	if (!is_text(desc, desc->schema))
		return malformed(err, block, &desc->schema, "schema name");
	if (!is_text(desc, desc->table))
		return malformed(err, block, &desc->table, "table name");
	if (!is_text(desc, desc->target))
		return malformed(err, block, &desc->target, "target name");
	for (i = 0; i < desc->ncolumns; i++)
	{
		DbmazzStatus status = check_column(desc, i, err);

		if (status != DBMAZZ_OK)
			return status;
	}
	return DBMAZZ_OK;
}

bool
dbmazz_desc_same(const DbmazzTableDesc *a, const DbmazzTableDesc *b)
{
	DbmazzTableDesc ha;
	DbmazzTableDesc hb;

	if (a->size != b->size)
		return false;
	memcpy(&ha, a, sizeof(ha));
	memcpy(&hb, b, sizeof(hb));
	ha.generation = hb.generation = 0;
	return memcmp(&ha, &hb, sizeof(ha)) == 0 &&
		memcmp((const char *) a + sizeof(ha), (const char *) b + sizeof(hb),
			   a->size - sizeof(ha)) == 0;
}

static inline uint32_t
text_size(const DbmazzTableDesc *desc, uint32_t offset)
{
	return (uint32_t) strlen(dbmazz_desc_text(desc, offset)) + 1;
}

/* Not 'full->size': texts of 'full' may share their bytes, copies do not. */
uint32_t
dbmazz_desc_subset_size(const DbmazzTableDesc *full)
{
	uint32_t	size = header_size(full->ncolumns);
	uint32_t	i;

	size += text_size(full, full->schema);
	size += text_size(full, full->table);
	size += text_size(full, full->target);
	for (i = 0; i < full->ncolumns; i++)
		size += text_size(full, full->columns[i].name);
	return size;
}

/* Append a text of 'full'; returns its offset in 'out'. */
static uint32_t
copy_text(DbmazzTableDesc *out, const DbmazzTableDesc *full, uint32_t offset)
{
	uint32_t	len = text_size(full, offset);
	uint32_t	at = out->size;

	memcpy((char *) out + at, dbmazz_desc_text(full, offset), len);
	out->size += len;
	return at;
}

void
dbmazz_desc_subset(const DbmazzTableDesc *full, const bool *keep,
				   uint32_t generation, DbmazzTableDesc *out)
{
	uint32_t	i;

	*out = *full;
	out->generation = generation;
	out->flags |= DBMAZZ_TABLE_PARTIAL;
	out->ncolumns = 0;
	for (i = 0; i < full->ncolumns; i++)
	{
		if (i < full->nkeys || keep[i])
			out->columns[out->ncolumns++] = full->columns[i];
	}

	out->size = header_size(out->ncolumns);
	out->schema = copy_text(out, full, full->schema);
	out->table = copy_text(out, full, full->table);
	out->target = copy_text(out, full, full->target);
	for (i = 0; i < out->ncolumns; i++)
		out->columns[i].name = copy_text(out, full, out->columns[i].name);
}
