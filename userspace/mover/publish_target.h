/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a published image goes: a new file, a block device, or a LUN of this machine.
 *
 * All that the rest needs of it is a descriptor, where in it the image begins and
 * how long it may become. A file is made under a temporary name and gets its own
 * when it is whole; of a device the first block, which is what makes it a file
 * system, is cleared before anything else is written to it.
 */
#ifndef HEARTH_PUBLISH_TARGET_H
#define HEARTH_PUBLISH_TARGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "lun.h"

struct hearth_target {
	int fd;
	uint64_t base;
	uint64_t limit; /* bytes from there */
	bool is_new; /* what was never written reads as zeros */
	pthread_mutex_t write_lock; /* of a file: the kernel takes one write at a time */
	pthread_mutex_t edge_lock; /* of blocks that are written to in part */

	/* of a file */
	int dir_fd;
	char *name;
	/* of a LUN */
	bool is_lun;
	struct hearth_lun lun;
};

/*
 * Opens it for this job alone; nothing that is there is changed yet. @anyway: a LUN that an
 * initiator may write to, too. 0, or -errno with the reason in @text.
 */
int hearth_target_open(struct hearth_target *t, int base_fd, const char *path, bool anyway,
		       char *text, size_t size);

/* What is there stops being a file system, durably. 0 or -errno, as all below. */
int hearth_target_begin(struct hearth_target *t);

/* Writes whole blocks of 4096 bytes. */
int hearth_target_write(struct hearth_target *t, struct iovec *iov, int nr, uint64_t offset);

/* Writes what may begin and end anywhere, and @pad zeros behind it; @data: NULL for zeros. */
int hearth_target_put(struct hearth_target *t, const void *data, uint64_t len, uint64_t pad,
		      uint64_t offset);

int hearth_target_sync(struct hearth_target *t);

/*
 * The image is whole: a file gets its name, and the mode that a new one has under @umask.
 * -ESTALE: somebody took the temporary one away.
 */
int hearth_target_finish(struct hearth_target *t, mode_t umask);

/* Closes it; a file that is not finished is removed. */
void hearth_target_close(struct hearth_target *t);

#endif
