/*
 * file.c
 *		A sink that appends rows to one NDJSON file per target table: to look at,
 *		and for crash tests.
 *
 * NOTES
 *	  Rows are the objects that other sinks send, one a line, "__op" telling
 *	  upsert (0) from delete (1).  A TRUNCATE is the line {"truncate":"target"}:
 *	  all rows before it are gone.  A load is done when its lines are on disk.
 *	  After an error the file is cut back to what it was before the load; after
 *	  a crash, to its last whole line.  So a line is never torn, but a load may be
 *	  there twice or in part.
 *
 *	  Files are written where they are started: it blocks for as long as the disk
 *	  takes, which the sinks meant for use must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/body.h"
#include "core/encode_json.h"
#include "dbmazz_sink.h"

#define PIECE_SIZE		65536
#define FILE_PATH_SIZE	1536

typedef struct FileDone
{
	struct FileDone *next;
	DbmazzCompletion completion;
} FileDone;

#define MAX_REFUSED		64

typedef struct FileState
{
	char	   *path;
	FileDone   *done;			/* oldest first */
	uint64_t	refused[MAX_REFUSED];	/* there was no memory for */
	int			nrefused;
	char		piece[PIECE_SIZE];
} FileState;

static const DbmazzOptionDef options[] = {
	{
		"path", DBMAZZ_OPTION_STRING, 0, "dbmazz_file", 0, 0,
		"Directory for the files, absolute or relative to the data "
		"directory; it is made if missing."
	}
};

static bool file_check(const DbmazzOption *given, int ngiven,
					   DbmazzError *err);
static void *file_open(const DbmazzOption *given, int ngiven,
					   DbmazzError *err);
static bool file_reconfigure(void *state, const DbmazzOption *given,
							 int ngiven, DbmazzError *err);
static void file_start(void *state, const DbmazzRequest *request);
static int	file_sockets(void *state, DbmazzSinkSocket *sockets, int max,
						 int64_t *timeout_ms);
static int	file_poll(void *state, const DbmazzSinkEvent *events, int nevents,
					  DbmazzCompletion *completions, int max);
static void file_cancel(void *state, uint64_t id);
static void file_close(void *state);
static size_t file_render(void *state, const DbmazzRequest *request,
						  char *out, size_t len);
static size_t file_identity(const DbmazzOption *given, int ngiven, char *out,
							size_t len);
static const char *find_path(const DbmazzOption *given, int ngiven,
							 DbmazzError *err);
static bool append(FileState *sink, const DbmazzRequest *request,
				   uint64_t *bytes, DbmazzError *err);
static bool append_truncation(FileState *sink, const char *target,
							  DbmazzError *err);
static bool finish(int fd, off_t start, bool ok, const char *target,
				   DbmazzError *err);
static int	open_file(FileState *sink, const char *target, off_t *end,
					  DbmazzError *err);
static bool file_name(const FileState *sink, const char *target, char *out);
static bool mend(int fd, off_t *end, char *piece);
static bool write_all(int fd, const char *data, size_t len, off_t offset);
static bool sync_directory(const char *path);
static bool fail(DbmazzError *err, const char *what, const char *name);
static DbmazzSpan delete_tail(void);

static const DbmazzSinkRoutine routine = {
	.abi = DBMAZZ_SINK_ABI,
	.struct_size = sizeof(DbmazzSinkRoutine),
	.name = "file",
	.encodings = DBMAZZ_ENCODING_JSON,
	.capabilities = DBMAZZ_SINK_TRUNCATE,
	.options = options,
	.noptions = sizeof(options) / sizeof(options[0]),
	.check = file_check,
	.open = file_open,
	.reconfigure = file_reconfigure,
	.start = file_start,
	.sockets = file_sockets,
	.poll = file_poll,
	.cancel = file_cancel,
	.close = file_close,
	.render = file_render,
	.identity = file_identity
};

extern __attribute__((visibility("default")))
const DbmazzSinkRoutine *dbmazz_sink_init(void);

const DbmazzSinkRoutine *
dbmazz_sink_init(void)
{
	return &routine;
}

static bool
file_check(const DbmazzOption *given, int ngiven, DbmazzError *err)
{
	return find_path(given, ngiven, err) != NULL;
}

static void *
file_open(const DbmazzOption *given, int ngiven, DbmazzError *err)
{
	const char *path = find_path(given, ngiven, err);
	FileState  *sink;

	if (path == NULL)
		return NULL;
	sink = calloc(1, sizeof(*sink));
	if (sink != NULL)
		sink->path = strdup(path);
	if (sink == NULL || sink->path == NULL)
	{
		free(sink);
		dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
		return NULL;
	}
	return sink;
}

static bool
file_reconfigure(void *state, const DbmazzOption *given, int ngiven,
				 DbmazzError *err)
{
	FileState  *sink = state;
	const char *path = find_path(given, ngiven, err);
	char	   *copy = path != NULL ? strdup(path) : NULL;

	if (copy == NULL)
	{
		if (path != NULL)
			dbmazz_error_set(err, DBMAZZ_ERR_NO_SPACE, 0, "out of memory");
		return false;
	}
	free(sink->path);
	sink->path = copy;
	return true;
}

static void
file_start(void *state, const DbmazzRequest *request)
{
	FileState  *sink = state;
	FileDone  **link = &sink->done;
	FileDone   *done = calloc(1, sizeof(*done));

	if (done == NULL)
	{
		if (sink->nrefused < MAX_REFUSED)
			sink->refused[sink->nrefused++] = request->id;
		return;
	}
	done->completion.id = request->id;
	done->completion.outcome = DBMAZZ_DONE;
	if (request->kind == DBMAZZ_REQUEST_LOAD &&
		!append(sink, request, &done->completion.bytes,
				&done->completion.error))
		done->completion.outcome = DBMAZZ_RETRY;
	if (request->kind == DBMAZZ_REQUEST_TRUNCATE &&
		!append_truncation(sink, request->target, &done->completion.error))
		done->completion.outcome = DBMAZZ_RETRY;

	/* A load that was not reported as done was cut off again. */
	if (request->kind == DBMAZZ_REQUEST_RESOLVE)
		done->completion.outcome = DBMAZZ_RETRY;
	while (*link != NULL)
		link = &(*link)->next;
	*link = done;
}

static int
file_sockets(void *state, DbmazzSinkSocket *sockets, int max,
			 int64_t *timeout_ms)
{
	FileState  *sink = state;

	(void) sockets;
	(void) max;
	*timeout_ms = sink->done != NULL || sink->nrefused > 0 ? 0 : -1;
	return 0;
}

static int
file_poll(void *state, const DbmazzSinkEvent *events, int nevents,
		  DbmazzCompletion *completions, int max)
{
	FileState  *sink = state;
	int			n = 0;

	(void) events;
	(void) nevents;
	while (n < max && sink->nrefused > 0)
	{
		memset(&completions[n], 0, sizeof(completions[n]));
		completions[n].id = sink->refused[--sink->nrefused];
		completions[n].outcome = DBMAZZ_RETRY;
		dbmazz_error_set(&completions[n++].error, DBMAZZ_ERR_NO_SPACE, 0,
						 "out of memory");
	}
	while (sink->done != NULL && n < max)
	{
		FileDone   *done = sink->done;

		completions[n++] = done->completion;
		sink->done = done->next;
		free(done);
	}
	return n;
}

static void
file_cancel(void *state, uint64_t id)
{
	FileState  *sink = state;
	FileDone  **link = &sink->done;

	while (*link != NULL && (*link)->completion.id != id)
		link = &(*link)->next;
	if (*link != NULL)
	{
		FileDone   *done = *link;

		*link = done->next;
		free(done);
	}
}

static void
file_close(void *state)
{
	FileState  *sink = state;

	while (sink->done != NULL)
		file_cancel(sink, sink->done->completion.id);
	free(sink->path);
	free(sink);
}

static size_t
file_render(void *state, const DbmazzRequest *request, char *out, size_t len)
{
	FileState  *sink = state;
	DbmazzBody	body;
	size_t		pos = 0;
	size_t		n;

	dbmazz_body_init(&body, request->batch, DBMAZZ_FRAME_NDJSON,
					 delete_tail());
	while ((n = dbmazz_body_read(&body, sink->piece, PIECE_SIZE)) > 0)
	{
		if (pos < len)
			memcpy(out + pos, sink->piece, n < len - pos ? n : len - pos);
		pos += n;
	}
	if (len > 0)
		out[pos < len ? pos : len - 1] = '\0';
	return pos;
}

static size_t
file_identity(const DbmazzOption *given, int ngiven, char *out, size_t len)
{
	DbmazzError err;
	const char *path = find_path(given, ngiven, &err);

	if (path == NULL)
		path = "";
	if (len > 0)
		(void) snprintf(out, len, "%s", path);
	return strlen(path);
}

/* The path among the options; NULL: err tells. */
static const char *
find_path(const DbmazzOption *given, int ngiven, DbmazzError *err)
{
	const char *path = options[0].default_value;
	int			i;

	dbmazz_error_reset(err);
	for (i = 0; i < ngiven; i++)
	{
		if (strcmp(given[i].name, "path") != 0)
		{
			dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
							 "unknown option \"%s\"", given[i].name);
			dbmazz_error_hint(err, "The only option is path.");
			return NULL;
		}
		if (given[i].value != NULL)
			path = given[i].value;
	}
	if (path[0] == '\0' || strlen(path) > 512)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "option \"path\" is empty or too long");
		return NULL;
	}
	return path;
}

/* All or nothing, as far as a file can. */
static bool
append(FileState *sink, const DbmazzRequest *request, uint64_t *bytes,
	   DbmazzError *err)
{
	DbmazzBody	body;
	off_t		start;
	off_t		pos;
	size_t		n;
	int			fd;
	bool		ok = true;

	dbmazz_error_reset(err);
	fd = open_file(sink, request->target, &start, err);
	if (fd < 0)
		return false;
	dbmazz_body_init(&body, request->batch, DBMAZZ_FRAME_NDJSON,
					 delete_tail());
	pos = start;
	while (ok && (n = dbmazz_body_read(&body, sink->piece, PIECE_SIZE)) > 0)
	{
		ok = write_all(fd, sink->piece, n, pos);
		pos += (off_t) n;
	}
	*bytes = (uint64_t) (pos - start);
	return finish(fd, start, ok, request->target, err);
}

static bool
append_truncation(FileState *sink, const char *target, DbmazzError *err)
{
	static const char head[] = "{\"truncate\":\"";
	static const char tail[] = "\"}\n";
	size_t		len = strlen(target);
	off_t		start;
	size_t		n = sizeof(head) - 1;
	int			fd;

	dbmazz_error_reset(err);
	fd = open_file(sink, target, &start, err);
	if (fd < 0)
		return false;

	/* A name that is too long for a file has been refused: this fits. */
	memcpy(sink->piece, head, n);
	n += dbmazz_json_escape(sink->piece + n, target, len);
	memcpy(sink->piece + n, tail, sizeof(tail) - 1);
	n += sizeof(tail) - 1;
	return finish(fd, start, write_all(fd, sink->piece, n, start), target, err);
}

/* Make what was written durable, or cut it off again. */
static bool
finish(int fd, off_t start, bool ok, const char *target, DbmazzError *err)
{
	if (!ok || fsync(fd) != 0)
	{
		(void) fail(err, "write", target);
		if (ftruncate(fd, start) != 0)
			dbmazz_error_detail(err, "The file could not be cut back either.");
		ok = false;
	}
	(void) close(fd);
	return ok;
}

static int
open_file(FileState *sink, const char *target, off_t *end, DbmazzError *err)
{
	char		name[FILE_PATH_SIZE];
	bool		is_new;
	int			fd;

	if (!file_name(sink, target, name))
	{
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
						 "name of target \"%s\" is too long for a file",
						 target);
		return -1;
	}
	if (mkdir(sink->path, 0700) == 0)
		(void) sync_directory(".");
	else if (errno != EEXIST)
	{
		(void) fail(err, "make directory", sink->path);
		return -1;
	}
	is_new = access(name, F_OK) != 0;
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && mend(fd, end, sink->piece) &&
		(!is_new || sync_directory(sink->path)))
		return fd;
	(void) fail(err, "open", name);
	if (fd >= 0)
		(void) close(fd);
	return -1;
}

/* <path>/<target>.ndjson, with what a file name cannot have encoded. */
static bool
file_name(const FileState *sink, const char *target, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t		len = strlen(sink->path);
	size_t		start = len + 1;
	const char *p;

	memcpy(out, sink->path, len);
	out[len++] = '/';
	for (p = target; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		/* The longest name of a file is 255 bytes. */
		if (len - start + 3 + sizeof(".ndjson") > 255 ||
			len + 3 + sizeof(".ndjson") > FILE_PATH_SIZE)
			return false;

		/* A leading dot would make it hidden, or even another directory. */
		if (c <= ' ' || c == '/' || c == '%' || c == 0x7f ||
			(c == '.' && p == target))
		{
			out[len++] = '%';
			out[len++] = hex[c >> 4];
			out[len++] = hex[c & 15];
		}
		else
			out[len++] = (char) c;
	}
	strcpy(out + len, ".ndjson");
	return true;
}

/* Cut a torn line off the end, which a crash has left. */
static bool
mend(int fd, off_t *end, char *piece)
{
	off_t		size = lseek(fd, 0, SEEK_END);
	off_t		keep = size;

	if (size < 0)
		return false;
	while (keep > 0)
	{
		off_t		from = keep > PIECE_SIZE ? keep - PIECE_SIZE : 0;
		ssize_t		len = pread(fd, piece, (size_t) (keep - from), from);
		const char *last;

		if (len != keep - from)
			return false;
		last = memrchr(piece, '\n', (size_t) len);
		if (last != NULL)
		{
			keep = from + (last - piece) + 1;
			break;
		}
		keep = from;
	}
	*end = keep;
	return keep == size || ftruncate(fd, keep) == 0;
}

static bool
write_all(int fd, const char *data, size_t len, off_t offset)
{
	while (len > 0)
	{
		ssize_t		n = pwrite(fd, data, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
		{
			if (n == 0)
				errno = ENOSPC;
			return false;
		}
		data += n;
		len -= (size_t) n;
		offset += n;
	}
	return true;
}

static bool
sync_directory(const char *path)
{
	int			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool		ok;

	if (fd < 0)
		return false;
	ok = fsync(fd) == 0;
	(void) close(fd);
	return ok;
}

static bool
fail(DbmazzError *err, const char *what, const char *name)
{
	int			number = errno;
	char		text[128];

	/* The GNU strerror_r() may return another string than its buffer. */
	dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0, "could not %s \"%s\": %s",
					 what, name, strerror_r(number, text, sizeof(text)));
	return false;
}

static DbmazzSpan
delete_tail(void)
{
	static const char tail[] = ",\"__op\":1}";
	DbmazzSpan	span;

	span.data = tail;
	span.len = sizeof(tail) - 1;
	return span;
}
