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
	DBMAZZ_FAST_BYTEA,
	/* those below are no elements of _ARRAY */
	DBMAZZ_FAST_ARRAY,
	DBMAZZ_FAST_JSONB,
	DBMAZZ_FAST_ENUM
} DbmazzFastKind;

/* The elements of an array. */
typedef struct DbmazzFastElement
{
	DbmazzFastKind kind;
	Oid			typid;
	int16		len;
	bool		by_value;
	char		align;
} DbmazzFastElement;

/* The first label of an enum that was seen for a place; forgotten with the column. */
#define DBMAZZ_FAST_NLABELS	16

typedef struct DbmazzFastLabel
{
	Oid			value;			/* invalid: none */
	uint32		len;
	NameData	name;
} DbmazzFastLabel;

typedef struct DbmazzFastColumn
{
	int			index;			/* in the tuple, from 0 */
	bool		is_varlena;
	DbmazzFastKind kind;
	Oid			output;
	FmgrInfo   *call;			/* DBMAZZ_FAST_CACHED, and the odd value of
								 * _ARRAY, _JSONB and _ENUM */
	DbmazzFastElement *element; /* DBMAZZ_FAST_ARRAY */
	DbmazzFastLabel *labels;	/* DBMAZZ_FAST_ENUM: DBMAZZ_FAST_NLABELS of them */
	HTAB	   *needed;			/* of DbmazzFastNeed: labels are added */
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
 * How the text of a type with this output function is made.  Reads catalogs, and adds
 * what it has read there to 'needed'.
 */
extern DbmazzFastKind dbmazz_texts_kind(Oid output, Oid typid, HTAB *needed);

/*
 * The same for a column, and what that takes.  'cxt' and 'needed' have to live as long
 * as the column.
 */
extern void dbmazz_texts_column(DbmazzFastColumn *column,
								Form_pg_attribute att, MemoryContext cxt,
								HTAB *needed);

/* Add the row with this OID, of a cache that has OIDs as keys. */
extern void dbmazz_texts_need(HTAB *needed, int cache, Oid oid);

/* Set data and len of a value that is there.  May longjmp. */
extern void dbmazz_texts_value(DbmazzTexts *texts, DbmazzFastColumn *column,
							   Datum datum, DbmazzValue *value);

/*
 * The text of a value of a kind that elements of _ARRAY have: in 'out',
 * which has DBMAZZ_PGTEXT_ROOM bytes, or elsewhere; the current context has what is
 * allocated.  May longjmp.
 */
extern void dbmazz_texts_plain(DbmazzFastKind kind, Datum datum, char *out,
							   DbmazzValue *value);

/* Forget the texts of a change. */
extern void dbmazz_texts_reset(DbmazzTexts *texts);

/* ---- fastpath_arrays.c --------------------------------------------------- */

/*
 * The elements, in 'cxt', if text of arrays of this type can be made here, or NULL.
 * Reads catalogs; what it depends on beside the element's kind is never changed, or
 * has been added to 'needed' for the array.
 */
extern DbmazzFastElement *dbmazz_arrays_element(Oid typid, MemoryContext cxt,
												HTAB *needed);

/*
 * Set data and len, which the current context has; false: an array of several
 * dimensions, or one that does not begin with 1.  May longjmp.
 */
extern bool dbmazz_arrays_value(const DbmazzFastElement *element, Datum datum,
								DbmazzValue *value);

#endif							/* DBMAZZ_FASTPATH_PRIVATE_H */
