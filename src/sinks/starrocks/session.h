/*
 * session.h
 *		What session.c, truncate.c and settle.c share: the session of a job at the
 *		MySQL port.
 */
#ifndef DBMAZZ_SR_SESSION_H
#define DBMAZZ_SR_SESSION_H

#include "sinks/starrocks/job.h"

/*
 * In front of a statement, with its label.  The list of sessions has the first
 * bytes of a statement only.
 */
#define DBMAZZ_SR_COMMENT		"/* dbmazz %s */"
#define DBMAZZ_SR_COMMENT_SIZE	(DBMAZZ_LABEL_SIZE + 16)
#define DBMAZZ_SR_LISTED		100

/* ---- session.c --------------------------------------------------------- */

/*
 * Connect to job->mysql, of whose addresses to job->addresses[job->address] first,
 * and send what the request needs.
 */
extern void dbmazz_sr_session_start(DbmazzSrJob *job);
extern void dbmazz_sr_session_connect(DbmazzSrJob *job);

/* Send the statement of the step, which becomes the job's. */
extern void dbmazz_sr_session_send(DbmazzSrJob *job, DbmazzSrStep step);

/* Then send the list's statement. */
extern void dbmazz_sr_session_pause(DbmazzSrJob *job, int64_t ms);

/* End the job: no statement that could change something was sent. */
extern void dbmazz_sr_session_fail(DbmazzSrJob *job, unsigned code,
								   const char *message);
extern void dbmazz_sr_session_no_memory(DbmazzSrJob *job);

/* ---- truncate.c -------------------------------------------------------- */

/* The TRUNCATE has been answered, or not. */
extern void dbmazz_sr_truncate_step(DbmazzSrJob *job, bool ok);

/* ---- settle.c ---------------------------------------------------------- */

/*
 * The list's answer, or a row of it, is there.  True if more can be done at once;
 * false if the job waits, or has ended.
 */
extern bool dbmazz_sr_settle_list(DbmazzSrJob *job);

/* Kill the next session of those to be killed; after the last, look again. */
extern void dbmazz_sr_settle_kill(DbmazzSrJob *job);

/* The address could not be reached. */
extern void dbmazz_sr_settle_refused(DbmazzSrJob *job, const char *message);

/* Where a TRUNCATE is sent, before it is.  False: out of memory. */
extern bool dbmazz_sr_sent_note(DbmazzSrJob *job);

/* The statements under the label have come to their end. */
extern void dbmazz_sr_sent_forget(DbmazzSr *sr, const char *label);

/* SETTLE: add addresses that such statements were sent to. */
extern void dbmazz_sr_sent_add(DbmazzSrJob *job);

#endif							/* DBMAZZ_SR_SESSION_H */
