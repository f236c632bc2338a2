/*
 * error.h
 *		The error record that core and sinks fill and servers report.
 *
 * NOTES
 *	  Nothing below src/ proper may raise an error with the server's own
 *	  machinery: core has no server, and a sink runs under libcurl frames that
 *	  must not be jumped over.  They fill one of these, return a status, and
 *	  the caller turns it into ereport().  The record has a fixed size, so it
 *	  can also be kept in shared memory.
 */
#ifndef DBMAZZ_ERROR_H
#define DBMAZZ_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define DBMAZZ_ERROR_MESSAGE	256
#define DBMAZZ_ERROR_DETAIL		768
#define DBMAZZ_ERROR_HINT		768

typedef enum DbmazzStatus
{
	DBMAZZ_OK = 0,
	DBMAZZ_ERR_TRUNCATED,		/* input ends inside a field */
	DBMAZZ_ERR_MALFORMED,		/* a field has a value that cannot be */
	DBMAZZ_ERR_UNSUPPORTED,		/* known, but not handled on purpose */
	DBMAZZ_ERR_LIMIT,			/* a fixed limit is exceeded */
	DBMAZZ_ERR_UNREPRESENTABLE, /* the target type cannot hold the value */
	DBMAZZ_ERR_NO_SPACE			/* the buffer's owner gave no more room */
} DbmazzStatus;

typedef struct DbmazzError
{
	DbmazzStatus status;
	uint32_t	offset;			/* byte of the input it is about, or 0 */
	uint32_t	column;			/* column of the row it is about, counted from
								 * 1, or 0 */
	char		message[DBMAZZ_ERROR_MESSAGE];	/* lower case, no full stop */
	char		detail[DBMAZZ_ERROR_DETAIL];	/* sentences, or "" */
	char		hint[DBMAZZ_ERROR_HINT];	/* sentences, or "" */
} DbmazzError;

/* Empty the record.  Never throws. */
extern void dbmazz_error_reset(DbmazzError *err);

/*
 * Set status, offset and message (cut to fit at a character boundary of UTF-8;
 * always terminated); clears detail and hint.  Returns the status, so that a
 * caller can write "return dbmazz_error_set(...)".  Never throws.
 */
extern DbmazzStatus dbmazz_error_set(DbmazzError *err, DbmazzStatus status,
									 uint32_t offset, const char *fmt,...)
			__attribute__((format(printf, 4, 5)));

/* Fill detail or hint of a record that has a message. */
extern void dbmazz_error_detail(DbmazzError *err, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));
extern void dbmazz_error_hint(DbmazzError *err, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

#endif							/* DBMAZZ_ERROR_H */
