/*
 * audit.h
 *		Columns that tell how and when a row came about (dbmazz.audit_columns).
 *
 * NOTES
 *	  To all that comes behind the decoder they are columns as any others: the
 *	  table description ends with them, and their values stand behind those of
 *	  the source in the tuple.  So encoders need to know nothing of them, and
 *	  without them no row costs more.
 */
#ifndef DBMAZZ_AUDIT_H
#define DBMAZZ_AUDIT_H

#include "core/pgoutput.h"

typedef enum DbmazzAuditColumn
{
	DBMAZZ_AUDIT_OP_TYPE = 0,	/* DbmazzAuditOp */
	DBMAZZ_AUDIT_IS_DELETED,
	DBMAZZ_AUDIT_SYNCED_AT,		/* UTC */
	DBMAZZ_AUDIT_CDC_VERSION,	/* commit LSN (B.final_lsn) as a number */
	DBMAZZ_AUDIT_COLUMNS,		/* that is all, but for change logs */
	DBMAZZ_AUDIT_CDC_SEQUENCE = DBMAZZ_AUDIT_COLUMNS,	/* in the transaction */
	DBMAZZ_AUDIT_LOG_COLUMNS
} DbmazzAuditColumn;

/* How many a table has. */
static inline int
dbmazz_audit_count(bool has_audit, bool is_log)
{
	if (!has_audit)
		return 0;
	return is_log ? DBMAZZ_AUDIT_LOG_COLUMNS : DBMAZZ_AUDIT_COLUMNS;
}

typedef enum DbmazzAuditOp
{
	DBMAZZ_AUDIT_INSERT = 0,
	DBMAZZ_AUDIT_UPDATE = 1,
	DBMAZZ_AUDIT_DELETE = 2
} DbmazzAuditOp;

typedef struct DbmazzAuditDef
{
	const char *name;
	uint32_t	typid;
	uint8_t		value_class;	/* DbmazzValueClass */
	bool		is_sort_key;	/* of a change log */
} DbmazzAuditDef;

extern const DbmazzAuditDef *dbmazz_audit_def(DbmazzAuditColumn column);

/* Is it the name of one, as a target that ignores case sees it? */
extern bool dbmazz_audit_is_name(const char *name);

/* The values as text.  Tuples point into it: it must not move. */
typedef struct DbmazzAudit
{
	DbmazzValue values[DBMAZZ_AUDIT_LOG_COLUMNS];
	char		synced_at[32];
	char		version[24];
	char		sequence[24];
} DbmazzAudit;

/*
 * A transaction begins.  'now' is in microseconds since 2000-01-01 UTC; before
 * the year 10000.
 */
extern void dbmazz_audit_begin(DbmazzAudit *audit, int64_t now,
							   uint64_t commit_lsn);

/*
 * Put the first 'n' values behind those of the tuple, which has no more than
 * DBMAZZ_MAX_COLUMNS.  'sequence' is for change logs, and costs nothing where
 * 'n' leaves it out.  The values are there until the next call.
 */
extern void dbmazz_audit_stamp(DbmazzAudit *audit, DbmazzTuple *tuple, int n,
							   DbmazzAuditOp op, bool is_deleted,
							   uint64_t sequence);

#endif							/* DBMAZZ_AUDIT_H */
