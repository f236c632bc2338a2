/*
 * mysqlport.h
 *		A session at StarRocks' MySQL port: with tlsconnect.c the only code that
 *		knows libmariadb.
 *
 * NOTES
 *	  It never waits: its user waits on the socket that it names.  libmariadb
 *	  would wait for the lookup of a name, so it gets numeric addresses; and for
 *	  a TLS handshake, which a thread does.  The password itself is not sent, for
 *	  only the plugin mysql_native_password is allowed.  No file of settings is
 *	  read, and the server cannot ask for local files.
 *
 *	  One operation at a time: connecting, then statements and their rows.
 *	  Memory does not depend on what the server sends: one row is held at a time,
 *	  and neither rows nor their number may be large.  Nothing throws; memory is
 *	  malloc'ed.
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

typedef struct DbmazzSrPortTarget
{
	const char *address;		/* numeric */
	int			port;
	const char *user;
	const char *password;
	bool		tls;			/* nothing is sent without */
	bool		tls_verify;
	const char *host;			/* the name that its certificate must have */
	const char *ca_file;		/* NULL: the system's */
} DbmazzSrPortTarget;

/* Connect.  Strings are copied.  NULL if out of memory. */
extern DbmazzSrPort *dbmazz_sr_port_open(const DbmazzSrPortTarget *target,
										 int64_t timeout_ms);

/*
 * Send a statement, which must stay until it has ended; only when READY and all
 * rows have been read, or when the server has refused the one before.
 */
extern void dbmazz_sr_port_query(DbmazzSrPort *port, const char *text,
								 size_t len, int64_t timeout_ms);

/*
 * Read the next row of the statement, within its time; only when READY.  When it
 * is READY again, dbmazz_sr_port_row() says whether there was one.
 */
extern void dbmazz_sr_port_next(DbmazzSrPort *port);
extern bool dbmazz_sr_port_row(const DbmazzSrPort *port);

/* A value of the row, valid until the next; NULL if there is none. */
extern const char *dbmazz_sr_port_value(const DbmazzSrPort *port,
										const char *column);

/* Move on as far as possible. */
extern DbmazzSrPortState dbmazz_sr_port_poll(DbmazzSrPort *port);

/*
 * What a session waits for while it is BUSY: its socket (-1: none), and when it
 * gives up, on the clock of dbmazz_http_now_ms().
 */
extern int	dbmazz_sr_port_socket(const DbmazzSrPort *port, bool *want_read,
								  bool *want_write, int64_t *deadline_ms);

/*
 * Why it FAILED: the server's error code, or 0 if it was not the server that
 * said so (refused, lost, too late, too much).
 */
extern unsigned dbmazz_sr_port_error(const DbmazzSrPort *port,
									 const char **message);

/* FAILED because nobody listens there. */
extern bool dbmazz_sr_port_refused(const DbmazzSrPort *port);

/* The session's number in SHOW PROCESSLIST. */
extern unsigned long dbmazz_sr_port_id(const DbmazzSrPort *port);

/* Ends the session, whatever it is doing, and at once. */
extern void dbmazz_sr_port_close(DbmazzSrPort *port);

#endif							/* DBMAZZ_SR_MYSQLPORT_H */
