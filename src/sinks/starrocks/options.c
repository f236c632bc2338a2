/*
 * options.c
 *		The option table of the StarRocks sink, and reading its values.
 */
#include "sinks/starrocks/options.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sinks/starrocks/secret.h"
#include "sinks/starrocks/text.h"

#define HTTP_PORT		8030	/* http_port of a frontend */
#define HTTPS_PORT		8443	/* https_port */
#define MYSQL_PORT		9030	/* query_port */
#define MINUTE_MS		(INT64_C(60) * 1000)
#define DAY_MS			(24 * 60 * MINUTE_MS)

typedef enum OptionIndex
{
	OPT_URL,
	OPT_DATABASE,
	OPT_USER,
	OPT_PASSWORD,
	OPT_CONNECT_TIMEOUT,
	OPT_REQUEST_TIMEOUT,
	OPT_EXPECT_TIMEOUT,
	OPT_LOAD_TIMEOUT,
	OPT_LOW_SPEED_TIME,
	OPT_REDIRECT_TTL,
	OPT_CA_FILE,
	OPT_TLS_VERIFY,
	OPT_BE_ADDRESS,
	OPT_COMPRESSION,
	OPT_MYSQL_ADDRESS,
	OPT_FORMAT,
	OPT_COUNT
} OptionIndex;

_Static_assert(OPT_COUNT == DBMAZZ_SR_OPTIONS, "number of options");

const DbmazzOptionDef dbmazz_sr_option_defs[DBMAZZ_SR_OPTIONS] = {
	[OPT_URL] = {
		"url", DBMAZZ_OPTION_STRING,
		DBMAZZ_OPTION_REQUIRED | DBMAZZ_OPTION_ADDRESS, NULL, 0, 0,
		"Addresses of the frontends, http://host:port, separated by commas; "
		"they are tried in turn."
	},
	[OPT_DATABASE] = {
		"database", DBMAZZ_OPTION_STRING, DBMAZZ_OPTION_REQUIRED, NULL, 0, 0,
		"Database in StarRocks that has the target tables."
	},
	[OPT_USER] = {
		"user", DBMAZZ_OPTION_STRING, DBMAZZ_OPTION_USER, "root", 0, 0,
		"StarRocks user; it needs SELECT and INSERT on the target tables."
	},
	[OPT_PASSWORD] = {
		"password", DBMAZZ_OPTION_STRING,
		DBMAZZ_OPTION_USER | DBMAZZ_OPTION_SECRET, "", 0, 0,
		"Password of the StarRocks user."
	},
	[OPT_CONNECT_TIMEOUT] = {
		"connect_timeout", DBMAZZ_OPTION_MS, 0, "10s", 100, DAY_MS,
		"How long making one connection may take."
	},
	[OPT_REQUEST_TIMEOUT] = {
		"request_timeout", DBMAZZ_OPTION_MS, 0, "30s", 100, DAY_MS,
		"How long a request other than the load itself may take: redirect, "
		"table schema, state of a label."
	},
	[OPT_EXPECT_TIMEOUT] = {
		"expect_timeout", DBMAZZ_OPTION_MS, 0, "30s", 100, DAY_MS,
		"How long to wait for the backend to ask for the rows; without that "
		"none are sent, and the load is tried again."
	},
	[OPT_LOAD_TIMEOUT] = {
		"load_timeout", DBMAZZ_OPTION_MS, 0, "10min", 1000, 3 * DAY_MS,
		"How long a load may take, for StarRocks (rounded up to seconds) as "
		"for the sink."
	},
	[OPT_LOW_SPEED_TIME] = {
		"low_speed_time", DBMAZZ_OPTION_MS, 0, "1min", 0, DAY_MS,
		"How long the backend may take no byte while rows are being sent; "
		"0 means any time."
	},
	[OPT_REDIRECT_TTL] = {
		"redirect_ttl", DBMAZZ_OPTION_MS, 0, "200ms", 0, MINUTE_MS,
		"How long a backend that a frontend has named serves further loads, "
		"one at a time; 0 means that each load asks."
	},
	[OPT_CA_FILE] = {
		"ca_file", DBMAZZ_OPTION_STRING, 0, NULL, 0, 0,
		"File of certificate authorities for https; the system's if not set."
	},
	[OPT_TLS_VERIFY] = {
		"tls_verify", DBMAZZ_OPTION_BOOL, 0, "on", 0, 0,
		"Check the server's certificate and name with https."
	},
	[OPT_BE_ADDRESS] = {
		"be_address", DBMAZZ_OPTION_STRING, DBMAZZ_OPTION_ADDRESS, NULL, 0, 0,
		"Address, [http[s]://]host[:port], to send rows to instead of the "
		"one that the frontend names, where backends are registered under "
		"an address that cannot be reached."
	},
	[OPT_COMPRESSION] = {
		"compression", DBMAZZ_OPTION_STRING, 0, "none", 0, 0,
		"How the rows of a load are compressed: none, gzip, zstd or lz4; "
		"StarRocks 3.2.7 or newer reads all of these."
	},
	[OPT_MYSQL_ADDRESS] = {
		"mysql_address", DBMAZZ_OPTION_STRING, DBMAZZ_OPTION_ADDRESS, NULL, 0, 0,
		"Address, host[:port], of a frontend's MySQL port, for TRUNCATE."
	},
	[OPT_FORMAT] = {
		"format", DBMAZZ_OPTION_STRING, 0, "json", 0, 0,
		"The form of rows in a load: json, or csv, which StarRocks 3.2.3 or "
		"newer reads right."
	},
};

static bool find_values(const DbmazzOption *options, int noptions,
						const char **values, DbmazzError *err);
static bool parse_frontends(DbmazzSrConfig *config, const char *text,
							DbmazzError *err);
static bool parse_backend(DbmazzSrConfig *config, const char *text,
						  DbmazzError *err);
static bool parse_mysql(DbmazzSrConfig *config, const char *text,
						DbmazzError *err);
static bool is_loopback(const char *host);
static bool parse_ms(const char *text, const DbmazzOptionDef *def,
					 int64_t *value, DbmazzError *err);
static bool parse_bool(const char *text, const DbmazzOptionDef *def,
					   bool *value, DbmazzError *err);
static bool parse_choice(const char *text, const DbmazzOptionDef *def,
						 const char *const *names, int *value,
						 DbmazzError *err);
static bool check_texts(const DbmazzSrConfig *config, DbmazzError *err);
static int	compare_urls(const void *a, const void *b);

DbmazzSrConfig *
dbmazz_sr_config_create(const DbmazzOption *options, int noptions,
						DbmazzError *err)
{
	const DbmazzOptionDef *defs = dbmazz_sr_option_defs;
	static const char *const compressions[] = {
		[DBMAZZ_COMPRESS_NONE] = "none",
		[DBMAZZ_COMPRESS_GZIP] = "gzip",
		[DBMAZZ_COMPRESS_ZSTD] = "zstd",
		[DBMAZZ_COMPRESS_LZ4] = "lz4",
		NULL
	};
	static const char *const formats[] = {"json", "csv", NULL};
	const char *values[OPT_COUNT];
	DbmazzSrConfig *config = calloc(1, sizeof(*config));
	int			compression = 0;
	int			format;
	bool		ok;

	dbmazz_error_reset(err);
	if (config == NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0, "out of memory");
		return NULL;
	}
	config->refs = 1;
	if (!find_values(options, noptions, values, err))
	{
		dbmazz_sr_config_release(config);
		return NULL;
	}
	config->database = strdup(values[OPT_DATABASE]);
	config->user = strdup(values[OPT_USER]);
	config->password = strdup(values[OPT_PASSWORD]);
	config->basic = dbmazz_sr_basic(values[OPT_USER], values[OPT_PASSWORD]);
	if (values[OPT_CA_FILE][0] != '\0')
		config->ca_file = strdup(values[OPT_CA_FILE]);
	ok = check_texts(config, err) &&
		parse_frontends(config, values[OPT_URL], err) &&
		parse_backend(config, values[OPT_BE_ADDRESS], err) &&
		parse_mysql(config, values[OPT_MYSQL_ADDRESS], err) &&
		parse_bool(values[OPT_TLS_VERIFY], &defs[OPT_TLS_VERIFY],
				   &config->tls_verify, err) &&
		parse_choice(values[OPT_COMPRESSION], &defs[OPT_COMPRESSION],
					 compressions, &compression, err) &&
		parse_choice(values[OPT_FORMAT], &defs[OPT_FORMAT], formats, &format,
					 err) &&
		parse_ms(values[OPT_CONNECT_TIMEOUT], &defs[OPT_CONNECT_TIMEOUT],
				 &config->connect_timeout_ms, err) &&
		parse_ms(values[OPT_REQUEST_TIMEOUT], &defs[OPT_REQUEST_TIMEOUT],
				 &config->request_timeout_ms, err) &&
		parse_ms(values[OPT_EXPECT_TIMEOUT], &defs[OPT_EXPECT_TIMEOUT],
				 &config->expect_timeout_ms, err) &&
		parse_ms(values[OPT_LOAD_TIMEOUT], &defs[OPT_LOAD_TIMEOUT],
				 &config->load_timeout_ms, err) &&
		parse_ms(values[OPT_LOW_SPEED_TIME], &defs[OPT_LOW_SPEED_TIME],
				 &config->low_speed_time_ms, err) &&
		parse_ms(values[OPT_REDIRECT_TTL], &defs[OPT_REDIRECT_TTL],
				 &config->redirect_ttl_ms, err);
	if (!ok)
	{
		dbmazz_sr_config_release(config);
		return NULL;
	}
	config->compression = (DbmazzCompression) compression;
	return config;
}

void
dbmazz_sr_config_release(DbmazzSrConfig *config)
{
	if (config == NULL || --config->refs > 0)
		return;
	free(config->database);
	free(config->user);
	free(config->password);
	free(config->basic);
	free(config->ca_file);
	free(config);
}

/* The order in which the frontends are named makes no difference. */
size_t
dbmazz_sr_config_identity(const DbmazzSrConfig *config, char *out, size_t len)
{
	const DbmazzUrl *urls[DBMAZZ_SR_MAX_FRONTENDS];
	DbmazzSrText text = {0};
	size_t		result;
	int			i;

	for (i = 0; i < config->nfrontends; i++)
		urls[i] = &config->frontends[i];
	qsort(urls, (size_t) config->nfrontends, sizeof(urls[0]), compare_urls);
	for (i = 0; i < config->nfrontends; i++)
	{
		if (i > 0 && compare_urls(&urls[i - 1], &urls[i]) == 0)
			continue;
		dbmazz_sr_text_addf(&text, "%s%s://%s:%d", text.len > 0 ? "," : "",
							urls[i]->tls ? "https" : "http", urls[i]->host,
							urls[i]->port);
	}
	dbmazz_sr_text_add(&text, "/", 1);
	dbmazz_sr_text_url(&text, config->database);
	result = text.failed ? 0 : text.len;
	if (len > 0)
		(void) snprintf(out, len, "%s", text.failed ? "" : text.data);
	dbmazz_sr_text_free(&text);
	return result;
}

/* Each option's value or default; "" for one that has neither. */
static bool
find_values(const DbmazzOption *options, int noptions, const char **values,
			DbmazzError *err)
{
	int			i;
	int			k;

	for (k = 0; k < OPT_COUNT; k++)
	{
		const char *value = dbmazz_sr_option_defs[k].default_value;

		values[k] = value != NULL ? value : "";
	}
	for (i = 0; i < noptions; i++)
	{
		for (k = 0; k < OPT_COUNT; k++)
		{
			if (strcmp(options[i].name, dbmazz_sr_option_defs[k].name) == 0)
				break;
		}
		if (k == OPT_COUNT)
		{
			dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
							 "unknown option \"%s\"", options[i].name);
			dbmazz_error_hint(err, "Valid options are url, database, user, "
							  "password, connect_timeout, request_timeout, "
							  "expect_timeout, load_timeout, low_speed_time, "
							  "redirect_ttl, ca_file, tls_verify, be_address, "
							  "compression, mysql_address, format.");
			return false;
		}
		if (options[i].value != NULL)
			values[k] = options[i].value;
	}
	for (k = 0; k < OPT_COUNT; k++)
	{
		const DbmazzOptionDef *def = &dbmazz_sr_option_defs[k];

		if ((def->flags & DBMAZZ_OPTION_REQUIRED) != 0 && values[k][0] == '\0')
		{
			dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
							 "option \"%s\" is not set", def->name);
			dbmazz_error_hint(err, "%s", def->description);
			return false;
		}
	}
	return true;
}

static bool
check_texts(const DbmazzSrConfig *config, DbmazzError *err)
{
	if (config->database == NULL || config->user == NULL ||
		config->password == NULL || config->basic == NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0, "out of memory");
		return false;
	}
	if (!dbmazz_sr_is_clean(config->database))
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "option \"database\" has a control character");
		return false;
	}
	if (config->user[0] == '\0' || !dbmazz_sr_is_clean(config->user) ||
		strchr(config->user, ':') != NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "option \"user\" is empty or has a character that "
						 "cannot be in a user name");
		return false;
	}
	return true;
}

static bool
parse_frontends(DbmazzSrConfig *config, const char *text, DbmazzError *err)
{
	const char *why = NULL;

	for (;;)
	{
		size_t		len = strcspn(text, ",");
		const char *start = text;
		size_t		size = len;
		DbmazzUrl  *url = &config->frontends[config->nfrontends];

		while (size > 0 && *start == ' ')
		{
			start++;
			size--;
		}
		while (size > 0 && start[size - 1] == ' ')
			size--;
		if (config->nfrontends == DBMAZZ_SR_MAX_FRONTENDS)
			why = "it has too many addresses";
		else if (dbmazz_url_parse(start, size, url, &why))
		{
			size_t		rest = size - (size_t) (url->path - start);

			if (!url->has_scheme)
				why = "it does not begin with http:// or https://";
			else if (rest > 1 || (rest == 1 && url->path[0] != '/'))
				why = "it has a path behind the port";
		}
		if (why != NULL)
		{
			dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
							 "option \"url\" is not valid: %s", why);
			dbmazz_error_hint(err, "Write http://host:port with the HTTP port "
							  "of the frontend (default %d); several "
							  "frontends are separated by commas.",
							  HTTP_PORT);
			return false;
		}
		if (url->port == 0)
			url->port = url->tls ? HTTPS_PORT : HTTP_PORT;
		url->path = "";
		config->nfrontends++;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

static bool
parse_backend(DbmazzSrConfig *config, const char *text, DbmazzError *err)
{
	const char *why = NULL;

	if (text[0] == '\0')
		return true;
	if (dbmazz_url_parse(text, strlen(text), &config->backend, &why) &&
		strcmp(config->backend.path, "") != 0 &&
		strcmp(config->backend.path, "/") != 0)
		why = "it has a path behind the port";
	if (why != NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "option \"be_address\" is not valid: %s", why);
		dbmazz_error_hint(err, "Write host, host:port or https://host:port.");
		return false;
	}
	config->backend.path = "";
	config->has_backend = true;
	return true;
}

static bool
parse_mysql(DbmazzSrConfig *config, const char *text, DbmazzError *err)
{
	const char *why = NULL;

	if (text[0] == '\0')
		return true;
	if (dbmazz_url_parse(text, strlen(text), &config->mysql, &why) &&
		(config->mysql.has_scheme || config->mysql.path[0] != '\0'))
		why = "it is not of the form host:port";
	if (why != NULL)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "option \"mysql_address\" is not valid: %s", why);
		dbmazz_error_hint(err, "Write host:port with the MySQL port of a "
						  "frontend (default %d).", MYSQL_PORT);
		return false;
	}
	if (config->mysql.port == 0)
		config->mysql.port = MYSQL_PORT;
	config->mysql.path = "";
	config->has_mysql = true;
	return true;
}

bool
dbmazz_sr_config_mysql_tls(const DbmazzSrConfig *config, const char *host)
{
	int			i;

	for (i = 0; i < config->nfrontends; i++)
	{
		if (config->frontends[i].tls)
			return !is_loopback(host);
	}
	return false;
}

static bool
is_loopback(const char *host)
{
	struct in_addr number;

	if (inet_pton(AF_INET, host, &number) == 1)
		return strncmp(host, "127.", 4) == 0;
	return strcmp(host, "[::1]") == 0 || strcmp(host, "::1") == 0 ||
		strcmp(host, "localhost") == 0;
}

static bool
parse_ms(const char *text, const DbmazzOptionDef *def, int64_t *value,
		 DbmazzError *err)
{
	static const struct
	{
		const char *name;
		int64_t		factor;
	}			units[] = {
		{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000},
		{"h", 3600000}, {"d", DAY_MS}
	};
	const char *p = text;
	int64_t		number = 0;
	size_t		i;

	while (*p >= '0' && *p <= '9' && number < DAY_MS * 1000)
		number = number * 10 + (*p++ - '0');
	if (p > text)
	{
		while (*p == ' ')
			p++;
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		{
			if (strcmp(p, units[i].name) != 0)
				continue;
			if (number > def->max / units[i].factor ||
				number * units[i].factor < def->min)
				break;
			*value = number * units[i].factor;
			return true;
		}
	}
	dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
					 "option \"%s\" is not a valid time", def->name);
	dbmazz_error_hint(err, "Write a whole number with ms, s, min, h or d; it "
					  "must be between %lld ms and %lld s.",
					  (long long) def->min, (long long) (def->max / 1000));
	return false;
}

static bool
parse_bool(const char *text, const DbmazzOptionDef *def, bool *value,
		   DbmazzError *err)
{
	static const char *const yes[] = {"on", "true", "yes", "1"};
	static const char *const no[] = {"off", "false", "no", "0"};
	size_t		i;

	for (i = 0; i < 4; i++)
	{
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0)
		{
			*value = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
					 "option \"%s\" is not on or off", def->name);
	return false;
}

/* '*value' becomes the place among the names, which end with NULL. */
static bool
parse_choice(const char *text, const DbmazzOptionDef *def,
			 const char *const *names, int *value, DbmazzError *err)
{
	char		list[64] = "";
	int			i;

	for (i = 0; names[i] != NULL; i++)
	{
		size_t		len = strlen(list);

		if (strcasecmp(text, names[i]) == 0)
		{
			*value = i;
			return true;
		}
		(void) snprintf(list + len, sizeof(list) - len, "%s%s",
						i > 0 ? ", " : "", names[i]);
	}
	dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
					 "option \"%s\" is not valid", def->name);
	dbmazz_error_hint(err, "It is one of: %s.", list);
	return false;
}

static int
compare_urls(const void *a, const void *b)
{
	const DbmazzUrl *left = *(const DbmazzUrl *const *) a;
	const DbmazzUrl *right = *(const DbmazzUrl *const *) b;
	int			result = strcmp(left->host, right->host);

	if (result == 0)
		result = left->port - right->port;
	if (result == 0)
		result = (int) left->tls - (int) right->tls;
	return result;
}
