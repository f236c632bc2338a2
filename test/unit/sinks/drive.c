/*
 * drive.c
 *		Drives a sink by hand: commands from standard input, answers as one JSON
 *		object a line.
 *
 * NOTES
 *	  usage: drive [name=value...]	(options of the sink)
 *
 *	  Commands, their arguments separated by tabs:
 *
 *		table NAME COLUMN...	what batches look like from now on; a column is
 *								name:typid:class:flags, flags of k (key), n (not
 *								null); a first column "partial" means that
 *		row OP BYTES			add a row (U or D) in the form of core/batch.h
 *		rows N FROM				add N rows {"id":i,"v":"value i","__op":0}
 *		clear					forget the rows
 *		load LABEL				send them, and wait for the end
 *		prepare LABEL			the same, without the commit
 *		commit LABEL
 *		resolve LABEL			of a prepared load
 *		resolve_load LABEL		of a load of this table
 *		settle LABEL...
 *		place [TEXT]			where a settle is told that TRUNCATEs were sent;
 *								at first where one goes with the first options
 *		truncate LABEL
 *		begin_truncate LABEL ID	and do not wait
 *		pump MS					work for that long without a completion
 *		start LABEL ID			begin a load and do not wait
 *		wait					wait for the next completion of any
 *		cancel ID
 *		set name=value...		reconfigure
 *		render LABEL
 *		ddl
 *		identity
 *		rss						resident memory in kB
 *
 *	  It waits as the shipper does: only on what sockets() names.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "dbmazz_sink.h"
#include "fixture.h"

#define MAX_ARGS		2048
#define MAX_SOCKETS		256
#define NSEGMENTS		4096

typedef struct Slot
{
	DbmazzRequest request;
	DbmazzBatchView view;
	char	   *label;
	bool		used;
} Slot;

extern const DbmazzSinkRoutine *dbmazz_sink_init(void);

static const DbmazzSinkRoutine *sink;
static void *state;
static char *pool;
static uint32_t next_segment;
static DbmazzBatchWriter writer;
static DbmazzTableDesc *desc;
static char target[256];
static char place[512];
static Slot slots[64];
static uint64_t next_id = 1000;

static void
die(const char *what)
{
	fprintf(stderr, "drive: %s\n", what);
	exit(2);
}

static void
say(cJSON *object)
{
	char	   *text = cJSON_PrintUnformatted(object);

	puts(text);
	fflush(stdout);
	free(text);
	cJSON_Delete(object);
}

static void
say_error(const DbmazzError *err)
{
	cJSON	   *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "error", err->message);
	cJSON_AddStringToObject(object, "detail", err->detail);
	cJSON_AddStringToObject(object, "hint", err->hint);
	say(object);
}

static void
say_text(const char *name, const char *text)
{
	cJSON	   *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, name, text);
	say(object);
}

static DbmazzSegment *
next_free_segment(void *arg, uint32_t *index)
{
	(void) arg;
	if (next_segment >= NSEGMENTS)
		return NULL;
	*index = next_segment++;
	return dbmazz_segment_at(pool, *index);
}

static void
begin_batch(void)
{
	next_segment = 0;
	if (dbmazz_batch_begin(&writer, next_free_segment, NULL, desc) != DBMAZZ_OK)
		die("no room for a batch");
}

static void
make_table(char **args, int nargs)
{
	FixtureColumn columns[MAX_ARGS];
	bool		partial = nargs > 2 && strcmp(args[2], "partial") == 0;
	int			first = partial ? 3 : 2;
	int			n = 0;

	for (; first + n < nargs; n++)
	{
		char	   *name = args[first + n];
		char	   *flags = strrchr(name, ':');
		char	   *class;
		char	   *typid;

		*flags++ = '\0';
		class = strrchr(name, ':');
		*class++ = '\0';
		typid = strrchr(name, ':');
		*typid++ = '\0';
		columns[n].name = name;
		columns[n].typid = (uint32_t) atoi(typid);
		columns[n].value_class = (uint8_t) atoi(class);
		columns[n].flags = 0;
		if (strchr(flags, 'k') != NULL)
			columns[n].flags |= DBMAZZ_COLUMN_KEY | DBMAZZ_COLUMN_IDENTITY;
		if (strchr(flags, 'n') != NULL)
			columns[n].flags |= DBMAZZ_COLUMN_NOT_NULL;
	}
	free(desc);
	desc = fixture_desc(args[1], partial, columns, n);
	snprintf(target, sizeof(target), "%s", args[1]);
	begin_batch();
}

static void
add_row(char op, const char *bytes)
{
	static uint32_t sequence;

	if (dbmazz_row_begin(&writer) != DBMAZZ_OK ||
		dbmazz_row_put(&writer, bytes, strlen(bytes)) != DBMAZZ_OK)
		die("no room for a row");
	dbmazz_row_end(&writer, op == 'D' ? DBMAZZ_ROW_DELETE : DBMAZZ_ROW_UPDATE,
				   0, 0, 1, ++sequence);
}

static void
add_rows(long n, long from)
{
	char		row[128];
	long		i;

	for (i = 0; i < n; i++)
	{
		snprintf(row, sizeof(row), "{\"id\":%ld,\"v\":\"value %ld\",\"__op\":0},",
				 from + i, from + i);
		add_row('U', row);
	}
}

static void
fill_batch(Slot *slot)
{
	slot->view.pool = pool;
	slot->view.head = writer.head;
	slot->view.nrows = writer.nrows;
	slot->view.nbytes = writer.nbytes;
	slot->view.table = desc;
	slot->request.batch = &slot->view;
	slot->request.nrows = writer.nrows;
}

static void
fill_request(Slot *slot, DbmazzRequestKind kind, const char *label)
{
	memset(slot, 0, sizeof(*slot));
	slot->used = true;
	slot->label = label != NULL ? strdup(label) : NULL;
	slot->request.id = next_id++;
	slot->request.kind = kind;
	slot->request.target = target;
	slot->request.label = slot->label;
	if (kind == DBMAZZ_REQUEST_LOAD || kind == DBMAZZ_REQUEST_PREPARE)
		fill_batch(slot);
}

static Slot *
free_slot(void)
{
	int			i;

	for (i = 0; i < 64; i++)
	{
		if (!slots[i].used)
			return &slots[i];
	}
	die("too many requests");
	return NULL;
}

static void
release_slot(uint64_t id)
{
	int			i;

	for (i = 0; i < 64; i++)
	{
		if (slots[i].used && slots[i].request.id == id)
		{
			free(slots[i].label);
			slots[i].used = false;
		}
	}
}

static void
say_completion(const DbmazzCompletion *done, long ms)
{
	static const char *const names[] = {"done", "retry", "doubt", "reject"};
	cJSON	   *object = cJSON_CreateObject();

	cJSON_AddNumberToObject(object, "id", (double) done->id);
	cJSON_AddStringToObject(object, "outcome", names[done->outcome]);
	cJSON_AddBoolToObject(object, "slow_down", done->slow_down);
	cJSON_AddBoolToObject(object, "aborted", done->is_aborted);
	cJSON_AddBoolToObject(object, "forgotten", done->is_forgotten);
	cJSON_AddBoolToObject(object, "send_anew", done->send_anew);
	cJSON_AddNumberToObject(object, "bytes", (double) done->bytes);
	cJSON_AddNumberToObject(object, "status", done->error.status);
	cJSON_AddStringToObject(object, "message", done->error.message);
	cJSON_AddStringToObject(object, "detail", done->error.detail);
	cJSON_AddStringToObject(object, "hint", done->error.hint);
	cJSON_AddNumberToObject(object, "ms", (double) ms);
	say(object);
}

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Wait for one completion, on nothing but what the sink names; at most 'ms', or
 * for ever.
 */
static bool
wait_for(long ms)
{
	DbmazzSinkSocket sockets[MAX_SOCKETS];
	DbmazzSinkEvent events[MAX_SOCKETS];
	struct pollfd fds[MAX_SOCKETS];
	long		began = now_ms();
	int			nevents = 0;

	for (;;)
	{
		DbmazzCompletion done;
		int64_t		timeout;
		int			n;
		int			i;

		if (sink->poll(state, events, nevents, &done, 1) == 1)
		{
			release_slot(done.id);
			say_completion(&done, now_ms() - began);
			return true;
		}
		if (ms > 0 && now_ms() - began >= ms)
			return false;
		n = sink->sockets(state, sockets, MAX_SOCKETS, &timeout);
		if (n == 0 && timeout < 0)
			die("the sink waits for nothing");
		for (i = 0; i < n; i++)
		{
			fds[i].fd = sockets[i].fd;
			fds[i].events = (short) ((sockets[i].want_read ? POLLIN : 0) |
									 (sockets[i].want_write ? POLLOUT : 0));
		}
		if (timeout < 0 || timeout > 60000)
			timeout = 60000;
		if (ms > 0 && timeout > ms)
			timeout = ms;
		if (poll(fds, (nfds_t) n, (int) timeout) < 0 && errno != EINTR)
			die("poll");
		nevents = 0;
		for (i = 0; i < n; i++)
		{
			if (fds[i].revents == 0)
				continue;
			events[nevents].fd = fds[i].fd;
			events[nevents].readable = (fds[i].revents & ~POLLOUT) != 0;
			events[nevents].writable = (fds[i].revents & POLLOUT) != 0;
			nevents++;
		}
	}
}

static void
wait_one(void)
{
	(void) wait_for(0);
}

static void
set_options(char **args, int nargs, bool first)
{
	DbmazzOption options[64];
	DbmazzError err;
	int			n = 0;
	int			i;

	for (i = 0; i < nargs && n < 64; i++)
	{
		char	   *eq = strchr(args[i], '=');

		if (eq == NULL)
			die("options are name=value");
		*eq = '\0';
		options[n].name = args[i];
		options[n].value = eq + 1;
		n++;
	}
	if (first)
	{
		char		identity[512];

		if (!sink->check(options, n, &err))
		{
			say_error(&err);
			exit(1);
		}
		state = sink->open(options, n, &err);
		if (state == NULL)
		{
			say_error(&err);
			exit(1);
		}
		(void) sink->identity(options, n, identity, sizeof(identity));
		say_text("identity", identity);
	}
	else if (!sink->reconfigure(state, options, n, &err))
		say_error(&err);
	else
		say_text("set", "ok");
}

static void
print_ddl(void)
{
	DbmazzDdlColumn columns[64];
	DbmazzError err;
	char		text[8192];
	int			i;

	for (i = 0; i < desc->ncolumns && i < 64; i++)
	{
		columns[i].name = dbmazz_desc_text(desc, desc->columns[i].name);
		columns[i].basetypid = desc->columns[i].basetypid;
		columns[i].typmod = -1;
		columns[i].is_key = (desc->columns[i].flags & DBMAZZ_COLUMN_KEY) != 0;
		columns[i].not_null = (desc->columns[i].flags &
							   DBMAZZ_COLUMN_NOT_NULL) != 0;
	}
	if (sink->ddl == NULL ||
		sink->ddl(target, columns, i, false, text, sizeof(text), &err) == 0)
		say_error(&err);
	else
		say_text("ddl", text);
}

static void
print_rss(void)
{
	cJSON	   *object = cJSON_CreateObject();
	FILE	   *file = fopen("/proc/self/statm", "r");
	long		pages = 0;

	if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1)
		die("statm");
	fclose(file);
	cJSON_AddNumberToObject(object, "rss", (double) (pages * 4));
	say(object);
}

static void
render(const char *label)
{
	Slot		slot;
	size_t		len;
	char	   *text;

	fill_request(&slot, DBMAZZ_REQUEST_LOAD, label);
	len = sink->render(state, &slot.request, NULL, 0);
	text = malloc(len + 1);
	(void) sink->render(state, &slot.request, text, len + 1);
	say_text("render", text);
	free(text);
	free(slot.label);
}

/* Commands that are requests; false if it is none. */
static bool
run_request(char **args, int nargs)
{
	Slot	   *slot;

	if (strcmp(args[0], "load") == 0 || strcmp(args[0], "start") == 0)
	{
		slot = free_slot();
		fill_request(slot, DBMAZZ_REQUEST_LOAD, args[1]);
		if (args[0][0] == 's')
			slot->request.id = (uint64_t) atoi(args[2]);
		sink->start(state, &slot->request);
		if (args[0][0] == 's')
			say_text("started", args[1]);
		else
			wait_one();
	}
	else if (strcmp(args[0], "prepare") == 0 ||
			 strcmp(args[0], "commit") == 0 ||
			 strcmp(args[0], "resolve") == 0 ||
			 strcmp(args[0], "resolve_load") == 0)
	{
		slot = free_slot();
		fill_request(slot, args[0][0] == 'p' ? DBMAZZ_REQUEST_PREPARE :
					 args[0][0] == 'c' ? DBMAZZ_REQUEST_COMMIT :
					 DBMAZZ_REQUEST_RESOLVE, args[1]);
		if (strcmp(args[0], "resolve_load") == 0)
			fill_batch(slot);
		sink->start(state, &slot->request);
		wait_one();
	}
	else if (strcmp(args[0], "truncate") == 0 ||
			 strcmp(args[0], "begin_truncate") == 0)
	{
		slot = free_slot();
		fill_request(slot, DBMAZZ_REQUEST_TRUNCATE, args[1]);
		if (args[0][0] == 'b')
			slot->request.id = (uint64_t) atoi(args[2]);
		sink->start(state, &slot->request);
		if (args[0][0] == 'b')
			say_text("started", args[1]);
		else
			wait_one();
	}
	else if (strcmp(args[0], "pump") == 0)
	{
		if (!wait_for(atol(args[1])))
			say_text("pumped", args[1]);
	}
	else if (strcmp(args[0], "settle") == 0)
	{
		slot = free_slot();
		fill_request(slot, DBMAZZ_REQUEST_SETTLE, NULL);
		slot->request.labels = (const char *const *) (args + 1);
		slot->request.nlabels = nargs - 1;
		slot->request.place = place[0] != '\0' ? place : NULL;
		sink->start(state, &slot->request);
		wait_one();
	}
	else if (strcmp(args[0], "wait") == 0)
		wait_one();
	else if (strcmp(args[0], "cancel") == 0)
	{
		sink->cancel(state, (uint64_t) atoi(args[1]));
		release_slot((uint64_t) atoi(args[1]));
		say_text("cancelled", args[1]);
	}
	else
		return false;
	return true;
}

/* Where TRUNCATEs were sent; without a text, where one would go now. */
static void
set_place(const char *text)
{
	place[0] = '\0';
	if (text != NULL)
		snprintf(place, sizeof(place), "%s", text);
	else if (sink->place != NULL && sink->place(state, NULL, 0) > 0)
		(void) sink->place(state, place, sizeof(place));
}

static void
run(char **args, int nargs)
{
	if (run_request(args, nargs))
		return;
	if (strcmp(args[0], "table") == 0)
		make_table(args, nargs);
	else if (strcmp(args[0], "row") == 0)
		add_row(args[1][0], args[2]);
	else if (strcmp(args[0], "rows") == 0)
		add_rows(atol(args[1]), atol(args[2]));
	else if (strcmp(args[0], "clear") == 0)
		begin_batch();
	else if (strcmp(args[0], "set") == 0)
		set_options(args + 1, nargs - 1, false);
	else if (strcmp(args[0], "place") == 0)
		set_place(nargs > 1 ? args[1] : NULL);
	else if (strcmp(args[0], "render") == 0)
		render(args[1]);
	else if (strcmp(args[0], "ddl") == 0)
		print_ddl();
	else if (strcmp(args[0], "rss") == 0)
		print_rss();
	else
		die(args[0]);
}

int
main(int argc, char **argv)
{
	char	   *line = NULL;
	size_t		room = 0;
	ssize_t		len;

	pool = malloc((size_t) NSEGMENTS * DBMAZZ_SEGMENT_SIZE);
	sink = dbmazz_sink_init();
	if (pool == NULL || sink->abi != DBMAZZ_SINK_ABI)
		die("start");
	set_options(argv + 1, argc - 1, true);
	set_place(NULL);
	while ((len = getline(&line, &room, stdin)) > 0)
	{
		char	   *args[MAX_ARGS];
		char	   *p = line;
		int			n = 0;

		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		while (n < MAX_ARGS && p != NULL)
			args[n++] = strsep(&p, "\t");
		run(args, n);
	}
	free(line);
	sink->close(state);
	free(desc);
	free(pool);
	return 0;
}
