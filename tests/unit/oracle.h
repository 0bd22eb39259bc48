/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The naive model: which values may a read of a sector return?
 *
 * For each sector it keeps every value that the device ever held, in order, and
 * the oldest one that a read which starts now may still see:
 *
 *     history   v0  v1  v2  v3      v3 is on the device
 *                   ^floor          a write is in flight: v1 may be cached
 *
 * When a write is acknowledged, the floor rises to its value; when no command
 * that changes the sector is left, to the newest.  So a read returns a value
 * from between the floor at its start and the newest at its end, and when
 * nothing is in flight just the one.
 */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

struct req;

struct oracle_sector {
	u64 *values;
	u32 nr, size;
	u32 floor;
	u32 nr_changing;	/* commands in flight that may change it */
};

struct oracle {
	struct oracle_sector *sectors;
	u32 nr_sectors;
};

void oracle_init(struct oracle *o, u32 nr_sectors);
void oracle_exit(struct oracle *o);
void oracle_change(struct oracle *o, u32 sector, u64 value);
void oracle_start(struct oracle *o, struct req *req);
void oracle_end(struct oracle *o, struct req *req);

/* Whether @value may be what the cache holds of the sector now. */
bool oracle_may_hold(const struct oracle *o, u32 sector, u64 value);

#endif /* TEST_ORACLE_H */
