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
 * that changes the sector is left, to what the sector holds then.  So a read
 * returns a value from between the floor at its start and the newest at its end,
 * and when nothing is in flight just the one.
 *
 * Where writes may be acknowledged before the device has them, the value of each
 * is put down when it starts, since from then on a read may see it.  Which of
 * two that overlap in time comes first is not known, so the floor does not rise
 * above a value whose write was in flight together with the one that raises it.
 *
 * A flush remembers the floors when it starts; when it is done the device's medium
 * holds none older.  Of a sector whose last change has failed nothing is promised:
 * the device may have it, show it to a read, and lose it with a flush that fails.
 */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

struct req;

struct oracle_value {
	u64 value;
	bool is_early;		/* put down when its write started */
	bool is_open;		/* which is in flight still */
};

struct oracle_sector {
	struct oracle_value *values;
	u32 nr, size;
	u32 floor;
	u32 nr_changing;	/* commands in flight that may change it */
	bool is_vague;		/* the last one that ended has failed */
};

struct oracle {
	struct oracle_sector *sectors;
	u32 nr_sectors;
	bool is_early;		/* writes may be acknowledged early */
};

void oracle_init(struct oracle *o, u32 nr_sectors);
void oracle_exit(struct oracle *o);
void oracle_change(struct oracle *o, u32 sector, u64 value);
void oracle_start(struct oracle *o, struct req *req);
void oracle_end(struct oracle *o, struct req *req);

/* Whether @value may be what the cache holds of the sector now. */
bool oracle_may_hold(const struct oracle *o, u32 sector, u64 value);

#endif /* TEST_ORACLE_H */
