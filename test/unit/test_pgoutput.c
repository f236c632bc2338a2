/*
 * test_pgoutput.c
 *		Tests of the parser, with messages made by hand.
 */
#include "core/pgoutput.h"

#include <stdlib.h>

#include "check.h"
#include "helpers.h"

static DbmazzParser parser;

/* The copy that the last parse() read from, and its results point into. */
static char *copy;

static DbmazzStatus
parse(const Buffer *message)
{
	free(copy);
	memset(&parser, 0xA5, sizeof(parser));
	return parse_copy(&parser, message->data, message->len, &copy);
}

static void
done(Buffer *message)
{
	buffer_free(message);
	free(copy);
	copy = NULL;
}

/*
 * Every part of a good message is refused as truncated, and the message with
 * one byte more as malformed.
 */
static void
check_borders(const Buffer *message)
{
	Buffer		part = *message;
	Buffer		longer = {0};

	for (part.len = 0; part.len < message->len; part.len++)
	{
		CHECK_INT(parse(&part), DBMAZZ_ERR_TRUNCATED);
		CHECK_INT(parser.error.status, DBMAZZ_ERR_TRUNCATED);
		CHECK(parser.error.offset <= part.len);
		CHECK(parser.error.message[0] != '\0');
	}
	put_bytes(&longer, message->data, message->len);
	put_byte(&longer, 'x');
	CHECK_INT(parse(&longer), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(parser.error.offset, message->len);
	buffer_free(&longer);
	CHECK_INT(parse(message), DBMAZZ_OK);
}

static void
check_value(const DbmazzTuple *tuple, int i, const char *expected)
{
	const DbmazzValue *value = &tuple->values[i];

	if (expected == NULL)
		CHECK_INT(value->kind, DBMAZZ_VALUE_NULL);
	else if (expected == UNCHANGED)
		CHECK_INT(value->kind, DBMAZZ_VALUE_UNCHANGED);
	else
	{
		CHECK_INT(value->kind, DBMAZZ_VALUE_TEXT);
		CHECK_TEXT(value->data, value->len, expected);
		return;
	}
	CHECK(value->data == NULL);
	CHECK_INT(value->len, 0);
}

static void
check_tuple(const DbmazzTuple *tuple, const char *const *expected, int n)
{
	int			i;

	CHECK_INT(tuple->ncolumns, n);
	for (i = 0; i < n; i++)
		check_value(tuple, i, expected[i]);
}

static void
begin_message(void)
{
	Buffer		m = {0};

	put_byte(&m, 'B');
	put_u64(&m, UINT64_C(0x1122334455667788));
	put_u64(&m, (uint64_t) INT64_C(-5));
	put_u32(&m, 4000000000u);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.kind, 'B');
	CHECK(parser.message.u.begin.final_lsn == UINT64_C(0x1122334455667788));
	CHECK_INT(parser.message.u.begin.commit_time, -5);
	CHECK_INT(parser.message.u.begin.xid, 4000000000u);
	check_borders(&m);
	done(&m);
}

static void
commit_message(void)
{
	Buffer		m = {0};

	put_byte(&m, 'C');
	put_byte(&m, 0);
	put_u64(&m, 0x1000);
	put_u64(&m, 0x1038);
	put_u64(&m, 123456789);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.kind, 'C');
	CHECK_INT(parser.message.u.commit.commit_lsn, 0x1000);
	CHECK_INT(parser.message.u.commit.end_lsn, 0x1038);
	CHECK_INT(parser.message.u.commit.commit_time, 123456789);
	check_borders(&m);
	m.data[1] = 1;
	CHECK_INT(parse(&m), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(parser.error.offset, 1);
	done(&m);
}

static void
origin_message(void)
{
	Buffer		m = {0};

	put_byte(&m, 'O');
	put_u64(&m, 77);
	put_string(&m, "node_b");
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.u.origin.lsn, 77);
	CHECK_STR(parser.message.u.origin.name, "node_b");
	check_borders(&m);
	done(&m);
}

static void
type_message(void)
{
	Buffer		m = {0};

	put_byte(&m, 'Y');
	put_u32(&m, 16999);
	put_string(&m, "public");
	put_string(&m, "mood");
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.u.type.typid, 16999);
	CHECK_STR(parser.message.u.type.schema, "public");
	CHECK_STR(parser.message.u.type.name, "mood");
	check_borders(&m);
	done(&m);
}

static void
put_relation(Buffer *m, char identity, uint16_t ncolumns)
{
	put_byte(m, 'R');
	put_u32(m, 16384);
	put_string(m, "public");
	put_string(m, "orders");
	put_byte(m, identity);
	put_u16(m, ncolumns);
}

static void
put_column(Buffer *m, uint8_t flags, const char *name, uint32_t typid,
		   int32_t typmod)
{
	put_byte(m, (char) flags);
	put_string(m, name);
	put_u32(m, typid);
	put_u32(m, (uint32_t) typmod);
}

static void
relation_message(void)
{
	Buffer		m = {0};

	put_relation(&m, 'd', 3);
	put_column(&m, 1, "id", 20, -1);
	put_column(&m, 0, "price", 1700, 655366);
	put_column(&m, 0, "", 25, -1);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.kind, 'R');
	CHECK_INT(parser.message.u.relation.relid, 16384);
	CHECK_STR(parser.message.u.relation.schema, "public");
	CHECK_STR(parser.message.u.relation.table, "orders");
	CHECK_INT(parser.message.u.relation.replica_identity, 'd');
	CHECK_INT(parser.message.u.relation.ncolumns, 3);
	CHECK_STR(parser.columns[0].name, "id");
	CHECK_INT(parser.columns[0].flags, 1);
	CHECK_INT(parser.columns[0].typid, 20);
	CHECK_INT(parser.columns[0].typmod, -1);
	CHECK_STR(parser.columns[1].name, "price");
	CHECK_INT(parser.columns[1].typmod, 655366);
	CHECK_STR(parser.columns[2].name, "");
	check_borders(&m);
	done(&m);
}

static void
relation_limits(void)
{
	static const char identities[] = "dnfi";
	Buffer		m = {0};
	int			i;

	for (i = 0; i < 4; i++)
	{
		put_relation(&m, identities[i], 0);
		CHECK_INT(parse(&m), DBMAZZ_OK);
		CHECK_INT(parser.message.u.relation.replica_identity, identities[i]);
		m.len = 0;
	}
	put_relation(&m, 'x', 0);
	CHECK_INT(parse(&m), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(parser.error.offset, 19);
	m.len = 0;
	put_relation(&m, '\0', 0);
	CHECK_INT(parse(&m), DBMAZZ_ERR_MALFORMED);
	m.len = 0;
	put_relation(&m, 'd', 1600);
	for (i = 0; i < 1600; i++)
		put_column(&m, 0, "c", 25, -1);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	m.len = 0;
	put_relation(&m, 'd', 1601);
	for (i = 0; i < 1601; i++)
		put_column(&m, 0, "c", 25, -1);
	CHECK_INT(parse(&m), DBMAZZ_ERR_LIMIT);
	done(&m);
}

static const char *const values[] = {"1", "", NULL, UNCHANGED, "long enough"};

static void
insert_message(void)
{
	Buffer		m = {0};

	put_insert(&m, 4294967295u, values, 5);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.kind, 'I');
	CHECK_INT(parser.message.u.change.relid, 4294967295u);
	CHECK_INT(parser.message.u.change.old_kind, 0);
	check_tuple(&parser.new_tuple, values, 5);
	check_borders(&m);
	done(&m);
}

static void
insert_without_columns(void)
{
	Buffer		m = {0};

	put_insert(&m, 1, NULL, 0);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.new_tuple.ncolumns, 0);
	check_borders(&m);
	done(&m);
}

static void
update_messages(void)
{
	static const char kinds[] = {0, 'K', 'O'};
	static const char *const old[] = {"7", NULL, "x"};
	int			i;

	for (i = 0; i < 3; i++)
	{
		Buffer		m = {0};

		put_byte(&m, 'U');
		put_u32(&m, 16384);
		if (kinds[i] != 0)
		{
			put_byte(&m, kinds[i]);
			put_tuple(&m, old, 3);
		}
		put_byte(&m, 'N');
		put_tuple(&m, values, 5);
		CHECK_INT(parse(&m), DBMAZZ_OK);
		CHECK_INT(parser.message.kind, 'U');
		CHECK_INT(parser.message.u.change.old_kind, kinds[i]);
		check_tuple(&parser.new_tuple, values, 5);
		if (kinds[i] != 0)
			check_tuple(&parser.old_tuple, old, 3);
		check_borders(&m);
		done(&m);
	}
}

static void
delete_messages(void)
{
	static const char kinds[] = {'K', 'O'};
	int			i;

	for (i = 0; i < 2; i++)
	{
		Buffer		m = {0};

		put_byte(&m, 'D');
		put_u32(&m, 16384);
		put_byte(&m, kinds[i]);
		put_tuple(&m, values, 5);
		CHECK_INT(parse(&m), DBMAZZ_OK);
		CHECK_INT(parser.message.kind, 'D');
		CHECK_INT(parser.message.u.change.old_kind, kinds[i]);
		check_tuple(&parser.old_tuple, values, 5);
		check_borders(&m);
		done(&m);
	}
}

/* The wrong tuple in the wrong place. */
static void
changes_with_wrong_tuples(void)
{
	static const char *const bad[] = {
		"I....K", "I....O", "I....X", "D....N", "D....X", "U....X",
		"U....K\0\0K", "U....O\0\0O", "U....K\0\0X",
	};
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		size_t		where = i < 6 ? 5 : 8;
		Buffer		m = {0};

		put_bytes(&m, bad[i], where + 1);
		put_bytes(&m, "\0\0", 2);
		CHECK_INT(parse(&m), DBMAZZ_ERR_MALFORMED);
		CHECK_INT(parser.error.offset, where);
		done(&m);
	}
}

static void
binary_values(void)
{
	Buffer		m = {0};

	put_insert(&m, 1, NULL, 0);
	m.len -= 2;
	put_u16(&m, 1);
	put_byte(&m, 'b');
	put_u32(&m, 4);
	put_bytes(&m, "\0\0\0\7", 4);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.new_tuple.values[0].kind, DBMAZZ_VALUE_BINARY);
	CHECK_BYTES(parser.new_tuple.values[0].data,
				parser.new_tuple.values[0].len, "\0\0\0\7", 4);
	check_borders(&m);
	done(&m);
}

static void
tuple_limits(void)
{
	static const char *many[1601];
	Buffer		m = {0};
	int			i;

	for (i = 0; i < 1601; i++)
		many[i] = i % 3 == 0 ? NULL : i % 3 == 1 ? "v" : UNCHANGED;
	put_insert(&m, 1, many, 1600);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	check_tuple(&parser.new_tuple, many, 1600);
	m.len = 0;
	put_insert(&m, 1, many, 1601);
	CHECK_INT(parse(&m), DBMAZZ_ERR_LIMIT);
	CHECK_INT(parser.error.offset, 6);
	m.len = 0;
	put_insert(&m, 1, many, 1);
	m.data[8] = 'z';
	CHECK_INT(parse(&m), DBMAZZ_ERR_MALFORMED);
	CHECK_INT(parser.error.offset, 8);
	done(&m);
}

/* Lengths near the ends of signed and unsigned numbers. */
static void
huge_lengths(void)
{
	static const uint32_t lengths[] = {
		4, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF
	};
	size_t		i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		Buffer		m = {0};

		put_bytes(&m, "I\0\0\0\1N\0\1t", 9);
		put_u32(&m, lengths[i]);
		put_bytes(&m, "abc", 3);
		CHECK_INT(parse(&m), DBMAZZ_ERR_TRUNCATED);
		m.len = 0;
		put_byte(&m, 'T');
		put_u32(&m, lengths[i]);
		put_bytes(&m, "\0abc", 4);
		CHECK_INT(parse(&m), DBMAZZ_ERR_TRUNCATED);
		m.len = 0;
		put_bytes(&m, "M\0________p", 12);
		put_u32(&m, lengths[i]);
		put_bytes(&m, "abc", 3);
		CHECK_INT(parse(&m), DBMAZZ_ERR_TRUNCATED);
		done(&m);
	}
}

static void
truncate_message(void)
{
	Buffer		m = {0};

	put_byte(&m, 'T');
	put_u32(&m, 3);
	put_byte(&m, 3);
	put_u32(&m, 16384);
	put_u32(&m, 16390);
	put_u32(&m, 4294967295u);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.u.truncate.nrelids, 3);
	CHECK_INT(parser.message.u.truncate.options, 3);
	CHECK_INT(dbmazz_truncate_relid(&parser.message, 0), 16384);
	CHECK_INT(dbmazz_truncate_relid(&parser.message, 1), 16390);
	CHECK_INT(dbmazz_truncate_relid(&parser.message, 2), 4294967295u);
	check_borders(&m);
	done(&m);
}

static void
logical_message(void)
{
	Buffer		m = {0};

	put_byte(&m, 'M');
	put_byte(&m, 1);
	put_u64(&m, 99);
	put_string(&m, "prefix");
	put_u32(&m, 5);
	put_bytes(&m, "a\0b\0c", 5);
	CHECK_INT(parse(&m), DBMAZZ_OK);
	CHECK_INT(parser.message.u.message.flags, 1);
	CHECK_INT(parser.message.u.message.lsn, 99);
	CHECK_STR(parser.message.u.message.prefix, "prefix");
	CHECK_BYTES(parser.message.u.message.content.data,
				parser.message.u.message.content.len, "a\0b\0c", 5);
	check_borders(&m);
	done(&m);
}

/* Whatever follows the first byte. */
static void
streaming_is_refused(void)
{
	static const char kinds[] = "SEcAbPKrp";
	int			i;

	for (i = 0; kinds[i] != '\0'; i++)
	{
		Buffer		m = {0};
		int			n;

		put_byte(&m, kinds[i]);
		for (n = 0; n < 20; n++)
		{
			CHECK_INT(parse(&m), DBMAZZ_ERR_UNSUPPORTED);
			CHECK_INT(parser.error.offset, 0);
			put_byte(&m, (char) n);
		}
		done(&m);
	}
}

static void
unknown_kinds(void)
{
	int			kind;

	for (kind = 0; kind < 256; kind++)
	{
		Buffer		m = {0};

		put_byte(&m, (char) kind);
		if (kind == 0 || strchr("IUDBCRYOTMSEcAbPKrp", kind) == NULL)
			CHECK_INT(parse(&m), DBMAZZ_ERR_MALFORMED);
		else
			CHECK(parse(&m) != DBMAZZ_OK);
		done(&m);
	}
}

static void
empty_message(void)
{
	Buffer		m = {0};

	CHECK_INT(parse(&m), DBMAZZ_ERR_TRUNCATED);
	CHECK_INT(parser.error.offset, 0);
	done(&m);
}

/* An error in one message leaves nothing behind for the next. */
static void
works_after_an_error(void)
{
	Buffer		bad = {0};
	Buffer		good = {0};

	put_bytes(&bad, "U\0\0\0\1K\0\1tX", 10);
	put_insert(&good, 5, values, 5);
	CHECK_INT(parse(&bad), DBMAZZ_ERR_TRUNCATED);
	CHECK_INT(dbmazz_pgoutput_parse(&parser, good.data, good.len), DBMAZZ_OK);
	CHECK_INT(parser.message.u.change.old_kind, 0);
	check_tuple(&parser.new_tuple, values, 5);
	buffer_free(&bad);
	done(&good);
}

/* Messages with some bytes changed: an answer, and no read outside. */
static void
damaged_messages(void)
{
	uint64_t	state = 31337;
	int			i;

	for (i = 0; i < 20000; i++)
	{
		Buffer		m = {0};
		uint32_t	n;

		put_byte(&m, "IUDRT"[i % 5]);
		put_u32(&m, 16384);
		put_byte(&m, "NKO"[random_below(&state, 3)]);
		put_tuple(&m, values, 5);
		put_byte(&m, 'N');
		put_tuple(&m, values, 5);
		for (n = random_below(&state, 4); n > 0; n--)
			m.data[random_below(&state, (uint32_t) m.len)] =
				(char) random_next(&state);
		m.len -= random_below(&state, 30);
		parse(&m);
		done(&m);
	}
	CHECK(true);
}

void
test_pgoutput(void)
{
	RUN(begin_message);
	RUN(commit_message);
	RUN(origin_message);
	RUN(type_message);
	RUN(relation_message);
	RUN(relation_limits);
	RUN(insert_message);
	RUN(insert_without_columns);
	RUN(update_messages);
	RUN(delete_messages);
	RUN(changes_with_wrong_tuples);
	RUN(binary_values);
	RUN(tuple_limits);
	RUN(huge_lengths);
	RUN(truncate_message);
	RUN(logical_message);
	RUN(streaming_is_refused);
	RUN(unknown_kinds);
	RUN(empty_message);
	RUN(works_after_an_error);
	RUN(damaged_messages);
}
