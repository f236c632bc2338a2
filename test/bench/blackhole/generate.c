/*
 * generate.c
 *		Sends loads to the blackhole as fast as it can, to see how much the
 *		blackhole takes.
 *
 * NOTES
 *	  One connection, one body made beforehand and sent again and again, so it
 *	  costs little more than the copy into the socket.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* A row of the narrow table, filled up with text to 'width' bytes. */
static void
add_row(BhBuffer *body, int id, size_t width)
{
	size_t		start = body->len;

	bh_buffer_printf(body, "%c{\"id\":%d,\"a\":%d,"
					 "\"ts\":\"2024-01-01 10:00:00.%06d\",\"amount\":%d.%02d,"
					 "\"b\":\"", id ? ',' : '[', id, id % 1000, id % 1000000,
					 id % 1000, id % 100);
	while (body->len - start + 11 < width)
		bh_buffer_append(body, "x", 1);
	bh_buffer_printf(body, "\",\"__op\":0}");
}

static void
send_all(int fd, const char *data, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, data, len, 0);

		if (n <= 0)
			die("send");
		data += n;
		len -= (size_t) n;
	}
}

/* The answer is small and comes in one piece or soon after. */
static bool
read_answer(int fd)
{
	char		answer[4096];
	size_t		len = 0;

	while (len < sizeof(answer) - 1)
	{
		ssize_t		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);

		if (n <= 0)
			die("recv");
		len += (size_t) n;
		answer[len] = '\0';
		if (strstr(answer, "\n}"))
			return strstr(answer, "\"Status\": \"Success\"") != NULL;
	}
	return false;
}

static int
open_connection(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int			one = 1;
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_port = htons((uint16_t) port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int
main(int argc, char **argv)
{
	BhBuffer	body = {0};
	BhBuffer	head = {0};
	long		loads = 0;
	double		start;
	double		took;
	int			fd;
	int			nrows;

	if (argc != 5)
	{
		fprintf(stderr, "Usage: generate BE_PORT ROWS_PER_LOAD BYTES_PER_ROW"
				" SECONDS\n");
		return 2;
	}
	nrows = atoi(argv[2]);
	for (int i = 0; i < nrows; i++)
		add_row(&body, i, strtoul(argv[3], NULL, 10));
	bh_buffer_append(&body, "]", 1);
	bh_buffer_printf(&head, "PUT /api/bench/narrow/_stream_load HTTP/1.1\r\n"
					 "Host: localhost\r\nAuthorization: Basic cm9vdDo=\r\n"
					 "format: json\r\nstrip_outer_array: true\r\n"
					 "Content-Length: %zu\r\n\r\n", body.len);

	fd = open_connection(atoi(argv[1]));
	start = now();
	do
	{
		send_all(fd, head.data, head.len);
		send_all(fd, body.data, body.len);
		if (!read_answer(fd))
		{
			fprintf(stderr, "generate: a load failed\n");
			return 1;
		}
		loads++;
		took = now() - start;
	} while (took < atof(argv[4]));
	printf("{\"loads\":%ld,\"rows\":%ld,\"bytes\":%.0f,\"wall_s\":%.3f}\n",
		   loads, loads * nrows, (double) loads * (double) body.len, took);
	close(fd);
	return 0;
}
