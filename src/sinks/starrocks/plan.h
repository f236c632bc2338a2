/*
 * plan.h
 *		How the rows of one table description go to one target table: after the
 *		two have been compared, the header "columns" and the end of deletes.
 */
#ifndef DBMAZZ_SR_PLAN_H
#define DBMAZZ_SR_PLAN_H

#include "core/body.h"
#include "core/tabledesc.h"
#include "sinks/starrocks/schema.h"

typedef struct DbmazzSrPlan
{
	int			refs;
	uint64_t	key;			/* hash of the description */
	char	   *columns;		/* value of the header "columns" */
	char	   *delete_tail;	/* see body.h */
	size_t		delete_tail_len;
	double		number;			/* of the target, and of each of these columns; as
								 * in DbmazzSrSchema */
	int			nnumbers;
	double		numbers[];
} DbmazzSrPlan;

extern uint64_t dbmazz_sr_plan_key(const DbmazzTableDesc *desc);

/*
 * Compare and make the plan; the caller holds the first reference.  NULL: err
 * tells what does not fit and, in its hint, the statement that repairs it.
 */
extern DbmazzSrPlan *dbmazz_sr_plan_create(const DbmazzTableDesc *desc,
										   const DbmazzSrSchema *schema,
										   const char *database,
										   DbmazzError *err);

/*
 * Of two plans for one description: do both send the same to the same columns?
 * One that was dropped in between and added again is another one, where the
 * server tells.  A number that one of the two does not know says nothing: of
 * frontends of several versions, one may tell it and another one not.
 */
extern bool dbmazz_sr_plan_equal(const DbmazzSrPlan *a, const DbmazzSrPlan *b);

/* Prepare the body of a load of this batch; the plan must outlive it. */
extern void dbmazz_sr_plan_body(const DbmazzSrPlan *plan,
								const DbmazzBatchView *batch,
								DbmazzBody *body);
extern void dbmazz_sr_plan_release(DbmazzSrPlan *plan);

#endif							/* DBMAZZ_SR_PLAN_H */
