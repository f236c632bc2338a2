/*
 * functions_rows.c
 *		The SQL functions about tables that have stopped, and rows that the
 *		target did not take.
 *
 * NOTES
 *	  They only write what is wanted: a stopped table goes on in the next life,
 *	  as after start_pipeline(), which is begun at commit; letters are sent again
 *	  by the shipper that is running, or the next one.
 */
#include "postgres.h"

#include "catalog_dead.h"
#include "functions_private.h"
#include "guard.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dbmazz_retry_batch);
PG_FUNCTION_INFO_V1(dbmazz_skip_batch);
PG_FUNCTION_INFO_V1(dbmazz_replay_dead_letters);

/* The argument "target", or NULL: all. */
static char *
target_arg(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
}

static void
no_such_target(const DbmazzPipelineRow *row, const char *target,
			   const char *what)
{
	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no table of pipeline \"%s\" %s", row->name, what),
				 errhint("See the view dbmazz.stat_table.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("target table \"%s\" of pipeline \"%s\" is not one that %s",
					target, row->name, what),
			 errhint("See the view dbmazz.stat_table; the argument is a name in "
					 "its column target.")));
}

/* Begin a life in which the resumed tables go on, if there is to be one. */
static void
go_on(const DbmazzPipelineRow *row)
{
	if (row->enabled)
		dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_RESTART, row->id, NULL);
	else
		ereport(NOTICE,
				(errmsg("pipeline \"%s\" is stopped", row->name),
				 errhint("Use dbmazz.start_pipeline().")));
}

Datum
dbmazz_retry_batch(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	char	   *target = target_arg(fcinfo);

	if (dbmazz_catalog_resume_tables(row->id, target) == 0)
		no_such_target(row, target, "has stopped");
	go_on(row);
	PG_RETURN_VOID();
}

Datum
dbmazz_skip_batch(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	char	   *target = target_arg(fcinfo);
	char	   *confirm = PG_ARGISNULL(2) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(2));
	DbmazzStoppedRow bad;
	char	   *lsn;

	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"target\" must not be null")));
	if (!dbmazz_catalog_stopped_row(row->id, target, &bad))
		no_such_target(row, target, "has stopped");
	if (bad.lsn == InvalidXLogRecPtr)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("target table \"%s\" did not stop because of a row",
						target),
				 errdetail("%s", bad.error),
				 errhint("Remove the cause, then use dbmazz.retry_batch().")));
	lsn = psprintf("%X/%X", LSN_FORMAT_ARGS(bad.lsn));
	if (confirm == NULL || strcmp(confirm, lsn) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("skipping a row must be confirmed"),
				 errdetail("%s", bad.detail),
				 errhint("If this change is to be left out at the target for "
						 "ever, repeat the command with confirm => '%s', the "
						 "row_lsn in dbmazz.stat_table.", lsn)));
	dbmazz_catalog_skip_row(row->id, target, GetUserId());
	(void) dbmazz_catalog_resume_tables(row->id, target);
	ereport(LOG,
			(errmsg("pipeline \"%s\": a row of target table \"%s\" is skipped",
					row->name, target),
			 errdetail("%s", bad.detail)));
	go_on(row);
	PG_RETURN_VOID();
}

Datum
dbmazz_replay_dead_letters(PG_FUNCTION_ARGS)
{
	DbmazzPipelineRow *row = dbmazz_own_pipeline(dbmazz_name_arg(fcinfo, 0, "name"));
	char	   *target = target_arg(fcinfo);
	int64		nkeyless;
	int64		n = dbmazz_catalog_request_replay(row->id, target, &nkeyless);

	if (nkeyless > 0)
		ereport(target != NULL && n == 0 ? ERROR : WARNING,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg_plural("%lld dead letter of a change log cannot be "
							   "replayed",
							   "%lld dead letters of change logs cannot be "
							   "replayed", (unsigned long) nkeyless,
							   (long long) nkeyless),
				 errdetail("It has no key by which the row could be found, and "
						   "a row that is sent twice would be there twice."),
				 errhint("Insert the rows that dbmazz.dead_letters shows into "
						 "the target by other means.")));
	if (n > 0)
		dbmazz_guard_at_commit(DBMAZZ_AT_COMMIT_RECONFIGURE, row->id, NULL);
	PG_RETURN_INT64(n);
}
