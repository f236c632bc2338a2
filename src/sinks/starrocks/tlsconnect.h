/*
 * tlsconnect.h
 *		Connecting to a MySQL port with TLS, in a thread of its own.
 *
 * NOTES
 *	  libmariadb waits for the TLS handshake, in its non-blocking functions too.
 *	  So connecting runs in a thread, whose every wait ends when it is told to.
 *	  The thread calls libmariadb only, with all signals blocked; it is joined
 *	  before anything that it uses is freed.
 */
#ifndef DBMAZZ_SR_TLSCONNECT_H
#define DBMAZZ_SR_TLSCONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include <mysql.h>

typedef struct DbmazzSrConnect DbmazzSrConnect;

/*
 * Connect 'mysql', whose options are set, to a numeric address; 'host' is the name
 * that the server's certificate must have.  Strings are copied.  Nobody else may
 * use 'mysql' until the end.  NULL: out of memory, or of threads.
 */
extern DbmazzSrConnect *dbmazz_sr_connect_start(MYSQL *mysql,
												const char *address, int port,
												const char *host,
												const char *user,
												const char *password,
												int64_t deadline_ms);

/* Readable when the thread has ended. */
extern int	dbmazz_sr_connect_socket(const DbmazzSrConnect *connect);

/*
 * Wait for the thread's end, which comes at once, for it is told to give up if it
 * has not ended.  True: 'mysql' is connected.
 */
extern bool dbmazz_sr_connect_end(DbmazzSrConnect *connect);

#endif							/* DBMAZZ_SR_TLSCONNECT_H */
