/*
 * utf8.h
 *		Characters of UTF-8: their lengths, cuts between them, and messages.
 */
#ifndef DBMAZZ_UTF8_H
#define DBMAZZ_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the valid character at 'data', of which 'len' > 0 bytes are there;
 * 0 if there is none. */
extern size_t dbmazz_utf8_char(const char *data, size_t len);

/* The longest prefix of at most 'limit' bytes that ends between characters. */
extern uint32_t dbmazz_utf8_cut(const char *data, uint32_t len,
								uint32_t limit);

/*
 * A value for a message, terminated, at most 'size' bytes: control characters
 * and bytes that are not UTF-8 are written as \xHH, and "..." stands for what
 * there is no room for.  'size' must be at least 8.
 */
extern void dbmazz_show_value(char *out, size_t size, const char *data,
							  size_t len);

#endif							/* DBMAZZ_UTF8_H */
