// SPDX-License-Identifier: GPL-2.0-or-later
/* Extended attributes and ACLs. */
#include <errno.h>
#include <hearth/mover.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../common/bytes.h"
#include "attrs.h"

#define ACL_PREFIX "system.posix_acl_"

static bool is_wanted(const char *name, uint32_t flags)
{
	if (!strncmp(name, ACL_PREFIX, strlen(ACL_PREFIX)))
		return flags & HEARTH_ACLS;
	if (!(flags & HEARTH_XATTRS) || !strncmp(name, "system.", 7))
		return false;
	return !geteuid() || !strncmp(name, "user.", 5);
}

/* The names of all attributes, each ended by a NUL; free(@ret). The length or -errno. */
static ssize_t list_names(int fd, char **ret)
{
	ssize_t len = flistxattr(fd, NULL, 0);
	char *names;

	*ret = NULL;
	if (len <= 0)
		return !len || errno == ENOTSUP ? 0 : -errno;
	names = malloc((size_t)len);
	if (!names)
		return -ENOMEM;
	len = flistxattr(fd, names, (size_t)len);
	if (len < 0) {
		free(names);
		return -errno;
	}
	*ret = names;
	return len;
}

static int put_attr(int fd, const char *name, struct hearth_writer *w, void *value)
{
	ssize_t len = fgetxattr(fd, name, value, XATTR_SIZE_MAX);

	if (len < 0)
		return errno == ENODATA ? 0 : -errno; /* gone since it was listed */
	hearth_put_string(w, name, strlen(name));
	hearth_put_string(w, value, (size_t)len);
	return w->is_bad ? -E2BIG : 0;
}

ssize_t hearth_attrs_read(int fd, uint32_t flags, void *buf, size_t cap)
{
	struct hearth_writer w = hearth_writer_of(buf, cap);
	char *names, *value;
	ssize_t len = list_names(fd, &names);
	int ret = 0;

	if (len <= 0)
		return len;
	value = malloc(XATTR_SIZE_MAX);
	if (!value)
		ret = -ENOMEM;
	for (char *name = names; !ret && name < names + len; name += strlen(name) + 1)
		if (is_wanted(name, flags))
			ret = put_attr(fd, name, &w, value);
	free(value);
	free(names);
	return ret ? ret : (ssize_t)w.len;
}

/* The value of @name among @attrs, or NULL; the walk checks the form of them all. */
static const char *find_attr(const void *attrs, size_t len, const char *name, size_t *ret_len)
{
	struct hearth_reader r = hearth_reader_of(attrs, len);

	while (hearth_reader_left(&r) && !r.is_bad) {
		size_t name_len;
		const char *found = hearth_get_string(&r, XATTR_NAME_MAX, &name_len);
		const char *value = hearth_get_string(&r, XATTR_SIZE_MAX, ret_len);

		if (value && name_len == strlen(name) && !memcmp(found, name, name_len))
			return value;
	}
	return NULL;
}

static int remove_others(int fd, uint32_t flags, const void *attrs, size_t len)
{
	char *names;
	ssize_t names_len = list_names(fd, &names);
	size_t value_len;
	int ret = names_len < 0 ? (int)names_len : 0;

	for (char *name = names; !ret && names && name < names + names_len;
	     name += strlen(name) + 1)
		if (is_wanted(name, flags) && !find_attr(attrs, len, name, &value_len) &&
		    fremovexattr(fd, name) && errno != ENODATA)
			ret = -errno;
	free(names);
	return ret;
}

static int set_attr(int fd, uint32_t flags, const char *name, size_t name_len, const char *value,
		    size_t value_len)
{
	char text[XATTR_NAME_MAX + 1];

	if (!name_len || memchr(name, '\0', name_len))
		return -EPROTO;
	memcpy(text, name, name_len);
	text[name_len] = '\0';
	if (!is_wanted(text, flags))
		return 0;
	return fsetxattr(fd, text, value, value_len, 0) ? -errno : 0;
}

int hearth_attrs_write(int fd, uint32_t flags, const void *attrs, size_t len)
{
	struct hearth_reader r = hearth_reader_of(attrs, len);
	int ret = remove_others(fd, flags, attrs, len);

	while (!ret && hearth_reader_left(&r)) {
		size_t name_len, value_len;
		const char *name = hearth_get_string(&r, XATTR_NAME_MAX, &name_len);
		const char *value = hearth_get_string(&r, XATTR_SIZE_MAX, &value_len);

		ret = value ? set_attr(fd, flags, name, name_len, value, value_len) : -EPROTO;
	}
	return ret;
}
