/*
 * bytes.c
 *		The hash of keys.
 *
 * NOTES
 *	  A multiply-and-fold hash: the 128-bit product of two words, its halves
 *	  xor'ed, spreads every input bit over the whole result in some five
 *	  cycles.  Nothing durable may depend on the values: they may change with
 *	  a release.
 */
#include "core/bytes.h"

#include "core/vectors.h"

/* Arbitrary odd numbers with as many ones as zeros. */
#define HASH_A	UINT64_C(0x6A0CD1BF968F8991)
#define HASH_B	UINT64_C(0xCD652F6E9881684F)

/* The 128-bit product of two words, its halves xor'ed. */
static inline uint64_t
fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__extension__ unsigned __int128 product = (unsigned __int128) a * b;

	return (uint64_t) product ^ (uint64_t) (product >> 64);
#else
	uint64_t	al = (uint32_t) a;
	uint64_t	ah = a >> 32;
	uint64_t	bl = (uint32_t) b;
	uint64_t	bh = b >> 32;
	uint64_t	low = al * bl;
	uint64_t	middle = ah * bl + (low >> 32);
	uint64_t	middle2 = al * bh + (uint32_t) middle;

	return ((middle2 << 32) | (uint32_t) low) ^
		(ah * bh + (middle >> 32) + (middle2 >> 32));
#endif
}

uint64_t
dbmazz_hash(const char *data, size_t len, uint64_t seed)
{
	uint64_t	a = 0;
	uint64_t	b = 0;
	size_t		left = len;

	seed = fold(seed ^ HASH_A, (uint64_t) len ^ HASH_B);
	while (left > 16)
	{
		seed = fold(dbmazz_load64(data) ^ HASH_A, dbmazz_load64(data + 8) ^ seed);
		data += 16;
		left -= 16;
	}

	/* The rest as two words, which overlap where it is short. */
	if (left >= 8)
	{
		a = dbmazz_load64(data);
		b = dbmazz_load64(data + left - 8);
	}
	else if (left >= 4)
	{
		a = dbmazz_load32(data);
		b = dbmazz_load32(data + left - 4);
	}
	else if (left > 0)
	{
		a = ((uint64_t) (unsigned char) data[0] << 16) |
			((uint64_t) (unsigned char) data[left >> 1] << 8) |
			(unsigned char) data[left - 1];
	}
	return fold(fold(a ^ HASH_B, b ^ seed), HASH_A ^ (uint64_t) len);
}
