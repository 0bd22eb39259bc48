/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Berths: windows of a LUN that blocks land in straight from the network.
 *
 * A berth is a range of the LUN that was prepared to be overwritten, mapped, and
 * registered with the device that the block comes in by. Until it is committed
 * nobody but the device and this process sees its pages; they are the LUN's from
 * then on, without a copy:
 *
 *   prepare, map, register -> the block lands -> its checksum is right
 *     -> deregister, unmap, commit
 *   or else -> deregister, unmap, abandon; the block is asked for again
 *
 * Each block has a berth of its own, which is neither mapped nor registered any
 * more when its pages become the LUN's: so nothing that comes late over the
 * network can touch what initiators read, and nothing counts as still being
 * written to. To have one at hand when a block is offered, who stores a block
 * prepares one for the range that comes next, as long as the last one was.
 *
 * What has no berth lands in the pool: what is not whole pages, or in several
 * pieces, and what the kernel or the device refuses to prepare.
 */
#ifndef HEARTH_LUN_BERTH_H
#define HEARTH_LUN_BERTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lun.h"

/* Blocks that come in at once, and berths that wait for one. */
#define HEARTH_BERTHS_AHEAD 8u /* and of long blocks no more than these bytes, but two */
#define HEARTH_BERTHS_AHEAD_BYTES (16u << 20)

struct hearth_berth;
struct hearth_berths;

/* How memory is registered with a device. */
struct hearth_registrar {
	/* The region, or NULL. */
	void *(*add)(void *device, void *memory, uint64_t len, uint32_t *ret_key);
	void (*remove)(void *region);
};

/* Berths within the LUN's part's first @size bytes; or NULL. */
struct hearth_berths *hearth_berths_new(struct hearth_lun *lun, uint64_t size);

/* A reference more, or less. */
struct hearth_berths *hearth_berths_get(struct hearth_berths *bs);
void hearth_berths_put(struct hearth_berths *bs);

/* Gives up all berths; there are none any more. The LUN may be closed then. */
void hearth_berths_close(struct hearth_berths *bs);

/* The device is going away: nothing is registered with it any more. */
void hearth_berths_forget(struct hearth_berths *bs, void *device);

/* A berth for that range of the part, with a reference of @bs; NULL: there is none for it. */
struct hearth_berth *hearth_berths_take(struct hearth_berths *bs, uint64_t offset, uint64_t len,
					const struct hearth_registrar *by, void *device);
uint8_t *hearth_berth_memory(const struct hearth_berth *b);
uint32_t hearth_berth_key(const struct hearth_berth *b);

/* Gives it back; what was not committed is abandoned. */
void hearth_berth_leave(struct hearth_berth *b);

/*
 * Commits what landed at @data, which cannot be read afterwards. 0, -errno; or -ENOENT: it is in
 * no berth.
 */
int hearth_berths_commit(struct hearth_berths *bs, const void *data, uint64_t len);

/* How much was committed, */
uint64_t hearth_berths_landed(const struct hearth_berths *bs);

#endif
