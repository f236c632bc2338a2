/*
 * decoder_calls.c
 *		What logical decoding calls: pgoutput's callbacks, and ours around them.
 *
 * NOTES
 *	  pgoutput hears of a transaction only when a change of it goes there, which
 *	  with the fast path most do not.
 */
#include "postgres.h"

#include "compat.h"
#include "decoder_private.h"
#include "encoding.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "worker.h"

/* Callbacks get no better place for it. */
static struct
{
	LogicalDecodingContext *ctx;
	DbmazzPipeline *p;
	const DbmazzDecoderOps *ops;
	const char *publication;
	bool		has_publication;	/* as far as is known */
	LogicalDecodeBeginCB begin_cb;	/* pgoutput's */
	LogicalDecodeCommitCB commit_cb;
	LogicalDecodeChangeCB change_cb;
	LogicalDecodeTruncateCB truncate_cb;
	bool		has_begun;		/* pgoutput knows of the transaction */
	XLogRecPtr	counted;		/* transaction whose changes are counted */
	uint64		number;			/* of the change at hand in it */
	uint32		nchanges;		/* since dbmazz_decoder_calls_seen() */
	bool		has_blocks;		/* the reorder buffer keeps its memory */
	int64		stat_txns;		/* not in pg_stat_replication_slots yet */
	int64		stat_bytes;
}			calls;

static void
prepare_write(LogicalDecodingContext *ctx, XLogRecPtr lsn, TransactionId xid,
			  bool last)
{
	resetStringInfo(ctx->out);
}

static void
take_write(LogicalDecodingContext *ctx, XLogRecPtr lsn, TransactionId xid,
		   bool last)
{
	calls.ops->message(calls.ops->arg, lsn, calls.number, ctx->out->data,
					   ctx->out->len);
}

/* ---- publication --------------------------------------------------------- */

static void
publication_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	calls.has_publication = false;
}

/*
 * Where there is no publication, pgoutput raises an error at every attempt, and
 * from 18 on it leaves the changes out and goes on: both are nothing that a new
 * life could repair.
 */
static void
check_publication(const ReorderBufferTXN *txn)
{
	DbmazzError error;

	calls.has_publication =
		OidIsValid(get_publication_oid(calls.publication, true));
	if (calls.has_publication)
		return;
	dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
					 "publication \"%s\" was dropped",
					 dbmazz_to_utf8(calls.publication));
	dbmazz_error_detail(&error, "It was not there for changes that committed at "
						"%X/%X.", LSN_FORMAT_ARGS(txn->final_lsn));
	dbmazz_error_hint(&error, "Changes are missing from the target for good. "
					  "Create the publication again. " DBMAZZ_REPAIR_HINT);
	dbmazz_worker_fail(calls.p, &error);
}

/* ---- transactions --------------------------------------------------------- */

/*
 * Changes are counted before pgoutput looks at them, so that their numbers depend
 * on the WAL alone, whatever the publication leaves out.
 */
static void
count_change(const ReorderBufferTXN *txn)
{
	if (calls.counted != txn->final_lsn)
		calls.number = 0;
	calls.counted = txn->final_lsn;
	calls.number++;
	calls.nchanges++;
}

/* It hears of a transaction when it gets something of it. */
static void
begin_pgoutput(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	if (calls.has_begun)
		return;
	calls.has_begun = true;
	calls.begin_cb(ctx, txn);
}

static void
take_truncate(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
			  int nrelations, Relation relations[],
			  ReorderBufferChange *change)
{
	count_change(txn);
	begin_pgoutput(ctx, txn);
	calls.truncate_cb(ctx, txn, nrelations, relations, change);
}

static void
take_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
			Relation relation, ReorderBufferChange *change)
{
	count_change(txn);
	if (!calls.has_publication)
		check_publication(txn);
	if (calls.ops->change(calls.ops->arg, relation, change, calls.number))
		return;
	begin_pgoutput(ctx, txn);
	calls.change_cb(ctx, txn, relation, change);
	calls.ops->changed(calls.ops->arg, relation, change);
}

static void
take_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	calls.has_begun = false;
	calls.ops->begin(calls.ops->arg, txn->final_lsn,
					 txn->xact_time.commit_time, txn->xid);
}

/*
 * The server writes the statistics of the slot at each commit that has any, which
 * takes a lock and a look-up: with short transactions more than all of ours.  So
 * they are put aside here, and written when there is something to do anyway.
 */
static void
hold_statistics(ReorderBuffer *rb)
{
	calls.stat_txns += rb->totalTxns;
	calls.stat_bytes += rb->totalBytes;
	rb->totalTxns = rb->totalBytes = 0;
}

static void
take_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
			XLogRecPtr commit_lsn)
{
	if (calls.has_begun)
		calls.commit_cb(ctx, txn, commit_lsn);
	hold_statistics(ctx->reorder);
	if (!calls.has_blocks)
		dbmazz_reorder_keep_blocks_compat(ctx->reorder, txn);
	calls.has_blocks = true;
	calls.ops->commit(calls.ops->arg);
}

/* ---- for the session ------------------------------------------------------ */

void
dbmazz_decoder_calls_wrap(LogicalDecodingContext *ctx, DbmazzPipeline *p,
						  const DbmazzDecoderOps *ops,
						  const char *publication)
{
	OutputPluginCallbacks *cb = &ctx->callbacks;

	memset(&calls, 0, sizeof(calls));
	calls.ctx = ctx;
	calls.p = p;
	calls.ops = ops;
	calls.publication = publication;
	calls.begin_cb = cb->begin_cb;
	calls.commit_cb = cb->commit_cb;
	calls.change_cb = cb->change_cb;
	calls.truncate_cb = cb->truncate_cb;
	cb->begin_cb = take_begin;
	cb->commit_cb = take_commit;
	cb->change_cb = take_change;
	cb->truncate_cb = take_truncate;
	ctx->prepare_write = prepare_write;
	ctx->write = take_write;
	CacheRegisterSyscacheCallback(PUBLICATIONOID, publication_changed,
								  (Datum) 0);
}

uint32
dbmazz_decoder_calls_changes(void)
{
	return calls.nchanges;
}

void
dbmazz_decoder_calls_seen(void)
{
	calls.nchanges = 0;
	if (calls.stat_txns == 0)
		return;
	calls.ctx->reorder->totalTxns += calls.stat_txns;
	calls.ctx->reorder->totalBytes += calls.stat_bytes;
	calls.stat_txns = calls.stat_bytes = 0;
	UpdateDecodingStats(calls.ctx);
}
