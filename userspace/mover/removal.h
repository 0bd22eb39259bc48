/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --remove-source-files: what the sender may remove once the receiver has it all.
 *
 * Every name that is no directory is remembered as it was scanned. The receiver
 * says which must stay; the others go after it is done, if they are still what
 * they were.
 */
#ifndef HEARTH_REMOVAL_H
#define HEARTH_REMOVAL_H

#include "control.h"
#include "dirs.h"
#include "index.h"

struct hearth_removable {
	uint64_t batch;
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t entry;
	uint32_t parent;
	bool is_kept;
	char *name;
};

struct hearth_removal {
	pthread_mutex_t lock;
	struct hearth_removable *v; /* in the order of the index */
	size_t nr;
	size_t cap;
};

void hearth_removal_init(struct hearth_removal *r);
void hearth_removal_exit(struct hearth_removal *r);

/* Remembers the last entry of the batch, if the job removes at all. 0 or -ENOMEM. */
int hearth_removal_add(struct hearth_removal *r, const struct hearth_job *job,
		       const struct hearth_batch *b, const char *name);

/* 0, or -EPROTO if the index has no such entry. */
int hearth_removal_keep(struct hearth_removal *r, uint64_t batch, uint32_t entry);

/* Removes what may go; what cannot be removed is reported. */
void hearth_removal_run(struct hearth_removal *r, struct hearth_job *job, struct hearth_dirs *dirs);

#endif
