/*
 * names.c
 *		To be preloaded: names that a test makes up.
 *
 * NOTES
 *	  NAMES in the environment is "name=number,number;name=number ..."; other
 *	  names are looked up as ever.  Reads a file instead where it begins with '@',
 *	  so that names can change.  Looking for a name whose number is "hang" takes
 *	  minutes.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*Lookup) (const char *name, const char *service,
					   const struct addrinfo *hints, struct addrinfo **result);

static const char *
all_names(char *out, size_t len)
{
	const char *names = getenv("NAMES");
	FILE	   *file;
	size_t		n;

	if (names == NULL || names[0] != '@')
		return names != NULL ? names : "";
	file = fopen(names + 1, "r");
	if (file == NULL)
		return "";
	n = fread(out, 1, len - 1, file);
	fclose(file);
	out[n] = '\0';
	return out;
}

int
getaddrinfo(const char *name, const char *service,
			const struct addrinfo *hints, struct addrinfo **result)
{
	Lookup		real = (Lookup) dlsym(RTLD_NEXT, "getaddrinfo");
	char		buffer[1024];
	const char *p = all_names(buffer, sizeof(buffer));
	size_t		len = name != NULL ? strlen(name) : 0;
	struct addrinfo **tail = result;

	while (len > 0 && *p != '\0' && (strncmp(p, name, len) != 0 || p[len] != '='))
	{
		p += strcspn(p, ";");
		p += *p == ';';
	}
	if (len == 0 || *p == '\0')
		return real(name, service, hints, result);
	p += len + 1;
	while (*p != '\0' && *p != ';')
	{
		char		number[64];
		size_t		n = strcspn(p, ",;");
		int			error;

		snprintf(number, sizeof(number), "%.*s", (int) n, p);
		if (strcmp(number, "hang") == 0)
			sleep(600);
		error = real(number, service, hints, tail);
		if (error != 0)
			return error;
		while (*tail != NULL)
			tail = &(*tail)->ai_next;
		p += n;
		p += *p == ',';
	}
	return 0;
}
