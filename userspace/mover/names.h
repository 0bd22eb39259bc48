/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --files-from: a list of paths, read from a file and brought to the end that sends. */
#ifndef HEARTH_NAMES_H
#define HEARTH_NAMES_H

#include "control.h"

#define HEARTH_MAX_NAMES (16u << 20)

/*
 * Reads the names of a file, or of standard input for "-", that end with @end; lines that are empty
 * or start with "#" or ";" are passed over. 0 or -errno; -ENAMETOOLONG.
 */
int hearth_names_load(struct hearth_names *n, const char *path, char end);
int hearth_names_add(struct hearth_names *n, const char *name, size_t len);
void hearth_names_exit(struct hearth_names *n);

/* As many frames as it takes; the receiver knows how many names there are. 0 or -errno. */
int hearth_names_send(struct hearth_control *c, const struct hearth_names *n);
int hearth_names_receive(struct hearth_control *c, uint64_t nr, struct hearth_names *ret);

/* Adds the names of one frame. 0, -EPROTO or -ENOMEM. */
int hearth_names_parse(const struct hearth_frame *f, struct hearth_names *n);

#endif
