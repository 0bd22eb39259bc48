// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hearthctl set and revoke: what can be changed while a LUN is in use.
 *
 * The kernel says in its log why it refuses a value; that line is repeated here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

/* Keys that configfs has; those below are in sysfs. */
static const char *const attributes[] = { "cache", "cache_min", "mode",	 "home",
					  "dispatch", "readahead", "dirty", "readonly" };
static const char *const files[] = { "paused", "pin", "unpin" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_among(const char *const *list, size_t nr, const char *key)
{
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(list[i], key))
			return true;
	}
	return false;
}

/* The kernel's log from here on; -1 if it cannot be read. */
static int klog_begin(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The newest line about the LUN; false if there is none. */
static bool klog_end(int fd, const char *lun, char *line, size_t len)
{
	char record[8192], prefix[128];
	bool found = false;
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(prefix, sizeof(prefix), "hearth: %s: ", lun);
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		const char *text;

		if (n < 0)
			continue;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text || strncmp(text + 1, prefix, strlen(prefix)))
			continue;
		text += 1 + strlen(prefix);
		snprintf(line, len, "%.*s", (int)strcspn(text, "\n"), text);
		found = true;
	}
	close(fd);
	return found;
}

/* Writes a value into a file; 0 or -errno. */
static int put_value(FILE *file, const char *value)
{
	int ret = 0;

	if (!file)
		return -errno;
	setvbuf(file, NULL, _IONBF, 0);
	if (fprintf(file, "%s", value) < 0)
		ret = -errno;
	if (fclose(file) && !ret)
		ret = -errno;
	return ret;
}

static enum ctl_exit store(const char *lun, const char *key, const char *value)
{
	char device[512], line[1024], text[1200];
	int log = klog_begin(), ret;

	if (is_among(attributes, COUNT(attributes), key)) {
		ret = ctl_device(device, sizeof(device), lun);
		if (!ret)
			ret = put_value(ctl_open("we", "%s/attrib/%s", device, key), value);
	} else {
		ret = put_value(ctl_open("we", "/sys/class/hearth/%s/%s", lun, key), value);
	}
	if (!ret) {
		if (log >= 0)
			close(log);
		return CTL_OK;
	}
	if (ret != -EACCES && ret != -EPERM && klog_end(log, lun, line, sizeof(line))) {
		fprintf(stderr, "hearthctl: %s: %s\n", lun, line);
		return CTL_FAILED;
	}
	snprintf(text, sizeof(text), "%s: %s=%s", lun, key, value);
	return ctl_complain(text, ret);
}

static enum ctl_exit unknown_key(const char *key)
{
	fprintf(stderr, "hearthctl: %s: no such key; give one of", key);
	for (size_t i = 0; i < COUNT(attributes); i++)
		fprintf(stderr, " %s=", attributes[i]);
	for (size_t i = 0; i < COUNT(files); i++)
		fprintf(stderr, " %s=", files[i]);
	fputc('\n', stderr);
	return CTL_USAGE;
}

/* Cuts "KEY=VALUE" in two and says whether the key is one. */
static enum ctl_exit split(const char *text, char *key, size_t len, const char **ret_value)
{
	const char *equals = strchr(text, '=');

	snprintf(key, len, "%.*s", (int)strcspn(text, "="), text);
	if (!equals || (!is_among(attributes, COUNT(attributes), key) &&
			!is_among(files, COUNT(files), key)))
		return unknown_key(text);
	*ret_value = equals + 1;
	return CTL_OK;
}

enum ctl_exit ctl_set(const struct ctl_options *opt)
{
	enum ctl_exit code = CTL_OK;
	const char *value = NULL;
	char key[64];

	if (opt->nr_args < 2) {
		fprintf(stderr, "hearthctl: set: give a LUN and KEY=VALUE\n");
		return CTL_USAGE;
	}
	for (size_t i = 1; !code && i < opt->nr_args; i++)
		code = split(opt->args[i], key, sizeof(key), &value);
	if (!code)
		code = ctl_check_lun(opt->args[0]);
	for (size_t i = 1; !code && i < opt->nr_args; i++) {
		split(opt->args[i], key, sizeof(key), &value);
		code = store(opt->args[0], key, value);
	}
	return code;
}

enum ctl_exit ctl_revoke(const struct ctl_options *opt)
{
	enum ctl_exit code = ctl_check_lun(opt->args[0]);

	return code ? code : store(opt->args[0], "revoke", "1");
}
