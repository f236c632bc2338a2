/*
 * schema.h
 *		A target table's columns, as the frontend tells them.
 */
#ifndef DBMAZZ_SR_SCHEMA_H
#define DBMAZZ_SR_SCHEMA_H

#include "core/tabledesc.h"
#include "http/http.h"
#include "sinks/starrocks/answer.h"

/* Kinds of column types, as far as they make a difference to us. */
typedef enum DbmazzSrType
{
	DBMAZZ_SR_TYPE_OTHER,		/* what we do not know */
	DBMAZZ_SR_TYPE_INTEGER,		/* of any width */
	DBMAZZ_SR_TYPE_DECIMAL,
	DBMAZZ_SR_TYPE_FLOAT,
	DBMAZZ_SR_TYPE_DOUBLE,
	DBMAZZ_SR_TYPE_BOOLEAN,
	DBMAZZ_SR_TYPE_STRING,
	DBMAZZ_SR_TYPE_DATE,
	DBMAZZ_SR_TYPE_DATETIME,
	DBMAZZ_SR_TYPE_BINARY,
	DBMAZZ_SR_TYPE_JSON,
	DBMAZZ_SR_TYPE_NESTED		/* arrays, maps and structs */
} DbmazzSrType;

typedef struct DbmazzSrColumn
{
	const char *name;
	DbmazzSrType type;
	int			scale;			/* of DECIMAL; -1: not known */
	double		number;			/* one that is added again has another one; -1:
								 * not known */
	bool		is_key;
	bool		is_nullable;
	bool		has_default;	/* or is filled by the server in other ways */
} DbmazzSrColumn;

/* Ways to ask for a schema, best first. */
typedef enum DbmazzSrSchemaSource
{
	DBMAZZ_SR_SCHEMA_V2,		/* GET /api/v2/catalogs/.../schema */
	DBMAZZ_SR_SCHEMA_SQL,		/* information_schema over the SQL endpoint */
	DBMAZZ_SR_SCHEMA_OLD,		/* GET /api/db/table/_schema: names and types */
	DBMAZZ_SR_SCHEMA_SOURCES
} DbmazzSrSchemaSource;

typedef struct DbmazzSrSchema
{
	DbmazzSrSchemaSource source;
	double		number;			/* one that is made anew has another one; 0: not
								 * known */
	bool		keys_known;		/* is_key and is_primary mean something */
	bool		nulls_known;	/* is_nullable and has_default do */
	bool		is_primary;		/* a Primary Key table */
	bool		is_duplicate;	/* a Duplicate Key table */
	int			ncolumns;
	DbmazzSrColumn columns[];	/* names follow in the same block */
} DbmazzSrSchema;

typedef enum DbmazzSrSchemaResult
{
	DBMAZZ_SR_SCHEMA_READ,
	DBMAZZ_SR_SCHEMA_NO_WAY,	/* the server does not know this way */
	DBMAZZ_SR_SCHEMA_ERROR		/* verdict and err tell */
} DbmazzSrSchemaResult;

/*
 * Read an answer.  The schema is one malloc'ed block for the caller to free.
 * Never throws.
 */
extern DbmazzSrSchemaResult dbmazz_sr_schema_read(DbmazzSrSchemaSource source,
												  const DbmazzHttpAnswer *answer,
												  DbmazzSrSchema **schema,
												  DbmazzSrVerdict *verdict,
												  DbmazzError *err);

/* The schema of a table made by our own DDL; NULL if out of memory. */
extern DbmazzSrSchema *dbmazz_sr_schema_assume(const DbmazzTableDesc *desc);

/* Is everything the same that they tell? */
extern bool dbmazz_sr_schema_equal(const DbmazzSrSchema *a,
								   const DbmazzSrSchema *b);

/*
 * Take over the numbers that only 'known' has, an older one of the same table, where
 * all else that is told of the columns is the same; and its source, if that is better.
 */
extern void dbmazz_sr_schema_keep_numbers(DbmazzSrSchema *schema,
										  const DbmazzSrSchema *known);

/* NULL if there is none of exactly this name. */
extern const DbmazzSrColumn *dbmazz_sr_schema_find(const DbmazzSrSchema *schema,
												   const char *name);

#endif							/* DBMAZZ_SR_SCHEMA_H */
