/*
 * slow_resolver.c
 *		To be preloaded: names take seconds to resolve, and then do not exist.
 *
 * NOTES
 *	  Also looks at the signal mask of the thread that asks, which must be none
 *	  that could run a handler of the server; if it is, the program ends.
 */
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int
getaddrinfo(const char *name, const char *service,
			const struct addrinfo *hints, struct addrinfo **result)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGUSR1,
	SIGUSR2, SIGCHLD};
	sigset_t	mask;
	size_t		i;

	(void) name;
	(void) service;
	(void) hints;
	(void) result;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
	{
		if (!sigismember(&mask, signals[i]))
			abort();
	}
	sleep(4);
	return EAI_NONAME;
}
