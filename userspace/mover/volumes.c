// SPDX-License-Identifier: GPL-2.0-or-later
/* --fsync=end: the file systems that a job writes to. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../common/io.h"
#include "confine.h"
#include "volumes.h"

void hearth_volumes_add(struct hearth_volumes *v, int dir_fd, const char *name, dev_t device)
{
	int fd;

	for (uint32_t i = 0; i < v->nr; i++)
		if (v->list[i].device == device)
			return;
	fd = v->nr < HEARTH_MAX_VOLUMES
		     ? hearth_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0)
		     : -EMFILE;
	if (fd < 0) {
		v->has_more = true;
		return;
	}
	v->list[v->nr].device = device;
	v->list[v->nr++].fd = fd;
}

int hearth_volumes_sync(const struct hearth_volumes *v)
{
	int ret = 0;

	for (uint32_t i = 0; i < v->nr; i++)
		if (syncfs(v->list[i].fd) && !ret)
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
