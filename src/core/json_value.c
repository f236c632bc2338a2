/*
 * json_value.c
 *		Tells why a value cannot be written: the cold half of json_value.h.
 */
#include "core/json_value.h"

static bool
equals(const DbmazzValue *value, const char *text)
{
	return value->len == strlen(text) &&
		memcmp(value->data, text, value->len) == 0;
}

static bool
ends_with(const DbmazzValue *value, const char *text)
{
	size_t		len = strlen(text);

	return value->len >= len &&
		memcmp(value->data + value->len - len, text, len) == 0;
}

static DbmazzStatus
explain_number(const DbmazzValue *value, const char **reason)
{
	if (equals(value, "NaN"))
		*reason = "the number is NaN";
	else if (equals(value, "Infinity") || equals(value, "-Infinity"))
		*reason = "the number is infinite";
	else
	{
		*reason = "the value is not a number";
		return DBMAZZ_ERR_MALFORMED;
	}
	return DBMAZZ_ERR_UNREPRESENTABLE;
}

static DbmazzStatus
explain_date(const DbmazzValue *value, const char **reason)
{
	uint32_t	digits = 0;

	while (digits < value->len &&
		   value->data[digits] >= '0' && value->data[digits] <= '9')
		digits++;

	if (equals(value, "infinity") || equals(value, "-infinity"))
		*reason = "the date is infinite";
	else if (digits >= 4 && ends_with(value, " BC"))
		*reason = "the date is before the year 1";
	else if (digits > 4 && digits < value->len && value->data[digits] == '-')
		*reason = "the date is after the year 9999";
	else
	{
		*reason = "the value is not a date in ISO form";
		return DBMAZZ_ERR_MALFORMED;
	}
	return DBMAZZ_ERR_UNREPRESENTABLE;
}

DbmazzStatus
dbmazz_json_explain(const DbmazzValue *value, uint8_t value_class,
					const char **reason)
{
	switch ((DbmazzValueClass) value_class)
	{
		case DBMAZZ_VALUE_DECIMAL:
		case DBMAZZ_VALUE_FLOAT:
			return explain_number(value, reason);
		case DBMAZZ_VALUE_DATE:
		case DBMAZZ_VALUE_TIMESTAMP:
			return explain_date(value, reason);
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			if (explain_date(value, reason) == DBMAZZ_ERR_UNREPRESENTABLE)
				return DBMAZZ_ERR_UNREPRESENTABLE;
			*reason = "the value is not a time stamp in ISO form and UTC";
			break;
		case DBMAZZ_VALUE_BOOL:
			*reason = "the value is neither t nor f";
			break;
		case DBMAZZ_VALUE_INTEGER:
			*reason = "the value is not an integer";
			break;
		case DBMAZZ_VALUE_BYTEA:
			*reason = "the value is not a byte string in hex form";
			break;
		case DBMAZZ_VALUE_JSON:
			*reason = "the value is empty, which is not JSON";
			break;
		case DBMAZZ_VALUE_STRING:
			*reason = "the value is not text";
			break;
	}
	return DBMAZZ_ERR_MALFORMED;
}
