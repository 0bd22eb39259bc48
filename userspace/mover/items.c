// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names what is done, in the letters of rsync's --itemize-changes: YXcstpoguax.
 *
 * Y is ">" for content that moves, "c" for something that is made here, "h" for
 * a link, "." for attributes alone; X is the kind of file; the others are there
 * where checksum, size, time, mode, owner or group change.
 */
#include <stdio.h>
#include <string.h>

#include "recv.h"

#define CODE_BYTES 12

static char kind_letter(const struct hearth_entry *e)
{
	switch (e->kind) {
	case HEARTH_ENTRY_ROOT:
	case HEARTH_ENTRY_DIR:
		return 'd';
	case HEARTH_ENTRY_SYMLINK:
		return 'L';
	case HEARTH_ENTRY_SPECIAL:
		return S_ISCHR(e->mode) || S_ISBLK(e->mode) ? 'D' : 'S';
	default:
		return 'f';
	}
}

static bool has_content(const struct hearth_entry *e)
{
	return e->kind == HEARTH_ENTRY_FILE;
}

static void put_changes(const struct hearth_receiver *r, char *code, const struct hearth_entry *e,
			const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;
	bool has_time = st->st_mtim.tv_sec == e->mtime_sec &&
			(uint32_t)st->st_mtim.tv_nsec == e->mtime_nsec;

	if (code[0] == '>' && flags & HEARTH_CHECKSUM)
		code[2] = 'c';
	if (code[0] == 'c')
		code[2] = 'c';
	if (has_content(e) && (uint64_t)st->st_size != e->size)
		code[3] = 's';
	if (flags & HEARTH_TIMES && !has_time)
		code[4] = 't';
	else if (!(flags & HEARTH_TIMES) && code[0] == '>')
		code[4] = 'T';
	if (flags & HEARTH_PERMS && e->kind != HEARTH_ENTRY_SYMLINK &&
	    (st->st_mode & 07777) != (e->mode & 07777))
		code[5] = 'p';
	if (flags & HEARTH_OWNER && !r->euid && st->st_uid != e->uid)
		code[6] = 'o';
	if (flags & HEARTH_GROUP && !r->euid && st->st_gid != e->gid)
		code[7] = 'g';
}

static void put_name(struct hearth_receiver *r, const struct hearth_batch *b,
		     const struct hearth_entry *e, char *path, size_t size)
{
	size_t len;

	if (e->kind == HEARTH_ENTRY_ROOT) {
		snprintf(path, size, "./");
		return;
	}
	hearth_dirs_relative_path(&r->dirs, e->parent, hearth_receiver_name(r, b, e), path, size);
	len = strlen(path);
	if (e->kind == HEARTH_ENTRY_DIR)
		snprintf(path + len, size - len, "/");
	else if (e->kind == HEARTH_ENTRY_SYMLINK)
		snprintf(path + len, size - len, " -> %s", hearth_entry_target(b, e));
	else if (e->kind == HEARTH_ENTRY_LINK)
		snprintf(path + len, size - len, " => %s", hearth_entry_target(b, e));
}

void hearth_item(struct hearth_receiver *r, char first, const struct hearth_batch *b,
		 const struct hearth_entry *e, const struct stat *st)
{
	char code[CODE_BYTES] = "...........", path[HEARTH_PATH_MAX];

	if (!(r->job->opt.flags & HEARTH_ITEMIZE))
		return;
	code[0] = first;
	code[1] = kind_letter(e);
	if (st)
		put_changes(r, code, e, st);
	else
		memset(code + 2, '+', CODE_BYTES - 3);
	/* A directory that was there and stays as it is. */
	if (first == '.' && kind_letter(e) == 'd' && !strcmp(code + 2, "........."))
		return;
	put_name(r, b, e, path, sizeof(path));
	hearth_job_note(r->job, HEARTH_NOTE_ITEM, path, "%s", code);
}

void hearth_item_deleted(struct hearth_receiver *r, const char *path, bool is_dir)
{
	char name[HEARTH_PATH_MAX];

	if (!(r->job->opt.flags & HEARTH_ITEMIZE))
		return;
	snprintf(name, sizeof(name), "%s%s", path, is_dir ? "/" : "");
	hearth_job_note(r->job, HEARTH_NOTE_ITEM, name, "*deleting  ");
}
