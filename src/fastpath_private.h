/*
 * fastpath_private.h
 *		Text of a tuple's values, for the fast path.
 */
#ifndef DBMAZZ_FASTPATH_PRIVATE_H
#define DBMAZZ_FASTPATH_PRIVATE_H

#include "catalog/pg_attribute.h"
#include "core/pgoutput.h"
#include "fmgr.h"
#include "utils/hsearch.h"

/* How the text of a column's values is made. */
typedef enum DbmazzFastKind
{
	DBMAZZ_FAST_CALL = 0,		/* its output function, looked up each time */
	DBMAZZ_FAST_CACHED,			/* its output function, looked up once */
	DBMAZZ_FAST_TEXT,			/* the bytes themselves */
	DBMAZZ_FAST_BOOL,
	DBMAZZ_FAST_INT2,
	DBMAZZ_FAST_INT4,
	DBMAZZ_FAST_INT8,
	DBMAZZ_FAST_OID,
	DBMAZZ_FAST_FLOAT4,
	DBMAZZ_FAST_FLOAT8,
	DBMAZZ_FAST_NUMERIC,
	DBMAZZ_FAST_DATE,
	DBMAZZ_FAST_TIME,
	DBMAZZ_FAST_TIMESTAMP,
	DBMAZZ_FAST_TIMESTAMPTZ,
	DBMAZZ_FAST_UUID,
	DBMAZZ_FAST_BYTEA
} DbmazzFastKind;

typedef struct DbmazzFastColumn
{
	int			index;			/* in the tuple, from 0 */
	bool		is_varlena;
	DbmazzFastKind kind;
	Oid			output;
	FmgrInfo   *call;			/* DBMAZZ_FAST_CACHED */
} DbmazzFastColumn;

/*
 * A row of a catalog that something was learned from, as invalidations name it; they
 * are kept in a hash table without anything else.
 */
typedef struct DbmazzFastNeed
{
	int32		cache;			/* SysCacheIdentifier */
	uint32		hash;
} DbmazzFastNeed;

/* Where the texts of one change are. */
typedef struct DbmazzTexts
{
	char	   *room;			/* DBMAZZ_PGTEXT_ROOM for each value of a change */
	char	   *next;
	MemoryContext cxt;			/* of larger ones */
} DbmazzTexts;

extern void dbmazz_texts_init(DbmazzTexts *texts, MemoryContext parent);

/*
 * Find out how; reads catalogs, and adds what it has read there to 'needed'.  'cxt'
 * has to live as long as the column.
 */
extern void dbmazz_texts_column(DbmazzFastColumn *column,
								Form_pg_attribute att, MemoryContext cxt,
								HTAB *needed);

/* Add the row with this OID, of a cache that has OIDs as keys. */
extern void dbmazz_texts_need(HTAB *needed, int cache, Oid oid);

/* Set data and len of a value that is there.  May longjmp. */
extern void dbmazz_texts_value(DbmazzTexts *texts, DbmazzFastColumn *column,
							   Datum datum, DbmazzValue *value);

/* Forget the texts of a change. */
extern void dbmazz_texts_reset(DbmazzTexts *texts);

#endif							/* DBMAZZ_FASTPATH_PRIVATE_H */
