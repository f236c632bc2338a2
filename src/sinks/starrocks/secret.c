/*
 * secret.c
 *		Passwords in texts that came from elsewhere.
 */
#include "sinks/starrocks/secret.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASK	"***"

static void hide_in(char *text, const char *secret);

char *
dbmazz_sr_basic(const char *user, const char *password)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t		len = strlen(user) + 1 + strlen(password);
	unsigned char *plain = malloc(len + 1);
	char	   *result = malloc((len + 2) / 3 * 4 + 1);
	char	   *out = result;
	size_t		i;

	if (plain == NULL || result == NULL)
	{
		free(plain);
		free(result);
		return NULL;
	}
	(void) snprintf((char *) plain, len + 1, "%s:%s", user, password);
	for (i = 0; i < len; i += 3)
	{
		uint32_t	bits = (uint32_t) plain[i] << 16;

		if (i + 1 < len)
			bits |= (uint32_t) plain[i + 1] << 8;
		if (i + 2 < len)
			bits |= plain[i + 2];
		*out++ = digits[bits >> 18];
		*out++ = digits[(bits >> 12) & 63];
		*out++ = i + 1 < len ? digits[(bits >> 6) & 63] : '=';
		*out++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*out = '\0';
	free(plain);
	return result;
}

void
dbmazz_sr_hide(DbmazzError *err, const char *secret)
{
	if (strlen(secret) < DBMAZZ_SR_MIN_SECRET)
		return;
	hide_in(err->message, secret);
	hide_in(err->detail, secret);
	hide_in(err->hint, secret);
}

/* The mask is never longer than what it stands for. */
static void
hide_in(char *text, const char *secret)
{
	size_t		len = strlen(secret);
	size_t		rest;
	char	   *found;

	while ((found = strstr(text, secret)) != NULL)
	{
		memcpy(found, MASK, sizeof(MASK) - 1);
		text = found + sizeof(MASK) - 1;
		memmove(text, found + len, strlen(found + len) + 1);
	}
	rest = strlen(text);
	if (len > rest)
		len = rest + 1;
	while (--len >= DBMAZZ_SR_MIN_SECRET)
	{
		if (memcmp(text + rest - len, secret, len) == 0)
		{
			strcpy(text + rest - len, MASK);
			break;
		}
	}
}
