/*
 * roundtrip.h
 *		Random rows through parser, encoder, batch and body, and back.
 */
#ifndef DBMAZZ_ROUNDTRIP_H
#define DBMAZZ_ROUNDTRIP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Make a table and rows as the bytes of 'data' decide, send them all the way,
 * read the body with a reader of its own and compare.  Returns NULL if all is
 * well, else what is wrong.
 */
extern const char *roundtrip(const uint8_t *data, size_t len);

#endif							/* DBMAZZ_ROUNDTRIP_H */
