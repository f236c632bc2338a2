/*
 * helpers.c
 *		What tests, fuzzers and benches share.
 */
#include "helpers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char	UNCHANGED[] = "(unchanged)";
DbmazzUnrepresentable plan_policy;

void	   *
must_alloc(size_t size)
{
	void	   *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
	{
		fprintf(stderr, "out of memory\n");
		abort();
	}
	return p;
}

/* ---- random numbers --------------------------------------------------- */

uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x2545F4914F6CDD1D);
}

uint32_t
random_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t) ((random_next(state) >> 32) * bound >> 32);
}

/* ---- a pool of segments ----------------------------------------------- */

void
pool_init(Pool *pool, uint32_t nsegments)
{
	pool->memory = must_alloc((size_t) nsegments * DBMAZZ_SEGMENT_SIZE);
	pool->nsegments = nsegments;
	pool->ntaken = 0;
	pool->limit = nsegments;
}

void
pool_fini(Pool *pool)
{
	free(pool->memory);
	pool->memory = NULL;
}

DbmazzSegment *
pool_alloc(void *arg, uint32_t *index)
{
	Pool	   *pool = arg;
	DbmazzSegment *segment;

	if (pool->ntaken == pool->limit)
		return NULL;
	*index = (pool->ntaken++ * 5 + 3) & (pool->nsegments - 1);
	segment = dbmazz_segment_at(pool->memory, *index);
	memset(segment, 0xA5, DBMAZZ_SEGMENT_SIZE);
	return segment;
}

DbmazzBatchView
pool_view(const Pool *pool, const DbmazzBatchWriter *writer,
		  const DbmazzTableDesc *desc)
{
	DbmazzBatchView view;

	memset(&view, 0, sizeof(view));
	view.pool = pool->memory;
	view.head = writer->head;
	view.nrows = writer->nrows;
	view.nbytes = writer->nbytes;
	view.table = desc;
	return view;
}

/* ---- table descriptions ----------------------------------------------- */

static uint32_t
add_text(char *block, uint32_t *size, const char *text)
{
	uint32_t	at = *size;

	if (block != NULL)
		strcpy(block + at, text);
	*size += (uint32_t) strlen(text) + 1;
	return at;
}

/* Fills 'desc' if it is not NULL; returns the size. */
static uint32_t
fill_desc(DbmazzTableDesc *desc, const ColumnSpec *specs, uint32_t n)
{
	DbmazzTableDesc header;
	uint32_t	size;
	uint32_t	i;

	memset(&header, 0, sizeof(header));
	size = (uint32_t) (sizeof(header) + n * sizeof(DbmazzColumnDesc));
	header.relid = 16384;
	header.generation = 1;
	header.schema = add_text((char *) desc, &size, "public");
	header.table = add_text((char *) desc, &size, "orders");
	header.target = add_text((char *) desc, &size, "orders_target");
	header.ncolumns = (uint16_t) n;
	header.ntable_columns = (uint16_t) n;
	for (i = 0; i < n; i++)
	{
		DbmazzColumnDesc column;

		memset(&column, 0, sizeof(column));
		column.name = add_text((char *) desc, &size, specs[i].name);
		column.typid = 25;
		column.basetypid = 25;
		column.typmod = -1;
		column.attnum = (int16_t) (i + 1);
		column.source = (uint16_t) i;
		column.value_class = specs[i].value_class;
		column.flags = specs[i].flags;
		if (column.flags & DBMAZZ_COLUMN_KEY)
			header.nkeys++;
		if (desc != NULL)
			desc->columns[i] = column;
	}
	header.size = size;
	if (desc != NULL)
		memcpy(desc, &header, sizeof(header));
	return size;
}

DbmazzTableDesc *
make_desc(const ColumnSpec *specs, uint32_t n)
{
	DbmazzTableDesc *desc = must_alloc(fill_desc(NULL, specs, n));

	fill_desc(desc, specs, n);
	return desc;
}

DbmazzRowPlan *
make_plan(const DbmazzTableDesc *desc)
{
	DbmazzRowPlan *plan = must_alloc(dbmazz_row_plan_size(desc));

	dbmazz_row_plan_init(plan, desc, plan_policy);
	return plan;
}

/* ---- pgoutput messages ------------------------------------------------ */

void
buffer_free(Buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

void
put_bytes(Buffer *buffer, const void *data, size_t len)
{
	if (buffer->size - buffer->len < len)
	{
		char	   *larger;

		buffer->size = (buffer->size + len) * 2;
		larger = must_alloc(buffer->size);
		if (buffer->len > 0)
			memcpy(larger, buffer->data, buffer->len);
		free(buffer->data);
		buffer->data = larger;
	}
	if (len > 0)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
}

void
put_byte(Buffer *buffer, char c)
{
	if (buffer->len < buffer->size)
		buffer->data[buffer->len++] = c;
	else
		put_bytes(buffer, &c, 1);
}

static void
put_big_endian(Buffer *buffer, uint64_t v, int nbytes)
{
	while (nbytes-- > 0)
		put_byte(buffer, (char) (v >> (8 * nbytes)));
}

void
put_u16(Buffer *buffer, uint16_t v)
{
	put_big_endian(buffer, v, 2);
}

void
put_u32(Buffer *buffer, uint32_t v)
{
	put_big_endian(buffer, v, 4);
}

void
put_u64(Buffer *buffer, uint64_t v)
{
	put_big_endian(buffer, v, 8);
}

void
put_string(Buffer *buffer, const char *text)
{
	put_bytes(buffer, text, strlen(text) + 1);
}

void
put_printf(Buffer *buffer, const char *fmt,...)
{
	char		text[512];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put_bytes(buffer, text, strlen(text));
}

void
put_value_bytes(Buffer *buffer, const char *data, size_t len)
{
	put_byte(buffer, 't');
	put_u32(buffer, (uint32_t) len);
	put_bytes(buffer, data, len);
}

void
put_value(Buffer *buffer, const char *text)
{
	if (text == NULL)
		put_byte(buffer, 'n');
	else if (text == UNCHANGED)
		put_byte(buffer, 'u');
	else
		put_value_bytes(buffer, text, strlen(text));
}

void
put_tuple(Buffer *buffer, const char *const *values, int n)
{
	int			i;

	put_u16(buffer, (uint16_t) n);
	for (i = 0; i < n; i++)
		put_value(buffer, values[i]);
}

void
put_insert(Buffer *buffer, uint32_t relid, const char *const *values, int n)
{
	put_byte(buffer, 'I');
	put_u32(buffer, relid);
	put_byte(buffer, 'N');
	put_tuple(buffer, values, n);
}

DbmazzStatus
parse_copy(DbmazzParser *parser, const char *data, size_t len, char **copy)
{
	/* Exactly 'len' bytes, also none, so that reading beyond is noticed. */
	*copy = malloc(len);
	if (len > 0)
		memcpy(*copy, data, len);
	return dbmazz_pgoutput_parse(parser, *copy, len);
}
