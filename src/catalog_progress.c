/*
 * catalog_progress.c
 *		SQL on the tables that hold how far a pipeline has come.
 *
 * NOTES
 *	  Called by the shipper in short transactions of its own, and by the SQL
 *	  functions.
 */
#include "postgres.h"

#include "catalog_private.h"

/*
 * For how long labels of a dropped pipeline are kept: longer than the target
 * lets a load be under way, and longer than it remembers labels (3 days each).
 */
#define LABELS_MATTER	"7 days"

/*
 * A pipeline "c" that goes to another destination or other tables leaves nothing
 * behind.  One that was repaired has no start_lsn either, but lanes.
 */
#define NOTHING_SENT \
	"c.start_lsn IS NULL AND NOT EXISTS (SELECT FROM dbmazz.pipeline_tables t " \
	"WHERE t.pipeline = c.pipeline) "

static const char *const slot_states[] = {"none", "creating", "created"};

DbmazzSlotState
dbmazz_slot_state_from_text(const char *text)
{
	int			i;

	for (i = 0; i < (int) lengthof(slot_states); i++)
	{
		if (strcmp(slot_states[i], text) == 0)
			return (DbmazzSlotState) i;
	}
	elog(ERROR, "unknown slot state \"%s\"", text);
	return DBMAZZ_SLOT_NONE;	/* keep the compiler quiet */
}

DbmazzCheckpoint *
dbmazz_catalog_begin_epoch(const DbmazzPipelineRow *row,
						   const char *destination, const char *name_template,
						   uint64 system_identifier, uint32 timeline)
{
	DbmazzCheckpoint *result = palloc0(sizeof(DbmazzCheckpoint));
	Statement	q;
	char	   *state;

	query_begin(&q);
	add_int(&q, row->id);
	add_text(&q, row->uid);
	add_text(&q, row->slot);
	add_text(&q, destination);
	add_text(&q, name_template);
	add_bigint(&q, system_identifier);
	add_int(&q, timeline);
	(void) run(&q, "INSERT INTO dbmazz.checkpoints AS c (pipeline, uid, slot, "
			   "epoch, destination, name_template, system_identifier, timeline) "
			   "VALUES ($1, $2, $3::name, 1, $4, $5, $6, $7) "
			   "ON CONFLICT (pipeline) DO UPDATE SET epoch = c.epoch + 1, "
			   "destination = CASE WHEN " NOTHING_SENT
			   "THEN excluded.destination ELSE c.destination END, "
			   "name_template = CASE WHEN " NOTHING_SENT
			   "THEN excluded.name_template ELSE c.name_template END, "
			   "updated_at = now() "
			   "RETURNING slot, slot_state, epoch, start_lsn, lsn, "
			   "destination, system_identifier, rows, bytes, batches, "
			   "name_template, timeline",
			   SPI_OK_INSERT_RETURNING);
	result->slot = get_text(&q, 0, 1);
	state = get_text(&q, 0, 2);
	result->slot_state = dbmazz_slot_state_from_text(state);
	result->epoch = get_bigint(0, 3);
	result->start_lsn = get_lsn(0, 4);
	result->lsn = get_lsn(0, 5);
	result->destination = get_text(&q, 0, 6);
	result->system_identifier = get_bigint(0, 7);
	result->rows = get_bigint(0, 8);
	result->bytes = get_bigint(0, 9);
	result->batches = get_bigint(0, 10);
	result->name_template = get_text(&q, 0, 11);
	result->timeline = get_int(0, 12);
	query_end(&q);
	return result;
}

void
dbmazz_catalog_set_slot_state(int32 id, DbmazzSlotState state,
							  XLogRecPtr start_lsn)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, slot_states[state]);
	add_lsn(&q, start_lsn);
	run_alone(&q, "UPDATE dbmazz.checkpoints SET slot_state = $2, "
			  "start_lsn = $3, lsn = $3, updated_at = now() "
			  "WHERE pipeline = $1", SPI_OK_UPDATE);
	if (state != DBMAZZ_SLOT_CREATED)
		return;
	query_begin(&q);
	add_int(&q, id);
	add_lsn(&q, start_lsn);
	run_alone(&q, "UPDATE dbmazz.gaps SET gap_to = $2 "
			  "WHERE pipeline = $1 AND gap_to IS NULL", SPI_OK_UPDATE);
}

void
dbmazz_catalog_set_checkpoint(int32 id, XLogRecPtr lsn, uint64 rows,
							  uint64 bytes, uint64 batches)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_lsn(&q, lsn);
	add_bigint(&q, rows);
	add_bigint(&q, bytes);
	add_bigint(&q, batches);
	run_alone(&q, "UPDATE dbmazz.checkpoints SET lsn = $2, rows = $3, "
			  "bytes = $4, batches = $5, updated_at = now() "
			  "WHERE pipeline = $1", SPI_OK_UPDATE);
}

List *
dbmazz_catalog_tables(int32 id)
{
	List	   *result = NIL;
	Statement	q;
	uint64		n;
	uint64		i;

	query_begin(&q);
	add_int(&q, id);
	n = run(&q, "SELECT target, relation::int8, epoch, sequence, "
			"(state = 'stopped')::int4, lsn, truncate_place, done_lsn, "
			"coalesce(done_row, 0), prepared_lsn, "
			"coalesce(prepared_row, 0), prepared_from, prepared_at, labels "
			"FROM dbmazz.pipeline_tables WHERE pipeline = $1", SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzTableRow *table = MemoryContextAlloc(q.cxt, sizeof(*table));

		table->target = get_utf8(&q, i, 1);
		table->relid = (Oid) get_bigint(i, 2);
		table->labels.epoch = get_bigint(i, 3);
		table->labels.sequence = get_bigint(i, 4);
		table->stopped = get_int(i, 5) != 0;
		table->lsn = get_lsn(i, 6);
		table->labels.place = get_utf8(&q, i, 7);
		table->done.lsn = get_lsn(i, 8);
		table->done.row = (uint32) get_bigint(i, 9);
		table->prepared.lsn = get_lsn(i, 10);
		table->prepared.row = (uint32) get_bigint(i, 11);
		table->prepared_from = get_lsn(i, 12);
		table->prepared_at = get_time(i, 13);
		table->labels.n = get_int(i, 14);
		result = list_row(&q, result, table);
	}
	query_end(&q);
	return result;
}

void
dbmazz_catalog_set_lane(int32 id, const char *target, Oid relid,
						const char *source, const DbmazzLaneLabels *labels,
						const DbmazzMark *done, const DbmazzMark *prepared)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_bigint(&q, relid);
	add_utf8(&q, source);
	add_bigint(&q, labels->epoch);
	add_bigint(&q, labels->sequence);
	add_int(&q, labels->n);
	add_utf8(&q, labels->place);
	add_mark(&q, done);
	add_mark(&q, prepared);
	run_alone(&q, "INSERT INTO dbmazz.pipeline_tables AS t (pipeline, target, "
			  "relation, source, epoch, sequence, labels, truncate_place, "
			  "done_lsn, done_row, prepared_lsn, prepared_row) VALUES "
			  "($1, $2, $3::oid, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
			  "ON CONFLICT (pipeline, target) DO UPDATE SET "
			  "relation = excluded.relation, source = excluded.source, "
			  "epoch = excluded.epoch, sequence = excluded.sequence, "
			  "labels = excluded.labels, "
			  "truncate_place = excluded.truncate_place, "
			  "done_lsn = excluded.done_lsn, done_row = excluded.done_row, "
			  "prepared_lsn = excluded.prepared_lsn, "
			  "prepared_row = excluded.prepared_row, "
			  "prepared_from = NULL, prepared_at = NULL, "
			  "updated_at = now()", SPI_OK_INSERT);
}

void
dbmazz_catalog_prepare_lane(int32 id, const char *target, uint64 sequence,
							const DbmazzMark *done,
							const DbmazzMark *prepared, XLogRecPtr from)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_bigint(&q, sequence);
	add_mark(&q, done);
	add_mark(&q, prepared);
	add_lsn(&q, from);
	run_alone(&q, "UPDATE dbmazz.pipeline_tables SET sequence = $3, "
			  "done_lsn = $4, done_row = $5, prepared_lsn = $6, "
			  "prepared_row = $7, prepared_from = $8, "
			  "prepared_at = now(), updated_at = now() "
			  "WHERE pipeline = $1 AND target = $2", SPI_OK_UPDATE);
}

void
dbmazz_catalog_end_prepared(int32 id, const char *target,
							const DbmazzMark *done)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_mark(&q, done);
	run_alone(&q, "UPDATE dbmazz.pipeline_tables SET done_lsn = $3, "
			  "done_row = $4, prepared_lsn = NULL, prepared_row = NULL, "
			  "prepared_from = NULL, prepared_at = NULL, updated_at = now() "
			  "WHERE pipeline = $1 AND target = $2", SPI_OK_UPDATE);
}

char *
dbmazz_catalog_target_ahead(int32 id)
{
	Statement	q;
	char	   *result = NULL;

	query_begin(&q);
	add_int(&q, id);
	if (run(&q, "SELECT t.target FROM dbmazz.pipeline_tables t "
			"JOIN dbmazz.checkpoints c ON c.pipeline = t.pipeline "
			"WHERE t.pipeline = $1 AND t.target <> '' "
			"AND coalesce(t.prepared_lsn, t.done_lsn) >= "
			"coalesce(t.lsn, c.lsn) LIMIT 1", SPI_OK_SELECT) > 0)
		result = get_text(&q, 0, 1);
	query_end(&q);
	return result;
}

void
dbmazz_catalog_stop_table(int32 id, const char *target, Oid relid,
						  const char *source, XLogRecPtr lsn,
						  const DbmazzError *error, XLogRecPtr row_lsn,
						  uint64 row_sequence)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	add_bigint(&q, relid);
	add_utf8(&q, source);
	add_lsn(&q, lsn);
	add_utf8(&q, error->message);
	add_utf8(&q, error->detail[0] ? error->detail : NULL);
	add_utf8(&q, error->hint[0] ? error->hint : NULL);
	add_lsn(&q, row_lsn);
	add_arg(&q, INT8OID, Int64GetDatum((int64) row_sequence),
			XLogRecPtrIsInvalid(row_lsn));
	run_alone(&q, "INSERT INTO dbmazz.pipeline_tables AS t (pipeline, target, "
			  "relation, source, epoch, sequence, state, lsn, error, detail, "
			  "hint, row_lsn, row_sequence) "
			  "VALUES ($1, $2, $3::oid, $4, 0, 0, 'stopped', "
			  "$5, $6, $7, $8, $9, $10) "
			  "ON CONFLICT (pipeline, target) DO UPDATE SET "
			  "state = 'stopped', lsn = excluded.lsn, error = excluded.error, "
			  "detail = excluded.detail, hint = excluded.hint, "
			  "row_lsn = excluded.row_lsn, "
			  "row_sequence = excluded.row_sequence, "
			  "updated_at = now()", SPI_OK_INSERT);
}

uint64
dbmazz_catalog_resume_tables(int32 id, const char *target)
{
	Statement	q;
	uint64		n;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	n = run(&q, "UPDATE dbmazz.pipeline_tables SET state = 'streaming', "
			"error = NULL, detail = NULL, hint = NULL, "
			"row_lsn = NULL, row_sequence = NULL, "
			"updated_at = now() "
			"WHERE pipeline = $1 AND state = 'stopped' "
			"AND ($2 IS NULL OR target = $2)", SPI_OK_UPDATE);
	query_end(&q);
	return n;
}

void
dbmazz_catalog_table_caught_up(int32 id, const char *target)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_utf8(&q, target);
	run_alone(&q, "UPDATE dbmazz.pipeline_tables SET lsn = NULL, "
			  "updated_at = now() "
			  "WHERE pipeline = $1 AND target = $2", SPI_OK_UPDATE);
}

/* ---- labels of pipelines that are gone ----------------------------------- */

void
dbmazz_catalog_keep_lanes(int32 id)
{
	Statement	q;

	query_begin(&q);
	run_alone(&q, "DELETE FROM dbmazz.dropped_lanes "
			  "WHERE dropped_at < now() - interval '" LABELS_MATTER "'",
			  SPI_OK_DELETE);
	query_begin(&q);
	add_int(&q, id);
	run_alone(&q, "INSERT INTO dbmazz.dropped_lanes AS d "
			  "(destination, target, uid, epoch, sequence, labels, "
			  "truncate_place) "
			  "SELECT c.destination, t.target, r.uid, t.epoch, t.sequence, "
			  "t.labels, t.truncate_place "
			  "FROM dbmazz.pipeline_tables t "
			  "JOIN dbmazz.checkpoints c ON c.pipeline = t.pipeline "
			  "JOIN dbmazz.run_state r ON r.pipeline = t.pipeline "
			  "WHERE t.pipeline = $1 AND t.epoch > 0 "
			  "ON CONFLICT (destination, target, uid, epoch) DO UPDATE SET "
			  "sequence = excluded.sequence, labels = excluded.labels, "
			  "truncate_place = excluded.truncate_place, dropped_at = now()",
			  SPI_OK_INSERT);
}

List *
dbmazz_catalog_dropped_lanes(const char *destination)
{
	List	   *result = NIL;
	Statement	q;
	uint64		n;
	uint64		i;

	query_begin(&q);
	add_text(&q, destination);
	n = run(&q, "SELECT target, uid, epoch, sequence, labels, truncate_place "
			"FROM dbmazz.dropped_lanes WHERE destination = $1",
			SPI_OK_SELECT);
	for (i = 0; i < n; i++)
	{
		DbmazzDroppedLane *lane = MemoryContextAlloc(q.cxt, sizeof(*lane));

		lane->target = get_utf8(&q, i, 1);
		lane->uid = get_text(&q, i, 2);
		lane->labels.epoch = get_bigint(i, 3);
		lane->labels.sequence = get_bigint(i, 4);
		lane->labels.n = get_int(i, 5);
		lane->labels.place = get_utf8(&q, i, 6);
		result = list_row(&q, result, lane);
	}
	query_end(&q);
	return result;
}

void
dbmazz_catalog_forget_lane(const char *destination, const char *target,
						   const char *uid, uint64 epoch)
{
	Statement	q;

	query_begin(&q);
	add_text(&q, destination);
	add_utf8(&q, target);
	add_text(&q, uid);
	add_bigint(&q, epoch);
	run_alone(&q, "DELETE FROM dbmazz.dropped_lanes WHERE destination = $1 "
			  "AND target = $2 AND uid = $3 AND epoch = $4", SPI_OK_DELETE);
}
