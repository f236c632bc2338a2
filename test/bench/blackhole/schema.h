/*
 * schema.h
 *		The tables that the stand-in says it has.
 *
 * NOTES
 *	  One text per table: name=column:type[:key][:notnull],...  with the types
 *	  of StarRocks, for example
 *
 *		orders=id:BIGINT:key,note:VARCHAR(65533),total:DECIMAL(12,2):notnull
 *
 *	  A key column is never null.  The database is not looked at.
 */
#ifndef BH_SCHEMA_H
#define BH_SCHEMA_H

#include <stdbool.h>

#include "buffer.h"
#include "http.h"

/* Add a table; replaces one of the same name.  False: 'text' is not one. */
extern bool bh_schema_add(const char *text);

/* Add the tables of a file, one a line; '#' begins a comment. */
extern bool bh_schema_read(const char *path);

/* The result of the v2 schema endpoint; false if there is no such table. */
extern bool bh_schema_v2(BhBuffer *out, BhSpan table);

/* The same for _schema. */
extern bool bh_schema_v1(BhBuffer *out, BhSpan table);

#endif							/* BH_SCHEMA_H */
