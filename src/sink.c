/*
 * sink.c
 *		Loading of sink modules and the options of a pipeline's destination.
 */
#include "postgres.h"

#include <ctype.h>
#include <sys/stat.h>

#include "access/htup_details.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "encoding.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "report.h"
#include "sink.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Routines of the modules that this process has loaded. */
static List *loaded = NIL;

/* ---- modules ------------------------------------------------------------ */

static bool
is_plain_identifier(const char *name)
{
	if (*name < 'a' || *name > 'z')
		return false;
	for (; *name != '\0'; name++)
	{
		if (!((*name >= 'a' && *name <= 'z') ||
			  (*name >= '0' && *name <= '9') || *name == '_'))
			return false;
	}
	return true;
}

/*
 * Look for the file first: the loader's message would have a path, and no hint.
 */
static void
check_library(const char *name)
{
	char	   *path = psprintf("%s/dbmazz_%s%s", pkglib_path, name, DLSUFFIX);
	struct stat st;

	if (!is_plain_identifier(name) || stat(path, &st) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("sink \"%s\" does not exist", name),
				 errdetail("A sink is a library \"dbmazz_NAME\" in the server's "
						   "library directory."),
				 errhint("dbmazz comes with the sinks starrocks, file and "
						 "null.")));
}

static void
check_routine(const char *name, const DbmazzSinkRoutine *routine)
{
	if (routine == NULL || routine->abi != DBMAZZ_SINK_ABI ||
		routine->struct_size < sizeof(DbmazzSinkRoutine))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sink \"%s\" was built for another version of dbmazz",
						name),
				 errdetail("It has version %u of the interface, %u is needed.",
						   routine ? routine->abi : 0, DBMAZZ_SINK_ABI),
				 errhint("Install the module that fits this dbmazz.")));
	if (routine->name == NULL || strcmp(routine->name, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("module \"dbmazz_%s\" has a sink of another name",
						name)));
}

const DbmazzSinkRoutine *
dbmazz_sink_routine(const char *name)
{
	const DbmazzSinkRoutine *routine;
	DbmazzSinkInit init;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, loaded)
	{
		routine = lfirst(lc);
		if (strcmp(routine->name, name) == 0)
			return routine;
	}
	check_library(name);
	init = (DbmazzSinkInit)
		load_external_function(psprintf("$libdir/dbmazz_%s", name),
							   DBMAZZ_SINK_INIT_SYMBOL, true, NULL);
	routine = init();
	check_routine(name, routine);
	old = MemoryContextSwitchTo(TopMemoryContext);
	loaded = lappend(loaded, unconstify(DbmazzSinkRoutine *, routine));
	MemoryContextSwitchTo(old);
	return routine;
}

/* ---- one option --------------------------------------------------------- */

const DbmazzOptionDef *
dbmazz_sink_option(const DbmazzSinkRoutine *routine, const char *name)
{
	for (int i = 0; i < routine->noptions; i++)
	{
		if (strcmp(routine->options[i].name, name) == 0)
			return &routine->options[i];
	}
	return NULL;
}

char *
dbmazz_sink_option_names(const DbmazzSinkRoutine *routine, bool user_mapping)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (!user_mapping)
		appendStringInfoString(&buf, "sink");
	for (int i = 0; i < routine->noptions; i++)
	{
		const DbmazzOptionDef *def = &routine->options[i];
		bool		is_users = (def->flags & (DBMAZZ_OPTION_USER |
											  DBMAZZ_OPTION_SECRET)) != 0;

		if (is_users == user_mapping)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", def->name);
	}
	return buf.data;
}

static void
value_error(const DbmazzOptionDef *def, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 (def->flags & DBMAZZ_OPTION_SECRET) != 0 ?
			 errmsg("invalid value for option \"%s\"", def->name) :
			 errmsg("invalid value for option \"%s\": \"%s\"", def->name,
					value),
			 errhint("%s", hint)));
}

static char *
integer_value(const DbmazzOptionDef *def, const char *value)
{
	char	   *end;
	int64		number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 ||
		number < def->min || number > def->max)
		value_error(def, value,
					psprintf("It must be a whole number from " INT64_FORMAT
							 " to " INT64_FORMAT ".", (int64) def->min,
							 (int64) def->max));
	return psprintf(INT64_FORMAT, number);
}

/* With the units of the server's settings. */
static char *
ms_value(const DbmazzOptionDef *def, const char *value)
{
	const char *hint = NULL;
	int			ms;

	if (!parse_int(value, &ms, GUC_UNIT_MS, &hint))
		value_error(def, value, hint != NULL ? hint :
					"Write a number with a unit, for example \"10s\".");
	if (ms < def->min || ms > def->max)
		value_error(def, value,
					psprintf("It must be from " INT64_FORMAT " ms to "
							 INT64_FORMAT " s.", (int64) def->min,
							 (int64) (def->max / 1000)));
	return psprintf("%d", ms);
}

char *
dbmazz_sink_value(const DbmazzOptionDef *def, const char *value)
{
	bool		is_on;

	if ((def->flags & DBMAZZ_OPTION_ADDRESS) != 0 &&
		dbmazz_guc_has_credentials(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" has a user name or a password in it",
						def->name),
				 errdetail("Everybody can read this option."),
				 errhint("Write http://host:port, and the credentials in a "
						 "user mapping.")));
	if (def->kind == DBMAZZ_OPTION_INTEGER)
		return integer_value(def, value);
	if (def->kind == DBMAZZ_OPTION_MS)
		return ms_value(def, value);
	if (def->kind == DBMAZZ_OPTION_STRING)
		return pstrdup(value);
	if (!parse_bool(value, &is_on))
		value_error(def, value, "It must be on or off.");
	return pstrdup(is_on ? "on" : "off");
}

/* ---- the options of a destination --------------------------------------- */

static const char *
find_defelem(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, name) == 0)
			return dbmazz_to_utf8(defGetString(def));
	}
	return NULL;
}

/* The options of the owner's user mapping, or of PUBLIC's, or none. */
static List *
mapping_options(Oid owner, Oid serverid)
{
	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER,
							   ObjectIdGetDatum(owner),
							   ObjectIdGetDatum(serverid)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER,
							   ObjectIdGetDatum(InvalidOid),
							   ObjectIdGetDatum(serverid)))
		return NIL;
	return GetUserMapping(owner, serverid)->options;
}

/* A foreign server of ours with the right sink. */
static ForeignServer *
get_server(const DbmazzSinkRoutine *routine, const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);
	ForeignDataWrapper *fdw;
	const char *sink;

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("Make it with CREATE SERVER ... FOREIGN DATA WRAPPER "
						 "dbmazz.")));
	fdw = GetForeignDataWrapper(server->fdwid);
	if (strcmp(fdw->fdwname, "dbmazz") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" does not belong to foreign-data wrapper "
						"\"dbmazz\"", name),
				 errhint("Make a server with CREATE SERVER ... FOREIGN DATA "
						 "WRAPPER dbmazz.")));
	sink = find_defelem(server->options, "sink");
	if (sink == NULL)
		sink = "starrocks";
	if (strcmp(sink, routine->name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" has sink \"%s\", the pipeline has sink "
						"\"%s\"", name, sink, routine->name),
				 errhint("Use a server with that sink, or create the pipeline "
						 "with sink => '%s'.", sink)));
	return server;
}

/* A pipeline's own value of dbmazz.<sink>_<option>, or NULL. */
static const char *
find_setting(List *settings, const char *sink, const char *option)
{
	char	   *prefix = psprintf("%s_%s=", sink, option);
	size_t		len = strlen(prefix);
	ListCell   *lc;

	foreach(lc, settings)
	{
		if (pg_strncasecmp(lfirst(lc), prefix, len) == 0)
			return dbmazz_to_utf8((const char *) lfirst(lc) + len);
	}
	return NULL;
}

static void
missing_option(const DbmazzSinkRoutine *routine, const DbmazzPipelineRow *row,
			   const DbmazzOptionDef *def)
{
	const char *name = def->name;

	if (row->server != NULL && (def->flags & DBMAZZ_OPTION_USER) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("user mapping for server \"%s\" lacks option \"%s\"",
						row->server, name),
				 errhint("Set it with CREATE USER MAPPING or ALTER USER MAPPING "
						 "for the pipeline's owner.")));
	if (row->server != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("server \"%s\" lacks option \"%s\"", row->server, name),
				 errhint("Set it with ALTER SERVER %s OPTIONS (ADD %s '...').",
						 quote_identifier(row->server), name)));
	if (dbmazz_guc_sink_option(routine->name, name) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sink \"%s\" needs option \"%s\"", routine->name, name),
				 errhint("Make a foreign server with this option and name it "
						 "with server => '...'.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("setting \"dbmazz.%s_%s\" is not set", routine->name, name),
			 errhint("Set it in the server's configuration, or make a foreign "
					 "server and name it with server => '...'.")));
}

DbmazzOption *
dbmazz_sink_options(const DbmazzSinkRoutine *routine,
					const DbmazzPipelineRow *row, int *noptions)
{
	DbmazzOption *options = palloc(sizeof(DbmazzOption) *
								   Max(routine->noptions, 1));
	List	   *server_options = NIL;
	List	   *user_options = NIL;
	DbmazzError error;
	int			n = 0;

	if (row->server != NULL)
	{
		ForeignServer *server = get_server(routine, row->server);

		server_options = server->options;
		user_options = mapping_options(row->owner, server->serverid);
	}
	for (int i = 0; i < routine->noptions; i++)
	{
		const DbmazzOptionDef *def = &routine->options[i];
		const char *value;

		if (row->server == NULL)
		{
			value = find_setting(row->settings, routine->name, def->name);
			if (value == NULL)
				value = dbmazz_guc_sink_option(routine->name, def->name);
		}
		else if ((def->flags & (DBMAZZ_OPTION_USER | DBMAZZ_OPTION_SECRET)) != 0)
			value = find_defelem(user_options, def->name);
		else
			value = find_defelem(server_options, def->name);

		/* a setting that is not set is an empty string */
		if (value == NULL || *value == '\0')
			value = def->default_value;
		if (value == NULL && (def->flags & DBMAZZ_OPTION_REQUIRED) != 0)
			missing_option(routine, row, def);
		if (value == NULL)
			continue;
		options[n].name = def->name;
		options[n].value = dbmazz_sink_value(def, value);
		n++;
	}
	dbmazz_error_reset(&error);
	if (!routine->check(options, n, &error))
		dbmazz_report(ERROR, ERRCODE_INVALID_PARAMETER_VALUE, NULL, &error);
	*noptions = n;
	return options;
}

char *
dbmazz_sink_identity(const DbmazzSinkRoutine *routine,
					 const DbmazzOption *options, int noptions)
{
	size_t		len = routine->identity(options, noptions, NULL, 0);
	char	   *text = palloc0(len + 1);

	(void) routine->identity(options, noptions, text, len + 1);
	return dbmazz_from_utf8(psprintf("%s:%s", routine->name, text));
}

/*
 * Can the sink do what the setting asks for?  Loads of transactions know nothing
 * of enclosed fields.
 */
static bool
has_transactions(const DbmazzSinkRoutine *routine, uint32_t capability,
				 const char *setting, const char *value, const char *other,
				 const char *verb, const char *encoding, DbmazzError *err)
{
	if ((routine->capabilities & capability) == 0)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "sink \"%s\" cannot %s", routine->name, verb);
		dbmazz_error_hint(err, "Set %s=%s for the pipeline, or dbmazz.%s of the "
						  "server.", setting, other, setting);
		return false;
	}
	if (strcmp(encoding, "json") != 0)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "%s=%s does not go with rows as %s", setting, value,
						 encoding);
		dbmazz_error_hint(err, "Set the option \"format\" of the destination to "
						  "json and call dbmazz.alter_pipeline(); or set "
						  "%s=%s for the pipeline.", setting, other);
		return false;
	}
	return true;
}

bool
dbmazz_sink_delivers_once(const DbmazzSinkRoutine *routine,
						  const char *encoding, DbmazzError *err)
{
	return has_transactions(routine, DBMAZZ_SINK_PREPARE, "delivery",
							"exactly_once", "at_least_once",
							"deliver exactly once", encoding, err);
}

bool
dbmazz_sink_groups(const DbmazzSinkRoutine *routine, const char *encoding,
				   DbmazzError *err)
{
	return has_transactions(routine, DBMAZZ_SINK_GROUP, "atomic",
							"transaction", "none", "load several tables at once",
							encoding, err);
}
