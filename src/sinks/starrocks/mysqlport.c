/*
 * mysqlport.c
 *		A session at StarRocks' MySQL port.
 */
#include "sinks/starrocks/mysqlport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <errmsg.h>
#include <mysql.h>

#include "http/http.h"
#include "sinks/starrocks/tlsconnect.h"

#define AUTH_PLUGIN		"mysql_native_password"
#define MAX_TURNS		1000	/* of an operation that is being broken off */
#define MAX_ROWS		65536	/* of an answer: far more than there are sessions */
#define MAX_PACKET		(256 * 1024)	/* a row */

typedef enum Operation
{
	OP_NONE,
	OP_HANDSHAKE,				/* connect with TLS: a thread does it */
	OP_CONNECT,
	OP_QUERY,
	OP_FETCH					/* read a row */
} Operation;

struct DbmazzSrPort
{
	MYSQL	   *mysql;
	DbmazzSrConnect *connect;	/* OP_HANDSHAKE; 'mysql' is the thread's then */
	MYSQL_RES  *result;
	MYSQL_ROW	row;
	int			nrows;
	Operation	operation;		/* under way */
	int			wait_for;		/* MYSQL_WAIT_*, what it waits for */
	int64_t		deadline_ms;
	bool		failed;
	bool		refusable;		/* it failed before it was connected */
	unsigned	code;
	char		error[DBMAZZ_SR_PORT_ERROR];
};

static bool set_options(MYSQL *mysql);
static bool set_tls(MYSQL *mysql, const DbmazzSrPortTarget *target);
static int	wait_fd(const DbmazzSrPort *port);
static int	ready_events(const DbmazzSrPort *port);
static int	go_on(DbmazzSrPort *port, int events, bool *ok);
static void ended(DbmazzSrPort *port, bool ok);
static void connected(DbmazzSrPort *port);
static void fail(DbmazzSrPort *port, unsigned code, const char *message);
static bool is_own_code(unsigned code);

DbmazzSrPort *
dbmazz_sr_port_open(const DbmazzSrPortTarget *target, int64_t timeout_ms)
{
	DbmazzSrPort *port = calloc(1, sizeof(*port));
	MYSQL	   *mysql = NULL;

	if (port == NULL)
		return NULL;
	port->mysql = mysql_init(NULL);
	port->deadline_ms = dbmazz_http_now_ms() + timeout_ms;
	if (port->mysql == NULL || !set_options(port->mysql) ||
		(target->tls && !set_tls(port->mysql, target)))
	{
		dbmazz_sr_port_close(port);
		return NULL;
	}
	if (target->tls)
	{
		port->operation = OP_HANDSHAKE;
		port->wait_for = MYSQL_WAIT_READ;
		port->connect = dbmazz_sr_connect_start(port->mysql, target->address,
												target->port, target->host,
												target->user,
												target->password,
												port->deadline_ms);
		if (port->connect == NULL)
		{
			dbmazz_sr_port_close(port);
			return NULL;
		}
		return port;
	}
	port->operation = OP_CONNECT;
	port->wait_for = mysql_real_connect_start(&mysql, port->mysql,
											  target->address, target->user,
											  target->password, NULL,
											  (unsigned) target->port, NULL,
											  0);
	if (port->wait_for == 0)
		ended(port, mysql != NULL);
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
	port->nrows = 0;
	port->failed = false;
	port->deadline_ms = dbmazz_http_now_ms() + timeout_ms;
	port->operation = OP_QUERY;
	port->wait_for = mysql_real_query_start(&result, port->mysql, text, len);
	if (port->wait_for == 0)
		ended(port, result == 0);
}

void
dbmazz_sr_port_next(DbmazzSrPort *port)
{
	if (port->result == NULL)
		return;
	port->operation = OP_FETCH;
	port->wait_for = mysql_fetch_row_start(&port->row, port->result);
	if (port->wait_for == 0)
		ended(port, port->row != NULL || mysql_errno(port->mysql) == 0);
}

bool
dbmazz_sr_port_row(const DbmazzSrPort *port)
{
	return port->row != NULL;
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
	return wait_fd(port);
}

unsigned
dbmazz_sr_port_error(const DbmazzSrPort *port, const char **message)
{
	*message = port->error;
	return port->code;
}

/* The library has no code for it, only the system's number in its text. */
bool
dbmazz_sr_port_refused(const DbmazzSrPort *port)
{
	char		number[16];

	(void) snprintf(number, sizeof(number), "(%d)", ECONNREFUSED);
	return port->failed && port->refusable &&
		strstr(port->error, number) != NULL;
}

unsigned long
dbmazz_sr_port_id(const DbmazzSrPort *port)
{
	return mysql_thread_id(port->mysql);
}

const char *
dbmazz_sr_port_value(const DbmazzSrPort *port, const char *column)
{
	unsigned	n = port->row != NULL ? mysql_num_fields(port->result) : 0;
	const MYSQL_FIELD *fields = n > 0 ? mysql_fetch_fields(port->result) : NULL;
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
	if (port->connect != NULL)
	{
		(void) dbmazz_sr_connect_end(port->connect);
		port->wait_for = 0;
	}
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
	size_t		packet = MAX_PACKET;
	my_bool		no = 0;

	return mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL) == 0 &&
		mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
		mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off) == 0 &&
		mysql_options(mysql, MYSQL_OPT_RECONNECT, &no) == 0 &&
		mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet) == 0 &&
		mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no) == 0 &&
		mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &no) == 0 &&
		mysql_options(mysql, MYSQL_DEFAULT_AUTH, AUTH_PLUGIN) == 0 &&
		mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, AUTH_PLUGIN) == 0 &&
		mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0;
}

/*
 * The library goes on in the clear where a server has no TLS, unless it is to look
 * at the certificate; to an empty fingerprint it compares nothing.
 */
static bool
set_tls(MYSQL *mysql, const DbmazzSrPortTarget *target)
{
	my_bool		yes = 1;

	if (mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes) != 0 ||
		mysql_options(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3") != 0)
		return false;
	if (!target->tls_verify)
		return mysql_options(mysql, MARIADB_OPT_TLS_PEER_FP, "") == 0;
	return mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
						 &yes) == 0 &&
		(target->ca_file == NULL ||
		 mysql_options(mysql, MYSQL_OPT_SSL_CA, target->ca_file) == 0);
}

static int
wait_fd(const DbmazzSrPort *port)
{
	return port->connect != NULL ? dbmazz_sr_connect_socket(port->connect) :
		mysql_get_socket(port->mysql);
}

/* Which of the events that the operation waits for are there, now? */
static int
ready_events(const DbmazzSrPort *port)
{
	struct pollfd fd = {0};
	int			events = 0;

	fd.fd = wait_fd(port);
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
	MYSQL	   *mysql = NULL;
	int			result = 0;
	int			wait_for;

	switch (port->operation)
	{
		case OP_HANDSHAKE:
			*ok = dbmazz_sr_connect_end(port->connect);
			port->connect = NULL;
			return 0;
		case OP_CONNECT:
			wait_for = mysql_real_connect_cont(&mysql, port->mysql, events);
			*ok = mysql != NULL;
			return wait_for;
		case OP_QUERY:
			wait_for = mysql_real_query_cont(&result, port->mysql, events);
			*ok = result == 0;
			return wait_for;
		case OP_FETCH:
			wait_for = mysql_fetch_row_cont(&port->row, port->result, events);
			*ok = port->row != NULL || mysql_errno(port->mysql) == 0;
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
	port->wait_for = 0;
	if (!ok && operation == OP_HANDSHAKE &&
		dbmazz_http_now_ms() >= port->deadline_ms)
		fail(port, 0, "no answer in time");
	else if (!ok)
	{
		port->refusable = operation == OP_CONNECT || operation == OP_HANDSHAKE;
		fail(port, mysql_errno(port->mysql), mysql_error(port->mysql));
	}
	else if (operation == OP_HANDSHAKE)
		connected(port);
	else if (operation == OP_QUERY && mysql_field_count(port->mysql) > 0)
	{
		port->result = mysql_use_result(port->mysql);
		if (port->result == NULL)
			fail(port, 0, "out of memory");
	}
	else if (operation == OP_FETCH && port->row != NULL &&
			 ++port->nrows > MAX_ROWS)
		fail(port, 0, "the answer has too many rows");
}

/* From here on the library's non-blocking functions are used. */
static void
connected(DbmazzSrPort *port)
{
	int			fd = mysql_get_socket(port->mysql);

	if (mysql_get_ssl_cipher(port->mysql) == NULL)
		fail(port, 0, "the server does not speak TLS");
	else
		(void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
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
