/*
 * launcher_scan.h
 *		The launcher's looks into databases.
 */
#ifndef DBMAZZ_LAUNCHER_SCAN_H
#define DBMAZZ_LAUNCHER_SCAN_H

#include "datatype/timestamp.h"

#define DBMAZZ_LAUNCH_TIMEOUT_MS	20000	/* accepted, but it never ran */

extern void dbmazz_scans_init(void);

/*
 * Take requests for looks over, start the next scan worker, see what became of
 * the last one; true while there is anything to do.
 */
extern bool dbmazz_scans_drive(TimestampTz now);

extern bool dbmazz_database_exists(Oid dboid);

#endif							/* DBMAZZ_LAUNCHER_SCAN_H */
