/*
 * test_pgjsonb.c
 *		Tests of the text of jsonb.
 *
 * NOTES
 *	  Documents are made at random, stored as the server stores them, and written
 *	  the plain way.  That the server writes them so too is what dbmazz.fast_path =
 *	  verify looks at.
 */
#include "core/pgjsonb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/json_value.h"
#include "helpers.h"

#define IS_SCALAR		0x10000000u
#define IS_OBJECT		0x20000000u
#define IS_ARRAY		0x40000000u
#define HAS_END			0x80000000u
#define STRING			0x00000000u
#define NUMERIC			0x10000000u
#define FALSE			0x20000000u
#define TRUE			0x30000000u
#define NOTHING			0x40000000u
#define CONTAINER		0x50000000u
#define STRIDE			32		/* each of so many entries has an end */

/* ---- a document in both forms ------------------------------------------ */

typedef struct Document
{
	Buffer		stored;
	Buffer		text;
	uint64_t	state;
} Document;

static void
set_u32(Buffer *buffer, size_t at, uint32_t v)
{
	memcpy(buffer->data + at, &v, sizeof(v));
}

static void
align(Buffer *buffer)
{
	while (buffer->len % 4 != 0)
		put_byte(buffer, 0);
}

static uint32_t
add_string(Document *d, size_t len)
{
	put_byte(&d->text, '"');
	for (size_t i = 0; i < len; i++)
	{
		char		c = (char) ('a' + random_below(&d->state, 26));

		if (random_below(&d->state, 40) == 0)
			c = "\"\\\n\t\x1f\x01\x7f\xc3"[random_below(&d->state, 8)];
		put_byte(&d->stored, c);
		if (c == '"' || c == '\\')
			put_printf(&d->text, "\\%c", c);
		else if (c == '\n' || c == '\t')
			put_printf(&d->text, "\\%c", c == '\n' ? 'n' : 't');
		else if ((unsigned char) c < 0x20)
			put_printf(&d->text, "\\u%04x", c);
		else
			put_byte(&d->text, c);
	}
	put_byte(&d->text, '"');
	return STRING;
}

static uint32_t
add_numeric(Document *d)
{
	uint16_t	value = (uint16_t) (1 + random_below(&d->state, 9999));
	uint16_t	head = 0x8000;
	uint32_t	varlena = 8;
	bool		is_short = random_below(&d->state, 4) == 0;

	align(&d->stored);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	varlena <<= 2;
#endif
	if (is_short)
		put_byte(&d->stored, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ?
				 5 << 1 | 1 : (char) (5 | 0x80));
	else
		put_bytes(&d->stored, &varlena, sizeof(varlena));
	put_bytes(&d->stored, &head, sizeof(head));
	put_bytes(&d->stored, &value, sizeof(value));
	put_printf(&d->text, "%u", value);
	return NUMERIC;
}

static void add_container(Document *d, bool is_object, uint32_t n, int depth);

static uint32_t
add_value(Document *d, int depth)
{
	uint32_t	which = random_below(&d->state, depth > 0 ? 8 : 5);

	switch (which)
	{
		case 0:
			return add_string(d, random_below(&d->state, 50));
		case 1:
			return add_numeric(d);
		case 2:
			put_printf(&d->text, "true");
			return TRUE;
		case 3:
			put_printf(&d->text, "false");
			return FALSE;
		case 4:
			put_printf(&d->text, "null");
			return NOTHING;
		default:
			align(&d->stored);
			add_container(d, which == 5, random_below(&d->state, 5), depth - 1);
			return CONTAINER;
	}
}

/* The text of an object's value follows its key; stored are all keys first. */
static void
add_container(Document *d, bool is_object, uint32_t n, int depth)
{
	size_t		entries = d->stored.len + 4;
	uint32_t	nchildren = is_object ? 2 * n : n;
	size_t		base = entries + 4 * nchildren;
	Buffer		keys[100] = {{0}};
	uint32_t	i;

	put_bytes(&d->stored, &(uint32_t) {n | (is_object ? IS_OBJECT : IS_ARRAY)}, 4);
	for (i = 0; i < nchildren; i++)
		put_bytes(&d->stored, "????", 4);
	for (i = 0; i < nchildren; i++)
	{
		size_t		before = d->stored.len;
		size_t		text_before = d->text.len;
		bool		is_key = is_object && i < n;
		uint32_t	entry;

		if (!is_key)
		{
			put_printf(&d->text, "%s", i % n == 0 ? is_object ? "{" : "[" : ", ");
			if (is_object)
			{
				put_bytes(&d->text, keys[i - n].data, keys[i - n].len);
				put_printf(&d->text, ": ");
			}
		}
		entry = is_key ? add_string(d, 1 + random_below(&d->state, 9)) :
			add_value(d, depth);
		if (is_key)
		{
			put_bytes(&keys[i], d->text.data + text_before,
					  d->text.len - text_before);
			d->text.len = text_before;
		}
		if (i % STRIDE == 0)
			entry |= HAS_END | (uint32_t) (d->stored.len - base);
		else
			entry |= (uint32_t) (d->stored.len - before);
		set_u32(&d->stored, entries + 4 * i, entry);
	}
	if (n == 0)
		put_printf(&d->text, is_object ? "{" : "[");
	put_printf(&d->text, is_object ? "}" : "]");
	for (i = 0; i < 100; i++)
		buffer_free(&keys[i]);
}

static void
free_document(Document *d)
{
	buffer_free(&d->stored);
	buffer_free(&d->text);
}

/* ---- tests -------------------------------------------------------------- */

/* From and into pieces of memory of just their size. */
static DbmazzJsonbResult
write_exactly(const char *stored, size_t len, size_t room, const Buffer *expected)
{
	char	   *in = must_alloc(len);
	char	   *out = must_alloc(room);
	size_t		written;
	DbmazzJsonbResult result;

	memcpy(in, stored, len);
	result = dbmazz_pgtext_jsonb(out, room, in, len, &written);
	if (result == DBMAZZ_JSONB_WRITTEN && expected != NULL)
		CHECK_BYTES(out, written, expected->data, expected->len);
	free(in);
	free(out);
	return result;
}

static void
check_document(Document *d)
{
	size_t		enough = 6 * d->text.len + 100;
	size_t		room;
	bool		had_room = false;

	CHECK_INT(write_exactly(d->stored.data, d->stored.len, enough, &d->text),
			  DBMAZZ_JSONB_WRITTEN);
	for (room = 0; room <= enough; room += 1 + room / 8)
	{
		DbmazzJsonbResult result = write_exactly(d->stored.data, d->stored.len,
												 room, &d->text);

		CHECK(result == DBMAZZ_JSONB_WRITTEN || result == DBMAZZ_JSONB_NO_ROOM);
		CHECK(!had_room || result == DBMAZZ_JSONB_WRITTEN);
		had_room = result == DBMAZZ_JSONB_WRITTEN;
	}
}

static void
random_documents(void)
{
	for (uint64_t i = 0; i < 500; i++)
	{
		Document	d = {.state = i * 2654435761u + 1};
		uint32_t	n = random_below(&d.state, i % 10 == 0 ? 100 : 6);

		add_container(&d, random_below(&d.state, 2) == 0, n, 4);
		check_document(&d);
		free_document(&d);
	}
}

/* A value that is no document is stored as the only element of an array. */
static void
bare_values(void)
{
	for (uint64_t i = 0; i < 100; i++)
	{
		Document	d = {.state = i * 2654435761u + 1};

		add_container(&d, false, 1, 0);
		set_u32(&d.stored, 0, IS_SCALAR | IS_ARRAY | 1);
		memmove(d.text.data, d.text.data + 1, d.text.len - 2);
		d.text.len -= 2;
		check_document(&d);
		free_document(&d);
	}
}

/* Arrays in arrays, of which the innermost is empty. */
static DbmazzJsonbResult
write_nested(uint32_t depth)
{
	Buffer		stored = {0};
	Buffer		text = {0};
	DbmazzJsonbResult result;
	uint32_t	i;

	for (i = 1; i < depth; i++)
	{
		put_bytes(&stored, &(uint32_t) {IS_ARRAY | 1}, 4);
		put_bytes(&stored, &(uint32_t) {CONTAINER | (8 * (depth - i) - 4)}, 4);
		put_byte(&text, '[');
	}
	put_bytes(&stored, &(uint32_t) {IS_ARRAY}, 4);
	put_byte(&text, '[');
	for (i = 0; i < depth; i++)
		put_byte(&text, ']');
	result = write_exactly(stored.data, stored.len, 3 * depth + 8, &text);
	buffer_free(&stored);
	buffer_free(&text);
	return result;
}

static void
deep_documents(void)
{
	CHECK_INT(write_nested(1), DBMAZZ_JSONB_WRITTEN);
	CHECK_INT(write_nested(65), DBMAZZ_JSONB_WRITTEN);
	CHECK_INT(write_nested(66), DBMAZZ_JSONB_REFUSED);
	CHECK_INT(write_nested(100000), DBMAZZ_JSONB_REFUSED);
}

/* Nothing outside is read, and nothing written that has no room. */
static void
damaged_documents(void)
{
	uint64_t	state = 31;
	int			nrefused = 0;

	for (uint64_t i = 0; i < 3000; i++)
	{
		Document	d = {.state = i * 40503u + 1};
		size_t		len;
		uint32_t	nhits = 1 + random_below(&state, 4);

		add_container(&d, true, 1 + random_below(&d.state, 5), 3);
		len = i % 2 == 0 ? d.stored.len : random_below(&state, (uint32_t) d.stored.len);
		while (i % 3 > 0 && nhits-- > 0)
			d.stored.data[random_below(&state, (uint32_t) d.stored.len)] ^=
				(char) (1 << random_below(&state, 8));
		nrefused += write_exactly(d.stored.data, len, 300, NULL) ==
			DBMAZZ_JSONB_REFUSED;
		free_document(&d);
	}
	CHECK(nrefused > 1000);
	CHECK_INT(write_exactly("", 0, 10, NULL), DBMAZZ_JSONB_REFUSED);
}

void
test_pgjsonb(void)
{
	RUN(random_documents);
	RUN(bare_values);
	RUN(deep_documents);
	RUN(damaged_documents);
}
