/*
 * unit.c
 *		Main program of the sinks' unit tests: unit [group...].
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

static const struct
{
	const char *name;
	void		(*run) (void);
}			groups[] = {
	{"answer", unit_answer},
	{"cache", unit_cache},
	{"compress", unit_compress},
	{"ddl", unit_ddl},
	{"loss", unit_loss},
	{"options", unit_options},
	{"plan", unit_plan},
	{"schema", unit_schema},
	{"starrocks", unit_starrocks},
	{"text", unit_text},
	{"url", unit_url}
};

static int	checks;
static int	failures;

bool
unit_true(bool ok, const char *what, const char *file, int line)
{
	checks++;
	if (!ok)
	{
		failures++;
		printf("%s:%d: %s\n", file, line, what);
	}
	return ok;
}

bool
unit_int(int64_t got, int64_t expected, const char *what, const char *file,
		 int line)
{
	bool		ok = unit_true(got == expected, what, file, line);

	if (!ok)
		printf("  got %lld, expected %lld\n", (long long) got,
			   (long long) expected);
	return ok;
}

bool
unit_str(const char *got, const char *expected, const char *what,
		 const char *file, int line)
{
	bool		ok = unit_true(strcmp(got, expected) == 0, what, file, line);

	if (!ok)
		printf("  got      %s\n  expected %s\n", got, expected);
	return ok;
}

bool
unit_has(const char *got, const char *part, const char *what,
		 const char *file, int line)
{
	bool		ok = unit_true(strstr(got, part) != NULL, what, file, line);

	if (!ok)
		printf("  got %s\n  which has no %s\n", got, part);
	return ok;
}

int
main(int argc, char **argv)
{
	size_t		i;
	int			k;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
	{
		bool		wanted = argc < 2;
		int			before = failures;

		for (k = 1; k < argc; k++)
			wanted = wanted || strcmp(argv[k], groups[i].name) == 0;
		if (!wanted)
			continue;
		groups[i].run();
		printf("%-10s %s\n", groups[i].name,
			   failures == before ? "ok" : "FAILED");
	}
	printf("%d checks, %d failed\n", checks, failures);
	return failures > 0;
}
