/*
 * shipper_dead.c
 *		Rows that the target does not take: the table stops, or they are kept.
 *
 * NOTES
 *	  With on_bad_row = dead_letter such a row goes into dbmazz.dead_letter, and
 *	  from then on so do all later changes of its key (followers), until the
 *	  letters are replayed: else a partial update could meet a row that is not
 *	  there.  Which keys are dead is known in memory, per lane; while none is, a
 *	  batch costs one comparison.
 *
 *	  Letters are committed before the batch is finished, so before the position
 *	  passes them.  A crash in between sends the rows again: the same row (commit
 *	  LSN and sequence) is not entered twice, and changes of its key in front of
 *	  it, which are in the target, are no followers but go there again.
 *
 *	  A key is its text as JSON (core/rowtext.h), the same for all encodings.
 *
 *	  Memory: at most max_dead_letters keys.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog_dead.h"
#include "common/hashfn.h"
#include "core/rowtext.h"
#include "guc.h"
#include "miscadmin.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "worker.h"

#define LARGEST_ROW		(64 * 1024 * 1024)	/* of which the letter has the
											 * values */
#define KEY_SHOWN		200		/* bytes of it in a message */
#define KEY_MARK		"Row with key "

typedef struct DeadKey
{
	char	   *text;			/* hash key */
	XLogRecPtr	lsn;			/* of its first letter */
	uint32		sequence;
	bool		keep;			/* the replay under way leaves it dead */
} DeadKey;

/* ---- texts ------------------------------------------------------------------ */

/* In the current context; NULL if the table has no key. */
static char *
key_text(const Lane *lane, const DbmazzSegment *segment,
		 const DbmazzRowEntry *entry)
{
	const DbmazzTableDesc *desc = lane->view.table;
	char	   *bytes;
	char	   *text;
	size_t		len;

	if (entry->key_length == 0)
		return NULL;
	bytes = palloc(entry->key_length);
	(void) dbmazz_row_copy(&lane->view, segment, entry, dbmazz_key_start(desc),
						   bytes, entry->key_length);
	len = dbmazz_key_text(desc, bytes, entry->key_length, NULL, 0) + 1;
	text = palloc(len);
	(void) dbmazz_key_text(desc, bytes, entry->key_length, text, len);
	pfree(bytes);
	return text;
}

/* The values of a row; NULL for a delete, and where they are too large. */
static char *
row_text(const Lane *lane, const DbmazzSegment *segment,
		 const DbmazzRowEntry *entry)
{
	char	   *bytes;
	char	   *text;
	size_t		len;

	if (entry->op == DBMAZZ_ROW_DELETE || entry->length > LARGEST_ROW)
		return NULL;
	bytes = palloc(entry->length);
	(void) dbmazz_row_copy(&lane->view, segment, entry, 0, bytes,
						   entry->length);
	len = dbmazz_row_text(lane->view.table, bytes, entry->length, NULL, 0) + 1;
	text = palloc(len);
	(void) dbmazz_row_text(lane->view.table, bytes, entry->length, text, len);
	pfree(bytes);
	return text;
}

/* The target's error about one row, with the row's key and commit. */
static void
name_row(const Lane *lane, const DbmazzSegment *segment,
		 const DbmazzRowEntry *entry, const DbmazzError *from,
		 DbmazzError *error)
{
	char	   *key = key_text(lane, segment, entry);

	*error = *from;
	if (strncmp(from->detail, KEY_MARK, strlen(KEY_MARK)) == 0 || key == NULL)
		dbmazz_error_detail(error, "The transaction committed at %X/%X. %s",
							LSN_FORMAT_ARGS(entry->commit_lsn), from->detail);
	else
		dbmazz_error_detail(error, KEY_MARK "%.*s. The transaction committed "
							"at %X/%X. %s", KEY_SHOWN, key,
							LSN_FORMAT_ARGS(entry->commit_lsn), from->detail);
}

/* ---- dead keys ------------------------------------------------------------------ */

static uint32
key_hash(const void *key, Size keysize)
{
	const char *text = *(char *const *) key;

	return hash_bytes((const unsigned char *) text, strlen(text));
}

static int
key_match(const void *a, const void *b, Size keysize)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
begin_keys(DbmazzShipper *s, Lane *lane)
{
	HASHCTL		ctl = {0};

	lane->dead_cxt = AllocSetContextCreate(s->cxt, "dbmazz dead keys",
										   ALLOCSET_DEFAULT_SIZES);
	ctl.keysize = sizeof(char *);
	ctl.entrysize = sizeof(DeadKey);
	ctl.hash = key_hash;
	ctl.match = key_match;
	ctl.hcxt = lane->dead_cxt;
	lane->dead = hash_create("dbmazz dead keys", 64, &ctl,
							 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
							 HASH_CONTEXT);
}

/* A letter of the key is there. */
static void
add_key(DbmazzShipper *s, Lane *lane, const char *text, XLogRecPtr lsn,
		uint32 sequence)
{
	bool		found;
	DeadKey    *key;

	if (text == NULL)
		return;
	if (lane->dead == NULL)
		begin_keys(s, lane);
	key = hash_search(lane->dead, &text, HASH_ENTER, &found);
	if (!found)
	{
		key->text = MemoryContextStrdup(lane->dead_cxt, text);
		key->keep = false;
	}
	if (!found || lsn < key->lsn ||
		(lsn == key->lsn && sequence < key->sequence))
	{
		key->lsn = lsn;
		key->sequence = sequence;
	}
}

/* Is the change of a dead key, and not one from before it died? */
static bool
is_follower(const Lane *lane, const char *text, const DbmazzRowEntry *entry)
{
	DeadKey    *key;

	if (text == NULL)
		return false;
	key = hash_search(lane->dead, &text, HASH_FIND, NULL);
	return key != NULL &&
		(entry->commit_lsn > key->lsn ||
		 (entry->commit_lsn == key->lsn && entry->sequence >= key->sequence));
}

/* No key of the lane is dead any more. */
static void
forget_keys(DbmazzShipper *s, Lane *lane)
{
	if (lane->dead != NULL)
		MemoryContextDelete(lane->dead_cxt);
	lane->dead = NULL;
	s->nletters -= lane->nletters;
	lane->nletters = 0;
}

static void
count_letters(DbmazzShipper *s, Lane *lane, uint32 n)
{
	lane->nletters += n;
	s->nletters += n;
}

void
dbmazz_dead_load(DbmazzShipper *s)
{
	ListCell   *lc;

	dbmazz_worker_begin();
	foreach(lc, dbmazz_catalog_dead_keys(s->id))
	{
		const DbmazzDeadLetter *letter = lfirst(lc);
		Lane	   *lane = dbmazz_shipper_lane(s, letter->target);

		count_letters(s, lane, 1);
		add_key(s, lane, letter->key, letter->lsn, letter->sequence);
	}
	dbmazz_worker_commit();
}

/* ---- letters ---------------------------------------------------------------- */

/* Enter a row; true if it was not there.  In the caller's transaction. */
static bool
write_letter(DbmazzShipper *s, const Lane *lane, const DbmazzSegment *segment,
			 const DbmazzRowEntry *entry, const DbmazzError *error)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext,
											  "dbmazz dead letter",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	DbmazzDeadLetter letter = {0};
	bool		is_new;

	letter.target = lane->target;
	letter.relid = lane->relid;
	letter.source = lane->source;
	letter.lsn = entry->commit_lsn;
	letter.sequence = entry->sequence;
	letter.op = entry->op;
	letter.key = key_text(lane, segment, entry);
	letter.row = row_text(lane, segment, entry);
	letter.error = error;
	is_new = dbmazz_catalog_add_dead_letter(s->id, &letter);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return is_new;
}

/*
 * There is no room for the row's letter: give the transaction up, and stop the
 * table.  'cxt' was the current context before it began.
 */
static void
stop_for_letters(DbmazzShipper *s, Lane *lane, const DbmazzSegment *segment,
				 const DbmazzRowEntry *entry, const DbmazzError *cause,
				 MemoryContext cxt)
{
	DbmazzError full;
	DbmazzError error;

	AbortCurrentTransaction();
	MemoryContextSwitchTo(cxt);
	dbmazz_error_set(&full, DBMAZZ_ERR_LIMIT, 0,
					 "there are %u dead letters, and max_dead_letters allows no "
					 "more", s->nletters);
	if (cause != NULL)
		dbmazz_error_detail(&full, "%s", cause->message);
	dbmazz_error_hint(&full, "Remove the causes that dbmazz.dead_letters shows "
					  "and call dbmazz.replay_dead_letters(), or raise "
					  "max_dead_letters for the pipeline; then call "
					  "dbmazz.retry_batch().");
	name_row(lane, segment, entry, &full, &error);
	dbmazz_lane_stop(s, lane, &error, entry);
}

/* Mark the rows of dead keys; returns how many there are. */
static uint32
mark_followers(Lane *lane)
{
	MemoryContext cxt = AllocSetContextCreate(lane->cxt, "dbmazz dead row",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	uint32		n = 0;

	dbmazz_rows_begin(&cursor, &lane->view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(cxt);
		if (!dbmazz_row_is_sent(entry) ||
			!is_follower(lane, key_text(lane, segment, entry), entry))
			continue;
		entry->flags |= DBMAZZ_ROW_DEAD;
		n++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return n;
}

bool
dbmazz_dead_divert(DbmazzShipper *s, Lane *lane)
{
	MemoryContext cxt = CurrentMemoryContext;
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	uint32		nmarked;
	uint32		nnew = 0;

	nmarked = lane->dead != NULL ? mark_followers(lane) : 0;
	if (nmarked == 0)
		return true;
	dbmazz_worker_begin();
	dbmazz_rows_begin(&cursor, &lane->view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		if ((entry->flags & DBMAZZ_ROW_DEAD) == 0 ||
			!write_letter(s, lane, segment, entry, NULL))
			continue;
		if (s->nletters + ++nnew > (uint32) dbmazz_max_dead_letters)
		{
			stop_for_letters(s, lane, segment, entry, NULL, cxt);
			return false;
		}
	}
	dbmazz_worker_commit();
	count_letters(s, lane, nnew);
	lane->request.nrows -= nmarked;
	return true;
}

bool
dbmazz_dead_enter(DbmazzShipper *s, Lane *lane, const DbmazzSegment *segment,
				  const DbmazzRowEntry *entry, const DbmazzError *error)
{
	MemoryContext cxt = CurrentMemoryContext;
	bool		is_new;

	if (dbmazz_on_bad_row == DBMAZZ_BAD_ROW_STOP)
	{
		dbmazz_lane_stop(s, lane, error, entry);
		return false;
	}
	dbmazz_worker_begin();
	is_new = write_letter(s, lane, segment, entry, error);
	if (is_new && s->nletters >= (uint32) dbmazz_max_dead_letters)
	{
		stop_for_letters(s, lane, segment, entry, error, cxt);
		return false;
	}
	dbmazz_worker_commit();
	count_letters(s, lane, is_new ? 1 : 0);
	add_key(s, lane, key_text(lane, segment, entry), entry->commit_lsn,
			entry->sequence);
	return true;
}

bool
dbmazz_dead_row(DbmazzShipper *s, Lane *lane, const DbmazzError *cause)
{
	DbmazzSegment *segment;
	DbmazzRowEntry *entry = dbmazz_split_row(lane, &segment);
	DbmazzError error;

	name_row(lane, segment, entry, cause, &error);
	return dbmazz_dead_enter(s, lane, segment, entry, &error);
}

/* ---- replays ------------------------------------------------------------------ */

void
dbmazz_dead_keep(Lane *lane, const char *key)
{
	DeadKey    *entry = lane->dead == NULL ? NULL :
		hash_search(lane->dead, &key, HASH_FIND, NULL);

	if (entry != NULL)
		entry->keep = true;
}

void
dbmazz_dead_keep_none(Lane *lane)
{
	HASH_SEQ_STATUS scan;
	DeadKey    *key;

	if (lane->dead == NULL)
		return;
	hash_seq_init(&scan, lane->dead);
	while ((key = hash_seq_search(&scan)) != NULL)
		key->keep = false;
}

void
dbmazz_dead_still(DbmazzShipper *s, Lane *lane, const DbmazzSegment *segment,
				  const DbmazzRowEntry *entry, const DbmazzError *error)
{
	char	   *key = key_text(lane, segment, entry);

	dbmazz_dead_keep(lane, key);
	dbmazz_worker_begin();
	dbmazz_catalog_rejected_again(s->id, lane->target, key, error);
	dbmazz_worker_commit();
}

void
dbmazz_dead_again(DbmazzShipper *s, Lane *lane, const DbmazzError *cause)
{
	DbmazzSegment *segment;
	DbmazzRowEntry *entry = dbmazz_split_row(lane, &segment);
	DbmazzError error;

	name_row(lane, segment, entry, cause, &error);
	dbmazz_dead_still(s, lane, segment, entry, &error);
}

uint32
dbmazz_dead_revive(DbmazzShipper *s, Lane *lane)
{
	List	   *keys = NIL;
	HASH_SEQ_STATUS scan;
	DeadKey    *key;

	if (lane->dead == NULL)
		return 0;
	hash_seq_init(&scan, lane->dead);
	while ((key = hash_seq_search(&scan)) != NULL)
	{
		if (!key->keep)
			keys = lappend(keys, key->text);
	}
	return (uint32) dbmazz_catalog_remove_replayed(s->id, lane->target, keys);
}

void
dbmazz_dead_revived(DbmazzShipper *s, Lane *lane, uint32 nletters)
{
	HASH_SEQ_STATUS scan;
	DeadKey    *key;

	lane->nletters -= nletters;
	s->nletters -= nletters;
	if (lane->dead == NULL)
		return;
	hash_seq_init(&scan, lane->dead);
	while ((key = hash_seq_search(&scan)) != NULL)
	{
		char	   *text = key->text;

		if (key->keep)
			continue;
		(void) hash_search(lane->dead, &text, HASH_REMOVE, NULL);
		pfree(text);
	}
	if (hash_get_num_entries(lane->dead) > 0)
		return;
	MemoryContextDelete(lane->dead_cxt);
	lane->dead = NULL;
}

void
dbmazz_dead_truncated(DbmazzShipper *s, Lane *lane)
{
	if (lane->nletters == 0)
		return;
	dbmazz_worker_begin();
	dbmazz_catalog_remove_dead_letters(s->id, lane->target);
	dbmazz_worker_commit();
	forget_keys(s, lane);
}
