/*
 * shipper_replay.c
 *		Sends the rows of dead letters again, when somebody has asked for it.
 *
 * NOTES
 *	  Not the rows of the letters are sent, but those that the source has now
 *	  under the dead keys, as with rows that are read again (shipper_reread.c);
 *	  and for keys that the source does not have any more, a delete.  So it does
 *	  not matter how many changes a key has had, of which columns, and whether
 *	  the value that the target did not take is still there.  Why that is right is
 *	  in README.md, "Dead letters that are replayed".
 *
 *	  A replay stands in the lane's queue like a batch, but has no segments of the
 *	  pool; its keys are in memory of this process.  A row that is rejected once
 *	  more leaves its key dead.  What keeps the whole replay from being done ends
 *	  it with a warning; the table goes on, and so do the letters.
 *
 *	  The request is in the catalogs until the replay has ended, so a crash begins
 *	  it anew.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog_dead.h"
#include "core/audit.h"
#include "core/encode_json.h"
#include "core/keyrow.h"
#include "core/rowtext.h"
#include "debug_point.h"
#include "encoding.h"
#include "privilege.h"
#include "queue.h"
#include "relation_now.h"
#include "report.h"
#include "shipper_private.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/standby.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define SHOW_WAIT_MS	1000	/* after that a wait is shown in the view, */
#define LOG_WAIT_MS		10000	/* and after that in the log */
#define ATTEMPT_MS		500		/* waits for the same commits so long at least, for
								 * somebody may always be about to commit */

/* Segments of memory for keys. */
typedef struct KeyPool
{
	char	   *pool;
	uint32		nsegments;
	uint32		nused;
} KeyPool;

/* ---- commits that the letters can be of ---------------------------------------- */

/* What a replay waits for, until it reads rows. */
struct DbmazzCommits
{
	VirtualTransactionId *vxids;	/* may be about to commit; NULL: have */
	int			nvxids;
	TransactionId *xids;		/* have committed, but may not be visible yet */
	int			nxids;
};

/*
 * A commit is in the WAL, and may have come to us, before others see it: first its
 * process is in a critical section, in which it delays checkpoints; then it is
 * known as committed, but still in the list of those that run, as long as it waits
 * for a standby.  Only what is in the WAL by now matters, so each is looked for
 * once; else we would wait for as long as others commit.
 */
DbmazzCommits *
dbmazz_commits_begin(MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	DbmazzCommits *commits = palloc0(sizeof(*commits));

	commits->vxids = GetVirtualXIDsDelayingChkpt(&commits->nvxids,
												 DELAY_CHKPT_START);
	MemoryContextSwitchTo(old);
	return commits;
}

/* None is in its critical section any more: find those that are still listed. */
static void
find_committed(DbmazzCommits *commits)
{
	RunningTransactions running = GetRunningTransactionData();
	int			i;

	/* it is a copy of our own, but comes with two locks */
	LWLockRelease(ProcArrayLock);
	LWLockRelease(XidGenLock);
	commits->xids = MemoryContextAlloc(GetMemoryChunkContext(commits),
									   Max(running->xcnt, 1) *
									   sizeof(TransactionId));
	/* subtransactions leave the list together with those */
	for (i = 0; i < running->xcnt; i++)
	{
		if (TransactionIdDidCommit(running->xids[i]))
			commits->xids[commits->nxids++] = running->xids[i];
	}
	pfree(commits->vxids);
	commits->vxids = NULL;
}

bool
dbmazz_commits_are_visible(DbmazzCommits *commits)
{
	if (commits->vxids != NULL &&
		!HaveVirtualXIDsDelayingChkpt(commits->vxids, commits->nvxids,
									  DELAY_CHKPT_START))
		find_committed(commits);
	if (commits->vxids == NULL)
	{
		while (commits->nxids > 0 &&
			   !TransactionIdIsInProgress(commits->xids[commits->nxids - 1]))
			commits->nxids--;
		if (commits->nxids == 0)
			return true;
	}
	return false;
}

/* ---- rows that are gone ---------------------------------------------------------- */

static int
count_audit_columns(const DbmazzTableDesc *desc)
{
	int			naudit = 0;
	uint16		i;

	for (i = 0; i < desc->ncolumns; i++)
		naudit += desc->columns[i].attnum == 0;
	return naudit;
}

void
dbmazz_replay_stamp_deleted(const DbmazzTableDesc *desc, DbmazzTuple *tuple)
{
	int			naudit = count_audit_columns(desc);
	DbmazzAudit audit;

	/* time and version stay: of the letter */
	MemSet(&audit, 0, sizeof(audit));
	memcpy(audit.values, &tuple->values[desc->ntable_columns - naudit],
		   naudit * sizeof(DbmazzValue));
	tuple->ncolumns = desc->ntable_columns - naudit;
	dbmazz_audit_stamp(&audit, tuple, naudit, DBMAZZ_AUDIT_DELETE, true, 0);
}

/* ---- keys ------------------------------------------------------------------------ */

static DbmazzSegment *
next_segment(void *arg, uint32 *index)
{
	KeyPool    *p = arg;

	if (p->nused == p->nsegments)
		return NULL;
	*index = p->nused++;
	return dbmazz_segment_at(p->pool, *index);
}

/*
 * The text that pgoutput would send for a value of the key, from that in JSON.
 * False if nobody knows.
 */
static bool
source_text(const DbmazzColumnDesc *column, char **text)
{
	if (*text == NULL)
		return false;
	switch ((DbmazzValueClass) column->value_class)
	{
		case DBMAZZ_VALUE_BOOL:
			*text = strcmp(*text, "true") == 0 ? "t" : "f";
			return true;
		case DBMAZZ_VALUE_BYTEA:
			*text = psprintf("\\x%s", *text);
			return true;
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			*text = psprintf("%s+00", *text);
			return true;
		case DBMAZZ_VALUE_CHAR:
			/* a byte that is no character comes in several forms */
			return strlen(*text) == 1;
		case DBMAZZ_VALUE_STRING:
			/* the row would not be found, and be taken as deleted */
			return !dbmazz_may_be_escaped(*text);
		case DBMAZZ_VALUE_JSON:
			return false;
		default:
			return true;
	}
}

/*
 * Is the tuple's key, encoded, the very text of the letter?  If not, the key's
 * columns or their types have changed, and the row is not known any more.
 */
static bool
is_same_key(const DbmazzTableDesc *desc, const DbmazzRowPlan *plan,
			const DbmazzRowSource *source, const char *expected)
{
	Size		size = strlen(expected);
	KeyPool		pool = {0};
	DbmazzBatchWriter writer;
	DbmazzRowKey key = {0};
	DbmazzBatchView view = {0};
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	DbmazzError error;
	char	   *bytes;
	char	   *text;
	bool		same = false;

	pool.nsegments = 3 + (desc->size + size) / DBMAZZ_SEGMENT_SIZE;
	pool.pool = palloc((Size) pool.nsegments * DBMAZZ_SEGMENT_SIZE);
	dbmazz_error_reset(&error);
	if (dbmazz_batch_begin(&writer, next_segment, &pool, desc) == DBMAZZ_OK &&
		dbmazz_row_begin(&writer) == DBMAZZ_OK &&
		dbmazz_json_delete(&writer, plan, source, &key, &error) == DBMAZZ_OK)
	{
		dbmazz_row_end(&writer, DBMAZZ_ROW_DELETE, key.length, key.hash, 0, 0);
		view.pool = pool.pool;
		view.head = writer.head;
		dbmazz_rows_begin(&cursor, &view);
		entry = dbmazz_rows_next(&cursor, &segment);
		bytes = palloc(entry->length);
		(void) dbmazz_row_copy(&view, segment, entry, 0, bytes, entry->length);
		text = palloc(size + 2);
		same = dbmazz_key_text(desc, bytes + 1, key.length, text,
							   size + 2) == size &&
			strcmp(text, expected) == 0;
	}
	pfree(pool.pool);
	return same;
}

/* The letter's key and audit columns as a tuple; false: the key is not known. */
static bool
fill_tuple(const DbmazzTableDesc *desc, const DbmazzRowPlan *plan,
		   DbmazzReplayKey *key, DbmazzTuple *tuple, DbmazzAudit *audit)
{
	DbmazzRowSource source = {tuple, NULL, false};
	int			naudit = count_audit_columns(desc);
	uint16		i;

	for (i = 0; i < desc->ntable_columns; i++)
	{
		tuple->values[i].kind = DBMAZZ_VALUE_UNCHANGED;
		tuple->values[i].data = NULL;
		tuple->values[i].len = 0;
	}
	for (i = 0; i < desc->nkeys; i++)
	{
		DbmazzValue *value = &tuple->values[desc->columns[i].source];

		if (!source_text(&desc->columns[i], &key->values[i]))
			return false;
		value->kind = DBMAZZ_VALUE_TEXT;
		value->data = key->values[i];
		value->len = strlen(key->values[i]);
	}
	tuple->ncolumns = desc->ntable_columns - naudit;
	dbmazz_audit_begin(audit, GetCurrentTimestamp(), key->lsn);
	dbmazz_audit_stamp(audit, tuple, naudit, key->is_insert ?
					   DBMAZZ_AUDIT_INSERT : DBMAZZ_AUDIT_UPDATE, false, 0);
	return is_same_key(desc, plan, &source, key->text);
}

/* Bytes that all keys may take, directory included. */
static Size
keys_size(const DbmazzTableDesc *desc, List *keys)
{
	Size		each = sizeof(DbmazzRowEntry) + 16 +
	(desc->nkeys + DBMAZZ_AUDIT_LOG_COLUMNS) * 48;
	Size		size = desc->size;
	ListCell   *lc;

	foreach(lc, keys)
		size += each + 2 * strlen(((DbmazzReplayKey *) lfirst(lc))->text);
	return size;
}

/* Put the keys into a batch of their own, in lane->view.  False: cannot be done. */
static bool
write_keys(DbmazzShipper *s, Lane *lane, DbmazzTableDesc *desc, List *keys,
		   DbmazzError *err)
{
	DbmazzRowPlan *plan = palloc(dbmazz_row_plan_size(desc));
	KeyPool    *pool = palloc0(sizeof(*pool));
	DbmazzTuple *tuple = palloc(sizeof(*tuple));
	DbmazzAudit audit;
	DbmazzBatchWriter writer;
	DbmazzRowSource source = {tuple, NULL, false};
	ListCell   *lc;

	MemSet(&audit, 0, sizeof(audit));
	dbmazz_row_plan_init(plan, desc, s->unrepresentable);
	pool->nsegments = 2 + keys_size(desc, keys) / (DBMAZZ_SEGMENT_SIZE / 2);
	pool->pool = MemoryContextAllocHuge(lane->cxt, (Size) pool->nsegments *
										DBMAZZ_SEGMENT_SIZE);
	if (dbmazz_batch_begin(&writer, next_segment, pool, desc) != DBMAZZ_OK)
		elog(ERROR, "could not begin a batch");
	foreach(lc, keys)
	{
		DbmazzReplayKey *letter = lfirst(lc);
		DbmazzRowKey key = {0};

		if (!fill_tuple(desc, plan, letter, tuple, &audit))
		{
			dbmazz_dead_keep(lane, letter->text);
			continue;
		}
		if (dbmazz_row_begin(&writer) != DBMAZZ_OK ||
			dbmazz_keyrow_put(&writer, desc, plan, &source,
							  InvalidTransactionId, &key, err) != DBMAZZ_OK)
		{
			if (err->message[0] == '\0')
				dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
								 "a dead key is too large");
			return false;
		}
		dbmazz_row_end(&writer, letter->is_insert ? DBMAZZ_ROW_INSERT :
					   DBMAZZ_ROW_UPDATE, key.length, key.hash, letter->lsn,
					   letter->sequence);
	}
	MemSet(&lane->view, 0, sizeof(lane->view));
	lane->view.pool = pool->pool;
	lane->view.head = writer.head;
	lane->view.nrows = writer.nrows;
	lane->view.nbytes = writer.nbytes;
	lane->view.table = MemoryContextAlloc(lane->cxt, desc->size);
	memcpy((char *) lane->view.table, desc, desc->size);
	return true;
}

/* ---- for the lane ------------------------------------------------------------------ */

static DbmazzRereadResult
collect_keys(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	Oid			relid = dbmazz_catalog_replay_table(s->id, lane->target);
	DbmazzTableDesc *desc = NULL;
	const char **columns;
	int			i;

	if (!OidIsValid(relid))
		return DBMAZZ_REREAD_NOTHING;
	switch (dbmazz_relation_now(s->relations, relid, lane->target,
								s->publication, &desc, err))
	{
		case DBMAZZ_READER_LOCKED:
			return DBMAZZ_REREAD_LATER;
		case DBMAZZ_READER_GONE:
			/* the source has none of these rows, and no key to delete them by */
			return DBMAZZ_REREAD_NOTHING;
		case DBMAZZ_READER_CHANGED:
			return DBMAZZ_REREAD_FAILED;
		case DBMAZZ_READER_READY:
			break;
	}
	if (dbmazz_desc_privilege(desc, s->owner) != DBMAZZ_MAY_READ)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "permission denied for table \"%s\"",
						 dbmazz_desc_text(desc, desc->table));
		return DBMAZZ_REREAD_FAILED;
	}
	dbmazz_shipper_set_source(s, lane, desc);
	columns = palloc(sizeof(char *) * desc->nkeys);
	for (i = 0; i < desc->nkeys; i++)
		columns[i] = dbmazz_desc_text(desc, desc->columns[i].name);
	if (!write_keys(s, lane, desc,
					dbmazz_catalog_replay_keys(s->id, lane->target, desc->nkeys,
											   columns), err))
		return DBMAZZ_REREAD_FAILED;
	return lane->view.nrows > 0 ? DBMAZZ_REREAD_READY : DBMAZZ_REREAD_NOTHING;
}

DbmazzRereadResult
dbmazz_replay_begin(DbmazzShipper *s, Lane *lane, DbmazzError *err)
{
	MemoryContext cxt = CurrentMemoryContext;
	volatile DbmazzRereadResult result = DBMAZZ_REREAD_LATER;

	dbmazz_error_reset(err);
	dbmazz_dead_keep_none(lane);
	PG_TRY();
	{
		dbmazz_worker_begin();
		result = collect_keys(s, lane, err);
		dbmazz_worker_commit();
	}
	PG_CATCH();
	{
		result = dbmazz_reread_caught(cxt, true, err);
	}
	PG_END_TRY();
	return result;
}

/* Put it where others can see it. */
static void
show_wait(DbmazzShipper *s, Lane *lane, const char *for_what)
{
	dbmazz_worker_begin();
	dbmazz_catalog_replay_waits(s->id, lane->target, for_what);
	dbmazz_worker_commit();
	dbmazz_worker_show(s->p, for_what == NULL ? "streaming" :
					   "a replay of dead letters waits");
	lane->wait.is_shown = for_what != NULL;
}

void
dbmazz_replay_waits(DbmazzShipper *s, Lane *lane, const char *for_what)
{
	ReplayWait *wait = &lane->wait;
	TimestampTz now;

	if (for_what == NULL)
	{
		if (wait->is_shown)
			show_wait(s, lane, NULL);
		MemSet(wait, 0, sizeof(*wait));
		return;
	}
	now = GetCurrentTimestamp();
	if (wait->since == 0)
		wait->since = now;
	if (wait->began == 0)
		wait->began = now;
	if (TimestampDifferenceExceeds(wait->since, now, SHOW_WAIT_MS))
	{
		if (TimestampDifferenceExceeds(wait->began, now, ATTEMPT_MS))
			wait->try_at = TimestampTzPlusMilliseconds(now, SHOW_WAIT_MS);
		if (!wait->is_shown)
			show_wait(s, lane, for_what);
	}
	if (wait->is_logged ||
		!TimestampDifferenceExceeds(wait->since, now, LOG_WAIT_MS))
		return;
	wait->is_logged = true;
	ereport(LOG,
			(errmsg("replay of dead letters of target table %s waits for %s",
					dbmazz_from_utf8(lane->target), for_what),
			 errhint("Commits may wait for a synchronous standby.")));
}

void
dbmazz_replay_end(DbmazzShipper *s, Lane *lane, const DbmazzError *error)
{
	DbmazzReplayRequest request = {lane->target, lane->replay};
	uint32		n = 0;

	DBMAZZ_DEBUG_POINT("replayed");
	dbmazz_worker_begin();
	if (error == NULL)
		n = dbmazz_dead_revive(s, lane);
	dbmazz_catalog_end_replay(s->id, &request);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("replay_ended");
	if (error != NULL)
	{
		dbmazz_lane_next_label(lane);
		dbmazz_lane_answers(s, lane);
		dbmazz_report(WARNING, ERRCODE_DATA_EXCEPTION,
					  psprintf("dead letters of target table %s were not "
							   "replayed", dbmazz_from_utf8(lane->target)),
					  error);
	}
	else
	{
		dbmazz_dead_revived(s, lane, n);
		ereport(LOG,
				(errmsg("%u dead letters of target table %s are replayed, %u "
						"are left", n, dbmazz_from_utf8(lane->target),
						lane->nletters)));
	}
	dbmazz_lane_finish_batch(s, lane);
	/* somebody may have asked once more */
	dbmazz_shipper_replay(s);
}

void
dbmazz_shipper_replay(DbmazzShipper *shipper)
{
	ListCell   *lc;

	dbmazz_worker_begin();
	foreach(lc, dbmazz_catalog_replay_requests(shipper->id))
	{
		const DbmazzReplayRequest *request = lfirst(lc);
		Lane	   *lane = dbmazz_shipper_lane(shipper, request->target);

		/* one that has stopped replays when it goes on */
		if (lane->stopped || lane->replay != 0)
			continue;
		lane->replay = request->id;
		dbmazz_lane_queue(shipper, lane, DBMAZZ_NO_SEGMENT);
	}
	dbmazz_worker_commit();
}
