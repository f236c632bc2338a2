/*
 * helpers.h
 *		What tests, fuzzers and benches share: random numbers, a pool of
 *		segments, table descriptions and pgoutput messages by hand.
 */
#ifndef DBMAZZ_HELPERS_H
#define DBMAZZ_HELPERS_H

#include "core/batch.h"
#include "core/encode_json.h"
#include "core/pgoutput.h"

/* malloc() that ends the program instead of returning NULL. */
extern void *must_alloc(size_t size);

/* ---- random numbers, the same in every run ---------------------------- */

extern uint64_t random_next(uint64_t *state);

/* From 0 to below 'bound'. */
extern uint32_t random_below(uint64_t *state, uint32_t bound);

/* ---- a pool of segments ----------------------------------------------- */

typedef struct Pool
{
	char	   *memory;
	uint32_t	nsegments;		/* a power of two */
	uint32_t	ntaken;			/* segments given out so far */
	uint32_t	limit;			/* give out no more than this */
} Pool;

/* 'nsegments' must be a power of two. */
extern void pool_init(Pool *pool, uint32_t nsegments);
extern void pool_fini(Pool *pool);

/* A DbmazzSegmentAlloc; 'arg' is the pool.  Neighbours in the chain are none
 * in memory, and the content is garbage. */
extern DbmazzSegment *pool_alloc(void *arg, uint32_t *index);

/* The view of what a writer has written. */
extern DbmazzBatchView pool_view(const Pool *pool,
								 const DbmazzBatchWriter *writer,
								 const DbmazzTableDesc *desc);

/* ---- table descriptions ----------------------------------------------- */

typedef struct ColumnSpec
{
	const char *name;
	uint8_t		value_class;
	uint8_t		flags;
} ColumnSpec;

/* A description of exactly its size from malloc(); key columns must be first.
 * Column i comes from position i of the tuples. */
extern DbmazzTableDesc *make_desc(const ColumnSpec *specs, uint32_t n);
extern DbmazzRowPlan *make_plan(const DbmazzTableDesc *desc);

/* What the plans made from now on do with values that do not fit. */
extern DbmazzUnrepresentable plan_policy;

/* ---- pgoutput messages ------------------------------------------------ */

typedef struct Buffer
{
	char	   *data;
	size_t		len;
	size_t		size;
} Buffer;

extern void buffer_free(Buffer *buffer);
extern void put_bytes(Buffer *buffer, const void *data, size_t len);
extern void put_byte(Buffer *buffer, char c);
extern void put_u16(Buffer *buffer, uint16_t v);
extern void put_u32(Buffer *buffer, uint32_t v);
extern void put_u64(Buffer *buffer, uint64_t v);
extern void put_string(Buffer *buffer, const char *text);	/* with its zero */
extern void put_printf(Buffer *buffer, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

/* A value of a tuple: a text, NULL, or UNCHANGED. */
extern const char UNCHANGED[];
extern void put_value(Buffer *buffer, const char *text);
extern void put_value_bytes(Buffer *buffer, const char *data, size_t len);
extern void put_tuple(Buffer *buffer, const char *const *values, int n);
extern void put_insert(Buffer *buffer, uint32_t relid,
					   const char *const *values, int n);

/* Parse a copy of exactly the message's size; free '*copy' after use. */
extern DbmazzStatus parse_copy(DbmazzParser *parser, const char *data,
							   size_t len, char **copy);

#endif							/* DBMAZZ_HELPERS_H */
