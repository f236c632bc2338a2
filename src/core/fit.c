/*
 * fit.c
 *		What is sent for a value that the target cannot hold.
 */
#include "core/fit.h"

#include <string.h>

#include "core/json_value.h"
#include "core/typemap.h"
#include "core/utf8.h"

typedef enum Problem
{
	NO_PROBLEM,					/* another text of the same value will do */
	IS_NAN,
	IS_LOW,						/* below all that the target has */
	IS_HIGH,
	IS_LONG,
	IS_FLAWED,					/* a document of which a part does not fit */
	IS_DEEP,
	IS_MALFORMED
} Problem;

/* ---- which problem ---------------------------------------------------- */

static bool
equals(const DbmazzValue *value, const char *text)
{
	return value->len == strlen(text) &&
		memcmp(value->data, text, value->len) == 0;
}

static Problem
number_problem(const DbmazzValue *value, uint8_t value_class,
			   const char **reason)
{
	if (value_class != DBMAZZ_VALUE_DECIMAL &&
		(dbmazz_is_minus_zero(value->data, value->len) ||
		 equals(value, DBMAZZ_LARGEST_REAL) ||
		 equals(value, "-" DBMAZZ_LARGEST_REAL)))
		return NO_PROBLEM;
	*reason = "the number is NaN";
	if (equals(value, "NaN"))
		return IS_NAN;
	*reason = "the number is infinite";
	if (equals(value, "Infinity"))
		return IS_HIGH;
	if (equals(value, "-Infinity"))
		return IS_LOW;
	*reason = "the value is not a number";
	return IS_MALFORMED;
}

/* Take 'suffix' from the end of a text of '*len' bytes, if it is there. */
static bool
drop_suffix(const char *data, size_t *len, const char *suffix)
{
	size_t		n = strlen(suffix);

	if (*len < n || memcmp(data + *len - n, suffix, n) != 0)
		return false;
	*len -= n;
	return true;
}

/*
 * Is it a date in ISO form but for its year, which has '*ndigits' digits, or its
 * era?
 */
static bool
is_far_date(const DbmazzValue *value, uint8_t value_class, size_t *ndigits,
			bool *is_bc)
{
	const char *p = value->data;
	size_t		n = value->len;
	char		near[40];

	*ndigits = 0;
	while (*ndigits < n && p[*ndigits] >= '0' && p[*ndigits] <= '9')
		(*ndigits)++;
	*is_bc = drop_suffix(p, &n, " BC");
	if (value_class == DBMAZZ_VALUE_TIMESTAMPTZ && !drop_suffix(p, &n, "+00"))
		return false;
	if (*ndigits < 4 || *ndigits > n || n - *ndigits + 4 > sizeof(near))
		return false;
	n -= *ndigits;
	memcpy(near, "1999", 4);
	memcpy(near + 4, p + *ndigits, n);
	return value_class == DBMAZZ_VALUE_DATE ?
		dbmazz_is_date(near, n + 4) : dbmazz_is_timestamp(near, n + 4);
}

static Problem
date_problem(const DbmazzValue *value, uint8_t value_class,
			 const char **reason)
{
	size_t		ndigits;
	bool		is_bc;

	*reason = "the date is infinite";
	if (equals(value, "infinity"))
		return IS_HIGH;
	if (equals(value, "-infinity"))
		return IS_LOW;
	*reason = value_class == DBMAZZ_VALUE_TIMESTAMPTZ ?
		"the value is not a time stamp in ISO form and UTC" :
		"the value is not a date in ISO form";
	if (!is_far_date(value, value_class, &ndigits, &is_bc))
		return IS_MALFORMED;
	*reason = "the date is before the year 1";
	if (is_bc)
		return IS_LOW;
	*reason = "the date is after the year 9999";
	return IS_HIGH;
}

static Problem
document_problem(const DbmazzValue *value, const char **reason)
{
	DbmazzJsonWalk walk;
	DbmazzJsonFlaw flaw;
	DbmazzJsonFlawKind first;

	*reason = "the value is empty, which is not JSON";
	if (value->len == 0)
		return IS_MALFORMED;
	dbmazz_json_walk(&walk, value->data, value->len);
	first = dbmazz_json_next_flaw(&walk, &flaw);
	if (first == DBMAZZ_JSON_BAD_ESCAPE)
		*reason = "the document has an escape that is no character";
	else if (first == DBMAZZ_JSON_BAD_NUMBER)
		*reason = "the document has a number beyond 64 bits or DOUBLE";
	while (flaw.kind != DBMAZZ_JSON_FLAWLESS &&
		   flaw.kind != DBMAZZ_JSON_TOO_DEEP)
		(void) dbmazz_json_next_flaw(&walk, &flaw);
	if (flaw.kind == DBMAZZ_JSON_FLAWLESS)
		return first == DBMAZZ_JSON_FLAWLESS ? NO_PROBLEM : IS_FLAWED;
	*reason = "the document is nested too deeply";
	return IS_DEEP;
}

static Problem
find_problem(const DbmazzValue *value, uint8_t value_class,
			 const char **reason)
{
	switch ((DbmazzValueClass) value_class)
	{
		case DBMAZZ_VALUE_DECIMAL:
		case DBMAZZ_VALUE_FLOAT:
		case DBMAZZ_VALUE_REAL:
			return number_problem(value, value_class, reason);
		case DBMAZZ_VALUE_DATE:
		case DBMAZZ_VALUE_TIMESTAMP:
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			return date_problem(value, value_class, reason);
		case DBMAZZ_VALUE_JSON:
			return document_problem(value, reason);
		case DBMAZZ_VALUE_BOOL:
			*reason = "the value is neither t nor f";
			break;
		case DBMAZZ_VALUE_INTEGER:
			*reason = "the value is not an integer";
			break;
		case DBMAZZ_VALUE_BYTEA:
			*reason = "the value is not a byte string in hex form";
			break;
		case DBMAZZ_VALUE_STRING:
		case DBMAZZ_VALUE_CHAR:
			*reason = "the value is not text";
			break;
	}
	return IS_MALFORMED;
}

bool
dbmazz_is_too_long(const DbmazzValue *value, uint8_t value_class,
				   uint8_t flags, DbmazzUnrepresentable policy)
{
	return policy != DBMAZZ_UNREPRESENTABLE_ERROR &&
		(flags & DBMAZZ_COLUMN_KEY) == 0 &&
		value->len > dbmazz_value_limit(value_class);
}

/* ---- what instead ----------------------------------------------------- */

static void
set_text(DbmazzValue *fitted, const char *text)
{
	fitted->kind = DBMAZZ_VALUE_TEXT;
	fitted->data = text;
	fitted->len = (uint32_t) strlen(text);
}

/* The same number in a text that StarRocks reads as we mean it. */
static void
rewrite_number(const DbmazzValue *value, DbmazzValue *fitted)
{
	if (dbmazz_is_minus_zero(value->data, value->len))
		set_text(fitted, "-0.0");
	else if (value->data[0] == '-')
		set_text(fitted, "-3.4028234663852886e+38");
	else
		set_text(fitted, "3.4028234663852886e+38");
}

static const char *
highest(uint8_t value_class)
{
	switch (value_class)
	{
		case DBMAZZ_VALUE_FLOAT:
			return "1.7976931348623157e+308";
		case DBMAZZ_VALUE_REAL:
			return "3.4028234663852886e+38";
		case DBMAZZ_VALUE_DATE:
			return "9999-12-31";
		case DBMAZZ_VALUE_TIMESTAMP:
			return "9999-12-31 23:59:59.999999";
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			return "9999-12-31 23:59:59.999999+00";
		default:
			return NULL;
	}
}

/* StarRocks has a year 0, but many clients do not. */
static const char *
lowest(uint8_t value_class)
{
	switch (value_class)
	{
		case DBMAZZ_VALUE_FLOAT:
			return "-1.7976931348623157e+308";
		case DBMAZZ_VALUE_REAL:
			return "-3.4028234663852886e+38";
		case DBMAZZ_VALUE_DATE:
			return "0001-01-01";
		case DBMAZZ_VALUE_TIMESTAMP:
			return "0001-01-01 00:00:00";
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			return "0001-01-01 00:00:00+00";
		default:
			return NULL;
	}
}

static void
cut(const DbmazzValue *value, uint8_t value_class, DbmazzValue *fitted)
{
	uint32_t	limit = dbmazz_value_limit(value_class);

	*fitted = *value;
	if (value_class == DBMAZZ_VALUE_STRING)
		fitted->len = dbmazz_utf8_cut(value->data, value->len, limit);
	else if (value_class == DBMAZZ_VALUE_BYTEA)
		fitted->len = limit;
	else
		fitted->kind = DBMAZZ_VALUE_NULL;
}

/* The nearest value; null if nothing is near. */
static void
clamp(const DbmazzValue *value, uint8_t value_class, Problem problem,
	  DbmazzValue *fitted)
{
	const char *text = NULL;

	if (problem == IS_LONG)
	{
		cut(value, value_class, fitted);
		return;
	}
	if (problem == IS_FLAWED)
	{
		*fitted = *value;
		return;
	}
	if (problem == IS_LOW)
		text = lowest(value_class);
	else if (problem == IS_HIGH)
		text = highest(value_class);
	if (text != NULL)
		set_text(fitted, text);
	else
		fitted->kind = DBMAZZ_VALUE_NULL;
}

static DbmazzStatus
refuse(DbmazzError *err, const char *reason, const char *why)
{
	return dbmazz_error_set(err, DBMAZZ_ERR_UNREPRESENTABLE, 0, "%s%s",
							reason, why);
}

DbmazzStatus
dbmazz_fit(const DbmazzValue *value, uint8_t value_class, uint8_t flags,
		   DbmazzUnrepresentable policy, DbmazzValue *fitted,
		   DbmazzError *err)
{
	const char *reason = "the value is longer than the target's type allows";
	Problem		problem = IS_LONG;

	memset(fitted, 0, sizeof(*fitted));
	fitted->kind = DBMAZZ_VALUE_NULL;
	if (!dbmazz_is_too_long(value, value_class, flags, policy))
		problem = find_problem(value, value_class, &reason);
	if (problem == IS_MALFORMED)
		return dbmazz_error_set(err, DBMAZZ_ERR_MALFORMED, 0, "%s", reason);
	if (problem == NO_PROBLEM)
	{
		if (value_class == DBMAZZ_VALUE_JSON)
			*fitted = *value;
		else
			rewrite_number(value, fitted);
		return DBMAZZ_OK;
	}

	if (policy == DBMAZZ_UNREPRESENTABLE_ERROR)
		return refuse(err, reason, "");
	if (flags & DBMAZZ_COLUMN_KEY)
		return refuse(err, reason, ", and key columns are never changed");
	if (policy == DBMAZZ_UNREPRESENTABLE_CLAMP)
		clamp(value, value_class, problem, fitted);
	if (fitted->kind == DBMAZZ_VALUE_NULL &&
		(flags & DBMAZZ_COLUMN_NOT_NULL))
		return refuse(err, reason, ", and the column is NOT NULL");
	return DBMAZZ_OK;
}
