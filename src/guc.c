/*
 * guc.c
 *		The settings of dbmazz.
 *
 * NOTES
 *	  Every knob is defined once, in the tables below; guc_pipeline.c lets
 *	  pipelines have values of their own.
 *
 *	  The variables of a sink's options are only there for the server's sake:
 *	  sinks get their options as text, through dbmazz_guc_sink_option().
 */
#include "postgres.h"

#include <limits.h>

#include "compat.h"
#include "debug_point.h"
#include "guc_private.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define PREFIX			DBMAZZ_GUC_PREFIX
#define PASSWORD		DBMAZZ_GUC_PASSWORD
#define PASSWORD_MASK	"********"

#define SECOND_MS		1000
#define MINUTE_MS		(60 * SECOND_MS)
#define HOUR_MS			(60 * MINUTE_MS)
#define DAY_MS			(24 * HOUR_MS)

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
	DbmazzOverride override;
} IntSetting;

typedef struct StringSetting
{
	const char *name;
	const char *description;
	char	  **variable;
	const char *boot;
	int			flags;
	DbmazzOverride override;
	GucStringCheckHook check;
	GucStringAssignHook assign;
} StringSetting;

typedef struct EnumSetting
{
	const char *name;
	const char *description;
	int		   *variable;
	int			boot;
	const struct config_enum_entry *values;
	DbmazzOverride override;
} EnumSetting;

typedef struct BoolSetting
{
	const char *name;
	const char *description;
	bool	   *variable;
	bool		boot;
	DbmazzOverride override;
} BoolSetting;

int			dbmazz_buffer_size_kb;
int			dbmazz_max_pipelines;
int			dbmazz_pipeline_buffer_size_kb;
int			dbmazz_batch_max_rows;
int			dbmazz_batch_max_bytes_kb;
int			dbmazz_flush_interval_ms;
int			dbmazz_max_loads_per_minute;
int			dbmazz_checkpoint_interval_ms;
int			dbmazz_heartbeat_interval_ms;
int			dbmazz_wal_warning_size_mb;
int			dbmazz_max_connections;
int			dbmazz_retry_min_delay_ms;
int			dbmazz_retry_max_delay_ms;
int			dbmazz_decoder_work_mem_kb;
char	   *dbmazz_table_name_template;
int			dbmazz_truncate_mode;
int			dbmazz_delete_mode;
int			dbmazz_delivery;
int			dbmazz_atomic;
int			dbmazz_change_log;
int			dbmazz_fast_path;
int			dbmazz_unrepresentable;
int			dbmazz_on_bad_row;
int			dbmazz_max_dead_letters;
int			dbmazz_origin;
bool		dbmazz_audit_columns;
bool		dbmazz_failover;
int			dbmazz_restart_max_delay_ms;

static int	starrocks_connect_timeout_ms;
static int	starrocks_request_timeout_ms;
static int	starrocks_expect_timeout_ms;
static int	starrocks_load_timeout_ms;
static int	starrocks_low_speed_time_ms;
static int	starrocks_redirect_ttl_ms;
static int	null_delay_ms;
static int	starrocks_format;
static int	starrocks_compression;
static bool starrocks_tls_verify;
static char *starrocks_url;
static char *starrocks_database;
static char *starrocks_user;
static char *starrocks_password_shown;
static char *starrocks_ca_file;
static char *starrocks_be_address;
static char *starrocks_mysql_address;
static char *file_path;

/* The password itself; the server's variable holds a mask. */
static const char *starrocks_password = "";

static bool check_template(char **newval, void **extra, GucSource source);
static bool check_address(char **newval, void **extra, GucSource source);
static bool check_password(char **newval, void **extra, GucSource source);
static void assign_password(const char *newval, void *extra);

static const IntSetting int_settings[] = {
	{"buffer_size",
		"Shared memory for rows on their way, of all pipelines together.",
		&dbmazz_buffer_size_kb, 64 * 1024, 1024, INT_MAX / 2,
	GUC_UNIT_KB, PGC_POSTMASTER, DBMAZZ_OVERRIDE_NONE},
	{"max_pipelines",
		"The number of pipelines of all databases that can run at once.",
		&dbmazz_max_pipelines, 8, 1, 64,
	0, PGC_POSTMASTER, DBMAZZ_OVERRIDE_NONE},
	{"restart_max_delay",
		"The longest wait before a pipeline that keeps failing is tried again.",
		&dbmazz_restart_max_delay_ms, MINUTE_MS, SECOND_MS, DAY_MS,
	GUC_UNIT_MS, PGC_SIGHUP, DBMAZZ_OVERRIDE_NONE},
	{"pipeline_buffer_size",
		"The share of dbmazz.buffer_size that one pipeline reserves.",
		&dbmazz_pipeline_buffer_size_kb, 16 * 1024, 512, INT_MAX / 2,
	GUC_UNIT_KB, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"batch_max_rows",
		"The number of rows at which a batch is sent.",
		&dbmazz_batch_max_rows, 100000, 1, 10000000,
	0, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"batch_max_bytes",
		"The size at which a batch is sent.",
		&dbmazz_batch_max_bytes_kb, 8 * 1024, 64, 1024 * 1024,
	GUC_UNIT_KB, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"flush_interval",
		"The age at which a batch is sent; 0 sends as soon as it can be.",
		&dbmazz_flush_interval_ms, 0, 0, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"max_loads_per_minute",
		"The number of loads a minute above which a table's batches wait and "
		"grow; 0 is no limit.",
		&dbmazz_max_loads_per_minute, 60, 0, 60000,
	0, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"checkpoint_interval",
		"The shortest time between two writes of a pipeline's position.",
		&dbmazz_checkpoint_interval_ms, SECOND_MS, 10, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"heartbeat_interval",
		"The time between two writes of the position while only unrelated "
		"changes are made.",
		&dbmazz_heartbeat_interval_ms, MINUTE_MS, SECOND_MS, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"wal_warning_size",
		"The WAL kept for a pipeline at which it warns; 0 never warns.",
		&dbmazz_wal_warning_size_mb, 0, 0, INT_MAX,
	GUC_UNIT_MB, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"max_connections",
		"The number of loads that a pipeline has under way at once.",
		&dbmazz_max_connections, 4, 1, 64,
	0, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"retry_min_delay",
		"The wait before a load that failed is sent again for the first time.",
		&dbmazz_retry_min_delay_ms, 100, 1, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"retry_max_delay",
		"The longest wait before a load that failed is sent again.",
		&dbmazz_retry_max_delay_ms, MINUTE_MS, 1, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"max_dead_letters",
		"The number of dead letters at which a pipeline's tables stop instead.",
		&dbmazz_max_dead_letters, 10000, 1, 100000,
	0, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"decoder_work_mem",
		"logical_decoding_work_mem of a pipeline's decoder.",
		&dbmazz_decoder_work_mem_kb, 64 * 1024, 64, MAX_KILOBYTES,
	GUC_UNIT_KB, PGC_SUSET, DBMAZZ_OVERRIDE_OWNER},
	{"starrocks_connect_timeout",
		"The longest time that making a connection to StarRocks may take.",
		&starrocks_connect_timeout_ms, 10 * SECOND_MS, 100, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET},
	{"starrocks_request_timeout",
		"The longest time that a request other than a load may take.",
		&starrocks_request_timeout_ms, 30 * SECOND_MS, 100, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET},
	{"starrocks_expect_timeout",
		"The longest wait for StarRocks to ask for the rows of a load.",
		&starrocks_expect_timeout_ms, 30 * SECOND_MS, 100, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET},
	{"starrocks_load_timeout",
		"The longest time that a load may take.",
		&starrocks_load_timeout_ms, 10 * MINUTE_MS, SECOND_MS, 3 * DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET},
	{"starrocks_low_speed_time",
		"The time without progress after which a load is given up.",
		&starrocks_low_speed_time_ms, MINUTE_MS, 0, DAY_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET},
	{"starrocks_redirect_ttl",
		"The time for which a backend that a frontend has named serves further loads.",
		&starrocks_redirect_ttl_ms, 200, 0, MINUTE_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET},
	{"null_delay_ms",
		"The time that the sink \"null\" takes for a load.",
		&null_delay_ms, 0, 0, HOUR_MS,
	GUC_UNIT_MS, PGC_SUSET, DBMAZZ_OVERRIDE_SET}
};

static const StringSetting string_settings[] = {
	{"table_name_template",
		"How a target table is named: text with {schema} and {table}.",
	&dbmazz_table_name_template, "{table}", 0, DBMAZZ_OVERRIDE_OWNER, check_template},
	{"starrocks_url",
		"The addresses of StarRocks frontends: http://host:port, "
		"comma separated.",
	&starrocks_url, "", 0, DBMAZZ_OVERRIDE_SET, check_address},
	{"starrocks_database",
		"The StarRocks database that the target tables are in.",
	&starrocks_database, "", 0, DBMAZZ_OVERRIDE_SET},
	{"starrocks_user",
		"The StarRocks user.",
	&starrocks_user, "root", 0, DBMAZZ_OVERRIDE_SET},
	{PASSWORD,
		"The password of the StarRocks user.",
		&starrocks_password_shown, "",
		GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_SUPERUSER_ONLY,
	DBMAZZ_OVERRIDE_NONE, check_password, assign_password},
	{"starrocks_ca_file",
		"The file with the certificates of the authorities to trust.",
	&starrocks_ca_file, "", 0, DBMAZZ_OVERRIDE_SET},
	{"starrocks_be_address",
		"The address to use instead of that by which a backend is registered.",
	&starrocks_be_address, "", 0, DBMAZZ_OVERRIDE_SET, check_address},
	{"starrocks_mysql_address",
		"The address of StarRocks' MySQL port, host:port, for TRUNCATE.",
	&starrocks_mysql_address, "", 0, DBMAZZ_OVERRIDE_SET, check_address},
	{"file_path",
		"The directory that the sink \"file\" writes to.",
	&file_path, "", 0, DBMAZZ_OVERRIDE_SET}
};

static const struct config_enum_entry truncate_modes[] = {
	{"auto", DBMAZZ_TRUNCATE_AUTO, false},
	{"apply", DBMAZZ_TRUNCATE_APPLY, false},
	{"ignore", DBMAZZ_TRUNCATE_IGNORE, false},
	{"stop", DBMAZZ_TRUNCATE_STOP, false},
	{NULL, 0, false}
};

static const struct config_enum_entry delete_modes[] = {
	{"hard", DBMAZZ_DELETE_HARD, false},
	{"soft", DBMAZZ_DELETE_SOFT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry deliveries[] = {
	{"at_least_once", DBMAZZ_AT_LEAST_ONCE, false},
	{"exactly_once", DBMAZZ_EXACTLY_ONCE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry atomics[] = {
	{"none", DBMAZZ_ATOMIC_NONE, false},
	{"transaction", DBMAZZ_ATOMIC_TRANSACTION, false},
	{NULL, 0, false}
};

static const struct config_enum_entry change_logs[] = {
	{"none", DBMAZZ_CHANGE_LOG_NONE, false},
	{"keyless", DBMAZZ_CHANGE_LOG_KEYLESS, false},
	{"all", DBMAZZ_CHANGE_LOG_ALL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry unrepresentables[] = {
	{"error", DBMAZZ_UNREPRESENTABLE_ERROR, false},
	{"null", DBMAZZ_UNREPRESENTABLE_NULL, false},
	{"clamp", DBMAZZ_UNREPRESENTABLE_CLAMP, false},
	{NULL, 0, false}
};

static const struct config_enum_entry bad_rows[] = {
	{"stop", DBMAZZ_BAD_ROW_STOP, false},
	{"dead_letter", DBMAZZ_BAD_ROW_DEAD_LETTER, false},
	{NULL, 0, false}
};

static const struct config_enum_entry origins[] = {
	{"any", DBMAZZ_ORIGIN_ANY, false},
	{"none", DBMAZZ_ORIGIN_NONE, false},
	{NULL, 0, false}
};

/* The words of a bool as well, since on and off are two of its values. */
static const struct config_enum_entry fast_paths[] = {
	{"on", DBMAZZ_FAST_PATH_ON, false},
	{"off", DBMAZZ_FAST_PATH_OFF, false},
	{"verify", DBMAZZ_FAST_PATH_VERIFY, false},
	{"true", DBMAZZ_FAST_PATH_ON, true},
	{"false", DBMAZZ_FAST_PATH_OFF, true},
	{"yes", DBMAZZ_FAST_PATH_ON, true},
	{"no", DBMAZZ_FAST_PATH_OFF, true},
	{"1", DBMAZZ_FAST_PATH_ON, true},
	{"0", DBMAZZ_FAST_PATH_OFF, true},
	{NULL, 0, false}
};

/* Sinks get the names of these, not the numbers. */
static const struct config_enum_entry formats[] = {
	{"json", 0, false},
	{"csv", 1, false},
	{NULL, 0, false}
};

static const struct config_enum_entry compressions[] = {
	{"none", 0, false},
	{"gzip", 1, false},
	{"zstd", 2, false},
	{"lz4", 3, false},
	{NULL, 0, false}
};

static const EnumSetting enum_settings[] = {
	{"truncate_mode",
		"What a TRUNCATE of a replicated table does.",
		&dbmazz_truncate_mode, DBMAZZ_TRUNCATE_AUTO, truncate_modes,
	DBMAZZ_OVERRIDE_OWNER},
	{"delete_mode",
		"Whether a DELETE removes the target's row or marks it.",
		&dbmazz_delete_mode, DBMAZZ_DELETE_HARD, delete_modes,
	DBMAZZ_OVERRIDE_OWNER},
	{"delivery",
		"Whether rows may be sent again after a failure.",
		&dbmazz_delivery, DBMAZZ_AT_LEAST_ONCE, deliveries,
	DBMAZZ_OVERRIDE_OWNER},
	{"atomic",
		"Whether readers of the target see transactions as a whole.",
		&dbmazz_atomic, DBMAZZ_ATOMIC_NONE, atomics,
	DBMAZZ_OVERRIDE_OWNER},
	{"change_log",
		"Which tables go to the target as a log of their changes.",
		&dbmazz_change_log, DBMAZZ_CHANGE_LOG_NONE, change_logs,
	DBMAZZ_OVERRIDE_OWNER},
	{"unrepresentable",
		"What becomes of a value that the target cannot hold.",
		&dbmazz_unrepresentable, DBMAZZ_UNREPRESENTABLE_ERROR,
	unrepresentables, DBMAZZ_OVERRIDE_OWNER},
	{"on_bad_row",
		"What becomes of a row that the target does not take.",
		&dbmazz_on_bad_row, DBMAZZ_BAD_ROW_STOP, bad_rows,
	DBMAZZ_OVERRIDE_OWNER},
	{"origin",
		"Whether changes that were replicated from elsewhere are sent on.",
		&dbmazz_origin, DBMAZZ_ORIGIN_ANY, origins,
	DBMAZZ_OVERRIDE_OWNER},
	{"fast_path",
		"Whether changes of plain tables are decoded without pgoutput.",
		&dbmazz_fast_path, DBMAZZ_FAST_PATH_ON, fast_paths,
	DBMAZZ_OVERRIDE_OWNER},
	{"starrocks_format",
		"The form of rows in a load.",
	&starrocks_format, 0, formats, DBMAZZ_OVERRIDE_SET},
	{"starrocks_compression",
		"How the rows of a load are compressed.",
	&starrocks_compression, 0, compressions, DBMAZZ_OVERRIDE_SET}
};

static const BoolSetting bool_settings[] = {
	{"audit_columns",
		"Whether rows carry columns that tell how and when they changed.",
	&dbmazz_audit_columns, false, DBMAZZ_OVERRIDE_OWNER},
	{"failover",
		"Whether standbys keep a copy of the slot, for a promotion.",
	&dbmazz_failover, false, DBMAZZ_OVERRIDE_OWNER},
	{"starrocks_tls_verify",
		"Whether the certificate of StarRocks is checked.",
	&starrocks_tls_verify, true, DBMAZZ_OVERRIDE_SET}
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

static void
define_enum(const EnumSetting *s)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), PREFIX "%s", s->name);
	DefineCustomEnumVariable(name, s->description, NULL, s->variable, s->boot,
							 s->values, PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_bool(const BoolSetting *s)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), PREFIX "%s", s->name);
	DefineCustomBoolVariable(name, s->description, NULL, s->variable, s->boot,
							 PGC_SUSET, 0, NULL, NULL, NULL);
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
	for (int i = 0; i < lengthof(enum_settings); i++)
		define_enum(&enum_settings[i]);
	for (int i = 0; i < lengthof(bool_settings); i++)
		define_bool(&bool_settings[i]);
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

bool
dbmazz_guc_has_credentials(const char *address)
{
	return strchr(address, '@') != NULL;
}

/* What everybody can see; and the server's own message would have the value. */
static bool
check_address(char **newval, void **extra, GucSource source)
{
	if (!dbmazz_guc_has_credentials(*newval))
		return true;
	GUC_check_errmsg("an address of StarRocks has a user name or a password "
					 "in it");
	GUC_check_errdetail("Everybody can read this setting.");
	GUC_check_errhint("Write http://host:port, and the credentials in "
					  "\"dbmazz.starrocks_user\" and \"dbmazz.%s\".",
					  PASSWORD);
	return false;
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
	char	   *secret;
	char	   *mask;

	/* ALTER ROLE, ALTER DATABASE, CREATE FUNCTION ... SET only test a value */
	if (source == PGC_S_TEST)
	{
		GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
		GUC_check_errmsg("parameter \"%s\" cannot be stored in the catalogs",
						 PREFIX PASSWORD);
		GUC_check_errdetail("Everybody can read what is stored there.");
		GUC_check_errhint("Set it in the server's configuration, or use a "
						  "foreign server with a user mapping.");
		return false;
	}
	secret = dbmazz_guc_malloc_compat(strlen(*newval) + 1);
	mask = dbmazz_guc_malloc_compat(sizeof(PASSWORD_MASK));
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

bool
dbmazz_guc_nth(int n, DbmazzSettingName *setting)
{
#define PICK(table) \
	if (n < lengthof(table)) \
	{ \
		setting->name = (table)[n].name; \
		setting->override = (table)[n].override; \
		return true; \
	} \
	n -= lengthof(table)

	PICK(int_settings);
	PICK(string_settings);
	PICK(enum_settings);
	PICK(bool_settings);
#undef PICK
	return false;
}
