/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hearthctl: what its commands share. */
#ifndef HEARTH_CTL_H
#define HEARTH_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CTL_VALUE 4096 /* a file of sysfs is no longer */

enum ctl_exit {
	CTL_OK,
	CTL_FAILED,
	CTL_USAGE = 2,
	CTL_NO_LUN = 3,
	CTL_DENIED = 4,
};

enum ctl_format {
	CTL_TEXT,
	CTL_JSON,
	CTL_OPENMETRICS,
};

/* The command line: what follows the command's name are its arguments. */
struct ctl_options {
	enum ctl_format format;
	double delay; /* seconds between two pictures of top */
	uint64_t count; /* of them; 0: until it is interrupted */
	const char **args;
	size_t nr_args;
};

/* Names, in order. */
struct ctl_names {
	char **names;
	size_t nr;
};

/* A number that a node of a LUN has. */
struct ctl_number {
	const char *name; /* of its file */
	bool is_gauge; /* goes up and down */
	const char *help;
};

extern const struct ctl_number ctl_numbers[];
extern const size_t ctl_nr_numbers;

/* tree.c: sysfs and configfs */
FILE *ctl_open(const char *mode, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ctl_path(char *path, size_t len, const char *format, va_list args);
int ctl_list(struct ctl_names *names, const char *prefix, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void ctl_free(struct ctl_names *names);
int ctl_value(const char *lun, const char *file, char *value);
int ctl_node_value(const char *lun, const char *node, const char *file, uint64_t *ret);
int ctl_device(char *path, size_t len, const char *lun);
enum ctl_exit ctl_luns(const struct ctl_options *opt, struct ctl_names *names);
enum ctl_exit ctl_check_lun(const char *lun);
enum ctl_exit ctl_complain(const char *what, int error);

/* The commands. */
enum ctl_exit ctl_list_luns(const struct ctl_options *opt);
enum ctl_exit ctl_show(const struct ctl_options *opt);
enum ctl_exit ctl_stats(const struct ctl_options *opt);
enum ctl_exit ctl_top(const struct ctl_options *opt);
enum ctl_exit ctl_warm(const struct ctl_options *opt);
enum ctl_exit ctl_drop(const struct ctl_options *opt);
enum ctl_exit ctl_set(const struct ctl_options *opt);
enum ctl_exit ctl_revoke(const struct ctl_options *opt);

#endif
