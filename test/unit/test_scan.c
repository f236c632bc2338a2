/*
 * test_scan.c
 *		Tests of the search for escapes, each variant against a plain loop.
 */
#include "core/encode_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "helpers.h"

static const char *const variants[] = {"scalar", "sse2", "avx2", "neon"};

static size_t
plain_scan(const char *data, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) data[i];

		if (c < 0x20 || c == '"' || c == '\\')
			break;
	}
	return i;
}

/* From a copy that begins 'shift' bytes behind an aligned address and ends
 * with its allocation. */
static void
check_scan(DbmazzScan scan, const char *data, size_t len, size_t shift)
{
	char	   *copy = must_alloc(shift + len);

	memcpy(copy + shift, data, len);
	CHECK_INT(scan(copy + shift, len), plain_scan(data, len));
	free(copy);
}

static void
check_all(const char *data, size_t len, size_t shift)
{
	size_t		i;

	check_scan(dbmazz_json_scan, data, len, shift);
	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
	{
		DbmazzScan	scan = dbmazz_json_scan_variant(variants[i]);

		if (scan != NULL)
			check_scan(scan, data, len, shift);
	}
}

static void
variants_of_this_machine(void)
{
	CHECK(dbmazz_json_scan_variant("scalar") != NULL);
#if defined(DBMAZZ_NO_VECTORS)
	CHECK(dbmazz_json_scan_variant("sse2") == NULL);
	CHECK(dbmazz_json_scan_variant("avx2") == NULL);
#elif defined(__x86_64__)
	CHECK(dbmazz_json_scan_variant("sse2") != NULL);
	CHECK(dbmazz_json_scan_variant("neon") == NULL);
#if defined(EXPECT_NO_AVX2)
	CHECK(dbmazz_json_scan_variant("avx2") == NULL);
#endif
#elif defined(__aarch64__)
	CHECK(dbmazz_json_scan_variant("neon") != NULL);
	CHECK(dbmazz_json_scan_variant("sse2") == NULL);
#endif
	CHECK(dbmazz_json_scan_variant("mmx") == NULL);
}

/* Every byte value at every place of every short length. */
static void
every_byte_everywhere(void)
{
	char		data[70];
	size_t		len;

	for (len = 1; len <= sizeof(data); len += len < 34 ? 1 : 9)
	{
		size_t		at;

		for (at = 0; at < len; at += len < 20 ? 1 : 3)
		{
			int			c;

			memset(data, 'x', sizeof(data));
			for (c = 0; c < 256; c++)
			{
				data[at] = (char) c;
				check_all(data, len, 0);
			}
		}
	}
}

/*
 * Every byte value, of every length up to 200 at every place of a vector; from
 * memory that begins 'shift' bytes behind an aligned address and ends with its
 * allocation.  Where in the text it is, is another one each time.
 */
static void
every_length_and_place(void)
{
	uint64_t	state = 6;
	size_t		len;
	size_t		shift;

	for (len = 1; len <= 200; len++)
	{
		for (shift = 0; shift < 64; shift++)
		{
			char	   *data = must_alloc(shift + len);
			char	   *text = data + shift;
			int			c;

			memset(data, '"', shift);
			memset(text, 0x7F, len);
			for (c = 0; c < 256; c++)
			{
				size_t		at = random_below(&state, (uint32_t) len);
				size_t		expected;
				size_t		i;

				text[at] = (char) c;
				expected = c < 0x20 || c == '"' || c == '\\' ? at : len;
				CHECK_INT(dbmazz_json_scan(text, len), expected);
				for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
				{
					DbmazzScan	scan = dbmazz_json_scan_variant(variants[i]);

					if (scan != NULL)
						CHECK_INT(scan(text, len), expected);
				}
				text[at] = 0x7F;
			}
			free(data);
		}
	}
}

static void
clean_texts(void)
{
	char		data[300];
	size_t		len;

	memset(data, 0x7F, sizeof(data));
	for (len = 0; len <= sizeof(data); len++)
		check_all(data, len, len % 33);
}

static void
random_data(void)
{
	uint64_t	state = 12345;
	int			i;

	for (i = 0; i < 20000; i++)
	{
		char		data[256];
		size_t		len = random_below(&state, sizeof(data) + 1);
		uint32_t	density = 1 + random_below(&state, 400);
		size_t		j;

		for (j = 0; j < len; j++)
		{
			if (random_below(&state, density) == 0)
				data[j] = (char) random_next(&state);
			else
				data[j] = (char) (0x30 + random_below(&state, 0x2C));
		}
		check_all(data, len, random_below(&state, 64));
	}
}

/* The plain way to escape. */
static size_t
plain_escape(char *out, const char *data, size_t len)
{
	char	   *to = out;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) data[i];

		if (c == '"' || c == '\\')
			to += sprintf(to, "\\%c", c);
		else if (c == '\n')
			to += sprintf(to, "\\n");
		else if (c == '\r')
			to += sprintf(to, "\\r");
		else if (c == '\t')
			to += sprintf(to, "\\t");
		else if (c == '\b')
			to += sprintf(to, "\\b");
		else if (c == '\f')
			to += sprintf(to, "\\f");
		else if (c < 0x20)
			to += sprintf(to, "\\u%04x", c);
		else
			*to++ = (char) c;
	}
	return (size_t) (to - out);
}

/* Input and output in allocations of the size that the contract gives. */
static void
check_escape(const char *data, size_t len)
{
	char	   *in = must_alloc(len);
	char	   *out = must_alloc(6 * len);
	char	   *expected = must_alloc(6 * len + 1);
	size_t		n;

	memcpy(in, data, len);
	n = dbmazz_json_escape(out, in, len);
	CHECK_BYTES(out, n, expected, plain_escape(expected, data, len));
	free(in);
	free(out);
	free(expected);
}

static void
escape_of_every_byte(void)
{
	int			c;

	for (c = 0; c < 256; c++)
	{
		char		data[40];
		size_t		len;
		size_t		at;

		for (len = 1; len < sizeof(data); len++)
		{
			memset(data, 'y', sizeof(data));
			for (at = 0; at < len; at += 1 + len / 8)
				data[at] = (char) c;
			check_escape(data, len);
		}
		memset(data, c, sizeof(data));
		check_escape(data, sizeof(data));
	}
}

static void
escape_of_random_data(void)
{
	uint64_t	state = 999;
	int			i;

	for (i = 0; i < 30000; i++)
	{
		char		data[150];
		size_t		len = random_below(&state, sizeof(data) + 1);
		uint32_t	density = 1 + random_below(&state, 60);
		size_t		j;

		for (j = 0; j < len; j++)
			data[j] = random_below(&state, density) == 0 ?
				(char) random_next(&state) : 'z';
		check_escape(data, len);
	}
}

static void
escape_of_nothing(void)
{
	char		out;

	CHECK_INT(dbmazz_json_escape(&out, "", 0), 0);
}

void
test_scan(void)
{
	RUN(variants_of_this_machine);
	RUN(every_byte_everywhere);
	RUN(every_length_and_place);
	RUN(clean_texts);
	RUN(random_data);
	RUN(escape_of_every_byte);
	RUN(escape_of_random_data);
	RUN(escape_of_nothing);
}
