/*
 * json_read.h
 *		A strict and slow reader of JSON, to check what the encoder writes.
 *
 * NOTES
 *	  It follows RFC 8259 to the letter and shares no code with src/core.
 */
#ifndef DBMAZZ_JSON_READ_H
#define DBMAZZ_JSON_READ_H

#include <stddef.h>

typedef enum JsonKind
{
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonKind;

/* Read one value, with white space before it.  Returns where it ends, NULL on
 * a syntax error; '*start' is its first byte. */
extern const char *json_read(const char *p, const char *end, JsonKind *kind,
							 const char **start);

/* Skip white space, and this byte if it is there: else NULL. */
extern const char *json_expect(const char *p, const char *end, char c);

/* Decode a string that json_read() has accepted, without its quotes; 'out'
 * needs as many bytes as it has.  Returns the length. */
extern size_t json_decode(const char *start, const char *end, char *out);

#endif							/* DBMAZZ_JSON_READ_H */
