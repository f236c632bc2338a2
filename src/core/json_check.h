/*
 * json_check.h
 *		Finds what StarRocks refuses in a document that PostgreSQL took.
 *
 * NOTES
 *	  PostgreSQL's json is any text that obeys the grammar.  StarRocks reads
 *	  documents with a parser that makes values of them, and one value that it
 *	  cannot make fails the row: an escape that is no character (half of a
 *	  surrogate pair; \u0000 is refused by us, for nothing promises that it is
 *	  kept), an integer below -2^63 or above 2^64-1, another number
 *	  beyond DOUBLE, and documents that are nested deeper than the parser goes.
 */
#ifndef DBMAZZ_JSON_CHECK_H
#define DBMAZZ_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Levels of arrays and objects; the parser's 1024 include those around it. */
#define DBMAZZ_JSON_DEPTH	1000

typedef enum DbmazzJsonFlawKind
{
	DBMAZZ_JSON_FLAWLESS = 0,
	DBMAZZ_JSON_BAD_ESCAPE,
	DBMAZZ_JSON_BAD_NUMBER,
	DBMAZZ_JSON_TOO_DEEP
} DbmazzJsonFlawKind;

/* 'len' bytes at 'start' that 'instead' may stand for (NULL: nothing can). */
typedef struct DbmazzJsonFlaw
{
	DbmazzJsonFlawKind kind;
	const char *start;
	size_t		len;
	const char *instead;
} DbmazzJsonFlaw;

typedef struct DbmazzJsonWalk
{
	const char *pos;
	const char *end;
	unsigned int depth;
	bool		in_string;
} DbmazzJsonWalk;

/* A quick look that may be wrong in one way only: true means no flaw. */
extern bool dbmazz_json_is_harmless(const char *data, size_t len);

/*
 * Walk through a document that obeys the grammar; one that does not gives any
 * result, but nothing beyond its end is read.
 */
extern void dbmazz_json_walk(DbmazzJsonWalk *walk, const char *data,
							 size_t len);

/* The next flaw; DBMAZZ_JSON_FLAWLESS at the end. */
extern DbmazzJsonFlawKind dbmazz_json_next_flaw(DbmazzJsonWalk *walk,
												DbmazzJsonFlaw *flaw);

#endif							/* DBMAZZ_JSON_CHECK_H */
