/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which names are left out: rules in the order in which they were given; the
 * first that matches decides, and what no rule matches is copied.
 *
 * A pattern without a slash is compared with the last component. One with a
 * slash, or "**", is compared with the path from the source on, at any depth,
 * or from its start if it begins with a slash. A slash at its end makes it
 * match directories only. "*" and "?" stop at slashes, "**" does not, "[...]"
 * is one character of a set, a backslash takes away a meaning. A slash and
 * three stars at the end stand for a directory and all that is in it.
 */
#ifndef HEARTH_FILTER_H
#define HEARTH_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_MAX_RULES 1024
#define HEARTH_PATTERN_MAX 1023

struct hearth_rule {
	bool is_include;
	bool is_dir_only;
	bool is_anchored;
	bool is_path; /* compared with the path, not the last component */
	char *pattern;
	char *dir_pattern; /* of one that ends with three stars: the directory; or NULL */
};

struct hearth_filter {
	uint32_t nr_rules;
	struct hearth_rule *rules;
};

/* 0, -ENOMEM, -E2BIG, or -EINVAL for an empty pattern. */
int hearth_filter_add(struct hearth_filter *f, bool is_include, const char *pattern, size_t len);
void hearth_filter_exit(struct hearth_filter *f);

/* True if what lies at @path, relative to the source, is left out. */
bool hearth_filter_excludes(const struct hearth_filter *f, const char *path, bool is_dir);

/* Compares all of @text with a pattern. */
bool hearth_filter_match(const char *pattern, const char *text);

#endif
