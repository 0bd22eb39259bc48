/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the receiver.
 *
 *   recv.c   receives blocks, listens to the sender, finishes the job
 *   plan.c   makes directories, symlinks and empty files as the index comes in,
 *            and decides which files are wanted              (control thread)
 *   compare.c, items.c, destination.c                       its helpers
 *   store.c  verifies blocks and writes them to files        (storage side)
 *   part.c   files that arrive in several blocks
 *   lun_end.c the same if the destination is a LUN
 *   resume.c their temporary file and journal: what an earlier run left, or new
 *   place.c  attributes, and the rename that makes a file appear
 *   backup.c what is replaced or deleted, kept
 *   links.c  hard links, once their files are whole
 *   publish.h the same for --publish
 *   delete.c what the source does not have, once all is stored
 */
#ifndef HEARTH_RECV_H
#define HEARTH_RECV_H

#include <sys/stat.h>

#include "confine.h"
#include "control.h"
#include "direct.h"
#include "dirs.h"
#include "engine.h"
#include "journal.h"
#include "numa.h"
#include "pool.h"
#include "pulse.h"
#include "seen.h"
#include "table.h"
#include "transport.h"
#include "verify.h"
#include "volumes.h"
#include "work.h"

#define HEARTH_MAX_PARTS 4096

/* What directories that were there before get attributes for. */
#define HEARTH_ATTRIBUTE_FLAGS (HEARTH_PERMS | HEARTH_TIMES | HEARTH_ACLS | HEARTH_XATTRS)

/* Another name of a file. */
struct hearth_link {
	uint32_t parent;
	uint32_t target_parent;
	char *name;
	char *target;
};

/* A file of which some, but not all, is stored. */
struct hearth_part {
	struct hearth_part *next;
	struct hearth_batch *batch;
	struct hearth_entry *entry;
	pthread_mutex_t lock;
	pthread_mutex_t write_lock; /* of buffered writes */
	int refs; /* under the receiver's parts_lock */
	int fd;
	int direct_fd; /* the same file past the page cache, or -1 */
	bool is_preallocated; /* a hole must be made, not left */
	struct hearth_journal journal;
	struct hearth_ranges stored;
	struct hearth_slices slices; /* --verify */
	uint64_t base; /* where in @fd it begins: in a LUN, not at its start */
	uint64_t synced_ns;
	uint32_t nr_writing; /* what is sent over another stream may come twice, and at once */
	bool is_journaled;
	bool is_resumed; /* an earlier run began it */
	bool is_over; /* placed or given up */
};

struct hearth_receiver {
	struct hearth_job *job;
	const struct hearth_wires *wires;
	struct hearth_pool *pool;
	struct hearth_pool own_pool;
	struct hearth_numa numa;
	struct hearth_engine engine;
	struct hearth_dirs dirs;
	struct hearth_table table;
	struct hearth_queue received[HEARTH_MAX_DEVICES]; /* split: network to storage, by volume */
	atomic_uint nr_queues; /* of these in use */
	struct hearth_pulse pulse;

	/* the destination */
	const char *destination;
	char *const *expected; /* names that may appear at the top; none: any */
	uint32_t nr_expected;
	int root_fd;
	char *rename_to; /* the one file's own name there, or NULL */
	struct hearth_lun *lun; /* the destination is one; else NULL */
	int link_fd; /* --link-dest, or -1 */
	int backup_fd; /* --backup-dir, or -1 */
	dev_t backup_device;
	ino_t backup_inode;
	struct hearth_volumes volumes;
	struct hearth_publish *publish; /* --publish; else NULL */
	bool is_eager;
	bool is_dry; /* --dry-run */
	bool is_root_virtual; /* dry run: there is no destination yet */
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

	/* --delete: what the index has, and whether that is to be believed */
	struct hearth_seen seen;
	bool had_scan_errors;
	bool is_source_empty;
	bool has_empty_source;
	uint32_t source_root; /* number of the root whose entries come in */

	/* A file whose size is said at its end, or that goes out to a pipe. */
	struct hearth_batch *stream_batch; /* with a reference */
	struct hearth_entry *stream_entry;
	atomic_uint_least64_t stream_size; /* HEARTH_UNLIMITED until it is known */
	uint64_t out_offset;
	atomic_uint_least64_t dropped; /* a measurement: bytes that were not to be stored */

	/* --hard-links: names to be made once their files are in place */
	struct hearth_link *links;
	size_t nr_links;
	size_t cap_links;

	pthread_mutex_t parts_lock;
	struct hearth_part *parts;
	uint32_t nr_parts;
};

/* Nothing is stored: it goes to a pipe, or is only measured. */
static inline bool hearth_receiver_has_no_place(const struct hearth_receiver *r)
{
	return r->job->stream_fd >= 0 || r->job->opt.bench & HEARTH_BENCH_TO_MEMORY;
}

/* recv.c */
void hearth_receiver_file_over(struct hearth_receiver *r, struct hearth_batch *b);
void hearth_receiver_note(struct hearth_receiver *r, enum hearth_severity severity,
			  const struct hearth_batch *b, const struct hearth_entry *e,
			  const char *what, int err);

/* With --remove-source-files: this entry is not, or not surely, at the destination. */
void hearth_receiver_keep_source(struct hearth_receiver *r, const struct hearth_batch *b,
				 const struct hearth_entry *e);
const char *hearth_receiver_name(const struct hearth_receiver *r, const struct hearth_batch *b,
				 const struct hearth_entry *e);

/* destination.c; what can fail returns 0 or -errno, and -EPROTO if the sender may not say this. */
int hearth_plan_volume(struct hearth_receiver *r, int dir_fd, const char *name,
		       const struct stat *st, struct hearth_dir *dir, uint64_t number);
int hearth_plan_destination(struct hearth_receiver *r, bool is_single);
int hearth_plan_root(struct hearth_receiver *r, const struct hearth_batch *b,
		     const struct hearth_entry *e);
void hearth_plan_remember(struct hearth_dir *dir, const struct hearth_batch *b,
			  const struct hearth_entry *e);

/* plan.c */
int hearth_plan_batch(struct hearth_receiver *r, struct hearth_batch *b);

/* store.c: 0, or -errno if the job cannot go on. Damaged blocks are asked for again. */
int hearth_store_block(struct hearth_receiver *r, struct hearth_block *b);

/* compare.c: what is there against what the index says. */
bool hearth_compare_is_newer(const struct hearth_entry *e, const struct stat *st);
bool hearth_compare_is_same(const struct hearth_receiver *r, int dir_fd, const char *name,
			    const struct hearth_entry *e, const struct stat *st);
bool hearth_compare_attributes(const struct hearth_receiver *r, int fd,
			       const struct hearth_batch *b, const struct hearth_entry *e,
			       const struct stat *st);

/* items.c: names what is done, in rsync's letters; @st: what was there, or NULL. */
void hearth_item(struct hearth_receiver *r, char first, const struct hearth_batch *b,
		 const struct hearth_entry *e, const struct stat *st);
void hearth_item_deleted(struct hearth_receiver *r, const char *path, bool is_dir);

/* delete.c */
void hearth_delete_saw(struct hearth_receiver *r, const struct hearth_entry *e, const char *name);
void hearth_delete_extraneous(struct hearth_receiver *r);

/* links.c: 0 or -ENOMEM; what fails later is reported. */
int hearth_links_add(struct hearth_receiver *r, const struct hearth_batch *b,
		     const struct hearth_entry *e);
void hearth_links_make(struct hearth_receiver *r);
void hearth_links_exit(struct hearth_receiver *r);

/* True if the file became a link to the same file in --link-dest. */
bool hearth_links_find_same(struct hearth_receiver *r, int dir_fd, const struct hearth_batch *b,
			    const struct hearth_entry *e);

/* stream.c: files that come from a pipe, and files that go to one. */
int hearth_stream_plan(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e);
int hearth_stream_end(struct hearth_receiver *r, uint64_t size);
void hearth_stream_drop(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
			uint64_t len);
int hearth_stream_out(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      uint64_t offset, uint64_t len, const void *data);

/* resume.c; all that is stored becomes doubtful: 0 or -ENOMEM. */
int hearth_remains_doubt(struct hearth_remains *remains);
int hearth_part_open(struct hearth_receiver *r, struct hearth_part *p);
void hearth_part_find_remains(struct hearth_receiver *r, int dir_fd, const char *name,
			      const struct hearth_entry *e, struct hearth_remains *ret);

/* part.c; @data: NULL for a hole, and the XXH3-128 of what @is_there already. */
int hearth_part_store(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      uint64_t offset, uint64_t len, const void *data, bool is_there);
/* True if the file has these bytes already, by their XXH3-128; opens it. */
bool hearth_part_has(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		     uint64_t offset, uint64_t len, const uint8_t *sum);
/* The size of a stream became known: the file may be complete by that. */
void hearth_part_check(struct hearth_receiver *r, struct hearth_entry *e);
void hearth_part_give_up(struct hearth_receiver *r, struct hearth_entry *e);
void hearth_parts_exit(struct hearth_receiver *r);

/* place.c; all return 0 or -errno */
void hearth_place_work_name(const struct hearth_receiver *r, char buf[HEARTH_TEMP_NAME_BYTES],
			    const char *name);

/*
 * Whether this error of chown() means that a copy keeps its own owner or group: without privilege,
 * or where the file system has none to give.
 */
bool hearth_place_keeps_owner(int err);
int hearth_place_rename(struct hearth_receiver *r, uint32_t dir, int dir_fd, const char *temp,
			const char *name);
int hearth_place_create(struct hearth_receiver *r, int dir_fd, const char *temp,
			const struct hearth_entry *e);
int hearth_place_finish(struct hearth_receiver *r, int dir_fd, int fd, const char *name,
			const struct hearth_batch *b, const struct hearth_entry *e);
int hearth_place_whole(struct hearth_receiver *r, const struct hearth_batch *b,
		       const struct hearth_entry *e, const void *data);
int hearth_place_attributes(struct hearth_receiver *r, int fd, const struct hearth_entry *e,
			    const void *attrs, bool is_new);
int hearth_place_by_name(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e, bool is_new);
int hearth_place_symlink(struct hearth_receiver *r, int dir_fd, const char *name,
			 const char *target, const struct hearth_entry *e);
int hearth_place_special(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e);
void hearth_place_directories(struct hearth_receiver *r);

#endif
