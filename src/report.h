/*
 * report.h
 *		From error records to the server's error reporting, and back.
 */
#ifndef DBMAZZ_REPORT_H
#define DBMAZZ_REPORT_H

#include "core/error.h"
#include "utils/elog.h"

/* ereport() the record at 'elevel' with 'sqlerrcode'; 'prefix' (or NULL) is put
 * before the message: "prefix: message".  May longjmp if elevel >= ERROR. */
extern void dbmazz_report(int elevel, int sqlerrcode, const char *prefix,
						  const DbmazzError *error);

/* Fill a record from an ErrorData of the server. */
extern void dbmazz_error_from_server(DbmazzError *error, const ErrorData *edata);

#endif							/* DBMAZZ_REPORT_H */
