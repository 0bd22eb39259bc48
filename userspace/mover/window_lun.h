/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The LUN that a session from afar reads: opened, and watched. */
#ifndef HEARTH_WINDOW_LUN_H
#define HEARTH_WINDOW_LUN_H

#include "lun.h"

/* The LUN, and its node once more for mappings. */
struct hearth_window_lun {
	struct hearth_lun lun; /* as the client may have it */
	int map_fd; /* open for writing if that can be: some kernels register nothing else */
	bool maps_writable;
	bool wants_writable; /* the kernel registers nothing else */
	uint64_t mapped_bytes; /* by whomever */
	uint64_t mapped_max_bytes;
	uint32_t flags; /* HEARTH_INFO_* */
};

/* 0, or -errno with the reason in @text; @how: enum hearth_lun_how */
int hearth_window_lun_open(struct hearth_window_lun *l, const char *name, unsigned int how,
			   char *text, size_t size);
void hearth_window_lun_close(struct hearth_window_lun *l);
/* Asks the kernel what the LUN is by now. 0, or -errno: it is gone. */
int hearth_window_lun_refresh(struct hearth_window_lun *l);
/* What has to go before another @bytes can be mapped, as the kernel has it just now. */
uint64_t hearth_window_lun_missing(struct hearth_window_lun *l, uint64_t bytes);
/* Whether so much is mapped that what is not needed should be given back. */
bool hearth_window_lun_is_crowded(const struct hearth_window_lun *l);

#endif
