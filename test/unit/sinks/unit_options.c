/*
 * unit_options.c
 *		Tests of sinks/starrocks/options.c.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "sinks/starrocks/options.h"

static const DbmazzOption good[] = {
	{"url", "http://fe1:8030, https://FE2/ ,http://fe3"},
	{"database", "shop"},
	{"password", "pass word:\n"},
	{"be_address", "be.example:8040"},
	{"ca_file", "/etc/ca.pem"},
	{"tls_verify", "off"},
	{"load_timeout", "90s"},
	{"connect_timeout", "500ms"},
	{"expect_timeout", "45000"},
	{"low_speed_time", "2min"},
	{"redirect_ttl", "1s"},
	{"compression", "ZSTD"}
};

/* Options: url and database are fine, and one more. */
static DbmazzSrConfig *
with(const char *name, const char *value, DbmazzError *err)
{
	DbmazzOption options[3] = {
		{"url", "http://fe"}, {"database", "d"}, {NULL, NULL}
	};
	int			i = 2;

	if (strcmp(name, "url") == 0)
		i = 0;
	if (strcmp(name, "database") == 0)
		i = 1;
	options[i].name = name;
	options[i].value = value;
	return dbmazz_sr_config_create(options, i == 2 ? 3 : 2, err);
}

static void
values(void)
{
	DbmazzError err;
	DbmazzSrConfig *config;

	config = dbmazz_sr_config_create(good, sizeof(good) / sizeof(good[0]), &err);
	if (!CHECK(config != NULL))
	{
		printf("  %s\n", err.message);
		return;
	}
	CHECK_INT(config->nfrontends, 3);
	CHECK_STR(config->frontends[1].host, "fe2");
	CHECK_INT(config->frontends[1].port, 8443);
	CHECK(config->frontends[1].tls);
	CHECK_INT(config->frontends[2].port, 8030);
	CHECK_STR(config->user, "root");
	CHECK_STR(config->password, "pass word:\n");
	CHECK(config->has_backend && !config->backend.has_scheme);
	CHECK_INT(config->backend.port, 8040);
	CHECK(!config->tls_verify);
	CHECK_STR(config->ca_file, "/etc/ca.pem");
	CHECK_INT(config->load_timeout_ms, 90000);
	CHECK_INT(config->connect_timeout_ms, 500);
	CHECK_INT(config->expect_timeout_ms, 45000);
	CHECK_INT(config->low_speed_time_ms, 120000);
	CHECK_INT(config->redirect_ttl_ms, 1000);
	CHECK_INT(config->request_timeout_ms, 30000);
	CHECK_INT(config->compression, DBMAZZ_COMPRESS_ZSTD);
	dbmazz_sr_config_release(config);
}

static void
bad_values(void)
{
	static const char *const bad[][2] = {
		{"url", ""}, {"url", "fe:8030"}, {"url", "http://fe:8030/path"},
		{"url", "http://fe,"}, {"url", "http://fe?x"}, {"url", ",http://fe"},
		{"url", "http://root:secret@fe"}, {"url", "ftp://fe"},
		{"url", "http://fe\r\nX: y"}, {"database", ""},
		{"database", "a\nb"}, {"user", ""}, {"user", "a:b"},
		{"user", "a\rb"}, {"be_address", "be/path"},
		{"be_address", "be:99999"}, {"tls_verify", "maybe"},
		{"load_timeout", "0"}, {"load_timeout", "10"},
		{"load_timeout", "99999999999999999999d"}, {"load_timeout", "10x"},
		{"load_timeout", ""}, {"load_timeout", "-5s"},
		{"load_timeout", "4d"}, {"connect_timeout", "1.5s"},
		{"format", "xml"}, {"compression", "zip"}, {"compression", ""},
		{"mysql_address", "http://fe:9030"}, {"mysql_address", "fe:9030/d"},
		{"mysql_address", "fe:0"}, {"mysql_address", "a b"},
		{"unknown", "x"}
	};
	DbmazzError err;
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		DbmazzSrConfig *config = with(bad[i][0], bad[i][1], &err);

		if (!CHECK(config == NULL))
			printf("  %s=%s\n", bad[i][0], bad[i][1]);
		dbmazz_sr_config_release(config);
		CHECK(err.message[0] != '\0');
		CHECK(strstr(err.message, "secret") == NULL);
		CHECK(strstr(err.hint, "secret") == NULL);
	}
	CHECK_HAS(err.hint, "tls_verify");	/* the list for an unknown name */
}

/* Too many addresses, and the most that there may be. */
static void
many_frontends(void)
{
	char		url[1024] = "http://a";
	DbmazzError err;
	DbmazzSrConfig *config;
	int			i;

	for (i = 1; i < DBMAZZ_SR_MAX_FRONTENDS; i++)
		strcat(url, ",http://b");
	config = with("url", url, &err);
	CHECK(config != NULL && config->nfrontends == DBMAZZ_SR_MAX_FRONTENDS);
	dbmazz_sr_config_release(config);
	strcat(url, ",http://c");
	CHECK(with("url", url, &err) == NULL);
}

static void
identity_of(const char *url, const char *database, char *out, size_t len)
{
	DbmazzOption options[2] = {{"url", url}, {"database", database}};
	DbmazzError err;
	DbmazzSrConfig *config = dbmazz_sr_config_create(options, 2, &err);
	size_t		full;

	CHECK(config != NULL);
	full = dbmazz_sr_config_identity(config, NULL, 0);
	CHECK_INT(dbmazz_sr_config_identity(config, out, len), full);
	CHECK_INT(strlen(out), full);
	dbmazz_sr_config_release(config);
}

static void
identity(void)
{
	char		a[256];
	char		b[256];

	identity_of("http://fe2:8030,http://FE1", "shop", a, sizeof(a));
	CHECK_STR(a, "http://fe1:8030,http://fe2:8030/shop");
	identity_of("http://fe1:8030/,http://fe2,http://fe2", "shop", b,
				sizeof(b));
	CHECK_STR(b, a);
	identity_of("http://fe1", "a/b", a, sizeof(a));
	CHECK_STR(a, "http://fe1:8030/a%2Fb");
}

static void
table(void)
{
	int			i;

	for (i = 0; i < DBMAZZ_SR_OPTIONS; i++)
	{
		const DbmazzOptionDef *def = &dbmazz_sr_option_defs[i];

		CHECK(def->name != NULL && def->description != NULL);
		CHECK(def->description[strlen(def->description) - 1] == '.');
		CHECK(((def->flags & DBMAZZ_OPTION_SECRET) != 0) ==
			  (strcmp(def->name, "password") == 0));
	}
}

/* With https all that leaves this host is encrypted. */
static void
mysql_address(void)
{
	static const struct
	{
		const char *url;
		const char *address;
		const char *host;
		int			port;
		bool		tls;
	}			cases[] = {
		{"http://fe", "Fe.example", "fe.example", 9030, false},
		{"http://fe", "[::1]:1234", "[::1]", 1234, false},
		{"https://fe", "[::1]:1234", "[::1]", 1234, false},
		{"https://fe", "127.0.0.1:9031", "127.0.0.1", 9031, false},
		{"https://fe", "localhost", "localhost", 9030, false},
		{"https://fe", "127.0.0.1.example", "127.0.0.1.example", 9030, true},
		{"https://fe", "10.0.0.1:1", "10.0.0.1", 1, true},
		{"http://a,https://fe", "fe:9030", "fe", 9030, true}
	};
	DbmazzSrConfig *config;
	DbmazzError err;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		DbmazzOption options[] = {
			{"url", cases[i].url}, {"database", "d"},
			{"mysql_address", cases[i].address}
		};

		config = dbmazz_sr_config_create(options, 3, &err);
		if (CHECK(config != NULL))
		{
			CHECK(config->has_mysql);
			CHECK_STR(config->mysql.host, cases[i].host);
			CHECK_INT(config->mysql.port, cases[i].port);
			CHECK_INT(dbmazz_sr_config_mysql_tls(config, config->mysql.host),
					  cases[i].tls);
		}
		dbmazz_sr_config_release(config);
	}
}

void
unit_options(void)
{
	mysql_address();
	values();
	bad_values();
	many_frontends();
	identity();
	table();
}
