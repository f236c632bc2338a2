/*
 * changes.c
 *		From pgoutput's messages to rows in batches.
 *
 * NOTES
 *	  What each change becomes at the target:
 *
 *	  INSERT	upsert of the row
 *	  UPDATE	upsert of the row; values that were not sent (unchanged TOAST) come
 *				from the old row where the replica identity gave it, else the
 *				row becomes a partial update of just the columns that came
 *	  UPDATE	of the key: delete of the old key, then upsert, in this order; where
 *				values were not sent, the row goes by its new key and the shipper
 *				reads it in the table.  Likewise an INSERT that a row filter made
 *				of an UPDATE
 *	  DELETE	delete by key
 *				soft (dbmazz.delete_mode): upsert of the old row where it is
 *				whole, else partial update, of the audit columns only
 *	  TRUNCATE	empties the target between the loads around it; or stops the
 *				table, or is ignored (dbmazz.truncate_mode).  The sequences that
 *				it may restart are nothing that the target has
 */
#include "postgres.h"

#include "changes.h"
#include "core/audit.h"
#include "encoding.h"
#include "guc.h"
#include "unfit.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

struct DbmazzChanges
{
	DbmazzPipeline *p;
	DbmazzRelations *relations;
	DbmazzBatcher *batcher;
	DbmazzParser *parser;
	XLogRecPtr	final_lsn;		/* of the transaction, as its other edges */
	TimestampTz commit_time;
	TransactionId xid;
	bool		is_open;		/* something of it has come */
	bool		has_rows;		/* the transaction has put rows in batches */
	bool		committed;
	bool		keep[DBMAZZ_MAX_VALUES];

	/* settings do not change in the middle of a life */
	bool		has_audit;
	bool		soft_deletes;
	DbmazzAudit audit;
	uint64		nchanges;		/* of the transaction, those of all tables */
};

DbmazzChanges *
dbmazz_changes_create(MemoryContext parent, DbmazzPipeline *p,
					  DbmazzRelations *relations, DbmazzBatcher *batcher)
{
	DbmazzChanges *c = MemoryContextAllocZero(parent, sizeof(*c));

	c->p = p;
	c->relations = relations;
	c->batcher = batcher;
	c->parser = MemoryContextAllocHuge(parent, sizeof(DbmazzParser));
	c->has_audit = dbmazz_audit_columns;
	c->soft_deletes = dbmazz_delete_mode == DBMAZZ_DELETE_SOFT;
	return c;
}

bool
dbmazz_changes_committed(DbmazzChanges *changes)
{
	bool		result = changes->committed;

	changes->committed = false;
	return result;
}

static void
stop_table(DbmazzChanges *c, DbmazzRelation *rel, const char *message,
		   const char *hint)
{
	const DbmazzTableDesc *desc = rel->full.desc;
	DbmazzError error;

	dbmazz_error_set(&error, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "table \"%s.%s\" %s", dbmazz_desc_text(desc, desc->schema),
					 dbmazz_desc_text(desc, desc->table), message);
	dbmazz_error_detail(&error, "The transaction committed at %X/%X.",
						LSN_FORMAT_ARGS(c->final_lsn));
	dbmazz_error_hint(&error, "%s", hint);
	dbmazz_batcher_stop(c->batcher, rel, &error);
	c->has_rows = true;
}

/*
 * The relation of a change that is to be applied; NULL if it is not.
 */
static DbmazzRelation *
wanted_relation(DbmazzChanges *c, uint32 relid, char kind)
{
	DbmazzRelation *rel = dbmazz_relations_get(c->relations, relid);
	const char *problem;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("change of relation %u came before its description",
						relid)));
	if (rel->skip || rel->stopped || c->final_lsn < rel->from_lsn)
		return NULL;
	if (rel->collides)
	{
		stop_table(c, rel, "has the same target as another published table",
				   "This pipeline cannot get past the row, for it sees the "
				   "publication as it was then. Remove one of them from the "
				   "publication; then drop the pipeline, create it again, and "
				   "load the tables anew. Another pipeline with another "
				   "table_name_template can have the other one.");
		return NULL;
	}
	problem = rel->problem;
	if (problem == NULL && (kind == 'U' || kind == 'D'))
		problem = rel->old_problem;
	if (problem != NULL)
	{
		stop_table(c, rel, problem, rel->hint);
		return NULL;
	}
	c->has_rows = true;
	return rel;
}

static bool
has_unchanged(const DbmazzTuple *tuple)
{
	int			i;

	for (i = 0; i < tuple->ncolumns; i++)
	{
		if (tuple->values[i].kind == DBMAZZ_VALUE_UNCHANGED)
			return true;
	}
	return false;
}

/* Must the tuple have as many columns as the description says. */
static void
check_columns(const DbmazzRelation *rel, const DbmazzTuple *tuple)
{
	int			expected = rel->full.desc->ntable_columns - rel->naudit;

	if (tuple->ncolumns != expected)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("row of \"%s.%s\" has %d columns, expected %d",
						rel->schema, rel->table, tuple->ncolumns, expected)));
}

/* The columns that have a value: fills c->keep; true if all have. */
static bool
find_values(DbmazzChanges *c, const DbmazzRelation *rel,
			const DbmazzRowSource *source)
{
	const DbmazzRowPlan *plan = rel->full.plan;
	bool		all = true;
	int			i;

	for (i = 0; i < plan->ncolumns; i++)
	{
		c->keep[i] = dbmazz_row_value(source, &plan->columns[i]) != NULL;
		all = all && c->keep[i];
	}
	return all;
}

/* Give the tuple the values of the audit columns, if the table has any. */
static void
stamp(DbmazzChanges *c, const DbmazzRelation *rel, DbmazzTuple *tuple,
	  DbmazzAuditOp op, bool is_deleted)
{
	if (rel->naudit > 0)
		dbmazz_audit_stamp(&c->audit, tuple, rel->naudit, op, is_deleted,
						   2 * c->nchanges + (is_deleted ? 0 : 1));
}

/*
 * A row whose change came without some large values, and that the target need
 * not have: nobody but the table has them.
 */
static void
read_again(DbmazzChanges *c, DbmazzRelation *rel,
		   const DbmazzRowSource *source, DbmazzRowOp op)
{
	int			i;

	for (i = 0; i < rel->full.plan->nkeys; i++)
	{
		if (dbmazz_row_value(source, &rel->full.plan->columns[i]) != NULL)
			continue;
		stop_table(c, rel, "has a change without the value of a key column",
				   "This pipeline cannot get past the row. Set REPLICA "
				   "IDENTITY FULL on the table; then drop the pipeline, "
				   "create it again, and load the table anew.");
		return;
	}
	dbmazz_batcher_row(c->batcher, rel, &rel->reread, source, op);
}

static void
apply_insert(DbmazzChanges *c, DbmazzRelation *rel)
{
	DbmazzRowSource source = {&c->parser->new_tuple, NULL, false};

	check_columns(rel, source.tuple);
	stamp(c, rel, &c->parser->new_tuple, DBMAZZ_AUDIT_INSERT, false);
	/* a row filter makes an insert of an update that moves a row into it */
	if (has_unchanged(source.tuple) && !find_values(c, rel, &source))
		read_again(c, rel, &source, DBMAZZ_ROW_INSERT);
	else
		dbmazz_batcher_row(c->batcher, rel, &rel->full, &source,
						   DBMAZZ_ROW_INSERT);
}

/*
 * The row of parser->old_tuple goes, or is marked as gone.  Its last values are
 * at the target already; but where all came with the change (and none was lost
 * in conversion), a whole row costs less than a load of its own.
 */
static void
delete_old_row(DbmazzChanges *c, DbmazzRelation *rel)
{
	DbmazzTuple *old = &c->parser->old_tuple;
	DbmazzRowSource source = {old, NULL, false};
	DbmazzColumnSet *set = &rel->full;

	if (!c->soft_deletes)
	{
		dbmazz_batcher_row(c->batcher, rel, set, &source, DBMAZZ_ROW_DELETE);
		return;
	}
	if (c->parser->message.u.change.old_kind != 'O' || has_unchanged(old))
	{
		const DbmazzTableDesc *desc = set->desc;
		uint32		i;

		for (i = 0; i < desc->ncolumns; i++)
			c->keep[i] = desc->columns[i].source >= old->ncolumns;
		set = dbmazz_relation_partial(c->relations, rel, c->keep);
	}
	stamp(c, rel, old, DBMAZZ_AUDIT_DELETE, true);
	dbmazz_batcher_row(c->batcher, rel, set, &source, DBMAZZ_ROW_UPDATE);
}

static void
apply_update(DbmazzChanges *c, DbmazzRelation *rel)
{
	char		old_kind = c->parser->message.u.change.old_kind;
	DbmazzRowSource source = {&c->parser->new_tuple, NULL, false};
	DbmazzRowSource old = {&c->parser->old_tuple, NULL, false};
	bool		is_whole;
	bool		key_changed = false;

	check_columns(rel, source.tuple);
	if (old_kind != 0)
	{
		check_columns(rel, old.tuple);
		source.fallback = old.tuple;
		source.fallback_key_only = old_kind == 'K';
		key_changed = !dbmazz_row_same_key(rel->full.plan, &source, &old);
	}
	/* at the target a key that changes is a new row */
	stamp(c, rel, &c->parser->new_tuple,
		  key_changed ? DBMAZZ_AUDIT_INSERT : DBMAZZ_AUDIT_UPDATE, false);
	is_whole = !has_unchanged(source.tuple) || find_values(c, rel, &source);
	if (key_changed)
		delete_old_row(c, rel);
	if (rel->stopped)
		return;
	if (is_whole)
		dbmazz_batcher_row(c->batcher, rel, &rel->full, &source,
						   DBMAZZ_ROW_UPDATE);
	else if (key_changed)
		read_again(c, rel, &source, DBMAZZ_ROW_UPDATE);
	else
		dbmazz_batcher_row(c->batcher, rel,
						   dbmazz_relation_partial(c->relations, rel, c->keep),
						   &source, DBMAZZ_ROW_UPDATE);
}

static void
apply_delete(DbmazzChanges *c, DbmazzRelation *rel)
{
	check_columns(rel, &c->parser->old_tuple);
	delete_old_row(c, rel);
}

/*
 * A change log gets every change as a row, and where the replica identity gives
 * the whole old row, that as a row before it.
 */
static void
log_change(DbmazzChanges *c, DbmazzRelation *rel)
{
	static const DbmazzAuditOp ops[] = {
		['I'] = DBMAZZ_AUDIT_INSERT,['U'] = DBMAZZ_AUDIT_UPDATE,
		['D'] = DBMAZZ_AUDIT_DELETE
	};
	const DbmazzMessage *m = &c->parser->message;
	DbmazzRowSource old = {&c->parser->old_tuple, NULL, false};
	DbmazzRowSource source = {&c->parser->new_tuple, NULL, false};
	DbmazzAuditOp op = ops[(unsigned char) m->kind];

	if (m->u.change.old_kind != 0)
	{
		check_columns(rel, old.tuple);
		source.fallback = old.tuple;
		source.fallback_key_only = m->u.change.old_kind == 'K';
	}
	if (m->kind == 'D' || m->u.change.old_kind == 'O')
	{
		stamp(c, rel, &c->parser->old_tuple, op, true);
		dbmazz_batcher_row(c->batcher, rel, &rel->full, &old,
						   DBMAZZ_ROW_INSERT);
	}
	if (m->kind == 'D' || rel->stopped)
		return;
	check_columns(rel, source.tuple);
	stamp(c, rel, &c->parser->new_tuple, op, false);
	if (has_unchanged(source.tuple) && !find_values(c, rel, &source))
		stop_table(c, rel, "has a change without the value of an unchanged "
				   "large column, which a change log needs",
				   "This pipeline cannot get past the row. Set REPLICA "
				   "IDENTITY FULL on the table; then drop the pipeline, create "
				   "it again, and load the table anew.");
	else
		dbmazz_batcher_row(c->batcher, rel, &rel->full, &source,
						   DBMAZZ_ROW_INSERT);
}

static void
apply_truncate(DbmazzChanges *c)
{
	const DbmazzMessage *m = &c->parser->message;
	uint32		i;

	for (i = 0; i < m->u.truncate.nrelids; i++)
	{
		DbmazzRelation *rel = wanted_relation(c, dbmazz_truncate_relid(m, i),
												  m->kind);

		if (rel == NULL || dbmazz_truncate_mode == DBMAZZ_TRUNCATE_IGNORE)
			continue;
		if (dbmazz_truncate_mode == DBMAZZ_TRUNCATE_STOP)
			stop_table(c, rel, "was truncated",
					   "Set truncate_mode=apply for the pipeline with "
					   "dbmazz.alter_pipeline(); or empty the target table and "
					   "set truncate_mode=ignore; then stop and start the "
					   "pipeline.");
		else
			dbmazz_batcher_truncate(c->batcher, rel);
	}
}

/* To UTF-8; false if the table has stopped over that, or the change is skipped. */
static bool
convert_tuple(DbmazzChanges *c, DbmazzRelation *rel, DbmazzTuple *tuple,
			  bool is_old)
{
	DbmazzRowSource source = {tuple, NULL, false};
	DbmazzError error;

	check_columns(rel, tuple);
	if (dbmazz_encoding_tuple(rel->full.desc, tuple, is_old,
							  pg_atomic_read_u32(&c->p->keeps_bad_rows) != 0,
							  rel->full.plan->unrepresentable,
							  &error) == DBMAZZ_OK)
		return true;
	if (dbmazz_batcher_skips(c->batcher, rel))
		return false;
	dbmazz_unfit_describe(&error, &rel->full, &source, c->final_lsn);
	dbmazz_batcher_stop(c->batcher, rel, &error);
	return false;
}

static bool
convert_tuples(DbmazzChanges *c, DbmazzRelation *rel)
{
	const DbmazzMessage *m = &c->parser->message;

	if (dbmazz_encoding_is_utf8())
		return true;
	if (m->u.change.old_kind != 0 &&
		!convert_tuple(c, rel, &c->parser->old_tuple, !rel->is_log))
		return false;
	return m->kind == 'D' ||
		convert_tuple(c, rel, &c->parser->new_tuple, false);
}

static void
apply_change(DbmazzChanges *c)
{
	DbmazzRelation *rel = wanted_relation(c,
										  c->parser->message.u.change.relid,
										  c->parser->message.kind);

	if (rel == NULL || !convert_tuples(c, rel))
		return;
	if (rel->is_log)
		log_change(c, rel);
	else if (c->parser->message.kind == 'I')
		apply_insert(c, rel);
	else if (c->parser->message.kind == 'U')
		apply_update(c, rel);
	else
		apply_delete(c, rel);
}

void
dbmazz_changes_begin(DbmazzChanges *changes, XLogRecPtr commit_lsn,
					 TimestampTz commit_time, TransactionId xid)
{
	changes->final_lsn = commit_lsn;
	changes->commit_time = commit_time;
	changes->xid = xid;
	changes->is_open = false;
}

/* Most transactions of a busy server may be nothing to us. */
static void
open_transaction(DbmazzChanges *c)
{
	if (c->is_open)
		return;
	c->is_open = true;
	c->has_rows = false;
	c->nchanges = 0;
	if (c->has_audit)
		dbmazz_audit_begin(&c->audit, GetCurrentTimestamp(), c->final_lsn);
	dbmazz_batcher_begin(c->batcher, c->final_lsn, c->commit_time, c->xid);
}

void
dbmazz_changes_commit(DbmazzChanges *changes)
{
	if (!changes->is_open)
		return;
	changes->is_open = false;
	changes->committed |= changes->has_rows;
	pg_atomic_write_u64(&changes->p->decoded_time, changes->commit_time);
}

DbmazzParser *
dbmazz_changes_parser(DbmazzChanges *changes)
{
	return changes->parser;
}

void
dbmazz_changes_change(DbmazzChanges *changes, uint64 number)
{
	open_transaction(changes);
	changes->nchanges++;
	dbmazz_batcher_change(changes->batcher, number);
	apply_change(changes);
}

void
dbmazz_changes_message(DbmazzChanges *changes, XLogRecPtr lsn, uint64 number,
					   const char *data, Size len)
{
	DbmazzParser *parser = changes->parser;

	if (dbmazz_pgoutput_parse(parser, data, len) != DBMAZZ_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("malformed message of pgoutput: %s",
						parser->error.message),
				 errdetail("At byte %u of %zu.", parser->error.offset, len)));

	switch (parser->message.kind)
	{
		case 'I':
		case 'U':
		case 'D':
			dbmazz_changes_change(changes, number);
			break;
		case 'R':
			open_transaction(changes);
			(void) dbmazz_relations_update(changes->relations, parser, lsn,
										   changes->final_lsn,
										   dbmazz_batcher_seal_relation,
										   changes->batcher);
			break;
		case 'T':
			open_transaction(changes);
			dbmazz_batcher_change(changes->batcher, number);
			apply_truncate(changes);
			break;
		default:
			/* edges are known; origins, types and messages carry no rows */
			break;
	}
}
