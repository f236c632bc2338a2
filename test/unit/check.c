/*
 * check.c
 *		The harness, and the main program of the unit tests.
 *
 * NOTES
 *	  unit [name...] runs only the groups that are named.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#define MAX_PRINTED		5		/* failed checks of one test */

typedef struct Group
{
	const char *name;
	void		(*run) (void);
} Group;

static const Group groups[] = {
	{"audit", test_audit},
	{"backoff", test_backoff},
	{"batch", test_batch},
	{"body", test_body},
	{"budget", test_budget},
	{"bytes", test_bytes},
	{"csv", test_csv},
	{"dedup", test_dedup},
	{"encode", test_encode},
	{"encode_random", test_encode_random},
	{"error", test_error},
	{"fit", test_fit},
	{"json_check", test_json_check},
	{"keyrow", test_keyrow},
	{"label", test_label},
	{"pgjsonb", test_pgjsonb},
	{"pgoutput", test_pgoutput},
	{"pgtext", test_pgtext},
	{"relmap", test_relmap},
	{"rowtext", test_rowtext},
	{"scan", test_scan},
	{"tabledesc", test_tabledesc},
	{"texts", test_texts},
	{"typemap", test_typemap},
	{"utf8", test_utf8},
	{"values", test_values},
	{"watermark", test_watermark},
};

static const char *running;
static int	failed_checks;
static int	passed;
static int	failed;

void
check_run(const char *name, void (*test) (void))
{
	running = name;
	failed_checks = 0;
	test();
	if (failed_checks == 0)
		passed++;
	else
	{
		failed++;
		printf("FAILED: %s (%d checks)\n", name, failed_checks);
	}
}

bool
check_has_failed(void)
{
	return failed_checks > 0;
}

/* Count a failure; is it one to be printed? */
static bool
fail_at(const char *what, const char *file, int line)
{
	if (++failed_checks > MAX_PRINTED)
		return false;
	printf("%s:%d: %s: %s", file, line, running, what);
	return true;
}

bool
check_true(bool ok, const char *what, const char *file, int line)
{
	if (!ok && fail_at(what, file, line))
		printf(" is false\n");
	return ok;
}

bool
check_int(int64_t got, int64_t expected, const char *what,
		  const char *file, int line)
{
	bool		ok = got == expected;

	if (!ok && fail_at(what, file, line))
		printf(" is %lld, not %lld\n", (long long) got,
			   (long long) expected);
	return ok;
}

static void
print_text(const char *label, const char *text, size_t len)
{
	size_t		i;

	printf("  %s (%zu bytes): ", label, len);
	for (i = 0; i < len && i < 300; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c >= 0x20 && c < 0x7F)
			putchar(c);
		else
			printf("<%02X>", c);
	}
	printf(i < len ? "...\n" : "\n");
}

bool
check_text(const char *got, size_t got_len, const char *expected,
		   size_t expected_len, const char *what, const char *file, int line)
{
	bool		ok = got_len == expected_len &&
	(got_len == 0 || memcmp(got, expected, got_len) == 0);

	if (!ok && fail_at(what, file, line))
	{
		printf(" differs\n");
		print_text("got", got, got_len);
		print_text("expected", expected, expected_len);
	}
	return ok;
}

static bool
is_wanted(const char *name, int argc, char **argv)
{
	int			i;

	for (i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return argc < 2;
}

int
main(int argc, char **argv)
{
	size_t		i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
	{
		if (is_wanted(groups[i].name, argc, argv))
			groups[i].run();
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
