/*
 * guc_pipeline.c
 *		The values that pipelines have of their own for settings.
 *
 * NOTES
 *	  They are kept as "name=value", checked with the server's own machinery and
 *	  applied by it in the pipeline's workers.
 */
#include "postgres.h"

#include "guc_private.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* Names that dbmazz_guc_apply() has set, in TopMemoryContext. */
static List *applied = NIL;

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

/* The rule for a name, and the name as it is defined. */
static DbmazzOverride
override_of(const char *name, const char **canonical)
{
	DbmazzSettingName setting;

	for (int i = 0; dbmazz_guc_nth(i, &setting); i++)
	{
		*canonical = setting.name;
		if (pg_strcasecmp(name, setting.name) == 0)
			return setting.override;
	}
	*canonical = NULL;
	return DBMAZZ_OVERRIDE_NONE;
}

bool
dbmazz_guc_is_pipeline_setting(const char *name)
{
	const char *canonical;

	return override_of(name, &canonical) != DBMAZZ_OVERRIDE_NONE;
}

char *
dbmazz_guc_pipeline_settings(void)
{
	StringInfoData buf;
	DbmazzSettingName setting;

	initStringInfo(&buf);
	for (int i = 0; dbmazz_guc_nth(i, &setting); i++)
	{
		if (setting.override != DBMAZZ_OVERRIDE_NONE)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
							 setting.name);
	}
	return buf.data;
}

/*
 * Cut "name=value" into the setting's full name and the value.  Error texts
 * have the name only: a value can be a password in the wrong place.
 */
static DbmazzOverride
split_setting(const char *item, char **full_name, const char **value)
{
	const char *equals = strchr(item, '=');
	const char *canonical;
	char	   *name;
	DbmazzOverride override;

	if (equals == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an item of a pipeline's settings has no \"=\""),
				 errhint("Write settings as name=value, for example "
						 "'{flush_interval=200ms}'.")));
	name = pnstrdup(item, equals - item);
	override = override_of(name, &canonical);
	if (override == DBMAZZ_OVERRIDE_NONE && canonical != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM),
				 errmsg("setting \"%s\" cannot be set for a pipeline",
						canonical),
				 strcmp(canonical, DBMAZZ_GUC_PASSWORD) == 0 ?
				 errhint("Set \"dbmazz.%s\" in the server's configuration, or "
						 "use a foreign server with a user mapping.",
						 canonical) :
				 errhint("Set \"dbmazz.%s\" in the server's configuration.",
						 canonical)));
	if (override == DBMAZZ_OVERRIDE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("unrecognized pipeline setting \"%s\"", name),
				 errhint("Valid settings are: %s.",
						 dbmazz_guc_pipeline_settings())));
	*full_name = psprintf(DBMAZZ_GUC_PREFIX "%s", canonical);
	*value = equals + 1;
	return override;
}

void
dbmazz_guc_check_setting(const char *item)
{
	char	   *name;
	const char *value;
	DbmazzOverride override = split_setting(item, &name, &value);

	/*
	 * As ALTER ROLE SET does.  With PGC_USERSET the server refuses unless the
	 * user has been granted SET on the parameter.
	 */
	set_config_option(name, value,
					  override == DBMAZZ_OVERRIDE_OWNER || superuser() ?
					  PGC_SUSET : PGC_USERSET,
					  PGC_S_TEST, GUC_ACTION_SET, false, 0, false);
}

const char *
dbmazz_guc_own_value(List *settings, const char *name)
{
	size_t		len = strlen(name);
	ListCell   *lc;

	foreach(lc, settings)
	{
		const char *item = lfirst(lc);

		if (strncmp(item, name, len) == 0 && item[len] == '=')
			return item + len + 1;
	}
	return NULL;
}

const char *
dbmazz_guc_value(List *settings, const char *name)
{
	const char *own = dbmazz_guc_own_value(settings, name);

	return own != NULL ? own :
		GetConfigOption(psprintf(DBMAZZ_GUC_PREFIX "%s", name), false, false);
}

bool
dbmazz_guc_flag(List *settings, const char *name)
{
	bool		result;

	/* it has been checked, so there is no other outcome */
	return parse_bool(dbmazz_guc_value(settings, name), &result) && result;
}

DbmazzChangeLog
dbmazz_guc_change_log(List *settings)
{
	const char *value = dbmazz_guc_value(settings, "change_log");

	if (pg_strcasecmp(value, "all") == 0)
		return DBMAZZ_CHANGE_LOG_ALL;
	return pg_strcasecmp(value, "keyless") == 0 ?
		DBMAZZ_CHANGE_LOG_KEYLESS : DBMAZZ_CHANGE_LOG_NONE;
}

bool
dbmazz_guc_fit(List *settings, DbmazzError *err)
{
	const char *what = NULL;

	if (pg_strcasecmp(dbmazz_guc_value(settings, "atomic"), "none") != 0 &&
		pg_strcasecmp(dbmazz_guc_value(settings, "delivery"),
					  "at_least_once") != 0)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "atomic=transaction does not go with "
						 "delivery=exactly_once");
		dbmazz_error_detail(err, "The target cannot prepare a transaction of "
							"several tables.");
		dbmazz_error_hint(err, "Set atomic=none or delivery=at_least_once for "
						  "the pipeline with dbmazz.alter_pipeline().");
		return false;
	}
	if (dbmazz_guc_flag(settings, "audit_columns"))
		return true;
	if (pg_strcasecmp(dbmazz_guc_value(settings, "delete_mode"), "hard") != 0)
		what = "delete_mode=soft";
	else if (dbmazz_guc_change_log(settings) != DBMAZZ_CHANGE_LOG_NONE)
		what = "change_log";
	if (what == NULL)
		return true;
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "%s needs audit_columns=on", what);
	dbmazz_error_detail(err, "Only the audit columns tell which rows are "
						"deleted.");
	dbmazz_error_hint(err, "Set both for the pipeline with "
					  "dbmazz.alter_pipeline(), or take its own value away "
					  "with DEFAULT; or change dbmazz.delete_mode, "
					  "dbmazz.change_log and dbmazz.audit_columns of the "
					  "server.");
	return false;
}

void
dbmazz_guc_check_stored(const char *item)
{
	char	   *name;
	const char *value;

	(void) split_setting(item, &name, &value);
	set_config_option(name, value, PGC_SUSET, PGC_S_TEST, GUC_ACTION_SET,
					  false, 0, false);
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
