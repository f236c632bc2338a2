/*
 * unit_starrocks.c
 *		Tests of sinks/starrocks/starrocks.c: the life of requests.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "dbmazz_sink.h"

/* The program is linked so that every calloc() of ours comes here. */
extern void *__real_calloc(size_t n, size_t size);
extern void *__wrap_calloc(size_t n, size_t size);

static bool no_memory;

void *
__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

static void
start(const DbmazzSinkRoutine *sink, void *state, DbmazzRequest *request,
	  uint64_t id, DbmazzRequestKind kind)
{
	static const char *const labels[] = {"l"};

	memset(request, 0, sizeof(*request));
	request->id = id;
	request->kind = kind;
	request->target = "t";
	request->label = labels[0];
	request->labels = labels;
	request->nlabels = 0;
	sink->start(state, request);
}

/*
 * Requests that there was no memory for end, but for those that are cancelled.  Of
 * no label anything is said.
 */
static void
refused(void)
{
	static const DbmazzOption options[] = {
		{"url", "http://127.0.0.1:1"}, {"database", "d"}
	};
	const DbmazzSinkRoutine *sink = dbmazz_sink_init();
	DbmazzCompletion done[8];
	DbmazzRequest requests[4];
	DbmazzError err;
	int64_t		timeout;
	void	   *state = sink->open(options, 2, &err);
	int			seen = 0;
	int			n;
	int			i;

	if (!CHECK(state != NULL))
		return;
	no_memory = true;
	for (i = 0; i < 4; i++)
		start(sink, state, &requests[i], (uint64_t) i,
			  i < 2 ? DBMAZZ_REQUEST_SETTLE : DBMAZZ_REQUEST_RESOLVE);
	no_memory = false;
	sink->cancel(state, 1);
	sink->cancel(state, 3);
	sink->cancel(state, 7);
	(void) sink->sockets(state, NULL, 0, &timeout);
	CHECK_INT(timeout, 0);
	memset(done, 0xff, sizeof(done));
	n = sink->poll(state, NULL, 0, done, 8);
	CHECK_INT(n, 2);
	for (i = 0; i < n; i++)
	{
		seen |= 1 << done[i].id;
		CHECK_INT(done[i].outcome, DBMAZZ_RETRY);
		CHECK(!done[i].is_aborted && !done[i].is_forgotten);
		CHECK_STR(done[i].error.message, "out of memory");
	}
	CHECK_INT(seen, 1 << 0 | 1 << 2);
	CHECK_INT(sink->poll(state, NULL, 0, done, 8), 0);
	sink->close(state);
}

void
unit_starrocks(void)
{
	refused();
}
