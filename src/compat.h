/*
 * compat.h
 *		All that differs between the servers 15 to 18, and between C libraries, in
 *		one place.
 *
 * NOTES
 *	  Wrappers have the newest server's signature and the suffix _compat.
 *	  No other file tests PG_VERSION_NUM.
 */
#ifndef DBMAZZ_COMPAT_H
#define DBMAZZ_COMPAT_H

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "access/xlog.h"
#include "access/xlogreader.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "replication/message.h"
#include "replication/reorderbuffer.h"
#include "replication/slot.h"
#include "replication/walsender_private.h"
#include "storage/condition_variable.h"
#include "storage/proc.h"
#include "storage/spin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"				/* which was in postgres.h */
#endif

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "dbmazz supports PostgreSQL 15 to 18"
#endif

/*
 * 17 has slots that standbys keep a copy of.  The texts are for whoever finds
 * that this server has not: a session, or the decoder.
 */
#define DBMAZZ_NO_FAILOVER \
	"this server has no failover slots"
#define DBMAZZ_NO_FAILOVER_HINT \
	"dbmazz.failover = on needs PostgreSQL 17 or newer; set failover to off."
#if PG_VERSION_NUM >= 170000
#define DBMAZZ_HAVE_FAILOVER true
#else
#define DBMAZZ_HAVE_FAILOVER false
#endif

/* 17 added "failover" and "synced"; a slot here is never made as either. */
static inline void
dbmazz_slot_create_compat(const char *name, ReplicationSlotPersistency how)
{
#if PG_VERSION_NUM >= 170000
	ReplicationSlotCreate(name, true, how, false, false, false);
#else
	ReplicationSlotCreate(name, true, how, false);
#endif
}

/* Let standbys keep a copy of the slot that this process has, or not. */
static inline void
dbmazz_slot_set_failover_compat(bool failover)
{
#if PG_VERSION_NUM >= 170000
	if (MyReplicationSlot->data.failover == failover)
		return;
	SpinLockAcquire(&MyReplicationSlot->mutex);
	MyReplicationSlot->data.failover = failover;
	SpinLockRelease(&MyReplicationSlot->mutex);
	ReplicationSlotMarkDirty();
	ReplicationSlotSave();
#endif
}

/*
 * Have the standbys of synchronized_standby_slots all WAL up to 'lsn'?  Problems
 * with these slots are reported at 'elevel'.  To sleep until that may have
 * changed: begin, look once more, wait on the latch, end.
 */
static inline bool
dbmazz_standbys_have_compat(XLogRecPtr lsn, int elevel)
{
#if PG_VERSION_NUM >= 170000
	return StandbySlotsHaveCaughtup(lsn, elevel);
#else
	return true;
#endif
}

static inline void
dbmazz_standbys_wait_begin_compat(void)
{
#if PG_VERSION_NUM >= 170000
	ConditionVariablePrepareToSleep(&WalSndCtl->wal_confirm_rcv_cv);
#endif
}

static inline void
dbmazz_standbys_wait_end_compat(void)
{
#if PG_VERSION_NUM >= 170000
	ConditionVariableCancelSleep();
#endif
}

/* 18 added "error_if_invalid"; we look at the slot ourselves. */
static inline void
dbmazz_slot_acquire_compat(const char *name)
{
#if PG_VERSION_NUM >= 180000
	ReplicationSlotAcquire(name, true, false);
#else
	ReplicationSlotAcquire(name, true);
#endif
}

/* 16 replaced the LSN by a cause.  Caller holds the slot or its mutex. */
static inline bool
dbmazz_slot_is_invalid_compat(const ReplicationSlot *slot)
{
#if PG_VERSION_NUM >= 160000
	return slot->data.invalidated != RS_INVAL_NONE;
#else
	return slot->data.invalidated_at != InvalidXLogRecPtr;
#endif
}

/* 18 wants to be told whether a deferrable key will do. */
static inline Oid
dbmazz_primary_key_index_compat(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, false);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

/* 16 has one function for the privileges on all kinds of objects. */
static inline bool
dbmazz_schema_usage_compat(Oid schema, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role,
						   ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* 17 gave extensions wait events with names. */
static inline uint32
dbmazz_wait_event_compat(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * 16 taught pgoutput to leave out what was replicated from elsewhere.  The texts
 * are for whoever finds that it cannot: a session, or the decoder.
 */
#define DBMAZZ_NO_ORIGIN_FILTER \
	"this server cannot leave out changes that were replicated to it"
#define DBMAZZ_NO_ORIGIN_FILTER_HINT \
	"dbmazz.origin = none needs PostgreSQL 16 or newer; set origin to any."
#if PG_VERSION_NUM >= 160000
#define DBMAZZ_HAVE_ORIGIN_FILTER true
#else
#define DBMAZZ_HAVE_ORIGIN_FILTER false
#endif

/* 17 made the resource owner (or NULL) the first argument. */
#if PG_VERSION_NUM >= 170000
#define dbmazz_create_wait_event_set_compat(n) CreateWaitEventSet(NULL, (n))
#else
#define dbmazz_create_wait_event_set_compat(n) \
	CreateWaitEventSet(TopMemoryContext, (n))
#endif

/* 17 has a time limit for transactions, which would end decoding. */
#if PG_VERSION_NUM >= 170000
#define DBMAZZ_HAVE_TRANSACTION_TIMEOUT 1
#endif

/* 17 has tuples of changes without a frame around them.  NULL: none. */
#if PG_VERSION_NUM >= 170000
#define dbmazz_change_tuple_compat(t) (t)
#else
static inline HeapTuple
dbmazz_change_tuple_compat(ReorderBufferTupleBuf *buf)
{
	return buf == NULL ? NULL : &buf->tuple;
}
#endif

/* 18 can show a module's name and version. */
#if PG_VERSION_NUM >= 180000
#define DBMAZZ_MODULE_MAGIC(n) PG_MODULE_MAGIC_EXT(.name = (n), .version = "1.0")
#else
#define DBMAZZ_MODULE_MAGIC(n) PG_MODULE_MAGIC
#endif

/* 16 gave the values of settings an allocator of their own. */
static inline void *
dbmazz_guc_malloc_compat(size_t size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

static inline void
dbmazz_guc_free_compat(void *p)
{
#if PG_VERSION_NUM >= 160000
	guc_free(p);
#else
	free(p);
#endif
}

/* 17 added "flush". */
static inline XLogRecPtr
dbmazz_log_message_compat(const char *prefix, const char *message,
						  size_t size, bool transactional, bool flush)
{
#if PG_VERSION_NUM >= 170000
	return LogLogicalMessage(prefix, message, size, transactional, flush);
#else
	XLogRecPtr	lsn = LogLogicalMessage(prefix, message, size, transactional);

	if (flush)
		XLogFlush(lsn);
	return lsn;
#endif
}

/*
 * Before 16 a slab gives a block back to malloc() when it becomes empty, and each
 * short transaction empties that of transactions and that of changes; to make new
 * ones costs more than to decode it.  A piece of each that nobody uses keeps one.
 * 'txn' is any transaction; minor releases differ in its size, so where it is not
 * what we know, that slab is left alone.
 */
static inline void
dbmazz_reorder_keep_blocks_compat(ReorderBuffer *rb, ReorderBufferTXN *txn)
{
#if PG_VERSION_NUM < 160000
	Size		piece = 2 * sizeof(void *) + MAXALIGN(sizeof(*txn));

	(void) ReorderBufferGetChange(rb);
	if (GetMemoryChunkSpace(txn) == piece)
		(void) MemoryContextAlloc(rb->txn_context, sizeof(*txn));
#endif
}

/*
 * With each transaction the reorder buffer gives back what it held, and glibc then
 * gives the end of the heap back to the kernel from 128 kB on: to have it cleared
 * and mapped anew for the next transaction was a tenth of what decoding cost.  So up
 * to 16 MB stay there; and the largest blocks that memory contexts ask for, 8 MB, are
 * in the heap.  glibc comes to such values by itself when a block of that size was
 * freed, but not with short transactions; see mallopt(3).
 */
static inline void
dbmazz_keep_memory_compat(void)
{
#ifdef __GLIBC__
	(void) mallopt(M_MMAP_THRESHOLD, 16 * 1024 * 1024);
	(void) mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
#endif
}

#endif							/* DBMAZZ_COMPAT_H */
