/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped memory that somebody else may take away at any time, as an administrator
 * takes a LUN's from those who have it mapped.
 *
 * Whoever reads it then would get SIGBUS. While it is listed here all of it turns
 * into zeroes instead, at the first access: what is read is wrong, and found to be
 * wrong by its checksum, or when it is given back. Other SIGBUS go where they went.
 */
#ifndef HEARTH_FRAGILE_H
#define HEARTH_FRAGILE_H

#include <stddef.h>

struct hearth_fragile {
	struct hearth_fragile *next;
	void *memory;
	size_t len;
};

/*
 * @memory, @len bytes in whole pages, is listed until the other call, which comes before munmap().
 * Any thread.
 */
void hearth_fragile_add(struct hearth_fragile *f, void *memory, size_t len);
void hearth_fragile_remove(struct hearth_fragile *f);

#endif
