// SPDX-License-Identifier: GPL-2.0-or-later
/* The file systems that a job writes to. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../common/io.h"
#include "confine.h"
#include "volumes.h"

int hearth_volumes_add(struct hearth_volumes *v, int dir_fd, const char *name, dev_t device,
		       bool is_synced, struct hearth_volume **ret)
{
	int fd = -1;

	*ret = NULL;
	for (uint32_t i = 0; i < v->nr && !*ret; i++)
		if (v->list[i].device == device)
			*ret = &v->list[i];
	if (*ret)
		return 0;
	if (v->nr == HEARTH_MAX_VOLUMES) {
		v->has_more |= is_synced;
		return 0;
	}
	if (is_synced) {
		fd = hearth_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0 && fd != -EACCES)
			return fd;
		v->has_more |= fd < 0; /* may be written to, but not read */
	}
	*ret = &v->list[v->nr++];
	**ret = (struct hearth_volume){ .device = device, .fd = fd };
	return 0;
}

int hearth_volumes_sync(const struct hearth_volumes *v)
{
	int ret = 0;

	for (uint32_t i = 0; i < v->nr; i++)
		if (v->list[i].fd >= 0 && syncfs(v->list[i].fd) && !ret)
			ret = -errno;
	if (v->has_more)
		sync();
	return ret;
}

void hearth_volumes_exit(struct hearth_volumes *v)
{
	while (v->nr)
		hearth_close(&v->list[--v->nr].fd);
}
