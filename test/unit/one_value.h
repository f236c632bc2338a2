/*
 * one_value.h
 *		Encodes single values in many places of a segment.
 *
 * NOTES
 *	  The row is {"k":1,"v":...}; the value under test is v.  It is encoded with
 *	  much room and with the segment's end at several of its bytes.
 */
#ifndef DBMAZZ_ONE_VALUE_H
#define DBMAZZ_ONE_VALUE_H

#include "core/encode_json.h"
#include "helpers.h"

#define NROOMS	11

/* Bytes left in the segment when the row begins. */
extern const uint32_t rooms[NROOMS];

/* DBMAZZ_COLUMN_* of the column v. */
extern uint8_t value_flags;

/* What the last encode_value() said. */
extern DbmazzError value_error;

/* Encode a value where 'room' bytes are left; the row is returned in 'out'. */
extern DbmazzStatus encode_value(uint8_t value_class,
								 const DbmazzValue *value, uint32_t room,
								 Buffer *out);
extern DbmazzValue text_value(const char *data, size_t len);

/* Check that the value gives this text in the row. */
extern void value_gives(uint8_t value_class, const char *text,
						const char *expected);
extern void value_gives_bytes(uint8_t value_class, const char *data,
							  size_t len, const char *expected,
							  size_t expected_len);

/* Check that it is refused with this message. */
extern void value_is_malformed(uint8_t value_class, const char *text,
							   const char *message);
extern void value_is_unfit(uint8_t value_class, const char *text,
						   const char *message);

#endif							/* DBMAZZ_ONE_VALUE_H */
