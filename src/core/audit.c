/*
 * audit.c
 *		Columns that tell how and when a row came about.
 */
#include "core/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/typemap.h"

#define BOOLOID				16
#define INT8OID				20
#define TIMESTAMPOID		1114

#define SECOND_US			INT64_C(1000000)
#define DAY_SECONDS			(24 * 60 * 60)

/*
 * Days are counted from 0000-03-01, so that a leap day is a year's last; 400
 * years always have the same number of them.
 */
#define DAYS_TO_2000		730425
#define ERA_DAYS			146097

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

/* A quotient that is rounded down, and what is left over. */
static int64_t
divide(int64_t *rest, int64_t divisor)
{
	int64_t		quotient = *rest / divisor;

	if (*rest % divisor < 0)
		quotient--;
	*rest -= quotient * divisor;
	return quotient;
}

/* With leading zeros, and 'behind' it. */
static char *
put_number(char *out, int64_t number, int digits, char behind)
{
	int			i;

	for (i = digits - 1; i >= 0; i--)
	{
		out[i] = (char) ('0' + number % 10);
		number /= 10;
	}
	out[digits] = behind;
	return out + digits + 1;
}

/* YYYY-MM-DD and a space; 'day' counts from 2000-01-01. */
static char *
put_date(char *out, int64_t day)
{
	int64_t		n = day + DAYS_TO_2000;
	int64_t		year = 400 * divide(&n, ERA_DAYS);
	int64_t		of_era;
	int64_t		month;

	of_era = (n - n / 1460 + n / 36524 - n / (ERA_DAYS - 1)) / 365;
	n -= 365 * of_era + of_era / 4 - of_era / 100;
	month = (5 * n + 2) / 153;	/* 0: March */
	n -= (153 * month + 2) / 5;
	year += of_era + (month >= 10 ? 1 : 0);
	out = put_number(out, year, 4, '-');
	out = put_number(out, month >= 10 ? month - 9 : month + 3, 2, '-');
	return put_number(out, n + 1, 2, ' ');
}

void
dbmazz_audit_begin(DbmazzAudit *audit, int64_t now, uint64_t commit_lsn)
{
	int64_t		fraction = now;
	int64_t		second = divide(&fraction, SECOND_US);
	int64_t		day = divide(&second, DAY_SECONDS);
	char	   *out = put_date(audit->synced_at, day);

	out = put_number(out, second / 3600, 2, ':');
	out = put_number(out, second / 60 % 60, 2, ':');
	out = put_number(out, second % 60, 2, '.');
	(void) put_number(out, fraction, 6, '\0');
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
