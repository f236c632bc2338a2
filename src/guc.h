/*
 * guc.h
 *		The settings.  Defaults, ranges and texts are in guc.c and README.md.
 */
#ifndef DBMAZZ_GUC_H
#define DBMAZZ_GUC_H

#include "core/error.h"
#include "core/policy.h"
#include "nodes/pg_list.h"

typedef enum DbmazzTruncateMode
{
	DBMAZZ_TRUNCATE_AUTO = 0,	/* apply, if the sink can, else stop */
	DBMAZZ_TRUNCATE_APPLY,
	DBMAZZ_TRUNCATE_IGNORE,
	DBMAZZ_TRUNCATE_STOP
} DbmazzTruncateMode;

typedef enum DbmazzDeleteMode
{
	DBMAZZ_DELETE_HARD = 0,
	DBMAZZ_DELETE_SOFT			/* needs audit columns */
} DbmazzDeleteMode;

typedef enum DbmazzBadRow
{
	DBMAZZ_BAD_ROW_STOP = 0,	/* the table stops */
	DBMAZZ_BAD_ROW_DEAD_LETTER	/* the row is kept in dbmazz.dead_letter */
} DbmazzBadRow;

/* Tables that go to the target as a log of their changes. */
typedef enum DbmazzChangeLog
{
	DBMAZZ_CHANGE_LOG_NONE = 0,
	DBMAZZ_CHANGE_LOG_KEYLESS,	/* those without a key; needs audit columns */
	DBMAZZ_CHANGE_LOG_ALL		/* likewise */
} DbmazzChangeLog;

typedef enum DbmazzDelivery
{
	DBMAZZ_AT_LEAST_ONCE = 0,
	DBMAZZ_EXACTLY_ONCE
} DbmazzDelivery;

typedef enum DbmazzAtomic
{
	DBMAZZ_ATOMIC_NONE = 0,
	DBMAZZ_ATOMIC_TRANSACTION	/* readers of the target see whole ones */
} DbmazzAtomic;

typedef enum DbmazzOrigin
{
	DBMAZZ_ORIGIN_ANY = 0,
	DBMAZZ_ORIGIN_NONE			/* leave out what was replicated to here */
} DbmazzOrigin;

typedef enum DbmazzFastPathMode
{
	DBMAZZ_FAST_PATH_OFF = 0,
	DBMAZZ_FAST_PATH_ON,
	DBMAZZ_FAST_PATH_VERIFY		/* compare it with pgoutput, and take that */
} DbmazzFastPathMode;

/* set at server start */
extern int	dbmazz_buffer_size_kb;
extern int	dbmazz_max_pipelines;

/* may be set per pipeline */
extern int	dbmazz_pipeline_buffer_size_kb;
extern int	dbmazz_batch_max_rows;
extern int	dbmazz_batch_max_bytes_kb;
extern int	dbmazz_flush_interval_ms;
extern int	dbmazz_max_loads_per_minute;
extern int	dbmazz_checkpoint_interval_ms;
extern int	dbmazz_heartbeat_interval_ms;
extern int	dbmazz_wal_warning_size_mb;
extern int	dbmazz_max_connections;
extern int	dbmazz_retry_min_delay_ms;
extern int	dbmazz_retry_max_delay_ms;
extern int	dbmazz_decoder_work_mem_kb;
extern char *dbmazz_table_name_template;
extern int	dbmazz_truncate_mode;	/* DbmazzTruncateMode */
extern int	dbmazz_delete_mode; /* DbmazzDeleteMode */
extern int	dbmazz_unrepresentable; /* DbmazzUnrepresentable */
extern int	dbmazz_on_bad_row;	/* DbmazzBadRow */
extern int	dbmazz_max_dead_letters;
extern int	dbmazz_origin;		/* DbmazzOrigin */
extern int	dbmazz_delivery;	/* DbmazzDelivery */
extern int	dbmazz_atomic;		/* DbmazzAtomic */
extern int	dbmazz_change_log;	/* DbmazzChangeLog */
extern int	dbmazz_fast_path;	/* DbmazzFastPathMode */
extern bool dbmazz_audit_columns;
extern bool dbmazz_failover;

/* of the server, not of a pipeline */
extern int	dbmazz_restart_max_delay_ms;

/* Define all settings.  Called once by _PG_init. */
extern void dbmazz_guc_init(bool preloading);

/*
 * Is "name" (without the prefix) a setting that a pipeline may override?
 * dbmazz_guc_pipeline_settings() gives all such names, comma separated, for
 * hints (palloc'd).
 */
extern bool dbmazz_guc_is_pipeline_setting(const char *name);
extern char *dbmazz_guc_pipeline_settings(void);

/*
 * Check "name=value" of a pipeline's settings with the server's own machinery.
 * May raise an error (unknown name, value that does not parse, out of range).
 */
extern void dbmazz_guc_check_setting(const char *item);

/*
 * The value of a setting, as text, for a pipeline that has these settings: its
 * own (NULL if it has none), or else the server's.  dbmazz_guc_flag() is for
 * those that are on or off.
 */
extern const char *dbmazz_guc_own_value(List *settings, const char *name);
extern const char *dbmazz_guc_value(List *settings, const char *name);
extern bool dbmazz_guc_flag(List *settings, const char *name);
extern DbmazzChangeLog dbmazz_guc_change_log(List *settings);

/* Is a table a change log at the target? */
static inline bool
dbmazz_guc_is_log(DbmazzChangeLog change_log, bool has_key)
{
	return change_log == DBMAZZ_CHANGE_LOG_ALL ||
		(change_log == DBMAZZ_CHANGE_LOG_KEYLESS && !has_key);
}

/* Do a pipeline's settings, on top of the server's, go together? */
extern bool dbmazz_guc_fit(List *settings, DbmazzError *err);

/*
 * The same for an item that the catalogs have: whoever put it there was allowed
 * to, but perhaps by hand, or with another version.
 */
extern void dbmazz_guc_check_stored(const char *item);

/*
 * Make the settings of a pipeline (list of "name=value") those of this process,
 * on top of the server's; forget those that an earlier call set and this does
 * not.  For workers.
 */
extern void dbmazz_guc_apply(List *settings);

/* Does an address, or one of a list, have a user name or a password in it? */
extern bool dbmazz_guc_has_credentials(const char *address);

/*
 * The server's value of a sink's option, dbmazz.<sink>_<option>, as text, or
 * NULL if there is no such setting.  The only way to the default password:
 * the setting itself shows a mask.
 */
extern const char *dbmazz_guc_sink_option(const char *sink, const char *option);

/* A target table's name by a template that was checked; palloc'd. */
extern char *dbmazz_guc_target_name(const char *name_template,
									const char *schema, const char *table);

#endif							/* DBMAZZ_GUC_H */
