/*
 * random_values.c
 *		Values of every class, made from bytes that a fuzzer chooses.
 */
#include "random_values.h"

uint32_t
choose(Choices *choices, uint32_t bound)
{
	uint32_t	v = 0;

	if (choices->left > 0)
	{
		v = *choices->data++;
		choices->left--;
	}
	return v % bound;
}

static void
make_digits(Choices *choices, Buffer *value, uint32_t n)
{
	uint32_t	i;

	put_byte(value, (char) ('1' + choose(choices, 9)));
	for (i = 1; i < n; i++)
		put_byte(value, (char) ('0' + (i * 7 + n) % 10));
}

static void
make_string(Choices *choices, Buffer *value)
{
	static const char special[] = "\"\\\n\r\t\b\f\x01\x1F/\x7F";
	uint32_t	size = choose(choices, 64);
	uint32_t	n = choose(choices, 256);
	uint32_t	every = 1 + choose(choices, 64);
	uint32_t	which = choose(choices, sizeof(special));
	uint32_t	i;

	if (size < 40)
		n %= 40;
	else if (size == 63)
		n *= 300;
	for (i = 0; i < n; i++)
	{
		if (i % every == 0 && every < 60)
			put_byte(value, special[which]);
		else
			put_byte(value, (char) (' ' + (i * 31 + which) % 90 + 2));
	}
}

static void
make_json(Choices *choices, Buffer *value)
{
	static const char *const documents[] = {
		"{}", "[]", "1", "-1.5e+3", "null", "true", "\"\\u00e4\\n\"",
		"{\"a\": [1, 2, {\"b\": null}], \"c\": \"d\\\"\"}"
	};

	put_printf(value, "%s", documents[choose(choices, 8)]);
}

static void
make_date(Choices *choices, Buffer *value)
{
	put_printf(value, "%04u-%02u-%02u", 1 + choose(choices, 256) * 39,
			   1 + choose(choices, 12), 1 + choose(choices, 28));
}

static void
make_timestamp(Choices *choices, Buffer *value)
{
	uint32_t	fraction = choose(choices, 7);

	make_date(choices, value);
	put_printf(value, " %02u:%02u:%02u", choose(choices, 24), choose(choices, 60),
			   choose(choices, 60));
	if (fraction > 0)
	{
		put_byte(value, '.');
		make_digits(choices, value, fraction);
	}
}

/* A value that is right for its class. */
void
make_good(Choices *choices, uint8_t value_class, Buffer *value)
{
	switch ((DbmazzValueClass) value_class)
	{
		case DBMAZZ_VALUE_STRING:
			make_string(choices, value);
			return;
		case DBMAZZ_VALUE_BOOL:
			put_byte(value, "tf"[choose(choices, 2)]);
			return;
		case DBMAZZ_VALUE_INTEGER:
			if (choose(choices, 4) == 0)
				put_byte(value, '-');
			make_digits(choices, value, 1 + choose(choices, 20));
			return;
		case DBMAZZ_VALUE_DECIMAL:
			if (choose(choices, 4) == 0)
				put_byte(value, '-');
			make_digits(choices, value, choose(choices, 64) == 63 ?
						1 + choose(choices, 256) * 200 : 1 + choose(choices, 30));
			put_byte(value, '.');
			make_digits(choices, value, 1 + choose(choices, 20));
			return;
		case DBMAZZ_VALUE_CHAR:
			if (choose(choices, 8) > 0)
				put_byte(value, (char) (1 + choose(choices, 127)));
			return;
		case DBMAZZ_VALUE_FLOAT:
		case DBMAZZ_VALUE_REAL:
			make_digits(choices, value, 1);
			put_byte(value, '.');
			make_digits(choices, value, 1 + choose(choices, 15));
			put_printf(value, "e-%02u", choose(choices, 99));
			return;
		case DBMAZZ_VALUE_DATE:
			make_date(choices, value);
			return;
		case DBMAZZ_VALUE_TIMESTAMP:
			make_timestamp(choices, value);
			return;
		case DBMAZZ_VALUE_TIMESTAMPTZ:
			make_timestamp(choices, value);
			put_printf(value, "+00");
			return;
		case DBMAZZ_VALUE_BYTEA:
			put_printf(value, "\\x");
			make_digits(choices, value, 2 * (1 + choose(choices, 256)));
			return;
		case DBMAZZ_VALUE_JSON:
			make_json(choices, value);
			return;
	}
}

static const Unfit unfits[] = {
	{DBMAZZ_VALUE_DECIMAL, "NaN", NULL},
	{DBMAZZ_VALUE_FLOAT, "NaN", NULL},
	{DBMAZZ_VALUE_FLOAT, "-Infinity", "-1.7976931348623157e+308"},
	{DBMAZZ_VALUE_REAL, "Infinity", "3.4028234663852886e+38"},
	{DBMAZZ_VALUE_DATE, "infinity", "9999-12-31"},
	{DBMAZZ_VALUE_DATE, "0044-03-15 BC", "0001-01-01"},
	{DBMAZZ_VALUE_TIMESTAMP, "12345-01-01 00:00:00",
	"9999-12-31 23:59:59.999999"},
	{DBMAZZ_VALUE_TIMESTAMPTZ, "-infinity", "0001-01-01 00:00:00+00"},
	{DBMAZZ_VALUE_JSON, "[1e400, \"\\u0000\"]",
	"[1.7976931348623157e308, \"\\uFFFD\"]"},
	{DBMAZZ_VALUE_JSON, "{\"a\":-123456789012345678901234567890}",
	"{\"a\":-123456789012345678901234567890.0}"},
};

/* One that does not fit, if the class has such; NULL if not. */
const Unfit *
make_unfit(Choices *choices, uint8_t value_class, Buffer *value)
{
	const size_t n = sizeof(unfits) / sizeof(unfits[0]);
	size_t		first = choose(choices, (uint32_t) n);
	size_t		i;

	for (i = 0; i < n; i++)
	{
		const Unfit *unfit = &unfits[(first + i) % n];

		if (unfit->value_class == value_class)
		{
			put_printf(value, "%s", unfit->text);
			return unfit;
		}
	}
	return NULL;
}
