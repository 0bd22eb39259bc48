// SPDX-License-Identifier: GPL-2.0-or-later
/* Which names are left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

#define ALL_OF_IT "/***"

/* Takes a pattern in; 0 or -ENOMEM. */
static int fill_rule(struct hearth_rule *rule, const char *pattern, size_t len)
{
	size_t tail = strlen(ALL_OF_IT);

	rule->pattern = strndup(pattern, len);
	if (!rule->pattern)
		return -ENOMEM;
	rule->is_path =
		rule->is_anchored || strchr(rule->pattern, '/') || strstr(rule->pattern, "**");
	if (len <= tail || strcmp(rule->pattern + len - tail, ALL_OF_IT))
		return 0;
	rule->dir_pattern = strndup(pattern, len - tail);
	return rule->dir_pattern ? 0 : -ENOMEM;
}

static void free_rule(struct hearth_rule *rule)
{
	free(rule->pattern);
	free(rule->dir_pattern);
}

int hearth_filter_add(struct hearth_filter *f, bool is_include, const char *pattern, size_t len)
{
	struct hearth_rule *grown, rule = { .is_include = is_include };

	if (f->nr_rules == HEARTH_MAX_RULES || len > HEARTH_PATTERN_MAX)
		return -E2BIG;
	rule.is_anchored = len && pattern[0] == '/';
	pattern += rule.is_anchored;
	len -= rule.is_anchored;
	rule.is_dir_only = len && pattern[len - 1] == '/';
	len -= rule.is_dir_only;
	if (!len || memchr(pattern, '\0', len))
		return -EINVAL;
	grown = realloc(f->rules, (f->nr_rules + 1) * sizeof(*grown));
	if (grown)
		f->rules = grown;
	if (!grown || fill_rule(&rule, pattern, len)) {
		free_rule(&rule);
		return -ENOMEM;
	}
	f->rules[f->nr_rules++] = rule;
	return 0;
}

void hearth_filter_exit(struct hearth_filter *f)
{
	for (uint32_t i = 0; i < f->nr_rules; i++)
		free_rule(&f->rules[i]);
	free(f->rules);
	f->rules = NULL;
	f->nr_rules = 0;
}

/*
 * @p is behind "["; returns what is behind "]", or NULL if the set has no end and the bracket is an
 * ordinary one.
 */
static const char *match_set(const char *p, char c, bool *ret_matches)
{
	bool is_negated = *p == '!' || *p == '^', matches = false;
	const char *first = p += is_negated;

	for (; *p && (*p != ']' || p == first); p++) {
		unsigned char low, high;

		if (*p == '\\' && p[1])
			p++;
		low = (unsigned char)*p;
		high = low;
		if (p[1] == '-' && p[2] && p[2] != ']') {
			p += 2;
			high = (unsigned char)*p;
		}
		matches |= low <= (unsigned char)c && (unsigned char)c <= high;
	}
	if (!*p)
		return NULL;
	*ret_matches = matches != is_negated && c && c != '/';
	return p + 1;
}

/*
 * One character of the text against one element of the pattern; what follows the element, or NULL.
 *
 */
static const char *match_one(const char *p, char c)
{
	bool matches;

	if (!c)
		return NULL;
	if (*p == '?')
		return c == '/' ? NULL : p + 1;
	if (*p == '[') {
		const char *behind = match_set(p + 1, c, &matches);

		if (behind)
			return matches ? behind : NULL;
	}
	if (*p == '\\' && p[1])
		p++;
	return *p == c ? p + 1 : NULL;
}

/*
 * No recursion: only the last "*" and the last "**" ever need another try, the
 * first of them within a component, the other anywhere. A pattern made to be
 * slow costs the square of the lengths at worst, times the length of a component.
 */
bool hearth_filter_match(const char *pattern, const char *text)
{
	const char *p = pattern, *s = text;
	const char *star = NULL, *star_text = NULL, *stars = NULL, *stars_text = NULL;

	for (;;) {
		const char *behind = match_one(p, *s);

		if (p[0] == '*' && p[1] == '*') {
			stars = p += 2;
			stars_text = s;
			star = NULL;
		} else if (p[0] == '*') {
			star = ++p;
			star_text = s;
		} else if (!*p && !*s) {
			return true;
		} else if (behind) {
			p = behind;
			s++;
		} else if (star && *star_text && *star_text != '/') {
			p = star;
			s = ++star_text;
		} else if (stars && *stars_text) {
			p = stars;
			s = ++stars_text;
			star = NULL;
		} else {
			return false;
		}
	}
}

/* A pattern with slashes against a path, from its start or from any component on. */
static bool path_matches(const char *pattern, const char *path, bool is_anchored)
{
	for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
		if (hearth_filter_match(pattern, at))
			return true;
		else if (is_anchored)
			return false;
	return false;
}

static bool rule_matches(const struct hearth_rule *rule, const char *path, bool is_dir)
{
	const char *slash = strrchr(path, '/');

	if (rule->is_dir_only && !is_dir)
		return false;
	if (!rule->is_path)
		return hearth_filter_match(rule->pattern, slash ? slash + 1 : path);
	if (rule->dir_pattern && is_dir &&
	    path_matches(rule->dir_pattern, path, rule->is_anchored))
		return true;
	return path_matches(rule->pattern, path, rule->is_anchored);
}

bool hearth_filter_excludes(const struct hearth_filter *f, const char *path, bool is_dir)
{
	for (uint32_t i = 0; i < f->nr_rules; i++)
		if (rule_matches(&f->rules[i], path, is_dir))
			return !f->rules[i].is_include;
	return false;
}
