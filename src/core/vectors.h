/*
 * vectors.h
 *		Vectors that every processor of the architecture has.
 *
 * NOTES
 *	  Private to core.  What is here needs no flag of the compiler and no look at
 *	  the processor, so it can be inlined.  Wider ones are chosen at run time
 *	  (json_scan.c).
 */
#ifndef DBMAZZ_VECTORS_H
#define DBMAZZ_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* DBMAZZ_NO_VECTORS: for tests of what other architectures get. */
#if defined(__SSE2__) && !defined(DBMAZZ_NO_VECTORS)
#define DBMAZZ_SSE2
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && \
	!defined(DBMAZZ_NO_VECTORS)
#define DBMAZZ_NEON
#include <arm_neon.h>
#endif

#define DBMAZZ_EACH_BYTE(b)	(UINT64_C(0x0101010101010101) * (b))

static inline uint64_t
dbmazz_load64(const char *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
dbmazz_load32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
dbmazz_load16(const char *p)
{
	uint16_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif							/* DBMAZZ_VECTORS_H */
