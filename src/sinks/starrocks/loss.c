/*
 * loss.c
 *		Pairs of types where StarRocks changes a value instead of refusing it.
 *
 * NOTES
 *	  With strict_mode a value out of a column's range, or a text that is too long,
 *	  fails the load.  But a fraction goes into an integer without it, digits
 *	  behind the scale are rounded, and the time of day is cut off for a DATE.
 */
#include "sinks/starrocks/loss.h"

#include <limits.h>

/* Built-in types of the source, pg_type.oid */
#define NAMEOID			19
#define INT8OID			20
#define INT2OID			21
#define TEXTOID			25
#define FLOAT8OID		701
#define BPCHAROID		1042
#define VARCHAROID		1043
#define BITOID			1560
#define VARBITOID		1562
#define NUMERICOID		1700

#define VARHDRSZ		4

#define FRACTION		"it cuts off fractions"
#define ROUND			"it rounds numbers"
#define CONVERT			"it reads a value as one of another type"

static int	numeric_scale(int32_t typmod);
static bool is_text(const DbmazzColumnDesc *source);
static bool is_float(const DbmazzColumnDesc *source);

const char *
dbmazz_sr_type_loses(const DbmazzColumnDesc *source,
					 const DbmazzSrColumn *target)
{
	bool		is_numeric = source->basetypid == NUMERICOID;
	int			scale = is_numeric ? numeric_scale(source->typmod) : 0;
	bool		is_time = source->value_class == DBMAZZ_VALUE_TIMESTAMP ||
	source->value_class == DBMAZZ_VALUE_TIMESTAMPTZ;

	switch (target->type)
	{
		case DBMAZZ_SR_TYPE_INTEGER:
			if (is_float(source) || scale > 0)
				return FRACTION;
			return is_text(source) ? CONVERT : NULL;
		case DBMAZZ_SR_TYPE_DECIMAL:
			if (is_float(source) ||
				(target->scale >= 0 && scale > target->scale))
				return ROUND;
			return is_text(source) ? CONVERT : NULL;
		case DBMAZZ_SR_TYPE_FLOAT:
			if (is_numeric || source->basetypid == FLOAT8OID ||
				(source->value_class == DBMAZZ_VALUE_INTEGER &&
				 source->basetypid != INT2OID))
				return ROUND;
			return is_text(source) ? CONVERT : NULL;
		case DBMAZZ_SR_TYPE_DOUBLE:
			if (is_numeric || source->basetypid == INT8OID)
				return ROUND;
			return is_text(source) ? CONVERT : NULL;
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
		case DBMAZZ_SR_TYPE_JSON:
			return source->value_class == DBMAZZ_VALUE_DECIMAL ? ROUND : NULL;
		default:
			return NULL;
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

/* Texts of any kind, and those of bits and bytes: they can look like numbers. */
static bool
is_text(const DbmazzColumnDesc *source)
{
	return source->basetypid == TEXTOID || source->basetypid == VARCHAROID ||
		source->basetypid == BPCHAROID || source->basetypid == NAMEOID ||
		source->basetypid == BITOID || source->basetypid == VARBITOID ||
		source->value_class == DBMAZZ_VALUE_BYTEA;
}

static bool
is_float(const DbmazzColumnDesc *source)
{
	return source->value_class == DBMAZZ_VALUE_FLOAT ||
		source->value_class == DBMAZZ_VALUE_REAL;
}
