/*
 * conn.c
 *		One connection: reads requests, takes bodies in, sends answers.
 *
 * NOTES
 *	  The bytes of a body with a known length are received straight into the
 *	  buffer that the scanner reads, in pieces that fit a processor's cache.
 */
#define _GNU_SOURCE
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE		(256 * 1024)
#define MAX_HEAD	(256 * 1024)

/* Pieces taken from one connection before the others get their turn. */
#define MAX_PIECES	16

BhConn	   *
bh_conn_create(int fd, bool is_fe)
{
	BhConn	   *conn = calloc(1, sizeof(BhConn));

	if (conn == NULL)
		return NULL;
	conn->fd = fd;
	conn->is_fe = is_fe;
	return conn;
}

/* Not before it is known whose it is. */
static void
count_connection(BhConn *conn)
{
	if (!conn->counted)
		bh_journal_count(conn->is_fe, BH_COUNT_CONNECTION);
	conn->counted = true;
}

void
bh_conn_count_request(BhConn *conn)
{
	count_connection(conn);
	bh_journal_count(conn->is_fe, BH_COUNT_REQUEST);
}

void
bh_conn_free(BhConn *conn)
{
	BhReceived	cut_off = {
		.bytes = conn->bytes,
		.plain_bytes = conn->plain_bytes
	};

	/* if it has never asked for anything */
	count_connection(conn);
	if (conn->state == BH_READ_BODY)
		bh_journal_end(conn->load, false, &cut_off);
	close(conn->fd);
	bh_buffer_free(&conn->in);
	bh_buffer_free(&conn->out);
	bh_buffer_free(&conn->body);
	bh_inflate_close(conn->inflate);
	free(conn);
}

/* ---- sending ---------------------------------------------------------- */

void
bh_respond(BhConn *conn, const char *status, const char *extra_headers,
		   const BhBuffer *body)
{
	size_t		len = body ? body->len : 0;

	bh_buffer_printf(&conn->out, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n"
					 "Connection: %s\r\n\r\n", status, extra_headers, len,
					 conn->close_after ? "close" : "keep-alive");
	if (len > 0)
		bh_buffer_append(&conn->out, body->data, len);
}

static void
flush(BhConn *conn)
{
	while (conn->out_sent < conn->out.len)
	{
		ssize_t		n = send(conn->fd, conn->out.data + conn->out_sent,
							 conn->out.len - conn->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
		{
			conn->wants_out = errno == EAGAIN;
			conn->dead = errno != EAGAIN;
			return;
		}
		conn->out_sent += (size_t) n;
	}
	conn->wants_out = false;
	conn->out.len = conn->out_sent = 0;
	if (conn->close_after && conn->state == BH_READ_HEAD)
	{
		conn->state = BH_DRAIN;
		shutdown(conn->fd, SHUT_WR);
	}
}

/* ---- bodies ----------------------------------------------------------- */

static void
feed_rows(BhConn *conn, bool last)
{
	if (conn->csv)
		bh_csv_feed(&conn->rows, conn->body.data, conn->body.len);
	else
		bh_rows_feed(&conn->rows, conn->body.data, conn->body.len, last);
}

static void
body_done(BhConn *conn)
{
	if (conn->state == BH_READ_BODY)
	{
		feed_rows(conn, true);
		if (conn->inflate && !bh_inflate_complete(conn->inflate))
			conn->garbled = true;
		bh_inflate_close(conn->inflate);
		conn->inflate = NULL;
		conn->state = BH_READ_HEAD;
		bh_load_done(conn);
		conn->body.len = 0;
	}
	conn->state = BH_READ_HEAD;
}

/* The scanner looks at what has come, and what it is done with goes. */
static void
scan_body(BhConn *conn)
{
	size_t		keep;

	feed_rows(conn, false);
	keep = bh_rows_keep(&conn->rows);
	bh_buffer_consume(&conn->body, keep);
	bh_rows_forget(&conn->rows, keep);
}

/* Take bytes of the body out of the buffer for heads. */
static size_t
take_body(BhConn *conn, size_t available)
{
	size_t		n = available < conn->left ? available : (size_t) conn->left;

	conn->left -= n;
	conn->bytes += n;
	if (conn->state == BH_READ_BODY)
	{
		const char *data = conn->in.data + conn->in.len - available;
		size_t		before = conn->body.len;

		if (!conn->inflate)
			bh_buffer_append(&conn->body, data, n);
		else if (!conn->garbled)
			conn->garbled = !bh_inflate_feed(conn->inflate, data, n,
											 &conn->body);
		conn->plain_bytes += conn->body.len - before;
		scan_body(conn);
	}
	return n;
}

/* One line of the chunked framing; 0 if it is not there yet. */
static size_t
take_chunk_line(BhConn *conn, size_t available)
{
	const char *line = conn->in.data + conn->in.len - available;
	const char *end = memchr(line, '\n', available);
	size_t		len;

	if (end == NULL)
		return 0;
	len = (size_t) (end - line) + 1;
	if (conn->chunk == BH_CHUNK_END)
		conn->chunk = BH_CHUNK_SIZE;
	else if (conn->chunk == BH_CHUNK_TRAILER)
	{
		if (len <= 2)
			body_done(conn);
	}
	else
	{
		conn->left = strtoull(line, NULL, 16);
		conn->chunk = conn->left ? BH_CHUNK_DATA : BH_CHUNK_TRAILER;
	}
	return len;
}

/* Move on with a body; returns the bytes used, 0 if more are needed. */
static size_t
step_body(BhConn *conn, size_t available)
{
	size_t		n;

	if (!conn->chunked)
	{
		n = take_body(conn, available);
		if (conn->left == 0)
			body_done(conn);
		return n;
	}
	if (conn->chunk != BH_CHUNK_DATA)
		return take_chunk_line(conn, available);
	n = take_body(conn, available);
	if (conn->left == 0)
		conn->chunk = BH_CHUNK_END;
	return n;
}

/* ---- requests --------------------------------------------------------- */

/* A head, if it is complete; returns the bytes used. */
static size_t
step_head(BhConn *conn, size_t available)
{
	const char *head = conn->in.data + conn->in.len - available;
	const char *end = memmem(head, available, "\r\n\r\n", 4);
	BhRequest	req;
	size_t		len;

	if (end == NULL)
	{
		conn->dead = available > MAX_HEAD;
		return 0;
	}
	len = (size_t) (end - head) + 4;
	if (!bh_request_parse(&req, head, len))
	{
		conn->close_after = true;
		bh_respond(conn, "400 Bad Request", "", NULL);
		return len;
	}
	conn->chunked = req.chunked;
	conn->chunk = BH_CHUNK_SIZE;
	conn->left = req.content_length;
	conn->bytes = conn->plain_bytes = 0;
	if (!req.keep_alive)
		conn->close_after = true;
	bh_route(conn, &req, bh_now());

	if (conn->state == BH_READ_HEAD && !conn->close_after &&
		!req.expect_continue && (req.chunked || req.content_length > 0))
		conn->state = BH_SKIP_BODY;
	if (conn->state != BH_READ_HEAD && !conn->chunked && conn->left == 0)
		body_done(conn);
	return len;
}

static void
process(BhConn *conn)
{
	size_t		available = conn->in.len;

	while (available > 0 && !conn->dead)
	{
		size_t		n;

		if (conn->state == BH_DRAIN ||
			(conn->state == BH_READ_HEAD && conn->close_after))
			n = available;
		else if (conn->state == BH_READ_HEAD)
			n = step_head(conn, available);
		else
			n = step_body(conn, available);
		available -= n;
		if (n == 0)
			break;
	}
	bh_buffer_consume(&conn->in, conn->in.len - available);
	if (!conn->dead)
		flush(conn);
}

/* ---- events ----------------------------------------------------------- */

/* A body whose length is known goes straight to where it is scanned. */
static ssize_t
receive_body(BhConn *conn)
{
	size_t		n = conn->left < PIECE ? (size_t) conn->left : PIECE;
	ssize_t		got;

	bh_buffer_reserve(&conn->body, n);
	got = recv(conn->fd, conn->body.data + conn->body.len, n, 0);
	if (got <= 0)
		return got;
	conn->body.len += (size_t) got;
	conn->bytes += (size_t) got;
	conn->plain_bytes += (size_t) got;
	conn->left -= (size_t) got;
	if (conn->left > 0)
		scan_body(conn);
	else
	{
		body_done(conn);
		flush(conn);
	}
	return got;
}

static ssize_t
receive(BhConn *conn)
{
	size_t		n = conn->state == BH_READ_HEAD ? 16384 : PIECE;
	ssize_t		got;

	if (conn->state == BH_READ_BODY && !conn->chunked && !conn->inflate &&
		conn->in.len == 0)
		return receive_body(conn);
	bh_buffer_reserve(&conn->in, n);
	got = recv(conn->fd, conn->in.data + conn->in.len, n, 0);
	if (got <= 0)
		return got;
	conn->in.len += (size_t) got;
	process(conn);
	return got;
}

void
bh_conn_readable(BhConn *conn)
{
	for (int i = 0; i < MAX_PIECES && !conn->dead; i++)
	{
		ssize_t		got = receive(conn);

		if (got > 0)
			continue;
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0 || errno != EAGAIN)
			conn->dead = true;
		return;
	}
}

void
bh_conn_writable(BhConn *conn)
{
	flush(conn);
}
