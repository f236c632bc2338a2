/*
 * audit.c
 *		Columns that tell how and when a row came about.
 */
#include "core/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/pgtext.h"
#include "core/typemap.h"

#define BOOLOID				16
#define INT8OID				20
#define TIMESTAMPOID		1114

static const DbmazzAuditDef defs[DBMAZZ_AUDIT_LOG_COLUMNS] = {
	{"dbmazz_op_type", DBMAZZ_TYPE_TINYINT, DBMAZZ_VALUE_INTEGER, false},
	{"dbmazz_is_deleted", BOOLOID, DBMAZZ_VALUE_BOOL, false},
	{"dbmazz_synced_at", TIMESTAMPOID, DBMAZZ_VALUE_TIMESTAMP, false},
	{"dbmazz_cdc_version", INT8OID, DBMAZZ_VALUE_INTEGER, true},
	{"dbmazz_cdc_sequence", INT8OID, DBMAZZ_VALUE_INTEGER, true}
};

const DbmazzAuditDef *
dbmazz_audit_def(DbmazzAuditColumn column)
{
	return &defs[column];
}

/* 'lower' has no upper case. */
static bool
same_but_case(const char *name, const char *lower)
{
	for (; *lower != '\0'; name++, lower++)
	{
		char		c = *name;

		if (c >= 'A' && c <= 'Z')
			c = (char) (c + ('a' - 'A'));
		if (c != *lower)
			return false;
	}
	return *name == '\0';
}

bool
dbmazz_audit_is_name(const char *name)
{
	int			i;

	for (i = 0; i < DBMAZZ_AUDIT_LOG_COLUMNS; i++)
	{
		if (same_but_case(name, defs[i].name))
			return true;
	}
	return false;
}

static void
set_text(DbmazzAudit *audit, DbmazzAuditColumn column, const char *text)
{
	DbmazzValue *value = &audit->values[column];

	value->data = text;
	value->len = (uint32_t) strlen(text);
	value->kind = DBMAZZ_VALUE_TEXT;
}

void
dbmazz_audit_begin(DbmazzAudit *audit, int64_t now, uint64_t commit_lsn)
{
	size_t		len = dbmazz_pgtext_timestamp(audit->synced_at, now, false);

	/* all of one length */
	if (len == sizeof("YYYY-MM-DD HH:MM:SS") - 1)
		audit->synced_at[len++] = '.';
	while (len < sizeof("YYYY-MM-DD HH:MM:SS.ffffff") - 1)
		audit->synced_at[len++] = '0';
	audit->synced_at[len] = '\0';
	snprintf(audit->version, sizeof(audit->version), "%" PRIu64, commit_lsn);
	set_text(audit, DBMAZZ_AUDIT_SYNCED_AT, audit->synced_at);
	set_text(audit, DBMAZZ_AUDIT_CDC_VERSION, audit->version);
}

void
dbmazz_audit_stamp(DbmazzAudit *audit, DbmazzTuple *tuple, int n,
				   DbmazzAuditOp op, bool is_deleted, uint64_t sequence)
{
	static const char *const ops[] = {"0", "1", "2"};

	set_text(audit, DBMAZZ_AUDIT_OP_TYPE, ops[op]);
	set_text(audit, DBMAZZ_AUDIT_IS_DELETED, is_deleted ? "t" : "f");
	if (n > DBMAZZ_AUDIT_CDC_SEQUENCE)
	{
		snprintf(audit->sequence, sizeof(audit->sequence), "%" PRIu64,
				 sequence);
		set_text(audit, DBMAZZ_AUDIT_CDC_SEQUENCE, audit->sequence);
	}
	memcpy(&tuple->values[tuple->ncolumns], audit->values,
		   (size_t) n * sizeof(DbmazzValue));
	tuple->ncolumns = (uint16_t) (tuple->ncolumns + n);
}
