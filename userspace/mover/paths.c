// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the scan starts.
 *
 * A source is split into a directory that is opened as the user named it, and a
 * name in it. With --relative, and for what --files-from lists, there is a path
 * below that directory; the directories on the way become entries of their own,
 * each once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/io.h"
#include "confine.h"
#include "scan.h"

/*
 * Splits "a/b/c" into the directory to open and the name in it. "c/", "c/." and ".." stand for what
 * is in the directory: the name is empty then.
 */
static void split_source(const char *source, char *dir, size_t size, const char **ret_name)
{
	const char *slash = strrchr(source, '/');
	const char *name = slash ? slash + 1 : source;

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		snprintf(dir, size, "%s", source);
		*ret_name = "";
		return;
	}
	if (!slash)
		snprintf(dir, size, ".");
	else
		snprintf(dir, size, "%.*s", slash == source ? 1 : (int)(slash - source), source);
	*ret_name = name;
}

bool hearth_scan_is_single(const struct hearth_job *job, char *const *sources, uint32_t nr)
{
	struct stat st;

	/* What is missing is no directory either: nothing should be made for it. */
	return nr == 1 &&
	       (hearth_root_stat(job->base_fd, sources[0], false, &st) || !S_ISDIR(st.st_mode));
}

static uint64_t key_of(uint32_t dir, const char *name)
{
	return hearth_seen_key(dir + 1ull, name);
}

bool hearth_scan_is_named(const struct hearth_scan *scan, uint32_t dir, const char *name)
{
	return scan->named.nr && hearth_seen_has(&scan->named, key_of(dir, name));
}

static uint32_t *find_number(const struct hearth_scan *scan, uint32_t dir, const char *name)
{
	size_t at = key_of(dir, name) & (scan->cap_numbers - 1);
	const struct hearth_dirs *dirs = &scan->s->dirs;

	for (; scan->numbers[at]; at = (at + 1) & (scan->cap_numbers - 1)) {
		const struct hearth_dir *d = dirs->v[scan->numbers[at]];

		if (d->parent == dir && !strcmp(d->name, name))
			break;
	}
	return &scan->numbers[at];
}

static int grow_numbers(struct hearth_scan *scan)
{
	uint32_t *old = scan->numbers;
	size_t old_cap = scan->cap_numbers;

	scan->cap_numbers = old_cap ? 2 * old_cap : 256;
	scan->numbers = calloc(scan->cap_numbers, sizeof(*scan->numbers));
	if (!scan->numbers) {
		scan->numbers = old;
		scan->cap_numbers = old_cap;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old_cap; i++)
		if (old[i]) {
			const struct hearth_dir *d = scan->s->dirs.v[old[i]];

			*find_number(scan, d->parent, d->name) = old[i];
		}
	free(old);
	return 0;
}

void hearth_scan_paths_exit(struct hearth_scan *scan)
{
	free(scan->numbers);
	hearth_seen_exit(&scan->named);
}

/* The number of the directory @name in @dir, which becomes an entry if it is none yet; or -errno.
 */
static int64_t enter(struct hearth_scan *scan, uint32_t dir, const char *name)
{
	uint32_t number = scan->s->dirs.nr, known, *found;
	int dir_fd, ret;

	if (2 * scan->nr_numbers >= scan->cap_numbers && grow_numbers(scan))
		return -ENOMEM;
	found = find_number(scan, dir, name);
	known = *found;
	if (known)
		return known;
	dir_fd = hearth_dirs_get(&scan->s->dirs, dir);
	if (dir_fd < 0)
		return dir_fd;
	ret = hearth_scan_passage(scan, dir, dir_fd, name);
	hearth_dirs_put(&scan->s->dirs, dir);
	if (ret)
		return ret;
	if (scan->s->dirs.nr == number)
		return -EACCES; /* it was reported, and left out */
	*found = number;
	scan->nr_numbers++;
	ret = hearth_seen_add(&scan->named, key_of(dir, name));
	return ret ? ret : (int64_t)number;
}

/* The last component of a path: all of it, if that is a directory and -r was given. */
static int add_last(struct hearth_scan *scan, uint32_t dir, const char *name)
{
	uint32_t number = scan->s->dirs.nr, *found;
	int dir_fd, ret;

	if (scan->cap_numbers || !grow_numbers(scan)) {
		found = find_number(scan, dir, name);
		if (*found) {
			scan->s->dirs.v[*found]->is_bad &=
				!(scan->s->job->opt.flags & HEARTH_RECURSE);
			return 0;
		}
	}
	if (hearth_scan_is_named(scan, dir, name))
		return 0;
	dir_fd = hearth_dirs_get(&scan->s->dirs, dir);
	if (dir_fd < 0)
		return dir_fd;
	ret = hearth_seen_add(&scan->named, key_of(dir, name));
	if (!ret)
		ret = hearth_scan_name(scan, dir, dir_fd, name);
	hearth_dirs_put(&scan->s->dirs, dir);
	if (ret || scan->s->dirs.nr == number)
		return ret;
	if (2 * scan->nr_numbers >= scan->cap_numbers && grow_numbers(scan))
		return -ENOMEM;
	*find_number(scan, dir, name) = number;
	scan->nr_numbers++;
	return 0;
}

/* One path below the root @top. What cannot be found is reported. */
static int add_path(struct hearth_scan *scan, uint32_t top, const char *path)
{
	char copy[HEARTH_PATH_MAX], *save = NULL, *part, *next;
	int64_t dir = top;
	int ret = 0;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy)) {
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, top, "", "a path is too long", "");
		return 0;
	}
	for (part = strtok_r(copy, "/", &save); part && !ret; part = next) {
		next = strtok_r(NULL, "/", &save);
		while (next && !strcmp(next, "."))
			next = strtok_r(NULL, "/", &save);
		if (!strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			hearth_scan_report(scan, HEARTH_NOTE_ERROR, top, path,
					   "leads out of the source; left out", "");
			return 0;
		}
		if (!next)
			return add_last(scan, (uint32_t)dir, part);
		dir = enter(scan, (uint32_t)dir, part);
		ret = dir < 0 ? (int)dir : 0;
	}
	if (ret == -ENOENT || ret == -ENOTDIR)
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, top, path, strerror(-ret), "");
	return ret == -ENOMEM || ret == -ECANCELED || ret == -EPIPE ? ret : 0;
}

/* Opens the directory and makes it a root; -ENOENT if that was not possible, and reported. */
static int add_root(struct hearth_scan *scan, const char *source, const char *dir, bool is_content,
		    bool is_listed)
{
	struct hearth_dirs *dirs = &scan->s->dirs;
	struct hearth_entry root;
	struct hearth_dir *anchor;
	struct stat st;
	int fd = hearth_root_open(scan->s->job->base_fd, dir), ret;

	if (fd < 0 || fstat(fd, &st)) {
		hearth_job_note(scan->s->job, HEARTH_NOTE_ERROR, source, "cannot be opened: %s",
				strerror(-fd));
		scan->had_errors = true;
		return -ENOENT;
	}
	anchor = hearth_dirs_add_anchor(dirs, fd, strcmp(dir, ".") ? dir : "");
	if (!anchor) {
		hearth_close(&fd);
		return -ENOMEM;
	}
	anchor->is_bad = !is_listed; /* is not read */
	anchor->device = st.st_dev;
	anchor->inode = st.st_ino;
	scan->device = st.st_dev;
	root = hearth_scan_entry(scan, &st, 0);
	root.kind = HEARTH_ENTRY_ROOT;
	ret = is_content ? hearth_scan_look_inside(scan, &root, fd) : 0;
	if (ret) {
		hearth_scan_report_errno(scan, dirs->nr - 1, "", "cannot be read: ", ret);
		root.extras = 0;
		root.attrs_len = 0;
	}
	if (is_listed)
		root.extras |= HEARTH_EXTRA_LISTED;
	/* Only a directory meant by itself has its attributes copied. */
	if (!is_content)
		root.mode = S_IFDIR;
	return hearth_scan_add(scan, &root, "", "");
}

/* --files-from: of the source directory only what is listed. */
static int add_listed(struct hearth_scan *scan, const char *source)
{
	const struct hearth_names *only = scan->s->job->only;
	uint32_t top = scan->s->dirs.nr;
	int ret = add_root(scan, source, source, false, false);

	for (uint32_t i = 0; i < only->nr && !ret; i++)
		ret = add_path(scan, top, only->v[i]);
	return ret == -ENOENT ? 0 : ret;
}

/* --relative: the whole path appears at the destination, or what follows "/./" in it. */
static int add_relative(struct hearth_scan *scan, const char *source)
{
	const char *cut = strstr(source, "/./"), *path = cut ? cut + 3 : source;
	uint32_t top = scan->s->dirs.nr;
	char dir[PATH_MAX];
	int ret;

	if (cut)
		snprintf(dir, sizeof(dir), "%.*s", cut == source ? 1 : (int)(cut - source), source);
	else
		snprintf(dir, sizeof(dir), "%s", *source == '/' ? "/" : ".");
	ret = add_root(scan, source, dir, false, false);
	if (!ret)
		ret = add_path(scan, top, path);
	return ret == -ENOENT ? 0 : ret;
}

static int add_plain(struct hearth_scan *scan, const char *source)
{
	struct hearth_dirs *dirs = &scan->s->dirs;
	uint32_t number = dirs->nr;
	char dir[PATH_MAX];
	struct stat st;
	const char *name;
	int ret, fd;

	split_source(source, dir, sizeof(dir), &name);
	if (!*name && !(scan->s->job->opt.flags & HEARTH_RECURSE)) {
		hearth_job_note(scan->s->job, HEARTH_NOTE_WARNING, source,
				"is a directory; left out without -r");
		return 0;
	}
	ret = add_root(scan, source, dir, !*name, !*name);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	if (!*name)
		return 0;
	fd = dirs->v[number]->fd;
	if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
		scan->device = st.st_dev;
	} else if (errno == ENOENT) {
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, number, name,
				   "no such file or directory", "");
		return 0;
	}
	return hearth_scan_name(scan, number, fd, name);
}

/*
 * The one entry of a job whose sender reads from a pipe; how long it is will be said at its end. Or
 * from memory, to measure.
 */
int hearth_scan_stream(struct hearth_scan *scan)
{
	const struct hearth_options *opt = &scan->s->job->opt;
	struct hearth_entry e = {
		.kind = HEARTH_ENTRY_FILE,
		.extras = opt->bench ? 0 : HEARTH_EXTRA_STREAM,
		.size = opt->bench ? opt->bench_bytes : HEARTH_FILE_MAX_BYTES,
		.mode = S_IFREG | 0666,
		.mtime_sec = time(NULL),
		.uid = geteuid(),
		.gid = getegid(),
		.parent = scan->s->dirs.nr,
	};
	int ret = hearth_scan_root(scan, "-");

	return ret ? ret : hearth_scan_add(scan, &e, "stdin", "");
}

int hearth_scan_root(struct hearth_scan *scan, const char *name)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct hearth_entry root = { .kind = HEARTH_ENTRY_ROOT, .mode = S_IFDIR };
	struct hearth_dir *anchor;

	if (fd < 0)
		return -errno;
	anchor = hearth_dirs_add_anchor(&scan->s->dirs, fd, name);
	if (!anchor) {
		hearth_close(&fd);
		return -ENOMEM;
	}
	anchor->is_bad = true; /* is not read */
	return hearth_scan_add(scan, &root, "", "");
}

int hearth_scan_source(struct hearth_scan *scan, const char *source)
{
	if (scan->s->job->only)
		return add_listed(scan, source);
	if (scan->s->job->opt.flags & HEARTH_RELATIVE)
		return add_relative(scan, source);
	return add_plain(scan, source);
}
