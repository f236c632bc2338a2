/*
 * checks.c
 *		What must be true before a pipeline is made or started.
 *
 * NOTES
 *	  All of it can change later; the workers cope with that.  The checks are
 *	  here so that a user hears of a mistake at once and by name.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_publication.h"
#include "checks.h"
#include "compat.h"
#include "foreign/foreign.h"
#include "guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "replication/logicallauncher.h"
#include "replication/slot.h"
#include "report.h"
#include "shmem.h"
#include "sink.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Workers besides those of pipelines: launcher and scan. */
#define OWN_WORKERS		2

/* How many free names for a slot are tried for the hint. */
#define MAX_SLOT_NAMES	1000

/* ---- server ------------------------------------------------------------- */

void
dbmazz_check_server(void)
{
	if (dbmazz_shmem == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("dbmazz is not preloaded"),
				 errhint("Add dbmazz to shared_preload_libraries and restart "
						 "the server.")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("recovery is in progress"),
				 errhint("Pipelines run on the primary server.")));
	if (wal_level < WAL_LEVEL_LOGICAL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("dbmazz needs wal_level = logical"),
				 errhint("Set wal_level to logical and restart the server.")));
}

/*
 * A lower bound: parallel queries and other extensions take workers too, which
 * the launcher only finds out when it starts ours.
 */
void
dbmazz_check_workers(const DbmazzPipelineRow *row)
{
	int			nwanted = 0;
	int			needed;

	LWLockAcquire(dbmazz_registry_lock(), LW_SHARED);
	for (int i = 0; i < dbmazz_shmem->npipelines; i++)
	{
		DbmazzPipeline *p = &dbmazz_shmem->pipelines[i];

		if (p->in_use && !(p->dboid == MyDatabaseId && p->id == row->id))
			nwanted++;
	}
	LWLockRelease(dbmazz_registry_lock());

	if (nwanted >= dbmazz_shmem->npipelines)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no room for pipeline \"%s\"", row->name),
				 errdetail("%d of at most %d pipelines are running.", nwanted,
						   dbmazz_shmem->npipelines),
				 errhint("Stop one, or raise dbmazz.max_pipelines and restart "
						 "the server.")));
	needed = OWN_WORKERS + DBMAZZ_NROLES * (nwanted + 1) +
		(max_logical_replication_workers > 0 ? 1 : 0);
	if (needed > max_worker_processes)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker slots are free for pipeline "
						"\"%s\"", row->name),
				 errdetail("Pipelines and the server itself need at least %d, "
						   "max_worker_processes is %d.",
						   needed, max_worker_processes),
				 errhint("Raise max_worker_processes and restart the "
						 "server.")));
}

/* ---- names -------------------------------------------------------------- */

/*
 * The rule is that of slot names, so that a name can be part of one; it keeps
 * names of files, metrics and processes plain as well.
 */
void
dbmazz_check_name(const char *name)
{
	const char *p = name;

	while ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_')
		p++;
	if (*name == '\0' || *p != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid pipeline name \"%s\"", name),
				 errhint("Names of pipelines consist of lower-case letters, "
						 "digits and underscores.")));
}

static bool
is_slot_free(const char *slot)
{
	return SearchNamedReplicationSlot(slot, true) == NULL &&
		dbmazz_catalog_slot_user(slot) == NULL;
}

/* A free name that begins with 'slot'. */
static char *
free_slot_name(const char *slot)
{
	for (int i = 2; i < MAX_SLOT_NAMES; i++)
	{
		char	   *suffix = psprintf("_%d", i);
		char	   *name = psprintf("%.*s%s",
									(int) (NAMEDATALEN - 1 - strlen(suffix)),
									slot, suffix);

		if (is_slot_free(name))
			return name;
	}
	return pstrdup("another_name");
}

static int
free_slots(void)
{
	int			n = 0;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (int i = 0; i < max_replication_slots; i++)
	{
		if (!ReplicationSlotCtl->replication_slots[i].in_use)
			n++;
	}
	LWLockRelease(ReplicationSlotControlLock);
	return n;
}

void
dbmazz_check_slot_name(const char *slot)
{
	char	   *pipeline;

	ReplicationSlotValidateName(slot, ERROR);
	pipeline = dbmazz_catalog_slot_user(slot);
	if (pipeline != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("replication slot \"%s\" belongs to pipeline \"%s\"",
						slot, pipeline),
				 errhint("Create the pipeline with another one, for example "
						 "slot => '%s'.", free_slot_name(slot))));
}

void
dbmazz_check_slot_room(const char *slot)
{
	if (SearchNamedReplicationSlot(slot, true) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("replication slot \"%s\" already exists", slot),
				 errhint("Create the pipeline with another one, for example "
						 "slot => '%s'; or, if nobody needs this one, use "
						 "pg_drop_replication_slot().",
						 free_slot_name(slot))));
	if (free_slots() == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("all replication slots are in use"),
				 errhint("Free one or raise max_replication_slots.")));
}

void
dbmazz_check_publication(const char *publication)
{
	if (!OidIsValid(get_publication_oid(publication, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("publication \"%s\" does not exist", publication),
				 errhint("Make it with CREATE PUBLICATION %s FOR TABLE ..., or "
						 "name another one with publication => '...'.",
						 quote_identifier(publication))));
}

/* The oldest transaction whose catalogs a slot still needs, if there is one. */
static bool
slot_catalog_xmin(const char *name, TransactionId *xmin)
{
	ReplicationSlot *slot;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	slot = SearchNamedReplicationSlot(name, false);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		*xmin = slot->data.catalog_xmin;
		SpinLockRelease(&slot->mutex);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return slot != NULL && TransactionIdIsValid(*xmin);
}

/*
 * Changes are decoded with the catalogs of their time.  Of a publication that
 * was made after the slot's position the decoder would find nothing there: up to
 * PostgreSQL 17 that is an error at every attempt, from 18 on all changes up to
 * the publication's making are skipped.
 */
void
dbmazz_check_new_publication(const DbmazzPipelineRow *row,
							 const char *publication)
{
	TransactionId slot_xmin;
	TransactionId made_by;
	HeapTuple	tup;

	dbmazz_check_publication(publication);
	if (!dbmazz_catalog_has_slot(row->id) ||
		!slot_catalog_xmin(row->slot, &slot_xmin))
		return;
	tup = SearchSysCache1(PUBLICATIONOID,
						  ObjectIdGetDatum(get_publication_oid(publication,
															   false)));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for publication \"%s\"", publication);
	made_by = HeapTupleHeaderGetXmin(tup->t_data);
	ReleaseSysCache(tup);
	if (!TransactionIdPrecedes(made_by, slot_xmin))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("publication \"%s\" is younger than the replication "
						"slot of pipeline \"%s\"", publication, row->name),
				 errdetail("Changes that were made before the publication "
						   "could not be decoded."),
				 errhint("Use ALTER PUBLICATION %s to change what is "
						 "published, or let the pipeline run on for some "
						 "minutes before you change it.",
						 quote_identifier(row->publication))));
}

/* ---- destination -------------------------------------------------------- */

static void
check_owner_and_server(const DbmazzPipelineRow *row)
{
	ForeignServer *server;

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(row->owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline \"%s\" does not exist any more",
						row->name),
				 errhint("Drop the pipeline and create it as another role.")));

	/* it writes to a file of the server */
	if (strcmp(row->sink, "file") == 0 &&
		!has_privs_of_role(row->owner, ROLE_PG_WRITE_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to use sink \"file\""),
				 errhint("Grant the role pg_write_server_files to the "
						 "pipeline's owner.")));

	server = row->server ? GetForeignServerByName(row->server, true) : NULL;
	if (server != NULL &&
		!DatumGetBool(DirectFunctionCall3(has_server_privilege_id_id,
										  ObjectIdGetDatum(row->owner),
										  ObjectIdGetDatum(server->serverid),
										  CStringGetTextDatum("USAGE"))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s",
						row->server),
				 errhint("Grant USAGE on the server to the pipeline's "
						 "owner.")));
}

char	   *
dbmazz_check_destination(const DbmazzPipelineRow *row)
{
	const DbmazzSinkRoutine *routine = dbmazz_sink_routine(row->sink);
	DbmazzOption *options;
	int			noptions;

	check_owner_and_server(row);
	options = dbmazz_sink_options(routine, row, &noptions);
	return dbmazz_sink_identity(routine, options, noptions);
}

void
dbmazz_check_settings(const DbmazzPipelineRow *row)
{
	const char *origin = dbmazz_guc_value(row->settings, "origin");
	DbmazzError error;

	if (!DBMAZZ_HAVE_ORIGIN_FILTER && pg_strcasecmp(origin, "none") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg(DBMAZZ_NO_ORIGIN_FILTER),
				 errhint(DBMAZZ_NO_ORIGIN_FILTER_HINT)));
	if (!DBMAZZ_HAVE_FAILOVER && dbmazz_guc_flag(row->settings, "failover"))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg(DBMAZZ_NO_FAILOVER),
				 errhint(DBMAZZ_NO_FAILOVER_HINT)));
	dbmazz_error_reset(&error);
	if (!dbmazz_guc_fit(row->settings, &error))
		dbmazz_report(ERROR, ERRCODE_INVALID_PARAMETER_VALUE, NULL, &error);
}

void
dbmazz_check_delivery(const DbmazzPipelineRow *row)
{
	const DbmazzSinkRoutine *routine = dbmazz_sink_routine(row->sink);
	const char *delivery = dbmazz_guc_value(row->settings, "delivery");
	const char *atomic = dbmazz_guc_value(row->settings, "atomic");
	DbmazzError error;

	dbmazz_error_reset(&error);
	if ((pg_strcasecmp(delivery, "exactly_once") == 0 &&
		 !dbmazz_sink_delivers_once(routine, row->encoding, &error)) ||
		(pg_strcasecmp(atomic, "transaction") == 0 &&
		 !dbmazz_sink_groups(routine, row->encoding, &error)))
		dbmazz_report(ERROR, ERRCODE_FEATURE_NOT_SUPPORTED, NULL, &error);
}
