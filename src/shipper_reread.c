/*
 * shipper_reread.c
 *		Batches of rows that came without large values: reads them in the table.
 *
 * NOTES
 *	  Such a batch has only keys (core/keyrow.h).  It is sent in portions: each is
 *	  read in a transaction of its own, encoded into memory of this process, and
 *	  loaded like any batch of full rows, under a label of its own; a portion that
 *	  must be sent again is the same bytes.  The batch is finished after its last
 *	  portion.  Rows that are not there any more are left out.  Why that is right
 *	  is in README.md, "Rows that are read again".
 *
 *	  A commit is in the WAL, and so with us, a moment before other processes see
 *	  its rows, or as long as it waits for a standby.  So nothing is read before
 *	  the transactions of the batch have left the list of those that run.
 *
 *	  Memory: a portion ends at batch_max_rows, at batch_max_bytes, and at a share
 *	  of the pipeline's buffer; the portions of all lanes together take at most
 *	  as much as that buffer once more.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog_rows.h"
#include "core/encode_json.h"
#include "core/keyrow.h"
#include "debug_point.h"
#include "encoding.h"
#include "guc.h"
#include "miscadmin.h"
#include "queue.h"
#include "report.h"
#include "shipper_private.h"
#include "storage/procarray.h"
#include "unfit.h"
#include "utils/memutils.h"
#include "worker.h"

#define PORTION_SHARE	4		/* of the pipeline's buffer */
#define MAX_LOOKS		10000	/* for keys, in one transaction */

struct DbmazzReread
{
	DbmazzBatchView keys;
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;		/* the next row that was not read, */
	DbmazzRowEntry *entry;		/* or NULL: all were */
	bool		is_visible;		/* its transactions are */
	bool		is_replay;		/* the keys are dead ones (shipper_replay.c) */
	DbmazzCommits *commits;		/* of these, what their letters can be of */
	bool		gone;			/* of these, the second pass: for rows that are
								 * not there */
	bool		has[DBMAZZ_MAX_VALUES];
	DbmazzTuple tuple;
	MemoryContext row_cxt;

	/* the portion */
	DbmazzTableDesc *desc;
	DbmazzRowPlan *plan;
	DbmazzBatchWriter writer;
	char	   *pool;
	uint32		nsegments;		/* of the pool */
	uint32		nused;
};

/* ---- rows of the batch ------------------------------------------------------ */

/* Step to the next row that no later one of its key replaces. */
static void
next_row(DbmazzReread *r)
{
	do
	{
		r->entry = dbmazz_rows_next(&r->cursor, &r->segment);
	} while (r->entry != NULL && (r->entry->flags & DBMAZZ_ROW_SUPERSEDED));
}

/* Its key and the transaction that changed it; the key is in the current context. */
static TransactionId
get_row(DbmazzReread *r)
{
	char	   *bytes = palloc(r->entry->length);
	TransactionId xid;

	dbmazz_row_copy(&r->keys, r->segment, r->entry, 0, bytes,
					r->entry->length);
	if (!dbmazz_keyrow_get(r->keys.table, bytes, r->entry->length, &r->tuple,
						   &xid))
		elog(ERROR, "malformed row in a batch");
	return xid;
}

/* Can a new snapshot see all transactions of the batch? */
static bool
all_visible(DbmazzReread *r)
{
	TransactionId last = InvalidTransactionId;
	MemoryContext old = MemoryContextSwitchTo(r->row_cxt);

	r->is_visible = !r->is_replay ||
		dbmazz_commits_are_visible(r->commits);
	dbmazz_rows_begin(&r->cursor, &r->keys);
	for (next_row(r); r->entry != NULL && r->is_visible; next_row(r))
	{
		TransactionId xid = get_row(r);

		/* dead keys have none */
		if (xid != last)
			r->is_visible = !TransactionIdIsInProgress(xid);
		last = xid;
		MemoryContextReset(r->row_cxt);
	}
	MemoryContextSwitchTo(old);
	dbmazz_rows_begin(&r->cursor, &r->keys);
	next_row(r);
	return r->is_visible;
}

/* ---- memory ------------------------------------------------------------------ */

static DbmazzSegment *
next_segment(void *arg, uint32 *index)
{
	DbmazzReread *r = arg;

	if (r->nused == r->nsegments)
		return NULL;
	*index = r->nused++;
	return dbmazz_segment_at(r->pool, *index);
}

/* Segments that the description takes in front of the rows. */
static uint32
head_segments(const DbmazzReread *r)
{
	return 1 + r->keys.table->size / DBMAZZ_SEGMENT_SIZE;
}

/* Make the pool as large as that; false if other lanes have too much. */
static bool
get_pool(DbmazzShipper *s, Lane *lane, uint32 nsegments)
{
	DbmazzReread *r = lane->reread;

	if (s->reread_segments > r->nsegments &&
		s->reread_segments - r->nsegments + nsegments > s->p->nsegments)
		return false;
	if (r->pool != NULL)
		pfree(r->pool);
	s->reread_segments += nsegments - r->nsegments;
	r->nsegments = nsegments;
	/* what is not used costs nothing */
	r->pool = MemoryContextAllocHuge(lane->cxt,
									 (Size) nsegments * DBMAZZ_SEGMENT_SIZE);
	return true;
}

void
dbmazz_reread_end(DbmazzShipper *s, Lane *lane)
{
	if (lane->reread != NULL)
		s->reread_segments -= lane->reread->nsegments;
	lane->reread = NULL;
}

/* ---- a portion ----------------------------------------------------------------- */

/* Rows have the columns that the table still has, and those that came. */
static void
begin_portion(DbmazzShipper *s, Lane *lane, DbmazzReread *r)
{
	const DbmazzTableDesc *full = r->keys.table;
	bool		all = true;
	int			i;

	if (r->desc != NULL)
	{
		pfree(r->desc);
		pfree(r->plan);
	}
	for (i = 0; i < full->ncolumns; i++)
	{
		/* a row that is only marked as deleted keeps its values */
		if (r->gone)
			r->has[i] = !s->soft_deletes;
		r->has[i] |= dbmazz_keyrow_has(&full->columns[i]);
		all = all && r->has[i];
	}
	r->desc = MemoryContextAlloc(lane->cxt, Max(full->size,
												dbmazz_desc_subset_size(full)));
	if (all)
		memcpy(r->desc, full, full->size);
	else
		dbmazz_desc_subset(full, r->has, full->generation, r->desc);
	r->plan = MemoryContextAlloc(lane->cxt, dbmazz_row_plan_size(r->desc));
	dbmazz_row_plan_init(r->plan, r->desc, s->unrepresentable);
	r->nused = 0;
	if (dbmazz_batch_begin(&r->writer, next_segment, r, r->desc) != DBMAZZ_OK)
		elog(ERROR, "could not begin a batch");
}

/* Encode the row in r->tuple, or that it is deleted. */
static DbmazzStatus
put_row(DbmazzReread *r, bool is_delete, DbmazzError *err)
{
	DbmazzRowSource source = {&r->tuple, NULL, false};
	DbmazzRowKey key = {0};
	DbmazzStatus status = dbmazz_row_begin(&r->writer);

	if (status != DBMAZZ_OK)
		return status;
	status = is_delete ?
		dbmazz_json_delete(&r->writer, r->plan, &source, &key, err) :
		dbmazz_json_upsert(&r->writer, r->plan, &source, &key, err);
	if (status != DBMAZZ_OK)
		(void) dbmazz_row_abort(&r->writer);
	else
		dbmazz_row_end(&r->writer, is_delete ? DBMAZZ_ROW_DELETE :
					   r->entry->op, key.length, key.hash,
					   r->entry->commit_lsn, r->entry->sequence);
	return status;
}

static bool
is_full(DbmazzShipper *s, const DbmazzReread *r)
{
	return r->writer.nrows >= pg_atomic_read_u32(&s->p->batch_max_rows) ||
		r->writer.nbytes >= pg_atomic_read_u64(&s->p->batch_max_bytes);
}

/*
 * Read and encode rows, as many as the portion takes.  DBMAZZ_ERR_NO_SPACE: not
 * even one.
 */
static DbmazzStatus
read_rows(DbmazzShipper *s, DbmazzReread *r, DbmazzRowReader *reader,
		  DbmazzError *err)
{
	MemoryContext old = MemoryContextSwitchTo(r->row_cxt);
	DbmazzStatus status = DBMAZZ_OK;
	int			nlooks = 0;

	/* other lanes wait meanwhile, also for keys whose rows are gone */
	while (r->entry != NULL && !is_full(s, r) && nlooks++ < MAX_LOOKS)
	{
		MemoryContextReset(r->row_cxt);
		(void) get_row(r);
		switch (dbmazz_catalog_rows_read(reader, &r->tuple, err))
		{
			case DBMAZZ_ROW_READ:
				if (!r->gone && !dbmazz_encoding_is_utf8())
					status = dbmazz_encoding_tuple(r->desc, &r->tuple, false,
												   r->is_replay ||
												   dbmazz_on_bad_row !=
												   DBMAZZ_BAD_ROW_STOP,
												   s->unrepresentable, err);
				if (!r->gone && status == DBMAZZ_OK)
					status = put_row(r, false, err);
				break;
			case DBMAZZ_ROW_GONE:
				if (r->gone && s->soft_deletes)
					dbmazz_replay_stamp_deleted(r->keys.table, &r->tuple);
				if (r->gone)
					status = put_row(r, !s->soft_deletes, err);
				break;
			case DBMAZZ_ROW_HIDDEN:
				status = err->status;
				break;
		}
		if (status != DBMAZZ_OK)
			break;
		next_row(r);
	}
	MemoryContextSwitchTo(old);
	/* the row comes first in the next portion */
	if ((status == DBMAZZ_ERR_NO_SPACE || status == DBMAZZ_ERR_UNREPRESENTABLE) &&
		r->writer.nrows > 0)
		status = DBMAZZ_OK;
	return status;
}

/* One transaction: open the table, read, leave. */
static DbmazzRereadResult
read_portion(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	DbmazzReread *r = lane->reread;
	DbmazzRowReader *reader;
	DbmazzStatus status;

	switch (dbmazz_catalog_rows_begin(r->keys.table, s->publication, r->has,
									  &reader, err))
	{
		case DBMAZZ_READER_LOCKED:
			return DBMAZZ_REREAD_LATER;
		case DBMAZZ_READER_CHANGED:
			return DBMAZZ_REREAD_FAILED;
		case DBMAZZ_READER_GONE:
			r->entry = NULL;
			r->gone = true;
			r->writer.nrows = 0;
			return DBMAZZ_REREAD_NOTHING;
		case DBMAZZ_READER_READY:
			break;
	}
	begin_portion(s, lane, r);
	status = read_rows(s, r, reader, err);
	if (status == DBMAZZ_ERR_NO_SPACE && r->nsegments < s->p->nsegments &&
		get_pool(s, lane, s->p->nsegments))
	{
		begin_portion(s, lane, r);
		status = read_rows(s, r, reader, err);
	}
	dbmazz_catalog_rows_end(reader);
	if (status == DBMAZZ_ERR_NO_SPACE && r->nsegments < s->p->nsegments)
		return DBMAZZ_REREAD_LATER;
	if (status != DBMAZZ_OK)
		return DBMAZZ_REREAD_FAILED;
	if (r->writer.nrows > 0)
		return DBMAZZ_REREAD_READY;
	return r->entry != NULL ? DBMAZZ_REREAD_LATER : DBMAZZ_REREAD_NOTHING;
}

/*
 * Is the error one of the table: of a value, a name, a privilege, of a function
 * that its owner has written?  It would come at every attempt.
 */
static bool
is_of_table(int code)
{
	switch (ERRCODE_TO_CATEGORY(code))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_PLPGSQL_ERROR:
			return true;
		default:
			return false;
	}
}

/* Take the server's error over. */
static void
take_error(bool is_replay, DbmazzError *err)
{
	ErrorData  *edata = CopyErrorData();

	dbmazz_error_from_server(err, edata);
	FreeErrorData(edata);
	if (is_replay)
	{
		if (err->hint[0] == '\0')
			dbmazz_error_hint(err, "Remove the cause, then call "
							  "dbmazz.replay_dead_letters() again.");
		return;
	}
	if (err->detail[0] == '\0')
		dbmazz_error_detail(err, "An update of the key came without the value of "
							"an unchanged large column, and the row could not be "
							"read in the table.");
	if (err->hint[0] == '\0')
		dbmazz_error_hint(err, "Remove the cause, then stop and start the "
						  "pipeline; or drop it, create it again, and load the "
						  "table anew.");
}

DbmazzRereadResult
dbmazz_reread_caught(MemoryContext cxt, bool is_replay, DbmazzError *err)
{
	int			code = geterrcode();
	DbmazzRereadResult result = DBMAZZ_REREAD_LATER;

	if (code != ERRCODE_LOCK_NOT_AVAILABLE && !is_of_table(code))
		PG_RE_THROW();
	MemoryContextSwitchTo(cxt);
	if (code != ERRCODE_LOCK_NOT_AVAILABLE)
	{
		take_error(is_replay, err);
		result = DBMAZZ_REREAD_FAILED;
	}
	FlushErrorState();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(cxt);
	return result;
}

/*
 * Neither a lock that somebody holds nor trouble with one table is a reason to end
 * the life of all: errors for that are caught, and the transaction is given up.
 */
static DbmazzRereadResult
read_in_transaction(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	DbmazzReread *r = lane->reread;
	DbmazzRowCursor cursor = r->cursor;
	DbmazzSegment *segment = r->segment;
	DbmazzRowEntry *entry = r->entry;
	MemoryContext cxt = CurrentMemoryContext;
	volatile DbmazzRereadResult result = DBMAZZ_REREAD_LATER;

	PG_TRY();
	{
		dbmazz_worker_begin();
		result = read_portion(s, lane, err);
		dbmazz_worker_commit();
	}
	PG_CATCH();
	{
		result = dbmazz_reread_caught(cxt, r->is_replay, err);
		r->cursor = cursor;
		r->segment = segment;
		r->entry = entry;
	}
	PG_END_TRY();
	return result;
}

/* Names and remedy for what did not work with the row in r->tuple. */
static void
describe_failure(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	const DbmazzReread *r = lane->reread;

	if (err->status == DBMAZZ_ERR_NO_SPACE || err->status == DBMAZZ_ERR_LIMIT)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
						 "a row is larger than the pipeline's buffer of %u kB",
						 (unsigned) (s->p->nsegments *
									 (DBMAZZ_SEGMENT_SIZE / 1024)));
		dbmazz_error_hint(err, "Raise dbmazz.pipeline_buffer_size (and "
						  "dbmazz.buffer_size), then stop and start the "
						  "pipeline.");
	}
	else if (err->column > 0)
	{
		DbmazzRowSource source = {&r->tuple, NULL, false};
		DbmazzColumnSet set = {.desc = r->desc, .plan = r->plan};

		dbmazz_unfit_describe(err, &set, &source, r->entry->commit_lsn);
	}
}

/* ---- for the lane --------------------------------------------------------------- */

bool
dbmazz_reread_has_more(const Lane *lane)
{
	const DbmazzReread *r = lane->reread;

	return r != NULL && (r->entry != NULL || (r->is_replay && !r->gone));
}

bool
dbmazz_reread_has_begun(const Lane *lane)
{
	return lane->reread != NULL && lane->reread->is_visible;
}

const char *
dbmazz_reread_waits_for(const Lane *lane)
{
	if (lane->reread != NULL && !lane->reread->is_visible)
		return "transactions that have committed, but are not visible";
	return lane->reread == NULL ? "a lock on the table" :
		"a lock on the table, or memory";
}

void
dbmazz_reread_begin(Lane *lane, bool is_replay)
{
	DbmazzReread *r = MemoryContextAllocZero(lane->cxt, sizeof(*r));

	Assert(lane->reread == NULL);
	r->keys = lane->view;
	r->is_replay = is_replay;
	if (is_replay)
		r->commits = dbmazz_commits_begin(lane->cxt);
	r->row_cxt = AllocSetContextCreate(lane->cxt, "dbmazz row",
									   ALLOCSET_DEFAULT_SIZES);
	lane->reread = r;
}

/* All dead keys whose rows are there have been sent: now the others. */
static void
begin_pass_for_gone(DbmazzReread *r)
{
	Assert(r->is_replay && !r->gone);
	r->gone = true;
	dbmazz_rows_begin(&r->cursor, &r->keys);
	next_row(r);
}

/* Where a row cannot be sent the others go on, if it can be kept. */
static DbmazzRereadResult
keep_unfit(DbmazzShipper *s, Lane *lane, const DbmazzError *err)
{
	DbmazzReread *r = lane->reread;

	switch (dbmazz_unfit_read(s, lane, r->desc, r->plan, &r->tuple, r->entry,
							  err))
	{
		case DBMAZZ_UNFIT_KEPT:
			break;
		case DBMAZZ_UNFIT_NOT_KEPT:
			return DBMAZZ_REREAD_FAILED;
		case DBMAZZ_UNFIT_STOPPED:
			return DBMAZZ_REREAD_STOPPED;
	}
	next_row(r);
	return DBMAZZ_REREAD_NOTHING;
}

/* The next portion; NOTHING: only of this pass over the keys. */
static DbmazzRereadResult
next_portion(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	DbmazzReread *r = lane->reread;
	DbmazzRereadResult result;

	do
	{
		CHECK_FOR_INTERRUPTS();
		dbmazz_error_reset(err);
		result = read_in_transaction(s, lane, err);
		if (result != DBMAZZ_REREAD_FAILED)
			break;
		describe_failure(s, lane, err);
		if (err->status == DBMAZZ_ERR_UNREPRESENTABLE && err->column > 0)
			result = keep_unfit(s, lane, err);
	} while (result == DBMAZZ_REREAD_NOTHING && r->entry != NULL);
	return result;
}

DbmazzRereadResult
dbmazz_reread_portion(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	DbmazzReread *r = lane->reread;
	uint32		share = s->p->nsegments / PORTION_SHARE;
	DbmazzRereadResult result;

	DBMAZZ_DEBUG_POINT("before_reread");
	if (!r->is_visible && !all_visible(r))
		return DBMAZZ_REREAD_LATER;
	if (r->pool == NULL &&
		!get_pool(s, lane, Max(share, 1) + head_segments(r)))
		return DBMAZZ_REREAD_LATER;
	if (r->entry == NULL && dbmazz_reread_has_more(lane))
		begin_pass_for_gone(r);
	result = next_portion(s, lane, err);
	if (result == DBMAZZ_REREAD_NOTHING && dbmazz_reread_has_more(lane))
	{
		begin_pass_for_gone(r);
		result = next_portion(s, lane, err);
	}
	DBMAZZ_DEBUG_POINT("rows_read");
	if (result == DBMAZZ_REREAD_READY)
	{
		lane->view.pool = r->pool;
		lane->view.head = r->writer.head;
		lane->view.nrows = r->writer.nrows;
		lane->view.nbytes = r->writer.nbytes;
		lane->view.table = r->desc;
		lane->request.nrows = r->writer.nrows;
	}
	return result;
}
