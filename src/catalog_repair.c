/*
 * catalog_repair.c
 *		SQL for pipelines whose slot, or whose server, is not what it was.
 *
 * NOTES
 *	  The pipeline is at rest: nobody else writes its checkpoint.  Gaps have a
 *	  table of their own, so that a user who has taken a mark away, and has not
 *	  committed, does not stand in the shipper's way.
 */
#include "postgres.h"

#include "catalog_private.h"

void
dbmazz_catalog_notify_wal(const char *pipeline, const char *level,
						  const DbmazzSlotWal *wal)
{
	Statement	q;

	query_begin(&q);
	add_text(&q, pipeline);
	add_text(&q, level);
	add_bigint(&q, wal->retained);
	add_arg(&q, INT8OID, Int64GetDatum(wal->safe), !wal->is_limited);
	run_alone(&q, "SELECT pg_notify('dbmazz', json_build_object("
			  "'event', 'wal_warning', 'pipeline', $1, 'level', $2, "
			  "'retained_bytes', $3, 'safe_wal_size', $4)::text)",
			  SPI_OK_SELECT);
}

DbmazzCheckpoint *
dbmazz_catalog_checkpoint(int32 id)
{
	DbmazzCheckpoint *result = NULL;
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	if (run(&q, "SELECT slot, slot_state, lsn, system_identifier, timeline "
			"FROM dbmazz.checkpoints WHERE pipeline = $1", SPI_OK_SELECT) > 0)
	{
		result = MemoryContextAllocZero(q.cxt, sizeof(*result));
		result->slot = get_text(&q, 0, 1);
		result->slot_state = dbmazz_slot_state_from_text(get_text(&q, 0, 2));
		result->lsn = get_lsn(0, 3);
		result->system_identifier = get_bigint(0, 4);
		result->timeline = get_int(0, 5);
	}
	query_end(&q);
	return result;
}

void
dbmazz_catalog_set_identity(int32 id, uint64 system_identifier,
							uint32 timeline, XLogRecPtr lsn)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_bigint(&q, system_identifier);
	add_int(&q, timeline);
	add_lsn(&q, lsn);
	run_alone(&q, "UPDATE dbmazz.checkpoints SET system_identifier = $2, "
			  "timeline = $3, lsn = $4, updated_at = now() "
			  "WHERE pipeline = $1", SPI_OK_UPDATE);
}

void
dbmazz_catalog_add_gap(int32 id, const char *target, Oid relid,
					   const char *source)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	add_bigint(&q, relid);
	add_text(&q, source);
	/* an older gap that nobody has filled begins where it began */
	run_alone(&q, "INSERT INTO dbmazz.gaps (pipeline, target, relation, source, "
			  "gap_from) SELECT c.pipeline, $2, $3::oid, $4, c.lsn "
			  "FROM dbmazz.checkpoints c WHERE c.pipeline = $1 "
			  "ON CONFLICT (pipeline, target) DO UPDATE SET gap_to = NULL",
			  SPI_OK_INSERT);
}

void
dbmazz_catalog_add_known_gaps(int32 id, bool all)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_arg(&q, BOOLOID, BoolGetDatum(all), false);
	run_alone(&q, "INSERT INTO dbmazz.gaps AS g (pipeline, target, relation, "
			  "source, gap_from) SELECT t.pipeline, t.target, t.relation, "
			  "t.source, least(t.lsn, c.lsn) FROM dbmazz.pipeline_tables t "
			  "JOIN dbmazz.checkpoints c ON c.pipeline = t.pipeline "
			  "WHERE t.pipeline = $1 AND t.target <> '' AND ($2 OR t.lsn IS NOT NULL "
			  "OR t.prepared_from >= c.lsn) "
			  "ON CONFLICT (pipeline, target) DO UPDATE SET gap_to = NULL, "
			  "gap_from = least(g.gap_from, excluded.gap_from)",
			  SPI_OK_INSERT);
}

void
dbmazz_catalog_forget_slot(int32 id, uint64 system_identifier, uint32 timeline)
{
	Statement	q;

	(void) dbmazz_catalog_resume_tables(id, NULL);
	query_begin(&q);
	add_int(&q, id);
	/* epoch and sequence stay: the next life settles these labels */
	run_alone(&q, "UPDATE dbmazz.pipeline_tables SET lsn = NULL, "
			  "done_lsn = NULL, done_row = NULL, prepared_lsn = NULL, "
			  "prepared_row = NULL, prepared_from = NULL, "
			  "prepared_at = NULL, updated_at = now() "
			  "WHERE pipeline = $1 AND coalesce(lsn, done_lsn, prepared_lsn) "
			  "IS NOT NULL", SPI_OK_UPDATE);
	query_begin(&q);
	add_int(&q, id);
	run_alone(&q, "DELETE FROM dbmazz.skipped_row WHERE pipeline = $1",
			  SPI_OK_DELETE);
	query_begin(&q);
	add_int(&q, id);
	run_alone(&q, "UPDATE dbmazz.dead_letter SET old_wal = true "
			  "WHERE pipeline = $1 AND NOT old_wal", SPI_OK_UPDATE);
	query_begin(&q);
	add_int(&q, id);
	add_bigint(&q, system_identifier);
	add_int(&q, timeline);
	run_alone(&q, "UPDATE dbmazz.checkpoints SET slot_state = 'none', "
			  "start_lsn = NULL, lsn = NULL, system_identifier = $2, "
			  "timeline = $3, updated_at = now() WHERE pipeline = $1",
			  SPI_OK_UPDATE);
}

int
dbmazz_catalog_count_gaps(int32 id)
{
	Statement	q;
	int			n;

	query_begin(&q);
	add_int(&q, id);
	n = (int) run(&q, "SELECT FROM dbmazz.gaps WHERE pipeline = $1",
				  SPI_OK_SELECT);
	query_end(&q);
	return n;
}

bool
dbmazz_catalog_remove_gap(int32 id, const char *target)
{
	Statement	q;
	bool		found;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, target);
	found = run(&q, "DELETE FROM dbmazz.gaps WHERE pipeline = $1 "
				"AND target = $2", SPI_OK_DELETE) > 0;
	query_end(&q);
	return found;
}
