/*
 * fuzz_loadresult.c
 *		Fuzz target: any bytes as what StarRocks answered.
 *
 * NOTES
 *	  The first bytes say how the answer came, the others are its body.  What
 *	  must hold: a success is one only if the body has one of the words for it,
 *	  nothing that was never sent can be in doubt, and whatever goes into
 *	  messages is short, terminated and UTF-8.
 */
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "helpers.h"
#include "sinks/starrocks/answer.h"
#include "sinks/starrocks/errorlog.h"

#define NHEADER		4			/* bytes of the input before the body */
#define LABEL		"0123456789abcdef-1-000000000000beef-1"

static const int statuses[] = {200, 200, 200, 200, 0, 307, 401, 403, 404, 500};

static bool
is_utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *) text;

	while (*p != '\0')
	{
		unsigned char lead = *p++;
		int			more = (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0);

		if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4)
			return false;
		while (more-- > 0)
		{
			if ((*p++ & 0xC0) != 0x80)
				return false;
		}
	}
	return true;
}

static bool
contains(const char *body, size_t len, const char *word)
{
	size_t		n = strlen(word);
	size_t		i;

	for (i = 0; i + n <= len; i++)
	{
		if (strncasecmp(body + i, word, n) == 0)
			return true;
	}
	return false;
}

static void
check_error(const DbmazzError *err)
{
	MUST(memchr(err->message, '\0', sizeof(err->message)) != NULL);
	MUST(memchr(err->detail, '\0', sizeof(err->detail)) != NULL);
	MUST(memchr(err->hint, '\0', sizeof(err->hint)) != NULL);
	MUST(is_utf8(err->message));
	MUST(is_utf8(err->detail));
	MUST(is_utf8(err->hint));
}

static void
check_verdict(const DbmazzSrVerdict *verdict, const DbmazzError *err)
{
	MUST(verdict->outcome <= DBMAZZ_REJECT);
	MUST(verdict->reason <= DBMAZZ_SR_REFUSED);
	MUST(memchr(verdict->error_url, '\0',
				sizeof(verdict->error_url)) != NULL);
	MUST(verdict->outcome == DBMAZZ_DONE || err->message[0] != '\0');
	check_error(err);
}

static void
check_load(const DbmazzHttpAnswer *answer, uint64_t nrows)
{
	DbmazzSrVerdict verdict;
	DbmazzError err;

	dbmazz_sr_answer_load(answer, LABEL, nrows, &verdict, &err);
	check_verdict(&verdict, &err);
	if (verdict.outcome != DBMAZZ_DONE)
		return;
	/* The words may be hidden by escapes; those have a backslash. */
	MUST(contains(answer->body, answer->body_len, "Success") ||
		 contains(answer->body, answer->body_len, "Publish Timeout") ||
		 contains(answer->body, answer->body_len, "FINISHED") ||
		 memchr(answer->body, '\\', answer->body_len) != NULL);
}

static void
check_state(const DbmazzHttpAnswer *answer)
{
	DbmazzSrVerdict verdict;
	DbmazzSrLabelState state;
	DbmazzError err;

	state = dbmazz_sr_answer_state(answer, &verdict, &err);
	check_error(&err);
	if (state == DBMAZZ_SR_LABEL_UNREADABLE)
		check_verdict(&verdict, &err);
	if (state == DBMAZZ_SR_LABEL_COMMITTED)
		MUST(contains(answer->body, answer->body_len, "COMMITTED") ||
			 contains(answer->body, answer->body_len, "VISIBLE") ||
			 memchr(answer->body, '\\', answer->body_len) != NULL);
}

static void
check_answer_error(const DbmazzHttpAnswer *answer)
{
	DbmazzSrVerdict verdict;
	DbmazzError err;

	dbmazz_sr_answer_error(answer, &verdict, &err);
	check_verdict(&verdict, &err);
	MUST(verdict.outcome != DBMAZZ_DONE);
	/* In doubt without a row sent: only if an earlier try may have been. */
	MUST(verdict.outcome != DBMAZZ_DOUBT ||
		 contains(answer->body, answer->body_len, "already been used") ||
		 memchr(answer->body, '\\', answer->body_len) != NULL);
}

static void
check_error_log(const char *data, size_t len, size_t outlen)
{
	static const ColumnSpec columns[] = {
		{.name = "id", .flags = DBMAZZ_COLUMN_KEY},
		{.name = "k\xC3\xA4y", .flags = DBMAZZ_COLUMN_KEY},
		{.name = "v"}
	};
	DbmazzTableDesc *desc = make_desc(columns, 3);
	DbmazzSrBadRow first;
	char	   *out = must_alloc(outlen);

	dbmazz_sr_error_log(data, len, desc, out, outlen, &first);
	MUST(memchr(out, '\0', outlen) != NULL);
	MUST(is_utf8(out));
	MUST(first.column >= -1 && first.column < 3);
	free(out);
	free(desc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DbmazzHttpAnswer answer;
	size_t		len;
	char	   *body;

	if (size < NHEADER)
		return 0;
	len = size - NHEADER;
	body = must_alloc(len + 1);
	memcpy(body, data + NHEADER, len);
	body[len] = '\0';

	memset(&answer, 0, sizeof(answer));
	answer.status = statuses[data[0] % 10];
	answer.phase = (DbmazzHttpPhase) (data[1] % 3);
	answer.complete = (data[1] & 0x10) == 0;
	answer.too_large = (data[1] & 0x60) == 0x60;
	answer.body = body;
	answer.body_len = len;
	if (!answer.complete)
		strcpy(answer.error, "connection broken");

	check_load(&answer, data[2] % 4);
	check_state(&answer);
	check_answer_error(&answer);
	check_error_log(body, len, 1 + data[3]);
	free(body);
	return 0;
}
