/*
 * decoder.c
 *		The replication slot and the in-process decoding session.
 *
 * NOTES
 *	  While it decodes, this process never runs SQL: catalog caches filled at an
 *	  old position must not meet a normal transaction, and between records vacuum
 *	  ignores our xmin.  The checkpoint row is the shipper's business; only the
 *	  LSN comes back through shared memory, and only the owner of the slot, this
 *	  process, can confirm it.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "compat.h"
#include "debug_point.h"
#include "decoder.h"
#include "encoding.h"
#include "guc.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/slot.h"
#include "slot.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "wakeup.h"
#include "worker.h"

#define LOOK_MS			1000	/* fallback where no commit wakes us */
#define UNFLUSHED_MS	5		/* a commit is known but not flushed yet */
#define TICK_RECORDS	1024	/* look at the clock at least this often */
#define HEALTHY_MS		10000
#define STANDBY_WORD_MS	60000	/* between words on standbys that are missing */

/* The session; callbacks of the WAL reader get no better place for it. */
static struct
{
	DbmazzPipeline *p;
	const DbmazzDecoderOps *ops;	/* NULL while a slot is made */
	uint32		wait_event;
	XLogRecPtr	confirmed;
	XLogRecPtr	pending;		/* to be confirmed when all standbys have */
	XLogRecPtr	pending_row;	/* WAL up to here; 0: nothing is pending */
	bool		has_standbys;	/* the slot is a failover slot */
	XLogRecPtr	standbys_have;	/* WAL that all of them have confirmed */
	XLogRecPtr	standbys_goal;	/* what we ask for */
	TimestampTz standbys_word;	/* last word on missing ones */
	TimestampTz began;
	const char *publication;
	bool		has_publication;	/* as far as is known */
	LogicalDecodeBeginCB begin_cb;	/* pgoutput's */
	LogicalDecodeCommitCB commit_cb;
	LogicalDecodeChangeCB change_cb;
	LogicalDecodeTruncateCB truncate_cb;
	XLogRecPtr	counted;		/* transaction whose changes are counted */
	uint64		number;			/* of the change at hand in it */
}			session;

/*
 * Where decoding may go: with a failover slot not beyond what the standbys have,
 * else the target would have changes that a promoted standby has not.  A goal is
 * kept until it is reached, so that it is reached while WAL is written; one that
 * lets the slot be confirmed comes first.
 */
static XLogRecPtr
readable_upto(TimeLineID *tli)
{
	XLogRecPtr	flushed = GetFlushRecPtr(tli);
	TimestampTz now;
	bool		has_word;

	if (!session.has_standbys)
		return flushed;
	if (session.standbys_goal <= session.standbys_have)
		session.standbys_goal =
			session.pending_row > session.standbys_have ?
			Min(session.pending_row, flushed) : flushed;
	now = GetCurrentTimestamp();
	has_word = TimestampDifferenceExceeds(session.standbys_word, now,
										  STANDBY_WORD_MS);
	if (dbmazz_standbys_have_compat(session.standbys_goal,
									has_word ? WARNING : DEBUG1))
		session.standbys_have = session.standbys_goal;
	else if (has_word)
		session.standbys_word = now;
	return Min(flushed, session.standbys_have);
}

/*
 * A standby that has the slot there must have the checkpoint row as well.  One
 * that lags gets a newer row while it receives the last one, so what is to be
 * confirmed is kept until it can be: else it would wait for the newest for ever.
 */
void
dbmazz_decoder_confirm(void *arg)
{
	DbmazzPipeline *p = arg;

	for (;;)
	{
		if (session.pending == InvalidXLogRecPtr)
		{
			XLogRecPtr	lsn = pg_atomic_read_u64(&p->durable_lsn);

			if (lsn <= session.confirmed)
				return;
			pg_read_barrier();
			session.pending_row = pg_atomic_read_u64(&p->durable_row_lsn);
			session.pending = lsn;
		}
		if (session.has_standbys &&
			session.pending_row > session.standbys_have)
			return;
		LogicalConfirmReceivedLocation(session.pending);
		/* the server does this only when the catalog xmin moved as well */
		ReplicationSlotsComputeRequiredLSN();
		DBMAZZ_DEBUG_POINT("slot_confirmed");
		session.confirmed = session.pending;
		session.pending = session.pending_row = InvalidXLogRecPtr;
		pg_atomic_write_u64(&p->confirmed_lsn, session.confirmed);
	}
}

/* Sleep until WAL up to 'wanted' may have been flushed, or a duty is due. */
static void
wait_for_wal(XLogRecPtr wanted)
{
	DbmazzPipeline *p = session.p;
	long		nap = LOOK_MS;

	CHECK_FOR_INTERRUPTS();
	dbmazz_worker_reloaded();
	if (session.ops != NULL)
	{
		long		due = session.ops->tick(session.ops->arg);

		dbmazz_decoder_confirm(p);
		if (due >= 0)
			nap = Min(nap, due);
		if (!pg_atomic_read_u32(&p->healthy) &&
			TimestampDifferenceExceeds(session.began, GetCurrentTimestamp(),
									   HEALTHY_MS))
			pg_atomic_write_u32(&p->healthy, 1);
	}

	/* arm, then look once more: a commit in between is not missed */
	dbmazz_wakeup_arm(p);
	if (session.has_standbys)
		dbmazz_standbys_wait_begin_compat();
	if (readable_upto(NULL) < wanted)
	{
		if (pg_atomic_read_u64(&dbmazz_shmem->commit_lsn) >= wanted)
			nap = Min(nap, UNFLUSHED_MS);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 nap, session.wait_event);
		ResetLatch(MyLatch);
	}
	if (session.has_standbys)
		dbmazz_standbys_wait_end_compat();
	dbmazz_wakeup_disarm(p);
}

/*
 * page_read of the WAL reader: like read_local_xlog_page(), but it waits on the
 * latch and does our duties meanwhile.
 */
static int
page_read(XLogReaderState *state, XLogRecPtr page, int len,
		  XLogRecPtr record, char *buffer)
{
	XLogRecPtr	wanted = page + len;
	XLogRecPtr	upto;
	TimeLineID	tli;
	WALReadError errinfo;
	int			count;

	for (;;)
	{
		upto = readable_upto(&tli);
		XLogReadDetermineTimeline(state, page, len, tli);
		if (state->currTLI != tli)
		{
			/* a timeline that ended: all of its WAL is there */
			upto = state->currTLIValidUntil;
			tli = state->currTLI;
			break;
		}
		if (wanted <= upto)
			break;
		wait_for_wal(wanted);
	}
	if (page + XLOG_BLCKSZ <= upto)
		count = XLOG_BLCKSZ;
	else if (wanted > upto)
		return -1;
	else
		count = (int) (upto - page);
	if (!WALRead(state, buffer, page, count, tli, &errinfo))
		WALReadRaiseError(&errinfo);
	return count;
}

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
	session.ops->message(session.ops->arg, lsn, session.number, ctx->out->data,
						 ctx->out->len);
}

/* ---- publication --------------------------------------------------------- */

static void
publication_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	session.has_publication = false;
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

	session.has_publication =
		OidIsValid(get_publication_oid(session.publication, true));
	if (session.has_publication)
		return;
	dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
					 "publication \"%s\" was dropped",
					 dbmazz_to_utf8(session.publication));
	dbmazz_error_detail(&error, "It was not there for changes that committed at "
						"%X/%X.", LSN_FORMAT_ARGS(txn->final_lsn));
	dbmazz_error_hint(&error, "Changes are missing from the target for good. "
					  "Create the publication again. " DBMAZZ_REPAIR_HINT);
	dbmazz_worker_fail(session.p, &error);
}

/*
 * Changes are counted before pgoutput looks at them, so that their numbers depend
 * on the WAL alone, whatever the publication leaves out.
 */
static void
count_change(const ReorderBufferTXN *txn)
{
	if (session.counted != txn->final_lsn)
		session.number = 0;
	session.counted = txn->final_lsn;
	session.number++;
}

static void
take_truncate(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
			  int nrelations, Relation relations[],
			  ReorderBufferChange *change)
{
	count_change(txn);
	session.truncate_cb(ctx, txn, nrelations, relations, change);
}

static void
take_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
			Relation relation, ReorderBufferChange *change)
{
	count_change(txn);
	if (!session.has_publication)
		check_publication(txn);
	if (session.ops->change(session.ops->arg, relation, change,
							session.number))
		return;
	session.change_cb(ctx, txn, relation, change);
	session.ops->changed(session.ops->arg, relation, change);
}

static void
take_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	session.begin_cb(ctx, txn);
	session.ops->begin(session.ops->arg, txn->final_lsn,
					   txn->xact_time.commit_time, txn->xid);
}

static void
take_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
			XLogRecPtr commit_lsn)
{
	session.commit_cb(ctx, txn, commit_lsn);
	session.ops->commit(session.ops->arg);
}

/* ---- slot ---------------------------------------------------------------- */

/* Give up until an operator has acted on the slot. */
static void
fail_slot(DbmazzPipeline *p, const char *slot, const char *what,
		  const char *hint)
{
	DbmazzError error;

	dbmazz_error_set(&error, DBMAZZ_ERR_MALFORMED, 0,
					 "replication slot \"%s\" %s", slot, what);
	dbmazz_error_hint(&error, "%s", hint);
	dbmazz_worker_fail(p, &error);
}

/* Take the slot, if it is there and ours. */
static void
acquire_slot(DbmazzPipeline *p, const char *slot)
{
	static const char *const remedy =
		"Changes are missing from the target for good. " DBMAZZ_REPAIR_HINT;

	if (SearchNamedReplicationSlot(slot, true) == NULL)
		fail_slot(p, slot, "does not exist any more", remedy);
	dbmazz_slot_acquire_compat(slot);
	if (!dbmazz_slot_is_ours(MyReplicationSlot))
		fail_slot(p, slot, "belongs to somebody else",
				  "Drop that slot, or give the pipeline another slot name.");
	if (dbmazz_slot_is_invalid_compat(MyReplicationSlot) ||
		XLogRecPtrIsInvalid(MyReplicationSlot->data.restart_lsn))
		fail_slot(p, slot, "was invalidated by the server", remedy);
}

XLogRecPtr
dbmazz_decoder_make_slot(DbmazzPipeline *p, const char *slot, bool may_adopt)
{
	LogicalDecodingContext *ctx;
	XLogRecPtr	start;

	session.p = p;
	session.ops = NULL;
	session.wait_event = dbmazz_wait_event_compat("DbmazzDecoderSlot");

	if (SearchNamedReplicationSlot(slot, true) != NULL)
	{
		if (!may_adopt)
			fail_slot(p, slot, "already exists",
					  "Drop that slot, or create the pipeline with another slot "
					  "name.");
		/* nothing has been sent yet, so its position is as good as a new one */
		acquire_slot(p, slot);
		start = MyReplicationSlot->data.confirmed_flush;
		ReplicationSlotRelease();
		return start;
	}

	CheckLogicalDecodingRequirements();
	dbmazz_slot_create_compat(slot, RS_EPHEMERAL);
	ctx = CreateInitDecodingContext("pgoutput", NIL, false, InvalidXLogRecPtr,
									XL_ROUTINE(.page_read = page_read,
											   .segment_open = wal_segment_open,
											   .segment_close = wal_segment_close),
									NULL, NULL, NULL);
	DecodingContextFindStartpoint(ctx);
	start = MyReplicationSlot->data.confirmed_flush;
	FreeDecodingContext(ctx);
	ReplicationSlotPersist();
	DBMAZZ_DEBUG_POINT("slot_created");
	ReplicationSlotRelease();
	return start;
}

/* ---- session ------------------------------------------------------------- */

/* Nothing is converted on the way to the callback: that could fail inside of
 * pgoutput (see encoding.h). */
static void
fix_settings(void)
{
	char		mem[32];

	SetConfigOption("client_encoding", GetDatabaseEncodingName(), PGC_USERSET,
					PGC_S_OVERRIDE);

	dbmazz_worker_fix_formats();
	snprintf(mem, sizeof(mem), "%d", dbmazz_decoder_work_mem_kb);
	SetConfigOption("logical_decoding_work_mem", mem, PGC_USERSET,
					PGC_S_OVERRIDE);
}

/* What start_pipeline() refuses, but the server's value may change later. */
static void
fail_setting(const char *message, const char *hint)
{
	DbmazzError error;

	dbmazz_error_set(&error, DBMAZZ_ERR_UNSUPPORTED, 0, "%s", message);
	dbmazz_error_hint(&error, "%s", hint);
	dbmazz_worker_fail(session.p, &error);
}

static List *
add_option(List *options, char *name, const char *value)
{
	return lappend(options,
				   makeDefElem(name, (Node *) makeString(pstrdup(value)), -1));
}

static List *
plugin_options(const DbmazzPipelineRow *row)
{
	List	   *options = NIL;

	options = add_option(options, "proto_version", "1");
	options = add_option(options, "publication_names",
						 quote_identifier(row->publication));
	if (dbmazz_origin == DBMAZZ_ORIGIN_ANY)
		return options;
	if (!DBMAZZ_HAVE_ORIGIN_FILTER)
		fail_setting(DBMAZZ_NO_ORIGIN_FILTER, DBMAZZ_NO_ORIGIN_FILTER_HINT);
	return add_option(options, "origin", "none");
}

/* The slot is ours; make it what dbmazz.failover says. */
static void
set_failover(void)
{
	if (dbmazz_failover && !DBMAZZ_HAVE_FAILOVER)
		fail_setting(DBMAZZ_NO_FAILOVER, DBMAZZ_NO_FAILOVER_HINT);
	dbmazz_slot_set_failover_compat(dbmazz_failover);
	session.has_standbys = dbmazz_failover;
}

static LogicalDecodingContext *
begin_session(const DbmazzPipelineRow *row, XLogRecPtr start_lsn,
			  XLogRecPtr checkpoint_lsn)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext,
											  "dbmazz decoding",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	LogicalDecodingContext *ctx;

	acquire_slot(session.p, row->slot);
	session.confirmed = MyReplicationSlot->data.confirmed_flush;
	if (session.confirmed > checkpoint_lsn)
		fail_slot(session.p, row->slot, "is ahead of the checkpoint",
				  "Somebody advanced or re-created the slot, so changes were "
				  "skipped. " DBMAZZ_REPAIR_HINT);
	pg_atomic_write_u64(&session.p->confirmed_lsn, session.confirmed);
	set_failover();

	ctx = CreateDecodingContext(start_lsn, plugin_options(row), false,
								XL_ROUTINE(.page_read = page_read,
										   .segment_open = wal_segment_open,
										   .segment_close = wal_segment_close),
								prepare_write, take_write, NULL);
	session.publication = row->publication;
	session.has_publication = false;
	session.begin_cb = ctx->callbacks.begin_cb;
	ctx->callbacks.begin_cb = take_begin;
	session.commit_cb = ctx->callbacks.commit_cb;
	ctx->callbacks.commit_cb = take_commit;
	session.change_cb = ctx->callbacks.change_cb;
	ctx->callbacks.change_cb = take_change;
	session.truncate_cb = ctx->callbacks.truncate_cb;
	ctx->callbacks.truncate_cb = take_truncate;
	session.counted = InvalidXLogRecPtr;
	CacheRegisterSyscacheCallback(PUBLICATIONOID, publication_changed,
								  (Datum) 0);
	XLogBeginRead(ctx->reader, MyReplicationSlot->data.restart_lsn);
	InvalidateSystemCaches();
	MemoryContextSwitchTo(old);
	return ctx;
}

void
dbmazz_decoder_run(DbmazzPipeline *p, const DbmazzPipelineRow *row,
				   XLogRecPtr start_lsn, XLogRecPtr checkpoint_lsn,
				   const DbmazzDecoderOps *ops)
{
	LogicalDecodingContext *ctx;
	int			records = 0;

	session.p = p;
	session.ops = ops;
	session.wait_event = dbmazz_wait_event_compat("DbmazzDecoderMain");
	session.began = GetCurrentTimestamp();
	fix_settings();
	ctx = begin_session(row, start_lsn, checkpoint_lsn);
	dbmazz_pipeline_set_state(p, DBMAZZ_STATE_STREAMING);
	dbmazz_worker_show(p, "streaming");

	for (;;)
	{
		char	   *err = NULL;
		XLogRecord *record = XLogReadRecord(ctx->reader, &err);

		if (err != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("could not read WAL: %s", err)));
		if (record != NULL)
		{
			LogicalDecodingProcessRecord(ctx, ctx->reader);

			/*
			 * Only here, between records: inside a callback the end of the
			 * record is already behind the commit.  Who sees the new value
			 * must also see the batches that were opened before.
			 */
			pg_write_barrier();
			if (ctx->reader->EndRecPtr > start_lsn)
				pg_atomic_write_u64(&p->decoded_upto, ctx->reader->EndRecPtr);
		}
		CHECK_FOR_INTERRUPTS();
		dbmazz_decoder_confirm(p);
		if (ops->committed(ops->arg) || ++records >= TICK_RECORDS)
		{
			dbmazz_worker_reloaded();
			(void) ops->tick(ops->arg);
			records = 0;
		}
	}
}
