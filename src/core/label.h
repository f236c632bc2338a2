/*
 * label.h
 *		Labels of loads: <pipeline uid>-<epoch>-<lane>-<sequence>.
 *
 * NOTES
 *	  A label is unique per target database, not per table, and pipeline names
 *	  are not unique across clusters: hence the random uid.  The lane is the
 *	  hash of the target table's name, so that it is the same in every epoch.
 */
#ifndef DBMAZZ_LABEL_H
#define DBMAZZ_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DBMAZZ_UID_SIZE		17	/* 16 hexadecimal digits and a zero byte */
#define DBMAZZ_LABEL_SIZE	96	/* longest label and a zero byte; the server
								 * allows 128 */

typedef struct DbmazzLabel
{
	char		uid[DBMAZZ_UID_SIZE];
	uint64_t	epoch;
	uint64_t	lane;
	uint64_t	sequence;
} DbmazzLabel;

extern uint64_t dbmazz_label_lane(const char *target);
extern size_t dbmazz_label_format(const DbmazzLabel *label,
								  char out[DBMAZZ_LABEL_SIZE]);

/* The reverse; false if the text is not one of ours. */
extern bool dbmazz_label_parse(const char *text, DbmazzLabel *label);

#endif							/* DBMAZZ_LABEL_H */
