/*
 * shipper_unfit.c
 *		Rows that were never sent, because the target cannot hold a value of them.
 *
 * NOTES
 *	  The decoder finds most of them, and hands each over in a batch of its own
 *	  (batcher_control.c); those that are read again are found when they are read
 *	  (shipper_reread.c).  Both end as rows that the target refuses do: the table
 *	  stops, or they are kept as dead letters (shipper_dead.c).
 */
#include "postgres.h"

#include "core/encode_json.h"
#include "core/rowtext.h"
#include "debug_point.h"
#include "guc.h"
#include "queue.h"
#include "shipper_private.h"
#include "worker.h"

/* Segments of memory for one row; what is not used costs nothing. */
typedef struct RowPool
{
	char	   *pool;
	uint32		nsegments;
	uint32		nused;
} RowPool;

/* ---- found by the decoder ---------------------------------------------------- */

void
dbmazz_lane_keep_unfit(DbmazzShipper *s, Lane *lane)
{
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzRowEntry *reason;
	DbmazzSegment *segment;
	DbmazzSegment *of_reason;
	DbmazzError error;

	/* an earlier life had come past it */
	if (dbmazz_exactly_is_done(lane))
	{
		dbmazz_lane_batch_done(s, lane);
		return;
	}
	dbmazz_lane_view_batch(lane);
	if (!dbmazz_lane_may_send(s, lane))
		return;
	dbmazz_rows_begin(&cursor, &lane->view);
	entry = dbmazz_rows_next(&cursor, &segment);
	reason = dbmazz_rows_next(&cursor, &of_reason);
	dbmazz_row_copy(&lane->view, of_reason, reason, 0, (char *) &error,
					sizeof(error));
	if (!dbmazz_dead_enter(s, lane, segment, entry, &error))
		return;
	DBMAZZ_DEBUG_POINT("unfit_kept");
	dbmazz_lane_batch_done(s, lane);
}

/* ---- found when it was read --------------------------------------------------- */

static DbmazzSegment *
next_segment(void *arg, uint32 *index)
{
	RowPool    *p = arg;

	if (p->nused == p->nsegments)
		return NULL;
	*index = p->nused++;
	return dbmazz_segment_at(p->pool, *index);
}

/* The row as dbmazz_json_keep() makes it, in the current context.  False: no room. */
static bool
keep_row(const DbmazzTableDesc *desc, const DbmazzRowPlan *plan,
		 const DbmazzRowSource *source, const DbmazzRowEntry *like,
		 DbmazzBatchView *view)
{
	Size		size = desc->size;
	DbmazzBatchWriter writer;
	RowPool		pool = {0};
	DbmazzRowKey key = {0};
	DbmazzError ignored;
	int			i;

	for (i = 0; i < source->tuple->ncolumns; i++)
		size += 6 * (Size) source->tuple->values[i].len + 8;
	pool.nsegments = 3 + size / (DBMAZZ_SEGMENT_SIZE / 2);
	/* an error would end every life at this row */
	pool.pool = MemoryContextAllocExtended(CurrentMemoryContext,
										   (Size) pool.nsegments *
										   DBMAZZ_SEGMENT_SIZE,
										   MCXT_ALLOC_HUGE |
										   MCXT_ALLOC_NO_OOM);
	if (pool.pool == NULL)
		return false;
	if (dbmazz_batch_begin(&writer, next_segment, &pool, desc) != DBMAZZ_OK ||
		dbmazz_row_begin(&writer) != DBMAZZ_OK ||
		dbmazz_json_keep(&writer, plan, source, &key, &ignored) != DBMAZZ_OK)
		return false;
	dbmazz_row_end(&writer, like->op, key.length, key.hash, like->commit_lsn,
				   like->sequence);
	MemSet(view, 0, sizeof(*view));
	view->pool = pool.pool;
	view->head = writer.head;
	view->nrows = writer.nrows;
	view->nbytes = writer.nbytes;
	view->table = desc;
	return true;
}

DbmazzUnfitRow
dbmazz_unfit_read(DbmazzShipper *s, Lane *lane, const DbmazzTableDesc *desc,
				  const DbmazzRowPlan *plan, const DbmazzTuple *tuple,
				  const DbmazzRowEntry *like, const DbmazzError *error)
{
	bool		is_replay = dbmazz_lane_kind(lane) == DBMAZZ_BATCH_REPLAY;
	DbmazzRowSource source = {tuple, NULL, false};
	DbmazzUnfitRow result = DBMAZZ_UNFIT_KEPT;
	DbmazzRowCursor cursor;
	DbmazzSegment *segment;
	DbmazzRowEntry *entry;
	char	   *pool;

	if (!is_replay && dbmazz_on_bad_row == DBMAZZ_BAD_ROW_STOP)
		return DBMAZZ_UNFIT_NOT_KEPT;
	if (!keep_row(desc, plan, &source, like, &lane->view))
		return DBMAZZ_UNFIT_NOT_KEPT;
	pool = lane->view.pool;
	dbmazz_rows_begin(&cursor, &lane->view);
	entry = dbmazz_rows_next(&cursor, &segment);
	if (is_replay)
		dbmazz_dead_still(s, lane, segment, entry, error);
	else if (!dbmazz_dead_enter(s, lane, segment, entry, error))
		result = DBMAZZ_UNFIT_STOPPED;
	MemSet(&lane->view, 0, sizeof(lane->view));
	pfree(pool);
	return result;
}
