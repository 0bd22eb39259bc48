// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who has a LUN's disk already, as configfs tells, and who may write to it.
 *
 *   core/hearth_N/NAME                           the LUN
 *   FABRIC/WWN/tpgt_N/lun/lun_M/LINK             leads there, where it is exported
 *   FABRIC/WWN/tpgt_N/dynamic_sessions           initiators without an ACL, who have every LUN
 *   FABRIC/WWN/tpgt_N/acls/INITIATOR/info        of one with an ACL: is it logged in?
 *   FABRIC/WWN/tpgt_N/acls/INITIATOR/lun_K/LINK  leads to lun_M, if it has that
 *   FABRIC/WWN/tpgt_N/nexus                      loopback, vhost: in use
 *
 * A fabric that tells none of this may have somebody logged in. What is written there is
 *
 *   core/hearth_N/NAME/attrib/readonly           of a LUN that nobody is to write to any more
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/io.h"
#include "lun.h"

#define TARGET "/sys/kernel/config/target"

struct search {
	const char *backstore; /* "/core/hearth_N/NAME" */
	char *who;
};

/* A directory that is being looked through. */
struct level {
	const char *path;
	const struct search *search;
};

typedef int (*visit)(const struct level *l, const char *name);

static int join(char *ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int join(char *ret, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(ret, PATH_MAX, format, args);
	va_end(args);
	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Calls @f for what is in the directory until one answers something else than 0. */
static int each(const char *path, const char *prefix, const struct search *s, visit f)
{
	const struct level l = { path, s };
	DIR *dir = opendir(path);
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while (!ret && (entry = readdir(dir)))
		if (*entry->d_name != '.' && !strncmp(entry->d_name, prefix, strlen(prefix)))
			ret = f(&l, entry->d_name);
	closedir(dir);
	return ret;
}

/* What is in a file, without the line's end; -errno if it cannot be read. */
static int read_line(char *ret, size_t size, const char *dir, const char *name)
{
	char path[PATH_MAX];
	int err = join(path, "%s/%s", dir, name);
	int fd = err ? err : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	*ret = '\0';
	if (fd < 0)
		return err ? err : -errno;
	got = read(fd, ret, size - 1);
	err = got < 0 ? -errno : 0;
	close(fd);
	ret[got > 0 ? got : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return err;
}

static bool says(const char *dir, const char *name, char what)
{
	char text[16];

	return !read_line(text, sizeof(text), dir, name) && *text == what;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len >= tail && !strcmp(text + len - tail, end);
}

static int leads_there(const struct level *l, const char *name)
{
	char path[PATH_MAX], to[PATH_MAX];
	ssize_t len;

	if (join(path, "%s/%s", l->path, name))
		return 0;
	len = readlink(path, to, sizeof(to) - 1);
	if (len < 0)
		return 0;
	to[len] = '\0';
	return ends_with(to, l->search->backstore);
}

static int found(const struct search *s, const char *what, const char *name)
{
	snprintf(s->who, HEARTH_LUN_USER_BYTES, "%s %s", what, name);
	return 1;
}

/* One LUN of an initiator with an ACL, who is logged in: ours, and to be written to? */
static int visit_mapping(const struct level *l, const char *name)
{
	char path[PATH_MAX];
	int ret = join(path, "%s/%s", l->path, name);

	if (ret || says(path, "write_protect", '1'))
		return ret;
	return each(path, "", l->search, leads_there);
}

/* "No active iSCSI Session ..." is what it says of one who is not logged in. */
static int visit_acl(const struct level *l, const char *name)
{
	char path[PATH_MAX], info[64];
	int ret = join(path, "%s/%s", l->path, name);

	if (ret)
		return ret;
	ret = read_line(info, sizeof(info), path, "info");
	if (!ret && !strncmp(info, "No active", 9))
		return 0;
	ret = each(path, "lun_", l->search, visit_mapping);
	return ret > 0 ? found(l->search, "initiator", name) : ret;
}

/* What the portal group @tpg says of sessions that have its LUN at @lun. */
static int judge(const struct search *s, const char *tpg, const char *lun)
{
	char text[256], path[PATH_MAX], end[NAME_MAX + 16];
	const struct search mapped = { end, s->who };
	int ret = read_line(text, sizeof(text), tpg, "nexus");
	bool has_dynamic;

	if (!ret)
		return *text ? found(s, "nexus", text) : 0;
	if (ret != -ENOENT)
		return 0; /* it has one, and nobody uses it */
	has_dynamic = !read_line(text, sizeof(text), tpg, "dynamic_sessions");
	if (has_dynamic && *text && !join(path, "%s/attrib", tpg) &&
	    !says(path, "demo_mode_write_protect", '1'))
		return found(s, "initiator", text);
	snprintf(end, sizeof(end), "/lun/%s", lun);
	ret = join(path, "%s/acls", tpg);
	if (!ret)
		ret = each(path, "", &mapped, visit_acl);
	if (!ret && !has_dynamic)
		ret = found(s, "whoever is logged in at", strstr(tpg, TARGET) + strlen(TARGET));
	return ret;
}

/* FABRIC/WWN/tpgt_N/lun/lun_M */
static int visit_lun(const struct level *l, const char *name)
{
	char path[PATH_MAX], tpg[PATH_MAX];
	int ret = join(path, "%s/%s", l->path, name);

	if (!ret)
		ret = each(path, "", l->search, leads_there);
	if (ret <= 0)
		return ret;
	ret = join(tpg, "%.*s", (int)(strlen(l->path) - strlen("/lun")), l->path);
	return ret ? ret : judge(l->search, tpg, name);
}

static int visit_tpg(const struct level *l, const char *name)
{
	char path[PATH_MAX];
	int ret = join(path, "%s/%s/lun", l->path, name);

	return ret ? ret : each(path, "lun_", l->search, visit_lun);
}

static int visit_wwn(const struct level *l, const char *name)
{
	char path[PATH_MAX];
	int ret = join(path, "%s/%s", l->path, name);

	return ret ? ret : each(path, "tpgt_", l->search, visit_tpg);
}

static int visit_fabric(const struct level *l, const char *name)
{
	char path[PATH_MAX];
	int ret = join(path, "%s/%s", l->path, name);

	return ret || !strcmp(name, "core") ? ret : each(path, "", l->search, visit_wwn);
}

/* The LUN's own directory, below @root; false: there is none, or it cannot be seen. */
static bool find_backstore(const char *root, const char *name, char ret[PATH_MAX])
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool is_found = false;
	DIR *dir;

	if (join(path, "%s" TARGET "/core", root))
		return false;
	dir = opendir(path);
	if (!dir)
		return false;
	while (!is_found && (entry = readdir(dir)))
		is_found = !strncmp(entry->d_name, "hearth_", 7) &&
			   !join(ret, "%s/%s/%s", path, entry->d_name, name) && !access(ret, F_OK);
	closedir(dir);
	return is_found;
}

int hearth_lun_find_user(const char *root, const char *name, char who[HEARTH_LUN_USER_BYTES])
{
	char path[PATH_MAX], backstore[PATH_MAX];
	struct search s = { NULL, who };
	int ret = join(path, "%s" TARGET, root);

	*who = '\0';
	if (!ret && access(path, R_OK | X_OK))
		ret = -errno;
	if (!ret && !find_backstore(root, name, backstore))
		ret = -ENOENT;
	if (ret)
		return ret;
	s.backstore = strstr(backstore, "/core/hearth_");
	return each(path, "", &s, visit_fabric);
}

void hearth_lun_read_serial(const char *root, const char *name, char *ret, size_t size)
{
	char backstore[PATH_MAX], text[128];
	const char *colon;

	*ret = '\0';
	if (!find_backstore(root, name, backstore) ||
	    read_line(text, sizeof(text), backstore, "wwn/vpd_unit_serial"))
		return;
	colon = strrchr(text, ':');
	if (colon)
		snprintf(ret, size, "%s", colon + 1 + strspn(colon + 1, " "));
}

int hearth_lun_make_readonly(const char *root, const char *name)
{
	char backstore[PATH_MAX], path[PATH_MAX];
	int fd, ret = 0;

	if (!find_backstore(root, name, backstore))
		return -ENOENT;
	ret = join(path, "%s/attrib/readonly", backstore);
	fd = ret ? ret : open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return ret ? ret : -errno;
	if (write(fd, "1", 1) < 0)
		ret = -errno;
	close(fd);
	return ret;
}
