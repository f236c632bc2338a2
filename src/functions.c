/*
 * functions.c
 *		The SQL functions that make, change, start, stop and drop pipelines.
 *
 * NOTES
 *	  They check and write rows; the launcher acts on them after commit.  A
 *	  function never waits for what needs its own commit: making a slot waits for
 *	  the transactions under way, its caller's too.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog.h"
#include "catalog/pg_type.h"
#include "checks.h"
#include "compat.h"
#include "dbmazz_sink.h"
#include "encoding.h"
#include "functions_private.h"
#include "guard.h"
#include "guc.h"
#include "miscadmin.h"
#include "shmem.h"
#include "sink.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* How long to wait for workers that are leaving. */
#define LEAVE_TIMEOUT_MS	10000
#define LEAVE_STEP_MS		20

PG_FUNCTION_INFO_V1(dbmazz_create_pipeline);
PG_FUNCTION_INFO_V1(dbmazz_alter_pipeline);
PG_FUNCTION_INFO_V1(dbmazz_drop_pipeline);
PG_FUNCTION_INFO_V1(dbmazz_start_pipeline);
PG_FUNCTION_INFO_V1(dbmazz_stop_pipeline);

/* ---- arguments ---------------------------------------------------------- */

char *
dbmazz_name_arg(FunctionCallInfo fcinfo, int n, const char *arg_name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", arg_name)));
	return pstrdup(NameStr(*PG_GETARG_NAME(n)));
}

/* The item of the same name as 'item', or NULL. */
static ListCell *
find_setting(List *settings, const char *item)
{
	size_t		len = strchr(item, '=') - item + 1;
	ListCell   *lc;

	foreach(lc, settings)
	{
		if (pg_strncasecmp(lfirst(lc), item, len) == 0)
			return lc;
	}
	return NULL;
}

/* Without the item of the same name as 'item', if there is one. */
static List *
remove_setting(List *settings, const char *item)
{
	ListCell   *lc = find_setting(settings, item);

	return lc != NULL ? list_delete_cell(settings, lc) : settings;
}

/*
 * Put one item into a list of settings.  The value DEFAULT takes the pipeline's
 * own value away, also of a setting that does not exist any more.
 */
static List *
merge_setting(List *settings, char *item)
{
	char	   *equals = strchr(item, '=');

	for (char *p = item; equals != NULL && p < equals; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	if (equals != NULL && pg_strcasecmp(equals + 1, "default") == 0 &&
		(find_setting(settings, item) != NULL ||
		 dbmazz_guc_is_pipeline_setting(pnstrdup(item, equals - item))))
		return remove_setting(settings, item);
	dbmazz_guc_check_setting(item);
	return lappend(remove_setting(settings, item), item);
}

/* All that a pipeline has still hold. */
static void
check_stored_settings(const DbmazzPipelineRow *row)
{
	ListCell   *lc;

	foreach(lc, row->settings)
		dbmazz_guc_check_stored(lfirst(lc));
}

/* Put all items of a text[] argument into a list of settings. */
static List *
merge_settings(List *settings, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an item of a pipeline's settings is null"),
					 errhint("Use name=DEFAULT to take a pipeline's own value "
							 "away.")));
		settings = merge_setting(settings, TextDatumGetCString(elements[i]));
	}
	return settings;
}

/* Sixteen random hexadecimal digits. */
static char *
new_uid(void)
{
	uint8		bytes[(DBMAZZ_UID_SIZE - 1) / 2];
	char	   *uid = palloc(DBMAZZ_UID_SIZE);

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random identity")));
	for (int i = 0; i < (int) sizeof(bytes); i++)
		snprintf(uid + 2 * i, 3, "%02x", bytes[i]);
	return uid;
}

DbmazzPipelineRow *
dbmazz_own_pipeline(const char *name)
{
	DbmazzPipelineRow *row = dbmazz_catalog_lock_pipeline(name);

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("pipeline \"%s\" does not exist", name),
				 errhint("The view dbmazz.pipelines shows all pipelines of this "
						 "database.")));
	if (!has_privs_of_role(GetUserId(), row->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of pipeline \"%s\"", name)));
	return row;
}

/* What the registry knows of it; false if it is not there: stopped. */
static bool
is_registered(int32 id, DbmazzState *state)
{
	DbmazzPipeline *p;

	if (dbmazz_shmem == NULL)
		return false;
	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	p = dbmazz_pipeline_find(MyDatabaseId, id);
	if (p != NULL)
		*state = dbmazz_pipeline_state(p);
	LWLockRelease(dbmazz_registry_lock());
	return p != NULL;
}

/*
 * Is it stopped, without a worker, and will it stay so until this transaction
 * ends?  Not if it was stopped by this transaction: others still see it running.
 */
static bool
is_at_rest(const DbmazzPipelineRow *row)
{
	return !row->enabled && !dbmazz_guard_has_switched(row->id) &&
		(dbmazz_shmem == NULL ||
		 dbmazz_pipeline_keep_out(MyDatabaseId, row->id));
}

/* ---- create_pipeline ---------------------------------------------------- */

static void
check_copy(FunctionCallInfo fcinfo, int n)
{
	if (!PG_ARGISNULL(n) && !PG_GETARG_BOOL(n))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the initial copy of tables is not built yet"),
			 errhint("Use copy => false: changes count from the start of the "
					 "pipeline on, rows that are there before are not "
					 "copied.")));
}

/* What the destination wants (its option "format"), if the sink takes it. */
static char *
choose_encoding(const DbmazzPipelineRow *row)
{
	const DbmazzSinkRoutine *routine = dbmazz_sink_routine(row->sink);
	const DbmazzOption *options;
	int			noptions;
	int			i;

	options = dbmazz_sink_options(routine, row, &noptions);
	for (i = 0; i < noptions; i++)
	{
		if ((routine->encodings & DBMAZZ_ENCODING_CSV) != 0 &&
			strcmp(options[i].name, "format") == 0 &&
			pg_strcasecmp(options[i].value, "csv") == 0)
			return pstrdup("csv");
	}
	if ((routine->encodings & DBMAZZ_ENCODING_JSON) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("sink \"%s\" takes no encoding that dbmazz has",
						routine->name)));
	return pstrdup("json");
}

Datum
dbmazz_create_pipeline(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow row = {0};

	row.name = dbmazz_name_arg(fcinfo, 0, "name");
	row.publication = dbmazz_name_arg(fcinfo, 1, "publication");
	row.slot = dbmazz_name_arg(fcinfo, 2, "slot");
	row.sink = dbmazz_name_arg(fcinfo, 3, "sink");
	if (!PG_ARGISNULL(4))
		row.server = pstrdup(NameStr(*PG_GETARG_NAME(4)));
	row.owner = GetUserId();

	dbmazz_check_server();
	dbmazz_check_name(row.name);
	dbmazz_catalog_lock_additions();
	if (dbmazz_catalog_pipeline_by_name(row.name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("pipeline \"%s\" already exists", row.name),
				 errhint("Choose another name, or use "
						 "dbmazz.alter_pipeline().")));
	check_copy(fcinfo, 5);
	dbmazz_check_publication(row.publication);
	if (!PG_ARGISNULL(6))
		row.settings = merge_settings(NIL, PG_GETARG_ARRAYTYPE_P(6));
	(void) dbmazz_check_destination(&row);
	dbmazz_check_settings(&row);
	row.encoding = choose_encoding(&row);
	dbmazz_check_delivery(&row);
	dbmazz_check_slot_name(row.slot);
	dbmazz_check_slot_room(row.slot);
	dbmazz_check_privileges(&row,
							dbmazz_catalog_published_tables(row.publication));
	row.uid = new_uid();
	(void) dbmazz_catalog_add_pipeline(&row);
	PG_RETURN_VOID();
}

/* ---- alter_pipeline ----------------------------------------------------- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
check_stopped(const DbmazzPipelineRow *row, const char *what)
{
	if (!is_at_rest(row))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot change the %s of pipeline \"%s\" while it is "
						"running", what, row->name),
				 errhint("Use dbmazz.stop_pipeline() first.")));
}

/* Is each item of 'a' that begins with 'prefix' in 'b' as well? */
static bool
has_all(List *a, List *b, const char *prefix)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, a)
	{
		bool		found = false;

		if (strncmp(lfirst(lc), prefix, strlen(prefix)) != 0)
			continue;
		foreach(lc2, b)
			found = found || strcmp(lfirst(lc), lfirst(lc2)) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* Did this command change what says where rows go? */
static bool
same_destination(const DbmazzPipelineRow *a, const DbmazzPipelineRow *b)
{
	char	   *prefix = psprintf("%s_", a->sink);

	return same_text(a->server, b->server) &&
		has_all(a->settings, b->settings, prefix) &&
		has_all(b->settings, a->settings, prefix);
}

/*
 * What a target has behind the position is left out when it comes again, and a load
 * that is prepared is committed: both need the target that they are of.
 */
static void
check_no_target_ahead(const DbmazzPipelineRow *row, const char *what)
{
	char	   *target = dbmazz_catalog_target_ahead(row->id);

	if (target == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot change the %s of pipeline \"%s\" while a load into "
					"target table \"%s\" may be unfinished",
					what, row->name, target),
			 errdetail("With delivery=exactly_once it may be prepared and not "
					   "committed."),
			 errhint("Start the pipeline as it was, wait until it is idle, and "
					 "stop it.")));
}

/*
 * The destination that the checkpoint remembers must be the one that rows go
 * to.  This command is how a user says that another one has all of them; not
 * one that is about something else while the server's settings have changed.
 */
static void
change_destination(const DbmazzPipelineRow *row, bool is_meant)
{
	char	   *wanted = dbmazz_check_destination(row);
	char	   *known = dbmazz_catalog_destination(row->id);

	if (!is_meant || known == NULL || strcmp(known, wanted) == 0)
		return;
	check_stopped(row, "destination");
	check_no_target_ahead(row, "destination");
	dbmazz_catalog_keep_lanes(row->id);
	dbmazz_catalog_set_destination(row->id, wanted);
	ereport(NOTICE,
			(errmsg("pipeline \"%s\" goes on at another destination",
					row->name),
			 errdetail("Rows that were sent to the old one are not sent "
					   "again.")));
}

/*
 * A table that has stopped goes on from a place of its own, which is known by the
 * name of its target.
 */
static void
check_no_table_behind(const DbmazzPipelineRow *row)
{
	ListCell   *lc;

	foreach(lc, dbmazz_catalog_tables(row->id))
	{
		const DbmazzTableRow *table = lfirst(lc);

		if (table->lsn != InvalidXLogRecPtr)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot change the table names of pipeline \"%s\" "
							"while target table \"%s\" is behind the others",
							row->name, dbmazz_from_utf8(table->target)),
					 errdetail("It has stopped, or has not caught up since."),
					 errhint("Set the old table_name_template, start the "
							 "pipeline, and wait until the column lsn of "
							 "dbmazz.stat_table is null.")));
	}
}

/* The same for the names of the target tables. */
static void
change_names(const DbmazzPipelineRow *row, bool is_meant)
{
	const char *own = dbmazz_guc_own_value(row->settings,
										   "table_name_template");
	const char *wanted = own ? own : dbmazz_table_name_template;
	char	   *known = dbmazz_catalog_name_template(row->id);

	if (!is_meant || known == NULL || strcmp(known, wanted) == 0)
		return;
	check_stopped(row, "table names");
	check_no_table_behind(row);
	check_no_target_ahead(row, "table names");
	dbmazz_catalog_set_name_template(row->id, wanted);
	ereport(NOTICE,
			(errmsg("pipeline \"%s\" goes on with other target tables",
					row->name),
			 errdetail("Their names are made by \"%s\". Rows that were sent to "
					   "the old ones are not sent again.", wanted)));
}

Datum
dbmazz_alter_pipeline(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *old = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	DbmazzPipelineRow row = *old;
	bool		is_bare = PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3);
	bool		is_renaming;
	bool		is_meant;

	if (!PG_ARGISNULL(1))
		row.publication = dbmazz_name_arg(fcinfo, 1, "publication");
	if (!PG_ARGISNULL(2))
	{
		row.server = dbmazz_name_arg(fcinfo, 2, "server");
		if (row.server[0] == '\0')
			row.server = NULL;	/* back to the settings */
	}
	if (!PG_ARGISNULL(3))
		row.settings = merge_settings(list_copy(old->settings),
									  PG_GETARG_ARRAYTYPE_P(3));

	if (!same_text(row.publication, old->publication))
	{
		check_stopped(old, "publication");
		dbmazz_check_new_publication(old, row.publication);
		dbmazz_check_privileges(&row,
								dbmazz_catalog_published_tables(row.publication));
	}
	if (!same_text(row.server, old->server))
		check_stopped(old, "server");
	is_renaming = !same_text(dbmazz_guc_own_value(row.settings,
												  "table_name_template"),
							 dbmazz_guc_own_value(old->settings,
												  "table_name_template"));
	if (is_renaming)
		check_stopped(old, "table names");
	dbmazz_check_settings(&row);
	is_meant = is_bare || !same_destination(old, &row);
	change_destination(&row, is_meant);
	if (is_meant)
		row.encoding = choose_encoding(&row);
	dbmazz_check_delivery(&row);
	if (strcmp(row.encoding, old->encoding) != 0)
		check_stopped(old, "format of the rows");
	change_names(&row, is_renaming || is_bare);
	dbmazz_catalog_change_pipeline(&row);
	dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_RECONFIGURE, row.id, NULL);
	PG_RETURN_VOID();
}

/* ---- start_pipeline ----------------------------------------------------- */

static void
check_not_running(const DbmazzPipelineRow *row)
{
	DbmazzState state;

	if (!row->enabled)
		return;
	if (is_registered(row->id, &state) &&
		(state == DBMAZZ_STATE_FAILED || state == DBMAZZ_STATE_BACKOFF))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("pipeline \"%s\" is already running", row->name),
			 errhint("Its state is in dbmazz.stat_pipeline.  To restart it, use "
					 "dbmazz.stop_pipeline() first.")));
}

Datum
dbmazz_start_pipeline(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row;
	List	   *tables;

	dbmazz_check_server();
	row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	check_not_running(row);
	check_stored_settings(row);
	dbmazz_check_publication(row->publication);
	(void) dbmazz_check_destination(row);
	dbmazz_check_settings(row);
	dbmazz_check_delivery(row);
	tables = dbmazz_catalog_published_tables(row->publication);
	dbmazz_check_tables(row, tables);
	dbmazz_check_privileges(row, tables);
	if (dbmazz_catalog_destination(row->id) == NULL)
		dbmazz_check_slot_room(row->slot);	/* it was never started */
	dbmazz_check_workers(row);

	dbmazz_catalog_enable_pipeline(row->id, new_uid(), true);
	(void) dbmazz_catalog_resume_tables(row->id, NULL);
	dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_RESTART, row->id, NULL);
	PG_RETURN_VOID();
}

/* ---- stop_pipeline and drop_pipeline ------------------------------------ */

Datum
dbmazz_stop_pipeline(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));

	if (!row->enabled)
	{
		ereport(NOTICE,
				(errmsg("pipeline \"%s\" is already stopped", row->name)));
		PG_RETURN_VOID();
	}
	dbmazz_catalog_enable_pipeline(row->id, row->uid, false);
	dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_STOP, row->id, NULL);
	PG_RETURN_VOID();
}

void
dbmazz_wait_until_stopped(const DbmazzPipelineRow *row)
{
	TimestampTz deadline =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LEAVE_TIMEOUT_MS);

	while (!is_at_rest(row))
	{
		/* the launcher does not see a stop of this transaction */
		if (row->enabled || dbmazz_guard_pending() ||
			GetCurrentTimestamp() >= deadline)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("pipeline \"%s\" is running", row->name),
					 errhint("Use dbmazz.stop_pipeline(), commit, and wait "
							 "until its state in dbmazz.stat_pipeline is "
							 "\"stopped\".")));
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LEAVE_STEP_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

Datum
dbmazz_drop_pipeline(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	DbmazzCheckpoint *checkpoint;

	dbmazz_wait_until_stopped(row);
	checkpoint = dbmazz_catalog_checkpoint(row->id);
	/* an attempt to make it that did not come to its end may have left it, too */
	if (checkpoint != NULL && checkpoint->slot_state != DBMAZZ_SLOT_NONE)
		dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_DROP_SLOT, row->id, row->slot);
	else if (SearchNamedReplicationSlot(row->slot, true) != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("replication slot \"%s\" is not dropped", row->slot),
				 errdetail("It is not known to be the pipeline's."),
				 errhint("If nobody needs it, use "
						 "pg_drop_replication_slot().")));
	dbmazz_catalog_keep_lanes(row->id);
	dbmazz_catalog_remove_pipeline(row->id);
	PG_RETURN_VOID();
}
