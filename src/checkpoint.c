/*
 * checkpoint.c
 *		The position, its row in the catalogs, and what the slot may forget.
 *
 * NOTES
 *	  Order: rows durable in the target, then the row committed here, then the
 *	  LSN published for the decoder to confirm.  So the slot is never beyond what
 *	  a restart would begin from.
 *
 *	  Writing the row makes WAL, which the decoder reads, which moves the
 *	  position.  That must not lead to the next row: a row is written because
 *	  data was shipped, or, on an idle pipeline, because others have filled a WAL
 *	  segment since the last one.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog.h"
#include "checkpoint.h"
#include "debug_point.h"
#include "guc.h"
#include "queue.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

struct DbmazzCheckpointer
{
	DbmazzPipeline *p;
	int32		id;
	XLogRecPtr	written;
	TimestampTz written_at;
};

DbmazzCheckpointer *
dbmazz_checkpointer_create(DbmazzPipeline *p, int32 id, XLogRecPtr written)
{
	DbmazzCheckpointer *c = MemoryContextAllocZero(TopMemoryContext,
												   sizeof(*c));

	c->p = p;
	c->id = id;
	c->written = written;
	c->written_at = GetCurrentTimestamp();
	return c;
}

XLogRecPtr
dbmazz_checkpoint_floor(XLogRecPtr written, XLogRecPtr tables_floor)
{
	if (tables_floor != InvalidXLogRecPtr && tables_floor < written)
		return tables_floor;
	return written;
}

static void
write_row(DbmazzCheckpointer *c, XLogRecPtr position)
{
	DbmazzCounters *counters = &c->p->counters;

	dbmazz_worker_begin();
	dbmazz_catalog_set_checkpoint(c->id, position,
								  pg_atomic_read_u64(&counters->rows),
								  pg_atomic_read_u64(&counters->bytes),
								  pg_atomic_read_u64(&counters->batches));
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("checkpoint_committed");
	c->written = position;
	/* the next life begins further on, whatever this one comes to */
	pg_atomic_write_u32(&c->p->healthy, 1);
}

/* Recompute and publish the position. */
static XLogRecPtr
move_position(DbmazzCheckpointer *c)
{
	XLogRecPtr	decoded_upto = pg_atomic_read_u64(&c->p->decoded_upto);
	TimestampTz oldest;
	XLogRecPtr	position;

	position = dbmazz_queue_position(c->p, decoded_upto,
									 pg_atomic_read_u64(&c->p->position),
									 &oldest);
	pg_atomic_write_u64(&c->p->position, position);
	return position;
}

void
dbmazz_checkpointer_write(DbmazzCheckpointer *c)
{
	XLogRecPtr	position = move_position(c);

	if (position > c->written)
		write_row(c, position);
}

void
dbmazz_checkpointer_finish(DbmazzCheckpointer *c, XLogRecPtr shipped_lsn)
{
	XLogRecPtr	position = move_position(c);

	if (position > c->written && shipped_lsn >= c->written)
		write_row(c, position);
}

long
dbmazz_checkpointer_step(DbmazzCheckpointer *c, XLogRecPtr shipped_lsn,
						 XLogRecPtr tables_floor)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		dirty = shipped_lsn >= c->written;
	XLogRecPtr	position;
	long		interval;
	long		left;

	interval = dirty ? dbmazz_checkpoint_interval_ms :
		dbmazz_heartbeat_interval_ms;
	left = TimestampDifferenceMilliseconds(now,
										   TimestampTzPlusMilliseconds(c->written_at, interval));
	if (left > 0)
		return left;

	/* a walk over all batches: not at every step of the shipper */
	position = move_position(c);
	c->written_at = now;
	if (position > c->written &&
		(dirty || position - c->written >= (uint64) wal_segment_size))
		write_row(c, position);
	/* all rows of this process that the LSN relies on are before that */
	pg_atomic_write_u64(&c->p->durable_row_lsn, XactLastCommitEnd);
	pg_write_barrier();
	pg_atomic_write_u64(&c->p->durable_lsn,
						dbmazz_checkpoint_floor(c->written, tables_floor));
	DBMAZZ_DEBUG_POINT("lsn_published");
	return interval;
}
