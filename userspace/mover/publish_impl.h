/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside --publish. */
#ifndef HEARTH_PUBLISH_IMPL_H
#define HEARTH_PUBLISH_IMPL_H

#include "erofs.h"
#include "publish.h"
#include "publish_target.h"

/* A file of which some, but not all, is stored. */
struct hearth_publish_part {
	struct hearth_publish_part *next;
	struct hearth_entry *entry;
	struct hearth_ranges stored;
	uint32_t nr_writing;
	bool is_faulty; /* the sender could not read all of it */
};

struct hearth_publish {
	struct hearth_target target;
	bool has_target;
	struct hearth_erofs *fs;
	uint32_t *dirs; /* inodes of directories, by their number */
	uint32_t cap_dirs;
	bool has_root;
	uint64_t nr_entries;

	pthread_mutex_t lock; /* of all here but the target */
	pthread_cond_t changed;
	bool is_open; /* content may be written */
	bool is_cancelled;
	struct hearth_publish_part *parts;
	uint32_t nr_parts;
	pthread_mutex_t gate_lock; /* of opening */
	pthread_mutex_t map_lock; /* from giving blocks to clearing what stays empty of them */
};

/* Waits until content may be written. 0 or -ECANCELED. */
int hearth_publish_wait(struct hearth_receiver *r);

/* Fails the job, for the target or for its size. Both return -ECANCELED. */
int hearth_publish_fail(struct hearth_receiver *r, const char *what, int err);
int hearth_publish_fail_size(struct hearth_receiver *r, uint64_t needed, bool is_all);

#endif
