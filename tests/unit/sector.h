/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests store in a sector: one 64-bit value, repeated.
 *
 * The value says which command wrote the sector and where it belongs, so a
 * stale, misplaced or torn sector is known for what it is.  Zero is what a
 * discard leaves.
 */
#ifndef TEST_SECTOR_H
#define TEST_SECTOR_H

#define SECTOR_BYTES	512
#define SECTOR_WORDS	(SECTOR_BYTES / sizeof(u64))

static inline u64 sector_value(u32 tag, u32 sector)
{
	return (u64)tag << 32 | sector;
}

static inline void sector_fill(void *mem, u64 value)
{
	unsigned char *at = mem;
	unsigned int i;

	for (i = 0; i < SECTOR_WORDS; i++, at += sizeof(value))
		memcpy(at, &value, sizeof(value));
}

/* The value of a sector; dies if it is torn. */
static inline u64 sector_read(const void *mem)
{
	const unsigned char *at = mem;
	u64 value, other;
	unsigned int i;

	memcpy(&value, at, sizeof(value));
	for (i = 1; i < SECTOR_WORDS; i++) {
		memcpy(&other, at + i * sizeof(value), sizeof(other));
		if (other != value)
			shim_die("torn sector: %llx and %llx", value, other);
	}
	return value;
}

#endif /* TEST_SECTOR_H */
