/*
 * loss.c
 *		Pairs of types where StarRocks changes a value instead of refusing it.
 *
 * NOTES
 *	  With strict_mode a value out of a column's range, or a text that is too long,
 *	  fails the load.  But a fraction goes into an integer without it, digits
 *	  behind the scale are rounded, and the time of day is cut off for a DATE.
 *	  Any text that looks like a number or a date is read as one: 007 becomes 7.
 *	  Whether all texts of a column do, nobody knows before the last one, so none
 *	  may be sent there, whatever its type: an enum, a domain, a citext.  Texts that
 *	  PostgreSQL itself makes of numbers are as good as the numbers.
 */
#include "sinks/starrocks/loss.h"

#include <limits.h>

/* Built-in types of the source, pg_type.oid */
#define INT8OID			20
#define INT2OID			21
#define FLOAT4OID		700
#define FLOAT8OID		701
#define NUMERICOID		1700
#define XID8OID			5069

#define VARHDRSZ		4

#define FRACTION		"it cuts off fractions"
#define ROUND			"it rounds numbers"
#define CONVERT			"it reads a value as one of another type"
#define BITS			"it writes true and false as 1 and 0"
#define QUOTES			"it writes the documents true and \"a\" as 1 and a"

static const char *number_loses(const DbmazzColumnDesc *source,
								const DbmazzSrColumn *target);
static int	numeric_scale(int32_t typmod);
static bool is_number(const DbmazzColumnDesc *source);

const char *
dbmazz_sr_type_loses(const DbmazzColumnDesc *source,
					 const DbmazzSrColumn *target)
{
	bool		is_time = source->value_class == DBMAZZ_VALUE_TIMESTAMP ||
	source->value_class == DBMAZZ_VALUE_TIMESTAMPTZ;

	switch (target->type)
	{
		case DBMAZZ_SR_TYPE_INTEGER:
		case DBMAZZ_SR_TYPE_DECIMAL:
		case DBMAZZ_SR_TYPE_FLOAT:
		case DBMAZZ_SR_TYPE_DOUBLE:
			return is_number(source) ? number_loses(source, target) : CONVERT;
		case DBMAZZ_SR_TYPE_BOOLEAN:
			return source->value_class != DBMAZZ_VALUE_BOOL ?
				"it takes any number for true" : NULL;
		case DBMAZZ_SR_TYPE_DATE:
			if (is_time)
				return "it cuts off the time of day";
			/* FALLTHROUGH */
		case DBMAZZ_SR_TYPE_DATETIME:
			/* of 20240101 it makes a date, too */
			return is_time || source->value_class == DBMAZZ_VALUE_DATE ?
				NULL : CONVERT;
		case DBMAZZ_SR_TYPE_STRING:
		case DBMAZZ_SR_TYPE_BINARY:
			if (source->value_class == DBMAZZ_VALUE_BOOL)
				return BITS;
			return source->value_class == DBMAZZ_VALUE_JSON ? QUOTES : NULL;
		case DBMAZZ_SR_TYPE_JSON:
			return source->value_class == DBMAZZ_VALUE_DECIMAL ? ROUND : NULL;
		case DBMAZZ_SR_TYPE_NESTED:
			/* elements become what the type of the elements says */
			return CONVERT;
		case DBMAZZ_SR_TYPE_OTHER:
			break;
	}
	return NULL;
}

/* The same for a number, or the text of one, in a column of numbers. */
static const char *
number_loses(const DbmazzColumnDesc *source, const DbmazzSrColumn *target)
{
	uint32_t	type = source->basetypid;
	bool		is_float = type == FLOAT4OID || type == FLOAT8OID;
	int			scale = type == NUMERICOID ? numeric_scale(source->typmod) : 0;
	bool		is_wide = type == NUMERICOID || type == INT8OID ||
		type == XID8OID;

	switch (target->type)
	{
		case DBMAZZ_SR_TYPE_INTEGER:
			return is_float || scale > 0 ? FRACTION : NULL;
		case DBMAZZ_SR_TYPE_DECIMAL:
			return is_float ||
				(target->scale >= 0 && scale > target->scale) ? ROUND : NULL;
		case DBMAZZ_SR_TYPE_FLOAT:
			return type != FLOAT4OID && type != INT2OID ? ROUND : NULL;
		default:
			return is_wide ? ROUND : NULL;
	}
}

/* Digits behind the point; without a typmod any number of them. */
static int
numeric_scale(int32_t typmod)
{
	int			scale;

	if (typmod < VARHDRSZ)
		return INT_MAX;
	scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	return scale > 0 ? scale : 0;
}

/* Also those that are sent as texts: in keys, or because they are too long. */
static bool
is_number(const DbmazzColumnDesc *source)
{
	return source->value_class == DBMAZZ_VALUE_INTEGER ||
		source->basetypid == NUMERICOID || source->basetypid == FLOAT4OID ||
		source->basetypid == FLOAT8OID || source->basetypid == XID8OID;
}
