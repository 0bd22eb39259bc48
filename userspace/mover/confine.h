/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File system access that cannot leave a directory.
 *
 * Every name here is one path component below a held directory descriptor, and
 * is resolved by openat2(2) with RESOLVE_BENEATH, without following symlinks.
 */
#ifndef HEARTH_CONFINE_H
#define HEARTH_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A descriptor or -errno; -ENOSYS where the kernel (before 5.6) has no openat2. */
int hearth_open_beneath(int dir_fd, const char *name, int flags, mode_t mode);

/* What a directory has under a name, itself if a symlink: 1 if there is something, 0, or -errno. */
int hearth_look_up(int dir_fd, const char *name, struct stat *ret);

/* Opens what a symlink points to, wherever that is: --copy-links asks for it. */
int hearth_open_followed(int dir_fd, const char *name, int flags);

/*
 * Paths that the user gave, with symlinks in them. If there is a @base_fd they start there,
 * whatever they begin with, and cannot leave it; if it is -1 they are what they are. 0, a
 * descriptor of a directory, or -errno.
 */
int hearth_root_open(int base_fd, const char *path);
int hearth_root_stat(int base_fd, const char *path, bool follows, struct stat *ret);
int hearth_root_mkdir(int base_fd, const char *path);

#define HEARTH_TEMP_NAME_BYTES 256

/*
 * The names under which @name is kept until it is whole: ".NAME.hearth" and ".NAME.hearth-journal".
 *
 */
void hearth_temp_name(char buf[HEARTH_TEMP_NAME_BYTES], const char *name);
void hearth_journal_name(char buf[HEARTH_TEMP_NAME_BYTES], const char *name);

#endif
