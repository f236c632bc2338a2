/*
 * encode_json.h
 *		Writes rows as JSON objects into a batch (see batch.h for the form).
 *
 * NOTES
 *	  Strings are scanned for bytes that need an escape with the widest vectors
 *	  that the processor has (AVX2, SSE2 or NEON, chosen at first use); a
 *	  scalar twin gives the same output.  Input must be UTF-8 (the decoder
 *	  converts).  '"', '\\' and bytes below 0x20 are escaped (\n \r \t \b \f by
 *	  letter, others as \u00xx); everything else is copied.
 */
#ifndef DBMAZZ_ENCODE_JSON_H
#define DBMAZZ_ENCODE_JSON_H

#include "core/rowplan.h"

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
									   const DbmazzRowPlan *plan,
									   const DbmazzRowSource *source,
									   DbmazzRowKey *key, DbmazzError *err);

/* The same for a delete: only the key columns; the object is left open. */
extern DbmazzStatus dbmazz_json_delete(DbmazzBatchWriter *writer,
									   const DbmazzRowPlan *plan,
									   const DbmazzRowSource *source,
									   DbmazzRowKey *key, DbmazzError *err);

/*
 * The same for a row that is not sent but kept for people: it never fails because
 * of what the target cannot hold.  Such a value is a string with its text, also
 * in the key; values that the change came without are left out.
 */
extern DbmazzStatus dbmazz_json_keep(DbmazzBatchWriter *writer,
									 const DbmazzRowPlan *plan,
									 const DbmazzRowSource *source,
									 DbmazzRowKey *key, DbmazzError *err);

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
