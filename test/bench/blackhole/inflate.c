/*
 * inflate.c
 *		The plain bytes of a compressed body, by the libraries.
 */
#include "inflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE	(256 * 1024)

struct BhInflate
{
	bool		complete;

	/* one of these */
	bool		is_gzip;
	z_stream	gzip;
	ZSTD_DCtx  *zstd;
	LZ4F_dctx  *lz4;
};

static bool
is(const char *name, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(name, text, len) == 0;
}

BhInflate *
bh_inflate_open(const char *name, size_t len)
{
	BhInflate  *self = calloc(1, sizeof(*self));
	bool		ok = false;

	if (is(name, len, "gzip"))
		ok = self->is_gzip = inflateInit2(&self->gzip, 15 + 16) == Z_OK;
	else if (is(name, len, "zstd"))
		ok = (self->zstd = ZSTD_createDCtx()) != NULL;
	else if (is(name, len, "lz4") || is(name, len, "lz4_frame"))
		ok = !LZ4F_isError(LZ4F_createDecompressionContext(&self->lz4,
														   LZ4F_VERSION));
	if (ok)
		return self;
	free(self);
	return NULL;
}

/* One step: takes '*in' bytes of what is there and makes '*out'. */
static bool
step(BhInflate *self, const char *data, size_t *in, char *to, size_t *out)
{
	size_t		left;

	if (self->is_gzip)
	{
		z_stream   *stream = &self->gzip;
		int			result;

		stream->next_in = (Bytef *) (uintptr_t) data;
		stream->avail_in = (uInt) *in;
		stream->next_out = (Bytef *) to;
		stream->avail_out = (uInt) *out;
		result = inflate(stream, Z_NO_FLUSH);
		*in -= stream->avail_in;
		*out -= stream->avail_out;
		self->complete = result == Z_STREAM_END;
		return result == Z_OK || result == Z_STREAM_END ||
			result == Z_BUF_ERROR;
	}
	if (self->zstd)
	{
		ZSTD_inBuffer from = {data, *in, 0};
		ZSTD_outBuffer into = {to, *out, 0};

		left = ZSTD_decompressStream(self->zstd, &into, &from);
		*in = from.pos;
		*out = into.pos;
		self->complete = left == 0;
		return !ZSTD_isError(left);
	}
	left = LZ4F_decompress(self->lz4, to, out, data, in, NULL);
	self->complete = left == 0;
	return !LZ4F_isError(left);
}

bool
bh_inflate_feed(BhInflate *self, const char *data, size_t len,
				BhBuffer *out)
{
	for (;;)
	{
		size_t		in = len;
		size_t		made = PIECE;

		if (len > 0 && self->complete)
			return false;		/* something behind the end */
		bh_buffer_reserve(out, PIECE);
		if (!step(self, data, &in, out->data + out->len, &made))
			return false;
		out->len += made;
		data += in;
		len -= in;
		if (len == 0 && made < PIECE)
			return true;
		if (in == 0 && made == 0)
			return false;
	}
}

bool
bh_inflate_complete(const BhInflate *self)
{
	return self->complete;
}

void
bh_inflate_close(BhInflate *self)
{
	if (self == NULL)
		return;
	if (self->is_gzip)
		inflateEnd(&self->gzip);
	ZSTD_freeDCtx(self->zstd);
	if (self->lz4)
		LZ4F_freeDecompressionContext(self->lz4);
	free(self);
}
