/*
 * names.c
 *		Names that cannot be those of a target.
 *
 * NOTES
 *	  Only what would do harm if it were sent.  Which other names StarRocks takes
 *	  depends on its version, and it says so itself.
 */
#include "sinks/starrocks/names.h"

#include <string.h>
#include <strings.h>

#include "sinks/starrocks/text.h"

/* The server takes a field of this name for the operation of the row. */
#define OP_FIELD	"__op"

bool
dbmazz_sr_check_table_name(const char *name, DbmazzError *err)
{
	/*
	 * The name is a part of a URL's path, which servers cut at slashes after
	 * they have decoded it; and "." and ".." are not for names there.
	 */
	if (strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0 && dbmazz_sr_is_clean(name))
		return true;
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "rows cannot be sent to a table with the name \"%s\"",
					 name);
	dbmazz_error_detail(err, "The name has a slash or a control character, or "
						"consists of dots.");
	dbmazz_error_hint(err, "Rename the table, or take it out of the "
					  "publication.");
	return false;
}

bool
dbmazz_sr_check_column_name(const char *table, const char *name,
							DbmazzError *err)
{
	if (strcasecmp(name, OP_FIELD) == 0)
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "column \"%s\" of table \"%s\" has a name that "
						 "StarRocks reserves", name, table);
	else if (!dbmazz_sr_is_clean(name))
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "a column of table \"%s\" has a control character in "
						 "its name", table);
	else
		return true;
	dbmazz_error_hint(err, "Rename the column, or leave it out of the "
					  "publication by a column list.");
	return false;
}

void
dbmazz_sr_hint_row_name(DbmazzError *err)
{
	char		hint[DBMAZZ_ERROR_HINT];

	strcpy(hint, err->hint);
	dbmazz_error_hint(err, "This pipeline cannot get past the row, for it sees "
					  "the table and the publication as they were then. %s "
					  "Then drop the pipeline, create it again, and load the "
					  "table anew.", hint);
}

bool
dbmazz_sr_check_two_names(const char *table, const char *one,
						  const char *other, DbmazzError *err)
{
	if (strcasecmp(one, other) != 0)
		return true;
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "columns \"%s\" and \"%s\" of table \"%s\" are one in "
					 "StarRocks", one, other, table);
	dbmazz_error_detail(err, "It does not tell upper from lower case.");
	dbmazz_error_hint(err, "Rename one of them, or leave it out of the "
					  "publication by a column list.");
	return false;
}
