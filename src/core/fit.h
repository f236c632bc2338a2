/*
 * fit.h
 *		What is sent for a value that the target cannot hold.
 *
 * NOTES
 *	  The policy is dbmazz.unrepresentable; the table in typemap.c tells users
 *	  what it means for each type.  Off the fast way: encoders come here with
 *	  the values that have not the form of their class, or may be too long.
 *
 *	  Columns of a key are never changed: two rows could become one.  A column
 *	  that is NOT NULL in the source never becomes null.
 */
#ifndef DBMAZZ_FIT_H
#define DBMAZZ_FIT_H

#include "core/error.h"
#include "core/pgoutput.h"
#include "core/policy.h"

/*
 * Is this value of kind text too long for the column that target_ddl makes?
 * Only told where the policy may change it: under "error" the target decides,
 * for its column may be longer than ours.
 */
extern bool dbmazz_is_too_long(const DbmazzValue *value, uint8_t value_class,
							   uint8_t flags, DbmazzUnrepresentable policy);

/*
 * The value of kind text is not as its class demands, or too long.  Puts into
 * 'fitted' what to encode: a null, or a text, that is part of 'value' or
 * constant.  A document with flaws (json_check.h) is its own replacement: then
 * the encoder writes it without them.  'flags' are DBMAZZ_COLUMN_*.
 * DBMAZZ_ERR_UNREPRESENTABLE: it does not fit, and is not to be, or cannot be
 * changed.  DBMAZZ_ERR_MALFORMED: PostgreSQL does not write this class so.
 * 'err' then has the reason, without the names.  Never throws.
 */
extern DbmazzStatus dbmazz_fit(const DbmazzValue *value, uint8_t value_class,
							   uint8_t flags, DbmazzUnrepresentable policy,
							   DbmazzValue *fitted, DbmazzError *err);

#endif							/* DBMAZZ_FIT_H */
