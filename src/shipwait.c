/*
 * shipwait.c
 *		One wait for the latch and for whatever sockets a sink has.
 *
 * NOTES
 *	  A WaitEventSet cannot lose a member before PostgreSQL 19, so it is made anew
 *	  when the list of sockets changes, which is rare with kept-alive
 *	  connections; a change of what is wanted of a socket is only a modification.
 *	  A closed descriptor's number may come back for another socket: the serial
 *	  number tells them apart.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "shipwait.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#define FIRST_SOCKET	2		/* behind the latch and the postmaster */

struct DbmazzShipWait
{
	uint32		wait_event;
	WaitEventSet *set;
	int			n;
	DbmazzSinkSocket sockets[DBMAZZ_MAX_SOCKETS];
};

DbmazzShipWait *
dbmazz_shipwait_create(uint32_t wait_event)
{
	DbmazzShipWait *w = MemoryContextAllocZero(TopMemoryContext, sizeof(*w));

	w->wait_event = wait_event;
	w->n = -1;
	return w;
}

static uint32
flags_of(const DbmazzSinkSocket *s)
{
	return (s->want_read ? WL_SOCKET_READABLE : 0) |
		(s->want_write ? WL_SOCKET_WRITEABLE : 0);
}

static bool
same_sockets(const DbmazzShipWait *w, const DbmazzSinkSocket *sockets, int n)
{
	int			i;

	if (w->n != n)
		return false;
	for (i = 0; i < n; i++)
	{
		if (w->sockets[i].fd != sockets[i].fd ||
			w->sockets[i].serial != sockets[i].serial)
			return false;
	}
	return true;
}

static void
rebuild(DbmazzShipWait *w, const DbmazzSinkSocket *sockets, int n)
{
	int			i;

	if (w->set != NULL)
		FreeWaitEventSet(w->set);
	w->set = dbmazz_create_wait_event_set_compat(FIRST_SOCKET + n);
	AddWaitEventToSet(w->set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(w->set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	for (i = 0; i < n; i++)
		AddWaitEventToSet(w->set, flags_of(&sockets[i]), sockets[i].fd, NULL,
						  NULL);
	memcpy(w->sockets, sockets, n * sizeof(*sockets));
	w->n = n;
}

int
dbmazz_shipwait_wait(DbmazzShipWait *wait, const DbmazzSinkSocket *sockets,
					 int nsockets, long timeout_ms, DbmazzSinkEvent *events)
{
	WaitEvent	fired[FIRST_SOCKET + DBMAZZ_MAX_SOCKETS];
	DbmazzSinkSocket wanted[DBMAZZ_MAX_SOCKETS];
	int			n = 0;
	int			nfired;
	int			nevents = 0;
	int			i;

	/* a socket of which nothing is wanted cannot be in a set */
	for (i = 0; i < nsockets; i++)
	{
		if (flags_of(&sockets[i]) != 0)
			wanted[n++] = sockets[i];
	}
	if (!same_sockets(wait, wanted, n))
		rebuild(wait, wanted, n);
	for (i = 0; i < n; i++)
	{
		if (flags_of(&wanted[i]) == flags_of(&wait->sockets[i]))
			continue;
		ModifyWaitEvent(wait->set, FIRST_SOCKET + i, flags_of(&wanted[i]),
						NULL);
		wait->sockets[i] = wanted[i];
	}

	nfired = WaitEventSetWait(wait->set, timeout_ms, fired, lengthof(fired),
							  wait->wait_event);
	for (i = 0; i < nfired; i++)
	{
		if (fired[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if ((fired[i].events & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE)) == 0)
			continue;
		events[nevents].fd = fired[i].fd;
		events[nevents].readable = fired[i].events & WL_SOCKET_READABLE;
		events[nevents].writable = fired[i].events & WL_SOCKET_WRITEABLE;
		nevents++;
	}
	return nevents;
}
