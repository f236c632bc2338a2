/*
 * encoding.h
 *		Between the database's encoding and UTF-8.
 *
 * NOTES
 *	  Targets, labels, batches and error records hold UTF-8.  Catalogs, settings
 *	  and the server's own messages are in the encoding of the database.  Where
 *	  that is UTF-8, all of this does nothing.
 *
 *	  pgoutput could convert, but it fails as a whole at a byte that it cannot
 *	  convert, in the middle of decoding and at every attempt.  So it sends what
 *	  the database holds, and the rows are converted here, value by value.  In a
 *	  database with SQL_ASCII nobody knows what bytes mean: those that are UTF-8
 *	  are taken as such.
 *
 *	  The server's conversion functions are looked up once: while it decodes, a
 *	  process must not look into today's catalogs.
 */
#ifndef DBMAZZ_ENCODING_H
#define DBMAZZ_ENCODING_H

#include "core/pgoutput.h"
#include "core/policy.h"

/*
 * Look up the functions, for this process.  Needs a transaction; may longjmp.
 * Without it only ASCII is converted; the functions below call it where there
 * is a transaction.
 */
extern void dbmazz_encoding_init(void);

/* Is there anything to convert? */
extern bool dbmazz_encoding_is_utf8(void);

/*
 * A text in the database's encoding as UTF-8, and back.  The argument itself
 * where it is the same, else palloc'd.  The bytes of what cannot be converted are
 * written as \xe9: so a name that cannot be is still another one than all others,
 * and the same after it was stored and read again.
 */
extern char *dbmazz_to_utf8(const char *text);
extern char *dbmazz_from_utf8(const char *text);

/* Can all of a text in the database's encoding be converted? */
extern bool dbmazz_is_convertible(const char *text);

/*
 * Can a text in UTF-8 have bytes in it that were escaped?  It may as well have been
 * like that before.
 */
extern bool dbmazz_may_be_escaped(const char *text);

/*
 * Convert the values of a tuple, in place; what needs memory is palloc'd in the
 * current context.  Values that cannot be converted follow 'policy', apart from
 * those of an old tuple that are no key: these are only needed if all else is
 * missing, so they become unchanged, as if they had not been sent.
 * DBMAZZ_ERR_UNREPRESENTABLE: the value of err->column (from 1, of 'desc')
 * stops the table; the message says why, without the names.  Not with 'keep':
 * then the value becomes DBMAZZ_VALUE_BROKEN, which the encoders refuse.
 */
extern DbmazzStatus dbmazz_encoding_tuple(const DbmazzTableDesc *desc,
										  DbmazzTuple *tuple, bool is_old,
										  bool keep,
										  DbmazzUnrepresentable policy,
										  DbmazzError *err);

#endif							/* DBMAZZ_ENCODING_H */
