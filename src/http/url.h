/*
 * url.h
 *		The few things about URLs that a sink needs: taking one apart, and
 *		putting a name into a path.
 *
 * NOTES
 *	  Strict on purpose: what is accepted here becomes a connection that gets
 *	  the password.  No user information, no control bytes, no spaces.
 */
#ifndef DBMAZZ_URL_H
#define DBMAZZ_URL_H

#include <stdbool.h>
#include <stddef.h>

#define DBMAZZ_URL_HOST		256

typedef struct DbmazzUrl
{
	bool		has_scheme;
	bool		tls;			/* https */
	int			port;			/* 0: none was given */
	char		host[DBMAZZ_URL_HOST];	/* lower case; IPv6 keeps its brackets */
	const char *path;			/* in the input: from the first '/' or '?' on,
								 * or its end */
} DbmazzUrl;

/*
 * Take apart "[http[s]://]host[:port][/path][?query]" of 'len' bytes.  False if
 * it is not of that form: '*why' then is a constant text that says so without
 * quoting the input.  Never throws.
 */
extern bool dbmazz_url_parse(const char *text, size_t len, DbmazzUrl *url,
							 const char **why);

/*
 * Percent-encode 'text' as one segment of a path or a value of a query.  Fills
 * at most 'outlen' bytes (always terminated if there is room for one) and
 * returns the whole length without the zero byte.
 */
extern size_t dbmazz_url_encode(char *out, size_t outlen, const char *text);

#endif							/* DBMAZZ_URL_H */
