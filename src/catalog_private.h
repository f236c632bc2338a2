/*
 * catalog_private.h
 *		Statements on the catalogs, as the files catalog*.c write them.
 *
 * NOTES
 *	  query_begin(); add_*() for $1, $2, ... in turn; run(); get_*() for each row;
 *	  query_end().  In between the process acts as the owner of the tables (see
 *	  dbmazz_catalog_enter()).  What get_text() returns outlives the statement:
 *	  it is in the context that was current when it began.
 */
#ifndef DBMAZZ_CATALOG_PRIVATE_H
#define DBMAZZ_CATALOG_PRIVATE_H

#include "catalog.h"
#include "catalog/pg_type.h"
#include "encoding.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

#define MAX_ARGS	12

/*
 * Between enter and leave the process acts as the owner of the extension's
 * tables with search_path = pg_catalog, pg_temp: a caller of the SQL functions
 * has rights on these only, and a search_path of his own.  An error in between
 * undoes both with the transaction.
 */
typedef struct DbmazzCatalogScope
{
	Oid			user;
	int			security_context;
	int			settings_level;
} DbmazzCatalogScope;

extern void dbmazz_catalog_enter(DbmazzCatalogScope *scope);
extern void dbmazz_catalog_leave(const DbmazzCatalogScope *scope);

/* A statement under way: scope, arguments, where results go. */
typedef struct Statement
{
	DbmazzCatalogScope scope;
	MemoryContext cxt;
	int			nargs;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];
} Statement;

static inline void
query_begin(Statement *q)
{
	q->nargs = 0;
	q->cxt = CurrentMemoryContext;
	dbmazz_catalog_enter(&q->scope);
	SPI_connect();
}

static inline void
query_end(Statement *q)
{
	SPI_finish();
	dbmazz_catalog_leave(&q->scope);
}

static inline void
add_arg(Statement *q, Oid type, Datum value, bool isnull)
{
	Assert(q->nargs < MAX_ARGS);
	q->types[q->nargs] = type;
	q->values[q->nargs] = value;
	q->nulls[q->nargs] = isnull ? 'n' : ' ';
	q->nargs++;
}

static inline void
add_int(Statement *q, int32 value)
{
	add_arg(q, INT4OID, Int32GetDatum(value), false);
}

static inline void
add_bigint(Statement *q, uint64 value)
{
	add_arg(q, INT8OID, Int64GetDatum((int64) value), false);
}

static inline void
add_lsn(Statement *q, XLogRecPtr value)
{
	add_arg(q, PG_LSNOID, LSNGetDatum(value), XLogRecPtrIsInvalid(value));
}

/* Two arguments, both NULL if there is none. */
static inline void
add_mark(Statement *q, const DbmazzMark *mark)
{
	add_lsn(q, mark->lsn);
	add_arg(q, INT8OID, Int64GetDatum((int64) mark->row),
			XLogRecPtrIsInvalid(mark->lsn));
}

static inline void
add_text(Statement *q, const char *value)
{
	add_arg(q, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0,
			value == NULL);
}

/* A text that is UTF-8 here: the name of a target, or of an error record. */
static inline void
add_utf8(Statement *q, const char *value)
{
	add_text(q, value ? dbmazz_from_utf8(value) : NULL);
}

/* Run the statement, which must end with 'expected'; returns its rows. */
static inline uint64
run(Statement *q, const char *sql, int expected)
{
	int			rc = SPI_execute_with_args(sql, q->nargs, q->types, q->values,
										   q->nulls, false, 0);

	if (rc != expected)
		elog(ERROR, "unexpected result %s of a statement on the catalogs",
			 SPI_result_code_string(rc));
	return SPI_processed;
}

extern DbmazzSlotState dbmazz_slot_state_from_text(const char *text);

/* Run the statement, whose rows nobody wants, and end it. */
static inline void
run_alone(Statement *q, const char *sql, int expected)
{
	(void) run(q, sql, expected);
	query_end(q);
}

static inline Datum
get_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

static inline char *
get_text(Statement *q, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row],
									 SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(q->cxt, value) : NULL;
}

static inline char *
get_utf8(Statement *q, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row],
									 SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(q->cxt, dbmazz_to_utf8(value)) : NULL;
}

static inline int32
get_int(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

static inline uint64
get_bigint(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? 0 : (uint64) DatumGetInt64(value);
}

static inline XLogRecPtr
get_lsn(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? InvalidXLogRecPtr : DatumGetLSN(value);
}

/* Add what was made of a row to the list that outlives the statement. */
static inline List *
list_row(Statement *q, List *list, void *row)
{
	MemoryContext old = MemoryContextSwitchTo(q->cxt);

	list = lappend(list, row);
	MemoryContextSwitchTo(old);
	return list;
}

/* NULL is 0. */
static inline TimestampTz
get_time(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

#endif							/* DBMAZZ_CATALOG_PRIVATE_H */
