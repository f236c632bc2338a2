/*
 * tlsconnect.c
 *		Connecting to a MySQL port with TLS, in a thread of its own.
 *
 * NOTES
 *	  libmariadb calls our function where it waits, and nowhere else.  There its
 *	  socket is made non-blocking, without which the handshake waits in the kernel;
 *	  and it is given the name that the certificate must have, for it connects to
 *	  a number.  The first must be done between connecting and the handshake, so
 *	  the wait for the server's greeting is made certain: until it comes, libmariadb
 *	  has a socket in which nothing arrives.  The second must be done in the
 *	  handshake, where a quick server may leave nothing to wait for.  Then the
 *	  certificate is compared with a spelling of the number that no certificate
 *	  has, the connection is refused before anything was said about the user, and
 *	  is tried again.
 */
#include "sinks/starrocks/tlsconnect.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <errmsg.h>

#include "http/http.h"

#define MAX_TRIES		20		/* of a handshake without a wait */

struct DbmazzSrConnect
{
	MYSQL	   *mysql;
	char		address[64];	/* spelled as no certificate does */
	char	   *host;
	char	   *user;
	char	   *password;
	int			port;
	int64_t		deadline_ms;
	int			ours;			/* a pair of sockets: each side learns from the */
	int			its;			/* other's shutdown that this one is done */
	int			real;			/* while libmariadb has another socket in its */
	int			other;			/* place; and that one's peer */
	bool		named;			/* the certificate's name has been set */
	bool		connected;		/* written by the thread, read when it is gone */
	pthread_t	thread;
};

/* libmariadb hands nothing of ours to the function that waits. */
static __thread DbmazzSrConnect *current;

static bool spell(DbmazzSrConnect *connect, const char *address);
static bool start_thread(DbmazzSrConnect *connect);
static void *run(void *arg);
static int	wait_for(my_socket fd, my_bool is_read, int timeout);
static void set_aside(DbmazzSrConnect *connect, int fd);
static void put_back(DbmazzSrConnect *connect, int fd);
static void drop_aside(DbmazzSrConnect *connect);
static void name_host(DbmazzSrConnect *connect);
static void free_connect(DbmazzSrConnect *connect);

DbmazzSrConnect *
dbmazz_sr_connect_start(MYSQL *mysql, const char *address, int port,
						const char *host, const char *user,
						const char *password, int64_t deadline_ms)
{
	DbmazzSrConnect *connect = calloc(1, sizeof(*connect));
	int			pair[2];

	if (connect == NULL)
		return NULL;
	connect->ours = connect->its = connect->real = connect->other = -1;
	connect->mysql = mysql;
	connect->port = port;
	connect->deadline_ms = deadline_ms;
	connect->host = strdup(host);
	connect->user = strdup(user);
	connect->password = strdup(password);
	if (spell(connect, address) && connect->host != NULL &&
		connect->user != NULL && connect->password != NULL &&
		mysql_options(mysql, MARIADB_OPT_IO_WAIT, (void *) wait_for) == 0 &&
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
	{
		connect->ours = pair[0];
		connect->its = pair[1];
		(void) fcntl(pair[0], F_SETFD, FD_CLOEXEC);
		(void) fcntl(pair[1], F_SETFD, FD_CLOEXEC);
		if (start_thread(connect))
			return connect;
	}
	free_connect(connect);
	return NULL;
}

int
dbmazz_sr_connect_socket(const DbmazzSrConnect *connect)
{
	return connect->ours;
}

bool
dbmazz_sr_connect_end(DbmazzSrConnect *connect)
{
	bool		connected;

	(void) shutdown(connect->ours, SHUT_RDWR);
	(void) pthread_join(connect->thread, NULL);
	connected = connect->connected;
	free_connect(connect);
	return connected;
}

/*
 * As one number, or with the number of no network; a scope that is there belongs to
 * a link, and is in no certificate either.
 */
static bool
spell(DbmazzSrConnect *connect, const char *address)
{
	struct in_addr number;
	int			len;

	if (inet_pton(AF_INET, address, &number) == 1)
		len = snprintf(connect->address, sizeof(connect->address), "%lu",
					   (unsigned long) ntohl(number.s_addr));
	else
		len = snprintf(connect->address, sizeof(connect->address), "%s%s",
					   address, strchr(address, '%') != NULL ? "" : "%0");
	return len > 0 && (size_t) len < sizeof(connect->address);
}

/* A thread inherits the signal mask; it must not run the server's handlers. */
static bool
start_thread(DbmazzSrConnect *connect)
{
	sigset_t	all;
	sigset_t	old;
	int			result;

	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	result = pthread_create(&connect->thread, NULL, run, connect);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	return result == 0;
}

static void *
run(void *arg)
{
	DbmazzSrConnect *connect = arg;
	int			tries = 0;

	current = connect;
	(void) mysql_thread_init();
	do
	{
		drop_aside(connect);
		connect->named = false;
		connect->connected =
			mysql_real_connect(connect->mysql, connect->address, connect->user,
							   connect->password, NULL,
							   (unsigned) connect->port, NULL, 0) != NULL;
	} while (!connect->connected && !connect->named &&
			 mysql_errno(connect->mysql) == CR_SSL_CONNECTION_ERROR &&
			 ++tries < MAX_TRIES);
	mysql_thread_end();
	(void) shutdown(connect->its, SHUT_RDWR);
	return NULL;
}

/*
 * libmariadb waits here for its socket: > 0 it is ready, 0 too late, < 0 give up.
 * Its own timeout is of another unit in every place, so ours counts.
 */
static int
wait_for(my_socket fd, my_bool is_read, int timeout)
{
	DbmazzSrConnect *connect = current;
	struct pollfd fds[2];
	int			n;

	(void) timeout;
	if (is_read && connect->real >= 0)
		put_back(connect, fd);
	name_host(connect);
	do
	{
		int64_t		left = connect->deadline_ms - dbmazz_http_now_ms();

		fds[0].fd = fd;
		fds[0].events = is_read ? POLLIN : POLLOUT;
		fds[1].fd = connect->its;
		fds[1].events = POLLIN;
		fds[0].revents = fds[1].revents = 0;
		n = left <= 0 ? 0 : poll(fds, 2, left > 60000 ? 60000 : (int) left);
	} while (n < 0 || (n == 0 && connect->deadline_ms > dbmazz_http_now_ms()));
	if (fds[1].revents != 0)
		return -1;
	if (n > 0 && !is_read && connect->mysql->host == NULL &&
		(fds[0].revents & (POLLERR | POLLHUP)) == 0)
		set_aside(connect, fd);
	return n;
}

/* The socket has just been connected. */
static void
set_aside(DbmazzSrConnect *connect, int fd)
{
	int			on = 1;
	int			pair[2];

	if (connect->real >= 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connect->real = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	connect->other = pair[1];
	(void) fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	if (connect->real >= 0)
		(void) dup2(pair[0], fd);
	(void) close(pair[0]);
}

static void
put_back(DbmazzSrConnect *connect, int fd)
{
	(void) dup2(connect->real, fd);
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	drop_aside(connect);
}

static void
drop_aside(DbmazzSrConnect *connect)
{
	if (connect->real >= 0)
		(void) close(connect->real);
	if (connect->other >= 0)
		(void) close(connect->other);
	connect->real = connect->other = -1;
}

/* It keeps the host in memory of its own before the handshake. */
static void
name_host(DbmazzSrConnect *connect)
{
	MYSQL	   *mysql = connect->mysql;
	char	   *host;

	if (mysql->host == NULL || connect->named)
		return;
	host = strdup(connect->host);
	if (host == NULL)
		return;
	free(mysql->host);
	mysql->host = host;
	connect->named = true;
}

static void
free_connect(DbmazzSrConnect *connect)
{
	if (connect->ours >= 0)
		(void) close(connect->ours);
	if (connect->its >= 0)
		(void) close(connect->its);
	drop_aside(connect);
	free(connect->host);
	free(connect->user);
	free(connect->password);
	free(connect);
}
