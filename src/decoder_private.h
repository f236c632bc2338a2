/*
 * decoder_private.h
 *		What logical decoding calls, as the session sees it.
 */
#ifndef DBMAZZ_DECODER_PRIVATE_H
#define DBMAZZ_DECODER_PRIVATE_H

#include "decoder.h"
#include "replication/logical.h"

/*
 * Put our callbacks around pgoutput's, and have what it writes.  Once in a process;
 * 'publication' and 'ops' stay the caller's.
 */
extern void dbmazz_decoder_calls_wrap(LogicalDecodingContext *ctx,
									  DbmazzPipeline *p,
									  const DbmazzDecoderOps *ops,
									  const char *publication);

/* Changes of rows, of whatever tables, since dbmazz_decoder_calls_seen(). */
extern uint32 dbmazz_decoder_calls_changes(void);

/* Count anew, and write what was put aside for pg_stat_replication_slots. */
extern void dbmazz_decoder_calls_seen(void);

#endif							/* DBMAZZ_DECODER_PRIVATE_H */
