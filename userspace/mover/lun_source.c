// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes into a LUN, or comes out of one: block devices and LUNs as sources. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/io.h"
#include "confine.h"
#include "lun.h"
#include "scan.h"

/* The only entry: a file of the part's size, under the name that was given, for its owner alone. */
static int add_entry(struct hearth_scan *scan, const char *source)
{
	const struct hearth_lun *lun = scan->s->lun;
	struct stat st = { 0 };
	struct hearth_entry e;

	if (fstat(lun->fd, &st))
		return -errno;
	st.st_mode = S_IFREG | 0600;
	st.st_size = (off_t)lun->len;
	st.st_blocks = st.st_size / 512;
	clock_gettime(CLOCK_REALTIME, &st.st_mtim);
	e = hearth_scan_entry(scan, &st, scan->s->dirs.nr - 1);
	return hearth_scan_add(scan, &e, source + strlen(HEARTH_LUN_PREFIX), "");
}

int hearth_scan_lun(struct hearth_scan *scan, const char *source)
{
	struct hearth_sender *s = scan->s;
	char text[512];
	int ret;

	s->lun = calloc(1, sizeof(*s->lun));
	if (!s->lun)
		return -ENOMEM;
	ret = hearth_lun_open(s->lun, source, HEARTH_LUN_READ, text, sizeof(text));
	if (ret) {
		hearth_job_fail(s->job, HEARTH_EXIT_PLACE, "%s", text);
		return -ECANCELED;
	}
	ret = hearth_scan_root(scan, "lun:");
	return ret ? ret : add_entry(scan, source);
}

int hearth_scan_size_device(int dir_fd, const char *name, bool follows, uint64_t *ret_bytes)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	int fd = follows ? hearth_open_followed(dir_fd, name, flags)
			 : hearth_open_beneath(dir_fd, name, flags, 0);
	off_t end;

	if (fd < 0)
		return fd;
	end = lseek(fd, 0, SEEK_END);
	*ret_bytes = end < 0 ? 0 : (uint64_t)end;
	hearth_close(&fd);
	return end < 0 ? -errno : 0;
}
