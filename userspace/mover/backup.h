/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --backup: what is replaced or deleted is kept, under another name or in another directory. */
#ifndef HEARTH_BACKUP_H
#define HEARTH_BACKUP_H

#include "recv.h"

/*
 * Opens --backup-dir, and makes it if it is not there; a relative one starts at @destination, a
 * directory. 0, or -errno, the job having failed.
 */
int hearth_backup_open(struct hearth_receiver *r, const char *destination);

/*
 * Keeps @name of the directory @dir_fd, which lies at @path below the destination. With @moves the
 * name is gone afterwards, else it is there all the time. Nothing there, or a directory: nothing is
 * done. 0 or -errno.
 */
int hearth_backup_keep(struct hearth_receiver *r, int dir_fd, const char *name, const char *path,
		       bool moves);

/* True if this is a name that an earlier backup made, or the directory of backups. */
bool hearth_backup_is_one(const struct hearth_receiver *r, const char *name, const struct stat *st);

#endif
