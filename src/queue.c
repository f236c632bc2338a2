/*
 * queue.c
 *		Pool of segments and the list of sealed batches.
 *
 * NOTES
 *	  A lone writer per batch and states that say who it is: so the only lock on
 *	  the way of the data is a pipeline's spinlock, taken per segment and per
 *	  batch, never per row.
 *
 *	  Barriers: a batch's fields are written before its state changes to what
 *	  lets the other side read them (write barrier here, read barrier there).
 */
#include "postgres.h"

#include "core/watermark.h"
#include "guc.h"
#include "queue.h"
#include "storage/shmem.h"

#define NO_OWNER	PG_UINT32_MAX

static DbmazzBatch *batches = NULL;
static char *pool = NULL;

uint32
dbmazz_queue_total_segments(void)
{
	return (uint32) (((uint64) dbmazz_buffer_size_kb * 1024) /
					 DBMAZZ_SEGMENT_SIZE);
}

Size
dbmazz_queue_shmem_size(void)
{
	Size		n = dbmazz_queue_total_segments();

	return add_size(mul_size(n, sizeof(DbmazzBatch)),
					add_size(mul_size(n, DBMAZZ_SEGMENT_SIZE),
							 PG_CACHE_LINE_SIZE));
}

void
dbmazz_queue_shmem_startup(void)
{
	uint32		n = dbmazz_queue_total_segments();
	bool		found;
	uint32		i;

	batches = ShmemInitStruct("dbmazz batches",
							  mul_size(n, sizeof(DbmazzBatch)), &found);
	if (!found)
	{
		MemSet(batches, 0, mul_size(n, sizeof(DbmazzBatch)));
		for (i = 0; i < n; i++)
		{
			pg_atomic_init_u32(&batches[i].state, DBMAZZ_BATCH_FREE);
			pg_atomic_init_u32(&batches[i].generation, 0);
			pg_atomic_init_u64(&batches[i].waits_until, 0);
			batches[i].owner = NO_OWNER;
		}
	}
	/* not cleared: untouched pages of an idle pool cost no memory */
	pool = ShmemInitStruct("dbmazz segments",
						   mul_size(n, DBMAZZ_SEGMENT_SIZE), &found);
}

char *
dbmazz_queue_pool(void)
{
	return pool;
}

DbmazzBatch *
dbmazz_queue_batch(uint32 head)
{
	Assert(head < dbmazz_queue_total_segments());
	return &batches[head];
}

bool
dbmazz_queue_reserve(DbmazzPipeline *p, uint32 nsegments)
{
	uint32		total = dbmazz_queue_total_segments();
	uint32		me = dbmazz_pipeline_index(p);
	uint32		nfree = 0;
	uint32		i;

	Assert(LWLockHeldByMeInMode(dbmazz_registry_lock(), LW_EXCLUSIVE));
	for (i = 0; i < total; i++)
		nfree += batches[i].owner == NO_OWNER;
	if (nfree < nsegments)
		return false;

	p->free_head = DBMAZZ_NO_SEGMENT;
	p->nfree = 0;
	p->ready_head = p->ready_tail = DBMAZZ_NO_SEGMENT;
	p->nsegments = nsegments;
	for (i = total; i-- > 0 && p->nfree < nsegments;)
	{
		if (batches[i].owner != NO_OWNER)
			continue;
		batches[i].owner = me;
		pg_atomic_write_u32(&batches[i].state, DBMAZZ_BATCH_FREE);
		dbmazz_segment_at(pool, i)->next = p->free_head;
		p->free_head = i;
		p->nfree++;
	}
	return true;
}

void
dbmazz_queue_release(DbmazzPipeline *p)
{
	uint32		total = dbmazz_queue_total_segments();
	uint32		me = dbmazz_pipeline_index(p);
	uint32		i;

	Assert(LWLockHeldByMeInMode(dbmazz_registry_lock(), LW_EXCLUSIVE));
	for (i = 0; i < total; i++)
	{
		if (batches[i].owner != me)
			continue;
		batches[i].owner = NO_OWNER;
		pg_atomic_write_u32(&batches[i].state, DBMAZZ_BATCH_FREE);
		pg_atomic_fetch_add_u32(&batches[i].generation, 1);
	}
	p->free_head = p->ready_head = p->ready_tail = DBMAZZ_NO_SEGMENT;
	p->nfree = p->nsegments = 0;
}

uint32
dbmazz_queue_alloc(DbmazzPipeline *p)
{
	uint32		index;

	SpinLockAcquire(&p->mutex);
	index = p->free_head;
	if (index != DBMAZZ_NO_SEGMENT)
	{
		p->free_head = dbmazz_segment_at(pool, index)->next;
		p->nfree--;
	}
	SpinLockRelease(&p->mutex);
	return index;
}

uint32
dbmazz_queue_nfree(DbmazzPipeline *p)
{
	uint32		n;

	SpinLockAcquire(&p->mutex);
	n = p->nfree;
	SpinLockRelease(&p->mutex);
	return n;
}

void
dbmazz_queue_free_chain(DbmazzPipeline *p, uint32 head)
{
	uint32		n = 1;
	DbmazzSegment *last;

	if (head == DBMAZZ_NO_SEGMENT)
		return;
	/* the chain is ours: walk it before taking the lock */
	last = dbmazz_segment_at(pool, head);
	while (last->next != DBMAZZ_NO_SEGMENT)
	{
		last = dbmazz_segment_at(pool, last->next);
		n++;
	}
	SpinLockAcquire(&p->mutex);
	last->next = p->free_head;
	p->free_head = head;
	p->nfree += n;
	SpinLockRelease(&p->mutex);
}

void
dbmazz_queue_open(DbmazzPipeline *p, uint32 head, DbmazzBatchKind kind,
				  uint32 relid, XLogRecPtr first_commit_lsn,
				  TimestampTz first_commit_time)
{
	DbmazzBatch *b = dbmazz_queue_batch(head);

	Assert(b->owner == (uint32) dbmazz_pipeline_index(p));
	b->kind = kind;
	b->relid = relid;
	b->nrows = 0;
	b->nsegments = 0;
	b->nbytes = 0;
	b->first_commit_lsn = first_commit_lsn;
	b->first_commit_time = first_commit_time;
	b->next_ready = DBMAZZ_NO_SEGMENT;
	pg_atomic_write_u64(&b->waits_until, 0);
	pg_write_barrier();
	pg_atomic_write_u32(&b->state, DBMAZZ_BATCH_FILLING);
}

void
dbmazz_queue_seal(DbmazzPipeline *p, uint32 head, uint32 nrows,
				  uint32 nsegments, uint64 nbytes, XLogRecPtr last_commit_lsn,
				  TimestampTz last_commit_time)
{
	DbmazzBatch *b = dbmazz_queue_batch(head);

	b->nrows = nrows;
	b->nsegments = nsegments;
	b->nbytes = nbytes;
	b->last_commit_lsn = last_commit_lsn;
	b->last_commit_time = last_commit_time;
	pg_write_barrier();
	pg_atomic_write_u32(&b->state, DBMAZZ_BATCH_READY);

	SpinLockAcquire(&p->mutex);
	if (p->ready_tail == DBMAZZ_NO_SEGMENT)
		p->ready_head = head;
	else
		batches[p->ready_tail].next_ready = head;
	p->ready_tail = head;
	SpinLockRelease(&p->mutex);

	/* the exchange is a full barrier: the batch is seen before the wake-up */
	if (pg_atomic_exchange_u32(&p->shipper_asleep, 0) != 0)
		dbmazz_pipeline_wake(p, DBMAZZ_ROLE_SHIPPER);
}

uint32
dbmazz_queue_take(DbmazzPipeline *p)
{
	uint32		head;

	SpinLockAcquire(&p->mutex);
	head = p->ready_head;
	if (head != DBMAZZ_NO_SEGMENT)
	{
		p->ready_head = batches[head].next_ready;
		if (p->ready_head == DBMAZZ_NO_SEGMENT)
			p->ready_tail = DBMAZZ_NO_SEGMENT;
	}
	SpinLockRelease(&p->mutex);
	if (head != DBMAZZ_NO_SEGMENT)
		pg_atomic_write_u32(&batches[head].state, DBMAZZ_BATCH_SHIPPING);
	return head;
}

void
dbmazz_queue_done(DbmazzPipeline *p, uint32 head)
{
	DbmazzBatch *b = dbmazz_queue_batch(head);

	pg_atomic_write_u32(&b->state, DBMAZZ_BATCH_FREE);
	pg_atomic_fetch_add_u32(&b->generation, 1);
	dbmazz_queue_free_chain(p, head);
	pg_atomic_fetch_add_u32(&p->ndone, 1);
	pg_memory_barrier();
	if (pg_atomic_exchange_u32(&p->decoder_waits, 0) != 0)
		dbmazz_pipeline_wake(p, DBMAZZ_ROLE_DECODER);
}

pg_atomic_uint32 *
dbmazz_queue_extra_loads(DbmazzPipeline *p, uint32 relid)
{
	return &p->extra_loads[relid % DBMAZZ_EXTRA_COUNTERS];
}

XLogRecPtr
dbmazz_queue_position(DbmazzPipeline *p, XLogRecPtr decoded_upto,
					  XLogRecPtr previous, TimestampTz *oldest)
{
	uint32		total = dbmazz_queue_total_segments();
	uint32		me = dbmazz_pipeline_index(p);
	DbmazzWatermark mark;
	uint32		i;

	*oldest = 0;
	dbmazz_watermark_begin(&mark, decoded_upto);
	/* 'decoded_upto' was read first; batches opened since do not matter */
	pg_memory_barrier();
	for (i = 0; i < total; i++)
	{
		DbmazzBatch *b = &batches[i];

		if (b->owner != me ||
			pg_atomic_read_u32(&b->state) == DBMAZZ_BATCH_FREE)
			continue;
		pg_read_barrier();
		dbmazz_watermark_outstanding(&mark, b->first_commit_lsn);
		if (*oldest == 0 || b->first_commit_time < *oldest)
			*oldest = b->first_commit_time;
	}
	return dbmazz_watermark_end(&mark, previous);
}

/*
 * Seen from a third process a batch may be freed and opened again between the
 * look at its state and the look at its LSN.  That does no harm: the first is in
 * the target by then, and the second was opened after 'decoded_upto' was read.
 */
XLogRecPtr
dbmazz_queue_position_now(DbmazzPipeline *p, TimestampTz *oldest)
{
	XLogRecPtr	decoded_upto = pg_atomic_read_u64(&p->decoded_upto);

	return dbmazz_queue_position(p, decoded_upto,
								 pg_atomic_read_u64(&p->position), oldest);
}

XLogRecPtr
dbmazz_queue_first_commit(DbmazzPipeline *p, uint32 relid)
{
	uint32		total = dbmazz_queue_total_segments();
	uint32		me = dbmazz_pipeline_index(p);
	XLogRecPtr	first = InvalidXLogRecPtr;
	uint32		i;

	for (i = 0; i < total; i++)
	{
		DbmazzBatch *b = &batches[i];

		if (b->owner != me ||
			pg_atomic_read_u32(&b->state) == DBMAZZ_BATCH_FREE)
			continue;
		pg_read_barrier();
		if (b->relid == relid &&
			(first == InvalidXLogRecPtr || b->first_commit_lsn < first))
			first = b->first_commit_lsn;
	}
	return first;
}

void
dbmazz_queue_usage(DbmazzPipeline *p, DbmazzQueueUsage *usage)
{
	uint32		total = dbmazz_queue_total_segments();
	uint32		me = dbmazz_pipeline_index(p);
	uint32		i;

	MemSet(usage, 0, sizeof(*usage));
	for (i = 0; i < total; i++)
	{
		DbmazzBatch *b = &batches[i];

		if (b->owner != me ||
			pg_atomic_read_u32(&b->state) == DBMAZZ_BATCH_FREE)
			continue;
		usage->batches++;
		usage->rows += b->nrows;
	}
	SpinLockAcquire(&p->mutex);
	usage->bytes = (uint64) (p->nsegments - p->nfree) * DBMAZZ_SEGMENT_SIZE;
	SpinLockRelease(&p->mutex);
}

/* A batch that becomes another one meanwhile may be shown once with the old time. */
uint32
dbmazz_queue_budget_waits(DbmazzPipeline *p, TimestampTz now,
						  DbmazzBudgetWait *waits)
{
	uint32		total = dbmazz_queue_total_segments();
	uint32		me = dbmazz_pipeline_index(p);
	uint32		n = 0;
	uint32		i;

	for (i = 0; i < total; i++)
	{
		DbmazzBatch *b = &batches[i];

		if (b->owner != me ||
			pg_atomic_read_u32(&b->state) != DBMAZZ_BATCH_FILLING)
			continue;
		pg_read_barrier();
		waits[n].relid = b->relid;
		waits[n].until = (TimestampTz) pg_atomic_read_u64(&b->waits_until);
		n += waits[n].until > now;
	}
	return n;
}
