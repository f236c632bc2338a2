/*
 * one_row.h
 *		The ways of a row into a batch that need no server, for time_row.c.
 *
 * NOTES
 *	  Apart from that, for the tests' helpers and the server have types of one name.
 */
#ifndef DBMAZZ_BENCH_ONE_ROW_H
#define DBMAZZ_BENCH_ONE_ROW_H

#include "core/rowplan.h"

typedef struct OneRow OneRow;

typedef struct OneRowColumn
{
	const char *name;
	uint8_t		value_class;	/* DbmazzValueClass */
} OneRowColumn;

/*
 * Rows that fill a batch, made of 'nrows' rows of texts, one after another and again;
 * only the key, the first column, is another one in each: 'digits' digits.  All that is
 * given must live as long.  From malloc().
 */
extern OneRow *one_row_create(const OneRowColumn *columns, uint32_t ncolumns,
							  const DbmazzValue *texts, uint32_t nrows,
							  uint32_t max_rows, uint64_t max_bytes);
extern void one_row_free(OneRow *rows);

/* How many rows fill the batch. */
extern uint32_t one_row_count(const OneRow *rows);

/* Only this many keys, in turns; 0: another one in each row. */
extern void one_row_set_keys(OneRow *rows, uint32_t nkeys);

/* Row i of the batch; until the next call. */
extern const DbmazzRowSource *one_row_source(OneRow *rows, uint32_t i);
extern const DbmazzRowPlan *one_row_plan(const OneRow *rows);

typedef uint64_t (*OneRowRun) (OneRow *rows);

/*
 * One way, for all rows; a run returns something, so that no work is left out.
 * '*prepare', if it is not NULL, is to be called before each run.  NULL: there is no
 * such way.
 */
extern OneRowRun one_row_way(const char *name, OneRowRun *prepare);

#endif							/* DBMAZZ_BENCH_ONE_ROW_H */
