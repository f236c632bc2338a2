/*
 * answer.h
 *		From the bytes of a StarRocks answer to an outcome.
 *
 * NOTES
 *	  Pure: no network, no state.  What is not understood is never taken for a
 *	  success: if rows may have been sent it is doubt, else retry.
 *
 *	  Of what the server says, only fragments that have been stable over many
 *	  versions are compared, without regard to case.
 */
#ifndef DBMAZZ_SR_ANSWER_H
#define DBMAZZ_SR_ANSWER_H

#include "dbmazz_sink.h"
#include "http/http.h"

#define DBMAZZ_SR_ERROR_URL		512

/* What kind of trouble; decides which hint is added and what is forgotten. */
typedef enum DbmazzSrReason
{
	DBMAZZ_SR_FINE,
	DBMAZZ_SR_TRANSPORT,		/* no or no sensible answer */
	DBMAZZ_SR_ACCESS,			/* password or privilege */
	DBMAZZ_SR_OVERLOAD,			/* the target asks for fewer or later loads */
	DBMAZZ_SR_TRANSIENT,		/* will pass by itself */
	DBMAZZ_SR_UNCERTAIN,		/* the server itself does not know */
	DBMAZZ_SR_DATA,				/* a row that the target does not take */
	DBMAZZ_SR_UNREADABLE,		/* the body is not of the form it says */
	DBMAZZ_SR_KEY_SIZE,			/* a key that is too long */
	DBMAZZ_SR_TOO_LARGE,		/* the body as a whole is too large */
	DBMAZZ_SR_NO_TABLE,
	DBMAZZ_SR_NO_DATABASE,
	DBMAZZ_SR_SCHEMA,			/* table and columns of the batch do not fit */
	DBMAZZ_SR_REFUSED			/* our request is at fault */
} DbmazzSrReason;

typedef struct DbmazzSrVerdict
{
	DbmazzOutcome outcome;
	DbmazzSrReason reason;
	bool		slow_down;
	bool		ask_state;		/* DONE only if the label's state says so too */
	bool		is_earlier;		/* DONE by an earlier attempt under the label */
	char		error_url[DBMAZZ_SR_ERROR_URL]; /* bad rows, or "" */
} DbmazzSrVerdict;

/*
 * What a backend, or a frontend in its place, answered to a load of 'nrows' rows
 * under 'label'.  Fills err unless the outcome is DONE.  Never throws.
 */
extern void dbmazz_sr_answer_load(const DbmazzHttpAnswer *answer,
								  const char *label, uint64_t nrows,
								  DbmazzSrVerdict *verdict, DbmazzError *err);

/*
 * Did a call of the transaction interface succeed?  If not, err and verdict tell;
 * its outcome is DOUBT at best where the server has not said that it refused.
 */
extern bool dbmazz_sr_answer_call(const DbmazzHttpAnswer *answer,
								  const char *label, DbmazzSrVerdict *verdict,
								  DbmazzError *err);

/* The number of rows that such an answer says are loaded, or -1. */
extern double dbmazz_sr_answer_loaded(const DbmazzHttpAnswer *answer);

/* State of a label, as get_load_state tells it. */
typedef enum DbmazzSrLabelState
{
	DBMAZZ_SR_LABEL_UNREADABLE, /* no such answer: err tells */
	DBMAZZ_SR_LABEL_UNKNOWN,	/* never seen there, or forgotten */
	DBMAZZ_SR_LABEL_RUNNING,	/* PREPARE */
	DBMAZZ_SR_LABEL_PREPARED,
	DBMAZZ_SR_LABEL_COMMITTED,	/* COMMITTED, VISIBLE */
	DBMAZZ_SR_LABEL_ABORTED
} DbmazzSrLabelState;

/*
 * Does the answer to the rollback of a group say that the label is at its end:
 * ABORTED, COMMITTED, or (UNKNOWN) one that is not known?  If not, or if that is not
 * sure, UNREADABLE: err and verdict tell as above.  "Already aborted" is not known: a
 * frontend that has been started again says so of what was committed as well, for the
 * ends of these transactions are not in its journal (StreamLoadMgr.java,
 * cancelUnDurableTaskAfterRestart()).
 */
extern DbmazzSrLabelState dbmazz_sr_answer_ended(const DbmazzHttpAnswer *answer,
												 const char *label,
												 DbmazzSrVerdict *verdict,
												 DbmazzError *err);

/*
 * Reads the answer to get_load_state.  For RUNNING and PREPARED, err tells so; for
 * ABORTED the reason; for UNREADABLE, verdict has slow_down and reason.  Never throws.
 */
extern DbmazzSrLabelState dbmazz_sr_answer_state(const DbmazzHttpAnswer *answer,
												 DbmazzSrVerdict *verdict,
												 DbmazzError *err);

/*
 * Classify an answer that is not what was asked for (an error of the frontend
 * or of the network) when no row was sent: never DONE or DOUBT.
 */
extern void dbmazz_sr_answer_error(const DbmazzHttpAnswer *answer,
								   DbmazzSrVerdict *verdict, DbmazzError *err);

/* What a message of the server means; DBMAZZ_SR_FINE: not one that we know. */
extern DbmazzSrReason dbmazz_sr_answer_reason(const char *message);

/* Set the error from a message of the server: "what: message". */
extern void dbmazz_sr_answer_text(DbmazzError *err, DbmazzSrReason reason,
								  const char *what, const char *message);

#endif							/* DBMAZZ_SR_ANSWER_H */
