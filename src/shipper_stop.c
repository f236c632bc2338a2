/*
 * shipper_stop.c
 *		Tables that stop, and why.
 */
#include "postgres.h"

#include "debug_point.h"
#include "encoding.h"
#include "privilege.h"
#include "queue.h"
#include "report.h"
#include "shipper_private.h"
#include "worker.h"

/*
 * The pipeline's last error is for all who monitor: it does not tell the key and
 * the values of a row, which are in the detail.
 */
static void
show_error(DbmazzPipeline *p, const DbmazzError *error, bool has_row)
{
	DbmazzError shown = *error;

	if (has_row)
		dbmazz_error_detail(&shown, "dbmazz.stat_table shows the row to the "
							"owner of the pipeline.");
	dbmazz_pipeline_set_error(p, &shown);
}

void
dbmazz_lane_stop(DbmazzShipper *s, Lane *lane, const DbmazzError *error,
				 const DbmazzRowEntry *row)
{
	DbmazzBatch *batch;
	XLogRecPtr	lsn;

	/* what keeps letters from being replayed is nothing against the table */
	if (dbmazz_lane_kind(lane) == DBMAZZ_BATCH_REPLAY)
	{
		dbmazz_replay_end(s, lane, error);
		return;
	}
	batch = dbmazz_queue_batch(dbmazz_lane_first_batch(lane));
	lsn = dbmazz_queue_first_commit(s->p, batch->relid);
	/* durable before the batches go: they hold the position back till then */
	dbmazz_worker_begin();
	dbmazz_catalog_stop_table(s->id, lane->target, lane->relid, lane->source,
							  lsn, error, row != NULL ? row->commit_lsn :
							  InvalidXLogRecPtr,
							  row != NULL ? row->sequence : 0);
	if (lane->row_has_load && !lane->decision.taken)
		dbmazz_catalog_end_prepared(s->id, lane->target, &lane->done);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("table_stopped");
	lane->stopped = true;
	dbmazz_lane_set_position(s, lane, lsn);
	pg_atomic_fetch_add_u32(&s->p->tables_stopped, 1);
	show_error(s->p, error, row != NULL);
	dbmazz_report(WARNING, ERRCODE_DATA_EXCEPTION,
				  psprintf("replication of table %s stopped",
						   dbmazz_from_utf8(lane->source)),
				  error);
	if (s->group.is_on)
		dbmazz_group_fail(s, lane, error->message);
	dbmazz_lane_drop_queue(s, lane);
	dbmazz_lane_answers(s, lane);
}

void
dbmazz_lane_stop_as_told(DbmazzShipper *s, Lane *lane)
{
	DbmazzBatchView view = {0};
	DbmazzRowCursor cursor;
	DbmazzRowEntry *entry;
	DbmazzSegment *segment;
	DbmazzError error;

	dbmazz_error_reset(&error);
	view.pool = dbmazz_queue_pool();
	view.head = dbmazz_lane_first_batch(lane);
	dbmazz_rows_begin(&cursor, &view);
	entry = dbmazz_rows_next(&cursor, &segment);
	dbmazz_row_copy(&view, segment, entry, 0, (char *) &error, sizeof(error));
	/* of a value, or the length of a row: the row can be skipped */
	dbmazz_lane_stop(s, lane, &error, error.column > 0 ||
					 error.status == DBMAZZ_ERR_LIMIT ? entry : NULL);
}

void
dbmazz_lane_cannot_truncate(DbmazzShipper *s, Lane *lane)
{
	DbmazzError error;

	dbmazz_error_set(&error, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "table %s was truncated, which sink \"%s\" cannot do",
					 lane->source, s->routine->name);
	dbmazz_error_hint(&error, "Empty the target, set truncate_mode=ignore for "
					  "the pipeline with dbmazz.alter_pipeline(), then stop and "
					  "start the pipeline.");
	dbmazz_lane_stop(s, lane, &error, NULL);
}

bool
dbmazz_lane_may_send(DbmazzShipper *s, Lane *lane)
{
	const DbmazzTableDesc *desc = lane->view.table;
	DbmazzPrivilege privilege;
	DbmazzError error;

	if ((desc->flags & DBMAZZ_TABLE_UNREADABLE) == 0 ||
		lane->allowed == desc->generation)
		return true;
	dbmazz_worker_begin();
	privilege = dbmazz_desc_privilege(desc, s->owner);
	dbmazz_worker_commit();
	if (privilege == DBMAZZ_MAY_READ)
	{
		lane->allowed = desc->generation;
		return true;
	}
	if (privilege == DBMAZZ_HAS_POLICIES)
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "row-level security of table \"%s\" applies to the "
						 "owner of the pipeline", lane->source);
		dbmazz_error_hint(&error, "Give the owner the attribute BYPASSRLS, then "
						  "stop and start the pipeline.");
	}
	else
	{
		dbmazz_error_set(&error, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "permission denied for table \"%s\"", lane->source);
		dbmazz_error_detail(&error, "The owner of the pipeline may not read all "
							"of its published columns%s.",
							privilege == DBMAZZ_NO_TABLE ?
							", and could not before it was dropped" : "");
		dbmazz_error_hint(&error, privilege == DBMAZZ_NO_TABLE ?
						  "Make the owner a member of pg_read_all_data, then "
						  "stop and start the pipeline." :
						  "Grant SELECT on the table to the owner, then stop and "
						  "start the pipeline.");
	}
	dbmazz_lane_stop(s, lane, &error, NULL);
	return false;
}
