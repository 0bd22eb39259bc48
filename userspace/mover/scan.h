/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the scan.
 *
 *   paths.c  where it starts: sources, --relative, --files-from
 *   scan.c   directories, and the batches that go out
 *   lun_source.c  a LUN, a block device
 *   entry.c  one name: what the index says of it
 */
#ifndef HEARTH_SCAN_H
#define HEARTH_SCAN_H

#include <sys/stat.h>

#include "chmod.h"
#include "seen.h"
#include "send.h"

/* The first name of a file that has several. */
struct hearth_first_name {
	dev_t device;
	ino_t inode;
	uint32_t parent;
	char *name;
};

struct hearth_scan {
	struct hearth_sender *s;
	struct hearth_batch *batch;
	uint64_t nr_batches;
	uint64_t device; /* of the source argument, for --one-file-system */
	bool had_errors;
	uint8_t *encoded;
	uint8_t *attrs; /* of the entry that is being made */
	struct hearth_chmod chmod;

	/* --relative, --files-from: names that were given, by directory and name */
	struct hearth_seen named;
	uint32_t *numbers; /* of directories among them: open addressing by the same key */
	size_t nr_numbers;
	size_t cap_numbers;

	/* --hard-links: open addressing by device and inode */
	struct hearth_first_name *firsts;
	size_t nr_firsts;
	size_t cap_firsts;
};

/* scan.c; all return 0, or -errno if the job cannot go on. */
int hearth_scan_add(struct hearth_scan *scan, const struct hearth_entry *e, const char *name,
		    const char *target);
int hearth_scan_directories(struct hearth_scan *scan, uint32_t first);
void hearth_scan_report(struct hearth_scan *scan, enum hearth_severity severity, uint32_t dir,
			const char *name, const char *what, const char *why);
void hearth_scan_report_errno(struct hearth_scan *scan, uint32_t dir, const char *name,
			      const char *what, int err);

/* entry.c */
struct hearth_entry hearth_scan_entry(struct hearth_scan *scan, const struct stat *st,
				      uint32_t parent);
int hearth_scan_name(struct hearth_scan *scan, uint32_t dir, int dir_fd, const char *name);

/* A directory on the way to what was named, whose other content stays out. */
int hearth_scan_passage(struct hearth_scan *scan, uint32_t dir, int dir_fd, const char *name);

/* Fills in what needs the file open: attributes and checksum. 0 or -errno. */
int hearth_scan_look_inside(struct hearth_scan *scan, struct hearth_entry *e, int fd);
void hearth_scan_firsts_exit(struct hearth_scan *scan);

/* lun_source.c */
int hearth_scan_lun(struct hearth_scan *scan, const char *source);
/* How long a block device is. 0 or -errno. */
int hearth_scan_size_device(int dir_fd, const char *name, bool follows, uint64_t *ret_bytes);

/* paths.c */
int hearth_scan_source(struct hearth_scan *scan, const char *source);
int hearth_scan_stream(struct hearth_scan *scan);
/* A root whose entries lie in no directory; @name is what reports call it. */
int hearth_scan_root(struct hearth_scan *scan, const char *name);
void hearth_scan_paths_exit(struct hearth_scan *scan);

/* True if the name was given by itself, and is not to be found once more. */
bool hearth_scan_is_named(const struct hearth_scan *scan, uint32_t dir, const char *name);

#endif
