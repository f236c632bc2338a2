/*
 * catalog_dead.c
 *		SQL on the rows that a target did not take.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog_dead.h"
#include "catalog_private.h"
#include "utils/array.h"
#include "utils/resowner.h"

/* What jsonb makes of a row's text. */
static const char *const row_forms[] = {
	"$9::jsonb - '__op'",
	"pg_catalog.to_jsonb($9)",	/* a string: \u0000, numbers beyond numeric */
	"NULL"						/* longer than jsonb takes */
};

static const char *
op_name(char op)
{
	return op == 'I' ? "INSERT" : op == 'D' ? "DELETE" : "UPDATE";
}

static bool
insert_letter(int32 id, const DbmazzDeadLetter *letter, const char *row_form)
{
	const DbmazzError *error = letter->error;
	StringInfoData sql;
	Statement	q;
	bool		is_new;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO dbmazz.dead_letter (pipeline, target, "
					 "relation, source, lsn, sequence, op, key, \"row\", error, "
					 "detail) VALUES ($1, $2, $3::oid, $4, $5, $6, $7, "
					 "$8::json, %s, $10, $11) "
					 "ON CONFLICT (pipeline, target, lsn, sequence) "
					 "WHERE NOT old_wal DO NOTHING",
					 row_form);
	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, letter->target);
	add_bigint(&q, letter->relid);
	add_utf8(&q, letter->source);
	add_lsn(&q, letter->lsn);
	add_bigint(&q, letter->sequence);
	add_text(&q, op_name(letter->op));
	add_utf8(&q, letter->key);
	add_utf8(&q, letter->row);
	add_utf8(&q, error != NULL ? error->message : NULL);
	add_utf8(&q, error != NULL && error->detail[0] ? error->detail : NULL);
	is_new = run(&q, sql.data, SPI_OK_INSERT) > 0;
	query_end(&q);
	pfree(sql.data);
	return is_new;
}

/* Is the error about the row's text?  Then another form may do. */
static bool
is_about_text(int code)
{
	return ERRCODE_TO_CATEGORY(code) == ERRCODE_DATA_EXCEPTION ||
		ERRCODE_TO_CATEGORY(code) == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/* In a subtransaction; false if the text does not do in this form. */
static bool
try_form(int32 id, const DbmazzDeadLetter *letter, int form, bool *is_new)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		*is_new = insert_letter(id, letter, row_forms[form]);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		if (form + 1 == (int) lengthof(row_forms) ||
			!is_about_text(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(cxt);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;
	return done;
}

bool
dbmazz_catalog_add_dead_letter(int32 id, const DbmazzDeadLetter *letter)
{
	bool		is_new = false;
	int			form = 0;

	while (!try_form(id, letter, form, &is_new))
		form++;
	return is_new;
}

List *
dbmazz_catalog_dead_keys(int32 id)
{
	List	   *result = NIL;
	Statement	q;
	uint64		n;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	n = run(&q, "SELECT target, key::text, "
			"CASE WHEN old_wal THEN '0/0' ELSE lsn END, sequence "
			"FROM dbmazz.dead_letter WHERE pipeline = $1 ORDER BY id",
			SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzDeadLetter *letter = MemoryContextAllocZero(q.cxt,
														  sizeof(*letter));

		letter->target = get_utf8(&q, i, 1);
		letter->key = get_utf8(&q, i, 2);
		letter->lsn = get_lsn(i, 3);
		letter->sequence = (uint32) get_bigint(i, 4);
		result = list_row(&q, result, letter);
	}
	query_end(&q);
	return result;
}

void
dbmazz_catalog_remove_dead_letters(int32 id, const char *target)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	run_alone(&q, "DELETE FROM dbmazz.dead_letter "
			  "WHERE pipeline = $1 AND target = $2", SPI_OK_DELETE);
}

/* ---- rows that are skipped -------------------------------------------------- */

bool
dbmazz_catalog_stopped_row(int32 id, const char *target,
						   DbmazzStoppedRow *row)
{
	Statement	q;
	bool		found;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	found = run(&q, "SELECT row_lsn, coalesce(error, ''), "
				"coalesce(detail, error, '') FROM dbmazz.pipeline_tables "
				"WHERE pipeline = $1 AND target = $2 AND state = 'stopped'",
				SPI_OK_SELECT) > 0;
	if (found)
	{
		row->lsn = get_lsn(0, 1);
		row->error = get_text(&q, 0, 2);
		row->detail = get_text(&q, 0, 3);
	}
	query_end(&q);
	return found;
}

void
dbmazz_catalog_skip_row(int32 id, const char *target, Oid user)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	add_arg(&q, OIDOID, ObjectIdGetDatum(user), false);
	run_alone(&q, "INSERT INTO dbmazz.skipped_row (pipeline, target, lsn, "
			  "sequence, detail, skipped_by) "
			  "SELECT pipeline, target, row_lsn, row_sequence, "
			  "coalesce(detail, error), pg_catalog.pg_get_userbyid($3) "
			  "FROM dbmazz.pipeline_tables WHERE pipeline = $1 AND target = $2 "
			  "ON CONFLICT DO NOTHING", SPI_OK_INSERT);
}

List *
dbmazz_catalog_skipped_rows(int32 id, XLogRecPtr lsn)
{
	List	   *result = NIL;
	Statement	q;
	uint64		n;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	add_lsn(&q, lsn);
	n = run(&q, "SELECT target, lsn, sequence FROM dbmazz.skipped_row "
			"WHERE pipeline = $1 AND lsn >= $2", SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzSkippedRow *row = MemoryContextAlloc(q.cxt, sizeof(*row));

		row->target = get_utf8(&q, i, 1);
		row->lsn = get_lsn(i, 2);
		row->sequence = (uint32) get_bigint(i, 3);
		result = list_row(&q, result, row);
	}
	query_end(&q);
	return result;
}

/* ---- letters that are to be sent again -------------------------------------- */

int64
dbmazz_catalog_request_replay(int32 id, const char *target, int64 *nkeyless)
{
	Statement	q;
	uint64		n;
	int64		letters = 0;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	n = run(&q, "WITH letters AS (SELECT target, count(key) AS n, "
			"count(*) - count(key) AS keyless "
			"FROM dbmazz.dead_letter WHERE pipeline = $1 "
			"AND ($2 IS NULL OR target = $2) GROUP BY target), "
			"requests AS (INSERT INTO dbmazz.replay_request (pipeline, target) "
			"SELECT $1, target FROM letters WHERE n > 0) "
			"SELECT n, keyless FROM letters", SPI_OK_SELECT);
	*nkeyless = 0;
	for (i = 0; i < n; i++)
	{
		letters += (int64) get_bigint(i, 1);
		*nkeyless += (int64) get_bigint(i, 2);
	}
	query_end(&q);
	return letters;
}

List *
dbmazz_catalog_replay_requests(int32 id)
{
	List	   *result = NIL;
	Statement	q;
	uint64		n;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	n = run(&q, "SELECT target, max(id) FROM dbmazz.replay_request "
			"WHERE pipeline = $1 GROUP BY target", SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzReplayRequest *request = MemoryContextAlloc(q.cxt,
														  sizeof(*request));

		request->target = get_utf8(&q, i, 1);
		request->id = (int64) get_bigint(i, 2);
		result = list_row(&q, result, request);
	}
	query_end(&q);
	return result;
}

void
dbmazz_catalog_replay_waits(int32 id, const char *target,
							const char *for_what)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_text(&q, for_what);
	run_alone(&q, "UPDATE dbmazz.replay_request SET waits_for = $3 "
			  "WHERE pipeline = $1 AND target = $2", SPI_OK_UPDATE);
}

void
dbmazz_catalog_end_replay(int32 id, const DbmazzReplayRequest *request)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, request->target);
	add_bigint(&q, request->id);
	run_alone(&q, "DELETE FROM dbmazz.replay_request "
			  "WHERE pipeline = $1 AND target = $2 AND id <= $3",
			  SPI_OK_DELETE);
}

Oid
dbmazz_catalog_replay_table(int32 id, const char *target)
{
	Statement	q;
	Oid			relid = InvalidOid;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	if (run(&q, "SELECT relation::int8 FROM dbmazz.dead_letter "
			"WHERE pipeline = $1 AND target = $2 AND key IS NOT NULL "
			"ORDER BY id DESC LIMIT 1", SPI_OK_SELECT) > 0)
		relid = (Oid) get_bigint(0, 1);
	query_end(&q);
	return relid;
}

/* The statement for keys with these columns. */
static char *
replay_query(int ncolumns, const char **columns)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT DISTINCT ON (key::text) key::text, "
						   "(op = 'INSERT')::int4, lsn, sequence");
	for (i = 0; i < ncolumns; i++)
		appendStringInfo(&sql, ", key ->> %s",
						 quote_literal_cstr(dbmazz_from_utf8(columns[i])));
	appendStringInfoString(&sql, " FROM dbmazz.dead_letter "
						   "WHERE pipeline = $1 AND target = $2 "
						   "AND key IS NOT NULL ORDER BY key::text, id DESC");
	return sql.data;
}

List *
dbmazz_catalog_replay_keys(int32 id, const char *target, int ncolumns,
						   const char **columns)
{
	List	   *result = NIL;
	Statement	q;
	uint64		n;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	n = run(&q, replay_query(ncolumns, columns), SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzReplayKey *key = MemoryContextAlloc(q.cxt, sizeof(*key));
		int			c;

		key->text = get_utf8(&q, i, 1);
		key->is_insert = get_int(i, 2) != 0;
		key->lsn = get_lsn(i, 3);
		key->sequence = (uint32) get_bigint(i, 4);
		key->values = MemoryContextAlloc(q.cxt, sizeof(char *) * ncolumns);
		for (c = 0; c < ncolumns; c++)
			key->values[c] = get_utf8(&q, i, 5 + c);
		result = list_row(&q, result, key);
	}
	query_end(&q);
	return result;
}

uint64
dbmazz_catalog_remove_replayed(int32 id, const char *target, List *keys)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(keys), 1));
	ArrayType  *array;
	ListCell   *lc;
	Statement	q;
	uint64		n;
	int			i = 0;

	foreach(lc, keys)
		elements[i++] = CStringGetTextDatum(dbmazz_from_utf8(lfirst(lc)));
	array = construct_array(elements, i, TEXTOID, -1, false, TYPALIGN_INT);
	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_arg(&q, TEXTARRAYOID, PointerGetDatum(array), false);
	n = run(&q, "DELETE FROM dbmazz.dead_letter WHERE pipeline = $1 "
			"AND target = $2 AND key::text = ANY ($3)", SPI_OK_DELETE);
	query_end(&q);
	return n;
}

void
dbmazz_catalog_rejected_again(int32 id, const char *target, const char *key,
							  const DbmazzError *error)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_utf8(&q, key);
	add_utf8(&q, error->message);
	add_utf8(&q, error->detail[0] ? error->detail : NULL);
	run_alone(&q, "UPDATE dbmazz.dead_letter SET error = $4, detail = $5 "
			  "WHERE id = (SELECT max(id) FROM dbmazz.dead_letter "
			  "WHERE pipeline = $1 AND target = $2 AND key::text = $3)",
			  SPI_OK_UPDATE);
}
