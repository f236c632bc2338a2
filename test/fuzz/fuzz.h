/*
 * fuzz.h
 *		What the fuzz targets share.
 */
#ifndef DBMAZZ_FUZZ_H
#define DBMAZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A rule that must hold, whatever the input is. */
#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
					#condition); \
			abort(); \
		} \
	} while (0)

#endif							/* DBMAZZ_FUZZ_H */
