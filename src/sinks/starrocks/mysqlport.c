/*
 * mysqlport.c
 *		A session at StarRocks' MySQL port.
 */
#include "sinks/starrocks/mysqlport.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <errmsg.h>
#include <mysql.h>

#include "http/http.h"

#define AUTH_PLUGIN		"mysql_native_password"
#define MAX_TURNS		1000	/* of an operation that is being broken off */

typedef enum Operation
{
	OP_NONE,
	OP_CONNECT,
	OP_QUERY,
	OP_STORE					/* read the rows of an answer */
} Operation;

struct DbmazzSrPort
{
	MYSQL	   *mysql;
	MYSQL_RES  *result;
	MYSQL_ROW	row;
	Operation	operation;		/* under way */
	int			wait_for;		/* MYSQL_WAIT_*, what it waits for */
	int64_t		deadline_ms;
	bool		failed;
	unsigned	code;
	char		error[DBMAZZ_SR_PORT_ERROR];
};

static bool set_options(MYSQL *mysql);
static int	ready_events(const DbmazzSrPort *port);
static int	go_on(DbmazzSrPort *port, int events, bool *ok);
static void ended(DbmazzSrPort *port, bool ok);
static void fail(DbmazzSrPort *port, unsigned code, const char *message);
static bool is_own_code(unsigned code);

DbmazzSrPort *
dbmazz_sr_port_open(const char *address, int port_number, const char *user,
					const char *password, int64_t timeout_ms)
{
	DbmazzSrPort *port = calloc(1, sizeof(*port));
	MYSQL	   *connected = NULL;

	if (port == NULL)
		return NULL;
	port->mysql = mysql_init(NULL);
	if (port->mysql == NULL || !set_options(port->mysql))
	{
		dbmazz_sr_port_close(port);
		return NULL;
	}
	port->deadline_ms = dbmazz_http_now_ms() + timeout_ms;
	port->operation = OP_CONNECT;
	port->wait_for = mysql_real_connect_start(&connected, port->mysql, address,
											  user, password, NULL,
											  (unsigned) port_number, NULL, 0);
	if (port->wait_for == 0)
		ended(port, connected != NULL);
	return port;
}

void
dbmazz_sr_port_query(DbmazzSrPort *port, const char *text, size_t len,
					 int64_t timeout_ms)
{
	int			result = 0;

	if (port->result != NULL)
		mysql_free_result(port->result);
	port->result = NULL;
	port->row = NULL;
	port->failed = false;
	port->deadline_ms = dbmazz_http_now_ms() + timeout_ms;
	port->operation = OP_QUERY;
	port->wait_for = mysql_real_query_start(&result, port->mysql, text, len);
	if (port->wait_for == 0)
		ended(port, result == 0);
}

DbmazzSrPortState
dbmazz_sr_port_poll(DbmazzSrPort *port)
{
	while (port->operation != OP_NONE && !port->failed)
	{
		int			events = ready_events(port);
		bool		ok;

		if (events != 0)
		{
			port->wait_for = go_on(port, events, &ok);
			if (port->wait_for == 0)
				ended(port, ok);
		}
		else if (dbmazz_http_now_ms() >= port->deadline_ms)
			fail(port, 0, "no answer in time");
		else
			return DBMAZZ_SR_PORT_BUSY;
	}
	return port->failed ? DBMAZZ_SR_PORT_FAILED : DBMAZZ_SR_PORT_READY;
}

int
dbmazz_sr_port_socket(const DbmazzSrPort *port, bool *want_read,
					  bool *want_write, int64_t *deadline_ms)
{
	*want_read = (port->wait_for & MYSQL_WAIT_READ) != 0;
	*want_write = (port->wait_for & MYSQL_WAIT_WRITE) != 0;
	*deadline_ms = port->deadline_ms;
	if (port->operation == OP_NONE || port->failed)
	{
		*deadline_ms = 0;
		return -1;
	}
	return mysql_get_socket(port->mysql);
}

unsigned
dbmazz_sr_port_error(const DbmazzSrPort *port, const char **message)
{
	*message = port->error;
	return port->code;
}

unsigned long
dbmazz_sr_port_id(const DbmazzSrPort *port)
{
	return mysql_thread_id(port->mysql);
}

bool
dbmazz_sr_port_next(DbmazzSrPort *port)
{
	port->row = port->result != NULL ? mysql_fetch_row(port->result) : NULL;
	return port->row != NULL;
}

const char *
dbmazz_sr_port_value(const DbmazzSrPort *port, const char *column)
{
	unsigned	n = mysql_num_fields(port->result);
	const MYSQL_FIELD *fields = mysql_fetch_fields(port->result);
	unsigned	i;

	for (i = 0; i < n; i++)
	{
		if (strcasecmp(fields[i].name, column) == 0)
			return port->row[i];
	}
	return NULL;
}

/*
 * An operation under way runs on a stack of its own, with things to free.  So
 * it is led to its end: nothing can be read from or sent into the socket any
 * more, and every wait is told to be over.
 */
void
dbmazz_sr_port_close(DbmazzSrPort *port)
{
	bool		ok;
	int			turn;
	int			fd;

	if (port == NULL)
		return;
	if (port->mysql != NULL)
	{
		fd = mysql_get_socket(port->mysql);
		if (fd >= 0)
			(void) shutdown(fd, SHUT_RDWR);
		for (turn = 0; port->wait_for != 0 && turn < MAX_TURNS; turn++)
			port->wait_for = go_on(port, MYSQL_WAIT_TIMEOUT, &ok);
		if (port->result != NULL)
			mysql_free_result(port->result);
		mysql_close(port->mysql);
	}
	free(port);
}

/* False: out of memory. */
static bool
set_options(MYSQL *mysql)
{
	unsigned	protocol = MYSQL_PROTOCOL_TCP;
	unsigned	off = 0;
	my_bool		no = 0;

	return mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL) == 0 &&
		mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
		mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off) == 0 &&
		mysql_options(mysql, MYSQL_OPT_RECONNECT, &no) == 0 &&
		mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no) == 0 &&
		mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &no) == 0 &&
		mysql_options(mysql, MYSQL_DEFAULT_AUTH, AUTH_PLUGIN) == 0 &&
		mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, AUTH_PLUGIN) == 0 &&
		mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0;
}

/* Which of the events that the operation waits for are there, now? */
static int
ready_events(const DbmazzSrPort *port)
{
	struct pollfd fd = {0};
	int			events = 0;

	fd.fd = mysql_get_socket(port->mysql);
	if ((port->wait_for & MYSQL_WAIT_READ) != 0)
		fd.events |= POLLIN;
	if ((port->wait_for & MYSQL_WAIT_WRITE) != 0)
		fd.events |= POLLOUT;
	if (poll(&fd, 1, 0) <= 0)
		return 0;
	if ((fd.revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0)
		events |= MYSQL_WAIT_READ;
	if ((fd.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) != 0)
		events |= MYSQL_WAIT_WRITE;
	return events & port->wait_for;
}

/* What the operation waits for at the moment; 0: it has ended, and 'ok' says how. */
static int
go_on(DbmazzSrPort *port, int events, bool *ok)
{
	MYSQL	   *connected = NULL;
	int			result = 0;
	int			wait_for;

	switch (port->operation)
	{
		case OP_CONNECT:
			wait_for = mysql_real_connect_cont(&connected, port->mysql,
											   events);
			*ok = connected != NULL;
			return wait_for;
		case OP_QUERY:
			wait_for = mysql_real_query_cont(&result, port->mysql, events);
			*ok = result == 0;
			return wait_for;
		case OP_STORE:
			wait_for = mysql_store_result_cont(&port->result, port->mysql,
											   events);
			*ok = port->result != NULL;
			return wait_for;
		default:
			*ok = false;
			return 0;
	}
}

static void
ended(DbmazzSrPort *port, bool ok)
{
	Operation	operation = port->operation;

	port->operation = OP_NONE;
	if (!ok)
		fail(port, mysql_errno(port->mysql), mysql_error(port->mysql));
	else if (operation == OP_QUERY && mysql_field_count(port->mysql) > 0)
	{
		port->operation = OP_STORE;
		port->wait_for = mysql_store_result_start(&port->result, port->mysql);
		if (port->wait_for == 0)
			ended(port, port->result != NULL);
	}
}

static void
fail(DbmazzSrPort *port, unsigned code, const char *message)
{
	port->failed = true;
	port->code = is_own_code(code) ? 0 : code;
	(void) snprintf(port->error, sizeof(port->error), "%s", message);
}

/*
 * Is it libmariadb's?  The server has codes of its own among the newer ones of
 * the library, so of these only those count that a broken connection can give.
 */
static bool
is_own_code(unsigned code)
{
	return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
		code == CR_ERR_NET_READ || code == CR_ERR_NET_WRITE ||
		code == CR_PLUGIN_NOT_ALLOWED || code == CR_ERR_LOAD_PLUGIN;
}
