/*
 * batcher.c
 *		Fills batches with encoded rows and decides when to seal them.
 *
 * NOTES
 *	  No deadlock for lack of space.  When no segment is free, we wait as long as
 *	  sealed batches are on their way: those need nothing more, and the shipper
 *	  will free them.  (Sealing more at that point would only make small loads.)
 *	  When there are none, open batches hold everything: the row being written is
 *	  taken back, all open batches are sealed, and the row is written again.  Then
 *	  nothing else is open, so only a row larger than the whole reservation finds
 *	  no space again, and that is an error.
 */
#include "postgres.h"

#include "batcher_private.h"
#include "core/encode_csv.h"
#include "core/encode_json.h"
#include "core/keyrow.h"
#include "debug_point.h"
#include "guc.h"
#include "miscadmin.h"
#include "queue.h"
#include "storage/latch.h"
#include "unfit.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define SPACE_WAIT_MS	1000	/* only a fallback: a freed batch wakes us */
#define BATCH_SHARE		4		/* a batch may take 1/4 of the reservation */
#define MAX_CHANGES		(UINT32_MAX / 2 - 1)	/* of which the rows have numbers */

DbmazzBatcher *
dbmazz_batcher_create(MemoryContext parent, DbmazzPipeline *p,
					  uint32 wait_event, void (*while_waiting) (void *),
					  void *arg)
{
	MemoryContext cxt = AllocSetContextCreate(parent, "dbmazz batcher",
											  ALLOCSET_DEFAULT_SIZES);
	DbmazzBatcher *b = MemoryContextAllocZero(cxt, sizeof(*b));

	b->cxt = cxt;
	b->p = p;
	b->wait_event = wait_event;
	b->while_waiting = while_waiting;
	b->arg = arg;
	dlist_init(&b->open);
	dbmazz_due_init(b);
	b->exactly_once = pg_atomic_read_u32(&p->exactly_once) != 0;
	b->group.is_on = pg_atomic_read_u32(&p->atomic) != 0;
	return b;
}

void
dbmazz_batcher_begin(DbmazzBatcher *batcher, XLogRecPtr final_lsn,
					 TimestampTz commit_time, TransactionId xid)
{
	batcher->final_lsn = final_lsn;
	batcher->commit_time = commit_time;
	batcher->xid = xid;
	batcher->sequence = 0;
}

void
dbmazz_batcher_change(DbmazzBatcher *batcher, uint64 number)
{
	/* a change makes two rows at most */
	batcher->sequence = (uint32) (2 * number);
	if (batcher->exactly_once && number > MAX_CHANGES)
	{
		DbmazzError error;

		dbmazz_error_set(&error, DBMAZZ_ERR_LIMIT, 0,
						 "a transaction has more than %u changes, which "
						 "delivery=exactly_once cannot number", MAX_CHANGES);
		dbmazz_error_detail(&error, "It committed at %X/%X.",
							LSN_FORMAT_ARGS(batcher->final_lsn));
		dbmazz_error_hint(&error, "Set delivery=at_least_once for the pipeline "
						  "with dbmazz.alter_pipeline() and start it; set it "
						  "back when it is past this transaction.");
		dbmazz_worker_fail(batcher->p, &error);
	}
}

/* ---- space --------------------------------------------------------------- */

/*
 * Are there batches on their way whose end will free segments?  All segments
 * that are neither free nor held by open batches are theirs.
 */
bool
dbmazz_batcher_is_busy(DbmazzBatcher *b)
{
	uint32		held = b->group.nkept +
	(b->opening ? b->opening->nsegments : 0);
	dlist_iter	iter;

	dlist_foreach(iter, &b->open)
		held += dlist_container(DbmazzOpenBatch, node,
								iter.cur)->writer.nsegments;
	return dbmazz_queue_nfree(b->p) + held < b->p->nsegments;
}

DbmazzSegment *
dbmazz_batcher_segment(void *arg, uint32 *index)
{
	DbmazzBatcher *b = arg;

	for (;;)
	{
		bool		is_more;

		*index = dbmazz_queue_alloc(b->p);
		if (*index != DBMAZZ_NO_SEGMENT)
			return dbmazz_segment_at(dbmazz_queue_pool(), *index);

		/*
		 * Ask to be woken, then look once more before the wait.  In this
		 * order: the last batch may come back between the two looks.
		 */
		pg_atomic_exchange_u32(&b->p->decoder_waits, 1);
		is_more = dbmazz_batcher_is_busy(b);
		if (dbmazz_queue_nfree(b->p) > 0)
			continue;
		if (!is_more)
			return NULL;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 SPACE_WAIT_MS, b->wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		b->while_waiting(b->arg);
		if (!b->group.is_on)
			(void) dbmazz_due_seal(b, b->writing, false);
	}
}

static void
close_batch(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	dlist_delete(&ob->node);
	if (!b->group.is_on)
		dbmazz_due_remove(b, ob);
	ob->set->open = NULL;
	ob->rel->nopen--;
	dbmazz_batcher_forget_keys(b, ob->rel);
}

/* Take back an open batch that has no complete row. */
static void
discard(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	Assert(ob->writer.nrows == 0);
	if (ob->writer.head != DBMAZZ_NO_SEGMENT)
	{
		pg_atomic_write_u32(&dbmazz_queue_batch(ob->writer.head)->state,
							DBMAZZ_BATCH_FREE);
		dbmazz_queue_free_chain(b->p, ob->writer.head);
	}
	close_batch(b, ob);
	pfree(ob);
}

void
dbmazz_batcher_hand_over(DbmazzBatcher *b, DbmazzRelation *rel,
						 const DbmazzBatchWriter *writer,
						 XLogRecPtr last_commit_lsn, uint32 last_sequence,
						 TimestampTz last_commit_time, bool ends_group)
{
	DbmazzBatch *batch = dbmazz_queue_batch(writer->head);

	rel->sealed_head = writer->head;
	rel->sealed_generation = pg_atomic_read_u32(&batch->generation);
	batch->last_sequence = last_sequence;
	batch->ends_group = ends_group;
	dbmazz_queue_seal(b->p, writer->head, writer->nrows, writer->nsegments,
					  writer->nbytes, last_commit_lsn, last_commit_time);
	DBMAZZ_DEBUG_POINT("batch_sealed");
}

void
dbmazz_batcher_seal(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	DbmazzRelation *rel = ob->rel;

	if (ob->writer.nrows == 0)
	{
		discard(b, ob);
		return;
	}
	close_batch(b, ob);
	if (!b->group.is_on)
		dbmazz_due_charge(b, rel);
	dbmazz_batcher_hand_over(b, rel, &ob->writer, ob->last_commit_lsn,
							 ob->last_sequence, ob->last_commit_time,
							 ob->ends_group);
	pfree(ob);
}

void
dbmazz_batcher_seal_relation(void *batcher, DbmazzRelation *rel)
{
	DbmazzBatcher *b = batcher;
	DbmazzColumnSet *set;

	/* in a group all go; one that has none leaves the others alone */
	if (b->group.is_on && rel->nopen > 0)
		dbmazz_group_end(b, "a table needs another load");
	for (set = rel->partial; set != NULL; set = set->next)
	{
		if (set->open != NULL)
			dbmazz_batcher_seal(b, set->open);
	}
	if (rel->full.open != NULL)
		dbmazz_batcher_seal(b, rel->full.open);
	if (rel->reread.open != NULL)
		dbmazz_batcher_seal(b, rel->reread.open);
}

void
dbmazz_batcher_seal_all(DbmazzBatcher *b)
{
	if (b->group.is_on)
		dbmazz_group_end(b, "it does not fit into the pipeline's buffer");
	while (!dlist_is_empty(&b->open))
		dbmazz_batcher_seal_relation(b,
									 dlist_head_element(DbmazzOpenBatch, node,
														&b->open)->rel);
}

void
dbmazz_batcher_seal_target(DbmazzBatcher *b, const DbmazzColumnSet *set)
{
	const char *target = dbmazz_desc_text(set->desc, set->desc->target);
	bool		again = true;

	while (again)
	{
		dlist_iter	iter;

		again = false;
		dlist_foreach(iter, &b->open)
		{
			DbmazzOpenBatch *ob = dlist_container(DbmazzOpenBatch, node,
												  iter.cur);
			const DbmazzTableDesc *desc = ob->set->desc;

			if (strcmp(dbmazz_desc_text(desc, desc->target), target) == 0)
			{
				dbmazz_batcher_seal_relation(b, ob->rel);
				again = true;
				break;
			}
		}
	}
}

/* ---- rows ---------------------------------------------------------------- */

static DbmazzStatus
open_batch(DbmazzBatcher *b, DbmazzRelation *rel, DbmazzColumnSet *set)
{
	DbmazzOpenBatch *ob = MemoryContextAllocZero(b->cxt, sizeof(*ob));
	DbmazzStatus status;

	ob->rel = rel;
	ob->set = set;
	b->opening = &ob->writer;
	status = dbmazz_batch_begin(&ob->writer, dbmazz_batcher_segment, b,
								set->desc);
	b->opening = NULL;
	if (status != DBMAZZ_OK)
	{
		dbmazz_queue_free_chain(b->p, ob->writer.head);
		pfree(ob);
		return status;
	}
	dbmazz_queue_open(b->p, ob->writer.head, dbmazz_is_reread(rel, set) ?
					  DBMAZZ_BATCH_REREAD : DBMAZZ_BATCH_ROWS, rel->relid,
					  b->final_lsn, b->commit_time);
	if (b->group.is_on)
		dbmazz_group_add(b, ob);
	else
		dbmazz_due_add(b, ob);
	dlist_push_tail(&b->open, &ob->node);
	set->open = ob;
	rel->nopen++;
	return DBMAZZ_OK;
}

static DbmazzStatus
encode(DbmazzBatchWriter *writer, const DbmazzColumnSet *set,
	   const DbmazzRowSource *source, DbmazzRowOp op, DbmazzRowKey *key,
	   DbmazzError *err)
{
	if (dbmazz_is_csv(set))
		return op == DBMAZZ_ROW_DELETE ?
			dbmazz_csv_delete(writer, set->plan, source, key, err) :
			dbmazz_csv_upsert(writer, set->plan, source, key, err);
	return op == DBMAZZ_ROW_DELETE ?
		dbmazz_json_delete(writer, set->plan, source, key, err) :
		dbmazz_json_upsert(writer, set->plan, source, key, err);
}

/* One attempt to write a row; on failure nothing of it is left. */
static DbmazzStatus
try_row(DbmazzBatcher *b, DbmazzRelation *rel, DbmazzColumnSet *set,
		const DbmazzRowSource *source, DbmazzRowOp op)
{
	DbmazzRowKey key = {0};
	DbmazzStatus status = DBMAZZ_OK;
	DbmazzOpenBatch *ob;

	if (set->open == NULL)
		status = open_batch(b, rel, set);
	if (status != DBMAZZ_OK)
		return status;
	ob = set->open;

	status = dbmazz_row_begin(&ob->writer);
	if (status != DBMAZZ_OK)
		return status;
	if (dbmazz_is_reread(rel, set))
		status = dbmazz_keyrow_put(&ob->writer, set->desc, set->plan, source,
								   b->xid, &key, &b->error);
	else
		status = encode(&ob->writer, set, source, op, &key, &b->error);
	if (status != DBMAZZ_OK)
	{
		dbmazz_queue_free_chain(b->p, dbmazz_row_abort(&ob->writer));
		return status;
	}
	ob->last_sequence = b->sequence++;
	dbmazz_row_end(&ob->writer, op, key.length, key.hash, b->final_lsn,
				   ob->last_sequence);
	ob->last_commit_lsn = b->final_lsn;
	ob->last_commit_time = b->commit_time;
	return DBMAZZ_OK;
}

bool
dbmazz_batcher_is_full(DbmazzBatcher *b, const DbmazzOpenBatch *ob)
{
	return ob->writer.nrows >= pg_atomic_read_u32(&b->p->batch_max_rows) ||
		ob->writer.nbytes >= pg_atomic_read_u64(&b->p->batch_max_bytes) ||
		ob->writer.nsegments >= b->p->nsegments / BATCH_SHARE;
}

static void
too_large(DbmazzBatcher *b)
{
	dbmazz_error_set(&b->error, DBMAZZ_ERR_LIMIT, 0,
					 "a row is larger than the pipeline's buffer of %u kB",
					 (unsigned) (b->p->nsegments *
								 (DBMAZZ_SEGMENT_SIZE / 1024)));
	dbmazz_error_hint(&b->error,
					  "Raise dbmazz.pipeline_buffer_size (and dbmazz.buffer_size), "
					  "then stop and start the pipeline.");
}

/*
 * Write a row.  If there is no space and none will come by itself, the open
 * batches hold it: seal them and try again.
 */
static DbmazzStatus
write_row(DbmazzBatcher *b, DbmazzRelation *rel, DbmazzColumnSet *set,
		  const DbmazzRowSource *source, DbmazzRowOp op)
{
	DbmazzStatus status;

	b->writing = rel;
	status = try_row(b, rel, set, source, op);
	if (status == DBMAZZ_ERR_NO_SPACE)
	{
		dbmazz_batcher_seal_all(b);
		status = try_row(b, rel, set, source, op);
		if (status == DBMAZZ_ERR_NO_SPACE)
			too_large(b);
	}
	b->writing = NULL;
	return status;
}

/* A batch that is full goes, and with it all that must not come behind it. */
static void
seal_full(DbmazzBatcher *b, DbmazzOpenBatch *ob)
{
	if (ob->set == &ob->rel->full || dbmazz_is_reread(ob->rel, ob->set))
		dbmazz_batcher_seal_relation(b, ob->rel);
	else
		dbmazz_batcher_seal(b, ob);
}

bool
dbmazz_batcher_skips(DbmazzBatcher *batcher, const DbmazzRelation *rel)
{
	if (!dbmazz_relation_skips(rel, batcher->final_lsn, batcher->sequence))
		return false;
	ereport(LOG,
			(errmsg("a row of table \"%s.%s\" is skipped", rel->schema,
					rel->table),
			 errdetail("Row %u of the transaction that committed at %X/%X, as "
					   "in dbmazz.skipped_rows.", batcher->sequence,
					   LSN_FORMAT_ARGS(batcher->final_lsn))));
	batcher->sequence++;
	return true;
}

void
dbmazz_batcher_row(DbmazzBatcher *batcher, DbmazzRelation *rel,
				   DbmazzColumnSet *set, const DbmazzRowSource *source,
				   DbmazzRowOp op)
{
	DbmazzStatus status;

	if (rel->has_skipped && dbmazz_batcher_skips(batcher, rel))
		return;
	/* the batches of both encodings are sealed in order, as those of sets are */
	if (dbmazz_is_csv(set) && !dbmazz_csv_can_carry(set->plan, source))
		set = dbmazz_relation_fallback(rel, set);
	if (batcher->group.is_on && set->open == NULL)
		dbmazz_group_make_room(batcher, rel, set);
	if ((batcher->exactly_once || batcher->group.is_on) && set->open == NULL)
		dbmazz_batcher_seal_target(batcher, set);
	dbmazz_batcher_note_key(batcher, rel, set, source);
	status = write_row(batcher, rel, set, source, op);
	if (status == DBMAZZ_OK)
	{
		if (batcher->group.is_on)
			dbmazz_group_note(batcher);
		else if (dbmazz_batcher_is_full(batcher, set->open))
			seal_full(batcher, set->open);
		return;
	}
	if (set->open != NULL && set->open->writer.nrows == 0)
		discard(batcher, set->open);
	if (batcher->error.column > 0)
		dbmazz_unfit_describe(&batcher->error, set, source,
							  batcher->final_lsn);
	if (status == DBMAZZ_ERR_UNREPRESENTABLE &&
		pg_atomic_read_u32(&batcher->p->keeps_bad_rows) != 0 &&
		dbmazz_batcher_keep(batcher, rel, set, source, op))
		return;
	dbmazz_batcher_stop(batcher, rel, &batcher->error);
}

/* ---- time ---------------------------------------------------------------- */

long
dbmazz_batcher_tick(DbmazzBatcher *batcher, bool at_rest)
{
	return batcher->group.is_on ? dbmazz_group_tick(batcher, at_rest) :
		dbmazz_due_seal(batcher, NULL, at_rest);
}
