/*
 * http.c
 *		Reads the head of an HTTP/1.x request.
 */
#include "http.h"

#include <string.h>
#include <strings.h>

bool
bh_span_is(BhSpan span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

bool
bh_span_is_nocase(BhSpan span, const char *text)
{
	return span.len == strlen(text) &&
		strncasecmp(span.data, text, span.len) == 0;
}

/* Cut off what is before 'stop' (or all), and step over it. */
static BhSpan
take_until(BhSpan *rest, char stop)
{
	const char *end = rest->len ? memchr(rest->data, stop, rest->len) : NULL;
	BhSpan		part = *rest;

	if (end)
		part.len = (size_t) (end - rest->data);
	rest->data += part.len + (end != NULL);
	rest->len -= part.len + (end != NULL);
	return part;
}

static BhSpan
trim(BhSpan span)
{
	while (span.len && (*span.data == ' ' || *span.data == '\t'))
	{
		span.data++;
		span.len--;
	}
	while (span.len && strchr(" \t\r", span.data[span.len - 1]))
		span.len--;
	return span;
}

BhSpan
bh_request_param(const BhRequest *req, const char *name)
{
	BhSpan		rest = req->query;
	BhSpan		none = {"", 0};

	while (rest.len)
	{
		BhSpan		value = take_until(&rest, '&');
		BhSpan		key = take_until(&value, '=');

		if (bh_span_is(key, name))
			return value;
	}
	return none;
}

static bool
parse_length(BhSpan value, uint64_t *length)
{
	*length = 0;
	if (value.len == 0 || value.len > 18)
		return false;
	for (size_t i = 0; i < value.len; i++)
	{
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		*length = *length * 10 + (uint64_t) (value.data[i] - '0');
	}
	return true;
}

static bool
parse_header(BhRequest *req, BhSpan name, BhSpan value)
{
	if (bh_span_is_nocase(name, "content-length"))
		return parse_length(value, &req->content_length);
	if (bh_span_is_nocase(name, "transfer-encoding"))
		req->chunked = bh_span_is_nocase(value, "chunked");
	else if (bh_span_is_nocase(name, "expect"))
		req->expect_continue = bh_span_is_nocase(value, "100-continue");
	else if (bh_span_is_nocase(name, "connection"))
		req->keep_alive = !bh_span_is_nocase(value, "close");
	else if (bh_span_is_nocase(name, "authorization"))
		req->authorization = value;
	else if (bh_span_is_nocase(name, "host"))
		req->host = value;
	else if (bh_span_is_nocase(name, "label"))
		req->label = value;
	else if (bh_span_is_nocase(name, "table"))
		req->table = value;
	else if (bh_span_is_nocase(name, "format"))
		req->format = value;
	else if (bh_span_is_nocase(name, "compression"))
		req->compression = value;
	return true;
}

static bool
parse_target(BhRequest *req)
{
	BhSpan		rest = req->target;
	BhSpan		path = take_until(&rest, '?');

	req->query = rest;
	if (path.len == 0 || *path.data != '/')
		return false;
	take_until(&path, '/');
	while (path.len)
	{
		if (req->nsegments == BH_MAX_SEGMENTS)
			return false;
		req->segments[req->nsegments++] = take_until(&path, '/');
	}
	return true;
}

bool
bh_request_parse(BhRequest *req, const char *head, size_t len)
{
	BhSpan		rest = {head, len};
	BhSpan		line = trim(take_until(&rest, '\n'));

	memset(req, 0, sizeof(*req));
	req->method = take_until(&line, ' ');
	req->target = take_until(&line, ' ');
	if (line.len < 8 || memcmp(line.data, "HTTP/1.", 7) != 0)
		return false;
	req->keep_alive = line.data[7] != '0';
	if (!parse_target(req))
		return false;

	while (rest.len)
	{
		BhSpan		value = trim(take_until(&rest, '\n'));
		BhSpan		name;

		if (value.len == 0)
			break;
		name = take_until(&value, ':');
		if (!parse_header(req, name, trim(value)))
			return false;
	}
	return true;
}
