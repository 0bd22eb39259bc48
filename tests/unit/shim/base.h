/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types, bits and arithmetic.
 */
#ifndef SHIM_BASE_H
#define SHIM_BASE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef unsigned int gfp_t;

#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX

#define GFP_KERNEL	0u
#define GFP_NOIO	0u
#define __GFP_NOWARN	0u
#define __GFP_ZERO	1u

#define __percpu
#define ____cacheline_aligned_in_smp

/* Ends the test at once: an invariant that nothing can go on without is broken. */
#define shim_die(...)							\
	do {								\
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);		\
		fprintf(stderr, __VA_ARGS__);				\
		fputc('\n', stderr);					\
		abort();						\
	} while (0)

#define shim_assert(cond)						\
	do {								\
		if (!(cond))						\
			shim_die("broken: %s", #cond);			\
	} while (0)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BITS_PER_LONG	64
#define BIT(n)		(1UL << (n))
#define GENMASK(h, l)	((~0UL << (l)) & (~0UL >> (BITS_PER_LONG - 1 - (h))))

/* clang-format takes the arguments in parentheses for casts */
/* clang-format off */
#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))
#define min3(a, b, c)	min_t(typeof(a), min(a, b), c)

#define round_down(x, y)	((x) & ~((typeof(x))(y) - 1))
/* clang-format on */

/* As strict about types as the kernel's. */
#define shim_same_type(a, b)						\
	((void)sizeof((typeof(a) *)1 == (typeof(b) *)1))
#define min(a, b) ({							\
	typeof(a) shim_a = (a);						\
	typeof(b) shim_b = (b);						\
	shim_same_type(a, b);						\
	shim_a < shim_b ? shim_a : shim_b; })
#define max(a, b) ({							\
	typeof(a) shim_a = (a);						\
	typeof(b) shim_b = (b);						\
	shim_same_type(a, b);						\
	shim_a > shim_b ? shim_a : shim_b; })
#define min_t(type, a, b) ({						\
	type shim_ta = (a);						\
	type shim_tb = (b);						\
	shim_ta < shim_tb ? shim_ta : shim_tb; })

/* for sparse only */
#define __acquire(lock)		((void)0)
#define __release(lock)		((void)0)
#define __releases(lock)

static inline int ilog2(u64 n)
{
	shim_assert(n);
	return 63 - __builtin_clzll(n);
}

static inline u64 div_u64(u64 dividend, u32 divisor)
{
	shim_assert(divisor);
	return dividend / divisor;
}

#define DIV_ROUND_UP_ULL(n, d)	div_u64((n) + (u64)(d) - 1, d)

static inline u64 div_u64_rem(u64 dividend, u32 divisor, u32 *ret_rem)
{
	shim_assert(divisor);
	*ret_rem = dividend % divisor;
	return dividend / divisor;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 divisor)
{
	shim_assert(divisor);
	return (__uint128_t)a * b / divisor;
}

static inline unsigned long __ffs(unsigned long word)
{
	shim_assert(word);
	return __builtin_ctzl(word);
}

static inline unsigned long __fls(unsigned long word)
{
	shim_assert(word);
	return BITS_PER_LONG - 1 - __builtin_clzl(word);
}

static inline unsigned int hweight8(u8 byte)
{
	return __builtin_popcount(byte);
}

#define GOLDEN_RATIO_64		0x61c8864680b583ebull

/* Returns 32 bits, as the kernel's does. */
static inline u32 hash_64(u64 val, unsigned int bits)
{
	return (val * GOLDEN_RATIO_64) >> (64 - bits);
}

static inline unsigned int shim_next_bit(const unsigned long *word,
					 unsigned int size, unsigned int from)
{
	unsigned long rest;

	if (from >= size)
		return size;
	rest = *word & (~0UL << from);
	return rest && (unsigned int)__builtin_ctzl(rest) < size ?
	       (unsigned int)__builtin_ctzl(rest) : size;
}

/* Of one word: the core needs no more. */
#define for_each_set_bit(bit, word, size)				\
	for ((bit) = shim_next_bit(word, size, 0); (bit) < (size);	\
	     (bit) = shim_next_bit(word, size, (bit) + 1))

#define cond_resched()	((void)0)

#endif /* SHIM_BASE_H */
