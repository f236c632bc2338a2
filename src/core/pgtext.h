/*
 * pgtext.h
 *		Text of the server's values, as its output functions write it.
 *
 * NOTES
 *	  For the types that most columns have, and for the formats that the decoder
 *	  fixes: DateStyle ISO, TimeZone UTC, bytea_output hex.  All write without a
 *	  terminator and return the length.
 *	  Sources of the forms: src/backend/utils/adt/datetime.c (EncodeDateTime,
 *	  EncodeDateOnly, EncodeTimeOnly), numeric.c (NumericData, get_str_from_var),
 *	  uuid.c, varlena.c (byteaout).
 */
#ifndef DBMAZZ_PGTEXT_H
#define DBMAZZ_PGTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a number, date, time, timestamp or UUID. */
#define DBMAZZ_PGTEXT_ROOM	64

extern size_t dbmazz_pgtext_integer(char *out, int64_t value);

/* Days since 2000-01-01. */
extern size_t dbmazz_pgtext_date(char *out, int32_t days);

/* Microseconds since midnight, to 24:00:00. */
extern size_t dbmazz_pgtext_time(char *out, int64_t us);

/* Microseconds since 2000-01-01; timestamptz has a zone, which is UTC. */
extern size_t dbmazz_pgtext_timestamp(char *out, int64_t us, bool has_zone);

/*
 * A number of up to four decimals and below 10^11, which is what most columns of
 * this type hold; 0: it is another one.  Such a text has 15 digits at most, and no
 * two of these are the same double: so there is no shorter text of the number.
 */
extern size_t dbmazz_pgtext_short_double(char *out, double value);

/* 16 bytes. */
extern size_t dbmazz_pgtext_uuid(char *out, const unsigned char *uuid);

/* Needs 2 * len + 2 bytes of room. */
extern size_t dbmazz_pgtext_bytea(char *out, const unsigned char *data,
								  size_t len);

/*
 * A numeric without its varlena header, of 'len' bytes, into 'room' bytes.  0:
 * malformed; more than 'room': nothing was written, and so much is enough.
 */
extern size_t dbmazz_pgtext_numeric(char *out, size_t room, const void *data,
									size_t len);

#endif							/* DBMAZZ_PGTEXT_H */
