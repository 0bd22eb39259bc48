/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended attributes and ACLs, as one string of bytes: name, value, name,
 * value, each preceded by its length.
 *
 * ACLs are the attributes system.posix_acl_*, whose form is the kernel's own.
 * Of the other name spaces root copies all, everybody else "user." alone; the
 * receiver applies the same rule to what it is sent.
 */
#ifndef HEARTH_ATTRS_H
#define HEARTH_ATTRS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the file has of what @flags (HEARTH_ACLS, HEARTH_XATTRS) asks for. Its length, or -errno. */
ssize_t hearth_attrs_read(int fd, uint32_t flags, void *buf, size_t cap);

/* Makes the file have these and no others. 0 or -errno; -EPROTO: malformed. */
int hearth_attrs_write(int fd, uint32_t flags, const void *attrs, size_t len);

#endif
