/*
 * routes.c
 *		What the stand-in answers.
 *
 * NOTES
 *	  Only what a client needs to get its loads through: it believes every
 *	  label to be new and every row to be good.  The rules of the real server are
 *	  enforced by the sandbox, not here.
 */
#include "conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define JSON	"Content-Type: application/json\r\n"

static char expected_auth[512];
static char be_host[256];
static int	be_port;
static uint64_t next_txn = 1;

/* ---- setup ------------------------------------------------------------ */

static void
base64(const char *from, char *out)
{
	static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t		len = strlen(from);

	for (size_t i = 0; i < len; i += 3)
	{
		uint32_t	v = (uint32_t) (unsigned char) from[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t) (unsigned char) from[i + 1] << 8;
		if (i + 2 < len)
			v |= (uint32_t) (unsigned char) from[i + 2];
		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*out = '\0';
}

void
bh_route_setup(const char *auth, const char *host, int port)
{
	snprintf(expected_auth, sizeof(expected_auth), "Basic ");
	if (strlen(auth) < 300)
		base64(auth, expected_auth + strlen(expected_auth));
	snprintf(be_host, sizeof(be_host), "%s", host);
	be_port = port;
}

/* ---- plain answers ---------------------------------------------------- */

static void
respond_text(BhConn *conn, const char *status, const char *headers,
			 const char *text)
{
	BhBuffer	body = {0};

	bh_buffer_append(&body, text, strlen(text));
	bh_respond(conn, status, headers, &body);
	bh_buffer_free(&body);
}

static bool
authorized(BhConn *conn, const BhRequest *req)
{
	if (bh_span_is(req->authorization, expected_auth))
		return true;
	bh_journal_count(conn->is_fe, BH_COUNT_REFUSED);
	conn->close_after = true;
	respond_text(conn, "401 Unauthorized",
				 JSON "WWW-Authenticate: Basic realm=\"\"\r\n",
				 "{\"status\":\"FAILED\",\"code\":\"1\","
				 "\"msg\":\"Access denied\",\"message\":\"Access denied\"}");
	return false;
}

static void
not_found(BhConn *conn)
{
	bh_journal_count(conn->is_fe, BH_COUNT_REFUSED);
	respond_text(conn, "404 Not Found", "Content-Type: text/plain\r\n",
				 "Not Found");
}

/* An answer made by a function; false from it: there is no such table. */
static void
respond_schema(BhConn *conn, BhSpan table,
			   bool (*make) (BhBuffer *, BhSpan))
{
	BhBuffer	body = {0};
	bool		found = make(&body, table);

	bh_journal_count(conn->is_fe, BH_COUNT_SCHEMA);
	if (!found)
		bh_buffer_printf(&body, "{\"status\":404,\"code\":\"404\","
						 "\"message\":\"Table [%.*s] does not exists\","
						 "\"exception\":\"Table [%.*s] does not exists\"}",
						 (int) table.len, table.data, (int) table.len,
						 table.data);
	bh_respond(conn, found ? "200 OK" : "404 Not Found", JSON, &body);
	bh_buffer_free(&body);
}

static void
respond_journal(BhConn *conn, const char *headers,
				void (*make) (BhBuffer *))
{
	BhBuffer	body = {0};

	make(&body);
	bh_respond(conn, "200 OK", headers, &body);
	bh_buffer_free(&body);
}

/* ---- loads ------------------------------------------------------------ */

/* The backend's address, in the place of the frontend's. */
static void
redirect(BhConn *conn, const BhRequest *req)
{
	char		headers[2048];

	snprintf(headers, sizeof(headers),
			 "Location: http://%s:%d%.*s\r\nContent-Type: text/html\r\n",
			 be_host, be_port, (int) req->target.len, req->target.data);
	bh_journal_count(conn->is_fe, BH_COUNT_REDIRECT);
	bh_respond(conn, "307 Temporary Redirect", headers, NULL);
}

static void
fe_load(BhConn *conn, const BhRequest *req, int64_t when)
{
	/* the FE closes after every answer to a load */
	conn->close_after = true;
	if (!authorized(conn, req))
		return;
	if (!req->expect_continue)
	{
		bh_journal_count(conn->is_fe, BH_COUNT_REFUSED);
		respond_text(conn, "200 OK", JSON, "{\"Status\":\"FAILED\","
					 "\"Message\":\"class com.starrocks.common.DdlException: "
					 "There is no 100-continue header\"}");
		return;
	}
	bh_journal_label(req->label, when);
	redirect(conn, req);
}

/*
 * The result of a load as the BE writes it.  Times that have no meaning here
 * are 0.
 */
static void
respond_load(BhConn *conn, const char *status, const char *message,
			 uint64_t rows)
{
	BhBuffer	body = {0};
	int64_t		ms = (bh_now() - conn->head_ns) / 1000000;

	bh_buffer_printf(&body, "{\n    \"TxnId\": %" PRIu64 ",\n"
					 "    \"Label\": \"%s\",\n    \"Status\": \"%s\",\n"
					 "    \"Message\": \"%s\",\n"
					 "    \"NumberTotalRows\": %" PRIu64 ",\n"
					 "    \"NumberLoadedRows\": %" PRIu64 ",\n"
					 "    \"NumberFilteredRows\": 0,\n"
					 "    \"NumberUnselectedRows\": 0,\n",
					 next_txn++, conn->label, status, message, rows, rows);
	bh_buffer_printf(&body, "    \"LoadBytes\": %" PRIu64 ",\n"
					 "    \"LoadTimeMs\": %" PRId64 ",\n"
					 "    \"BeginTxnTimeMs\": 0,\n"
					 "    \"StreamLoadPlanTimeMs\": 0,\n"
					 "    \"ReadDataTimeMs\": %" PRId64 ",\n"
					 "    \"WriteDataTimeMs\": 0,\n"
					 "    \"CommitAndPublishTimeMs\": 0\n}",
					 conn->bytes, ms, ms);
	bh_respond(conn, "200 OK", JSON, &body);
	bh_buffer_free(&body);
}

static void
row_seen(void *arg, const char *row, size_t len)
{
	bh_journal_row(((BhConn *) arg)->load, row, len);
}

/* The form of the body, compressed or not. */
static bool
take_format(BhConn *conn, const BhRequest *req)
{
	BhSpan		packed = req->compression;

	conn->csv = !bh_span_is_nocase(req->format, "json");
	if (conn->csv)
		packed = bh_span_is_nocase(req->format, "csv") ? (BhSpan) {0} :
			req->format;
	conn->garbled = false;
	bh_inflate_close(conn->inflate);
	conn->inflate = packed.len ? bh_inflate_open(packed.data, packed.len) :
		NULL;
	return packed.len == 0 || conn->inflate;
}

static void
take_label(BhConn *conn, const BhRequest *req, int64_t when)
{
	conn->head_ns = when;
	snprintf(conn->label, sizeof(conn->label), "%.*s", (int) req->label.len,
			 req->label.data ? req->label.data : "");
}

static void
be_load(BhConn *conn, const BhRequest *req, int64_t when, BhSpan table)
{
	const char *refusal = NULL;

	take_label(conn, req, when);
	if (!bh_span_is(req->authorization, expected_auth))
		refusal = "no valid Basic authorization";
	else if (!take_format(conn, req))
		refusal = "unknown data format";
	if (refusal)
	{
		/* the body is not read */
		bh_journal_count(conn->is_fe, BH_COUNT_REFUSED);
		conn->close_after = true;
		respond_load(conn, "Fail", refusal, 0);
		return;
	}
	conn->load = bh_journal_begin(table, req->label, when);
	bh_rows_init(&conn->rows, bh_journal_watches() ? row_seen : NULL, conn);
	conn->body.len = 0;
	conn->state = BH_READ_BODY;
	if (req->expect_continue)
	{
		bh_journal_count(conn->is_fe, BH_COUNT_CONTINUE);
		bh_buffer_printf(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
	}
}

/* Rows of the last loads in transactions, for their prepare. */
static struct
{
	char		label[160];
	uint64_t	rows;
}			remembered[64];
static unsigned nremembered;

#define NREMEMBERED	(sizeof(remembered) / sizeof(remembered[0]))

static void
remember_rows(const char *label, uint64_t rows)
{
	unsigned	i = nremembered++ % NREMEMBERED;

	snprintf(remembered[i].label, sizeof(remembered[i].label), "%s", label);
	remembered[i].rows = rows;
}

static uint64_t
recall_rows(const char *label)
{
	for (size_t i = 0; i < NREMEMBERED; i++)
	{
		if (strcmp(remembered[i].label, label) == 0)
			return remembered[i].rows;
	}
	return 0;
}

/*
 * A transaction of one table: the FE sends who begins to the BE, which takes
 * the rows and the prepare; the FE commits.
 */
static void
route_transaction(BhConn *conn, const BhRequest *req, int64_t when)
{
	BhSpan		call = req->segments[2];

	if (!authorized(conn, req))
		return;
	if (conn->is_fe && bh_span_is(call, "begin"))
	{
		bh_journal_label(req->label, when);
		redirect(conn, req);
		return;
	}
	conn->in_transaction = !conn->is_fe && bh_span_is(call, "load");
	if (conn->in_transaction)
	{
		be_load(conn, req, when, req->table);
		return;
	}
	take_label(conn, req, when);
	respond_load(conn, "OK", "", recall_rows(conn->label));
}

void
bh_load_done(BhConn *conn)
{
	bool		complete = bh_rows_complete(&conn->rows) && !conn->garbled;
	bool		ok = complete && conn->rows.rows > 0;
	BhReceived	received = {
		.rows = conn->rows.rows,
		.bytes = conn->bytes,
		.plain_bytes = conn->plain_bytes,
		.checksum = conn->rows.checksum
	};

	bh_journal_end(conn->load, ok, &received);
	if (ok && conn->in_transaction)
	{
		remember_rows(conn->label, conn->rows.rows);
		respond_load(conn, "OK", "", conn->rows.rows);
	}
	else if (ok)
		respond_load(conn, "Success", "OK", conn->rows.rows);
	else
		respond_load(conn, "Fail", complete ?
					 "all partitions have no load data" :
					 "the body is not a complete sequence of rows", 0);
}

/* ---- the own interface ------------------------------------------------ */

static void
respond_ok(BhConn *conn)
{
	respond_text(conn, "200 OK", JSON, "{\"status\":\"OK\"}");
}

static void
route_own(BhConn *conn, const BhRequest *req)
{
	BhSpan		what = req->segments[1];

	if (bh_span_is(what, "stats"))
		respond_journal(conn, JSON, bh_journal_stats);
	else if (bh_span_is(what, "loads"))
		respond_journal(conn, "Content-Type: text/plain\r\n",
						bh_journal_loads);
	else if (bh_span_is(what, "rows"))
		respond_journal(conn, "Content-Type: text/plain\r\n",
						bh_journal_rows);
	else if (bh_span_is(what, "reset"))
	{
		bh_journal_reset();
		respond_ok(conn);
	}
	else if (bh_span_is(what, "watch"))
	{
		bh_journal_watch(bh_request_param(req, "column"));
		respond_ok(conn);
	}
	else
		not_found(conn);
}

/* ---- dispatch --------------------------------------------------------- */

static bool
path_is(const BhRequest *req, int nsegments, const char *last)
{
	return req->nsegments == nsegments && bh_span_is(req->segments[0], "api")
		&& bh_span_is(req->segments[nsegments - 1], last);
}

static void
route_fe(BhConn *conn, const BhRequest *req)
{
	if (path_is(req, 2, "health"))
		respond_text(conn, "200 OK", JSON, "{\"total_backend_num\":1,"
					 "\"online_backend_num\":1,\"status\":\"OK\"}");
	else if (!authorized(conn, req))
		return;
	else if (path_is(req, 3, "get_load_state"))
		respond_text(conn, "200 OK", JSON, "{\"status\":\"OK\",\"code\":\"0\","
					 "\"msg\":\"Success\",\"message\":\"OK\","
					 "\"state\":\"UNKNOWN\",\"reason\":\"\"}");
	else if (path_is(req, 4, "_cancel"))
		respond_text(conn, "200 OK", JSON, "{\"status\":\"OK\",\"code\":\"0\","
					 "\"msg\":\"Success\",\"message\":\"OK\"}");
	else if (path_is(req, 4, "_schema"))
		respond_schema(conn, req->segments[2], bh_schema_v1);
	else if (path_is(req, 9, "schema") &&
			 bh_span_is(req->segments[1], "v2"))
		respond_schema(conn, req->segments[7], bh_schema_v2);
	else
		not_found(conn);
}

void
bh_route(BhConn *conn, const BhRequest *req, int64_t when)
{
	bool		is_load = path_is(req, 4, "_stream_load") &&
	bh_span_is(req->method, "PUT");

	if (req->nsegments == 2 && bh_span_is(req->segments[0], "_blackhole"))
	{
		conn->counted = true;
		route_own(conn, req);
		return;
	}
	bh_conn_count_request(conn);
	if (is_load && conn->is_fe)
		fe_load(conn, req, when);
	else if (is_load)
	{
		conn->in_transaction = false;
		be_load(conn, req, when, req->segments[2]);
	}
	else if (req->nsegments == 3 && bh_span_is(req->segments[1], "transaction"))
		route_transaction(conn, req, when);
	else if (conn->is_fe)
		route_fe(conn, req);
	else
		not_found(conn);
}
