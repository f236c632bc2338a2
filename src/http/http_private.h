/*
 * http_private.h
 *		What http.c (all transfers together) and transfer.c (one transfer)
 *		share.
 */
#ifndef DBMAZZ_HTTP_PRIVATE_H
#define DBMAZZ_HTTP_PRIVATE_H

#include "http/http.h"

#include <curl/curl.h>

/* CURLOPT_QUICK_EXIT came with 7.87.0, CURLOPT_PROTOCOLS_STR with 7.85.0. */
_Static_assert(LIBCURL_VERSION_NUM >= 0x075700,
			   "libcurl 7.87.0 or newer is needed");

typedef enum TransferPlace
{
	TRANSFER_IDLE,				/* on the free list; its easy handle is kept */
	TRANSFER_ACTIVE,			/* in the multi handle */
	TRANSFER_DONE				/* has ended; waits for dbmazz_http_next() */
} TransferPlace;

struct DbmazzHttpTransfer
{
	DbmazzHttpTransfer *next;	/* in the list of its place */
	DbmazzHttpTransfer *prev;
	TransferPlace place;
	bool		taken;			/* dbmazz_http_next() has handed it out */
	CURL	   *easy;
	struct curl_slist *headers;
	void	   *owner;
	DbmazzHttpAnswer answer;
	char	   *body;			/* of the answer */
	size_t		body_room;
	size_t		max_answer;
	char	   *location;
	char		curl_error[CURL_ERROR_SIZE];

	/* the request's body */
	bool		chunked;		/* its size was not known in advance */
	uint64_t	body_size;		/* UNKNOWN until it has ended */
	uint64_t	given;			/* bytes given to libcurl in this attempt */
	int64_t		last_given_ms;
	bool		must_ask;		/* no body before the server asks for it */
	bool		asked;			/* it has: "100 Continue" */
	bool		not_asked;		/* it has not, and time is over */
	bool		not_read;		/* read() has failed */
	bool		early;			/* the answer began before all was given */
	bool		has_header;		/* the final answer's header is complete */
	int64_t		last_got_ms;	/* when the last of an early answer came */
	int64_t		stall_timeout_ms;
	DbmazzReadBody read;
	void		(*rewind) (void *arg);
	void	   *arg;
};

/* Give the transfer's easy handle all settings of the request. */
extern bool dbmazz_transfer_setup(DbmazzHttpTransfer *transfer,
								  const DbmazzHttpRequest *request,
								  char error[DBMAZZ_HTTP_ERROR]);

/* Fill in the answer at the end; 'why' instead of libcurl's text, or NULL. */
extern void dbmazz_transfer_finish(DbmazzHttpTransfer *transfer,
								   CURLcode code, const char *why);

/* Is all of the answer there that its header has announced? */
extern bool dbmazz_transfer_has_answer(const DbmazzHttpTransfer *transfer);

/* Forget request and answer; the easy handle stays for the next one. */
extern void dbmazz_transfer_reset(DbmazzHttpTransfer *transfer);

#endif							/* DBMAZZ_HTTP_PRIVATE_H */
