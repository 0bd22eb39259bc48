// SPDX-License-Identifier: GPL-2.0-or-later
/* A LUN of this machine as an end of a copy: names, and opening the node. */
#include <errno.h>
#include <fcntl.h>
#include <hearth.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../common/io.h"
#include "../common/units.h"
#include "index.h"
#include "lun.h"

#define NODES "/dev/hearth/"

bool hearth_lun_is_meant(const char *text)
{
	return !strncmp(text, HEARTH_LUN_PREFIX, strlen(HEARTH_LUN_PREFIX));
}

/* "OFFSET" or "OFFSET+LEN". */
static int parse_part(const char *text, struct hearth_lun_name *ret)
{
	const char *plus = strchr(text, '+');
	char offset[32];

	if (plus && (hearth_parse_size(plus + 1, &ret->len) || !ret->len))
		return -EINVAL;
	if ((size_t)snprintf(offset, sizeof(offset), "%.*s",
			     plus ? (int)(plus - text) : (int)strlen(text),
			     text) >= sizeof(offset) ||
	    hearth_parse_size(offset, &ret->offset) || ret->offset > INT64_MAX - ret->len)
		return -EINVAL;
	return 0;
}

int hearth_lun_parse(const char *text, struct hearth_lun_name *ret)
{
	const char *name = text + strlen(HEARTH_LUN_PREFIX), *at;
	size_t len;

	memset(ret, 0, sizeof(*ret));
	if (!hearth_lun_is_meant(text))
		return -EINVAL;
	at = strchr(name, '@');
	len = at ? (size_t)(at - name) : strlen(name);
	if (len > HEARTH_LUN_NAME_MAX || !hearth_name_is_valid(name, len))
		return -EINVAL;
	memcpy(ret->name, name, len);
	return at ? parse_part(at + 1, ret) : 0;
}

static uint64_t end_of(const struct hearth_lun_name *n)
{
	return n->len ? n->offset + n->len : UINT64_MAX;
}

bool hearth_lun_overlaps(const struct hearth_lun_name *a, const struct hearth_lun_name *b)
{
	return !strcmp(a->name, b->name) && a->offset < end_of(b) && b->offset < end_of(a);
}

const char *hearth_lun_strerror(int err)
{
	switch (err) {
	case -ENODEV:
		return "the administrator has revoked it, or it is gone";
	case -ENOSPC:
		return "its thin device has no room left";
	case -EIO:
	case -EREMOTEIO:
	case -ENODATA:
		return "its device fails; see dmesg";
	case -ERANGE:
		return "that lies behind its end";
	default:
		return strerror(-err);
	}
}

/* What a refusal is put together in. */
struct words {
	const struct hearth_lun_name *name;
	char *text;
	size_t size;
};

static int refuse(const struct words *w, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(const struct words *w, int err, const char *format, ...)
{
	int len = snprintf(w->text, w->size, HEARTH_LUN_PREFIX "%s: ", w->name->name);
	va_list args;

	va_start(args, format);
	if (len > 0 && (size_t)len < w->size)
		vsnprintf(w->text + len, w->size - (size_t)len, format, args);
	va_end(args);
	return err;
}

static int refuse_open(const struct words *w, int err)
{
	switch (err) {
	case -ENOENT:
		return refuse(w, err, "there is no such LUN here; \"hearthctl list\" has them all");
	case -EACCES:
	case -EPERM:
		return refuse(w, err,
			      "no permission for " NODES "%s; run as root, or in the node's group",
			      w->name->name);
	case -EROFS:
		return refuse(w, err,
			      "the LUN is read-only (readonly=1); as root: hearthctl set %s readonly=0",
			      w->name->name);
	case -ENXIO:
		return refuse(w, err, "the LUN is just being made or deleted; try again");
	default:
		return refuse(w, err, NODES "%s cannot be opened: %s", w->name->name,
			      strerror(-err));
	}
}

static int open_node(struct hearth_lun *lun, bool writes, const struct words *w)
{
	char path[sizeof(NODES) + HEARTH_LUN_NAME_MAX];

	snprintf(path, sizeof(path), NODES "%s", lun->name.name);
	lun->fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	return lun->fd < 0 ? refuse_open(w, -errno) : 0;
}

/* The part must lie within the LUN, and be made of whole blocks. */
static int place_part(struct hearth_lun *lun, const struct words *w)
{
	uint64_t start = lun->name.offset, len = lun->name.len;

	if (start % lun->block_bytes || len % lun->block_bytes)
		return refuse(w, -EINVAL,
			      "offset and length must be multiples of its blocks of %u bytes",
			      lun->block_bytes);
	if (start > lun->size_bytes || len > lun->size_bytes - start ||
	    (lun->name.offset && start == lun->size_bytes))
		return refuse(w, -ERANGE, "the range ends behind the LUN's %llu bytes",
			      (unsigned long long)lun->size_bytes);
	lun->start = start;
	lun->len = len ? len : lun->size_bytes - start;
	return 0;
}

static int look_at_node(struct hearth_lun *lun, bool writes, const struct words *w)
{
	struct hearth_info info;

	if (ioctl(lun->fd, HEARTH_IOC_INFO, &info))
		return errno == ENODEV
			       ? refuse(w, -ENODEV, "it was revoked; try again")
			       : refuse(w, -ENOTTY, NODES "%s is no node of a Hearth LUN",
					w->name->name);
	if (info.flags & HEARTH_INFO_GONE)
		return refuse(w, -ENODEV, "its device has vanished; see reattach");
	if (writes && info.flags & HEARTH_INFO_READONLY)
		return refuse_open(w, -EROFS);
	lun->size_bytes = info.size_bytes;
	lun->block_bytes = info.block_bytes;
	return place_part(lun, w);
}

/* Nobody else writes to it: neither another copy, nor an initiator, unless that is to be. */
static int claim(struct hearth_lun *lun, unsigned int how, const struct words *w)
{
	char who[HEARTH_LUN_USER_BYTES];
	int ret;

	if (flock(lun->fd, LOCK_EX | LOCK_NB))
		return refuse(w, -EBUSY, "another copy is writing to it; wait for its end");
	ret = how & HEARTH_LUN_ANYWAY ? 0 : hearth_lun_find_user("", lun->name.name, who);
	if (ret > 0)
		return refuse(w, -EBUSY, "%s may write to it; log out there, or give --force", who);
	if (ret < 0)
		return refuse(w, ret,
			      "it cannot be seen whether an initiator may write to it (/sys/kernel/config/target: %s); give --force if none does",
			      strerror(-ret));
	return 0;
}

int hearth_lun_open(struct hearth_lun *lun, const char *name, unsigned int how, char *text,
		    size_t size)
{
	const struct words w = { &lun->name, text, size };
	bool writes = how & HEARTH_LUN_WRITE;
	int ret;

	memset(lun, 0, sizeof(*lun));
	lun->fd = -1;
	if (hearth_lun_parse(name, &lun->name)) {
		snprintf(text, size, "%s: give lun:/NAME, lun:/NAME@OFFSET or lun:/NAME@OFFSET+LEN",
			 name);
		return -EINVAL;
	}
	ret = open_node(lun, writes, &w);
	if (!ret)
		ret = look_at_node(lun, writes, &w);
	if (!ret && writes)
		ret = claim(lun, how, &w);
	if (ret) {
		hearth_close(&lun->fd);
		return ret;
	}
	hearth_lun_read_serial("", lun->name.name, lun->serial, sizeof(lun->serial));
	pthread_mutex_init(&lun->edge_lock, NULL);
	return 0;
}

void hearth_lun_close(struct hearth_lun *lun)
{
	if (lun->fd < 0)
		return;
	pthread_mutex_destroy(&lun->edge_lock);
	hearth_close(&lun->fd);
}
