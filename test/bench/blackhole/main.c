/*
 * main.c
 *		blackhole: a stand-in for the FE and BE of StarRocks that takes loads
 *		as fast as it can, counts their rows and forgets them.
 *
 * NOTES
 *	  One thread with epoll.  It answers well enough for a Stream Load client
 *	  and is there to be measured against, so it must cost as little as can be
 *	  of the processors that it shares with what is measured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "schema.h"

#define NEVENTS		64

typedef struct Listener
{
	int			fd;
	bool		is_fe;
} Listener;

static Listener listeners[2];
static volatile sig_atomic_t stop;

static void
usage(FILE *to)
{
	fprintf(to,
			"Usage: blackhole [OPTION]...\n"
			"Takes Stream Loads, counts rows and forgets them.\n\n"
			"  --fe-port PORT     default 0: any free one\n"
			"  --be-port PORT     default 0: any free one\n"
			"  --listen ADDRESS   default 127.0.0.1\n"
			"  --auth USER:PASS   default root:\n"
			"  --schema TABLE     name=column:type[:key][:notnull],...\n"
			"  --schema-file FILE one table a line\n"
			"  --stay             go on when the parent process ends\n\n"
			"Prints \"ready fe=PORT be=PORT\" when it listens.\n");
}

static void
die(const char *what)
{
	fprintf(stderr, "blackhole: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
open_listener(const char *address, int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int			one = 1;
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
							SOCK_CLOEXEC, 0);

	addr.sin_port = htons((uint16_t) port);
	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1)
	{
		errno = EINVAL;
		die(address);
	}
	if (fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0 ||
		listen(fd, 512) < 0)
		die("could not listen");
	return fd;
}

static int
listener_port(int fd)
{
	struct sockaddr_in addr;
	socklen_t	len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *) &addr, &len) < 0)
		die("getsockname");
	return ntohs(addr.sin_port);
}

static void
watch(int epfd, int op, int fd, void *what, bool out)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (out)
		event.events |= EPOLLOUT;
	event.data.ptr = what;
	if (epoll_ctl(epfd, op, fd, &event) < 0)
		die("epoll_ctl");
}

static void
accept_all(int epfd, const Listener *listener)
{
	for (;;)
	{
		int			one = 1;
		int			fd = accept4(listener->fd, NULL, NULL,
								 SOCK_NONBLOCK | SOCK_CLOEXEC);
		BhConn	   *conn;

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		conn = bh_conn_create(fd, listener->is_fe);
		if (conn == NULL)
			die("out of memory");
		watch(epfd, EPOLL_CTL_ADD, fd, conn, false);
	}
}

static void
handle(int epfd, const struct epoll_event *event)
{
	BhConn	   *conn = event->data.ptr;
	bool		wanted_out = conn->wants_out;

	if (event->events & EPOLLOUT)
		bh_conn_writable(conn);
	if (!conn->dead && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		bh_conn_readable(conn);
	if (conn->dead)
		bh_conn_free(conn);
	else if (conn->wants_out != wanted_out)
		watch(epfd, EPOLL_CTL_MOD, conn->fd, conn, conn->wants_out);
}

static void
serve(void)
{
	struct epoll_event events[NEVENTS];
	int			epfd = epoll_create1(EPOLL_CLOEXEC);

	if (epfd < 0)
		die("epoll_create1");
	for (int i = 0; i < 2; i++)
		watch(epfd, EPOLL_CTL_ADD, listeners[i].fd, &listeners[i], false);
	while (!stop)
	{
		int			n = epoll_wait(epfd, events, NEVENTS, -1);

		for (int i = 0; i < n; i++)
		{
			void	   *what = events[i].data.ptr;

			if (what == &listeners[0] || what == &listeners[1])
				accept_all(epfd, what);
			else
				handle(epfd, &events[i]);
		}
	}
	close(epfd);
}

static void
on_signal(int signo)
{
	(void) signo;
	stop = 1;
}

typedef struct Options
{
	const char *address;
	const char *auth;
	int			fe_port;
	int			be_port;
	bool		stay;
} Options;

static void
read_options(int argc, char **argv, Options *options)
{
	static const struct option names[] = {
		{"fe-port", required_argument, NULL, 'f'},
		{"be-port", required_argument, NULL, 'b'},
		{"listen", required_argument, NULL, 'l'},
		{"auth", required_argument, NULL, 'a'},
		{"schema", required_argument, NULL, 's'},
		{"schema-file", required_argument, NULL, 'S'},
		{"stay", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}
	};
	int			c;

	while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1)
	{
		bool		ok = true;

		if (c == 'f')
			options->fe_port = atoi(optarg);
		else if (c == 'b')
			options->be_port = atoi(optarg);
		else if (c == 'l')
			options->address = optarg;
		else if (c == 'a')
			options->auth = optarg;
		else if (c == 's')
			ok = bh_schema_add(optarg);
		else if (c == 'S')
			ok = bh_schema_read(optarg);
		else if (c == 'y')
			options->stay = true;
		else
		{
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
		if (!ok)
		{
			fprintf(stderr, "blackhole: not a schema: %s\n", optarg);
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	Options		options = {.address = "127.0.0.1",.auth = "root:"};
	struct sigaction action = {.sa_handler = on_signal};

	read_options(argc, argv, &options);
	if (!options.stay)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);

	listeners[0].fd = open_listener(options.address, options.fe_port);
	listeners[0].is_fe = true;
	listeners[1].fd = open_listener(options.address, options.be_port);
	options.be_port = listener_port(listeners[1].fd);
	bh_route_setup(options.auth, options.address, options.be_port);

	printf("ready fe=%d be=%d\n", listener_port(listeners[0].fd),
		   options.be_port);
	fflush(stdout);
	serve();
	return 0;
}
