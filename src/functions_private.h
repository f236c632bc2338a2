/*
 * functions_private.h
 *		What SQL functions on a pipeline begin with (functions.c).
 */
#ifndef DBMAZZ_FUNCTIONS_PRIVATE_H
#define DBMAZZ_FUNCTIONS_PRIVATE_H

#include "catalog.h"
#include "fmgr.h"

/* An argument of type name, palloc'd; an error if it is null. */
extern char *dbmazz_name_arg(FunctionCallInfo fcinfo, int n,
							 const char *arg_name);

/*
 * The pipeline, locked; an error if there is none, or if the caller is neither
 * its owner nor a superuser.
 */
extern DbmazzPipelineRow *dbmazz_own_pipeline(const char *name);

/*
 * Wait for some seconds until its workers have left; an error if they have not,
 * or if no stop is committed.  Afterwards none comes until the transaction ends.
 */
extern void dbmazz_wait_until_stopped(const DbmazzPipelineRow *row);

#endif							/* DBMAZZ_FUNCTIONS_PRIVATE_H */
