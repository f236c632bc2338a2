/*
 * buffer.h
 *		A growing run of bytes.
 */
#ifndef BH_BUFFER_H
#define BH_BUFFER_H

#include <stddef.h>

typedef struct BhBuffer
{
	char	   *data;
	size_t		len;
	size_t		cap;
} BhBuffer;

/* Make room for 'more' bytes behind the end.  Ends the program if it can't. */
extern void bh_buffer_reserve(BhBuffer *buf, size_t more);
extern void bh_buffer_append(BhBuffer *buf, const void *data, size_t len);
extern void bh_buffer_printf(BhBuffer *buf, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* Remove bytes from the front. */
extern void bh_buffer_consume(BhBuffer *buf, size_t n);
extern void bh_buffer_free(BhBuffer *buf);

#endif							/* BH_BUFFER_H */
