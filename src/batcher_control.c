/*
 * batcher_control.c
 *		Batches that are no loads: a table stops, is emptied, or has a row that
 *		cannot be sent.
 *
 * NOTES
 *	  They stand in the stream where the row or the TRUNCATE does, behind all that
 *	  the table has open, and hold the position back like any other batch.
 */
#include "postgres.h"

#include "batcher_private.h"
#include "core/encode_json.h"
#include "queue.h"

/* Batches that are no load stand behind all that the table has open. */
static void
seal_before(DbmazzBatcher *b, DbmazzRelation *rel)
{
	if (b->group.is_on)
		return;
	dbmazz_batcher_seal_relation(b, rel);
	if (b->exactly_once)
		dbmazz_batcher_seal_target(b, &rel->full);
}

/* One attempt to make one; on failure nothing of it is left. */
static DbmazzStatus
try_control(DbmazzBatcher *b, DbmazzRelation *rel, DbmazzBatchWriter *writer,
			const void *data, Size len)
{
	DbmazzStatus status;

	b->opening = writer;
	status = dbmazz_batch_begin(writer, dbmazz_batcher_segment, b,
								rel->full.desc);
	if (status == DBMAZZ_OK && len > 0)
		status = dbmazz_row_begin(writer);
	if (status == DBMAZZ_OK && len > 0)
		status = dbmazz_row_put(writer, data, len);
	b->opening = NULL;
	if (status != DBMAZZ_OK)
		dbmazz_queue_free_chain(b->p, writer->head);
	return status;
}

/*
 * Put in a batch that is no load.  'data', if there is any, is its only row.  Of a
 * group, a TRUNCATE is one of its own; and a table that stops does so before the
 * group is sent, so it ends with that.
 */
static void
put_control(DbmazzBatcher *b, DbmazzRelation *rel, DbmazzBatchKind kind,
			const void *data, Size len)
{
	DbmazzBatchWriter writer = {0};
	bool		is_alone = b->group.is_on && kind == DBMAZZ_BATCH_TRUNCATE;

	seal_before(b, rel);
	if (is_alone)
		dbmazz_group_end(b, "a TRUNCATE stands alone");
	if (try_control(b, rel, &writer, data, len) != DBMAZZ_OK)
	{
		dbmazz_batcher_seal_all(b);
		if (try_control(b, rel, &writer, data, len) != DBMAZZ_OK)
			elog(ERROR, "could not begin a batch");
	}
	if (b->group.is_on)
		dbmazz_group_seal(b);
	dbmazz_queue_open(b->p, writer.head, kind, rel->relid, b->final_lsn,
					  b->commit_time);
	if (len > 0)
		dbmazz_row_end(&writer, DBMAZZ_ROW_INSERT, 0, 0, b->final_lsn,
					   b->sequence);
	dbmazz_batcher_hand_over(b, rel, &writer, b->final_lsn, b->sequence,
							 b->commit_time, true);
	if (is_alone)
	{
		dbmazz_group_note(b);
		dbmazz_group_end(b, "a TRUNCATE stands alone");
	}
}

/* The row, and in b->error why it cannot be sent; 'set' is of JSON. */
static DbmazzStatus
write_unfit(DbmazzBatcher *b, DbmazzColumnSet *set,
			const DbmazzRowSource *source, DbmazzRowOp op,
			DbmazzBatchWriter *writer)
{
	DbmazzRowKey key = {0};
	DbmazzError ignored;
	DbmazzStatus status;

	status = dbmazz_row_begin(writer);
	if (status == DBMAZZ_OK)
		status = dbmazz_json_keep(writer, set->plan, source, &key, &ignored);
	if (status != DBMAZZ_OK)
		return status;
	dbmazz_row_end(writer, op, key.length, key.hash, b->final_lsn,
				   b->sequence);
	status = dbmazz_row_begin(writer);
	if (status == DBMAZZ_OK)
		status = dbmazz_row_put(writer, (const char *) &b->error,
								sizeof(b->error));
	if (status == DBMAZZ_OK)
		dbmazz_row_end(writer, op, 0, 0, b->final_lsn, b->sequence);
	return status;
}

/* One attempt to make a batch of it; on failure nothing of it is left. */
static DbmazzStatus
try_unfit(DbmazzBatcher *b, DbmazzColumnSet *set,
		  const DbmazzRowSource *source, DbmazzRowOp op,
		  DbmazzBatchWriter *writer)
{
	DbmazzStatus status;

	b->opening = writer;
	status = dbmazz_batch_begin(writer, dbmazz_batcher_segment, b, set->desc);
	if (status == DBMAZZ_OK)
		status = write_unfit(b, set, source, op, writer);
	b->opening = NULL;
	if (status != DBMAZZ_OK)
		dbmazz_queue_free_chain(b->p, writer->head);
	return status;
}

bool
dbmazz_batcher_keep(DbmazzBatcher *b, DbmazzRelation *rel,
					DbmazzColumnSet *set, const DbmazzRowSource *source,
					DbmazzRowOp op)
{
	DbmazzBatchWriter writer = {0};
	DbmazzStatus status;

	if (dbmazz_is_csv(set))
		set = dbmazz_relation_fallback(rel, set);
	seal_before(b, rel);
	status = try_unfit(b, set, source, op, &writer);
	if (status == DBMAZZ_ERR_NO_SPACE)
	{
		dbmazz_batcher_seal_all(b);
		status = try_unfit(b, set, source, op, &writer);
	}
	if (status != DBMAZZ_OK)
		return false;
	writer.nrows = 1;			/* the reason is none */
	dbmazz_queue_open(b->p, writer.head, DBMAZZ_BATCH_UNFIT, rel->relid,
					  b->final_lsn, b->commit_time);
	/* of a group, it is no load: those that are open follow */
	if (b->group.is_on && !dlist_is_empty(&b->open))
		b->group.nkept += writer.nsegments;
	dbmazz_batcher_hand_over(b, rel, &writer, b->final_lsn, b->sequence,
							 b->commit_time, dlist_is_empty(&b->open));
	b->sequence++;
	return true;
}

void
dbmazz_batcher_truncate(DbmazzBatcher *batcher, DbmazzRelation *rel)
{
	put_control(batcher, rel, DBMAZZ_BATCH_TRUNCATE, NULL, 0);
}

void
dbmazz_batcher_stop(DbmazzBatcher *batcher, DbmazzRelation *rel,
					const DbmazzError *error)
{
	if (rel->stopped)
		return;
	rel->stopped = true;
	put_control(batcher, rel, DBMAZZ_BATCH_STOP, error, sizeof(*error));
}
