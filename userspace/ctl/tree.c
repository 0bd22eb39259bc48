// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel shows of LUNs, file by file, and what to say if it does not. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

#define CLASS "/sys/class/hearth"

/* A path, behind HEARTH_ROOT if that is set. */
void ctl_path(char *path, size_t len, const char *format, va_list args)
{
	const char *root = getenv("HEARTH_ROOT");
	int used = snprintf(path, len, "%s", root ? root : "");

	if (used >= 0 && (size_t)used < len)
		vsnprintf(path + used, len - (size_t)used, format, args);
}

FILE *ctl_open(const char *mode, const char *format, ...)
{
	char path[4096];
	va_list args;

	va_start(args, format);
	ctl_path(path, sizeof(path), format, args);
	va_end(args);
	return fopen(path, mode);
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct ctl_names *names, const char *name)
{
	char **more = realloc(names->names, (names->nr + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	names->names = more;
	more[names->nr] = strdup(name);
	return more[names->nr++] ? 0 : -ENOMEM;
}

void ctl_free(struct ctl_names *names)
{
	for (size_t i = 0; i < names->nr; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct ctl_names){ NULL, 0 };
}

/* The entries of a directory that begin with @prefix; 0 or -errno. */
int ctl_list(struct ctl_names *names, const char *prefix, const char *format, ...)
{
	char path[4096];
	struct dirent *entry;
	va_list args;
	int ret = 0;
	DIR *dir;

	*names = (struct ctl_names){ NULL, 0 };
	va_start(args, format);
	ctl_path(path, sizeof(path), format, args);
	va_end(args);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix)))
			ret = add_name(names, entry->d_name);
	}
	closedir(dir);
	if (ret)
		ctl_free(names);
	else if (names->nr)
		qsort(names->names, names->nr, sizeof(*names->names), by_name);
	return ret;
}

/* The one line of a file, into CTL_VALUE bytes; 0 or -errno. */
static int read_line(FILE *file, char *value)
{
	int ret = 0;

	if (!file)
		return -errno;
	errno = 0;
	*value = '\0';
	if (!fgets(value, CTL_VALUE, file) && errno)
		ret = -errno;
	value[strcspn(value, "\n")] = '\0';
	fclose(file);
	return ret;
}

/* A value of a LUN; 0 or -errno. */
int ctl_value(const char *lun, const char *file, char *value)
{
	return read_line(ctl_open("re", CLASS "/%s/%s", lun, file), value);
}

/* A number of one node of a LUN; 0 or -errno. */
int ctl_node_value(const char *lun, const char *node, const char *file, uint64_t *ret)
{
	char value[CTL_VALUE];
	int error = read_line(ctl_open("re", CLASS "/%s/%s/%s", lun, node, file), value);

	if (!error)
		*ret = strtoull(value, NULL, 10);
	return error;
}

/* Where the target core keeps a LUN: /sys/kernel/config/target/core/hearth_N/LUN. */
int ctl_device(char *path, size_t len, const char *lun)
{
	struct ctl_names hbas;
	int ret = ctl_list(&hbas, "hearth_", "/sys/kernel/config/target/core");
	FILE *file = NULL;

	for (size_t i = 0; !ret && !file && i < hbas.nr; i++) {
		snprintf(path, len, "/sys/kernel/config/target/core/%s/%s", hbas.names[i], lun);
		file = ctl_open("re", "%s/info", path);
	}
	if (!ret)
		ctl_free(&hbas);
	if (!file)
		return ret ? ret : -ENOENT;
	fclose(file);
	return 0;
}

enum ctl_exit ctl_complain(const char *what, int error)
{
	if (error == -EACCES || error == -EPERM) {
		fprintf(stderr, "hearthctl: %s: %s; be root, or let udev give you the node\n", what,
			strerror(-error));
		return CTL_DENIED;
	}
	fprintf(stderr, "hearthctl: %s: %s\n", what, strerror(-error));
	return CTL_FAILED;
}

/* All LUNs, or an exit status after a message. */
static enum ctl_exit find_luns(struct ctl_names *all)
{
	int ret = ctl_list(all, "", CLASS);

	if (ret == -ENOENT) {
		fprintf(stderr, "hearthctl: the module is not loaded; "
				"'modprobe target_core_hearth' loads it\n");
		return CTL_FAILED;
	}
	return ret ? ctl_complain(CLASS, ret) : CTL_OK;
}

static bool has_name(const struct ctl_names *names, const char *name)
{
	for (size_t i = 0; i < names->nr; i++) {
		if (!strcmp(names->names[i], name))
			return true;
	}
	return false;
}

static enum ctl_exit no_such_lun(const struct ctl_names *all, const char *lun)
{
	fprintf(stderr, "hearthctl: %s: no such LUN; there %s", lun, all->nr > 1 ? "are " : "is ");
	if (!all->nr)
		fputs("none", stderr);
	for (size_t i = 0; i < all->nr; i++)
		fprintf(stderr, "%s%s", i ? ", " : "", all->names[i]);
	fputc('\n', stderr);
	return CTL_NO_LUN;
}

/* The LUNs that are asked for, by default all; or an exit status after a message. */
enum ctl_exit ctl_luns(const struct ctl_options *opt, struct ctl_names *names)
{
	enum ctl_exit code = find_luns(names);
	struct ctl_names all = *names;

	if (code || !opt->nr_args)
		return code;
	*names = (struct ctl_names){ NULL, 0 };
	for (size_t i = 0; !code && i < opt->nr_args; i++) {
		if (!has_name(&all, opt->args[i]))
			code = no_such_lun(&all, opt->args[i]);
		else if (add_name(names, opt->args[i]))
			code = ctl_complain(opt->args[i], -ENOMEM);
	}
	ctl_free(&all);
	if (code)
		ctl_free(names);
	return code;
}

/* Whether there is such a LUN: CTL_OK, or an exit status after a message. */
enum ctl_exit ctl_check_lun(const char *lun)
{
	struct ctl_options opt = { .args = &lun, .nr_args = 1 };
	struct ctl_names names;
	enum ctl_exit code = ctl_luns(&opt, &names);

	if (!code)
		ctl_free(&names);
	return code;
}
