/*
 * unit_answer.c
 *		Tests of sinks/starrocks/answer.c: every status and text that is known,
 *		and bytes that make no sense.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/starrocks/answer.h"

#define LABEL	"dbm-1-2-3"
#define NROWS	100

/* The whole of a result with this status, message and rows. */
#define RESULT(status, message, rows) \
	"{\n    \"TxnId\": 7,\n    \"Label\": \"" LABEL "\",\n" \
	"    \"Status\": \"" status "\",\n    \"Message\": \"" message "\",\n" \
	"    \"NumberTotalRows\": " rows ",\n    \"NumberLoadedRows\": " rows \
	",\n    \"NumberFilteredRows\": 0\n}\n"
#define FAIL(message)	RESULT("Fail", message, "0")

static void
make_answer(DbmazzHttpAnswer *answer, int status, DbmazzHttpPhase phase,
			const char *body)
{
	memset(answer, 0, sizeof(*answer));
	answer->status = status;
	answer->phase = phase;
	answer->complete = status != 0;
	answer->body = body;
	answer->body_len = strlen(body);
	if (status == 0)
		strcpy(answer->error, "connection reset");
}

static void
judge(int status, DbmazzHttpPhase phase, const char *body,
	  DbmazzSrVerdict *verdict, DbmazzError *err)
{
	DbmazzHttpAnswer answer;

	make_answer(&answer, status, phase, body);
	dbmazz_sr_answer_load(&answer, LABEL, NROWS, verdict, err);
	CHECK((verdict->outcome == DBMAZZ_DONE && !verdict->ask_state) ==
		  (err->message[0] == '\0'));
}

typedef struct Case
{
	const char *body;
	int			status;
	DbmazzHttpPhase phase;
	DbmazzOutcome outcome;
	DbmazzSrReason reason;
	bool		slow_down;
} Case;

static void
run_cases(const Case *cases, size_t n)
{
	DbmazzSrVerdict verdict;
	DbmazzError err;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		const Case *c = &cases[i];
		bool		ok;

		judge(c->status, c->phase, c->body, &verdict, &err);
		ok = CHECK_INT(verdict.outcome, c->outcome);
		ok = CHECK_INT(verdict.reason, c->reason) && ok;
		ok = CHECK_INT(verdict.slow_down, c->slow_down) && ok;
		if (!ok)
			printf("  case %zu: HTTP %d, %s\n", i, c->status, c->body);
	}
}

static void
statuses(void)
{
	static const Case cases[] = {
		{RESULT("Success", "OK", "100"), 200, DBMAZZ_HTTP_SENT,
		DBMAZZ_DONE, DBMAZZ_SR_FINE, false},
		/* no row count, or another */
		{"{\"Status\":\"Success\",\"Message\":\"OK\"}", 200,
			DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{RESULT("Success", "OK", "99"), 200, DBMAZZ_HTTP_SENT,
		DBMAZZ_REJECT, DBMAZZ_SR_REFUSED, false},
		{RESULT("Success", "OK", "0"), 200, DBMAZZ_HTTP_SENT,
		DBMAZZ_REJECT, DBMAZZ_SR_REFUSED, false},
		{RESULT("Success", "OK", "-1e400"), 200, DBMAZZ_HTTP_SENT,
		DBMAZZ_REJECT, DBMAZZ_SR_REFUSED, false},
		/* a success with another HTTP status is none */
		{RESULT("Success", "OK", "100"), 500, DBMAZZ_HTTP_SENT,
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		/* nor is one that came before all rows had left, whatever it says */
		{RESULT("Success", "OK", "100"), 200, DBMAZZ_HTTP_BEGUN,
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{RESULT("Success", "illegal json", "100"), 200, DBMAZZ_HTTP_BEGUN,
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{RESULT("Success", "OK", "100"), 200, DBMAZZ_HTTP_UNSENT,
		DBMAZZ_RETRY, DBMAZZ_SR_TRANSIENT, false},
		{RESULT("Publish Timeout", "x", "100"), 200, DBMAZZ_HTTP_SENT,
		DBMAZZ_DONE, DBMAZZ_SR_FINE, false},
		{"{\"Status\":\"Label Already Exists\",\"Label\":\"" LABEL "\","
			"\"ExistingJobStatus\":\"FINISHED\",\"TxnId\":-1,\"Message\":"
			"\"Label [x] has already been used.\"}", 200, DBMAZZ_HTTP_UNSENT,
		DBMAZZ_DONE, DBMAZZ_SR_FINE, false},
		{"{\"Status\":\"Label Already Exists\",\"Label\":\"" LABEL "\","
			"\"ExistingJobStatus\":\"RUNNING\",\"TxnId\":-1,\"Message\":"
			"\"Label [x] has already been used.\"}", 200, DBMAZZ_HTTP_UNSENT,
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{"{\"Status\":\"Label Already Exists\",\"Message\":\"\"}", 200,
			DBMAZZ_HTTP_UNSENT, DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{FAIL("Label [x] has already been used."), 200, DBMAZZ_HTTP_UNSENT,
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		/* an answer to somebody else */
		{"{\"Status\":\"Success\",\"Label\":\"other\","
			"\"NumberLoadedRows\":100}", 200, DBMAZZ_HTTP_SENT,
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{"{\"Status\":\"Something New\",\"Message\":\"\"}", 200,
			DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN, false},
		{"{\"Status\":\"Something New\",\"Message\":\"\"}", 200,
			DBMAZZ_HTTP_UNSENT, DBMAZZ_RETRY, DBMAZZ_SR_TRANSIENT, false}
	};

	run_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void
failures(void)
{
	static const struct
	{
		const char *body;
		DbmazzOutcome outcome;
		DbmazzSrReason reason;
	}			cases[] = {
		{FAIL("too many filtered rows"), DBMAZZ_REJECT, DBMAZZ_SR_DATA},
		{FAIL("all partitions have no load data"), DBMAZZ_REJECT,
		DBMAZZ_SR_DATA},
		{FAIL("primary key size exceed the limit"), DBMAZZ_REJECT,
		DBMAZZ_SR_KEY_SIZE},
		{FAIL("illegal json started with x"), DBMAZZ_REJECT,
		DBMAZZ_SR_UNREADABLE},
		{FAIL("The size of this batch exceed the max size [104857600]"),
		DBMAZZ_REJECT, DBMAZZ_SR_TOO_LARGE},
		{FAIL("body size 5 exceed limit: 4, x. You can increase the limit by "
			  "setting streaming_load_max_mb in be.conf."),
		DBMAZZ_REJECT, DBMAZZ_SR_TOO_LARGE},
		{FAIL("unknown table \\\"d.t\\\""), DBMAZZ_REJECT,
		DBMAZZ_SR_NO_TABLE},
		{FAIL("unknown database, database=d"), DBMAZZ_REJECT,
		DBMAZZ_SR_NO_DATABASE},
		{FAIL("Column has no default value. column: n"), DBMAZZ_REJECT,
		DBMAZZ_SR_SCHEMA},
		{FAIL("Only primary key table support partial update"),
		DBMAZZ_REJECT, DBMAZZ_SR_SCHEMA},
		{FAIL("key column id not in partial update columns"), DBMAZZ_REJECT,
		DBMAZZ_SR_SCHEMA},
		{FAIL("unknown data format, format=x"), DBMAZZ_REJECT,
		DBMAZZ_SR_REFUSED},
		{FAIL("no valid Basic authorization"), DBMAZZ_RETRY,
		DBMAZZ_SR_ACCESS},
		{FAIL("Access denied; you need INSERT"), DBMAZZ_RETRY,
		DBMAZZ_SR_ACCESS},
		{FAIL("Database d data size exceeds quota"), DBMAZZ_RETRY,
		DBMAZZ_SR_OVERLOAD},
		{FAIL("Failed to load data into tablet 1, because of too many "
			  "versions, current/limit: 1000/1000."),
		DBMAZZ_RETRY, DBMAZZ_SR_OVERLOAD},
		{FAIL("Too many versions. tablet_id: 1"), DBMAZZ_RETRY,
		DBMAZZ_SR_OVERLOAD},
		{FAIL("too large compaction score, current/limit: 1/1"),
		DBMAZZ_RETRY, DBMAZZ_SR_OVERLOAD},
		{FAIL("current running txns on db 1 is 100, larger than limit 100"),
		DBMAZZ_RETRY, DBMAZZ_SR_OVERLOAD},
		{FAIL("streamload txn num per be exceeds limit"), DBMAZZ_RETRY,
		DBMAZZ_SR_OVERLOAD},
		{FAIL("Stream Load exceed http cuncurrent limit 47, please try again "
			  "later"), DBMAZZ_RETRY, DBMAZZ_SR_OVERLOAD},
		{FAIL("Memory of process exceed limit. Used: 1"), DBMAZZ_RETRY,
		DBMAZZ_SR_OVERLOAD},
		{FAIL("Mem usage has exceed the limit of BE"), DBMAZZ_RETRY,
		DBMAZZ_SR_OVERLOAD},
		{FAIL("Commit transaction fail cause x, Transaction status unknown, "
			  "you can retry with same label."),
		DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN},
		{FAIL("call frontend service failed, reason=THRIFT_EAGAIN (timed "
			  "out)"), DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN},
		{FAIL("wait close failed. x"), DBMAZZ_DOUBT, DBMAZZ_SR_UNCERTAIN},
		{FAIL("Service is shutting down, please retry later!"),
		DBMAZZ_RETRY, DBMAZZ_SR_TRANSIENT},
		{FAIL("receive body don't equal with body bytes"), DBMAZZ_RETRY,
		DBMAZZ_SR_TRANSIENT},
		{FAIL("some text of the future"), DBMAZZ_RETRY, DBMAZZ_SR_TRANSIENT},
		{"{\"Status\":\"FAILED\",\"Message\":\"class com.starrocks.common."
			"DdlException: No backend alive.\"}", DBMAZZ_RETRY,
		DBMAZZ_SR_TRANSIENT},
		{"{\"Status\":\"FAILED\",\"Message\":\"class com.starrocks.common."
			"DdlException: There is no 100-continue header\"}",
		DBMAZZ_RETRY, DBMAZZ_SR_TRANSIENT}
	};
	DbmazzSrVerdict verdict;
	DbmazzError err;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		bool		ok;

		judge(200, DBMAZZ_HTTP_SENT, cases[i].body, &verdict, &err);
		ok = CHECK_INT(verdict.outcome, cases[i].outcome);
		ok = CHECK_INT(verdict.reason, cases[i].reason) && ok;
		ok = CHECK_INT(verdict.slow_down,
					   cases[i].reason == DBMAZZ_SR_OVERLOAD ||
					   cases[i].reason == DBMAZZ_SR_ACCESS) && ok;
		ok = CHECK_INT(err.status == DBMAZZ_ERR_UNREPRESENTABLE,
					   cases[i].reason == DBMAZZ_SR_DATA ||
					   cases[i].reason == DBMAZZ_SR_KEY_SIZE ||
					   cases[i].reason == DBMAZZ_SR_UNREADABLE ||
					   cases[i].reason == DBMAZZ_SR_TOO_LARGE) && ok;
		if (!ok)
			printf("  case %zu: %s\n", i, cases[i].body);
	}
}

static void
transport(void)
{
	static const Case cases[] = {
		{"", 0, DBMAZZ_HTTP_UNSENT, DBMAZZ_RETRY, DBMAZZ_SR_TRANSPORT, false},
		{"", 0, DBMAZZ_HTTP_BEGUN, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT, false},
		{"", 0, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT, false},
		{"", 200, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT, false},
		{"<html>", 502, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT,
		false},
		{"<html>", 502, DBMAZZ_HTTP_UNSENT, DBMAZZ_RETRY,
		DBMAZZ_SR_TRANSPORT, false},
		{"Not Found", 404, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT,
		DBMAZZ_SR_TRANSPORT, false},
		{"[]", 200, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT,
		false},
		{"{}", 200, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT,
		false},
		{"{\"Status\":1}", 200, DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT,
		DBMAZZ_SR_TRANSPORT, false},
		{RESULT("Success", "OK", "100") "HTTP/1.1 200 OK", 200,
			DBMAZZ_HTTP_SENT, DBMAZZ_DOUBT, DBMAZZ_SR_TRANSPORT, false},
		{"", 401, DBMAZZ_HTTP_UNSENT, DBMAZZ_RETRY, DBMAZZ_SR_ACCESS, true},
		{"", 401, DBMAZZ_HTTP_SENT, DBMAZZ_RETRY, DBMAZZ_SR_ACCESS, true},
		{"{\"status\":\"FAILED\",\"code\":\"1\",\"msg\":\"Need auth "
			"information.\",\"message\":\"Need auth information.\"}", 401,
		DBMAZZ_HTTP_UNSENT, DBMAZZ_RETRY, DBMAZZ_SR_ACCESS, true}
	};
	DbmazzHttpAnswer answer;
	DbmazzSrVerdict verdict;
	DbmazzError err;

	run_cases(cases, sizeof(cases) / sizeof(cases[0]));

	/* a whole answer counts although the transfer ended in an error */
	make_answer(&answer, 200, DBMAZZ_HTTP_BEGUN, FAIL("too many versions"));
	answer.complete = false;
	strcpy(answer.error, "Send failure: Broken pipe");
	dbmazz_sr_answer_load(&answer, LABEL, NROWS, &verdict, &err);
	CHECK_INT(verdict.reason, DBMAZZ_SR_OVERLOAD);

	/* one that was cut at the limit does not, whatever it looks like */
	make_answer(&answer, 200, DBMAZZ_HTTP_SENT, RESULT("Success", "OK",
													   "100"));
	answer.complete = false;
	answer.too_large = true;
	dbmazz_sr_answer_load(&answer, LABEL, NROWS, &verdict, &err);
	CHECK_INT(verdict.outcome, DBMAZZ_DOUBT);
}

/* The server's text reaches the record clean, and whole in the detail. */
static void
messages(void)
{
	DbmazzSrVerdict verdict;
	DbmazzError err;
	char		body[2000];
	char		long_text[600];

	judge(200, DBMAZZ_HTTP_SENT, FAIL("a\\nb\\u0007\xff too many versions"),
		  &verdict, &err);
	CHECK_STR(err.message, "StarRocks: a b ? too many versions");
	CHECK_STR(err.detail, "");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	snprintf(body, sizeof(body), "{\"Status\":\"Fail\",\"Message\":\"%s\"}",
			 long_text);
	judge(200, DBMAZZ_HTTP_SENT, body, &verdict, &err);
	CHECK_STR(err.detail, long_text);

	judge(200, DBMAZZ_HTTP_SENT,
		  "{\"Status\":\"Fail\",\"Message\":\"too many filtered rows\","
		  "\"ErrorURL\":\"http://be:8040/api/_load_error_log?file=e\"}",
		  &verdict, &err);
	CHECK_STR(verdict.error_url, "http://be:8040/api/_load_error_log?file=e");
}

static void
states(void)
{
	static const struct
	{
		const char *body;
		int			status;
		DbmazzSrLabelState state;
	}			cases[] = {
		{"{\"status\":\"OK\",\"state\":\"UNKNOWN\"}", 200,
		DBMAZZ_SR_LABEL_UNKNOWN},
		{"{\"status\":\"OK\",\"state\":\"PREPARE\"}", 200,
		DBMAZZ_SR_LABEL_RUNNING},
		{"{\"status\":\"OK\",\"state\":\"PREPARED\"}", 200,
		DBMAZZ_SR_LABEL_PREPARED},
		{"{\"status\":\"OK\",\"state\":\"COMMITTED\"}", 200,
		DBMAZZ_SR_LABEL_COMMITTED},
		{"{\"status\":\"OK\",\"code\":\"0\",\"msg\":\"Success\",\"message\":"
			"\"OK\",\"state\":\"VISIBLE\",\"reason\":\"\"}", 200,
		DBMAZZ_SR_LABEL_COMMITTED},
		{"{\"status\":\"OK\",\"state\":\"ABORTED\",\"reason\":\"user "
			"cancel\"}", 200, DBMAZZ_SR_LABEL_ABORTED},
		{"{\"status\":\"OK\",\"state\":\"visible\"}", 200,
		DBMAZZ_SR_LABEL_COMMITTED},
		{"{\"status\":\"OK\",\"state\":\"SOMETHING\"}", 200,
		DBMAZZ_SR_LABEL_UNREADABLE},
		{"{\"status\":\"OK\"}", 200, DBMAZZ_SR_LABEL_UNREADABLE},
		{"{\"state\":\"VISIBLE\"}", 200, DBMAZZ_SR_LABEL_UNREADABLE},
		{"{\"status\":\"FAILED\",\"msg\":\"x\",\"state\":\"VISIBLE\"}", 200,
		DBMAZZ_SR_LABEL_UNREADABLE},
		{"{\"status\":\"OK\",\"state\":\"VISIBLE\"}", 500,
		DBMAZZ_SR_LABEL_UNREADABLE},
		{"{\"status\":\"OK\",\"state\":\"VISIB", 200,
		DBMAZZ_SR_LABEL_UNREADABLE},
		{"", 0, DBMAZZ_SR_LABEL_UNREADABLE}
	};
	DbmazzHttpAnswer answer;
	DbmazzSrVerdict verdict;
	DbmazzError err;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		make_answer(&answer, cases[i].status, DBMAZZ_HTTP_UNSENT,
					cases[i].body);
		if (!CHECK_INT(dbmazz_sr_answer_state(&answer, &verdict, &err),
					   cases[i].state))
			printf("  case %zu: %s\n", i, cases[i].body);
		if (cases[i].state == DBMAZZ_SR_LABEL_UNREADABLE)
		{
			CHECK(err.message[0] != '\0');
			CHECK(verdict.outcome == DBMAZZ_RETRY);
		}
	}
}

/* What the rollback of a group may be answered with, and what end it is at then. */
static void
ends(void)
{
	enum
	{
		UNREADABLE = DBMAZZ_SR_LABEL_UNREADABLE,
		UNKNOWN = DBMAZZ_SR_LABEL_UNKNOWN,
		COMMITTED = DBMAZZ_SR_LABEL_COMMITTED,
		ABORTED = DBMAZZ_SR_LABEL_ABORTED
	};
	static const struct
	{
		const char *body;
		int			status;
		int			state;
	}			cases[] = {
		{RESULT("OK", "stream load x abort", "0"), 200, ABORTED},
		{RESULT("FAILED", "stream load task x does not exist", "0"), 200, UNKNOWN},
		{RESULT("FAILED", "stream load taskxdoes not exist", "0"), 200, UNKNOWN},
		{RESULT("FAILED", "Can not abort VISIBLE transaction 7, label is x", "0"), 200, COMMITTED},
		{RESULT("FAILED", "Can not abort COMMITTED transaction, label is x", "0"), 200, COMMITTED},
		{RESULT("FAILED", "transaction is already aborted", "0"), 200, UNKNOWN},
		{RESULT("OK", "stream load task x has already aborted", "0"), 200, UNKNOWN},
		{RESULT("OK", "abort is already in progress", "0"), 200, UNKNOWN},
		{RESULT("FAILED", "Can not abort transaction 7 during committing, label is x", "0"),
		200, UNREADABLE},
		{RESULT("FAILED", "Can't find the transaction with db [d] and label [x]", "0"),
		200, UNKNOWN},
		/* whatever is new to us */
		{RESULT("FAILED", "a text of another release", "0"), 200, UNREADABLE},
		{RESULT("INTERNAL_ERROR", "leader is not ready", "0"), 200, UNREADABLE},
		{RESULT("FAILED", "", "0"), 200, UNREADABLE},
		{RESULT("FAILED", "memory limit exceeded", "0"), 200, UNREADABLE},
		{RESULT("FAILED", "Access denied: x does not exist", "0"), 200, UNREADABLE},
		/* not from the server, or not for us */
		{RESULT("FAILED", "x does not exist", "0"), 404, UNREADABLE},
		{RESULT("OK", "", "0"), 500, UNREADABLE},
		{"x does not exist", 200, UNREADABLE},
		{"", 0, UNREADABLE},
		{"{\"Status\":\"FAILED\",\"Label\":\"other\",\"Message\":\"does not exist\"}",
		200, UNREADABLE}
	};
	DbmazzHttpAnswer answer;
	DbmazzSrVerdict verdict;
	DbmazzError err;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		make_answer(&answer, cases[i].status, DBMAZZ_HTTP_SENT, cases[i].body);
		if (!CHECK_INT(dbmazz_sr_answer_ended(&answer, LABEL, &verdict, &err),
					   cases[i].state))
			printf("  case %zu: %s\n", i, cases[i].body);
		CHECK_INT(err.message[0] == '\0', cases[i].state != UNREADABLE);
	}
}

/*
 * Every prefix of an answer, and answers with bytes changed at random.  Read
 * from a block of exactly that size, so that a sanitizer sees any step beyond.
 */
static void
damaged(void)
{
	static const char whole[] = RESULT("Success", "OK", "100");
	unsigned int seed = 4711;
	DbmazzSrVerdict verdict;
	DbmazzError err;
	size_t		len = strlen(whole);
	size_t		i;
	int			round;

	for (i = 0; i <= len; i++)
	{
		DbmazzHttpAnswer answer;
		char	   *copy = malloc(i + 1);

		memcpy(copy, whole, i);
		copy[i] = '\0';
		make_answer(&answer, 200, DBMAZZ_HTTP_SENT, copy);
		dbmazz_sr_answer_load(&answer, LABEL, NROWS, &verdict, &err);
		/* the last byte is a newline behind the object */
		CHECK_INT(verdict.outcome,
				  i >= len - 1 ? DBMAZZ_DONE : DBMAZZ_DOUBT);
		free(copy);
	}
	for (round = 0; round < 20000; round++)
	{
		DbmazzHttpAnswer answer;
		char	   *copy = malloc(len + 1);
		int			k;

		memcpy(copy, whole, len + 1);
		for (k = 0; k < 1 + round % 5; k++)
		{
			seed = seed * 1103515245U + 12345U;
			copy[(seed >> 8) % len] = (char) (seed >> 16);
		}
		make_answer(&answer, 200, DBMAZZ_HTTP_SENT, copy);
		answer.body_len = len;
		dbmazz_sr_answer_load(&answer, LABEL, NROWS, &verdict, &err);
		(void) dbmazz_sr_answer_state(&answer, &verdict, &err);
		free(copy);
	}
}

/* Deep nesting must not use up the stack. */
static void
nested(void)
{
	size_t		len = 1024 * 1024;
	char	   *body = malloc(len + 1);
	DbmazzSrVerdict verdict;
	DbmazzError err;

	memset(body, '[', len);
	body[len] = '\0';
	judge(200, DBMAZZ_HTTP_SENT, body, &verdict, &err);
	CHECK_INT(verdict.outcome, DBMAZZ_DOUBT);
	free(body);
}

void
unit_answer(void)
{
	statuses();
	failures();
	transport();
	messages();
	states();
	ends();
	damaged();
	nested();
}
