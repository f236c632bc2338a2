/*
 * body.h
 *		Frames the rows of a batch as the body of a request, piece by piece.
 *
 * NOTES
 *	  Nothing is copied before it is asked for: read() fills the buffer of the
 *	  HTTP library straight from the batch's segments.  Neighbouring rows that
 *	  are sent as they stand go out in one memcpy.  Superseded rows are left
 *	  out.
 *
 *	  NDJSON wants that no row has a line break.  The encoder's own bytes have
 *	  none, but a document of type json is embedded as it is, line breaks
 *	  included: readers must take concatenated objects, as StarRocks does.
 */
#ifndef DBMAZZ_BODY_H
#define DBMAZZ_BODY_H

#include "core/batch.h"

typedef enum DbmazzFraming
{
	DBMAZZ_FRAME_JSON_ARRAY,	/* [row,row] */
	DBMAZZ_FRAME_NDJSON,		/* row \n row \n */
	DBMAZZ_FRAME_CSV			/* row row: of a CSV batch, with line ends */
} DbmazzFraming;

typedef struct DbmazzBody
{
	const DbmazzBatchView *batch;
	DbmazzFraming framing;
	DbmazzSpan	delete_tail;	/* closes a delete: ,"b":0,"__op":1} or, in
								 * CSV, with the end of its line, ,0,1\n */
	uint64_t	size;			/* bytes of the whole body */
	uint32_t	nrows;			/* rows in it */
	bool		one_run;		/* the batch's bytes as they stand */

	/* position; private to body.c */
	DbmazzRowCursor cursor;
	const DbmazzSegment *segment;
	const char *pos;
	uint64_t	left;			/* of the run or row at 'pos' */
	DbmazzSpan	fixed;			/* bytes to send before going on */
	uint32_t	rows_sent;
	int			state;
} DbmazzBody;

/*
 * Prepare; computes size and nrows in one walk over the directory.
 * 'delete_tail' is not copied.  Batches without a row left give "[]" or "".
 * Batches with DBMAZZ_TABLE_CSV go with FRAME_CSV, and only they.
 */
extern void dbmazz_body_init(DbmazzBody *body, const DbmazzBatchView *batch,
							 DbmazzFraming framing, DbmazzSpan delete_tail);

/* Fill 'out' with up to 'len' bytes; returns how many, 0 at the end. */
extern size_t dbmazz_body_read(DbmazzBody *body, char *out, size_t len);

/* Start again from the first byte; the bytes will be the same. */
extern void dbmazz_body_rewind(DbmazzBody *body);

#endif							/* DBMAZZ_BODY_H */
