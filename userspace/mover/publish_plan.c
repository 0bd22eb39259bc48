// SPDX-License-Identifier: GPL-2.0-or-later
/* --publish: every entry becomes an inode, and a file has its place, as the index comes in. */
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/bytes.h"
#include "publish_impl.h"

/* Of a root that stands for nothing but what is in it, as --files-from makes one. */
#define DEFAULT_ROOT_MODE 0755

static bool has_holes(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	return e->extras & HEARTH_EXTRA_SPARSE || r->job->opt.flags & HEARTH_SPARSE;
}

static struct hearth_erofs_stat stat_of(const struct hearth_receiver *r,
					const struct hearth_entry *e)
{
	struct hearth_erofs_stat st = {
		.size = e->size,
		.mtime_sec = e->mtime_sec,
		.mtime_nsec = e->mtime_nsec,
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.rdev_major = e->rdev_major,
		.rdev_minor = e->rdev_minor,
		.has_holes = e->kind == HEARTH_ENTRY_FILE && has_holes(r, e),
	};

	if (e->kind == HEARTH_ENTRY_ROOT && !(e->mode & 07777))
		st.mode |= DEFAULT_ROOT_MODE;
	return st;
}

/* Says which attributes the image cannot hold, and gives the inode the others. */
static int set_attrs(struct hearth_receiver *r, const struct hearth_batch *b,
		     const struct hearth_entry *e)
{
	const void *attrs = hearth_entry_attrs(b, e);
	struct hearth_reader reader = hearth_reader_of(attrs, e->attrs_len);
	char text[XATTR_NAME_MAX + 256];

	while (hearth_reader_left(&reader) && !reader.is_bad) {
		size_t len, value_len;
		const char *name = hearth_get_string(&reader, XATTR_NAME_MAX, &len), *why;

		hearth_get_string(&reader, XATTR_SIZE_MAX, &value_len);
		why = reader.is_bad ? NULL : hearth_erofs_why_no_attr(name, len, value_len);
		if (!why)
			continue;
		snprintf(text, sizeof(text), "its attribute %.*s is left out: %s", (int)len, name,
			 why);
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, text, 0);
	}
	return hearth_erofs_set_attrs(r->publish->fs, e->inode, attrs, e->attrs_len);
}

static int refuse(struct hearth_receiver *r, const struct hearth_batch *b,
		  const struct hearth_entry *e, int err)
{
	const char *why = err == -ERANGE ? "is left out: EROFS has no such device numbers"
					 : "is left out: EROFS ends at 16 TiB";

	if (err != -EFBIG && err != -ERANGE)
		return err;
	hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, why, 0);
	return 0;
}

/* The number that the index gives to the directory leads to its inode. */
static int number_directory(struct hearth_receiver *r, const struct hearth_batch *b,
			    const struct hearth_entry *e)
{
	struct hearth_publish *p = r->publish;
	const char *name = e->kind == HEARTH_ENTRY_ROOT ? r->destination : hearth_entry_name(b, e);
	struct hearth_dir *dir;

	if (r->dirs.nr == p->cap_dirs) {
		uint32_t cap = p->cap_dirs ? 2 * p->cap_dirs : 64;
		uint32_t *grown = realloc(p->dirs, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->dirs = grown;
		p->cap_dirs = cap;
	}
	p->dirs[r->dirs.nr] = e->inode;
	dir = hearth_dirs_add(&r->dirs, e->kind == HEARTH_ENTRY_ROOT ? 0 : e->parent, name);
	if (!dir)
		return -ENOMEM;
	dir->is_anchor = e->kind == HEARTH_ENTRY_ROOT;
	dir->is_virtual = true;
	return 0;
}

static int add_inode(struct hearth_receiver *r, const struct hearth_batch *b,
		     struct hearth_entry *e)
{
	struct hearth_publish *p = r->publish;
	struct hearth_erofs_stat st = stat_of(r, e);
	uint32_t parent = e->kind == HEARTH_ENTRY_ROOT ? 0 : p->dirs[e->parent];
	int ret = hearth_erofs_add(p->fs, parent, hearth_entry_name(b, e), &st,
				   hearth_entry_target(b, e), &e->inode);

	if (!ret && e->attrs_len)
		ret = set_attrs(r, b, e);
	return ret;
}

static void want_file(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	if (!e->size) {
		r->job->count.files_stored++;
		return;
	}
	atomic_store(&e->state, HEARTH_FILE_WANTED);
	b->left++;
}

static int add_entry(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	struct hearth_publish *p = r->publish;

	switch (e->kind) {
	case HEARTH_ENTRY_PRESENT:
		return 0;
	case HEARTH_ENTRY_LINK:
		return hearth_erofs_add_link(p->fs, p->dirs[e->parent], hearth_entry_name(b, e),
					     p->dirs[e->link_parent], hearth_entry_target(b, e));
	case HEARTH_ENTRY_ROOT:
		if (p->has_root)
			return -EPROTO;
		p->has_root = true;
		break;
	default:
		if (!p->has_root)
			return -EPROTO;
	}
	return add_inode(r, b, e);
}

static char item_of(const struct hearth_entry *e)
{
	if (e->kind == HEARTH_ENTRY_LINK)
		return 'h';
	return e->kind == HEARTH_ENTRY_FILE ? '>' : 'c';
}

int hearth_publish_entry(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	struct hearth_publish *p = r->publish;
	bool is_dir = e->kind == HEARTH_ENTRY_ROOT || e->kind == HEARTH_ENTRY_DIR;
	int ret;

	atomic_store(&e->state, HEARTH_FILE_DONE);
	if (e->kind == HEARTH_ENTRY_FILE) {
		r->job->count.files_total++;
		r->job->count.bytes_total += e->size;
	}
	pthread_mutex_lock(&p->lock);
	ret = add_entry(r, b, e);
	pthread_mutex_unlock(&p->lock);
	if (ret)
		return refuse(r, b, e, ret);
	if (is_dir)
		ret = number_directory(r, b, e);
	if (ret)
		return ret;
	hearth_item(r, item_of(e), b, e, NULL);
	if (e->kind == HEARTH_ENTRY_FILE)
		want_file(r, b, e);
	return 0;
}
