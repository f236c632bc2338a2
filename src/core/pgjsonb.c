/*
 * pgjsonb.c
 *		Text of the server's jsonb, as its output function writes it.
 *
 * NOTES
 *	  A container is a header, an entry for each child, and behind them what the
 *	  children hold.  An object has all its keys first, then all its values.  An
 *	  entry has the length of its child, or where that ends; so children are
 *	  walked in order.
 */
#include "core/pgjsonb.h"

#include <stdbool.h>

#include "core/encode_json.h"
#include "core/json_value.h"
#include "core/pgtext.h"

/* Deeper ones are the server's: what is on our stack has a bound. */
#define MAX_DEPTH			64

#define COUNT_MASK			0x0FFFFFFF
#define IS_SCALAR			0x10000000
#define IS_OBJECT			0x20000000
#define IS_ARRAY			0x40000000

#define LENGTH_MASK			0x0FFFFFFF
#define KIND_MASK			0x70000000
#define HAS_END				0x80000000	/* where it ends, not its length */
#define KIND_STRING			0x00000000
#define KIND_NUMERIC		0x10000000
#define KIND_FALSE			0x20000000
#define KIND_TRUE			0x30000000
#define KIND_NULL			0x40000000
#define KIND_CONTAINER		0x50000000

/* Longer than any of: true, false, null, a separator, a bracket. */
#define SMALL				8

/* The header of a varlena with a numeric: its length, or that in one byte. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define IS_SHORT(byte)		(((byte) & 0x80) != 0)
#else
#define IS_SHORT(byte)		(((byte) & 0x01) != 0)
#endif

typedef struct Out
{
	char	   *pos;
	char	   *end;
} Out;

/* The children of a container, one after the other. */
typedef struct Children
{
	const char *entries;
	const char *base;			/* what the children hold */
	size_t		size;			/* of that */
	size_t		next;			/* where the next one begins */
} Children;

typedef struct Child
{
	uint32_t	kind;
	const char *data;			/* behind what aligns it */
	size_t		len;
} Child;

static DbmazzJsonbResult put_container(Out *out, const char *data, size_t len,
									   unsigned depth);

static inline bool
has_room(const Out *out, size_t n)
{
	return (size_t) (out->end - out->pos) >= n;
}

/* What has one length, which the compiler knows; SMALL bytes have room. */
#define PUT(out, text) \
	do \
	{ \
		memcpy((out)->pos, text, sizeof(text) - 1); \
		(out)->pos += sizeof(text) - 1; \
	} while (0)

/* false: it is not inside of its container */
static inline bool
next_child(Children *children, Child *child)
{
	uint32_t	entry = dbmazz_load32(children->entries);
	size_t		start = children->next;
	size_t		end = entry & LENGTH_MASK;

	children->entries += sizeof(uint32_t);
	if ((entry & HAS_END) == 0)
		end += start;
	if (end < start || end > children->size)
		return false;
	children->next = end;
	child->kind = entry & KIND_MASK;
	if (child->kind == KIND_NUMERIC || child->kind == KIND_CONTAINER)
	{
		start = (start + 3) & ~(size_t) 3;
		if (start > end)
			return false;
	}
	child->data = children->base + start;
	child->len = end - start;
	return true;
}

static inline DbmazzJsonbResult
put_string(Out *out, const Child *child)
{
	size_t		n = child->len;

	if (has_room(out, DBMAZZ_JSON_ROOM(n)))
	{
		out->pos = dbmazz_put_string(out->pos, child->data, n);
		return DBMAZZ_JSONB_WRITTEN;
	}
	/* so much room is seldom needed */
	if (!has_room(out, n + 2) || dbmazz_json_scan(child->data, n) != n)
		return DBMAZZ_JSONB_NO_ROOM;
	*out->pos++ = '"';
	memcpy(out->pos, child->data, n);
	out->pos += n;
	*out->pos++ = '"';
	return DBMAZZ_JSONB_WRITTEN;
}

static inline DbmazzJsonbResult
put_numeric(Out *out, const Child *child)
{
	size_t		room = (size_t) (out->end - out->pos);
	size_t		header;
	size_t		n;

	if (child->len < 1)
		return DBMAZZ_JSONB_REFUSED;
	header = IS_SHORT(child->data[0]) ? 1 : 4;
	if (child->len < header)
		return DBMAZZ_JSONB_REFUSED;
	n = dbmazz_pgtext_numeric(out->pos, room, child->data + header,
							  child->len - header);
	if (n == 0)
		return DBMAZZ_JSONB_REFUSED;
	if (n > room)
		return DBMAZZ_JSONB_NO_ROOM;
	out->pos += n;
	return DBMAZZ_JSONB_WRITTEN;
}

static inline DbmazzJsonbResult
put_child(Out *out, const Child *child, unsigned depth)
{
	if (child->kind == KIND_STRING)
		return put_string(out, child);
	if (child->kind == KIND_NUMERIC)
		return put_numeric(out, child);
	if (child->kind == KIND_CONTAINER)
		return put_container(out, child->data, child->len, depth + 1);
	if (!has_room(out, SMALL))
		return DBMAZZ_JSONB_NO_ROOM;
	if (child->kind == KIND_TRUE)
		PUT(out, "true");
	else if (child->kind == KIND_FALSE)
		PUT(out, "false");
	else if (child->kind == KIND_NULL)
		PUT(out, "null");
	else
		return DBMAZZ_JSONB_REFUSED;
	return DBMAZZ_JSONB_WRITTEN;
}

static DbmazzJsonbResult
put_array(Out *out, Children *elements, size_t n, unsigned depth)
{
	DbmazzJsonbResult result = DBMAZZ_JSONB_WRITTEN;
	Child		child;

	for (size_t i = 0; i < n && result == DBMAZZ_JSONB_WRITTEN; i++)
	{
		if (!has_room(out, SMALL))
			return DBMAZZ_JSONB_NO_ROOM;
		if (i > 0)
			PUT(out, ", ");
		if (!next_child(elements, &child))
			return DBMAZZ_JSONB_REFUSED;
		result = put_child(out, &child, depth);
	}
	return result;
}

static DbmazzJsonbResult
put_object(Out *out, Children *keys, size_t n, unsigned depth)
{
	Children	values = *keys;
	DbmazzJsonbResult result = DBMAZZ_JSONB_WRITTEN;
	Child		child;

	/* where the first value begins is known when the last key was seen */
	for (size_t i = 0; i < n; i++)
	{
		if (!next_child(&values, &child) || child.kind != KIND_STRING)
			return DBMAZZ_JSONB_REFUSED;
	}
	for (size_t i = 0; i < n && result == DBMAZZ_JSONB_WRITTEN; i++)
	{
		if (!has_room(out, SMALL))
			return DBMAZZ_JSONB_NO_ROOM;
		if (i > 0)
			PUT(out, ", ");
		(void) next_child(keys, &child);
		result = put_string(out, &child);
		if (result != DBMAZZ_JSONB_WRITTEN)
			break;
		if (!has_room(out, SMALL))
			return DBMAZZ_JSONB_NO_ROOM;
		PUT(out, ": ");
		if (!next_child(&values, &child))
			return DBMAZZ_JSONB_REFUSED;
		result = put_child(out, &child, depth);
	}
	return result;
}

static DbmazzJsonbResult
put_container(Out *out, const char *data, size_t len, unsigned depth)
{
	Children	children;
	uint32_t	header;
	size_t		n;
	bool		is_object;
	bool		is_bare;
	DbmazzJsonbResult result;

	if (depth > MAX_DEPTH || len < sizeof(header))
		return DBMAZZ_JSONB_REFUSED;
	header = dbmazz_load32(data);
	n = header & COUNT_MASK;
	is_object = (header & IS_OBJECT) != 0;
	is_bare = (header & IS_SCALAR) != 0;	/* no document, but a value */
	if (is_object == ((header & IS_ARRAY) != 0) ||
		(is_bare && (is_object || n != 1 || depth > 0)))
		return DBMAZZ_JSONB_REFUSED;
	len -= sizeof(header);
	children.size = n * (is_object ? 2 : 1) * sizeof(uint32_t);
	if (children.size > len)
		return DBMAZZ_JSONB_REFUSED;
	children.entries = data + sizeof(header);
	children.base = children.entries + children.size;
	children.size = len - children.size;
	children.next = 0;
	if (is_bare)
		return put_array(out, &children, n, depth);
	if (!has_room(out, SMALL))
		return DBMAZZ_JSONB_NO_ROOM;
	*out->pos++ = is_object ? '{' : '[';
	result = is_object ? put_object(out, &children, n, depth) :
		put_array(out, &children, n, depth);
	if (result != DBMAZZ_JSONB_WRITTEN)
		return result;
	if (!has_room(out, SMALL))
		return DBMAZZ_JSONB_NO_ROOM;
	*out->pos++ = is_object ? '}' : ']';
	return DBMAZZ_JSONB_WRITTEN;
}

DbmazzJsonbResult
dbmazz_pgtext_jsonb(char *out, size_t room, const void *data, size_t len,
					size_t *written)
{
	Out			to = {out, out + room};
	DbmazzJsonbResult result = put_container(&to, data, len, 0);

	*written = (size_t) (to.pos - out);
	return result;
}
