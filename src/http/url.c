/*
 * url.c
 *		Taking URLs apart and encoding names in them.
 */
#include "http/url.h"

#include <string.h>

static size_t scan_host(const char *text, size_t len, bool *ok);
static bool parse_port(const char *text, size_t len, int *port);
static bool has_prefix(const char *text, size_t len, const char *prefix);

bool
dbmazz_url_parse(const char *text, size_t len, DbmazzUrl *url,
				 const char **why)
{
	size_t		i;
	size_t		hostlen;
	size_t		rest;
	bool		ok;

	memset(url, 0, sizeof(*url));
	for (i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#')
		{
			*why = "it has a character that may not be in an address";
			return false;
		}
	}
	if (has_prefix(text, len, "http://") || has_prefix(text, len, "https://"))
	{
		url->has_scheme = true;
		url->tls = text[4] != ':';
		i = url->tls ? 8 : 7;
		text += i;
		len -= i;
	}
	hostlen = scan_host(text, len, &ok);
	if (!ok || hostlen == 0 || hostlen >= DBMAZZ_URL_HOST)
	{
		*why = "it has no host name, or one that cannot be";
		return false;
	}
	for (i = 0; i < hostlen; i++)
	{
		char		c = text[i];

		url->host[i] = (c >= 'A' && c <= 'Z') ? (char) (c - 'A' + 'a') : c;
	}
	rest = hostlen;
	if (rest < len && text[rest] == ':')
	{
		size_t		end = ++rest;

		while (end < len && text[end] != '/' && text[end] != '?')
			end++;
		if (!parse_port(text + rest, end - rest, &url->port))
		{
			*why = "its port is not a number from 1 to 65535";
			return false;
		}
		rest = end;
	}
	if (rest < len && text[rest] != '/' && text[rest] != '?')
	{
		*why = "it is not of the form http://host:port";
		return false;
	}
	url->path = text + rest;
	return true;
}

size_t
dbmazz_url_encode(char *out, size_t outlen, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t		n = 0;

	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;
		bool		plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '-' || c == '_' || c == '~' ||
		c == '.';
		size_t		need = plain ? 1 : 3;

		if (n + need < outlen)
		{
			if (plain)
				out[n] = (char) c;
			else
			{
				out[n] = '%';
				out[n + 1] = hex[c >> 4];
				out[n + 2] = hex[c & 15];
			}
			out[n + need] = '\0';
		}
		n += need;
	}
	if (n == 0 && outlen > 0)
		out[0] = '\0';
	return n;
}

/* Length of the host at the begin of 'text'. */
static size_t
scan_host(const char *text, size_t len, bool *ok)
{
	size_t		i;

	*ok = true;
	if (len > 0 && text[0] == '[')
	{
		for (i = 1; i < len && text[i] != ']'; i++)
		{
			char		c = text[i];

			if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
				  (c >= 'A' && c <= 'F') || c == ':' || c == '.'))
				*ok = false;
		}
		if (i == 1 || i >= len)
			*ok = false;
		return *ok ? i + 1 : 0;
	}
	for (i = 0; i < len; i++)
	{
		char		c = text[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			  (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'))
			break;
	}
	return i;
}

static bool
parse_port(const char *text, size_t len, int *port)
{
	size_t		i;

	if (len == 0 || len > 5)
		return false;
	*port = 0;
	for (i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		*port = *port * 10 + (text[i] - '0');
	}
	return *port >= 1 && *port <= 65535;
}

static bool
has_prefix(const char *text, size_t len, const char *prefix)
{
	size_t		i;

	for (i = 0; prefix[i] != '\0'; i++)
	{
		char		c;

		if (i >= len)
			return false;
		c = text[i];
		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != prefix[i])
			return false;
	}
	return true;
}
