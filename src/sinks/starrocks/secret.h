/*
 * secret.h
 *		Passwords in texts that came from elsewhere.
 *
 * NOTES
 *	  We never write a password into a message.  But a target, or a proxy in front
 *	  of it, can put into its answer what it was sent.
 */
#ifndef DBMAZZ_SR_SECRET_H
#define DBMAZZ_SR_SECRET_H

#include "core/error.h"

/* Shorter ones are left alone: they would be found in every text. */
#define DBMAZZ_SR_MIN_SECRET	4

/*
 * The value of the header Authorization for these, behind "Basic ": malloc'ed, or
 * NULL if memory is short.
 */
extern char *dbmazz_sr_basic(const char *user, const char *password);

/*
 * Put "***" in the place of the secret wherever the error has it, and of what is
 * left of one that was cut off at the end of a text.
 */
extern void dbmazz_sr_hide(DbmazzError *err, const char *secret);

#endif							/* DBMAZZ_SR_SECRET_H */
