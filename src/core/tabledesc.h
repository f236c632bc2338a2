/*
 * tabledesc.h
 *		The table description that every batch starts with.
 *
 * NOTES
 *	  The decoder makes it from the historic catalog when pgoutput sends a
 *	  Relation message, because that message alone is not enough: under REPLICA
 *	  IDENTITY FULL every column bears the key flag, and nothing tells NOT
 *	  NULL.  So whoever ships a batch needs no catalog.
 *
 *	  It is one block of 'size' bytes without pointers (names are offsets from
 *	  its start), so it can be copied into a batch and out of it.  Names are
 *	  UTF-8, terminated by a zero byte.
 */
#ifndef DBMAZZ_TABLEDESC_H
#define DBMAZZ_TABLEDESC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define DBMAZZ_MAX_COLUMNS	1600	/* MaxHeapAttributeNumber of the server */
#define DBMAZZ_MAX_VALUES	1608	/* with those of audit.h */

/* How a value of pgoutput's text form is written; see typemap.h. */
typedef enum DbmazzValueClass
{
	DBMAZZ_VALUE_STRING = 0,	/* any text, sent as a JSON string */
	DBMAZZ_VALUE_BOOL,			/* t or f */
	DBMAZZ_VALUE_INTEGER,		/* digits with a sign */
	DBMAZZ_VALUE_DECIMAL,		/* numeric for DECIMAL; NaN does not fit */
	DBMAZZ_VALUE_FLOAT,			/* float8; NaN and infinities do not fit */
	DBMAZZ_VALUE_DATE,			/* infinity, BC, year > 9999 do not fit */
	DBMAZZ_VALUE_TIMESTAMP,		/* likewise */
	DBMAZZ_VALUE_TIMESTAMPTZ,	/* likewise; in UTC, the offset is cut off */
	DBMAZZ_VALUE_BYTEA,			/* hex with leading \x, sent as bare hex */
	DBMAZZ_VALUE_JSON,			/* valid JSON, embedded as it is */
	DBMAZZ_VALUE_REAL,			/* float4; NaN and infinities do not fit */
	DBMAZZ_VALUE_CHAR			/* "char": one byte, that need not be a
								 * character */
} DbmazzValueClass;

#define DBMAZZ_LAST_VALUE_CLASS	DBMAZZ_VALUE_CHAR

#define DBMAZZ_COLUMN_KEY		0x01	/* part of the target's primary key */
#define DBMAZZ_COLUMN_NOT_NULL	0x02
#define DBMAZZ_COLUMN_IDENTITY	0x04	/* in the source's replica identity */
#define DBMAZZ_COLUMN_SORT		0x08	/* in the sort key of a change log */

typedef struct DbmazzColumnDesc
{
	uint32_t	name;			/* offset of the column's name */
	uint32_t	typid;			/* type of the column */
	uint32_t	basetypid;		/* the same without domains */
	int32_t		typmod;			/* of the base type, -1 if none */
	int16_t		attnum;			/* 0: none of the source, see audit.h */
	uint16_t	source;			/* position in pgoutput's tuples, from 0 */
	uint8_t		value_class;	/* DbmazzValueClass */
	uint8_t		flags;			/* DBMAZZ_COLUMN_* */
	uint16_t	reserved;
} DbmazzColumnDesc;

#define DBMAZZ_TABLE_PARTIAL	0x01	/* some columns only: partial update */
#define DBMAZZ_TABLE_LOG		0x02	/* every row is added to a target without
									 * a primary key: no key columns here */
#define DBMAZZ_TABLE_UNREADABLE	0x04	/* the pipeline's owner could not read it
										 * when the changes were made */
#define DBMAZZ_TABLE_CSV		0x08	/* rows are CSV, else JSON; see batch.h */

typedef struct DbmazzTableDesc
{
	uint32_t	size;			/* bytes of the whole block */
	uint32_t	relid;
	uint32_t	generation;		/* new for every description of this life */
	uint32_t	schema;			/* offset of the source schema's name */
	uint32_t	table;			/* offset of the source table's name */
	uint32_t	target;			/* offset of the target table's name */
	uint16_t	ncolumns;		/* columns in every row of the batch, in the
								 * order of the encoded row: keys first */
	uint16_t	nkeys;
	uint16_t	flags;			/* DBMAZZ_TABLE_* */
	uint16_t	ntable_columns; /* columns of the full description */
	uint32_t	member;			/* pg_publication_rel.oid of the table, 0: none;
								 * another one may have another row filter */
	DbmazzColumnDesc columns[];
} DbmazzTableDesc;

static inline const char *
dbmazz_desc_text(const DbmazzTableDesc *desc, uint32_t offset)
{
	return (const char *) desc + offset;
}

/*
 * Check that a block of 'size' bytes, aligned for uint32, is a well-formed
 * description: all offsets inside, all names terminated, counts that fit, at
 * least one column, every source position below DBMAZZ_MAX_VALUES, the first
 * 'nkeys' columns and no others with DBMAZZ_COLUMN_KEY.  Never throws.
 */
extern DbmazzStatus dbmazz_desc_check(const void *block, uint32_t size,
									  DbmazzError *err);

/* Are they the same, apart from the generation? */
extern bool dbmazz_desc_same(const DbmazzTableDesc *a,
							 const DbmazzTableDesc *b);

/* Bytes that dbmazz_desc_subset() may need, whatever is kept. */
extern uint32_t dbmazz_desc_subset_size(const DbmazzTableDesc *full);

/*
 * Make, in 'out' (dbmazz_desc_subset_size() bytes), the description of a
 * partial update: the key columns and those whose 'keep[i]' is true, i
 * counting the columns of 'full' in their order there.  Never throws.
 */
extern void dbmazz_desc_subset(const DbmazzTableDesc *full, const bool *keep,
							   uint32_t generation, DbmazzTableDesc *out);

#endif							/* DBMAZZ_TABLEDESC_H */
