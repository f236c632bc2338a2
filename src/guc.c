/*
 * guc.c
 *		The settings of dbmazz, and the pipelines' own values of them.
 *
 * NOTES
 *	  A pipeline's settings are checked with the server's own machinery and
 *	  applied by it in the pipeline's workers, so that every knob is defined
 *	  once: in the tables below.
 *
 *	  The variables of a sink's options are only there for the server's sake:
 *	  sinks get their options as text, through dbmazz_guc_sink_option().
 */
#include "postgres.h"

#include <limits.h>

#include "compat.h"
#include "debug_point.h"
#include "guc.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define PREFIX			"dbmazz."
#define PASSWORD		"starrocks_password"
#define PASSWORD_MASK	"********"

#define SECOND_MS		1000
#define MINUTE_MS		(60 * SECOND_MS)
#define HOUR_MS			(60 * MINUTE_MS)
#define DAY_MS			(24 * HOUR_MS)

/* Who may give a pipeline its own value of a setting. */
typedef enum Override
{
	OVERRIDE_NONE,				/* nobody */
	OVERRIDE_OWNER,				/* whoever may alter the pipeline */
	OVERRIDE_SET				/* whoever may SET it: it says where data and
								 * the default password are sent */
} Override;

typedef struct IntSetting
{
	const char *name;
	const char *description;
	int		   *variable;
	int			boot;
	int			min;
	int			max;
	int			flags;
	GucContext	context;
	Override	override;
} IntSetting;

typedef struct StringSetting
{
	const char *name;
	const char *description;
	char	  **variable;
	const char *boot;
	int			flags;
	Override	override;
	GucStringCheckHook check;
	GucStringAssignHook assign;
} StringSetting;

int			dbmazz_buffer_size_kb;
int			dbmazz_max_pipelines;
int			dbmazz_pipeline_buffer_size_kb;
int			dbmazz_batch_max_rows;
int			dbmazz_batch_max_bytes_kb;
int			dbmazz_flush_interval_ms;
int			dbmazz_checkpoint_interval_ms;
int			dbmazz_heartbeat_interval_ms;
int			dbmazz_max_connections;
int			dbmazz_retry_min_delay_ms;
int			dbmazz_retry_max_delay_ms;
int			dbmazz_decoder_work_mem_kb;
char	   *dbmazz_table_name_template;
int			dbmazz_truncate_mode;
int			dbmazz_restart_max_delay_ms;

static int	starrocks_connect_timeout_ms;
static int	starrocks_request_timeout_ms;
static int	starrocks_expect_timeout_ms;
static int	starrocks_load_timeout_ms;
static int	starrocks_low_speed_time_ms;
static int	null_delay_ms;
static bool starrocks_tls_verify;
static char *starrocks_url;
static char *starrocks_database;
static char *starrocks_user;
static char *starrocks_password_shown;
static char *starrocks_ca_file;
static char *starrocks_be_address;
static char *file_path;

/* The password itself; the server's variable holds a mask. */
static const char *starrocks_password = "";

/* Names that dbmazz_guc_apply() has set, in TopMemoryContext. */
static List *applied = NIL;

static bool check_template(char **newval, void **extra, GucSource source);
static bool check_password(char **newval, void **extra, GucSource source);
static void assign_password(const char *newval, void *extra);

static const IntSetting int_settings[] = {
	{"buffer_size",
		"Shared memory for rows on their way, of all pipelines together.",
		&dbmazz_buffer_size_kb, 64 * 1024, 1024, INT_MAX / 2,
	GUC_UNIT_KB, PGC_POSTMASTER, OVERRIDE_NONE},
	{"max_pipelines",
		"The number of pipelines of all databases that can run at once.",
		&dbmazz_max_pipelines, 8, 1, 64,
	0, PGC_POSTMASTER, OVERRIDE_NONE},
	{"restart_max_delay",
		"The longest wait before a pipeline that keeps failing is tried again.",
		&dbmazz_restart_max_delay_ms, MINUTE_MS, SECOND_MS, DAY_MS,
	GUC_UNIT_MS, PGC_SIGHUP, OVERRIDE_NONE},
	{"pipeline_buffer_size",
		"The share of dbmazz.buffer_size that one pipeline reserves.",
		&dbmazz_pipeline_buffer_size_kb, 16 * 1024, 512, INT_MAX / 2,
	GUC_UNIT_KB, PGC_SUSET, OVERRIDE_OWNER},
	{"batch_max_rows",
		"The number of rows at which a batch is sent.",
		&dbmazz_batch_max_rows, 100000, 1, 10000000,
	0, PGC_SUSET, OVERRIDE_OWNER},
	{"batch_max_bytes",
		"The size at which a batch is sent.",
		&dbmazz_batch_max_bytes_kb, 8 * 1024, 64, 1024 * 1024,
	GUC_UNIT_KB, PGC_SUSET, OVERRIDE_OWNER},
	{"flush_interval",
		"The age at which a batch is sent; 0 sends as soon as it can be.",
		&dbmazz_flush_interval_ms, SECOND_MS, 0, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_OWNER},
	{"checkpoint_interval",
		"The shortest time between two writes of a pipeline's position.",
		&dbmazz_checkpoint_interval_ms, SECOND_MS, 10, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_OWNER},
	{"heartbeat_interval",
		"The time between two writes of the position while only unrelated "
		"changes are made.",
		&dbmazz_heartbeat_interval_ms, MINUTE_MS, SECOND_MS, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_OWNER},
	{"max_connections",
		"The number of loads that a pipeline has under way at once.",
		&dbmazz_max_connections, 4, 1, 64,
	0, PGC_SUSET, OVERRIDE_OWNER},
	{"retry_min_delay",
		"The wait before a load that failed is sent again for the first time.",
		&dbmazz_retry_min_delay_ms, 100, 1, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_OWNER},
	{"retry_max_delay",
		"The longest wait before a load that failed is sent again.",
		&dbmazz_retry_max_delay_ms, MINUTE_MS, 1, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_OWNER},
	{"decoder_work_mem",
		"logical_decoding_work_mem of a pipeline's decoder.",
		&dbmazz_decoder_work_mem_kb, 64 * 1024, 64, MAX_KILOBYTES,
	GUC_UNIT_KB, PGC_SUSET, OVERRIDE_OWNER},
	{"starrocks_connect_timeout",
		"The longest time that making a connection to StarRocks may take.",
		&starrocks_connect_timeout_ms, 10 * SECOND_MS, 100, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_SET},
	{"starrocks_request_timeout",
		"The longest time that a request other than a load may take.",
		&starrocks_request_timeout_ms, 30 * SECOND_MS, 100, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_SET},
	{"starrocks_expect_timeout",
		"The longest wait for StarRocks to ask for the rows of a load.",
		&starrocks_expect_timeout_ms, 30 * SECOND_MS, 100, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_SET},
	{"starrocks_load_timeout",
		"The longest time that a load may take.",
		&starrocks_load_timeout_ms, 10 * MINUTE_MS, SECOND_MS, 3 * DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_SET},
	{"starrocks_low_speed_time",
		"The time without progress after which a load is given up.",
		&starrocks_low_speed_time_ms, MINUTE_MS, 0, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_SET},
	{"null_delay_ms",
		"The time that the sink \"null\" takes for a load.",
		&null_delay_ms, 0, 0, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, OVERRIDE_SET}
};

static const StringSetting string_settings[] = {
	{"table_name_template",
		"How a target table is named: text with {schema} and {table}.",
	&dbmazz_table_name_template, "{table}", 0, OVERRIDE_OWNER, check_template},
	{"starrocks_url",
		"The addresses of StarRocks frontends: http://host:port, "
		"comma separated.",
	&starrocks_url, "", 0, OVERRIDE_SET},
	{"starrocks_database",
		"The StarRocks database that the target tables are in.",
	&starrocks_database, "", 0, OVERRIDE_SET},
	{"starrocks_user",
		"The StarRocks user.",
	&starrocks_user, "root", 0, OVERRIDE_SET},
	{PASSWORD,
		"The password of the StarRocks user.",
		&starrocks_password_shown, "",
		GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_SUPERUSER_ONLY,
	OVERRIDE_NONE, check_password, assign_password},
	{"starrocks_ca_file",
		"The file with the certificates of the authorities to trust.",
	&starrocks_ca_file, "", 0, OVERRIDE_SET},
	{"starrocks_be_address",
		"The address to use instead of that by which a backend is registered.",
	&starrocks_be_address, "", 0, OVERRIDE_SET},
	{"file_path",
		"The directory that the sink \"file\" writes to.",
	&file_path, "", 0, OVERRIDE_SET}
};

#define TRUNCATE_MODE_NAME	"truncate_mode"
#define TLS_VERIFY_NAME		"starrocks_tls_verify"

static const struct config_enum_entry truncate_modes[] = {
	{"stop", DBMAZZ_TRUNCATE_STOP, false},
	{"ignore", DBMAZZ_TRUNCATE_IGNORE, false},
	{NULL, 0, false}
};

/* ---- definition --------------------------------------------------------- */

static void
define_int(const IntSetting *s)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), PREFIX "%s", s->name);
	DefineCustomIntVariable(name, s->description, NULL, s->variable, s->boot,
							s->min, s->max, s->context, s->flags,
							NULL, NULL, NULL);
}

static void
define_string(const StringSetting *s)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), PREFIX "%s", s->name);
	DefineCustomStringVariable(name, s->description, NULL, s->variable,
							   s->boot, PGC_SUSET, s->flags,
							   s->check, s->assign, NULL);
}

void
dbmazz_guc_init(bool preloading)
{
	for (int i = 0; i < lengthof(int_settings); i++)
	{
		if (int_settings[i].context == PGC_POSTMASTER && !preloading)
			continue;
		define_int(&int_settings[i]);
	}
	for (int i = 0; i < lengthof(string_settings); i++)
		define_string(&string_settings[i]);

	DefineCustomEnumVariable(PREFIX TRUNCATE_MODE_NAME,
							 "What a TRUNCATE of a replicated table does.",
							 NULL, &dbmazz_truncate_mode,
							 DBMAZZ_TRUNCATE_STOP, truncate_modes,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(PREFIX TLS_VERIFY_NAME,
							 "Whether the certificate of StarRocks is checked.",
							 NULL, &starrocks_tls_verify, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
#ifdef DBMAZZ_DEBUG_POINTS
	DefineCustomStringVariable(PREFIX "debug_point",
							   "Breaks a process at a named point, for tests.",
							   NULL, &dbmazz_debug_point, "",
							   PGC_SIGHUP, GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
#endif
	MarkGUCPrefixReserved("dbmazz");
}

/* Letters, digits, underscores, {schema}, and at least one {table}. */
static bool
check_template(char **newval, void **extra, GucSource source)
{
	const char *p = *newval;
	bool		has_table = false;

	while (*p != '\0')
	{
		if (strncmp(p, "{table}", 7) == 0)
		{
			has_table = true;
			p += 7;
		}
		else if (strncmp(p, "{schema}", 8) == 0)
			p += 8;
		else if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
				 (*p >= '0' && *p <= '9') || *p == '_')
			p++;
		else
		{
			GUC_check_errdetail("A template consists of letters, digits, "
								"underscores, \"{schema}\" and \"{table}\".");
			return false;
		}
	}
	if (!has_table)
		GUC_check_errdetail("A template must contain \"{table}\".");
	return has_table;
}

/*
 * Keep the password where SHOW, pg_settings and the server's log do not look:
 * a reload logs "parameter ... changed to ..." if it finds the variable
 * changed, and roles that may read all settings would see it.  The variable
 * gets the same mask whatever the password is.
 */
static bool
check_password(char **newval, void **extra, GucSource source)
{
	char	   *secret = dbmazz_guc_malloc_compat(strlen(*newval) + 1);
	char	   *mask = dbmazz_guc_malloc_compat(sizeof(PASSWORD_MASK));

	if (secret == NULL || mask == NULL)
	{
		if (secret != NULL)
			dbmazz_guc_free_compat(secret);
		if (mask != NULL)
			dbmazz_guc_free_compat(mask);
		return false;
	}
	strcpy(secret, *newval);
	strcpy(mask, PASSWORD_MASK);
	dbmazz_guc_free_compat(*newval);
	*newval = mask;
	*extra = secret;
	return true;
}

static void
assign_password(const char *newval, void *extra)
{
	starrocks_password = extra != NULL ? extra : "";
}

const char *
dbmazz_guc_sink_option(const char *sink, const char *option)
{
	char		name[2 * NAMEDATALEN];

	snprintf(name, sizeof(name), "%s_%s", sink, option);
	if (strcmp(name, PASSWORD) == 0)
		return starrocks_password;
	snprintf(name, sizeof(name), PREFIX "%s_%s", sink, option);
	return GetConfigOption(name, true, false);
}

char *
dbmazz_guc_target_name(const char *name_template, const char *schema,
					   const char *table)
{
	StringInfoData buf;
	const char *p = name_template;

	initStringInfo(&buf);
	while (*p != '\0')
	{
		if (strncmp(p, "{table}", 7) == 0)
		{
			appendStringInfoString(&buf, table);
			p += 7;
		}
		else if (strncmp(p, "{schema}", 8) == 0)
		{
			appendStringInfoString(&buf, schema);
			p += 8;
		}
		else
			appendStringInfoChar(&buf, *p++);
	}
	return buf.data;
}

/* ---- the settings of a pipeline ----------------------------------------- */

/* The rule for a name, and the name as it is defined. */
static Override
override_of(const char *name, const char **canonical)
{
	for (int i = 0; i < lengthof(int_settings); i++)
	{
		*canonical = int_settings[i].name;
		if (pg_strcasecmp(name, *canonical) == 0)
			return int_settings[i].override;
	}
	for (int i = 0; i < lengthof(string_settings); i++)
	{
		*canonical = string_settings[i].name;
		if (pg_strcasecmp(name, *canonical) == 0)
			return string_settings[i].override;
	}
	*canonical = TRUNCATE_MODE_NAME;
	if (pg_strcasecmp(name, *canonical) == 0)
		return OVERRIDE_OWNER;
	*canonical = TLS_VERIFY_NAME;
	if (pg_strcasecmp(name, *canonical) == 0)
		return OVERRIDE_SET;
	*canonical = NULL;
	return OVERRIDE_NONE;
}

bool
dbmazz_guc_is_pipeline_setting(const char *name)
{
	const char *canonical;

	return override_of(name, &canonical) != OVERRIDE_NONE;
}

char *
dbmazz_guc_pipeline_settings(void)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(int_settings); i++)
	{
		if (int_settings[i].override != OVERRIDE_NONE)
			appendStringInfo(&buf, "%s, ", int_settings[i].name);
	}
	for (int i = 0; i < lengthof(string_settings); i++)
	{
		if (string_settings[i].override != OVERRIDE_NONE)
			appendStringInfo(&buf, "%s, ", string_settings[i].name);
	}
	appendStringInfoString(&buf, TRUNCATE_MODE_NAME ", " TLS_VERIFY_NAME);
	return buf.data;
}

/*
 * Cut "name=value" into the setting's full name and the value.  Error texts
 * have the name only: a value can be a password in the wrong place.
 */
static Override
split_setting(const char *item, char **full_name, const char **value)
{
	const char *equals = strchr(item, '=');
	const char *canonical;
	char	   *name;
	Override	override;

	if (equals == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an item of a pipeline's settings has no \"=\""),
				 errhint("Write settings as name=value, for example "
						 "'{flush_interval=200ms}'.")));
	name = pnstrdup(item, equals - item);
	override = override_of(name, &canonical);
	if (override == OVERRIDE_NONE && canonical != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM),
				 errmsg("setting \"%s\" cannot be set for a pipeline",
						canonical),
				 strcmp(canonical, PASSWORD) == 0 ?
				 errhint("Set \"dbmazz.%s\" in the server's configuration, or "
						 "use a foreign server with a user mapping.",
						 canonical) :
				 errhint("Set \"dbmazz.%s\" in the server's configuration.",
						 canonical)));
	if (override == OVERRIDE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("unrecognized pipeline setting \"%s\"", name),
				 errhint("Valid settings are: %s.",
						 dbmazz_guc_pipeline_settings())));
	*full_name = psprintf(PREFIX "%s", canonical);
	*value = equals + 1;
	return override;
}

void
dbmazz_guc_check_setting(const char *item)
{
	char	   *name;
	const char *value;
	Override	override = split_setting(item, &name, &value);

	/*
	 * As ALTER ROLE SET does.  With PGC_USERSET the server refuses unless the
	 * user has been granted SET on the parameter.
	 */
	set_config_option(name, value,
					  override == OVERRIDE_OWNER || superuser() ?
					  PGC_SUSET : PGC_USERSET,
					  PGC_S_TEST, GUC_ACTION_SET, false, 0, false);
}

static bool
has_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

void
dbmazz_guc_apply(List *settings)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, settings)
	{
		MemoryContext old;
		char	   *name;
		const char *value;

		(void) split_setting(lfirst(lc), &name, &value);
		set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
						  GUC_ACTION_SET, true, 0, false);
		old = MemoryContextSwitchTo(TopMemoryContext);
		names = lappend(names, pstrdup(name));
		MemoryContextSwitchTo(old);
	}
	foreach(lc, applied)
	{
		const char *name = lfirst(lc);

		if (!has_name(names, name))
			set_config_option(name, NULL, PGC_SUSET, PGC_S_SESSION,
							  GUC_ACTION_SET, true, 0, false);
	}
	list_free_deep(applied);
	applied = names;
}
