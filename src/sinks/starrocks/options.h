/*
 * options.h
 *		The options of the StarRocks sink, as a table and as values.
 */
#ifndef DBMAZZ_SR_OPTIONS_H
#define DBMAZZ_SR_OPTIONS_H

#include "dbmazz_sink.h"
#include "http/compress.h"
#include "http/url.h"

#define DBMAZZ_SR_MAX_FRONTENDS		16

/* One set of values; shared by the sink and the requests under way. */
typedef struct DbmazzSrConfig
{
	int			refs;
	int			nfrontends;
	DbmazzUrl	frontends[DBMAZZ_SR_MAX_FRONTENDS];
	char	   *database;
	char	   *user;
	char	   *password;
	char	   *basic;			/* both as they are in a header */
	char	   *ca_file;		/* NULL: the system's */
	bool		tls_verify;
	bool		has_backend;	/* 'backend' replaces what redirects name */
	DbmazzUrl	backend;
	DbmazzCompression compression;
	bool		has_mysql;		/* 'mysql' is set: TRUNCATE can be sent there */
	DbmazzUrl	mysql;
	int64_t		connect_timeout_ms;
	int64_t		request_timeout_ms;
	int64_t		expect_timeout_ms;
	int64_t		load_timeout_ms;
	int64_t		low_speed_time_ms;
	int64_t		redirect_ttl_ms;
} DbmazzSrConfig;

#define DBMAZZ_SR_OPTIONS	16

extern const DbmazzOptionDef dbmazz_sr_option_defs[DBMAZZ_SR_OPTIONS];

/* NULL: err tells.  The caller holds the first reference. */
extern DbmazzSrConfig *dbmazz_sr_config_create(const DbmazzOption *options,
											   int noptions,
											   DbmazzError *err);
extern void dbmazz_sr_config_release(DbmazzSrConfig *config);

/*
 * Must a session at the MySQL port of this host be encrypted?  Where "url" is https,
 * yes; but on this host itself a tunnel may listen, whose near end is not.
 */
extern bool dbmazz_sr_config_mysql_tls(const DbmazzSrConfig *config,
									   const char *host);

/* See identity() in dbmazz_sink.h. */
extern size_t dbmazz_sr_config_identity(const DbmazzSrConfig *config,
										char *out, size_t len);

#endif							/* DBMAZZ_SR_OPTIONS_H */
