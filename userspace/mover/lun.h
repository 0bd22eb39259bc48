/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LUN of this machine as an end of a copy: "lun:/NAME[@OFFSET[+LEN]]".
 *
 *   lun.c      names, and opening the node with every check before the first byte
 *   lun_io.c   writing, punching, flushing
 *   lun_use.c  who has the LUN's disk already, as configfs tells
 *
 * The node (hearth(4)) goes the way of an initiator's commands, so a copy and
 * they see one truth; but a file system that an initiator has mounted does not
 * expect its disk to change. So a LUN that somebody may write to is left alone
 * unless forced, and of two copies into one LUN the second is refused.
 */
#ifndef HEARTH_LUN_H
#define HEARTH_LUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_LUN_PREFIX "lun:/"
#define HEARTH_LUN_NAME_MAX 255

/* What a name says: a LUN, and a part of it. */
struct hearth_lun_name {
	char name[HEARTH_LUN_NAME_MAX + 1];
	uint64_t offset;
	uint64_t len; /* 0: up to the end */
};

/* True if the text is meant as the name of a LUN, well formed or not. */
bool hearth_lun_is_meant(const char *text);

/* 0, or -EINVAL if it does not have the form above. */
int hearth_lun_parse(const char *text, struct hearth_lun_name *ret);

/* True if the two parts of one LUN, as far as their names tell, have a byte in common. */
bool hearth_lun_overlaps(const struct hearth_lun_name *a, const struct hearth_lun_name *b);

enum hearth_lun_how {
	HEARTH_LUN_READ = 0,
	HEARTH_LUN_WRITE = 1,
	HEARTH_LUN_ANYWAY = 2, /* with an initiator that may write to it, too */
};

struct hearth_lun {
	struct hearth_lun_name name;
	int fd;
	uint64_t start; /* of the part, in the LUN */
	uint64_t len; /* of the part */
	uint64_t size_bytes; /* of the LUN */
	uint32_t block_bytes;
	char serial[64]; /* that initiators see; empty: not known */
	pthread_mutex_t edge_lock; /* of blocks that are written to in part */
	atomic_bool has_no_punch; /* the device cannot be relied on for zeroes */
};

/*
 * Opens the LUN of that name, checked for @how (enum hearth_lun_how); it is locked against other
 * copies when it is written to. 0, or -errno with thing, value and remedy in @text.
 */
int hearth_lun_open(struct hearth_lun *lun, const char *name, unsigned int how, char *text,
		    size_t size);
void hearth_lun_close(struct hearth_lun *lun);

/* Why reading or writing failed, in words. */
const char *hearth_lun_strerror(int err);

/*
 * Offsets count from the part's start, and nothing outside the part is changed: where a range does
 * not end with a block, the rest of the block is read and written back. All return 0 or -errno;
 * -ERANGE: outside the part; -EINVAL: begins within a block.
 */
int hearth_lun_write(struct hearth_lun *lun, const void *data, uint64_t len, uint64_t offset);

/* Zeroes that take no room on the device, where it can do that. */
int hearth_lun_clear(struct hearth_lun *lun, uint64_t len, uint64_t offset);

/*
 * Does @what, one of HEARTH_IOC_* that take a range, to the bytes from @at on of the LUN itself,
 * all of them, however often a signal comes. 0 or -errno.
 */
int hearth_lun_act(const struct hearth_lun *lun, unsigned long what, uint32_t flags, uint64_t len,
		   uint64_t at);

/* Has the cache forget what is durable, or brings all in. */
int hearth_lun_drop(struct hearth_lun *lun, uint64_t len, uint64_t offset);
int hearth_lun_warm(struct hearth_lun *lun, uint64_t len, uint64_t offset);

#define HEARTH_LUN_USER_BYTES 512

/*
 * Looks, in the configfs below @root, for a session that may write to the LUN. 1: there is one, and
 * it is named in @who; 0: there is none; or -errno: that cannot be seen.
 */
int hearth_lun_find_user(const char *root, const char *name, char who[HEARTH_LUN_USER_BYTES]);

/* From now on nobody writes to the LUN, initiators neither. 0 or -errno. */
int hearth_lun_make_readonly(const char *root, const char *name);

/* The serial number that initiators see; empty: not known. */
void hearth_lun_read_serial(const char *root, const char *name, char *ret, size_t size);

#endif
