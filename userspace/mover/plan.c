// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the receiver does with the index as it comes in: makes directories,
 * symlinks, nodes and empty files at once, and decides which files it wants.
 *
 * A destination that is new or empty wants everything; then the job is *eager*
 * and the sender does not wait to be asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/io.h"
#include "lun_end.h"
#include "publish.h"
#include "recv.h"

/* The file stays as it is although it may be another: so must the source. */
static int keep_source(struct hearth_receiver *r, const struct hearth_batch *b,
		       const struct hearth_entry *e)
{
	hearth_receiver_keep_source(r, b, e);
	return 0;
}

static int refuse(struct hearth_receiver *r, const struct hearth_batch *b,
		  const struct hearth_entry *e, const char *what, int err)
{
	hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, what, err);
	return 0;
}

/* Neither make anything nor change what is there: only --delete is left. */
static bool changes_nothing(const struct hearth_receiver *r)
{
	uint32_t both = HEARTH_EXISTING | HEARTH_IGNORE_EXISTING;

	return (r->job->opt.flags & both) == both;
}

static void enter_existing(struct hearth_receiver *r, struct hearth_dir *dir,
			   const struct hearth_batch *b, const struct hearth_entry *e,
			   const struct stat *st)
{
	dir->is_bad = false;
	dir->is_setgid = st->st_mode & S_ISGID;
	if (!(r->job->opt.flags & HEARTH_ATTRIBUTE_FLAGS) || changes_nothing(r))
		return;
	hearth_item(r, '.', b, e, st);
	if (!r->is_dry)
		hearth_plan_remember(dir, b, e);
}

/* Makes the directory, unless there is one. */
static int make_directory(struct hearth_receiver *r, int dir_fd, struct hearth_dir *dir,
			  const struct hearth_batch *b, const struct hearth_entry *e)
{
	const char *name = hearth_entry_name(b, e);
	struct stat st;
	int found = hearth_look_up(dir_fd, name, &st);

	if (found < 0)
		return refuse(r, b, e, "cannot be looked at", found);
	if (found) {
		if (!S_ISDIR(st.st_mode))
			return refuse(r, b, e,
				      "something else of that name is in the way of a directory; remove it",
				      0);
		enter_existing(r, dir, b, e, &st);
		return hearth_plan_volume(r, dir_fd, name, &st, dir, e->dir_no);
	}
	if (r->job->opt.flags & HEARTH_EXISTING)
		return 0;
	dir->is_virtual = r->is_dry;
	if (!r->is_dry && mkdirat(dir_fd, name, 0700))
		return refuse(r, b, e, "cannot be made", -errno);
	dir->is_bad = false;
	dir->is_made = true;
	hearth_item(r, 'c', b, e, NULL);
	if (!r->is_dry)
		hearth_plan_remember(dir, b, e);
	return 0;
}

static int plan_directory(struct hearth_receiver *r, const struct hearth_batch *b,
			  const struct hearth_entry *e)
{
	const char *name = hearth_entry_name(b, e);
	struct hearth_dir *dir = hearth_dirs_add(&r->dirs, e->parent, name);
	struct hearth_dir *parent = hearth_dirs_at(&r->dirs, e->parent);
	int dir_fd, ret;

	if (!dir)
		return -ENOMEM;
	dir->is_bad = parent->is_bad;
	dir->is_virtual = parent->is_virtual;
	dir->is_setgid = parent->is_setgid;
	dir->volume = parent->volume;
	dir->is_listed = e->extras & HEARTH_EXTRA_LISTED;
	dir->key = hearth_seen_key(parent->key, name);
	if (dir->is_bad)
		return 0;
	if (dir->is_virtual) {
		dir->is_bad = r->job->opt.flags & HEARTH_EXISTING;
		if (!dir->is_bad)
			hearth_item(r, 'c', b, e, NULL);
		return 0;
	}
	dir_fd = hearth_dirs_get(&r->dirs, e->parent);
	dir->is_bad = true;
	if (dir_fd < 0)
		return refuse(r, b, e, "its directory cannot be opened", dir_fd);
	ret = make_directory(r, dir_fd, dir, b, e);
	hearth_dirs_put(&r->dirs, e->parent);
	return ret;
}

/* True if the file is left as it is, whatever the source has. */
static bool is_left_alone(const struct hearth_receiver *r, const struct hearth_entry *e,
			  const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;

	if (!st)
		return flags & HEARTH_EXISTING;
	return flags & HEARTH_IGNORE_EXISTING ||
	       (flags & HEARTH_UPDATE && S_ISREG(st->st_mode) && hearth_compare_is_newer(e, st));
}

/* The content is the same; the rest may still differ. */
static void update_attributes(struct hearth_receiver *r, int dir_fd, const char *name,
			      const struct hearth_batch *b, const struct hearth_entry *e,
			      const struct stat *st)
{
	bool needs_fd = r->job->opt.flags & (HEARTH_ACLS | HEARTH_XATTRS);
	int fd, ret;

	if (!needs_fd && hearth_compare_attributes(r, -1, b, e, st))
		return;
	fd = hearth_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
	ret = fd;
	if (fd >= 0 && hearth_compare_attributes(r, fd, b, e, st)) {
		hearth_close(&fd);
		return;
	}
	hearth_item(r, '.', b, e, st);
	if (fd >= 0 && !r->is_dry)
		ret = hearth_place_attributes(r, fd, e, hearth_entry_attrs(b, e), false);
	if (ret < 0)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, "its attributes cannot be set",
				     ret);
	hearth_close(&fd);
}

/* Without --perms new content leaves modes alone. */
static void keep_mode(const struct hearth_receiver *r, struct hearth_entry *e,
		      const struct stat *st)
{
	e->keeps_mode = S_ISREG(st->st_mode) && !(r->job->opt.flags & HEARTH_PERMS);
	if (e->keeps_mode)
		e->mode = st->st_mode;
}

/* What the receiver says of a batch. */
struct answer {
	struct hearth_ranges wanted;
	struct hearth_ranges checked; /* may be there: sums will do */
};

/* --append-verify: how much of a shorter file may be the beginning of the source's. */
static uint64_t beginning(const struct hearth_receiver *r, const struct hearth_entry *e,
			  const struct stat *st)
{
	if (!(r->job->opt.flags & HEARTH_APPEND_VERIFY) || e->extras & HEARTH_EXTRA_STREAM ||
	    !st || !S_ISREG(st->st_mode) || (uint64_t)st->st_size >= e->size)
		return 0;
	return (uint64_t)st->st_size;
}

/* Adds what is in the file from @start up to @end, but not in @known, to @ret. */
static int add_gaps(struct hearth_ranges *ret, const struct hearth_entry *e,
		    const struct hearth_ranges *known, uint64_t start, uint64_t end)
{
	struct hearth_range gap;
	int err = 0;

	while (!err && hearth_ranges_next_gap(known, start, end, &gap)) {
		err = hearth_ranges_add(ret, e->voff + gap.start, e->voff + gap.end);
		start = gap.end;
	}
	return err;
}

/* Asks for sums of what is doubtful; from then on it is as good as stored. */
static int check_doubtful(struct hearth_entry *e, struct hearth_remains *remains,
			  struct answer *answer)
{
	int ret = 0;

	for (size_t i = 0; i < remains->doubtful.nr && !ret; i++) {
		const struct hearth_range *range = &remains->doubtful.v[i];

		ret = add_gaps(&answer->checked, e, &remains->stored, range->start, range->end);
		if (!ret)
			ret = hearth_ranges_add(&remains->stored, range->start, range->end);
		e->is_doubtful = true;
	}
	return ret;
}

/* Adds what is missing of the file to the answer; @st: what is there, or NULL. */
static int want_file(struct hearth_receiver *r, int dir_fd, const char *name,
		     struct hearth_entry *e, const struct stat *st, struct answer *answer)
{
	struct hearth_remains remains = { 0 };
	int ret = 0;

	hearth_part_find_remains(r, dir_fd, name, e, &remains);
	r->job->count.bytes_resumed += remains.stored.covered;
	/* Stored to the last byte but not yet in place: the last byte brings the rest about. */
	if (remains.stored.covered == e->size)
		ret = hearth_ranges_add(&answer->wanted, e->voff + e->size - 1, e->voff + e->size);
	else if (!remains.stored.covered && !remains.doubtful.covered)
		ret = hearth_ranges_add(&remains.doubtful, 0, beginning(r, e, st));
	if (!ret)
		ret = check_doubtful(e, &remains, answer);
	if (!ret)
		ret = add_gaps(&answer->wanted, e, &remains.stored, 0, e->size);
	hearth_remains_exit(&remains);
	return ret;
}

static int plan_empty_file(struct hearth_receiver *r, struct hearth_batch *b,
			   struct hearth_entry *e)
{
	int ret = hearth_place_whole(r, b, e, "");

	atomic_store(&e->state, HEARTH_FILE_DONE);
	if (ret)
		return refuse(r, b, e, "cannot be written", ret);
	r->job->count.files_stored++;
	return 0;
}

static void skip_file(struct hearth_receiver *r, const struct hearth_entry *e)
{
	r->job->count.files_skipped++;
	r->job->count.bytes_skipped += e->size;
}

static int plan_file(struct hearth_receiver *r, int dir_fd, struct hearth_batch *b,
		     struct hearth_entry *e, struct answer *answer)
{
	const char *name = hearth_receiver_name(r, b, e);
	struct stat st;
	int exists = r->is_eager || dir_fd < 0 ? 0 : hearth_look_up(dir_fd, name, &st);

	r->job->count.files_total++;
	if (e->extras & HEARTH_EXTRA_STREAM) {
		int ret = r->rename_to ? hearth_stream_plan(r, b, e) : -EISDIR;

		if (ret)
			return ret == -EPROTO
				       ? ret
				       : refuse(r, b, e,
						"a pipe needs a file name at the destination", 0);
	} else {
		r->job->count.bytes_total += e->size;
	}
	if (exists < 0)
		return refuse(r, b, e, "cannot be looked at", exists);
	if (exists && S_ISDIR(st.st_mode))
		return refuse(r, b, e, "a directory of that name is in its way; remove it", 0);
	if (is_left_alone(r, e, exists ? &st : NULL)) {
		skip_file(r, e);
		return keep_source(r, b, e);
	}
	if (exists && hearth_compare_is_same(r, dir_fd, name, e, &st)) {
		skip_file(r, e);
		update_attributes(r, dir_fd, name, b, e, &st);
		return 0;
	}
	if (!exists && dir_fd >= 0 && hearth_links_find_same(r, dir_fd, b, e)) {
		skip_file(r, e);
		return 0;
	}
	hearth_item(r, '>', b, e, exists && S_ISREG(st.st_mode) ? &st : NULL);
	if (r->is_dry)
		return 0;
	if (exists)
		keep_mode(r, e, &st);
	if (!e->size)
		return plan_empty_file(r, b, e);
	atomic_store(&e->state, HEARTH_FILE_WANTED);
	b->left++;
	if (r->is_eager)
		return 0;
	return want_file(r, dir_fd, name, e, exists ? &st : NULL, answer);
}

static bool is_same_symlink(int dir_fd, const char *name, const char *target)
{
	char present[HEARTH_TARGET_MAX + 1];
	ssize_t len = readlinkat(dir_fd, name, present, sizeof(present));

	return len == (ssize_t)strlen(target) && !memcmp(present, target, (size_t)len);
}

static bool is_same_special(const struct hearth_entry *e, const struct stat *st)
{
	return (st->st_mode & S_IFMT) == (e->mode & S_IFMT) &&
	       (S_ISFIFO(e->mode) || S_ISSOCK(e->mode) ||
		st->st_rdev == makedev(e->rdev_major, e->rdev_minor));
}

static int make_other(struct hearth_receiver *r, int dir_fd, struct hearth_batch *b,
		      struct hearth_entry *e, bool is_same)
{
	const char *name = hearth_receiver_name(r, b, e);
	int ret;

	if (r->is_dry)
		return 0;
	if (is_same)
		ret = hearth_place_by_name(r, dir_fd, name, e, false);
	else if (e->kind == HEARTH_ENTRY_SYMLINK)
		ret = hearth_place_symlink(r, dir_fd, name, hearth_entry_target(b, e), e);
	else
		ret = hearth_place_special(r, dir_fd, name, e);
	return ret ? refuse(r, b, e, is_same ? "its attributes cannot be set" : "cannot be made",
			    ret)
		   : 0;
}

static int plan_other(struct hearth_receiver *r, int dir_fd, struct hearth_batch *b,
		      struct hearth_entry *e)
{
	const char *name = hearth_receiver_name(r, b, e);
	uint32_t flags = r->job->opt.flags;
	struct stat st;
	int exists = dir_fd < 0 ? 0 : hearth_look_up(dir_fd, name, &st);
	bool is_same;

	if (exists < 0)
		return refuse(r, b, e, "cannot be looked at", exists);
	if (exists && S_ISDIR(st.st_mode))
		return refuse(r, b, e, "a directory of that name is in its way; remove it", 0);
	if (flags & (exists ? HEARTH_IGNORE_EXISTING : HEARTH_EXISTING))
		return keep_source(r, b, e);
	if (e->kind == HEARTH_ENTRY_LINK)
		return hearth_links_add(r, b, e);
	is_same = exists && (e->kind == HEARTH_ENTRY_SYMLINK
				     ? is_same_symlink(dir_fd, name, hearth_entry_target(b, e))
				     : is_same_special(e, &st));
	if (is_same && hearth_compare_attributes(r, -1, b, e, &st))
		return 0;
	exists = exists && (st.st_mode & S_IFMT) == (e->mode & S_IFMT);
	hearth_item(r, is_same ? '.' : 'c', b, e, exists ? &st : NULL);
	return make_other(r, dir_fd, b, e, is_same);
}

/* The one file goes to a pipe; no directory is looked at. */
static int plan_output(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	if (e->kind != HEARTH_ENTRY_FILE || r->job->count.files_total++)
		return -EPROTO;
	r->job->count.bytes_total += e->size;
	if (!e->size)
		return 0;
	atomic_store(&e->state, HEARTH_FILE_WANTED);
	b->left++;
	return 0;
}

/* The one file goes into a LUN. */
static int plan_lun(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		    struct answer *answer)
{
	bool is_wanted;
	int ret = hearth_lun_end_plan(r, b, e, &is_wanted);

	if (ret || !is_wanted)
		return ret;
	atomic_store(&e->state, HEARTH_FILE_WANTED);
	b->left++;
	return want_file(r, -1, "", e, NULL, answer);
}

static int plan_in_directory(struct hearth_receiver *r, struct hearth_batch *b,
			     struct hearth_entry *e, struct answer *answer)
{
	const struct hearth_dir *dir = hearth_dirs_at(&r->dirs, e->parent);
	int dir_fd = -1, ret;

	atomic_store(&e->state, HEARTH_FILE_DONE);
	if (hearth_receiver_has_no_place(r))
		return plan_output(r, b, e);
	if (r->lun)
		return plan_lun(r, b, e, answer);
	if (dir->is_bad)
		return keep_source(r, b, e);
	if (!dir->is_virtual) {
		dir_fd = hearth_dirs_get(&r->dirs, e->parent);
		if (dir_fd < 0)
			return refuse(r, b, e, "its directory cannot be opened", dir_fd);
	}
	ret = e->kind == HEARTH_ENTRY_FILE ? plan_file(r, dir_fd, b, e, answer)
					   : plan_other(r, dir_fd, b, e);
	if (dir_fd >= 0)
		hearth_dirs_put(&r->dirs, e->parent);
	return ret;
}

/* A sender may bring up only what it was asked for. */
static bool is_expected(struct hearth_receiver *r, const struct hearth_batch *b,
			const struct hearth_entry *e)
{
	if (!r->nr_expected || e->kind == HEARTH_ENTRY_ROOT ||
	    !hearth_dirs_at(&r->dirs, e->parent)->is_anchor)
		return true;
	for (uint32_t i = 0; i < r->nr_expected; i++)
		if (!strcmp(r->expected[i], hearth_entry_name(b, e)))
			return true;
	hearth_job_fail(r->job, HEARTH_EXIT_PROTOCOL,
			"the sender offers a file that was not asked for");
	return false;
}

static int plan_entry(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      struct answer *answer)
{
	if (!is_expected(r, b, e))
		return -ECANCELED;
	if (e->kind == HEARTH_ENTRY_LINK && !(r->job->opt.flags & HEARTH_HARD_LINKS))
		return -EPROTO;
	if (r->publish)
		return hearth_publish_entry(r, b, e);
	/* A single name at the destination stands for a single entry. */
	if ((r->rename_to || hearth_receiver_has_no_place(r)) &&
	    (e->kind == HEARTH_ENTRY_DIR || (e->kind == HEARTH_ENTRY_ROOT && r->dirs.nr)))
		return -EPROTO;
	hearth_delete_saw(r, e, hearth_entry_name(b, e));
	switch (e->kind) {
	case HEARTH_ENTRY_ROOT:
		return hearth_plan_root(r, b, e);
	case HEARTH_ENTRY_DIR:
		return plan_directory(r, b, e);
	case HEARTH_ENTRY_PRESENT:
		atomic_store(&e->state, HEARTH_FILE_DONE);
		return 0;
	default:
		return plan_in_directory(r, b, e, answer);
	}
}

static int send_answer(struct hearth_receiver *r, const struct hearth_batch *b,
		       const struct answer *answer)
{
	struct hearth_control *c = r->wires->control;
	int ret = 0;

	if (answer->checked.nr)
		ret = hearth_control_send_want(c, HEARTH_FRAME_CHECK, b->number, &answer->checked);
	return ret ? ret
		   : hearth_control_send_want(c, HEARTH_FRAME_WANT, b->number, &answer->wanted);
}

int hearth_plan_batch(struct hearth_receiver *r, struct hearth_batch *b)
{
	struct answer answer = { 0 };
	int ret = 0;

	b->left = 0;
	for (uint32_t i = 0; i < b->nr_entries && !ret; i++)
		ret = plan_entry(r, b, &b->entries[i], &answer);
	if (!ret && r->publish)
		ret = hearth_publish_planned(r, b);
	pthread_mutex_lock(&r->lock);
	r->nr_left += b->left;
	pthread_mutex_unlock(&r->lock);
	b->is_answered = true;
	if (!ret)
		ret = hearth_table_add(&r->table, b, UINT64_MAX);
	if (ret) {
		if (r->stream_batch == b)
			r->stream_batch = NULL;
		hearth_batch_free(b);
	} else {
		if (r->stream_batch == b) /* stays until the job is over */
			hearth_table_get_number(&r->table, b->number);
		hearth_table_settle(&r->table, b, 0);
		if (!r->is_eager)
			ret = send_answer(r, b, &answer);
		hearth_table_put(&r->table, b);
	}
	hearth_ranges_exit(&answer.wanted);
	hearth_ranges_exit(&answer.checked);
	return ret;
}
