/*
 * text.h
 *		A string that grows, and the ways in which names and foreign text go
 *		into it.
 */
#ifndef DBMAZZ_SR_TEXT_H
#define DBMAZZ_SR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero it to begin; dbmazz_sr_text_free() ends it. */
typedef struct DbmazzSrText
{
	char	   *data;			/* terminated; NULL while nothing was added */
	size_t		len;
	size_t		room;
	bool		failed;			/* out of memory: something is missing */
} DbmazzSrText;

extern void dbmazz_sr_text_free(DbmazzSrText *text);

/* Make it empty and keep the memory. */
extern void dbmazz_sr_text_clear(DbmazzSrText *text);
extern void dbmazz_sr_text_add(DbmazzSrText *text, const char *data,
							   size_t len);
extern void dbmazz_sr_text_addf(DbmazzSrText *text, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

/* The same as a line that ends with a zero byte. */
#define dbmazz_sr_text_line(text, ...) \
	(dbmazz_sr_text_addf(text, __VA_ARGS__), dbmazz_sr_text_add(text, "", 1))

/* `name`, with backticks inside doubled. */
extern void dbmazz_sr_text_ident(DbmazzSrText *text, const char *name);

/* "name" as a JSON string. */
extern void dbmazz_sr_text_json(DbmazzSrText *text, const char *value);

/* Percent-encoded. */
extern void dbmazz_sr_text_url(DbmazzSrText *text, const char *value);

/* 'text' has no byte that could end a header line. */
extern bool dbmazz_sr_is_clean(const char *text);

/*
 * Copy text that came from a server into 'out' (terminated): control bytes
 * become spaces, bytes that are not UTF-8 question marks, and it is cut to fit
 * at a character's end.  The server would choke on anything else in a view.
 */
extern void dbmazz_sr_clean(char *out, size_t outlen, const char *data,
							size_t len);

#endif							/* DBMAZZ_SR_TEXT_H */
