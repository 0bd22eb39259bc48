/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --fsync=end: the file systems that a job writes to.
 *
 * There may be several, since others can be mounted below the destination. A
 * descriptor of each is held from before the first write on: the kernel tells by
 * it what could not be written since.
 */
#ifndef HEARTH_VOLUMES_H
#define HEARTH_VOLUMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* If there are more, the whole machine is synced, and nobody hears of their errors. */
#define HEARTH_MAX_VOLUMES 16

struct hearth_volumes {
	struct {
		dev_t device;
		int fd;
	} list[HEARTH_MAX_VOLUMES];
	uint32_t nr;
	bool has_more;
};

/* The directory @name in @dir_fd lies on @device. One thread. */
void hearth_volumes_add(struct hearth_volumes *v, int dir_fd, const char *name, dev_t device);

/* Everything is on disk: 0, or the first of the errors. */
int hearth_volumes_sync(const struct hearth_volumes *v);
void hearth_volumes_exit(struct hearth_volumes *v);

#endif
