// SPDX-License-Identifier: GPL-2.0-or-later
/* The LUN that a session from afar reads: opened, and watched. */
#include <errno.h>
#include <fcntl.h>
#include <hearth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../common/io.h"
#include "window_lun.h"

/* More than seven eighths of what may be mapped. */
#define CROWDED_EIGHTHS 7

/*
 * The kernel's registration asks for write access whatever its flags (before Linux 6.2), so a
 * mapping for readers has to be one that could be written to: the client's device is kept from it
 * by the access flags of the region.
 */
static void open_for_mapping(struct hearth_window_lun *l)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->lun.fd);
	l->map_fd = open(path, O_RDWR | O_CLOEXEC);
	l->maps_writable = l->map_fd >= 0;
	if (l->map_fd < 0)
		l->map_fd = open(path, O_RDONLY | O_CLOEXEC);
}

int hearth_window_lun_open(struct hearth_window_lun *l, const char *name, unsigned int how,
			   char *text, size_t size)
{
	char path[sizeof(HEARTH_LUN_PREFIX) + HEARTH_LUN_NAME_MAX];
	int ret;

	*l = (struct hearth_window_lun){ .map_fd = -1, .lun.fd = -1 };
	snprintf(path, sizeof(path), HEARTH_LUN_PREFIX "%s", name);
	ret = strchr(name, '@') ? -EINVAL : hearth_lun_open(&l->lun, path, how, text, size);
	if (ret == -EINVAL)
		snprintf(text, size, "%.255s: no name of a LUN", name);
	if (ret)
		return ret;
	open_for_mapping(l);
	ret = l->map_fd < 0 ? -EACCES : hearth_window_lun_refresh(l);
	if (!ret)
		return 0;
	snprintf(text, size, "%s: %s", path, hearth_lun_strerror(ret));
	hearth_window_lun_close(l);
	return ret;
}

void hearth_window_lun_close(struct hearth_window_lun *l)
{
	hearth_close(&l->map_fd);
	hearth_lun_close(&l->lun);
}

int hearth_window_lun_refresh(struct hearth_window_lun *l)
{
	struct hearth_info info;

	if (ioctl(l->lun.fd, HEARTH_IOC_INFO, &info))
		return -errno;
	l->lun.size_bytes = info.size_bytes;
	l->flags = info.flags;
	l->mapped_bytes = info.mapped_bytes;
	l->mapped_max_bytes = info.mapped_max_bytes;
	return 0;
}

uint64_t hearth_window_lun_missing(struct hearth_window_lun *l, uint64_t bytes)
{
	if (hearth_window_lun_refresh(l) || l->mapped_bytes + bytes <= l->mapped_max_bytes)
		return 0;
	return l->mapped_bytes + bytes - l->mapped_max_bytes;
}

bool hearth_window_lun_is_crowded(const struct hearth_window_lun *l)
{
	return l->mapped_bytes > l->mapped_max_bytes / 8 * CROWDED_EIGHTHS;
}
