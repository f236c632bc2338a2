/*
 * fdw.c
 *		Validator of the foreign-data wrapper "dbmazz".
 *
 * NOTES
 *	  There are no foreign tables here: a foreign server is a destination with a
 *	  name, its user mappings hold the credentials.  The options that it may
 *	  have are those of its sink.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "sink.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define DEFAULT_SINK	"starrocks"

PG_FUNCTION_INFO_V1(dbmazz_fdw_validator);

/* The sink that a list of server options asks for. */
static const char *
sink_name(List *options)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "sink") == 0)
			return defGetString(def);
	}
	return DEFAULT_SINK;
}

static bool
is_users(const DbmazzOptionDef *def)
{
	return (def->flags & (DBMAZZ_OPTION_USER | DBMAZZ_OPTION_SECRET)) != 0;
}

static void
check_server(List *options)
{
	const DbmazzSinkRoutine *routine = dbmazz_sink_routine(sink_name(options));
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		const DbmazzOptionDef *option = dbmazz_sink_option(routine,
														   def->defname);

		if (strcmp(def->defname, "sink") == 0)
			continue;
		if (option != NULL && is_users(option))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" cannot be an option of a server",
							def->defname),
					 errhint("Set it with CREATE USER MAPPING.")));
		if (option == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\"", def->defname),
					 errhint("Valid options of a server with sink \"%s\" are: "
							 "%s.", routine->name,
							 dbmazz_sink_option_names(routine, false))));
		(void) dbmazz_sink_value(option, defGetString(def));
	}
}

/*
 * The sinks of all servers there are.  A validator is not told which server a
 * user mapping is for; what does not fit its sink is ignored in the end.
 */
static List *
sinks_in_use(void)
{
	List	   *result = list_make1(DEFAULT_SINK);
	Relation	rel = table_open(ForeignServerRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(rel, 0, NULL);
	Oid			fdwid = get_foreign_data_wrapper_oid("dbmazz", true);
	HeapTuple	tup;

	while ((tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		const char *sink;
		bool		isnull;
		Datum		options;

		if (((Form_pg_foreign_server) GETSTRUCT(tup))->srvfdw != fdwid)
			continue;
		options = heap_getattr(tup, Anum_pg_foreign_server_srvoptions,
							   RelationGetDescr(rel), &isnull);
		if (isnull)
			continue;
		sink = sink_name(untransformRelOptions(options));
		result = lappend(result, pstrdup(sink));
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

static const DbmazzOptionDef *
find_user_option(List *sinks, const char *name)
{
	ListCell   *lc;

	foreach(lc, sinks)
	{
		const DbmazzSinkRoutine *routine = dbmazz_sink_routine(lfirst(lc));
		const DbmazzOptionDef *option = dbmazz_sink_option(routine, name);

		if (option != NULL && is_users(option))
			return option;
	}
	return NULL;
}

static void
unknown_user_option(const char *sink, const char *name)
{
	const DbmazzSinkRoutine *routine = dbmazz_sink_routine(sink);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 errhint("Valid options of a user mapping are: %s.",
					 dbmazz_sink_option_names(routine, true))));
}

static void
check_user_mapping(List *options)
{
	List	   *sinks = options == NIL ? NIL : sinks_in_use();
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		const DbmazzOptionDef *option = find_user_option(sinks, def->defname);

		if (option == NULL)
			unknown_user_option(linitial(sinks), def->defname);
		(void) dbmazz_sink_value(option, defGetString(def));
	}
}

Datum
dbmazz_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);

	if (catalog == ForeignServerRelationId)
		check_server(options);
	else if (catalog == UserMappingRelationId)
		check_user_mapping(options);
	else if (options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"",
						linitial_node(DefElem, options)->defname),
				 errhint("Options belong to servers and user mappings.")));
	PG_RETURN_VOID();
}
