/*
 * test_watermark.c
 *		Tests of the position.
 */
#include "core/watermark.h"

#include "check.h"

static void
nothing_outstanding(void)
{
	DbmazzWatermark mark;

	dbmazz_watermark_begin(&mark, 1000);
	CHECK_INT(dbmazz_watermark_end(&mark, 500), 1000);
}

static void
smallest_batch_decides(void)
{
	DbmazzWatermark mark;

	dbmazz_watermark_begin(&mark, 1000);
	dbmazz_watermark_outstanding(&mark, 900);
	dbmazz_watermark_outstanding(&mark, 700);
	dbmazz_watermark_outstanding(&mark, 800);
	CHECK_INT(dbmazz_watermark_end(&mark, 500), 700);
}

/* A batch of a transaction that is being decoded. */
static void
batch_beyond_what_is_decoded(void)
{
	DbmazzWatermark mark;

	dbmazz_watermark_begin(&mark, 1000);
	dbmazz_watermark_outstanding(&mark, 1200);
	CHECK_INT(dbmazz_watermark_end(&mark, 500), 1000);
}

static void
never_goes_back(void)
{
	DbmazzWatermark mark;

	dbmazz_watermark_begin(&mark, 1000);
	dbmazz_watermark_outstanding(&mark, 300);
	CHECK_INT(dbmazz_watermark_end(&mark, 500), 500);
	dbmazz_watermark_begin(&mark, 0);
	CHECK_INT(dbmazz_watermark_end(&mark, 500), 500);
}

void
test_watermark(void)
{
	RUN(nothing_outstanding);
	RUN(smallest_batch_decides);
	RUN(batch_beyond_what_is_decoded);
	RUN(never_goes_back);
}
