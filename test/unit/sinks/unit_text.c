/*
 * unit_text.c
 *		Tests of sinks/starrocks/text.c.
 */
#include "unit.h"

#include <string.h>

#include "sinks/starrocks/text.h"

static void
check_clean(const char *in, size_t len, const char *expected)
{
	char		out[256];

	dbmazz_sr_clean(out, sizeof(out), in, len);
	CHECK_STR(out, expected);
}

static void
cleaning(void)
{
	char		small[4];

	check_clean("plain", 5, "plain");
	check_clean("a\r\nb\0c", 6, "a  b c");
	check_clean("\xc3\xa9t\xc3\xa9", 5, "\xc3\xa9t\xc3\xa9");
	check_clean("\xff\xfe", 2, "??");
	check_clean("\xc0\x80", 2, "??");	/* overlong */
	check_clean("\xed\xa0\x80", 3, "???");	/* half of a pair */
	check_clean("\xf4\x90\x80\x80", 4, "????");
	check_clean("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
	check_clean("\xe2\x82", 2, "??");	/* cut off */
	dbmazz_sr_clean(small, sizeof(small), "ab\xc3\xa9", 4);
	CHECK_STR(small, "ab");
	dbmazz_sr_clean(small, 1, "abc", 3);
	CHECK_STR(small, "");
}

static void
growing(void)
{
	DbmazzSrText text = {0};
	int			i;

	dbmazz_sr_text_ident(&text, "a`b");
	dbmazz_sr_text_json(&text, "x\"\\\n\x01");
	dbmazz_sr_text_url(&text, "a b");
	dbmazz_sr_text_addf(&text, "%d", 42);
	CHECK_STR(text.data, "`a``b`\"x\\\"\\\\\\n\\u0001\"a%20b42");
	CHECK_INT(text.len, strlen(text.data));
	dbmazz_sr_text_clear(&text);
	CHECK_INT(text.len, 0);
	for (i = 0; i < 10000; i++)
		dbmazz_sr_text_addf(&text, "%05d", i);
	CHECK_INT(text.len, 50000);
	CHECK_STR(text.data + 49995, "09999");
	CHECK(!text.failed);
	dbmazz_sr_text_free(&text);
}

void
unit_text(void)
{
	cleaning();
	growing();
	CHECK(dbmazz_sr_is_clean("caf\xc3\xa9 ~"));
	CHECK(!dbmazz_sr_is_clean("a\nb"));
	CHECK(!dbmazz_sr_is_clean("a\x7f"));
}
