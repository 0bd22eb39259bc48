/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --chmod: changes to modes, like "Dg+s,u=rwX,go-w,F0644"; D, F: only directories, only files. */
#ifndef HEARTH_CHMOD_H
#define HEARTH_CHMOD_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTH_MAX_CHMODS 32

struct hearth_chmod_change {
	char who; /* 'D', 'F' or 0 */
	char op; /* '+', '-' or '=' */
	bool is_x_if_any; /* X: execute where it is a directory or somebody may execute */
	uint32_t mask; /* the bits that @op may touch */
	uint32_t bits;
};

struct hearth_chmod {
	uint32_t nr;
	struct hearth_chmod_change v[HEARTH_MAX_CHMODS];
};

/* 0, or -EINVAL for what is no such list. NULL is an empty one. */
int hearth_chmod_parse(const char *text, struct hearth_chmod *ret);

/* The permission bits of @mode changed; those of symlinks stay. */
uint32_t hearth_chmod_apply(const struct hearth_chmod *c, uint32_t mode);

#endif
