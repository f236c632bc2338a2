/*
 * ddl.h
 *		Statements for an operator to run in StarRocks.
 */
#ifndef DBMAZZ_SR_DDL_H
#define DBMAZZ_SR_DDL_H

#include "core/tabledesc.h"
#include "dbmazz_sink.h"
#include "sinks/starrocks/answer.h"

/* See ddl() in dbmazz_sink.h. */
extern size_t dbmazz_sr_ddl(const char *target, const DbmazzDdlColumn *columns,
							int ncolumns, bool is_log, char *out, size_t len,
							DbmazzError *err);

/*
 * Set the hint of an error about a whole table: how to make it, or where to get
 * the statement if that is too long for a hint or the batch does not have all
 * columns.
 */
extern void dbmazz_sr_hint_create(DbmazzError *err, const char *database,
								  const DbmazzTableDesc *desc);

/* The hint for columns of the batch that the target lacks ('missing[i]'). */
extern void dbmazz_sr_hint_add_columns(DbmazzError *err, const char *database,
									   const DbmazzTableDesc *desc,
									   const bool *missing);

/*
 * The hint for a column that is too narrow in the target, or does not allow NULL
 * there: make it what target_ddl says, or that and nullable.
 */
extern void dbmazz_sr_hint_modify(DbmazzError *err, const char *database,
								  const DbmazzTableDesc *desc, int column,
								  bool nullable);

/* The hint that fits what the server complained about, if there is one. */
extern void dbmazz_sr_hint_reason(DbmazzError *err, DbmazzSrReason reason,
								  const char *database,
								  const DbmazzTableDesc *desc);

#endif							/* DBMAZZ_SR_DDL_H */
