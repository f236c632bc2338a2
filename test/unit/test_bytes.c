/*
 * test_bytes.c
 *		Tests of big-endian reads and of the hash.
 */
#include "core/bytes.h"

#include <stdlib.h>

#include "check.h"
#include "helpers.h"

static void
big_endian_reads(void)
{
	static const char bytes[] = "\x00\x01\x02\x03\x04\x05\x06\x07\xF8";

	CHECK_INT(dbmazz_get_u16(bytes + 1), 0x0102);
	CHECK_INT(dbmazz_get_u32(bytes + 1), 0x01020304);
	CHECK(dbmazz_get_u64(bytes + 1) == UINT64_C(0x01020304050607F8));
}

/* Each length from an allocation of exactly that size. */
static void
hash_stays_inside(void)
{
	size_t		len;

	for (len = 0; len <= 100; len++)
	{
		char	   *data = malloc(len);
		uint64_t	first;

		memset(data, 'x', len);
		first = dbmazz_hash(data, len, 1);
		CHECK(first == dbmazz_hash(data, len, 1));
		CHECK(first != dbmazz_hash(data, len, 2));
		free(data);
	}
}

/* Another byte at any place gives another hash. */
static void
hash_sees_every_byte(void)
{
	size_t		len;

	for (len = 1; len <= 70; len++)
	{
		char		data[70];
		size_t		i;

		memset(data, '0', sizeof(data));
		for (i = 0; i < len; i++)
		{
			uint64_t	before = dbmazz_hash(data, len, 0);

			data[i] = '1';
			CHECK(before != dbmazz_hash(data, len, 0));
			data[i] = '0';
		}
		CHECK(dbmazz_hash(data, len, 0) != dbmazz_hash(data, len - 1, 0));
	}
}

/* "a","bc" and "ab","c" are different keys. */
static void
hash_chain_knows_borders(void)
{
	uint64_t	one = dbmazz_hash("bc", 2, dbmazz_hash("a", 1, 0));
	uint64_t	two = dbmazz_hash("c", 1, dbmazz_hash("ab", 2, 0));

	CHECK(one != two);
}

/* Running numbers as text spread over a table as random ones would. */
static void
hash_spreads_numbers(void)
{
	static uint32_t buckets[1024];
	uint32_t	i;
	uint32_t	most = 0;

	memset(buckets, 0, sizeof(buckets));
	for (i = 0; i < 100 * 1024; i++)
	{
		Buffer		text = {0};
		uint64_t	hash;

		put_printf(&text, "%u", 1000000 + i);
		hash = dbmazz_hash(text.data, text.len, 0);
		buckets[(uint32_t) (hash ^ hash >> 32) & 1023]++;
		buffer_free(&text);
	}
	for (i = 0; i < 1024; i++)
	{
		if (buckets[i] > most)
			most = buckets[i];
	}
	/* 100 on average, standard deviation 10 */
	CHECK(most < 160);
}

void
test_bytes(void)
{
	RUN(big_endian_reads);
	RUN(hash_stays_inside);
	RUN(hash_sees_every_byte);
	RUN(hash_chain_knows_borders);
	RUN(hash_spreads_numbers);
}
