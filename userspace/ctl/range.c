// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthctl warm and drop: what the cache holds of a LUN, by ranges. */
#include <errno.h>
#include <fcntl.h>
#include <hearth.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../common/units.h"
#include "ctl.h"

/* "OFFSET+LENGTH", each in bytes or with a suffix. */
static int parse_range(const char *text, struct hearth_range *range)
{
	const char *plus = strchr(text, '+');
	char offset[32];
	uint64_t number;

	memset(range, 0, sizeof(*range));
	if (!plus || (size_t)(plus - text) >= sizeof(offset))
		return -EINVAL;
	snprintf(offset, sizeof(offset), "%.*s", (int)(plus - text), text);
	if (hearth_parse_size(offset, &number))
		return -EINVAL;
	range->offset = number;
	if (hearth_parse_size(plus + 1, &number) || !number)
		return -EINVAL;
	range->len = number;
	return 0;
}

static void make_path(char *path, size_t len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ctl_path(path, len, format, args);
	va_end(args);
}

static int open_node(const char *lun, enum ctl_exit *ret_code)
{
	char path[4096];
	int fd;

	*ret_code = ctl_check_lun(lun);
	if (*ret_code)
		return -1;
	make_path(path, sizeof(path), "/dev/hearth/%s", lun);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		*ret_code = ctl_complain(path, -errno);
	return fd;
}

static enum ctl_exit explain(const char *what, const char *lun, const struct hearth_range *range,
			     const struct hearth_info *info, int error)
{
	char text[160], size[32];

	snprintf(text, sizeof(text), "%s %s %llu+%llu", what, lun,
		 (unsigned long long)range->offset, (unsigned long long)range->len);
	if (error == ENOSPC)
		fprintf(stderr,
			"hearthctl: %s: more than the cache of %s holds; name a smaller range\n",
			text, hearth_format_size(size, sizeof(size), info->cache_bytes));
	else if (error == EINVAL)
		fprintf(stderr,
			"hearthctl: %s: no range of this LUN of %llu bytes in blocks of %u\n", text,
			(unsigned long long)info->size_bytes, info->block_bytes);
	else
		fprintf(stderr, "hearthctl: %s: %s; %llu bytes were done\n", text, strerror(error),
			(unsigned long long)range->done);
	return CTL_FAILED;
}

/* All ranges are looked at before the first is done. */
static enum ctl_exit check_ranges(const struct ctl_options *opt)
{
	struct hearth_range range;

	for (size_t i = 1; i < opt->nr_args; i++) {
		if (!parse_range(opt->args[i], &range))
			continue;
		fprintf(stderr,
			"hearthctl: %s: give a range as OFFSET+LENGTH, in bytes or with K, M, G or T\n",
			opt->args[i]);
		return CTL_USAGE;
	}
	return CTL_OK;
}

static enum ctl_exit act(const struct ctl_options *opt, const char *what, unsigned long request)
{
	enum ctl_exit code = check_ranges(opt);
	struct hearth_range range = { 0 };
	struct hearth_info info;
	size_t i = 1;
	int fd;

	if (code)
		return code;
	fd = open_node(opt->args[0], &code);
	if (fd < 0)
		return code;
	if (ioctl(fd, HEARTH_IOC_INFO, &info))
		code = ctl_complain(opt->args[0], -errno);
	do {
		if (i < opt->nr_args)
			parse_range(opt->args[i], &range);
		else
			range.len = info.size_bytes;
		if (!code && ioctl(fd, request, &range))
			code = explain(what, opt->args[0], &range, &info, errno);
	} while (!code && ++i < opt->nr_args);
	close(fd);
	return code;
}

enum ctl_exit ctl_warm(const struct ctl_options *opt)
{
	return act(opt, "warm", HEARTH_IOC_WARM);
}

enum ctl_exit ctl_drop(const struct ctl_options *opt)
{
	return act(opt, "drop", HEARTH_IOC_DROP);
}
