/*
 * launcher_wal.h
 *		How much WAL the slots of pipelines keep, and a word when it is too much.
 */
#ifndef DBMAZZ_LAUNCHER_WAL_H
#define DBMAZZ_LAUNCHER_WAL_H

#include "datatype/timestamp.h"

/*
 * Look, if that is due, and tell of what has changed; see walwatch.h.  Returns
 * the milliseconds until the next look, or -1 while there is no slot to watch.
 * Outside of transactions.
 */
extern long dbmazz_wal_drive(TimestampTz now);

#endif							/* DBMAZZ_LAUNCHER_WAL_H */
