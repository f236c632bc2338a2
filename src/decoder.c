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
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "compat.h"
#include "debug_point.h"
#include "decoder_private.h"
#include "guc.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "replication/decode.h"
#include "replication/slot.h"
#include "slot.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "wakeup.h"
#include "worker.h"

#define LOOK_MS			1000	/* fallback where no commit wakes us */
#define UNFLUSHED_MS	5		/* a commit is known but not flushed yet */
#define TOGETHER_MS		10		/* commits that cannot leave are let gather */
#define TICK_WAL		262144	/* bytes that are decoded between two ticks, */
#define TICK_CHANGES	1024	/* or changes */
#define HEALTHY_MS		10000
#define STANDBY_WORD_MS	60000	/* between words on standbys that are missing */
#define AHEAD_BYTES		(16 * XLOG_BLCKSZ)	/* read at once from a backlog */

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
	XLogRecPtr	ticked_at;		/* where we were at the last tick */
	XLogRecPtr	napped_for;		/* WAL that the last nap waited for */
}			session;

/* Whole pages of WAL that were read at once, all of the segment read last. */
static struct
{
	char	   *data;
	XLogRecPtr	from;
	XLogRecPtr	upto;
}			ahead;

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

/*
 * What there is to do besides decoding; 'at_rest' if that waits for WAL.  Returns
 * the milliseconds until it is to be done again, or -1.
 */
static long
do_duties(bool at_rest)
{
	long		due = session.ops->tick(session.ops->arg, at_rest);

	dbmazz_decoder_confirm(session.p);
	dbmazz_decoder_calls_seen();
	return due;
}

/*
 * Is the wait for WAL up to 'wanted' one that commits need not end?  To be woken for
 * each costs more than to decode a short transaction.  So where all that is open
 * waits anyway, for 'due' ms, some commits are let gather.  This is said once for
 * each 'wanted': if none has come in that time, the next one is decoded at once.
 */
static bool
let_gather(XLogRecPtr wanted, long due)
{
	bool		result = due >= TOGETHER_MS && wanted != session.napped_for;

	if (result)
		session.napped_for = wanted;
	return result;
}

/* Sleep until WAL up to 'wanted' may have been flushed, or a duty is due. */
static void
wait_for_wal(XLogRecPtr wanted)
{
	DbmazzPipeline *p = session.p;
	long		due = -1;
	long		nap = LOOK_MS;

	CHECK_FOR_INTERRUPTS();
	dbmazz_worker_reloaded();
	if (session.ops != NULL)
	{
		due = do_duties(true);

		if (due >= 0)
			nap = Min(nap, due);
		if (!pg_atomic_read_u32(&p->healthy) &&
			TimestampDifferenceExceeds(session.began, GetCurrentTimestamp(),
									   HEALTHY_MS))
			pg_atomic_write_u32(&p->healthy, 1);
	}

	/* arm, then look once more: a commit in between is not missed */
	if (let_gather(wanted, due))
		nap = TOGETHER_MS;
	else
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
 * Read 'count' bytes of a page, of which WAL up to 'upto' may be read.  From a
 * backlog come many pages at once, as a call of the kernel for each is a part of
 * what decoding costs; WAL that was flushed does not change.  Never those of the
 * next segment, which may be of another timeline: the reader takes the file that is
 * open for that of its page.
 */
static void
read_wal(XLogReaderState *state, XLogRecPtr page, int count, XLogRecPtr upto,
		 TimeLineID tli, char *buffer)
{
	XLogRecPtr	end = page - XLogSegmentOffset(page, wal_segment_size) +
		wal_segment_size;
	Size		size = Min(Min(upto, end) - page, AHEAD_BYTES);
	WALReadError errinfo;
	char	   *to = buffer;

	size -= size % XLOG_BLCKSZ;
	ahead.from = ahead.upto = InvalidXLogRecPtr;
	if (size > XLOG_BLCKSZ)
	{
		if (ahead.data == NULL)
			ahead.data = MemoryContextAlloc(TopMemoryContext, AHEAD_BYTES);
		to = ahead.data;
	}
	else
		size = count;
	if (!WALRead(state, to, page, size, tli, &errinfo))
		WALReadRaiseError(&errinfo);
	if (to == buffer)
		return;
	ahead.from = page;
	ahead.upto = page + size;
	memcpy(buffer, to, count);
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
	int			count;

	if (page >= ahead.from && page < ahead.upto)
	{
		memcpy(buffer, ahead.data + (page - ahead.from), XLOG_BLCKSZ);
		return XLOG_BLCKSZ;
	}
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
	read_wal(state, page, count, upto, tli, buffer);
	return count;
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
								NULL, NULL, NULL);
	dbmazz_decoder_calls_wrap(ctx, session.p, session.ops, row->publication);
	session.ticked_at = MyReplicationSlot->data.restart_lsn;
	XLogBeginRead(ctx->reader, MyReplicationSlot->data.restart_lsn);
	InvalidateSystemCaches();
	MemoryContextSwitchTo(old);
	return ctx;
}

/*
 * Duties are looked at before each wait for WAL (page_read), so nothing is late
 * where we keep up.  Where there is more to decode, a look at each commit would
 * cost more than a short transaction does, and would cut it a load of its own.
 */
static bool
is_tick_due(XLogRecPtr upto)
{
	return upto - session.ticked_at >= TICK_WAL ||
		dbmazz_decoder_calls_changes() >= TICK_CHANGES ||
		session.ops->committed(session.ops->arg);
}

void
dbmazz_decoder_run(DbmazzPipeline *p, const DbmazzPipelineRow *row,
				   XLogRecPtr start_lsn, XLogRecPtr checkpoint_lsn,
				   const DbmazzDecoderOps *ops)
{
	LogicalDecodingContext *ctx;

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
		if (is_tick_due(ctx->reader->EndRecPtr))
		{
			session.ticked_at = ctx->reader->EndRecPtr;
			dbmazz_worker_reloaded();
			(void) do_duties(false);
		}
	}
}
