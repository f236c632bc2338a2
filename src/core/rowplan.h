/*
 * rowplan.h
 *		What the encoders of rows know of a table and of a row: which columns,
 *		where their values are, and the key.
 */
#ifndef DBMAZZ_ROWPLAN_H
#define DBMAZZ_ROWPLAN_H

#include "core/batch.h"
#include "core/pgoutput.h"
#include "core/policy.h"

typedef struct DbmazzRowColumn
{
	uint32_t	label;			/* offset of the text  ,"name":  in the plan;
								 * the first column's begins with '{' */
	uint32_t	label_len;
	uint16_t	source;			/* position in pgoutput's tuples */
	uint8_t		value_class;	/* DbmazzValueClass */
	uint8_t		flags;			/* DBMAZZ_COLUMN_* */
} DbmazzRowColumn;

/* All about a table's column set that does not change from row to row. */
typedef struct DbmazzRowPlan
{
	uint32_t	size;			/* bytes of the whole block */
	uint16_t	ncolumns;
	uint16_t	nkeys;
	uint8_t		unrepresentable;	/* DbmazzUnrepresentable */
	DbmazzRowColumn columns[]; /* key columns first; then the labels */
} DbmazzRowPlan;

extern uint32_t dbmazz_row_plan_size(const DbmazzTableDesc *desc);
extern void dbmazz_row_plan_init(DbmazzRowPlan *plan,
								 const DbmazzTableDesc *desc,
								 DbmazzUnrepresentable unrepresentable);

/* Where the values of a row come from. */
typedef struct DbmazzRowSource
{
	const DbmazzTuple *tuple;	/* the new tuple, for a delete the old one */
	const DbmazzTuple *fallback;	/* old tuple that holds the values that
									 * 'tuple' has as unchanged, or NULL */
	bool		fallback_key_only;	/* 'fallback' has only the columns with
									 * DBMAZZ_COLUMN_IDENTITY ('K' tuple) */
} DbmazzRowSource;

typedef struct DbmazzRowKey
{
	uint32_t	length;			/* bytes of the encoded key columns */
	uint32_t	hash;
} DbmazzRowKey;

/* dbmazz_row_value() where the tuple has no value: unchanged, or too short. */
extern const DbmazzValue *dbmazz_row_fallback(const DbmazzRowSource *source,
											  const DbmazzRowColumn *column);

/*
 * The value of a column: of 'tuple', or where that has it as unchanged, of
 * 'fallback'.  NULL if neither has it.
 */
static inline const DbmazzValue *
dbmazz_row_value(const DbmazzRowSource *source, const DbmazzRowColumn *column)
{
	const DbmazzValue *value = &source->tuple->values[column->source];

	if (__builtin_expect(column->source < source->tuple->ncolumns &&
						 value->kind != DBMAZZ_VALUE_UNCHANGED, 1))
		return value;
	return dbmazz_row_fallback(source, column);
}

/*
 * Hash of a row's key without encoding it; equal to what the encoders give.
 * The hash of the key's values as they come, chained, each with its length.
 */
extern uint32_t dbmazz_row_key_hash(const DbmazzRowPlan *plan,
									const DbmazzRowSource *source);

/* Are the keys of two rows the same bytes? */
extern bool dbmazz_row_same_key(const DbmazzRowPlan *plan,
								const DbmazzRowSource *a,
								const DbmazzRowSource *b);

#endif							/* DBMAZZ_ROWPLAN_H */
