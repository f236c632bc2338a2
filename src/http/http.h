/*
 * http.h
 *		Asynchronous HTTP client: the only code that knows libcurl.
 *
 * NOTES
 *	  It never waits.  Its user waits on the sockets that it names, and gives
 *	  what they are ready for to dbmazz_http_poll().  Redirects are not
 *	  followed: the answer holds the address, and the user decides who gets
 *	  credentials and rows.  No server header, nothing here throws; memory is
 *	  malloc'ed.
 *
 *	  libcurl may start threads (name resolver), which would inherit the signal
 *	  mask and then run the server's handlers; so all signals are blocked around
 *	  every call that can start one.
 */
#ifndef DBMAZZ_HTTP_H
#define DBMAZZ_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dbmazz_sink.h"
#include "http/compress.h"

#define DBMAZZ_HTTP_ERROR	256

/* Size of a body that is not known before it has been read. */
#define DBMAZZ_HTTP_UNKNOWN	UINT64_MAX

#define DBMAZZ_HTTP_ADDRESSES	16	/* most that a name is looked up for */
#define DBMAZZ_HTTP_ADDRESS		48	/* the text of an IPv6 address */

typedef struct DbmazzHttp DbmazzHttp;
typedef struct DbmazzHttpTransfer DbmazzHttpTransfer;

/* How much of the request's body has left our hands; only ever grows. */
typedef enum DbmazzHttpPhase
{
	DBMAZZ_HTTP_UNSENT,			/* no byte */
	DBMAZZ_HTTP_BEGUN,			/* some */
	DBMAZZ_HTTP_SENT			/* all */
} DbmazzHttpPhase;

typedef struct DbmazzHttpRequest
{
	const char *method;			/* GET, PUT, POST */
	const char *url;
	const char *const *headers; /* "Name: value" */
	int			nheaders;
	const char *user;			/* NULL: no Authorization header */
	const char *password;
	const char *ca_file;		/* NULL: the system's */
	bool		tls_verify;
	bool		keep_alive;		/* may this connection serve later requests? */
	bool		resolve_only;	/* look the host's name up and connect to
								 * nobody: the answer has the addresses */

	/*
	 * Send "Expect: 100-continue" and hold the body back until the server has
	 * asked for it; the transfer fails, nothing sent, if it does not within
	 * this time.  0: no such header.
	 */
	int64_t		expect_timeout_ms;
	int64_t		connect_timeout_ms;
	int64_t		total_timeout_ms;	/* 0: none */
	int64_t		stall_timeout_ms;	/* longest pause while the body is being
									 * sent; 0: any */

	size_t		max_answer;		/* bytes of the answer's body to keep; a
								 * longer one ends the transfer */

	/*
	 * Body: exactly 'body_size' bytes from read(), again after rewind().  One
	 * of unknown size goes out in chunks, up to where read() returns 0.  The
	 * transfer fails, and the server does not take the body for complete, if
	 * read() returns DBMAZZ_READ_FAILED.
	 */
	uint64_t	body_size;
	DbmazzReadBody read;
	void		(*rewind) (void *arg);
	void	   *arg;
} DbmazzHttpRequest;

typedef struct DbmazzHttpAnswer
{
	DbmazzHttpPhase phase;
	uint64_t	bytes_sent;		/* of the body, most in any one attempt */
	bool		complete;		/* the answer came to its proper end */
	bool		too_large;		/* it was longer than max_answer */
	int			status;			/* of the final answer; 0: none came */
	const char *body;			/* terminated by a zero byte */
	size_t		body_len;
	const char *location;		/* where a redirect points, absolute, or NULL */
	int			naddresses;		/* of resolve_only, which never is complete; all
								 * if fewer than DBMAZZ_HTTP_ADDRESSES */
	char		addresses[DBMAZZ_HTTP_ADDRESSES][DBMAZZ_HTTP_ADDRESS];
	char		error[DBMAZZ_HTTP_ERROR];	/* "" if complete */
} DbmazzHttpAnswer;

/* NULL if out of memory. */
extern DbmazzHttp *dbmazz_http_open(void);

/* Frees all transfers too. */
extern void dbmazz_http_close(DbmazzHttp *http);

/*
 * Begin a request.  Strings are copied; 'read', 'rewind' and 'arg' must stay
 * valid until the transfer is freed.  NULL: 'error' says why; a request with
 * control bytes in URL or headers is refused here.  Does no I/O.
 */
extern DbmazzHttpTransfer *dbmazz_http_start(DbmazzHttp *http,
											 const DbmazzHttpRequest *request,
											 void *owner,
											 char error[DBMAZZ_HTTP_ERROR]);

/* See sockets() and poll() in dbmazz_sink.h. */
extern int	dbmazz_http_sockets(DbmazzHttp *http, DbmazzSinkSocket *sockets,
								int max, int64_t *timeout_ms);
extern void dbmazz_http_poll(DbmazzHttp *http, const DbmazzSinkEvent *events,
							 int nevents);

/* A transfer that has ended since, or NULL; the caller frees it. */
extern DbmazzHttpTransfer *dbmazz_http_next(DbmazzHttp *http);
extern void *dbmazz_http_owner(const DbmazzHttpTransfer *transfer);
extern const DbmazzHttpAnswer *dbmazz_http_answer(const DbmazzHttpTransfer *transfer);

/* Free a transfer; one that is under way is broken off. */
extern void dbmazz_http_free(DbmazzHttp *http, DbmazzHttpTransfer *transfer);

/* Milliseconds of a clock that never jumps. */
extern int64_t dbmazz_http_now_ms(void);

#endif							/* DBMAZZ_HTTP_H */
