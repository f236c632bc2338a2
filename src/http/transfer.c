/*
 * transfer.c
 *		One HTTP request and its answer: settings and callbacks of an easy
 *		handle.
 *
 * NOTES
 *	  The callbacks run under libcurl's frames.  They copy into bounded buffers
 *	  and note what happened; they call nothing that could jump.
 */
#include "http/http_private.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MAX_LOCATION	8192
#define SEND_BUFFER		(128 * 1024L)
#define SMALL_BUFFER	(16 * 1024L)	/* libcurl's smallest */

static bool is_clean(const char *text);
static bool add_headers(DbmazzHttpTransfer *transfer,
						const DbmazzHttpRequest *request);
static bool set_connection(CURL *easy, const DbmazzHttpRequest *request);
static bool set_message(DbmazzHttpTransfer *transfer,
						const DbmazzHttpRequest *request);
static bool set_resolve(DbmazzHttpTransfer *transfer);
static curl_socket_t on_open(void *arg, curlsocktype purpose,
							 struct curl_sockaddr *address);
static size_t on_read(char *out, size_t size, size_t nitems, void *arg);
static int	on_seek(void *arg, curl_off_t offset, int origin);
static size_t on_header(char *data, size_t size, size_t nitems, void *arg);
static void note_location(DbmazzHttpTransfer *transfer, const char *value,
						  size_t len);
static size_t on_write(char *data, size_t size, size_t nitems, void *arg);

bool
dbmazz_transfer_setup(DbmazzHttpTransfer *transfer,
					  const DbmazzHttpRequest *request,
					  char error[DBMAZZ_HTTP_ERROR])
{
	int			i;

	error[0] = '\0';
	if (!is_clean(request->url) || strchr(request->url, ' ') != NULL)
	{
		snprintf(error, DBMAZZ_HTTP_ERROR,
				 "the address of the request has a control character");
		return false;
	}
	for (i = 0; i < request->nheaders; i++)
	{
		if (!is_clean(request->headers[i]))
		{
			snprintf(error, DBMAZZ_HTTP_ERROR,
					 "a header of the request has a control character");
			return false;
		}
	}
	transfer->max_answer = request->max_answer;
	transfer->body_size = request->body_size;
	transfer->chunked = request->body_size == DBMAZZ_HTTP_UNKNOWN;
	transfer->must_ask = request->expect_timeout_ms > 0;
	transfer->stall_timeout_ms = request->stall_timeout_ms;
	transfer->read = request->read;
	transfer->rewind = request->rewind;
	transfer->arg = request->arg;
	if (transfer->easy == NULL)
		transfer->easy = curl_easy_init();
	if (transfer->easy == NULL || !add_headers(transfer, request) ||
		!set_connection(transfer->easy, request) ||
		!set_message(transfer, request) ||
		(request->resolve_only && !set_resolve(transfer)))
	{
		snprintf(error, DBMAZZ_HTTP_ERROR, "out of memory");
		return false;
	}
	return true;
}

/*
 * An answer that is whole although sending failed is kept: a server that has
 * seen enough answers early and may close the connection under our hands.
 */
void
dbmazz_transfer_finish(DbmazzHttpTransfer *transfer, CURLcode code,
					   const char *why)
{
	DbmazzHttpAnswer *answer = &transfer->answer;
	char	   *redirect = NULL;

	answer->complete = (code == CURLE_OK && why == NULL);
	if (answer->too_large)
	{
		answer->complete = false;
		why = "the answer is too large";
	}
	if (transfer->not_read && !answer->complete && why == NULL)
		why = "the body could not be made";
	if (transfer->not_asked && !answer->complete && why == NULL)
		why = "the server did not ask for the body in time";
	if (answer->complete && answer->status == 0)
	{
		answer->complete = false;
		why = "the server sent no HTTP answer";
	}
	if (!answer->complete)
	{
		if (why == NULL)
			why = transfer->curl_error[0] != '\0' ? transfer->curl_error :
				curl_easy_strerror(code);
		snprintf(answer->error, sizeof(answer->error), "%s", why);
	}
	answer->body = transfer->body != NULL ? transfer->body : "";

	/* libcurl makes it absolute, if it has come to the end of the transfer. */
	if (curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL,
						  &redirect) == CURLE_OK && redirect != NULL)
	{
		free(transfer->location);
		transfer->location = strdup(redirect);
	}
	answer->location = transfer->location;
}

void
dbmazz_transfer_reset(DbmazzHttpTransfer *transfer)
{
	CURL	   *easy = transfer->easy;

	curl_slist_free_all(transfer->headers);
	free(transfer->body);
	free(transfer->location);
	if (easy != NULL)
		curl_easy_reset(easy);
	memset(transfer, 0, sizeof(*transfer));
	transfer->easy = easy;
}

bool
dbmazz_transfer_has_answer(const DbmazzHttpTransfer *transfer)
{
	curl_off_t	length = -1;

	return transfer->has_header &&
		curl_easy_getinfo(transfer->easy,
						  CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
						  &length) == CURLE_OK &&
		length >= 0 && transfer->answer.body_len >= (uint64_t) length;
}

/* Free of line ends and other control bytes? */
static bool
is_clean(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static bool
add_headers(DbmazzHttpTransfer *transfer, const DbmazzHttpRequest *request)
{
	struct curl_slist *list = NULL;
	struct curl_slist *longer;
	int			i;

	/*
	 * libcurl has an own idea when to send Expect; it is to be ours alone.  A
	 * name without a value takes a header away.
	 */
	list = curl_slist_append(NULL, request->expect_timeout_ms > 0 ?
							 "Expect: 100-continue" : "Expect:");
	if (list == NULL)
		return false;
	for (i = transfer->chunked ? -1 : 0; i < request->nheaders; i++)
	{
		longer = curl_slist_append(list, i < 0 ? "Transfer-Encoding: chunked" :
								   request->headers[i]);
		if (longer == NULL)
		{
			curl_slist_free_all(list);
			return false;
		}
		list = longer;
	}
	transfer->headers = list;
	return true;
}

/* Everything about how the server is reached.  False: out of memory. */
static bool
set_connection(CURL *easy, const DbmazzHttpRequest *request)
{
	bool		ok = true;

#define SET(option, value) \
	(ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)

	SET(CURLOPT_NOSIGNAL, 1L);

	/*
	 * Without this the end of a transfer waits for the thread that resolves
	 * the host's name, however long that takes.
	 */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long) request->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long) request->total_timeout_ms);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, 30L);
	SET(CURLOPT_TCP_KEEPINTVL, 10L);
	/* it is allocated for each transfer: a large one comes from the kernel, and goes back to it */
	SET(CURLOPT_UPLOAD_BUFFERSIZE,
		request->body_size > SMALL_BUFFER ? SEND_BUFFER : SMALL_BUFFER);
	if (!request->keep_alive)
	{
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_FORBID_REUSE, 1L);
	}
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, request->tls_verify ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, request->tls_verify ? 2L : 0L);
	if (request->ca_file != NULL)
		SET(CURLOPT_CAINFO, request->ca_file);
#undef SET
	return ok;
}

/* Everything about the request itself.  False: out of memory. */
static bool
set_message(DbmazzHttpTransfer *transfer, const DbmazzHttpRequest *request)
{
	CURL	   *easy = transfer->easy;
	bool		ok = true;

#define SET(option, value) \
	(ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)

	SET(CURLOPT_PRIVATE, (void *) transfer);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_USERAGENT, "dbmazz");
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	SET(CURLOPT_ERRORBUFFER, transfer->curl_error);
	if (request->user != NULL)
	{
		SET(CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, request->user);
		SET(CURLOPT_PASSWORD, request->password);
	}
	if (strcmp(request->method, "GET") != 0)
	{
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_CUSTOMREQUEST, request->method);
		SET(CURLOPT_INFILESIZE_LARGE, transfer->chunked ? (curl_off_t) -1 :
			(curl_off_t) request->body_size);
		SET(CURLOPT_EXPECT_100_TIMEOUT_MS, (long) request->expect_timeout_ms);
	}
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, (void *) transfer);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, (void *) transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, (void *) transfer);
	SET(CURLOPT_WRITEFUNCTION, on_write);
	SET(CURLOPT_WRITEDATA, (void *) transfer);
#undef SET
	return ok;
}

/* Every address that libcurl would connect to goes to on_open() instead. */
static bool
set_resolve(DbmazzHttpTransfer *transfer)
{
	CURL	   *easy = transfer->easy;

	return curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
						 on_open) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA,
						 (void *) transfer) == CURLE_OK;
}

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	DbmazzHttpTransfer *transfer = arg;
	DbmazzHttpAnswer *answer = &transfer->answer;

	(void) purpose;
	if (answer->naddresses < DBMAZZ_HTTP_ADDRESSES &&
		getnameinfo(&address->addr, address->addrlen,
					answer->addresses[answer->naddresses],
					DBMAZZ_HTTP_ADDRESS, NULL, 0, NI_NUMERICHOST) == 0)
		answer->naddresses++;
	return CURL_SOCKET_BAD;
}

/* libcurl wants more of the body. */
static size_t
on_read(char *out, size_t size, size_t nitems, void *arg)
{
	DbmazzHttpTransfer *transfer = arg;
	DbmazzHttpAnswer *answer = &transfer->answer;
	uint64_t	left = transfer->body_size - transfer->given;
	size_t		len = size * nitems;
	size_t		n;

	if (len > left)
		len = (size_t) left;
	if (len == 0)
		return 0;
	if (transfer->early)
		return CURL_READFUNC_PAUSE;
	if (transfer->must_ask && !transfer->asked)
	{
		/* libcurl has waited for as long as it was told to */
		transfer->not_asked = true;
		return CURL_READFUNC_ABORT;
	}
	n = transfer->read(transfer->arg, out, len);
	if (n == 0 && transfer->chunked)
	{
		/* libcurl now sends the chunk that says so */
		transfer->body_size = transfer->given;
		answer->phase = DBMAZZ_HTTP_SENT;
		return 0;
	}
	if (n == 0 || n > len)
	{
		transfer->not_read = true;
		return CURL_READFUNC_ABORT;
	}
	transfer->given += n;
	transfer->last_given_ms = dbmazz_http_now_ms();
	if (answer->bytes_sent < transfer->given)
		answer->bytes_sent = transfer->given;
	if (transfer->given == transfer->body_size)
		answer->phase = DBMAZZ_HTTP_SENT;
	else if (answer->phase == DBMAZZ_HTTP_UNSENT)
		answer->phase = DBMAZZ_HTTP_BEGUN;
	return n;
}

/* The kept connection was dead: libcurl begins anew on another. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	DbmazzHttpTransfer *transfer = arg;

	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_FAIL;
	if (transfer->rewind != NULL)
		transfer->rewind(transfer->arg);
	transfer->given = 0;
	if (transfer->chunked)
		transfer->body_size = DBMAZZ_HTTP_UNKNOWN;
	transfer->asked = false;
	return CURL_SEEKFUNC_OK;
}

static size_t
on_header(char *data, size_t size, size_t nitems, void *arg)
{
	DbmazzHttpTransfer *transfer = arg;
	size_t		len = size * nitems;
	int			code;

	if (transfer->answer.status != 0 && transfer->early)
		transfer->last_got_ms = dbmazz_http_now_ms();
	if (transfer->answer.status != 0 && len <= 2)
		transfer->has_header = true;
	if (len > 9 && strncasecmp(data, "location:", 9) == 0)
		note_location(transfer, data + 9, len - 9);
	if (len < 12 || memcmp(data, "HTTP/", 5) != 0 || data[8] != ' ')
		return len;
	code = (data[9] - '0') * 100 + (data[10] - '0') * 10 + (data[11] - '0');
	transfer->asked |= code == 100;
	if (code < 200 || code > 999)
		return len;
	transfer->answer.status = code;
	transfer->answer.body_len = 0;
	transfer->has_header = false;
	free(transfer->location);
	transfer->location = NULL;

	/*
	 * The server answers before it has the whole body.  It will not want the
	 * rest, which must never be mistaken for the next request; and what
	 * libcurl does now differs from version to version.  So nothing more is
	 * given, and http.c ends the transfer when the answer is there.
	 */
	if (transfer->given < transfer->body_size)
	{
		transfer->early = true;
		transfer->last_got_ms = dbmazz_http_now_ms();
		(void) curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
	}
	return len;
}

static void
note_location(DbmazzHttpTransfer *transfer, const char *value, size_t len)
{
	while (len > 0 && (*value == ' ' || *value == '\t'))
	{
		value++;
		len--;
	}
	while (len > 0 && (unsigned char) value[len - 1] <= ' ')
		len--;
	free(transfer->location);
	transfer->location = len <= MAX_LOCATION ? strndup(value, len) : NULL;
}

static size_t
on_write(char *data, size_t size, size_t nitems, void *arg)
{
	DbmazzHttpTransfer *transfer = arg;
	DbmazzHttpAnswer *answer = &transfer->answer;
	size_t		len = size * nitems;
	size_t		keep = len;

	if (keep > transfer->max_answer - answer->body_len)
	{
		keep = transfer->max_answer - answer->body_len;
		answer->too_large = true;
	}
	if (answer->body_len + keep + 1 > transfer->body_room)
	{
		size_t		room = 2 * (answer->body_len + keep) + 1024;
		char	   *larger = realloc(transfer->body, room);

		if (larger == NULL)
			return 0;
		transfer->body = larger;
		transfer->body_room = room;
	}
	memcpy(transfer->body + answer->body_len, data, keep);
	answer->body_len += keep;
	transfer->body[answer->body_len] = '\0';
	if (transfer->early)
		transfer->last_got_ms = dbmazz_http_now_ms();
	return answer->too_large ? 0 : len;
}
