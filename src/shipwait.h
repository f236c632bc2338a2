/*
 * shipwait.h
 *		One wait for the latch and for whatever sockets a sink has.
 */
#ifndef DBMAZZ_SHIPWAIT_H
#define DBMAZZ_SHIPWAIT_H

#include "dbmazz_sink.h"

#define DBMAZZ_MAX_SOCKETS	256

typedef struct DbmazzShipWait DbmazzShipWait;

extern DbmazzShipWait *dbmazz_shipwait_create(uint32_t wait_event);

/*
 * Wait for the latch (which is reset), a socket, or the timeout (-1: none).
 * Returns the number of socket events in 'events' (DBMAZZ_MAX_SOCKETS of them).
 * Ends the process if the postmaster has died.
 */
extern int	dbmazz_shipwait_wait(DbmazzShipWait *wait,
								 const DbmazzSinkSocket *sockets, int nsockets,
								 long timeout_ms, DbmazzSinkEvent *events);

#endif							/* DBMAZZ_SHIPWAIT_H */
