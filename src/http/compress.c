/*
 * compress.c
 *		The compressors for bodies: gzip, zstd, and lz4 in its frame format.
 *
 * NOTES
 *	  Each goes at its fastest level: the shipper has one core for everything,
 *	  and most of what there is to gain is gained there.
 *
 *	  A method's produce() takes from 'in' and puts into 'out'.  It is called
 *	  when all of 'out' has been read and either 'in' has something or the body
 *	  has ended; it must then get on, and set 'finished' when the last byte is
 *	  in 'out'.
 */
#include "http/compress.h"

#include <stdlib.h>
#include <string.h>

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE			65536	/* of the plain body, per read */

#define GZIP_LEVEL		1
#define GZIP_WINDOW		(15 + 16)	/* 32 kB, with gzip's header and trailer */
#define GZIP_MEMORY		8		/* zlib's default */
#define ZSTD_LEVEL		1

typedef struct Method
{
	bool		(*open) (DbmazzCompressor *c);	/* false: out of memory */
	bool		(*begin) (DbmazzCompressor *c); /* a new stream */
	bool		(*produce) (DbmazzCompressor *c);	/* false: failed */
	void		(*close) (DbmazzCompressor *c); /* whatever open() has made */
} Method;

struct DbmazzCompressor
{
	const Method *method;
	DbmazzReadBody read;
	void	   *arg;

	char	   *in;				/* PIECE bytes */
	size_t		in_len;
	size_t		in_pos;
	bool		in_ended;		/* the body has no more */
	char	   *out;			/* out_room bytes */
	size_t		out_room;
	size_t		out_len;
	size_t		out_pos;
	bool		finished;
	bool		failed;

	/* one of these, by method */
	z_stream	gzip;
	bool		gzip_open;
	ZSTD_CCtx  *zstd;
	LZ4F_cctx  *lz4;
};

static bool gzip_open(DbmazzCompressor *c);
static bool gzip_begin(DbmazzCompressor *c);
static bool gzip_produce(DbmazzCompressor *c);
static void gzip_close(DbmazzCompressor *c);
static bool zstd_open(DbmazzCompressor *c);
static bool zstd_begin(DbmazzCompressor *c);
static bool zstd_produce(DbmazzCompressor *c);
static void zstd_close(DbmazzCompressor *c);
static bool lz4_open(DbmazzCompressor *c);
static bool lz4_begin(DbmazzCompressor *c);
static bool lz4_produce(DbmazzCompressor *c);
static void lz4_close(DbmazzCompressor *c);
static bool advance(DbmazzCompressor *c);

static const Method methods[] = {
	[DBMAZZ_COMPRESS_GZIP] = {gzip_open, gzip_begin, gzip_produce, gzip_close},
	[DBMAZZ_COMPRESS_ZSTD] = {zstd_open, zstd_begin, zstd_produce, zstd_close},
	[DBMAZZ_COMPRESS_LZ4] = {lz4_open, lz4_begin, lz4_produce, lz4_close}
};

DbmazzCompressor *
dbmazz_compress_open(DbmazzCompression method, DbmazzReadBody read, void *arg)
{
	DbmazzCompressor *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->method = &methods[method];
	c->read = read;
	c->arg = arg;
	c->out_room = PIECE;
	c->in = malloc(PIECE);
	if (c->in != NULL && c->method->open(c))
		c->out = malloc(c->out_room);
	if (c->out == NULL)
	{
		dbmazz_compress_close(c);
		return NULL;
	}
	dbmazz_compress_rewind(c);
	if (c->failed)
	{
		dbmazz_compress_close(c);
		return NULL;
	}
	return c;
}

size_t
dbmazz_compress_read(DbmazzCompressor *compressor, char *out, size_t len)
{
	DbmazzCompressor *c = compressor;
	size_t		done = 0;

	while (done < len)
	{
		size_t		n = c->out_len - c->out_pos;

		if (n == 0)
		{
			if (c->failed)
				return DBMAZZ_READ_FAILED;
			if (c->finished)
				break;
			c->failed = !advance(c);
			continue;
		}
		if (n > len - done)
			n = len - done;
		memcpy(out + done, c->out + c->out_pos, n);
		c->out_pos += n;
		done += n;
	}
	return done;
}

void
dbmazz_compress_rewind(DbmazzCompressor *compressor)
{
	DbmazzCompressor *c = compressor;

	c->in_len = 0;
	c->in_pos = 0;
	c->in_ended = false;
	c->out_len = 0;
	c->out_pos = 0;
	c->finished = false;
	c->failed = !c->method->begin(c);
}

void
dbmazz_compress_close(DbmazzCompressor *compressor)
{
	if (compressor == NULL)
		return;
	compressor->method->close(compressor);
	free(compressor->in);
	free(compressor->out);
	free(compressor);
}

/* Fill 'out' anew, from the next piece if the last one is used up. */
static bool
advance(DbmazzCompressor *c)
{
	if (c->in_pos == c->in_len && !c->in_ended)
	{
		size_t		n = c->read(c->arg, c->in, PIECE);

		if (n == DBMAZZ_READ_FAILED)
			return false;
		c->in_len = n;
		c->in_pos = 0;
		c->in_ended = n < PIECE;
	}
	c->out_len = 0;
	c->out_pos = 0;
	return c->method->produce(c);
}

/* ---- gzip -------------------------------------------------------------- */

static bool
gzip_open(DbmazzCompressor *c)
{
	c->gzip_open = deflateInit2(&c->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW,
								GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
	return c->gzip_open;
}

static bool
gzip_begin(DbmazzCompressor *c)
{
	return deflateReset(&c->gzip) == Z_OK;
}

static bool
gzip_produce(DbmazzCompressor *c)
{
	z_stream   *stream = &c->gzip;
	int			result;

	stream->next_in = (Bytef *) c->in + c->in_pos;
	stream->avail_in = (uInt) (c->in_len - c->in_pos);
	stream->next_out = (Bytef *) c->out;
	stream->avail_out = (uInt) c->out_room;
	result = deflate(stream, c->in_ended ? Z_FINISH : Z_NO_FLUSH);
	c->in_pos = c->in_len - stream->avail_in;
	c->out_len = c->out_room - stream->avail_out;
	c->finished = result == Z_STREAM_END;

	/* Nothing to do is no error: the next call brings the next piece. */
	return result == Z_OK || result == Z_STREAM_END ||
		(result == Z_BUF_ERROR && !c->in_ended);
}

static void
gzip_close(DbmazzCompressor *c)
{
	if (c->gzip_open)
		(void) deflateEnd(&c->gzip);
}

/* ---- zstd -------------------------------------------------------------- */

static bool
zstd_open(DbmazzCompressor *c)
{
	c->zstd = ZSTD_createCCtx();
	return c->zstd != NULL &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel,
											 ZSTD_LEVEL)) &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1));
}

static bool
zstd_begin(DbmazzCompressor *c)
{
	return !ZSTD_isError(ZSTD_CCtx_reset(c->zstd, ZSTD_reset_session_only));
}

static bool
zstd_produce(DbmazzCompressor *c)
{
	ZSTD_inBuffer in = {c->in, c->in_len, c->in_pos};
	ZSTD_outBuffer out = {c->out, c->out_room, 0};
	size_t		left;

	left = ZSTD_compressStream2(c->zstd, &out, &in,
								c->in_ended ? ZSTD_e_end : ZSTD_e_continue);
	c->in_pos = in.pos;
	c->out_len = out.pos;
	c->finished = c->in_ended && left == 0;
	return !ZSTD_isError(left);
}

static void
zstd_close(DbmazzCompressor *c)
{
	(void) ZSTD_freeCCtx(c->zstd);
}

/* ---- lz4 --------------------------------------------------------------- */

static const LZ4F_preferences_t lz4_preferences = {
	.frameInfo = {
		.blockSizeID = LZ4F_max64KB,
		.blockMode = LZ4F_blockLinked,
		.contentChecksumFlag = LZ4F_contentChecksumEnabled
	},
	.autoFlush = 1				/* nothing waits in the context, so 'out' is
								 * large enough for any piece and its end */
};

static bool
lz4_open(DbmazzCompressor *c)
{
	size_t		room = LZ4F_HEADER_SIZE_MAX +
		LZ4F_compressBound(PIECE, &lz4_preferences);

	if (c->out_room < room)
		c->out_room = room;
	return !LZ4F_isError(LZ4F_createCompressionContext(&c->lz4, LZ4F_VERSION));
}

static bool
lz4_begin(DbmazzCompressor *c)
{
	size_t		n;

	n = LZ4F_compressBegin(c->lz4, c->out, c->out_room, &lz4_preferences);
	if (LZ4F_isError(n))
		return false;
	c->out_len = n;
	return true;
}

static bool
lz4_produce(DbmazzCompressor *c)
{
	size_t		n;

	n = LZ4F_compressUpdate(c->lz4, c->out, c->out_room, c->in, c->in_len,
							NULL);
	if (LZ4F_isError(n))
		return false;
	c->in_pos = c->in_len;
	c->out_len = n;
	if (!c->in_ended)
		return true;
	n = LZ4F_compressEnd(c->lz4, c->out + c->out_len,
						 c->out_room - c->out_len, NULL);
	if (LZ4F_isError(n))
		return false;
	c->out_len += n;
	c->finished = true;
	return true;
}

static void
lz4_close(DbmazzCompressor *c)
{
	(void) LZ4F_freeCompressionContext(c->lz4);
}
