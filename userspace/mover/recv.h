/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the receiver.
 *
 *   recv.c   receives blocks, listens to the sender, finishes the job
 *   plan.c   makes directories, symlinks and empty files as the index comes in,
 *            and decides which files are wanted              (control thread)
 *   store.c  verifies blocks and writes them to files        (storage side)
 *   part.c   files that arrive in several blocks: temporary file and journal
 *   place.c  attributes, and the rename that makes a file appear
 */
#ifndef HEARTH_RECV_H
#define HEARTH_RECV_H

#include "confine.h"
#include "control.h"
#include "dirs.h"
#include "journal.h"
#include "pool.h"
#include "pulse.h"
#include "table.h"
#include "transport.h"

#define HEARTH_MAX_PARTS 4096

/* A file of which some, but not all, is stored. */
struct hearth_part {
	struct hearth_part *next;
	struct hearth_batch *batch;
	struct hearth_entry *entry;
	pthread_mutex_t lock;
	int refs; /* under the receiver's parts_lock */
	int fd;
	struct hearth_journal journal;
	struct hearth_ranges stored;
	uint64_t synced_ns;
	bool is_journaled;
	bool is_over; /* placed or given up */
};

struct hearth_receiver {
	struct hearth_job *job;
	const struct hearth_wires *wires;
	struct hearth_pool *pool;
	struct hearth_pool own_pool;
	struct hearth_dirs dirs;
	struct hearth_table table;
	struct hearth_queue received; /* split stages: from network to storage */
	struct hearth_pulse pulse;

	/* the destination */
	const char *destination;
	char *const *expected; /* names that may appear at the top; none: any */
	uint32_t nr_expected;
	int root_fd;
	char *rename_to; /* the one file's own name there, or NULL */
	bool is_eager;
	mode_t umask;
	uid_t euid;
	gid_t egid;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t nr_batches;
	uint64_t nr_left; /* wanted files that are not over */
	bool is_started;
	bool is_index_complete;
	bool is_over; /* everything is stored or given up */
	bool is_done; /* and said so to the sender */
	bool is_bye;
	bool is_cancelled;

	pthread_mutex_t parts_lock;
	struct hearth_part *parts;
	uint32_t nr_parts;
};

/* recv.c */
void hearth_receiver_file_over(struct hearth_receiver *r, struct hearth_batch *b);
void hearth_receiver_note(struct hearth_receiver *r, enum hearth_severity severity,
			  const struct hearth_batch *b, const struct hearth_entry *e,
			  const char *what, int err);
const char *hearth_receiver_name(const struct hearth_receiver *r, const struct hearth_batch *b,
				 const struct hearth_entry *e);

/* plan.c; both return 0 or -errno, and -EPROTO if the sender may not say this. */
int hearth_plan_destination(struct hearth_receiver *r, bool is_single);
int hearth_plan_batch(struct hearth_receiver *r, struct hearth_batch *b);

/* store.c: 0, or -errno if the job cannot go on. Damaged blocks are asked for again. */
int hearth_store_block(struct hearth_receiver *r, struct hearth_block *b);

/* part.c */
int hearth_part_store(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      uint64_t offset, uint64_t len, const void *data);
void hearth_part_give_up(struct hearth_receiver *r, struct hearth_entry *e);
void hearth_part_find_stored(struct hearth_receiver *r, int dir_fd, const char *name,
			     const struct hearth_entry *e, struct hearth_ranges *stored);
void hearth_parts_exit(struct hearth_receiver *r);

/* place.c; all return 0 or -errno */
int hearth_place_create(struct hearth_receiver *r, int dir_fd, const char *temp,
			const struct hearth_entry *e);
int hearth_place_finish(struct hearth_receiver *r, int dir_fd, int fd, const char *temp,
			const char *name, const struct hearth_entry *e);
int hearth_place_whole(struct hearth_receiver *r, const struct hearth_batch *b,
		       const struct hearth_entry *e, const void *data);
int hearth_place_attributes(struct hearth_receiver *r, int fd, const struct hearth_entry *e,
			    bool is_new);
int hearth_place_symlink(struct hearth_receiver *r, int dir_fd, const char *name,
			 const char *target, const struct hearth_entry *e);
int hearth_place_special(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e);
void hearth_place_directories(struct hearth_receiver *r);

#endif
