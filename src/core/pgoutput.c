/*
 * pgoutput.c
 *		Parser of pgoutput messages.
 *
 * NOTES
 *	  Every read is preceded by a comparison with what is left of the message.
 *	  Functions that read return where they stopped, or NULL after they have
 *	  filled parser->error; so each step is one check.
 */
#include "core/pgoutput.h"

#include <stdbool.h>

/* The message being read. */
typedef struct Input
{
	DbmazzParser *parser;
	const char *start;
	const char *end;
} Input;

static void report(const Input *in, DbmazzStatus status, const char *pos,
				   const char *what) __attribute__((cold, noinline));

static void
report(const Input *in, DbmazzStatus status, const char *pos, const char *what)
{
	size_t		offset = (size_t) (pos - in->start);

	dbmazz_error_set(&in->parser->error, status, (uint32_t) offset,
					 status == DBMAZZ_ERR_TRUNCATED ?
					 "message ends inside %s" : "%s", what);
}

/* Inline, so that the compiler sees that the result is NULL. */
static inline const char *
fail(const Input *in, DbmazzStatus status, const char *pos, const char *what)
{
	report(in, status, pos, what);
	return NULL;
}

static inline bool
has(const Input *in, const char *pos, size_t n)
{
	return (size_t) (in->end - pos) >= n;
}

static const char *
read_string(const Input *in, const char *pos, const char **out,
			const char *what)
{
	const char *zero = memchr(pos, '\0', (size_t) (in->end - pos));

	if (zero == NULL)
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, what);
	*out = pos;
	return zero + 1;
}

/* ---- changes ---------------------------------------------------------- */

static const char *
read_tuple(const Input *in, const char *pos, DbmazzTuple *tuple)
{
	const char *end = in->end;
	DbmazzValue *value = tuple->values;
	DbmazzValue *last;
	uint32_t	ncolumns;

	if (!has(in, pos, 2))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a tuple");
	ncolumns = dbmazz_get_u16(pos);
	if (ncolumns > DBMAZZ_MAX_COLUMNS)
		return fail(in, DBMAZZ_ERR_LIMIT, pos, "tuple has too many columns");
	tuple->ncolumns = (uint16_t) ncolumns;
	pos += 2;

	for (last = value + ncolumns; value < last; value++)
	{
		char		kind;

		if (__builtin_expect(pos == end, 0))
			return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a tuple");
		kind = *pos;
		value->kind = kind;
		if (__builtin_expect(kind == DBMAZZ_VALUE_TEXT ||
							 kind == DBMAZZ_VALUE_BINARY, 1))
		{
			uint32_t	len;

			if (__builtin_expect(end - pos < 5, 0))
				return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a value's length");
			len = dbmazz_get_u32(pos + 1);
			pos += 5;
			if (__builtin_expect((size_t) (end - pos) < len, 0))
				return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a value");
			value->data = pos;
			value->len = len;
			pos += len;
		}
		else if (kind == DBMAZZ_VALUE_NULL || kind == DBMAZZ_VALUE_UNCHANGED)
		{
			value->data = NULL;
			value->len = 0;
			pos++;
		}
		else
			return fail(in, DBMAZZ_ERR_MALFORMED, pos,
						"unknown kind of value in a tuple");
	}
	return pos;
}

/*
 * The relation and the byte behind it, which tells what tuple follows.  Leaves
 * the position behind that byte.
 */
static inline const char *
read_change(const Input *in, const char *pos, char *what)
{
	DbmazzMessage *message = &in->parser->message;

	if (!has(in, pos, 5))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a change");
	message->u.change.relid = dbmazz_get_u32(pos);
	message->u.change.old_kind = 0;
	*what = pos[4];
	return pos + 5;
}

static const char *
read_new(const Input *in, const char *pos, char what)
{
	if (what != 'N')
		return fail(in, DBMAZZ_ERR_MALFORMED, pos - 1,
					"new tuple expected in a change");
	return read_tuple(in, pos, &in->parser->new_tuple);
}

static const char *
read_old(const Input *in, const char *pos, char what)
{
	if (what != 'K' && what != 'O')
		return fail(in, DBMAZZ_ERR_MALFORMED, pos - 1,
					"old tuple expected in a change");
	in->parser->message.u.change.old_kind = what;
	return read_tuple(in, pos, &in->parser->old_tuple);
}

static const char *
read_insert(const Input *in, const char *pos)
{
	char		what;

	pos = read_change(in, pos, &what);
	return pos == NULL ? NULL : read_new(in, pos, what);
}

static const char *
read_update(const Input *in, const char *pos)
{
	char		what;

	pos = read_change(in, pos, &what);
	if (pos == NULL || what == 'N')
		return pos == NULL ? NULL : read_new(in, pos, what);

	pos = read_old(in, pos, what);
	if (pos == NULL)
		return NULL;
	if (!has(in, pos, 1))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a change");
	return read_new(in, pos + 1, *pos);
}

static const char *
read_delete(const Input *in, const char *pos)
{
	char		what;

	pos = read_change(in, pos, &what);
	return pos == NULL ? NULL : read_old(in, pos, what);
}

static const char *
read_truncate(const Input *in, const char *pos)
{
	DbmazzMessage *message = &in->parser->message;
	uint32_t	nrelids;

	if (!has(in, pos, 5))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a truncate message");
	nrelids = dbmazz_get_u32(pos);
	message->u.truncate.nrelids = nrelids;
	message->u.truncate.options = (uint8_t) pos[4];
	pos += 5;
	if ((size_t) (in->end - pos) / 4 < nrelids)
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a truncate message");
	message->u.truncate.relids = pos;
	return pos + 4 * (size_t) nrelids;
}

/* ---- everything else -------------------------------------------------- */

static const char *
read_begin(const Input *in, const char *pos)
{
	DbmazzMessage *message = &in->parser->message;

	if (!has(in, pos, 20))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a begin message");
	message->u.begin.final_lsn = dbmazz_get_u64(pos);
	message->u.begin.commit_time = (int64_t) dbmazz_get_u64(pos + 8);
	message->u.begin.xid = dbmazz_get_u32(pos + 16);
	return pos + 20;
}

static const char *
read_commit(const Input *in, const char *pos)
{
	DbmazzMessage *message = &in->parser->message;

	if (!has(in, pos, 25))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a commit message");
	if (*pos != 0)
		return fail(in, DBMAZZ_ERR_MALFORMED, pos,
					"unknown flags in a commit message");
	message->u.commit.commit_lsn = dbmazz_get_u64(pos + 1);
	message->u.commit.end_lsn = dbmazz_get_u64(pos + 9);
	message->u.commit.commit_time = (int64_t) dbmazz_get_u64(pos + 17);
	return pos + 25;
}

static const char *
read_origin(const Input *in, const char *pos)
{
	DbmazzMessage *message = &in->parser->message;

	if (!has(in, pos, 8))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "an origin message");
	message->u.origin.lsn = dbmazz_get_u64(pos);
	return read_string(in, pos + 8, &message->u.origin.name,
					   "an origin's name");
}

static const char *
read_column(const Input *in, const char *pos, DbmazzRelationColumn *column)
{
	if (!has(in, pos, 1))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a column");
	column->flags = (uint8_t) *pos;
	pos = read_string(in, pos + 1, &column->name, "a column's name");
	if (pos == NULL)
		return NULL;
	if (!has(in, pos, 8))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a column");
	column->typid = dbmazz_get_u32(pos);
	column->typmod = (int32_t) dbmazz_get_u32(pos + 4);
	return pos + 8;
}

static const char *
read_relation(const Input *in, const char *pos)
{
	DbmazzParser *parser = in->parser;
	DbmazzMessage *message = &parser->message;
	uint32_t	ncolumns;
	uint32_t	i;

	if (!has(in, pos, 4))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a relation message");
	message->u.relation.relid = dbmazz_get_u32(pos);
	pos = read_string(in, pos + 4, &message->u.relation.schema,
					  "a schema's name");
	if (pos == NULL)
		return NULL;
	pos = read_string(in, pos, &message->u.relation.table, "a table's name");
	if (pos == NULL)
		return NULL;
	if (!has(in, pos, 3))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a relation message");
	if (*pos == '\0' || strchr("dnfi", *pos) == NULL)
		return fail(in, DBMAZZ_ERR_MALFORMED, pos,
					"unknown replica identity in a relation message");
	message->u.relation.replica_identity = *pos;

	ncolumns = dbmazz_get_u16(pos + 1);
	if (ncolumns > DBMAZZ_MAX_COLUMNS)
		return fail(in, DBMAZZ_ERR_LIMIT, pos + 1,
					"relation has too many columns");
	message->u.relation.ncolumns = (uint16_t) ncolumns;
	pos += 3;
	for (i = 0; i < ncolumns && pos != NULL; i++)
		pos = read_column(in, pos, &parser->columns[i]);
	return pos;
}

static const char *
read_type(const Input *in, const char *pos)
{
	DbmazzMessage *message = &in->parser->message;

	if (!has(in, pos, 4))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a type message");
	message->u.type.typid = dbmazz_get_u32(pos);
	pos = read_string(in, pos + 4, &message->u.type.schema,
					  "a schema's name");
	if (pos == NULL)
		return NULL;
	return read_string(in, pos, &message->u.type.name, "a type's name");
}

static const char *
read_logical_message(const Input *in, const char *pos)
{
	DbmazzMessage *message = &in->parser->message;
	uint32_t	len;

	if (!has(in, pos, 9))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a logical message");
	message->u.message.flags = (uint8_t) *pos;
	message->u.message.lsn = dbmazz_get_u64(pos + 1);
	pos = read_string(in, pos + 9, &message->u.message.prefix,
					  "a logical message's prefix");
	if (pos == NULL)
		return NULL;
	if (!has(in, pos, 4))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a logical message");
	len = dbmazz_get_u32(pos);
	pos += 4;
	if (!has(in, pos, len))
		return fail(in, DBMAZZ_ERR_TRUNCATED, pos, "a logical message");
	message->u.message.content.data = pos;
	message->u.message.content.len = len;
	return pos + len;
}

/* A kind that has no parser here. */
static const char *
refuse(const Input *in, char kind)
{
	if (kind != '\0' && strchr("SEcAbPKrp", kind) != NULL)
		return fail(in, DBMAZZ_ERR_UNSUPPORTED, in->start,
					"message of the streaming or two-phase protocol");
	return fail(in, DBMAZZ_ERR_MALFORMED, in->start,
				"unknown kind of message");
}

static const char *
read_message(const Input *in, const char *pos, char kind)
{
	switch (kind)
	{
		case 'I':
			return read_insert(in, pos);
		case 'U':
			return read_update(in, pos);
		case 'D':
			return read_delete(in, pos);
		case 'B':
			return read_begin(in, pos);
		case 'C':
			return read_commit(in, pos);
		case 'R':
			return read_relation(in, pos);
		case 'Y':
			return read_type(in, pos);
		case 'O':
			return read_origin(in, pos);
		case 'T':
			return read_truncate(in, pos);
		case 'M':
			return read_logical_message(in, pos);
		default:
			return refuse(in, kind);
	}
}

DbmazzStatus
dbmazz_pgoutput_parse(DbmazzParser *parser, const char *data, size_t len)
{
	Input		in;
	const char *pos;

	in.parser = parser;
	in.start = data;
	in.end = data + len;
	if (len == 0)
	{
		fail(&in, DBMAZZ_ERR_TRUNCATED, data, "its first byte");
		return parser->error.status;
	}
	parser->message.kind = *data;
	pos = read_message(&in, data + 1, *data);
	if (pos == in.end)
		return DBMAZZ_OK;
	if (pos != NULL)
		fail(&in, DBMAZZ_ERR_MALFORMED, pos, "bytes behind the message's end");
	return parser->error.status;
}
