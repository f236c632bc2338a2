/*
 * answer.c
 *		From the bytes of a StarRocks answer to an outcome.
 */
#include "sinks/starrocks/answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "sinks/starrocks/text.h"

/*
 * What a message means, by a fragment of it.  The first that fits decides: so
 * what leaves the outcome open stands before all others.
 */
typedef struct Fragment
{
	const char *text;			/* lower case */
	DbmazzSrReason reason;
} Fragment;

static const Fragment fragments[] = {
	{"transaction status unknown", DBMAZZ_SR_UNCERTAIN},
	{"has already been used", DBMAZZ_SR_UNCERTAIN},

	{"no valid basic authorization", DBMAZZ_SR_ACCESS},
	{"access denied", DBMAZZ_SR_ACCESS},
	{"need auth information", DBMAZZ_SR_ACCESS},

	{"exceeds quota", DBMAZZ_SR_OVERLOAD},
	{"too many versions", DBMAZZ_SR_OVERLOAD},
	{"compaction score", DBMAZZ_SR_OVERLOAD},
	{"current running txns on db", DBMAZZ_SR_OVERLOAD},
	{"txn num per be exceeds limit", DBMAZZ_SR_OVERLOAD},
	{"exceed http cuncurrent limit", DBMAZZ_SR_OVERLOAD},
	{"exceed http concurrent limit", DBMAZZ_SR_OVERLOAD},
	{"mem usage has exceed", DBMAZZ_SR_OVERLOAD},
	{"memory limit", DBMAZZ_SR_OVERLOAD},
	{"memory of ", DBMAZZ_SR_OVERLOAD},
	{"mem_limit_exceeded", DBMAZZ_SR_OVERLOAD},

	{"too many filtered rows", DBMAZZ_SR_DATA},
	{"no load data", DBMAZZ_SR_DATA},
	{"no partitions have data available", DBMAZZ_SR_DATA},
	{"primary key size exceed", DBMAZZ_SR_KEY_SIZE},
	{"null value in auto increment", DBMAZZ_SR_DATA},
	{"illegal json", DBMAZZ_SR_UNREADABLE},
	{"failed to parse json", DBMAZZ_SR_UNREADABLE},
	{"parse json", DBMAZZ_SR_UNREADABLE},
	{"strip_outer_array", DBMAZZ_SR_UNREADABLE},
	{"beyond the json payload limit", DBMAZZ_SR_TOO_LARGE},
	{"exceed the max size", DBMAZZ_SR_TOO_LARGE},
	{"streaming_load_max_mb", DBMAZZ_SR_TOO_LARGE},

	{"unknown database", DBMAZZ_SR_NO_DATABASE},
	{"unknown table", DBMAZZ_SR_NO_TABLE},
	{"failed to find table", DBMAZZ_SR_NO_TABLE},
	{"empty table", DBMAZZ_SR_NO_TABLE},
	{"no default value", DBMAZZ_SR_SCHEMA},
	{"unknown column", DBMAZZ_SR_SCHEMA},
	{"not in partial update columns", DBMAZZ_SR_SCHEMA},
	{"only primary key table support", DBMAZZ_SR_SCHEMA},
	{"not olap table", DBMAZZ_SR_SCHEMA},
	{"generated column", DBMAZZ_SR_SCHEMA},

	{"unknown data format", DBMAZZ_SR_REFUSED},
	{"invalid timeout format", DBMAZZ_SR_REFUSED},
	{"invalid strict mode format", DBMAZZ_SR_REFUSED},
	{"invalid partial update flag", DBMAZZ_SR_REFUSED},

	{"100-continue header", DBMAZZ_SR_TRANSIENT},	/* taken by a proxy */
	{"shutting down", DBMAZZ_SR_TRANSIENT},
	{"no backend", DBMAZZ_SR_TRANSIENT},
	{"no compute node", DBMAZZ_SR_TRANSIENT},
	{"receive body don't equal", DBMAZZ_SR_TRANSIENT},

	{"timeout", DBMAZZ_SR_UNCERTAIN},
	{"timed out", DBMAZZ_SR_UNCERTAIN},
	{"rpc", DBMAZZ_SR_UNCERTAIN},
	{"commit transaction fail", DBMAZZ_SR_UNCERTAIN},
	{"wait close failed", DBMAZZ_SR_UNCERTAIN},
	{"in_processing", DBMAZZ_SR_UNCERTAIN}
};

/* An answer of any of the shapes that frontends and backends use. */
typedef struct Reply
{
	cJSON	   *root;
	const char *status;			/* never NULL */
	const char *message;		/* never NULL */
} Reply;

static bool parse_reply(const DbmazzHttpAnswer *answer, Reply *reply);
static const char *text_of(const cJSON *root, const char *name);
static void judge_success(const Reply *reply, uint64_t nrows,
						  DbmazzSrVerdict *verdict, DbmazzError *err);
static void judge_other_label(DbmazzSrVerdict *verdict, DbmazzError *err);
static void judge_used_label(const Reply *reply, DbmazzSrVerdict *verdict,
							 DbmazzError *err);
static void judge_failure(const Reply *reply, const DbmazzHttpAnswer *answer,
						  DbmazzSrVerdict *verdict, DbmazzError *err);
static void judge_transport(const DbmazzHttpAnswer *answer,
							DbmazzSrVerdict *verdict, DbmazzError *err);
static DbmazzOutcome outcome_of(DbmazzSrReason reason);
static DbmazzStatus status_of(DbmazzSrReason reason);
static bool is_success(const Reply *reply);
static bool is_other_label(const Reply *reply, const char *label);
static bool find_fragment(const char *message, const char *fragment);

void
dbmazz_sr_answer_load(const DbmazzHttpAnswer *answer, const char *label,
					  uint64_t nrows, DbmazzSrVerdict *verdict,
					  DbmazzError *err)
{
	Reply		reply;

	memset(verdict, 0, sizeof(*verdict));
	dbmazz_error_reset(err);
	if (!parse_reply(answer, &reply) ||
		(reply.status[0] == '\0' && reply.message[0] == '\0'))
	{
		judge_transport(answer, verdict, err);
		cJSON_Delete(reply.root);
		return;
	}
	if (is_other_label(&reply, label))
		judge_other_label(verdict, err);
	else if (is_success(&reply) && answer->status == 200 &&
			 answer->phase == DBMAZZ_HTTP_SENT)
		judge_success(&reply, nrows, verdict, err);
	else if (is_success(&reply))
	{
		/* Whatever its message says: a part of the rows may be committed. */
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks reported success before it had all rows");
		verdict->reason = answer->phase == DBMAZZ_HTTP_UNSENT ?
			DBMAZZ_SR_TRANSIENT : DBMAZZ_SR_UNCERTAIN;
		verdict->outcome = outcome_of(verdict->reason);
	}
	else if (strcasecmp(reply.status, "Label Already Exists") == 0 ||
			 strcasecmp(reply.status, "LABEL_ALREADY_EXISTS") == 0)
		judge_used_label(&reply, verdict, err);
	else
		judge_failure(&reply, answer, verdict, err);
	cJSON_Delete(reply.root);
}

bool
dbmazz_sr_answer_call(const DbmazzHttpAnswer *answer, const char *label,
					  DbmazzSrVerdict *verdict, DbmazzError *err)
{
	Reply		reply;

	memset(verdict, 0, sizeof(*verdict));
	dbmazz_error_reset(err);
	if (!parse_reply(answer, &reply) ||
		(reply.status[0] == '\0' && reply.message[0] == '\0'))
		judge_transport(answer, verdict, err);
	else if (is_other_label(&reply, label))
		judge_other_label(verdict, err);
	else if (answer->status != 200 || strcasecmp(reply.status, "OK") != 0)
		judge_failure(&reply, answer, verdict, err);
	cJSON_Delete(reply.root);
	return err->message[0] == '\0';
}

DbmazzSrLabelState
dbmazz_sr_answer_ended(const DbmazzHttpAnswer *answer, const char *label,
					   DbmazzSrVerdict *verdict, DbmazzError *err)
{
	static const struct
	{
		const char *text;
		DbmazzSrLabelState state;
	}			ends[] = {
		{"does not exist", DBMAZZ_SR_LABEL_UNKNOWN},
		{"can't find the transaction", DBMAZZ_SR_LABEL_UNKNOWN},	/* before 4.0 */
		{"already aborted", DBMAZZ_SR_LABEL_UNKNOWN},
		{"already in progress", DBMAZZ_SR_LABEL_UNKNOWN},
		{"can not abort visible", DBMAZZ_SR_LABEL_COMMITTED},
		{"can not abort committed", DBMAZZ_SR_LABEL_COMMITTED}
	};
	bool		is_done = dbmazz_sr_answer_call(answer, label, verdict, err);
	DbmazzSrLabelState result = is_done ?
	DBMAZZ_SR_LABEL_ABORTED : DBMAZZ_SR_LABEL_UNREADABLE;
	Reply		reply;
	size_t		i;

	if (!is_done && (verdict->reason == DBMAZZ_SR_TRANSPORT ||
					 verdict->reason == DBMAZZ_SR_ACCESS ||
					 answer->status != 200))
		return result;
	if (parse_reply(answer, &reply) && !is_other_label(&reply, label))
	{
		for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			if (find_fragment(reply.message, ends[i].text))
				result = ends[i].state;
	}
	cJSON_Delete(reply.root);
	if (result != DBMAZZ_SR_LABEL_UNREADABLE)
		dbmazz_error_reset(err);
	return result;
}

double
dbmazz_sr_answer_loaded(const DbmazzHttpAnswer *answer)
{
	const cJSON *loaded;
	double		result = -1;
	Reply		reply;

	if (parse_reply(answer, &reply))
	{
		loaded = cJSON_GetObjectItem(reply.root, "NumberLoadedRows");
		if (cJSON_IsNumber(loaded))
			result = loaded->valuedouble;
	}
	cJSON_Delete(reply.root);
	return result;
}

DbmazzSrLabelState
dbmazz_sr_answer_state(const DbmazzHttpAnswer *answer,
					   DbmazzSrVerdict *verdict, DbmazzError *err)
{
	static const struct
	{
		const char *name;
		DbmazzSrLabelState state;
	}			states[] = {
		{"UNKNOWN", DBMAZZ_SR_LABEL_UNKNOWN},
		{"PREPARE", DBMAZZ_SR_LABEL_RUNNING},
		{"PREPARED", DBMAZZ_SR_LABEL_PREPARED},
		{"COMMITTED", DBMAZZ_SR_LABEL_COMMITTED},
		{"VISIBLE", DBMAZZ_SR_LABEL_COMMITTED},
		{"ABORTED", DBMAZZ_SR_LABEL_ABORTED}
	};
	DbmazzSrLabelState state = DBMAZZ_SR_LABEL_UNREADABLE;
	char		reason[DBMAZZ_ERROR_MESSAGE];
	Reply		reply;
	size_t		i;

	memset(verdict, 0, sizeof(*verdict));
	dbmazz_error_reset(err);
	if (parse_reply(answer, &reply) && answer->status == 200 &&
		strcasecmp(reply.status, "OK") == 0)
	{
		const char *name = text_of(reply.root, "state");

		for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		{
			if (strcasecmp(name, states[i].name) == 0)
				state = states[i].state;
		}
		if (state == DBMAZZ_SR_LABEL_RUNNING ||
			state == DBMAZZ_SR_LABEL_PREPARED)
			dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
							 "StarRocks has not finished the load");
		if (state == DBMAZZ_SR_LABEL_ABORTED)
		{
			const char *text = text_of(reply.root, "reason");

			dbmazz_sr_clean(reason, sizeof(reason), text, strlen(text));
			dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
							 "StarRocks has aborted the load%s%s",
							 reason[0] != '\0' ? ": " : "", reason);
		}
	}
	cJSON_Delete(reply.root);
	if (state == DBMAZZ_SR_LABEL_UNREADABLE)
		dbmazz_sr_answer_error(answer, verdict, err);
	return state;
}

void
dbmazz_sr_answer_error(const DbmazzHttpAnswer *answer,
					   DbmazzSrVerdict *verdict, DbmazzError *err)
{
	DbmazzHttpAnswer unsent = *answer;
	Reply		reply;

	memset(verdict, 0, sizeof(*verdict));
	dbmazz_error_reset(err);
	unsent.phase = DBMAZZ_HTTP_UNSENT;
	if (parse_reply(answer, &reply) && reply.message[0] != '\0' &&
		strcasecmp(reply.status, "OK") != 0)
		judge_failure(&reply, &unsent, verdict, err);
	else
		judge_transport(&unsent, verdict, err);
	cJSON_Delete(reply.root);
}

/*
 * False if the body is no JSON object; 'root' must be freed in any case.  Bytes
 * behind the object make it none: they are a sign of a mixed-up connection.
 */
static bool
parse_reply(const DbmazzHttpAnswer *answer, Reply *reply)
{
	const char *end = NULL;
	const char *limit = answer->body + answer->body_len;

	reply->status = "";
	reply->message = "";
	reply->root = NULL;
	if (answer->too_large || answer->body_len == 0)
		return false;
	reply->root = cJSON_ParseWithLengthOpts(answer->body, answer->body_len,
											&end, 0);
	if (!cJSON_IsObject(reply->root))
		return false;
	while (end != NULL && end < limit && isspace((unsigned char) *end))
		end++;
	if (end != limit)
		return false;
	reply->status = text_of(reply->root, "status");
	reply->message = text_of(reply->root, "message");
	if (reply->message[0] == '\0')
		reply->message = text_of(reply->root, "msg");
	if (reply->message[0] == '\0')
		reply->message = text_of(reply->root, "exception");
	return true;
}

/* A member that is a string, its name in any case; else "". */
static const char *
text_of(const cJSON *root, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(root, name));

	return text != NULL ? text : "";
}

static bool
is_success(const Reply *reply)
{
	return strcasecmp(reply->status, "Success") == 0 ||
		strcasecmp(reply->status, "Publish Timeout") == 0;
}

/*
 * Committed.  If not all rows were counted the load must not pass for a success,
 * and sending it again would only be told that the label is used: so it is for
 * the operator to look at.
 */
static void
judge_success(const Reply *reply, uint64_t nrows, DbmazzSrVerdict *verdict,
			  DbmazzError *err)
{
	const cJSON *loaded = cJSON_GetObjectItem(reply->root, "NumberLoadedRows");

	verdict->ask_state = strcasecmp(reply->status, "Success") != 0;
	if (!cJSON_IsNumber(loaded))
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks did not say how many rows it loaded");
		verdict->reason = DBMAZZ_SR_UNCERTAIN;
		verdict->outcome = DBMAZZ_DOUBT;
		return;
	}
	if (loaded->valuedouble != (double) nrows)
	{
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks loaded %.0f rows of the %llu that were "
						 "sent", loaded->valuedouble,
						 (unsigned long long) nrows);
		dbmazz_error_detail(err, "The load is committed, so sending it again "
							"would not load the missing rows.");
		verdict->reason = DBMAZZ_SR_REFUSED;
		verdict->outcome = DBMAZZ_REJECT;
		verdict->ask_state = false;
		return;
	}
	verdict->reason = DBMAZZ_SR_FINE;
	verdict->outcome = DBMAZZ_DONE;
	if (verdict->ask_state)
		dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
						 "StarRocks has committed the load but not yet "
						 "published it");
}

/* An answer that is not ours says nothing about our load. */
static void
judge_other_label(DbmazzSrVerdict *verdict, DbmazzError *err)
{
	dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
					 "StarRocks answered for another label");
	verdict->reason = DBMAZZ_SR_UNCERTAIN;
	verdict->outcome = DBMAZZ_DOUBT;
}

/* Within an epoch a label stands for the same bytes, so finished is done. */
static void
judge_used_label(const Reply *reply, DbmazzSrVerdict *verdict,
				 DbmazzError *err)
{
	if (strcasecmp(text_of(reply->root, "ExistingJobStatus"),
				   "FINISHED") == 0)
	{
		verdict->reason = DBMAZZ_SR_FINE;
		verdict->outcome = DBMAZZ_DONE;
		verdict->is_earlier = true;
		return;
	}
	dbmazz_error_set(err, DBMAZZ_ERR_LIMIT, 0,
					 "StarRocks is still busy with an earlier try of the load");
	verdict->reason = DBMAZZ_SR_UNCERTAIN;
	verdict->outcome = DBMAZZ_DOUBT;
}

static void
judge_failure(const Reply *reply, const DbmazzHttpAnswer *answer,
			  DbmazzSrVerdict *verdict, DbmazzError *err)
{
	const char *url = text_of(reply->root, "ErrorURL");
	bool		sent = answer->phase != DBMAZZ_HTTP_UNSENT;
	bool		is_fail = strcasecmp(reply->status, "Fail") == 0 ||
	strcasecmp(reply->status, "FAILED") == 0;

	verdict->reason = dbmazz_sr_answer_reason(reply->message);
	if (answer->status == 401)
		verdict->reason = DBMAZZ_SR_ACCESS;
	if (verdict->reason == DBMAZZ_SR_FINE)
	{
		/*
		 * A text that we do not know.  "Fail" says that nothing was
		 * committed, and the same bytes go out again under the same label;
		 * anything else leaves that open.
		 */
		verdict->reason = is_fail || !sent ? DBMAZZ_SR_TRANSIENT :
			DBMAZZ_SR_UNCERTAIN;
	}
	/* Unless a label is already there, an unsent body cannot be committed. */
	if (verdict->reason == DBMAZZ_SR_UNCERTAIN && !sent &&
		!find_fragment(reply->message, "has already been used"))
		verdict->reason = DBMAZZ_SR_TRANSIENT;
	verdict->outcome = outcome_of(verdict->reason);
	verdict->slow_down = verdict->reason == DBMAZZ_SR_OVERLOAD ||
		verdict->reason == DBMAZZ_SR_ACCESS;
	if ((verdict->reason == DBMAZZ_SR_DATA ||
		 verdict->reason == DBMAZZ_SR_UNREADABLE) &&
		strlen(url) < DBMAZZ_SR_ERROR_URL)
		strcpy(verdict->error_url, url);
	dbmazz_sr_answer_text(err, verdict->reason, "StarRocks",
						  reply->message[0] != '\0' ? reply->message :
						  reply->status);
}

/* No answer, or none that makes sense. */
static void
judge_transport(const DbmazzHttpAnswer *answer, DbmazzSrVerdict *verdict,
				DbmazzError *err)
{
	bool		sent = answer->phase != DBMAZZ_HTTP_UNSENT;
	char		text[DBMAZZ_HTTP_ERROR];

	verdict->reason = DBMAZZ_SR_TRANSPORT;
	dbmazz_sr_clean(text, sizeof(text), answer->error, strlen(answer->error));
	if (answer->status == 401 || answer->status == 403)
	{
		/* Refused on sight: whatever was sent has not been looked at. */
		verdict->reason = DBMAZZ_SR_ACCESS;
		verdict->slow_down = true;
		sent = false;
		dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
						 "StarRocks refused user or password (HTTP status %d)",
						 answer->status);
	}
	else if (!answer->complete)
		dbmazz_error_set(err, answer->too_large ? DBMAZZ_ERR_LIMIT :
						 DBMAZZ_ERR_TRUNCATED, 0,
						 "request to StarRocks failed: %s", text);
	else if (answer->status != 200)
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks answered with HTTP status %d",
						 answer->status);
	else
		dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0,
						 "StarRocks answered with something that is not a "
						 "result");
	if (answer->body_len > 0 && !answer->too_large)
	{
		char		excerpt[200];

		dbmazz_sr_clean(excerpt, sizeof(excerpt), answer->body,
						answer->body_len);
		dbmazz_error_detail(err, "The answer begins with: %s", excerpt);
	}
	verdict->outcome = sent ? DBMAZZ_DOUBT : DBMAZZ_RETRY;
}

DbmazzSrReason
dbmazz_sr_answer_reason(const char *message)
{
	size_t		i;

	for (i = 0; i < sizeof(fragments) / sizeof(fragments[0]); i++)
	{
		if (find_fragment(message, fragments[i].text))
			return fragments[i].reason;
	}
	if (find_fragment(message, "does not exist"))
	{
		if (find_fragment(message, "column"))
			return DBMAZZ_SR_SCHEMA;
		if (find_fragment(message, "table"))
			return DBMAZZ_SR_NO_TABLE;
		if (find_fragment(message, "database"))
			return DBMAZZ_SR_NO_DATABASE;
	}
	return DBMAZZ_SR_FINE;
}

static DbmazzOutcome
outcome_of(DbmazzSrReason reason)
{
	switch (reason)
	{
		case DBMAZZ_SR_FINE:
			return DBMAZZ_DONE;
		case DBMAZZ_SR_TRANSPORT:
		case DBMAZZ_SR_ACCESS:
		case DBMAZZ_SR_OVERLOAD:
		case DBMAZZ_SR_TRANSIENT:
			return DBMAZZ_RETRY;
		case DBMAZZ_SR_UNCERTAIN:
			return DBMAZZ_DOUBT;
		case DBMAZZ_SR_DATA:
		case DBMAZZ_SR_KEY_SIZE:
		case DBMAZZ_SR_UNREADABLE:
		case DBMAZZ_SR_TOO_LARGE:
		case DBMAZZ_SR_NO_TABLE:
		case DBMAZZ_SR_NO_DATABASE:
		case DBMAZZ_SR_SCHEMA:
		case DBMAZZ_SR_REFUSED:
			return DBMAZZ_REJECT;
	}
	return DBMAZZ_DOUBT;
}

/*
 * The status of the record tells the shipper what to do about a REJECT: one for
 * which fewer rows may help (UNREPRESENTABLE), or one of the table as a whole.
 */
static DbmazzStatus
status_of(DbmazzSrReason reason)
{
	switch (reason)
	{
		case DBMAZZ_SR_DATA:
		case DBMAZZ_SR_KEY_SIZE:
		case DBMAZZ_SR_UNREADABLE:
		case DBMAZZ_SR_TOO_LARGE:
			return DBMAZZ_ERR_UNREPRESENTABLE;
		case DBMAZZ_SR_OVERLOAD:
		case DBMAZZ_SR_TRANSIENT:
		case DBMAZZ_SR_UNCERTAIN:
			return DBMAZZ_ERR_LIMIT;
		default:
			return DBMAZZ_ERR_UNSUPPORTED;
	}
}

void
dbmazz_sr_answer_text(DbmazzError *err, DbmazzSrReason reason,
					  const char *what, const char *message)
{
	char		text[DBMAZZ_ERROR_DETAIL];

	dbmazz_sr_clean(text, sizeof(text), message, strlen(message));
	dbmazz_error_set(err, status_of(reason), 0, "%s: %s", what, text);
	if (strlen(message) + strlen(what) + 3 > DBMAZZ_ERROR_MESSAGE)
		dbmazz_error_detail(err, "%s", text);
}

static bool
is_other_label(const Reply *reply, const char *label)
{
	const char *named = text_of(reply->root, "Label");

	return named[0] != '\0' && strcmp(named, label) != 0;
}

/* Is 'fragment', which is in lower case, somewhere in the message? */
static bool
find_fragment(const char *message, const char *fragment)
{
	size_t		len = strlen(fragment);

	for (; *message != '\0'; message++)
	{
		if (strncasecmp(message, fragment, len) == 0)
			return true;
	}
	return false;
}
