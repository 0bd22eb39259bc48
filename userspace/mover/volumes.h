/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file systems that a job writes to.
 *
 * There may be several, since others can be mounted below the destination. Each
 * has storage threads of its own, if they are split from the network's. With
 * --fsync=end a descriptor of each is held from before the first write on: the
 * kernel tells by it what could not be written since.
 */
#ifndef HEARTH_VOLUMES_H
#define HEARTH_VOLUMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* If there are more, the whole machine is synced, and nobody hears of their errors. */
#define HEARTH_MAX_VOLUMES 16

struct hearth_volume {
	dev_t device;
	int fd; /* or -1 */
	bool has_queue;
	uint8_t queue; /* number of the one that its blocks go to */
};

struct hearth_volumes {
	struct hearth_volume list[HEARTH_MAX_VOLUMES];
	uint32_t nr;
	bool has_more; /* that are to be synced */
};

/*
 * The directory @name in @dir_fd lies on @device. One thread. 0 or -errno; *ret is NULL if there
 * are too many, and this one is not known.
 */
int hearth_volumes_add(struct hearth_volumes *v, int dir_fd, const char *name, dev_t device,
		       bool is_synced, struct hearth_volume **ret);

/* Everything is on disk: 0, or the first of the errors. */
int hearth_volumes_sync(const struct hearth_volumes *v);
void hearth_volumes_exit(struct hearth_volumes *v);

#endif
