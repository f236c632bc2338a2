/*
 * body.c
 *		The body of a load, read piece by piece from the batch's segments.
 *
 * NOTES
 *	  In the array framing and in CSV, a run of rows is sent with one copy per
 *	  segment: the bytes of neighbouring upserts are adjacent, separators
 *	  included.  A run ends before a row that is not sent or a delete, and with
 *	  the entries of its segment.  Where all rows of a batch are upserts that are
 *	  sent, which is the usual one, the batch is one run, and its directory is not
 *	  looked at again.  NDJSON needs another separator, so each row is a run.
 */
#include "core/body.h"

/* What comes when the bytes under way ('fixed', then 'left') are out. */
typedef enum BodyState
{
	BODY_START,
	BODY_ROWS,					/* the next run or delete */
	BODY_TAIL,					/* the tail that closes a delete */
	BODY_SEPARATOR,				/* what stands between two rows */
	BODY_END
} BodyState;

static inline void
send_fixed(DbmazzBody *body, const char *data, size_t len)
{
	body->fixed.data = data;
	body->fixed.len = len;
}

void
dbmazz_body_init(DbmazzBody *body, const DbmazzBatchView *batch,
				 DbmazzFraming framing, DbmazzSpan delete_tail)
{
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	const DbmazzRowEntry *entry;
	uint64_t	size = 0;
	uint32_t	nrows = 0;
	bool		one_run = framing != DBMAZZ_FRAME_NDJSON;

	dbmazz_rows_begin(&cursor, batch);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		if (!dbmazz_row_is_sent(entry))
		{
			one_run = false;
			continue;
		}
		nrows++;
		size += entry->length;
		if (entry->op == DBMAZZ_ROW_DELETE)
		{
			one_run = false;
			size += delete_tail.len + (framing == DBMAZZ_FRAME_CSV ? 0 : 1);
		}
	}
	if (framing == DBMAZZ_FRAME_JSON_ARRAY)
		size += nrows > 0 ? 1 : 2;	/* both brackets, one separator less */

	memset(body, 0, sizeof(*body));
	body->batch = batch;
	body->framing = framing;
	body->delete_tail = delete_tail;
	body->size = size;
	body->nrows = nrows;
	body->one_run = one_run && nrows > 0;
	dbmazz_body_rewind(body);
}

void
dbmazz_body_rewind(DbmazzBody *body)
{
	dbmazz_rows_begin(&body->cursor, body->batch);
	body->segment = NULL;
	body->pos = NULL;
	body->left = 0;
	body->rows_sent = 0;
	body->state = BODY_START;
	send_fixed(body, NULL, 0);
}

/* All rows, as they stand: only the separator behind the last one is left out. */
static void
whole_run(DbmazzBody *body)
{
	body->segment = body->cursor.segment;
	body->pos = (const char *) body->segment + body->segment->data_start;
	body->left = body->size;
	if (body->framing == DBMAZZ_FRAME_JSON_ARRAY)
		body->left -= 2;		/* the brackets are not in the segments */
	body->rows_sent = body->nrows;
	body->cursor.segment = NULL;
}

/*
 * Add the rows that follow in 'segment' to the run, as long as they are sent
 * as they stand.
 */
static void
extend_run(DbmazzBody *body, DbmazzSegment *segment)
{
	uint32_t	i = body->cursor.index;

	while (i < segment->nentries)
	{
		const DbmazzRowEntry *entry = dbmazz_entry_at(segment, i);

		if (!dbmazz_row_is_sent(entry) || entry->op == DBMAZZ_ROW_DELETE)
			break;
		body->left += entry->length;
		body->rows_sent++;
		i++;
	}
	body->cursor.index = i;
}

/* Find the next row that is sent, and with it the next run. */
static void
next_run(DbmazzBody *body)
{
	DbmazzSegment *segment;
	const DbmazzRowEntry *entry;

	if (body->one_run && body->rows_sent == 0)
	{
		whole_run(body);
		return;
	}
	do
	{
		entry = dbmazz_rows_next(&body->cursor, &segment);
		if (entry == NULL)
		{
			body->state = BODY_END;
			if (body->framing == DBMAZZ_FRAME_JSON_ARRAY)
				send_fixed(body, "]", 1);
			return;
		}
	} while (!dbmazz_row_is_sent(entry));

	body->segment = segment;
	body->pos = (const char *) segment + entry->offset;
	body->left = entry->length;
	body->rows_sent++;
	if (entry->op == DBMAZZ_ROW_DELETE)
		body->state = BODY_TAIL;
	else if (body->framing == DBMAZZ_FRAME_NDJSON)
	{
		body->left--;			/* without its comma */
		body->state = BODY_SEPARATOR;
	}
	else
	{
		extend_run(body, segment);
		if (body->rows_sent == body->nrows &&
			body->framing == DBMAZZ_FRAME_JSON_ARRAY)
			body->left--;
		body->state = BODY_ROWS;
	}
}

/* Choose what is sent next; false at the end. */
static bool
advance(DbmazzBody *body)
{
	switch ((BodyState) body->state)
	{
		case BODY_START:
			if (body->framing == DBMAZZ_FRAME_JSON_ARRAY)
				send_fixed(body, "[", 1);
			body->state = BODY_ROWS;
			return true;
		case BODY_ROWS:
			next_run(body);
			return true;
		case BODY_TAIL:
			body->fixed = body->delete_tail;
			body->state = BODY_SEPARATOR;
			return true;
		case BODY_SEPARATOR:
			if (body->framing == DBMAZZ_FRAME_NDJSON)
				send_fixed(body, "\n", 1);
			else if (body->framing == DBMAZZ_FRAME_JSON_ARRAY &&
					 body->rows_sent < body->nrows)
				send_fixed(body, ",", 1);
			body->state = BODY_ROWS;
			return true;
		case BODY_END:
			break;
	}
	return false;
}

/* Copy what is in this segment of the bytes under way. */
static size_t
read_rows(DbmazzBody *body, char *out, size_t len)
{
	const char *end = (const char *) body->segment + body->segment->data_end;
	size_t		n = (size_t) (end - body->pos);

	if (n == 0)
	{
		body->segment = dbmazz_segment_at(body->batch->pool,
										  body->segment->next);
		body->pos = (const char *) body->segment + body->segment->data_start;
		return 0;
	}
	if (n > body->left)
		n = (size_t) body->left;
	if (n > len)
		n = len;
	memcpy(out, body->pos, n);
	body->pos += n;
	body->left -= n;
	return n;
}

static size_t
read_fixed(DbmazzBody *body, char *out, size_t len)
{
	size_t		n = body->fixed.len < len ? body->fixed.len : len;

	memcpy(out, body->fixed.data, n);
	body->fixed.data += n;
	body->fixed.len -= n;
	return n;
}

size_t
dbmazz_body_read(DbmazzBody *body, char *out, size_t len)
{
	size_t		done = 0;

	while (done < len)
	{
		if (body->fixed.len > 0)
			done += read_fixed(body, out + done, len - done);
		else if (body->left > 0)
			done += read_rows(body, out + done, len - done);
		else if (!advance(body))
			break;
	}
	return done;
}
