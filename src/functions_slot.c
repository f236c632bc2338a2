/*
 * functions_slot.c
 *		The SQL functions for pipelines whose slot, or whose server, is not what
 *		it was.
 *
 * NOTES
 *	  dbmazz never goes on by itself where changes may be missing: the pipeline
 *	  fails, and one of these says what is true.  They are for pipelines at rest
 *	  and write rows only; the slot is dropped at commit, and made by a worker.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog.h"
#include "checks.h"
#include "compat.h"
#include "encoding.h"
#include "functions_private.h"
#include "guard.h"
#include "guc.h"
#include "miscadmin.h"
#include "slot.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dbmazz_accept_identity);
PG_FUNCTION_INFO_V1(dbmazz_repair_pipeline);
PG_FUNCTION_INFO_V1(dbmazz_table_reloaded);

#define REPAIR_HINT \
	"Use dbmazz.repair_pipeline(), start the pipeline, and load its tables " \
	"anew."

/* The checkpoint of a pipeline at rest that has had a slot. */
static DbmazzCheckpoint *
get_checkpoint(const DbmazzPipelineRow *row)
{
	DbmazzCheckpoint *checkpoint;

	dbmazz_wait_until_stopped(row);
	checkpoint = dbmazz_catalog_checkpoint(row->id);
	if (checkpoint == NULL || checkpoint->slot_state == DBMAZZ_SLOT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" has had no slot yet", row->name),
				 errhint("Use dbmazz.start_pipeline(), which makes one.")));
	return checkpoint;
}

/* ---- accept_identity ----------------------------------------------------- */

/* What is known of a slot; 'exists' and the rest only if it is there. */
typedef struct SlotFacts
{
	bool		exists;
	bool		is_ours;
	bool		is_valid;
	XLogRecPtr	confirmed;
} SlotFacts;

static void
look_at_slot(const char *name, SlotFacts *facts)
{
	ReplicationSlot *slot;

	MemSet(facts, 0, sizeof(*facts));
	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	slot = SearchNamedReplicationSlot(name, false);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		facts->exists = true;
		facts->is_ours = dbmazz_slot_is_ours(slot);
		facts->is_valid = !dbmazz_slot_is_invalid_compat(slot) &&
			!XLogRecPtrIsInvalid(slot->data.restart_lsn);
		facts->confirmed = slot->data.confirmed_flush;
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
}

/* Where the slot is; an error if nothing can be decoded with it. */
static XLogRecPtr
slot_position(const char *name)
{
	SlotFacts	facts;

	look_at_slot(name, &facts);
	if (!facts.exists)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("replication slot \"%s\" does not exist on this server",
						name),
				 errdetail("It was not synchronized to this server, or not "
						   "taken along by pg_upgrade."),
				 errhint(REPAIR_HINT)));
	if (!facts.is_ours || !facts.is_valid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 facts.is_ours ?
				 errmsg("replication slot \"%s\" was invalidated by the server",
						name) :
				 errmsg("replication slot \"%s\" belongs to somebody else",
						name),
				 errhint(REPAIR_HINT)));
	return facts.confirmed;
}

/*
 * What is in front of the slot cannot be decoded any more.  For the pipeline as a
 * whole the caller says that nothing is; a table that has stopped has something.
 */
static void
check_no_table_before(const DbmazzPipelineRow *row, XLogRecPtr lsn)
{
	ListCell   *lc;

	foreach(lc, dbmazz_catalog_tables(row->id))
	{
		const DbmazzTableRow *table = lfirst(lc);

		if (table->lsn != InvalidXLogRecPtr && table->lsn < lsn)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("target table \"%s\" of pipeline \"%s\" is behind "
							"the replication slot",
							dbmazz_from_utf8(table->target), row->name),
					 errdetail("Its changes from %X/%X to %X/%X cannot be "
							   "decoded any more.", LSN_FORMAT_ARGS(table->lsn),
							   LSN_FORMAT_ARGS(lsn)),
					 errhint("Use dbmazz.repair_pipeline() with reload => "
							 "false, which marks such tables, and load them "
							 "anew.")));
	}
}

Datum
dbmazz_accept_identity(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	DbmazzCheckpoint *checkpoint;
	TimeLineID	timeline;
	XLogRecPtr	slot;

	dbmazz_check_server();
	checkpoint = get_checkpoint(row);
	timeline = GetWALInsertionTimeLine();
	if (checkpoint->system_identifier == GetSystemIdentifier() &&
		checkpoint->timeline == timeline)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" is on the server and the timeline that "
						"it was on before", row->name),
				 errhint("If it cannot go on with its slot, use "
						 "dbmazz.repair_pipeline().")));
	if (checkpoint->lsn > GetFlushRecPtr(NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the checkpoint of pipeline \"%s\" is beyond the end of "
						"this server's WAL", row->name),
				 errhint(REPAIR_HINT)));
	slot = slot_position(row->slot);
	check_no_table_before(row, slot);
	dbmazz_catalog_set_identity(row->id, GetSystemIdentifier(), timeline,
								Max(checkpoint->lsn, slot));
	if (slot > checkpoint->lsn)
		ereport(NOTICE,
				(errmsg("pipeline \"%s\" goes on at %X/%X", row->name,
						LSN_FORMAT_ARGS(slot)),
				 errdetail("That is where the slot is; the checkpoint was at "
						   "%X/%X. What was committed in between counts as "
						   "sent.", LSN_FORMAT_ARGS(checkpoint->lsn))));
	PG_RETURN_VOID();
}

/* ---- repair_pipeline ----------------------------------------------------- */

/* Mark the targets of all published tables, and all others that had rows. */
static void
mark_tables(const DbmazzPipelineRow *row)
{
	const char *name_template = dbmazz_guc_value(row->settings,
												 "table_name_template");
	ListCell   *lc;

	foreach(lc, dbmazz_catalog_published_tables(row->publication))
	{
		const DbmazzPublishedTable *table = lfirst(lc);

		dbmazz_catalog_add_gap(row->id,
							   dbmazz_guc_target_name(name_template,
													  table->schema,
													  table->name),
							   table->relid,
							   psprintf("%s.%s", table->schema, table->name));
	}
	dbmazz_catalog_add_known_gaps(row->id, true);
}

Datum
dbmazz_repair_pipeline(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	bool		reload = PG_GETARG_BOOL(1);
	DbmazzCheckpoint *checkpoint;
	int			ngaps;

	dbmazz_check_server();
	checkpoint = get_checkpoint(row);
	dbmazz_check_publication(row->publication);
	/* before the first slot was made nothing was sent */
	if (checkpoint->lsn != InvalidXLogRecPtr && reload)
		mark_tables(row);
	else if (checkpoint->lsn != InvalidXLogRecPtr)
		dbmazz_catalog_add_known_gaps(row->id, false);
	dbmazz_catalog_forget_slot(row->id, GetSystemIdentifier(),
							   GetWALInsertionTimeLine());
	dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_DROP_SLOT, row->id, row->slot);

	ngaps = dbmazz_catalog_count_gaps(row->id);
	ereport(NOTICE,
			(errmsg("pipeline \"%s\" will begin with a new slot", row->name),
			 errdetail_plural("Changes from %X/%X to the new slot are not sent; "
							  "%d target table is marked for it.",
							  "Changes from %X/%X to the new slot are not sent; "
							  "%d target tables are marked for it.", ngaps,
							  LSN_FORMAT_ARGS(checkpoint->lsn), ngaps),
			 ngaps == 0 ? 0 :
			 errhint("Start the pipeline, load the tables that have gap_from in "
					 "dbmazz.stat_table anew, and use "
					 "dbmazz.table_reloaded().")));
	PG_RETURN_VOID();
}

Datum
dbmazz_table_reloaded(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	char	   *target = text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (!dbmazz_catalog_remove_gap(row->id, target))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("target table \"%s\" of pipeline \"%s\" is not marked",
						target, row->name),
				 errhint("Tables that are have gap_from in the view "
						 "dbmazz.stat_table.")));
	PG_RETURN_VOID();
}
