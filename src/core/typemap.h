/*
 * typemap.h
 *		What becomes of each PostgreSQL type: how a value is sent, and the
 *		StarRocks type that holds it.
 */
#ifndef DBMAZZ_TYPEMAP_H
#define DBMAZZ_TYPEMAP_H

#include "core/tabledesc.h"

typedef struct DbmazzType
{
	uint32_t	typid;			/* pg_type.oid of a built-in type */
	const char *name;			/* as format_type() shows it */
	uint8_t		value_class;	/* DbmazzValueClass */
	bool		can_be_key;		/* as it is; else a key is sent as VARCHAR */
	const char *target;			/* StarRocks type for values, without typmod */
} DbmazzType;

/* The row for a type; for a type that has none (extension types, enums,
 * composites, arrays, ranges), the row of text.  Never NULL. */
extern const DbmazzType *dbmazz_type_lookup(uint32_t typid);

/*
 * Write the StarRocks column type for a column into 'out' (terminated, cut to
 * fit): DECIMAL(p,s) from the typmod of numeric, VARCHAR(n) in bytes (4 per
 * character, at most 1048576) from that of char and varchar, STRING without
 * one; for key columns a type that StarRocks allows as a key.  Returns false
 * if a key column's type can never be a key (json), with 'out' empty.
 */
extern bool dbmazz_type_target(uint32_t typid, int32_t typmod, bool is_key,
							   char *out, size_t outlen);

/* All rows, for the generated documentation. */
extern const DbmazzType *dbmazz_type_table(int *count);

#endif							/* DBMAZZ_TYPEMAP_H */
