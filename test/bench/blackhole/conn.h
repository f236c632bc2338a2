/*
 * conn.h
 *		One connection: reads requests, takes bodies in, sends answers.
 */
#ifndef BH_CONN_H
#define BH_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "http.h"
#include "inflate.h"
#include "journal.h"
#include "rows.h"

typedef enum BhState
{
	BH_READ_HEAD,
	BH_READ_BODY,				/* the rows of a load */
	BH_SKIP_BODY,				/* a body that is of no interest */
	BH_DRAIN					/* answered and shut down; until the peer
								 * closes, so that it gets the answer and not
								 * a reset */
} BhState;

typedef enum BhChunk
{
	BH_CHUNK_SIZE,				/* expecting a line with a size */
	BH_CHUNK_DATA,
	BH_CHUNK_END,				/* expecting the line feed behind the data */
	BH_CHUNK_TRAILER			/* expecting lines up to an empty one */
} BhChunk;

typedef struct BhConn
{
	int			fd;
	bool		is_fe;
	bool		wants_out;		/* waiting until the socket takes more */
	bool		close_after;	/* when the answer is out */
	bool		dead;
	bool		counted;		/* as a connection, or is not to be */
	BhState		state;
	BhBuffer	in;				/* heads and chunk lines */
	BhBuffer	out;
	size_t		out_sent;

	/* framing of the body */
	bool		chunked;
	BhChunk		chunk;
	uint64_t	left;			/* of the body, or of the chunk */

	/* the load whose body is being read */
	BhBuffer	body;
	BhRows		rows;
	bool		in_transaction; /* it waits for a prepare */
	bool		csv;			/* else JSON */
	BhInflate  *inflate;		/* NULL: the body is plain */
	bool		garbled;		/* it cannot be made plain */
	BhLoadId	load;
	int64_t		head_ns;
	uint64_t	bytes;			/* as they came */
	uint64_t	plain_bytes;	/* as they are scanned */
	char		label[160];
} BhConn;

extern BhConn *bh_conn_create(int fd, bool is_fe);
extern void bh_conn_free(BhConn *conn);

/* The socket has something to read, or room.  Sets 'dead' at the end. */
extern void bh_conn_readable(BhConn *conn);
extern void bh_conn_writable(BhConn *conn);

/* ---- for routes.c ----------------------------------------------------- */

/* A request that is none of the own interface has come. */
extern void bh_conn_count_request(BhConn *conn);

/*
 * Answer a request whose head has been read: put the answer into conn->out,
 * or set conn->state so that a body is read first.
 */
extern void bh_route(BhConn *conn, const BhRequest *req, int64_t when);

/* The body of a load is complete: answer it. */
extern void bh_load_done(BhConn *conn);

extern void bh_respond(BhConn *conn, const char *status,
					   const char *extra_headers, const BhBuffer *body);

/* Who may load: "user:password".  What a redirect names; port of the BE. */
extern void bh_route_setup(const char *auth, const char *be_host,
						   int be_port);

#endif							/* BH_CONN_H */
