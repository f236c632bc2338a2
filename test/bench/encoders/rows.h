/*
 * rows.h
 *		Rows of texts into batches, for time_encoders.c.
 *
 * NOTES
 *	  Apart from that, for the tests' helpers and the server have types of one name.
 */
#ifndef DBMAZZ_BENCH_ROWS_H
#define DBMAZZ_BENCH_ROWS_H

#include <stdbool.h>

#include "core/batch.h"
#include "core/rowplan.h"

typedef DbmazzStatus (*EncodeRow) (DbmazzBatchWriter *, const DbmazzRowPlan *,
								   const DbmazzRowSource *, DbmazzRowKey *,
								   DbmazzError *);

/* For dbmazz_batch_begin(), of a Pool: as it is, for to fill it would take time. */
extern DbmazzSegment *bench_take_segment(void *arg, uint32_t *index);

/* Columns of a row, all of one type. */
#define BENCH_NCOLUMNS	16

typedef struct BenchRows BenchRows;

/* For a DbmazzValueClass.  From malloc(). */
extern BenchRows *bench_rows_create(uint8_t value_class);
extern void bench_rows_free(BenchRows *rows);

/* Can CSV carry the class? */
extern bool bench_rows_have_csv(const BenchRows *rows);

/*
 * Encode 'n' texts, BENCH_NCOLUMNS in a row; returns the number of bytes.  Ends the
 * program if one cannot be encoded.
 */
extern uint64_t bench_rows_json(BenchRows *rows, const DbmazzValue *texts,
								int n);
extern uint64_t bench_rows_csv(BenchRows *rows, const DbmazzValue *texts,
							   int n);

#endif							/* DBMAZZ_BENCH_ROWS_H */
