/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum of a file's whole content, for --checksum. */
#ifndef HEARTH_SUM_H
#define HEARTH_SUM_H

#include <stdint.h>

#include "index.h"

/* Of the first @size bytes. 0, -ENODATA if there are fewer, or -errno. */
int hearth_sum_file(int fd, uint64_t size, uint8_t ret[HEARTH_SUM_BYTES]);

#endif
