/*
 * rows.h
 *		Counts and sums up the rows of a body while it arrives.
 *
 * NOTES
 *	  A JSON body is an array of objects or a sequence of objects; every object at
 *	  the outermost level is a row.  The scanner looks at 64 bytes at a time,
 *	  never twice at the same, and keeps its state between pieces, so that a
 *	  row may be cut anywhere.
 *
 *	  The checksum is the sum of a hash of every row's bytes, so it tells
 *	  whether two runs have sent the same rows, however they were cut into
 *	  bodies.
 */
#ifndef BH_ROWS_H
#define BH_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called for each complete row, from its '{' to its '}'. */
typedef void (*BhRowFn) (void *arg, const char *row, size_t len);

typedef struct BhRows
{
	uint64_t	rows;
	uint64_t	checksum;

	/* state of the scanner */
	uint64_t	in_string;		/* all ones: the next byte is in a string */
	uint64_t	escaped;		/* 1: the next byte is escaped */
	int64_t		depth;			/* of open braces and brackets */
	int			base;			/* depth of rows; -1: only blanks so far */
	bool		closed;			/* the outer array has ended */
	bool		broken;			/* not a sequence of objects */
	size_t		scanned;		/* bytes of the buffer that are done */
	size_t		row_start;		/* of the open row, if depth > base */

	BhRowFn		fn;				/* may be NULL */
	void	   *arg;
} BhRows;

extern void bh_rows_init(BhRows *rows, BhRowFn fn, void *arg);

/*
 * Look at what is new in buf[0 .. len).  The buffer begins with what
 * bh_rows_keep() asked to keep.  'last': nothing will follow.
 */
extern void bh_rows_feed(BhRows *rows, const char *buf, size_t len, bool last);

/* The same for a body of CSV, which is only ever fed in this way. */
extern void bh_csv_feed(BhRows *rows, const char *buf, size_t len);

/* For the scanners: the row from row_start to before 'end' is complete. */
extern void bh_row_done(BhRows *rows, const char *buf, size_t end);

/* First byte of the buffer that must be there at the next call. */
extern size_t bh_rows_keep(const BhRows *rows);

/* The caller has removed the first 'n' bytes, at most bh_rows_keep(). */
extern void bh_rows_forget(BhRows *rows, size_t n);

/* After the last piece: was it a complete sequence of objects? */
extern bool bh_rows_complete(const BhRows *rows);

extern uint64_t bh_row_hash(const char *row, size_t len);

/* Use the portable scanner even where a vector one is there (for tests). */
extern void bh_rows_force_scalar(void);
extern const char *bh_rows_variant(void);

#endif							/* BH_ROWS_H */
