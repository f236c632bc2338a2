/*
 * mysqlport.h
 *		A session at StarRocks' MySQL port: the only code that knows libmariadb.
 *
 * NOTES
 *	  It never waits: its user waits on the socket that it names.  libmariadb
 *	  would wait for the lookup of a name and for a TLS handshake, so it gets
 *	  numeric addresses and speaks in the clear; the password itself is not sent,
 *	  for only the plugin mysql_native_password is allowed.  No file of settings
 *	  is read, and the server cannot ask for local files.
 *
 *	  One operation at a time: connecting, then statements.  Nothing throws;
 *	  memory is malloc'ed.
 */
#ifndef DBMAZZ_SR_MYSQLPORT_H
#define DBMAZZ_SR_MYSQLPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DBMAZZ_SR_PORT_ERROR	512

typedef struct DbmazzSrPort DbmazzSrPort;

typedef enum DbmazzSrPortState
{
	DBMAZZ_SR_PORT_BUSY,
	DBMAZZ_SR_PORT_READY,		/* the operation has succeeded */
	DBMAZZ_SR_PORT_FAILED
} DbmazzSrPortState;

/* Connect to a numeric address.  NULL if out of memory. */
extern DbmazzSrPort *dbmazz_sr_port_open(const char *address, int port,
										 const char *user,
										 const char *password,
										 int64_t timeout_ms);

/*
 * Send a statement, which must stay until it has ended; only when READY, or when
 * the server has refused the one before.
 */
extern void dbmazz_sr_port_query(DbmazzSrPort *port, const char *text,
								 size_t len, int64_t timeout_ms);

/* Move on as far as possible. */
extern DbmazzSrPortState dbmazz_sr_port_poll(DbmazzSrPort *port);

/*
 * What a session waits for while it is BUSY: its socket (-1: none yet), and
 * when it gives up, on the clock of dbmazz_http_now_ms().
 */
extern int	dbmazz_sr_port_socket(const DbmazzSrPort *port, bool *want_read,
								  bool *want_write, int64_t *deadline_ms);

/*
 * Why it FAILED: the server's error code, or 0 if it was not the server that
 * said so (refused, lost, too late).
 */
extern unsigned dbmazz_sr_port_error(const DbmazzSrPort *port,
									 const char **message);

/* The session's number in SHOW PROCESSLIST. */
extern unsigned long dbmazz_sr_port_id(const DbmazzSrPort *port);

/* Rows of the last statement, one after another; a value, NULL if there is none. */
extern bool dbmazz_sr_port_next(DbmazzSrPort *port);
extern const char *dbmazz_sr_port_value(const DbmazzSrPort *port,
										const char *column);

/* Ends the session, whatever it is doing, and at once. */
extern void dbmazz_sr_port_close(DbmazzSrPort *port);

#endif							/* DBMAZZ_SR_MYSQLPORT_H */
