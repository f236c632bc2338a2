/*
 * batcher_keys.c
 *		Keeps the changes of a key in order across the column sets of a table.
 *
 * NOTES
 *	  Order per key.  The rows of a table may be in several open batches, one
 *	  for each column set.  Lanes ship batches in the order in which they were
 *	  sealed, so a key must never be in two open batches: while a table has more
 *	  than one, a hash table says which keys are where, and a row whose key is in
 *	  another batch seals all of the table's first.  One exception: partial
 *	  batches are always sealed before that of full rows, and that before the one
 *	  of rows that are read again; so a row may follow one of its key in an
 *	  earlier batch of this order without that.  (An UPDATE of keys is a full row,
 *	  the delete, and one to read again: "id = id + 1" over neighbours makes two
 *	  large batches that way.)  The hash table is thrown away
 *	  whenever one of them is sealed, as keys are not entered while a batch is
 *	  alone; if need be it is made again from the batches that are open then.
 */
#include "postgres.h"

#include "batcher_private.h"
#include "queue.h"

#define FIRST_KEYS		1024	/* room for these; it grows */
#define SPARE_SLOTS		(256 * 1024)	/* a larger table is not kept (4 MB), */
#define SPARE_USE		8		/* nor one with fewer keys than slots / 8 */

typedef struct KeyEntry
{
	uint32		hash;			/* of the key, and its place in the table */
	char		status;			/* simplehash's */
	DbmazzColumnSet *set;
} KeyEntry;

#define SH_PREFIX		dbmazz_keys
#define SH_ELEMENT_TYPE	KeyEntry
#define SH_KEY_TYPE		uint32
#define SH_KEY			hash
#define SH_HASH_KEY(table, key)	(key)
#define SH_EQUAL(table, a, b)	((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * To let a table grow costs as much as to fill it.  So one is kept, empty, for whoever
 * is next; but not one that takes longer to empty than its keys are worth.
 */
void
dbmazz_batcher_forget_keys(DbmazzBatcher *b, DbmazzRelation *rel)
{
	dbmazz_keys_hash *keys = rel->keys;

	if (keys == NULL)
		return;
	rel->keys = NULL;
	if (b->spare_keys == NULL && keys->size <= SPARE_SLOTS &&
		keys->members >= keys->size / SPARE_USE)
	{
		dbmazz_keys_reset(keys);
		b->spare_keys = keys;
	}
	else
		dbmazz_keys_destroy(keys);
}

/* Enter the keys of a batch that was alone so far. */
static void
collect_keys(DbmazzRelation *rel, DbmazzColumnSet *set)
{
	DbmazzBatchView view = {0};
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;

	view.pool = dbmazz_queue_pool();
	view.head = set->open->writer.head;
	dbmazz_rows_begin(&cursor, &view);
	while ((entry = dbmazz_rows_next(&cursor, &segment)) != NULL)
	{
		bool		found;

		dbmazz_keys_insert(rel->keys, entry->key_hash, &found)->set = set;
	}
}

static void
start_keys(DbmazzBatcher *b, DbmazzRelation *rel)
{
	DbmazzColumnSet *set;

	if (b->spare_keys != NULL)
		rel->keys = b->spare_keys;
	else
		rel->keys = dbmazz_keys_create(b->cxt, FIRST_KEYS, NULL);
	b->spare_keys = NULL;
	for (set = rel->partial; set != NULL; set = set->next)
	{
		if (set->open != NULL)
			collect_keys(rel, set);
	}
	/* in this order, for of a key that is in several sets the last is newest */
	if (rel->full.open != NULL)
		collect_keys(rel, &rel->full);
	if (rel->reread.open != NULL)
		collect_keys(rel, &rel->reread);
}

/* Batches of a table are sealed in this order; equal ones in any order. */
static int
rank(const DbmazzRelation *rel, const DbmazzColumnSet *set)
{
	if (dbmazz_is_reread(rel, set))
		return 2;
	return set == &rel->full ? 1 : 0;
}

/* See "Order per key" above; two keys with one hash only seal too early. */
void
dbmazz_batcher_note_key(DbmazzBatcher *b, DbmazzRelation *rel,
						DbmazzColumnSet *set, const DbmazzRowSource *source)
{
	bool		alone = rel->nopen == 0 ||
		(rel->nopen == 1 && set->open != NULL);
	bool		found;
	KeyEntry   *k;

	if (alone)
		return;
	if (rel->keys == NULL)
		start_keys(b, rel);
	k = dbmazz_keys_insert(rel->keys, dbmazz_row_key_hash(set->plan, source),
						   &found);
	if (found && k->set != set && k->set->open != NULL &&
		rank(rel, k->set) >= rank(rel, set))
		dbmazz_batcher_seal_relation(b, rel);
	else
		k->set = set;
}
