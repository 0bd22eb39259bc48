// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN as the destination of a job.
 *
 * There is no temporary name to hide what is half done, and nothing keeps an
 * initiator from writing to the LUN between an interrupted copy and the one that
 * continues it. So the journal, which lies in the user's state directory, only
 * says where to look: all that it knows is compared with the source's checksums
 * before it counts as stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "../common/io.h"
#include "lun_berth.h"
#include "lun_end.h"

#define JOURNAL_NAME_BYTES 32

bool hearth_lun_end_is_meant(const struct hearth_receiver *r)
{
	return r->job->opt.lun & HEARTH_LUN_IS_DESTINATION;
}

int hearth_lun_end_open(struct hearth_receiver *r, bool is_single)
{
	unsigned int how = HEARTH_LUN_WRITE |
			   (r->job->opt.flags & HEARTH_FORCE ? HEARTH_LUN_ANYWAY : 0);
	char text[512];
	int ret = 0;

	r->is_root_virtual = true;
	r->rename_to = strdup(r->destination);
	r->lun = calloc(1, sizeof(*r->lun));
	if (!r->rename_to || !r->lun)
		return -ENOMEM;
	r->lun->fd = -1;
	if (!is_single) {
		snprintf(text, sizeof(text),
			 "%s: only a single file, block device, pipe or LUN can go into a LUN",
			 r->destination);
		ret = -EINVAL;
	} else {
		ret = hearth_lun_open(r->lun, r->destination, how, text, sizeof(text));
	}
	if (ret)
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "%s", text);
	return ret;
}

/* From here on blocks may land in the LUN by themselves; without berths they do not. */
static void offer_berths(struct hearth_receiver *r, const struct hearth_entry *e)
{
	struct hearth_berths *bs = hearth_berths_new(r->lun, e->size);

	pthread_mutex_lock(&r->job->berths_lock);
	r->job->berths = bs;
	pthread_mutex_unlock(&r->job->berths_lock);
}

static void withdraw_berths(struct hearth_receiver *r)
{
	struct hearth_berths *bs;

	pthread_mutex_lock(&r->job->berths_lock);
	bs = r->job->berths;
	r->job->berths = NULL;
	pthread_mutex_unlock(&r->job->berths_lock);
	if (!bs)
		return;
	hearth_berths_close(bs);
	hearth_berths_put(bs);
}

void hearth_lun_end_exit(struct hearth_receiver *r)
{
	withdraw_berths(r);
	if (r->lun)
		hearth_lun_close(r->lun);
	free(r->lun);
	r->lun = NULL;
}

/* What cannot go into the LUN, and why; NULL: it can. */
static const char *what_is_wrong(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	if (e->kind != HEARTH_ENTRY_FILE)
		return "only a file, block device, pipe or LUN can go into a LUN";
	if (e->extras & HEARTH_EXTRA_STREAM)
		return NULL;
	if (!e->size)
		return "the source is empty; nothing was written";
	if (e->size > r->lun->len)
		return "the source is larger than what there is of the LUN; nothing was written";
	return NULL;
}

int hearth_lun_end_plan(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
			bool *ret_is_wanted)
{
	const char *wrong = what_is_wrong(r, e);

	if (r->job->count.files_total++)
		return -EPROTO;
	if (e->extras & HEARTH_EXTRA_STREAM) {
		if (hearth_stream_plan(r, b, e))
			return -EPROTO;
	} else {
		r->job->count.bytes_total += e->size;
	}
	*ret_is_wanted = !wrong && !r->is_dry;
	if (wrong)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, wrong, 0);
	else
		hearth_item(r, '>', b, e, NULL);
	if (*ret_is_wanted && !e->voff && !(e->extras & HEARTH_EXTRA_STREAM))
		offer_berths(r, e);
	return 0;
}

/* Makes what is missing of a path, for this user alone. */
static void make_path(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	mkdir(path, 0700);
}

/* The directory that journals lie in; or -errno: then an interrupted copy starts over. */
static int open_state(void)
{
	const char *state = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"),
		   *home = getenv("HOME");
	char path[HEARTH_PATH_MAX];
	struct stat st;
	int fd;

	if (state && *state == '/')
		snprintf(path, sizeof(path), "%s", state);
	else if (xdg && *xdg == '/')
		snprintf(path, sizeof(path), "%s/hearth", xdg);
	else if (home && *home == '/')
		snprintf(path, sizeof(path), "%s/.local/state/hearth", home);
	else
		return -ENOENT;
	make_path(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Where others may write, it could be anybody's word. */
	if (fstat(fd, &st) || st.st_uid != geteuid() || st.st_mode & 022)
		hearth_close(&fd);
	return fd < 0 ? -EACCES : fd;
}

/* Which LUN, and from where on: two copies into one place have one journal. */
static uint64_t key_of(const struct hearth_lun *lun)
{
	return XXH3_64bits_withSeed(*lun->serial ? lun->serial : lun->name.name,
				    strlen(*lun->serial ? lun->serial : lun->name.name),
				    lun->start);
}

static void name_journal(const struct hearth_lun *lun, char buf[JOURNAL_NAME_BYTES])
{
	snprintf(buf, JOURNAL_NAME_BYTES, "lun-%016llx", (unsigned long long)key_of(lun));
}

/* What is copied; of another LUN, or of a pipe, there is no time that says whether it is the same.
 */
static struct hearth_journal_identity identity_of(const struct hearth_receiver *r,
						  const struct hearth_entry *e)
{
	bool has_time = !(r->job->opt.lun & HEARTH_LUN_IS_SOURCE);

	return (struct hearth_journal_identity){
		.size = e->size,
		.mtime_sec = has_time ? e->mtime_sec : 0,
		.mtime_nsec = has_time ? e->mtime_nsec : 0,
		.inode = key_of(r->lun),
	};
}

static bool needs_journal(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	return e->size > r->job->opt.block_bytes && !(e->extras & HEARTH_EXTRA_STREAM);
}

/* Opens the journal, and adds what it knows of to @remains. 0 or -errno. */
static int open_journal(const struct hearth_receiver *r, const struct hearth_entry *e,
			struct hearth_journal *j, struct hearth_remains *remains)
{
	struct hearth_journal_identity id = identity_of(r, e);
	char name[JOURNAL_NAME_BYTES];
	int dir_fd = open_state(), ret;

	if (dir_fd < 0)
		return dir_fd;
	name_journal(r->lun, name);
	ret = hearth_journal_open(j, dir_fd, name, &id, remains);
	hearth_close(&dir_fd);
	return ret;
}

static int create_journal(const struct hearth_receiver *r, const struct hearth_entry *e,
			  struct hearth_journal *j, const struct hearth_remains *remains)
{
	struct hearth_journal_identity id = identity_of(r, e);
	char name[JOURNAL_NAME_BYTES];
	int dir_fd = open_state(), ret;

	if (dir_fd < 0)
		return dir_fd;
	name_journal(r->lun, name);
	ret = hearth_journal_create(j, dir_fd, name, &id, remains);
	hearth_close(&dir_fd);
	return ret;
}

void hearth_lun_end_find_remains(const struct hearth_receiver *r, const struct hearth_entry *e,
				 struct hearth_remains *ret)
{
	struct hearth_journal j = { .fd = -1 };
	int err = needs_journal(r, e) ? open_journal(r, e, &j, ret) : -ENOENT;

	if ((err && err != -EUCLEAN) || hearth_remains_doubt(ret))
		hearth_remains_exit(ret);
	hearth_journal_close(&j);
}

int hearth_lun_end_open_part(struct hearth_receiver *r, struct hearth_part *p)
{
	struct hearth_remains remains = { 0 };
	int ret;

	p->fd = fcntl(r->lun->fd, F_DUPFD_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	p->base = r->lun->start;
	p->synced_ns = hearth_now_ns();
	if (!needs_journal(r, p->entry))
		return 0;
	ret = open_journal(r, p->entry, &p->journal, &remains);
	if (ret && ret != -EUCLEAN)
		hearth_remains_exit(&remains);
	if (ret)
		ret = create_journal(r, p->entry, &p->journal, &remains);
	p->is_journaled = !ret;
	hearth_remains_exit(&remains);
	return 0;
}

int hearth_lun_end_store(struct hearth_receiver *r, uint64_t offset, uint64_t len,
			 const void *data)
{
	struct hearth_berths *bs = r->job->berths;
	int ret = data && bs ? hearth_berths_commit(bs, data, len) : -ENOENT;

	if (!ret)
		r->job->count.bytes_landed += len;
	else if (ret == -ENOENT)
		ret = data ? hearth_lun_write(r->lun, data, len, offset)
			   : hearth_lun_clear(r->lun, len, offset);

	/* What waits to be written back goes at the end, once it is durable. */
	if (!ret && r->job->opt.lun & HEARTH_LUN_NO_CACHE)
		hearth_lun_drop(r->lun, len, offset);
	return ret;
}

static void keep_warm(struct hearth_receiver *r, const struct hearth_part *p, uint64_t size)
{
	int err = hearth_lun_warm(r->lun, size, 0);

	if (err == -ENOSPC || err == -ENOMEM)
		hearth_receiver_note(r, HEARTH_NOTE_WARNING, p->batch, p->entry,
				     "--keep-warm: the cache has no room for all of it", 0);
	else if (err)
		hearth_receiver_note(r, HEARTH_NOTE_WARNING, p->batch, p->entry, "--keep-warm",
				     err);
}

int hearth_lun_end_place(struct hearth_receiver *r, struct hearth_part *p)
{
	const struct hearth_options *opt = &r->job->opt;
	uint64_t size = p->stored.covered;
	bool drops = opt->lun & HEARTH_LUN_NO_CACHE, verifies = opt->flags & HEARTH_VERIFY;
	int ret = 0;

	if ((opt->fsync != HEARTH_FSYNC_NONE || drops || verifies) && fsync(p->fd))
		return -errno;
	/* What is compared comes from the device. */
	if (drops || verifies)
		ret = hearth_lun_drop(r->lun, size, 0);
	if (!ret && verifies)
		ret = hearth_verify_slices(&p->slices, p->fd);
	if (!ret && verifies && drops)
		ret = hearth_lun_drop(r->lun, size, 0);
	if (!ret && opt->lun & HEARTH_LUN_KEEP_WARM)
		keep_warm(r, p, size);
	if (!ret)
		hearth_lun_end_forget(r, p);
	return ret;
}

void hearth_lun_end_forget(struct hearth_receiver *r, const struct hearth_part *p)
{
	char name[JOURNAL_NAME_BYTES];
	int dir_fd = p->is_journaled ? open_state() : -1;

	if (dir_fd < 0)
		return;
	name_journal(r->lun, name);
	unlinkat(dir_fd, name, 0);
	hearth_close(&dir_fd);
}
