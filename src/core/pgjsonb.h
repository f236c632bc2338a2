/*
 * pgjsonb.h
 *		Text of the server's jsonb, as its output function writes it.
 *
 * NOTES
 *	  Source of the form: src/include/utils/jsonb.h, and JsonbToCString() of
 *	  src/backend/utils/adt/jsonb.c.
 */
#ifndef DBMAZZ_PGJSONB_H
#define DBMAZZ_PGJSONB_H

#include <stddef.h>

typedef enum DbmazzJsonbResult
{
	DBMAZZ_JSONB_WRITTEN = 0,
	DBMAZZ_JSONB_NO_ROOM,		/* give more; what was written is nothing */
	DBMAZZ_JSONB_REFUSED		/* nested too deeply, or malformed: let the
								 * server's function tell */
} DbmazzJsonbResult;

/*
 * A jsonb without its varlena header, of 'len' bytes, aligned or not, into 'room'
 * bytes.  Sets '*written' to the length, without a terminator.  Reads nothing but
 * these bytes, whatever is in them.
 */
extern DbmazzJsonbResult dbmazz_pgtext_jsonb(char *out, size_t room,
											 const void *data, size_t len,
											 size_t *written);

#endif							/* DBMAZZ_PGJSONB_H */
