/*
 * catalog_dead.c
 *		SQL on the rows that a target did not take.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog_dead.h"
#include "catalog_private.h"
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
					 "ON CONFLICT (pipeline, target, lsn, sequence) DO NOTHING",
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
	n = run(&q, "SELECT target, key::text, lsn, sequence "
			"FROM dbmazz.dead_letter WHERE pipeline = $1 ORDER BY id",
			SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzDeadLetter *letter = MemoryContextAllocZero(q.cxt,
														  sizeof(*letter));
		MemoryContext old;

		letter->target = get_utf8(&q, i, 1);
		letter->key = get_utf8(&q, i, 2);
		letter->lsn = get_lsn(i, 3);
		letter->sequence = (uint32) get_bigint(i, 4);
		old = MemoryContextSwitchTo(q.cxt);
		result = lappend(result, letter);
		MemoryContextSwitchTo(old);
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
		MemoryContext old;

		row->target = get_utf8(&q, i, 1);
		row->lsn = get_lsn(i, 2);
		row->sequence = (uint32) get_bigint(i, 3);
		old = MemoryContextSwitchTo(q.cxt);
		result = lappend(result, row);
		MemoryContextSwitchTo(old);
	}
	query_end(&q);
	return result;
}

/* ---- letters that are to be sent again -------------------------------------- */

int64
dbmazz_catalog_request_replay(int32 id, const char *target)
{
	Statement	q;
	uint64		n;
	int64		letters = 0;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	n = run(&q, "WITH letters AS (SELECT target, count(*) AS n "
			"FROM dbmazz.dead_letter WHERE pipeline = $1 "
			"AND ($2 IS NULL OR target = $2) GROUP BY target), "
			"requests AS (INSERT INTO dbmazz.replay_request (pipeline, target) "
			"SELECT $1, target FROM letters) "
			"SELECT n FROM letters", SPI_OK_SELECT);
	for (i = 0; i < n; i++)
		letters += (int64) get_bigint(i, 1);
	query_end(&q);
	return letters;
}
