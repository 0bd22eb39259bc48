/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a random test takes its decisions from: a seed, or a fuzzer's bytes.
 */
#ifndef TEST_CHOICE_H
#define TEST_CHOICE_H

/**
 * struct choice - a source of decisions
 * @bytes: what decides, or NULL: a generator does
 * @nr_left: bytes left; then every decision is 0
 * @state: of the generator
 */
struct choice {
	const u8 *bytes;
	size_t nr_left;
	u64 state;
};

static inline u32 choice_bits(struct choice *c)
{
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return c->state >> 16;
}

static inline u32 choice_byte(struct choice *c)
{
	if (!c->nr_left)
		return 0;
	c->nr_left--;
	return *c->bytes++;
}

/* A number below @n, which is at most 65536. */
static inline u32 choose(struct choice *c, u32 n)
{
	if (n < 2)
		return 0;
	if (!c->bytes)
		return choice_bits(c) % n;
	if (n <= 256)
		return choice_byte(c) % n;
	return (choice_byte(c) << 8 | choice_byte(c)) % n;
}

/* True once in @n times. */
static inline bool chance(struct choice *c, u32 n)
{
	return choose(c, n) == n - 1;
}

#endif /* TEST_CHOICE_H */
