/*
 * http.h
 *		Reads the head of an HTTP/1.x request.
 */
#ifndef BH_HTTP_H
#define BH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BH_MAX_SEGMENTS		12

/* Bytes of somebody else's memory. */
typedef struct BhSpan
{
	const char *data;
	size_t		len;
} BhSpan;

/* The spans point into the bytes that were parsed. */
typedef struct BhRequest
{
	BhSpan		method;
	BhSpan		target;			/* path and query as they came */
	BhSpan		segments[BH_MAX_SEGMENTS];	/* of the path, without '/' */
	int			nsegments;
	BhSpan		query;			/* without '?' */
	bool		keep_alive;
	bool		expect_continue;
	bool		chunked;
	uint64_t	content_length;
	BhSpan		authorization;
	BhSpan		host;
	BhSpan		label;
	BhSpan		table;			/* the header of a transaction's load */
	BhSpan		format;
	BhSpan		compression;
} BhRequest;

/*
 * Parse a head of 'len' bytes, the empty line included.  False if it is not
 * one.
 */
extern bool bh_request_parse(BhRequest *req, const char *head, size_t len);

extern bool bh_span_is(BhSpan span, const char *text);

/* The same without regard to case. */
extern bool bh_span_is_nocase(BhSpan span, const char *text);

/* Value of a query parameter; empty if it is not there. */
extern BhSpan bh_request_param(const BhRequest *req, const char *name);

#endif							/* BH_HTTP_H */
