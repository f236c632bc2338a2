/*
 * unit_url.c
 *		Tests of http/url.c.
 */
#include "unit.h"

#include <string.h>

#include "http/url.h"

static bool
parse(const char *text, DbmazzUrl *url)
{
	const char *why = NULL;
	bool		ok = dbmazz_url_parse(text, strlen(text), url, &why);

	CHECK(ok || why != NULL);
	return ok;
}

static void
accepted(void)
{
	DbmazzUrl	url;

	CHECK(parse("http://FE.example:8030/api/a?b=c", &url));
	CHECK_STR(url.host, "fe.example");
	CHECK_INT(url.port, 8030);
	CHECK_STR(url.path, "/api/a?b=c");
	CHECK(url.has_scheme && !url.tls);
	CHECK(parse("HTTPS://h", &url));
	CHECK(url.tls && url.port == 0 && strcmp(url.path, "") == 0);
	CHECK(parse("[::1]:8040/x", &url));
	CHECK_STR(url.host, "[::1]");
	CHECK_INT(url.port, 8040);
	CHECK(!url.has_scheme);
	CHECK(parse("https://[fe80::1]", &url));
	CHECK_STR(url.host, "[fe80::1]");
	CHECK(parse("h:65535?q", &url));
	CHECK_STR(url.path, "?q");
}

static void
refused(void)
{
	static const char *const bad[] = {
		"", "http://", "https://:8030", "http://h:", "http://h:0",
		"http://h:65536", "http://h:80x", "http://h:123456",
		"http://user@h/", "http://user:pass@h/", "http://h/a b",
		"http://h/a\r\nX: y", "http://h\t", "http://h#f", "http://h\\x",
		"ftp://h/", "//h/", "/path", "http://[::1", "http://[]:1",
		"http://[g]/", "http://h\x80/", "http://h,i", "http://h;x",
		"http://h%41/"
	};
	char		longhost[400];
	DbmazzUrl	url;
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!parse(bad[i], &url));
	memset(longhost, 'a', sizeof(longhost));
	longhost[399] = '\0';
	CHECK(!parse(longhost, &url));
}

static void
encoded(void)
{
	char		out[64];

	CHECK_INT(dbmazz_url_encode(out, sizeof(out), "a-b_c.D~9"), 9);
	CHECK_STR(out, "a-b_c.D~9");
	CHECK_INT(dbmazz_url_encode(out, sizeof(out), "a/b \r\n?"), 17);
	CHECK_STR(out, "a%2Fb%20%0D%0A%3F");
	CHECK_INT(dbmazz_url_encode(out, sizeof(out), "\xc3\xa9"), 6);
	CHECK_STR(out, "%C3%A9");
	CHECK_INT(dbmazz_url_encode(out, sizeof(out), ""), 0);
	CHECK_STR(out, "");
	CHECK_INT(dbmazz_url_encode(out, 4, "ab/"), 5);
	CHECK_STR(out, "ab");
	CHECK_INT(dbmazz_url_encode(NULL, 0, "ab/"), 5);
}

void
unit_url(void)
{
	accepted();
	refused();
	encoded();
}
