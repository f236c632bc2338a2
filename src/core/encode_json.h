/*
 * encode_json.h
 *		Writes rows as JSON objects into a batch (see batch.h for the form).
 *
 * NOTES
 *	  Strings are scanned for bytes that need an escape with the widest vectors
 *	  that the processor has (AVX2, SSE2 or NEON, chosen at first use); a
 *	  scalar twin gives the same output.  Input must be UTF-8 (the decoder
 *	  converts).  '"', '\\' and bytes below 0x20 are escaped (\n \r \t \b \f by
 *	  letter, others as \u00XX); everything else is copied.
 */
#ifndef DBMAZZ_ENCODE_JSON_H
#define DBMAZZ_ENCODE_JSON_H

#include "core/batch.h"
#include "core/pgoutput.h"
#include "core/policy.h"

typedef struct DbmazzJsonColumn
{
	uint32_t	label;			/* offset of the text  ,"name":  in the plan;
								 * the first column's begins with '{' */
	uint32_t	label_len;
	uint16_t	source;			/* position in pgoutput's tuples */
	uint8_t		value_class;	/* DbmazzValueClass */
	uint8_t		flags;			/* DBMAZZ_COLUMN_* */
} DbmazzJsonColumn;

/* All about a table's column set that does not change from row to row. */
typedef struct DbmazzJsonPlan
{
	uint32_t	size;			/* bytes of the whole block */
	uint16_t	ncolumns;
	uint16_t	nkeys;
	uint8_t		unrepresentable;	/* DbmazzUnrepresentable */
	DbmazzJsonColumn columns[]; /* key columns first; then the labels */
} DbmazzJsonPlan;

extern uint32_t dbmazz_json_plan_size(const DbmazzTableDesc *desc);
extern void dbmazz_json_plan_init(DbmazzJsonPlan *plan,
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

/*
 * The value of a column: of 'tuple', or where that has it as unchanged, of
 * 'fallback'.  NULL if neither has it.
 */
extern const DbmazzValue *dbmazz_row_value(const DbmazzRowSource *source,
										   const DbmazzJsonColumn *column);

/*
 * Encode an upsert between dbmazz_row_begin() and dbmazz_row_end(): all
 * columns of the plan, and "__op" unless there are no key columns (targets
 * without a primary key refuse it).  Every one must have a value (dbmazz_row_value() not
 * NULL), and key columns must not be NULL: else DBMAZZ_ERR_MALFORMED.
 * Values that the target cannot hold are replaced as the plan says (fit.h).
 * DBMAZZ_ERR_UNREPRESENTABLE: err->column is the column in the plan (from 1)
 * and the message says what about the value does not fit, without the names.
 * DBMAZZ_ERR_MALFORMED: a value has not the form of its class; likewise.
 * DBMAZZ_ERR_UNSUPPORTED: a value is in binary form; likewise.
 * DBMAZZ_ERR_NO_SPACE, DBMAZZ_ERR_LIMIT: see dbmazz_row_put().
 * After any error the row must be aborted.
 * May longjmp only if the writer's alloc does.
 */
extern DbmazzStatus dbmazz_json_upsert(DbmazzBatchWriter *writer,
									   const DbmazzJsonPlan *plan,
									   const DbmazzRowSource *source,
									   DbmazzRowKey *key, DbmazzError *err);

/* The same for a delete: only the key columns; the object is left open. */
extern DbmazzStatus dbmazz_json_delete(DbmazzBatchWriter *writer,
									   const DbmazzJsonPlan *plan,
									   const DbmazzRowSource *source,
									   DbmazzRowKey *key, DbmazzError *err);

/*
 * Hash of a row's key without encoding it; equal to what the two above give.
 * The hash of the key's values as they come, chained, each with its length.
 */
extern uint32_t dbmazz_json_key_hash(const DbmazzJsonPlan *plan,
									 const DbmazzRowSource *source);

/* Are the keys of two rows the same bytes? */
extern bool dbmazz_json_same_key(const DbmazzJsonPlan *plan,
								 const DbmazzRowSource *a,
								 const DbmazzRowSource *b);

/*
 * Escape 'len' bytes as the inside of a JSON string into 'out', which must
 * have room for 6 * len bytes; returns the length.  For labels and messages.
 */
extern size_t dbmazz_json_escape(char *out, const char *data, size_t len);

/*
 * Length of the prefix of 'data' that needs no escape: the dispatched scan,
 * and for tests and benches each variant ("scalar", "sse2", "avx2", "neon";
 * NULL where the processor lacks it).
 */
typedef size_t (*DbmazzScan) (const char *data, size_t len);
extern size_t dbmazz_json_scan(const char *data, size_t len);
extern DbmazzScan dbmazz_json_scan_variant(const char *name);

#endif							/* DBMAZZ_ENCODE_JSON_H */
