/*
 * http.c
 *		All transfers of one sink in one multi handle, without any waiting.
 */
#include "http/http_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Longest wait if there were more sockets than the caller could take. */
#define OVERFLOW_WAIT_MS	10

/* Longest silence in an answer that began before the body was sent. */
#define EARLY_WAIT_MS		2000

/* A socket that libcurl wants watched. */
typedef struct Watch
{
	struct Watch *next;
	curl_socket_t fd;
	uint32_t	serial;
	int			what;			/* CURL_POLL_* */
} Watch;

struct DbmazzHttp
{
	CURLM	   *multi;
	Watch	   *watches;
	uint32_t	next_serial;
	int64_t		deadline_ms;	/* libcurl's timer, or -1 */
	bool		overflow;		/* sockets() could not name all */
	DbmazzHttpTransfer *active;
	DbmazzHttpTransfer *done;	/* first to end is first */
	DbmazzHttpTransfer *idle;
};

static int	on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
					  void *socketp);
static int	on_timer(CURLM *multi, long timeout_ms, void *arg);
static void drive_all(DbmazzHttp *http);
static void collect(DbmazzHttp *http);
static void end_stalled(DbmazzHttp *http);
static int64_t stall_deadline(const DbmazzHttpTransfer *transfer);
static void finish(DbmazzHttp *http, DbmazzHttpTransfer *transfer,
				   CURLcode code, const char *why);
static void list_add(DbmazzHttpTransfer **list, DbmazzHttpTransfer *transfer,
					 TransferPlace place);
static void list_remove(DbmazzHttpTransfer **list,
						DbmazzHttpTransfer *transfer);
static void block_signals(sigset_t *old);
static void restore_signals(const sigset_t *old);

DbmazzHttp *
dbmazz_http_open(void)
{
	DbmazzHttp *http = calloc(1, sizeof(*http));
	sigset_t	old;

	if (http == NULL)
		return NULL;
	http->deadline_ms = -1;
	block_signals(&old);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
	{
		restore_signals(&old);
		free(http);
		return NULL;
	}
	http->multi = curl_multi_init();
	if (http->multi != NULL)
	{
		curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
		curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, (void *) http);
		curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
		curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, (void *) http);
		curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
#if LIBCURL_VERSION_NUM >= 0x081400
		/* See CURLOPT_QUICK_EXIT in transfer.c; the same for the end of all. */
		curl_multi_setopt(http->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
	}
	else
		curl_global_cleanup();
	restore_signals(&old);
	if (http->multi == NULL)
	{
		free(http);
		return NULL;
	}
	return http;
}

void
dbmazz_http_close(DbmazzHttp *http)
{
	DbmazzHttpTransfer *transfer;
	sigset_t	old;

	while (http->active != NULL)
		dbmazz_http_free(http, http->active);
	while (http->done != NULL)
		dbmazz_http_free(http, http->done);
	block_signals(&old);
	while ((transfer = http->idle) != NULL)
	{
		list_remove(&http->idle, transfer);
		curl_easy_cleanup(transfer->easy);
		free(transfer);
	}
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	restore_signals(&old);
	while (http->watches != NULL)
	{
		Watch	   *watch = http->watches;

		http->watches = watch->next;
		free(watch);
	}
	free(http);
}

DbmazzHttpTransfer *
dbmazz_http_start(DbmazzHttp *http, const DbmazzHttpRequest *request,
				  void *owner, char error[DBMAZZ_HTTP_ERROR])
{
	DbmazzHttpTransfer *transfer = http->idle;
	sigset_t	old;
	bool		ok;

	if (transfer != NULL)
		list_remove(&http->idle, transfer);
	else
	{
		transfer = calloc(1, sizeof(*transfer));
		if (transfer == NULL)
		{
			strcpy(error, "out of memory");
			return NULL;
		}
	}
	block_signals(&old);
	ok = dbmazz_transfer_setup(transfer, request, error);
	if (ok && curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
	{
		strcpy(error, "out of memory");
		ok = false;
	}
	if (!ok)
	{
		/* Without an easy handle the transfer is still good for later. */
		dbmazz_transfer_reset(transfer);
		list_add(&http->idle, transfer, TRANSFER_IDLE);
		restore_signals(&old);
		return NULL;
	}
	restore_signals(&old);
	transfer->owner = owner;
	list_add(&http->active, transfer, TRANSFER_ACTIVE);
	return transfer;
}

int
dbmazz_http_sockets(DbmazzHttp *http, DbmazzSinkSocket *sockets, int max,
					int64_t *timeout_ms)
{
	DbmazzHttpTransfer *transfer;
	Watch	   *watch;
	int64_t		deadline = http->deadline_ms;
	int			n = 0;

	http->overflow = false;
	for (watch = http->watches; watch != NULL; watch = watch->next)
	{
		if ((watch->what & CURL_POLL_INOUT) == 0)
			continue;
		if (n >= max)
		{
			http->overflow = true;
			break;
		}
		sockets[n].fd = (int) watch->fd;
		sockets[n].serial = watch->serial;
		sockets[n].want_read = (watch->what & CURL_POLL_IN) != 0;
		sockets[n].want_write = (watch->what & CURL_POLL_OUT) != 0;
		n++;
	}
	for (transfer = http->active; transfer != NULL; transfer = transfer->next)
	{
		int64_t		stall = stall_deadline(transfer);

		if (stall >= 0 && (deadline < 0 || stall < deadline))
			deadline = stall;
	}
	*timeout_ms = -1;
	if (deadline >= 0)
	{
		*timeout_ms = deadline - dbmazz_http_now_ms();
		if (*timeout_ms < 0)
			*timeout_ms = 0;
	}
	if (http->done != NULL)
		*timeout_ms = 0;
	if (http->overflow &&
		(*timeout_ms < 0 || *timeout_ms > OVERFLOW_WAIT_MS))
		*timeout_ms = OVERFLOW_WAIT_MS;
	return n;
}

/*
 * libcurl is told nothing about what a socket is ready for: it looks itself.
 * So an event that has become stale does no harm, and an early answer is seen
 * before more of the body is sent into a connection that the server has closed.
 */
void
dbmazz_http_poll(DbmazzHttp *http, const DbmazzSinkEvent *events, int nevents)
{
	sigset_t	old;
	int			running;
	int			i;

	block_signals(&old);
	for (i = 0; i < nevents; i++)
		(void) curl_multi_socket_action(http->multi, events[i].fd, 0,
										&running);
	if (http->overflow)
		drive_all(http);
	if (http->deadline_ms >= 0 && http->deadline_ms <= dbmazz_http_now_ms())
	{
		http->deadline_ms = -1;
		(void) curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0,
										&running);
	}
	collect(http);
	end_stalled(http);
	restore_signals(&old);
}

DbmazzHttpTransfer *
dbmazz_http_next(DbmazzHttp *http)
{
	DbmazzHttpTransfer *transfer = http->done;

	if (transfer == NULL)
		return NULL;
	list_remove(&http->done, transfer);
	transfer->taken = true;
	return transfer;
}

void *
dbmazz_http_owner(const DbmazzHttpTransfer *transfer)
{
	return transfer->owner;
}

const DbmazzHttpAnswer *
dbmazz_http_answer(const DbmazzHttpTransfer *transfer)
{
	return &transfer->answer;
}

void
dbmazz_http_free(DbmazzHttp *http, DbmazzHttpTransfer *transfer)
{
	sigset_t	old;

	block_signals(&old);
	if (transfer->place == TRANSFER_ACTIVE)
	{
		(void) curl_multi_remove_handle(http->multi, transfer->easy);
		list_remove(&http->active, transfer);
	}
	else if (!transfer->taken)
		list_remove(&http->done, transfer);
	dbmazz_transfer_reset(transfer);
	list_add(&http->idle, transfer, TRANSFER_IDLE);
	restore_signals(&old);
}

int64_t
dbmazz_http_now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* libcurl tells which sockets it wants watched. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
	DbmazzHttp *http = arg;
	Watch	   *watch = socketp;
	Watch	  **link;

	(void) easy;
	if (what == CURL_POLL_REMOVE)
	{
		for (link = &http->watches; *link != NULL; link = &(*link)->next)
		{
			if (*link == watch && watch != NULL)
			{
				*link = watch->next;
				free(watch);
				break;
			}
		}
		return 0;
	}
	if (watch == NULL)
	{
		watch = calloc(1, sizeof(*watch));
		if (watch == NULL)
			return -1;
		watch->fd = fd;
		watch->serial = http->next_serial++;
		watch->next = http->watches;
		http->watches = watch;
		(void) curl_multi_assign(http->multi, fd, watch);
	}
	watch->what = what;
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	DbmazzHttp *http = arg;

	(void) multi;
	http->deadline_ms = timeout_ms < 0 ? -1 :
		dbmazz_http_now_ms() + timeout_ms;
	return 0;
}

/* The caller could not watch all sockets: let libcurl look at every one. */
static void
drive_all(DbmazzHttp *http)
{
	Watch	   *watch;
	curl_socket_t *fds;
	size_t		n = 0;
	size_t		i;
	int			running;

	for (watch = http->watches; watch != NULL; watch = watch->next)
		n++;
	fds = calloc(n + 1, sizeof(*fds));
	if (fds == NULL)
		return;
	i = 0;
	for (watch = http->watches; watch != NULL; watch = watch->next)
		fds[i++] = watch->fd;
	for (i = 0; i < n; i++)
		(void) curl_multi_socket_action(http->multi, fds[i], 0, &running);
	free(fds);
}

/* Move the transfers that libcurl has finished to the list of those done. */
static void
collect(DbmazzHttp *http)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		char	   *owner = NULL;
		CURLcode	code;

		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;
		(void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
								 &owner);
		finish(http, (DbmazzHttpTransfer *) (void *) owner, code, NULL);
	}
}

/*
 * End the transfers whose body no longer moves, and those with an answer that
 * came before the body was sent.
 */
static void
end_stalled(DbmazzHttp *http)
{
	DbmazzHttpTransfer *transfer;
	DbmazzHttpTransfer *next;
	int64_t		now = dbmazz_http_now_ms();

	for (transfer = http->active; transfer != NULL; transfer = next)
	{
		int64_t		deadline = stall_deadline(transfer);

		next = transfer->next;
		if (transfer->early && dbmazz_transfer_has_answer(transfer))
			finish(http, transfer, CURLE_OK, NULL);
		else if (deadline >= 0 && deadline <= now)
			finish(http, transfer, CURLE_OPERATION_TIMEDOUT,
				   transfer->early ? "the server has not ended its answer" :
				   "the server has stopped reading the body");
	}
}

static int64_t
stall_deadline(const DbmazzHttpTransfer *transfer)
{
	if (transfer->early)
		return transfer->last_got_ms + EARLY_WAIT_MS;
	if (transfer->stall_timeout_ms <= 0 || transfer->given == 0 ||
		transfer->given >= transfer->body_size)
		return -1;
	return transfer->last_given_ms + transfer->stall_timeout_ms;
}

static void
finish(DbmazzHttp *http, DbmazzHttpTransfer *transfer, CURLcode code,
	   const char *why)
{
	DbmazzHttpTransfer **tail = &http->done;

	dbmazz_transfer_finish(transfer, code, why);
	(void) curl_multi_remove_handle(http->multi, transfer->easy);
	list_remove(&http->active, transfer);
	transfer->place = TRANSFER_DONE;
	transfer->prev = NULL;
	while (*tail != NULL)
	{
		transfer->prev = *tail;
		tail = &(*tail)->next;
	}
	*tail = transfer;
	transfer->next = NULL;
}

static void
list_add(DbmazzHttpTransfer **list, DbmazzHttpTransfer *transfer,
		 TransferPlace place)
{
	transfer->place = place;
	transfer->prev = NULL;
	transfer->next = *list;
	if (*list != NULL)
		(*list)->prev = transfer;
	*list = transfer;
}

static void
list_remove(DbmazzHttpTransfer **list, DbmazzHttpTransfer *transfer)
{
	if (transfer->prev != NULL)
		transfer->prev->next = transfer->next;
	else
		*list = transfer->next;
	if (transfer->next != NULL)
		transfer->next->prev = transfer->prev;
	transfer->prev = NULL;
	transfer->next = NULL;
}

static void
block_signals(sigset_t *old)
{
	sigset_t	all;

	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, old);
}

static void
restore_signals(const sigset_t *old)
{
	(void) pthread_sigmask(SIG_SETMASK, old, NULL);
}
