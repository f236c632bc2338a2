/*
 * unit_compress.c
 *		Tests of http/compress.c: what comes out is read back by the libraries.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "http/compress.h"

static const DbmazzCompression methods[] = {
	DBMAZZ_COMPRESS_GZIP, DBMAZZ_COMPRESS_ZSTD, DBMAZZ_COMPRESS_LZ4
};

#define NMETHODS	3

typedef struct Source
{
	const char *data;
	size_t		len;
	size_t		pos;
	size_t		fail_at;		/* read() fails from here on */
} Source;

static size_t
read_source(void *arg, char *out, size_t len)
{
	Source	   *source = arg;

	if (source->pos + len > source->fail_at)
		return DBMAZZ_READ_FAILED;
	if (len > source->len - source->pos)
		len = source->len - source->pos;
	memcpy(out, source->data + source->pos, len);
	source->pos += len;
	return len;
}

static uint32_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t) (*state >> 33);
}

/* Bytes of all kinds: rows that repeat, noise, and runs of one byte. */
static char *
make_text(size_t len, uint64_t *seed)
{
	char	   *text = malloc(len + 64);
	size_t		pos = 0;

	while (pos < len)
	{
		uint32_t	kind = next_random(seed) % 4;
		size_t		n = 1 + next_random(seed) % 60;

		if (kind == 0)
			memset(text + pos, (int) (next_random(seed) & 0xff), n);
		else if (kind == 1)
		{
			for (size_t i = 0; i < n; i++)
				text[pos + i] = (char) next_random(seed);
		}
		else
			n = (size_t) snprintf(text + pos, 60, "{\"id\":%u,\"v\":\"row\"},",
								  next_random(seed) % 1000);
		pos += n;
	}
	return text;
}

/* All of the compressed bytes, asked for in pieces of up to 'piece'. */
static char *
read_all(DbmazzCompressor *compressor, size_t piece, bool vary, size_t *len)
{
	size_t		room = 1024;
	char	   *out = malloc(room);
	uint64_t	seed = 7;
	size_t		n;

	*len = 0;
	for (;;)
	{
		size_t		want = vary ? 1 + next_random(&seed) % piece : piece;

		if (room - *len < want)
		{
			room = 2 * room + want;
			out = realloc(out, room);
		}
		n = dbmazz_compress_read(compressor, out + *len, want);
		if (n == 0 || n == DBMAZZ_READ_FAILED)
			break;
		CHECK(n <= want);
		*len += n;
	}
	CHECK(n == 0);
	CHECK_INT(dbmazz_compress_read(compressor, out, 1), 0);
	return out;
}

/* The length of what a library makes of it, or -1; it must use all bytes. */
static int64_t
inflate_gzip(const char *data, size_t len, char *out, size_t room)
{
	z_stream	stream = {0};
	int			result;

	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		return -1;
	stream.next_in = (Bytef *) (uintptr_t) data;
	stream.avail_in = (uInt) len;
	stream.next_out = (Bytef *) out;
	stream.avail_out = (uInt) room;
	result = inflate(&stream, Z_FINISH);
	(void) inflateEnd(&stream);
	return result == Z_STREAM_END && stream.avail_in == 0 ?
		(int64_t) stream.total_out : -1;
}

static int64_t
inflate_lz4(const char *data, size_t len, char *out, size_t room)
{
	LZ4F_dctx  *context;
	size_t		pos = 0;
	size_t		done = 0;
	size_t		left = 1;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
		return -1;
	while (left != 0 && pos < len)
	{
		size_t		in = len - pos;
		size_t		got = room - done;

		left = LZ4F_decompress(context, out + done, &got, data + pos, &in,
							   NULL);
		if (LZ4F_isError(left) || (in == 0 && got == 0))
			break;
		pos += in;
		done += got;
	}
	(void) LZ4F_freeDecompressionContext(context);
	return left == 0 && pos == len ? (int64_t) done : -1;
}

static int64_t
inflate_any(DbmazzCompression method, const char *data, size_t len, char *out,
			size_t room)
{
	size_t		n;

	switch (method)
	{
		case DBMAZZ_COMPRESS_GZIP:
			return inflate_gzip(data, len, out, room);
		case DBMAZZ_COMPRESS_LZ4:
			return inflate_lz4(data, len, out, room);
		default:
			n = ZSTD_decompress(out, room, data, len);
			return ZSTD_isError(n) ? -1 : (int64_t) n;
	}
}

static void
round_trip(DbmazzCompression method, const char *text, size_t len,
		   uint64_t *seed)
{
	Source		source = {text, len, 0, SIZE_MAX};
	DbmazzCompressor *c = dbmazz_compress_open(method, read_source, &source);
	char	   *back = malloc(len + 1024);
	char	   *first;
	char	   *second;
	size_t		first_len;
	size_t		second_len;

	if (!CHECK(c != NULL))
		return;
	first = read_all(c, 100000, false, &first_len);
	CHECK_INT(inflate_any(method, first, first_len, back, len + 1024), len);
	CHECK(memcmp(back, text, len) == 0);

	/* stopped somewhere, and read again by small pieces: the same bytes */
	source.pos = 0;
	dbmazz_compress_rewind(c);
	if (first_len > 1)
	{
		size_t		n = next_random(seed) % first_len;
		char	   *part = malloc(n + 1);

		CHECK_INT(dbmazz_compress_read(c, part, n), n);
		CHECK(memcmp(part, first, n) == 0);
		free(part);
	}
	source.pos = 0;
	dbmazz_compress_rewind(c);
	second = read_all(c, 1 + next_random(seed) % 200, true, &second_len);
	CHECK_INT(second_len, first_len);
	CHECK(second_len == first_len && memcmp(first, second, first_len) == 0);
	dbmazz_compress_close(c);
	free(first);
	free(second);
	free(back);
}

static void
round_trips(void)
{
	static const size_t edges[] = {
		0, 1, 65535, 65536, 65537, 131072, 1000003
	};
	uint64_t	seed = 20240229;
	int			m;
	size_t		i;

	for (m = 0; m < NMETHODS; m++)
	{
		for (i = 0; i < 40; i++)
		{
			size_t		len = i < 7 ? edges[i] : next_random(&seed) % 300000;
			char	   *text = make_text(len, &seed);

			round_trip(methods[m], text, len, &seed);
			free(text);
		}
	}
}

/* Rows shrink, and the memory that is taken does not depend on their number. */
static void
ratio(void)
{
	size_t		len = 8 * 1024 * 1024;
	uint64_t	seed = 1;
	char	   *text = malloc(len + 64);
	size_t		pos = 0;
	int			m;

	while (pos < len)
		pos += (size_t) snprintf(text + pos, 64, "{\"id\":%zu,\"v\":\"v%u\"},",
								 pos, next_random(&seed) % 1000);
	for (m = 0; m < NMETHODS; m++)
	{
		Source		source = {text, len, 0, SIZE_MAX};
		DbmazzCompressor *c = dbmazz_compress_open(methods[m], read_source,
												   &source);
		size_t		compressed;

		free(read_all(c, 16384, false, &compressed));
		CHECK(compressed < len / 2);
		dbmazz_compress_close(c);
	}
	free(text);
}

/* A body that cannot be read: so says the compressor, until the next rewind. */
static void
failures(void)
{
	size_t		len = 500000;
	uint64_t	seed = 3;
	char	   *text = make_text(len, &seed);
	char	   *out = malloc(len * 2);
	int			m;

	for (m = 0; m < NMETHODS; m++)
	{
		Source		source = {text, len, 0, 200000};
		DbmazzCompressor *c = dbmazz_compress_open(methods[m], read_source,
												   &source);
		size_t		n;

		CHECK(dbmazz_compress_read(c, out, len * 2) == DBMAZZ_READ_FAILED);
		CHECK(dbmazz_compress_read(c, out, 1) == DBMAZZ_READ_FAILED);
		source.pos = 0;
		source.fail_at = SIZE_MAX;
		dbmazz_compress_rewind(c);
		n = dbmazz_compress_read(c, out, len * 2);
		CHECK(n > 0 && n < len * 2);
		dbmazz_compress_close(c);
	}
	dbmazz_compress_close(NULL);
	free(text);
	free(out);
}

void
unit_compress(void)
{
	round_trips();
	ratio();
	failures();
}
