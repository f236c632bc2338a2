/*
 * batch.c
 *		Writing a batch into its chain of segments, and reading it.
 *
 * NOTES
 *	  The chain and the directory are consistent whenever alloc() is called, so
 *	  alloc() may leave by longjmp: what it leaves behind is a row that was
 *	  begun and is in no directory.
 *
 *	  In the segment where a row starts, room for its directory entry is kept
 *	  back from row_begin() on; the segments it runs on into have an entry only
 *	  for rows that start there.
 */
#include "core/batch.h"

_Static_assert(sizeof(DbmazzSegment) == 16, "segment header has no holes");
_Static_assert(sizeof(DbmazzRowEntry) == 32, "row entry has no holes");
_Static_assert(DBMAZZ_SEGMENT_SIZE % sizeof(DbmazzRowEntry) == 0,
			   "row entries are aligned");

/* The row's length is a uint32; rows end well below. */
#define MAX_ROW_LENGTH	(UINT32_MAX - 2 * DBMAZZ_SEGMENT_SIZE)

#define FIRST_BYTE		((uint32_t) sizeof(DbmazzSegment))

static inline uint32_t
offset_in(const DbmazzSegment *segment, const char *pos)
{
	return (uint32_t) (pos - (const char *) segment);
}

/* ---- writing ---------------------------------------------------------- */

/* Take one more segment to the chain's end and make it the current one. */
static bool
extend(DbmazzBatchWriter *writer)
{
	uint32_t	index = DBMAZZ_NO_SEGMENT;
	DbmazzSegment *segment = writer->alloc(writer->arg, &index);

	if (segment == NULL)
		return false;
	segment->next = DBMAZZ_NO_SEGMENT;
	segment->data_end = FIRST_BYTE;
	segment->data_start = FIRST_BYTE;
	segment->nentries = 0;

	if (writer->segment == NULL)
		writer->head = index;
	else
	{
		writer->segment->data_end = offset_in(writer->segment, writer->pos);
		writer->segment->next = index;
	}
	writer->segment = segment;
	writer->nsegments++;
	writer->pos = (char *) segment + FIRST_BYTE;
	writer->limit = (char *) segment + DBMAZZ_SEGMENT_SIZE;
	return true;
}

DbmazzStatus
dbmazz_batch_begin(DbmazzBatchWriter *writer, DbmazzSegmentAlloc alloc,
				   void *arg, const DbmazzTableDesc *desc)
{
	const char *data = (const char *) desc;
	size_t		left = desc->size;

	memset(writer, 0, sizeof(*writer));
	writer->head = DBMAZZ_NO_SEGMENT;
	writer->alloc = alloc;
	writer->arg = arg;

	do
	{
		size_t		n;

		if (!extend(writer))
			return DBMAZZ_ERR_NO_SPACE;
		n = (size_t) (writer->limit - writer->pos);
		if (n > left)
			n = left;
		memcpy(writer->pos, data, n);
		writer->pos += n;
		writer->segment->data_start = offset_in(writer->segment, writer->pos);
		writer->segment->data_end = writer->segment->data_start;
		data += n;
		left -= n;
	} while (left > 0);
	return DBMAZZ_OK;
}

DbmazzStatus
dbmazz_row_begin(DbmazzBatchWriter *writer)
{
	char	   *limit;

	limit = (char *) dbmazz_entry_at(writer->segment,
									 writer->segment->nentries);
	if (__builtin_expect(writer->pos >= limit, 0))
	{
		if (!extend(writer))
			return DBMAZZ_ERR_NO_SPACE;
		limit = (char *) dbmazz_entry_at(writer->segment, 0);
	}
	writer->limit = limit;
	writer->row_segment = writer->segment;
	writer->row_start = writer->pos;
	writer->row_length = 0;
	writer->row_segments = 0;
	return DBMAZZ_OK;
}

DbmazzStatus
dbmazz_row_put_slow(DbmazzBatchWriter *writer, const char *data, size_t len)
{
	for (;;)
	{
		size_t		n = (size_t) (writer->limit - writer->pos);
		uint32_t	row_length;

		if (n > len)
			n = len;
		memcpy(writer->pos, data, n);
		writer->pos += n;
		data += n;
		len -= n;
		if (len == 0)
			return DBMAZZ_OK;

		row_length = dbmazz_row_size(writer);
		if (row_length > MAX_ROW_LENGTH)
			return DBMAZZ_ERR_LIMIT;
		if (!extend(writer))
			return DBMAZZ_ERR_NO_SPACE;
		writer->row_length = row_length;
		writer->row_segments++;
	}
}

void
dbmazz_row_end(DbmazzBatchWriter *writer, DbmazzRowOp op, uint32_t key_length,
			   uint32_t key_hash, uint64_t commit_lsn, uint32_t sequence)
{
	DbmazzSegment *start = writer->row_segment;
	DbmazzRowEntry *entry = dbmazz_entry_at(start, start->nentries);

	entry->offset = offset_in(start, writer->row_start);
	entry->length = dbmazz_row_size(writer);
	entry->key_length = key_length;
	entry->key_hash = key_hash;
	entry->commit_lsn = commit_lsn;
	entry->sequence = sequence;
	entry->op = (uint8_t) op;
	entry->flags = 0;
	entry->reserved = 0;
	start->nentries++;
	writer->segment->data_end = offset_in(writer->segment, writer->pos);
	writer->nrows++;
	writer->nbytes += entry->length;
}

uint32_t
dbmazz_row_abort(DbmazzBatchWriter *writer)
{
	DbmazzSegment *start = writer->row_segment;
	uint32_t	begun = start->next;

	start->next = DBMAZZ_NO_SEGMENT;
	start->data_end = offset_in(start, writer->row_start);
	writer->segment = start;
	writer->pos = writer->row_start;
	writer->limit = (char *) dbmazz_entry_at(start, start->nentries);
	writer->nsegments -= writer->row_segments;
	writer->row_length = 0;
	writer->row_segments = 0;
	return begun;
}

/* ---- reading ---------------------------------------------------------- */

uint32_t
dbmazz_batch_desc_size(const char *pool, uint32_t head)
{
	const DbmazzSegment *segment = dbmazz_segment_at(pool, head);
	uint32_t	size;

	memcpy(&size, (const char *) segment + FIRST_BYTE, sizeof(size));
	return size;
}

void
dbmazz_batch_copy_desc(const char *pool, uint32_t head, void *out,
					   uint32_t size)
{
	char	   *to = out;

	while (size > 0 && head != DBMAZZ_NO_SEGMENT)
	{
		const DbmazzSegment *segment = dbmazz_segment_at(pool, head);
		uint32_t	n = DBMAZZ_SEGMENT_SIZE - FIRST_BYTE;

		if (n > size)
			n = size;
		memcpy(to, (const char *) segment + FIRST_BYTE, n);
		to += n;
		size -= n;
		head = segment->next;
	}
}

static DbmazzSegment *
following(const DbmazzBatchView *batch, const DbmazzSegment *segment)
{
	if (segment->next == DBMAZZ_NO_SEGMENT)
		return NULL;
	return dbmazz_segment_at(batch->pool, segment->next);
}

void
dbmazz_rows_begin(DbmazzRowCursor *cursor, const DbmazzBatchView *batch)
{
	cursor->batch = batch;
	cursor->segment = NULL;
	cursor->index = 0;
	if (batch->head != DBMAZZ_NO_SEGMENT)
		cursor->segment = dbmazz_segment_at(batch->pool, batch->head);
}

DbmazzRowEntry *
dbmazz_rows_next(DbmazzRowCursor *cursor, DbmazzSegment **segment)
{
	while (cursor->segment != NULL)
	{
		if (cursor->index < cursor->segment->nentries)
		{
			*segment = cursor->segment;
			return dbmazz_entry_at(cursor->segment, cursor->index++);
		}
		cursor->segment = following(cursor->batch, cursor->segment);
		cursor->index = 0;
	}
	return NULL;
}

uint32_t
dbmazz_row_copy(const DbmazzBatchView *batch, const DbmazzSegment *segment,
				const DbmazzRowEntry *entry, uint32_t from, char *out,
				uint32_t len)
{
	uint32_t	offset = entry->offset;
	uint32_t	copied = 0;

	if (from >= entry->length)
		return 0;
	if (len > entry->length - from)
		len = entry->length - from;

	while (copied < len && segment != NULL)
	{
		uint32_t	n = segment->data_end - offset;

		if (from >= n)
			from -= n;
		else
		{
			n -= from;
			if (n > len - copied)
				n = len - copied;
			memcpy(out + copied, (const char *) segment + offset + from, n);
			copied += n;
			from = 0;
		}
		segment = following(batch, segment);
		if (segment != NULL)
			offset = segment->data_start;
	}
	return copied;
}
