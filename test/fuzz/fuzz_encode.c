/*
 * fuzz_encode.c
 *		Fuzz target: a table and rows, as the input decides, all the way to the
 *		body of a load and back.
 */
#include "fuzz.h"
#include "roundtrip.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *wrong = roundtrip(data, size);

	if (wrong != NULL)
	{
		fprintf(stderr, "round trip: %s\n", wrong);
		abort();
	}
	return 0;
}
