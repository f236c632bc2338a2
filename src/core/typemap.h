/*
 * typemap.h
 *		What becomes of each PostgreSQL type: how a value is sent, and the
 *		StarRocks type that holds it.
 */
#ifndef DBMAZZ_TYPEMAP_H
#define DBMAZZ_TYPEMAP_H

#include "core/tabledesc.h"

/* A type of the target alone, for columns that no source has (audit.h). */
#define DBMAZZ_TYPE_TINYINT		1

typedef struct DbmazzType
{
	uint32_t	typid;			/* pg_type.oid of a built-in type */
	const char *name;			/* as format_type() shows it */
	uint8_t		value_class;	/* DbmazzValueClass, where it is no key */
	bool		can_be_key;		/* as it is; else a key is sent as VARCHAR */
	const char *target;			/* StarRocks type for values, without typmod */
	const char *remark;			/* for the documentation, or NULL */
} DbmazzType;

/* How the values of a class are sent, for the documentation: sentences. */
typedef struct DbmazzClassText
{
	const char *name;
	const char *form;			/* in a body of JSON */
	const char *unfit;			/* what StarRocks cannot hold, or NULL */
	const char *clamp;			/* what "clamp" makes of that */
} DbmazzClassText;

/* Types that are no rows of the table. */
typedef struct DbmazzOtherType
{
	const char *name;
	const char *target;			/* NULL: as the type below it */
	const char *remark;
} DbmazzOtherType;

/* The row for a type; for a type that has none (extension types, enums,
 * composites, arrays, ranges), the row of text.  Never NULL. */
extern const DbmazzType *dbmazz_type_lookup(uint32_t typid);

/*
 * The DbmazzValueClass of a column: that of its type, but the text of a number
 * goes to a target that is a text, which is one for keys and for numeric that
 * DECIMAL cannot hold.
 */
extern uint8_t dbmazz_type_class(uint32_t typid, int32_t typmod, bool is_key);

/*
 * Write the StarRocks column type for a column into 'out' (terminated, cut to
 * fit): DECIMAL(p,s) from the typmod of numeric, VARCHAR(n) in bytes (4 per
 * character, at most 1048576) from that of char and varchar, STRING or
 * VARCHAR(1048576) without one; for key columns a type that StarRocks allows as
 * a key.  Returns false if a key column's type can never be a key (json), with
 * 'out' empty.
 */
extern bool dbmazz_type_target(uint32_t typid, int32_t typmod, bool is_key,
							   char *out, size_t outlen);

/*
 * May a column be NOT NULL in the target where it is in the source?  Not json:
 * the document null is NULL there.
 */
extern bool dbmazz_type_keeps_not_null(uint32_t typid);

/* The longest text of a class that those types take, in bytes as PostgreSQL
 * writes it; UINT32_MAX: all are short enough. */
extern uint32_t dbmazz_value_limit(uint8_t value_class);

/* All rows, for the generated documentation. */
extern const DbmazzType *dbmazz_type_table(int *count);
extern const DbmazzOtherType *dbmazz_other_types(int *count);
extern const DbmazzClassText *dbmazz_class_text(uint8_t value_class);

#endif							/* DBMAZZ_TYPEMAP_H */
