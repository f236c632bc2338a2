/*
 * batch.h
 *		Layout of a batch in its chain of segments: writer and reader.
 *
 * NOTES
 *	  A batch is a table description and rows of one target table and one
 *	  column set, in commit order, in a chain of segments of equal size.  Bytes
 *	  grow up from the segment's header, directory entries grow down from its
 *	  end; a row's entry is in the segment where the row starts, its bytes may
 *	  run on into the following ones.  So the bytes of many rows lie side by
 *	  side and can be sent without looking at each.
 *
 *		+--------+------ bytes ------>           <--- entries ---+
 *		| header | desc | row | row |....free....| e2 | e1 | e0  |
 *		+--------+-----------------------------------------------+
 *
 *	  In the JSON encoding the bytes of a row are an object, key columns first,
 *	  and one ',' behind it:
 *
 *		upsert	{"id":7,"name":"x","__op":0},
 *		delete	{"id":7						(open: no '}' and no ',')
 *		without key columns
 *				{"id":7,"name":"x"},
 *
 *	  In the CSV encoding (DBMAZZ_TABLE_CSV) they are a line, key columns
 *	  first, then the others in the description's order, then the operation:
 *
 *		upsert	7,"x ""y""",\N,0\n
 *		delete	7							(open: no fields behind the key)
 *
 *	  A text is enclosed in '"', and such a byte in it is doubled; so are values
 *	  that JSON has as strings.  \N is NULL; but readers take the text of these
 *	  two characters for it too, so a row with such a text cannot be CSV.
 *
 *	  A delete is left open because whoever ships it must add values for the
 *	  target's NOT NULL columns; see body.h.
 *
 *	  Segments are named by their index in the pool, so nothing here depends on
 *	  where a process has mapped the pool.
 */
#ifndef DBMAZZ_BATCH_H
#define DBMAZZ_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/tabledesc.h"

#define DBMAZZ_SEGMENT_SIZE		65536
#define DBMAZZ_NO_SEGMENT		UINT32_MAX

typedef struct DbmazzSegment
{
	uint32_t	next;			/* next segment of the batch, or
								 * DBMAZZ_NO_SEGMENT */
	uint32_t	data_end;		/* end of the bytes, from segment's start */
	uint32_t	data_start;		/* begin of the row bytes (behind the desc) */
	uint32_t	nentries;		/* directory entries at the segment's end */
} DbmazzSegment;

typedef enum DbmazzRowOp
{
	DBMAZZ_ROW_INSERT = 'I',
	DBMAZZ_ROW_UPDATE = 'U',
	DBMAZZ_ROW_DELETE = 'D'
} DbmazzRowOp;

#define DBMAZZ_ROW_SUPERSEDED	0x01	/* a later row of the key follows */
#define DBMAZZ_ROW_APART		0x02	/* not part of the load under way */
#define DBMAZZ_ROW_DEAD			0x04	/* kept in the dead letters instead */

typedef struct DbmazzRowEntry
{
	uint32_t	offset;			/* of the first byte, from segment's start */
	uint32_t	length;			/* of the row, separator included */
	uint32_t	key_length;		/* of the encoded key columns, which begin at
								 * dbmazz_key_start() */
	uint32_t	key_hash;
	uint64_t	commit_lsn;		/* start of the commit record (B.final_lsn) */
	uint32_t	sequence;		/* of the row in its transaction, the same in
								 * every life; grows */
	uint8_t		op;				/* DbmazzRowOp */
	uint8_t		flags;			/* DBMAZZ_ROW_* */
	uint16_t	reserved;
} DbmazzRowEntry;

/* Is the row in the load, as its batch is marked now? */
static inline bool
dbmazz_row_is_sent(const DbmazzRowEntry *entry)
{
	return entry->flags == 0;
}

/* ---- writing ---------------------------------------------------------- */

/*
 * Gives one more empty segment (any content; the writer initialises it), or
 * NULL if there is none to be had now.  '*index' gets its number in the pool.
 * May longjmp: the writer holds nothing that would need freeing.
 */
typedef DbmazzSegment *(*DbmazzSegmentAlloc) (void *arg, uint32_t *index);

typedef struct DbmazzBatchWriter
{
	char	   *pos;			/* next byte */
	char	   *limit;			/* first byte that is not free */
	DbmazzSegment *segment;		/* the one being written */
	uint32_t	head;			/* first segment, or DBMAZZ_NO_SEGMENT */
	uint32_t	nsegments;
	uint32_t	nrows;			/* complete rows */
	uint64_t	nbytes;			/* bytes of complete rows */
	DbmazzSegmentAlloc alloc;
	void	   *arg;

	/* the row being written */
	DbmazzSegment *row_segment;
	char	   *row_start;
	uint32_t	row_length;		/* bytes in segments before 'segment' */
	uint32_t	row_segments;	/* segments begun since the row began */
} DbmazzBatchWriter;

/*
 * Start a batch: takes the first segment(s) and copies the description there.
 * DBMAZZ_ERR_NO_SPACE if alloc() gave none; segments taken so far are then in
 * the chain at writer->head (or none) for the caller to free.
 */
extern DbmazzStatus dbmazz_batch_begin(DbmazzBatchWriter *writer,
									   DbmazzSegmentAlloc alloc, void *arg,
									   const DbmazzTableDesc *desc);

/* Start a row; DBMAZZ_ERR_NO_SPACE as above, with no row begun. */
extern DbmazzStatus dbmazz_row_begin(DbmazzBatchWriter *writer);

/* Out-of-line part of dbmazz_row_put(). */
extern DbmazzStatus dbmazz_row_put_slow(DbmazzBatchWriter *writer,
										const char *data, size_t len);

/*
 * Append bytes to the row.  DBMAZZ_ERR_NO_SPACE as above; DBMAZZ_ERR_LIMIT if
 * the row's length would not fit into its entry (4 GB).  After either only
 * abort is allowed.
 */
static inline DbmazzStatus
dbmazz_row_put(DbmazzBatchWriter *writer, const char *data, size_t len)
{
	if (__builtin_expect((size_t) (writer->limit - writer->pos) >= len, 1))
	{
		memcpy(writer->pos, data, len);
		writer->pos += len;
		return DBMAZZ_OK;
	}
	return dbmazz_row_put_slow(writer, data, len);
}

/* Bytes of the row so far. */
static inline uint32_t
dbmazz_row_size(const DbmazzBatchWriter *writer)
{
	const char *start = writer->row_start;

	if (writer->row_segments > 0)
		start = (const char *) writer->segment + sizeof(DbmazzSegment);
	return writer->row_length + (uint32_t) (writer->pos - start);
}

/* Make the row part of the batch: its directory entry becomes valid. */
extern void dbmazz_row_end(DbmazzBatchWriter *writer, DbmazzRowOp op,
						   uint32_t key_length, uint32_t key_hash,
						   uint64_t commit_lsn, uint32_t sequence);

/*
 * Forget the row.  Returns the first of the segments that it had begun, now
 * unlinked from the batch, for the caller to free (they are still chained to
 * each other); DBMAZZ_NO_SEGMENT if none.  A segment that row_begin() itself
 * took stays in the batch.
 */
extern uint32_t dbmazz_row_abort(DbmazzBatchWriter *writer);

/* ---- reading ---------------------------------------------------------- */

typedef struct DbmazzBatchView
{
	char	   *pool;			/* segment i is at pool + i * SEGMENT_SIZE */
	uint32_t	head;
	uint32_t	nrows;
	uint64_t	nbytes;			/* of all rows */
	uint64_t	first_commit_lsn;
	uint64_t	last_commit_lsn;
	const DbmazzTableDesc *table;
} DbmazzBatchView;

static inline DbmazzSegment *
dbmazz_segment_at(const char *pool, uint32_t index)
{
	return (DbmazzSegment *) (pool + (size_t) index * DBMAZZ_SEGMENT_SIZE);
}

static inline DbmazzRowEntry *
dbmazz_entry_at(const DbmazzSegment *segment, uint32_t i)
{
	char	   *end = (char *) segment + DBMAZZ_SEGMENT_SIZE;

	return (DbmazzRowEntry *) end - (i + 1);
}

/*
 * Copy 'size' bytes of the description (it may span segments) into 'out'.
 * Its size is the first uint32 of the batch.
 */
extern uint32_t dbmazz_batch_desc_size(const char *pool, uint32_t head);
extern void dbmazz_batch_copy_desc(const char *pool, uint32_t head, void *out,
								   uint32_t size);

/* Where a walk over rows stands.  Zero it and set 'segment' by begin. */
typedef struct DbmazzRowCursor
{
	const DbmazzBatchView *batch;
	DbmazzSegment *segment;
	uint32_t	index;			/* of the next entry in 'segment' */
} DbmazzRowCursor;

extern void dbmazz_rows_begin(DbmazzRowCursor *cursor,
							  const DbmazzBatchView *batch);

/* The next row's entry, those that are not sent included, or NULL at the end; the
 * row's bytes begin at entry->offset of '*segment'. */
extern DbmazzRowEntry *dbmazz_rows_next(DbmazzRowCursor *cursor,
										DbmazzSegment **segment);

/*
 * Copy up to 'len' bytes of a row, from byte 'from' of it on, into 'out';
 * returns how many there were.  For keys, error messages and tests; not for
 * the hot path.
 */
extern uint32_t dbmazz_row_copy(const DbmazzBatchView *batch,
								const DbmazzSegment *segment,
								const DbmazzRowEntry *entry, uint32_t from,
								char *out, uint32_t len);

/* Where the key columns begin, from the row's first byte. */
static inline uint32_t
dbmazz_key_start(const DbmazzTableDesc *table)
{
	return (table->flags & DBMAZZ_TABLE_CSV) != 0 ? 0 : 1;
}

/* Slots that dbmazz_dedup() needs for 'nrows' rows (a power of two). */
extern uint32_t dbmazz_dedup_slots(uint32_t nrows);

/*
 * Mark all but the last row of every key as superseded, comparing the keys'
 * bytes, not just hashes.  'slots' is scratch of dbmazz_dedup_slots(nrows)
 * elements.  Returns the number of rows left.  Doing it again changes nothing.
 * Rows without key columns (key_length 0) replace nothing.
 */
extern uint32_t dbmazz_dedup(const DbmazzBatchView *batch, uint64_t *slots,
							 uint32_t nslots);

#endif							/* DBMAZZ_BATCH_H */
