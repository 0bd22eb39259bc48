// SPDX-License-Identifier: GPL-2.0-or-later
/* --publish: the target's beginning and end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/io.h"
#include "../common/units.h"
#include "publish_impl.h"

/*
 * How many entries may come in while content waits. The sender stops at a multiple of it
 * (HEARTH_MAX_LIVE_ENTRIES) until something is stored. And how long that may take: a sender whose
 * blocks are not answered for takes streams for dead.
 */
#define HELD_BACK_ENTRIES 32768
#define HELD_BACK_S 1

struct hearth_publish *hearth_publish_alloc(void)
{
	struct hearth_publish *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fs = hearth_erofs_alloc();
	if (!p->fs) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	pthread_mutex_init(&p->map_lock, NULL);
	pthread_mutex_init(&p->gate_lock, NULL);
	return p;
}

void hearth_publish_free(struct hearth_publish *p)
{
	if (!p)
		return;
	while (p->parts) {
		struct hearth_publish_part *part = p->parts;

		p->parts = part->next;
		hearth_ranges_exit(&part->stored);
		free(part);
	}
	if (p->has_target)
		hearth_target_close(&p->target);
	hearth_erofs_free(p->fs);
	pthread_mutex_destroy(&p->gate_lock);
	pthread_mutex_destroy(&p->map_lock);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->dirs);
	free(p);
}

/* A file is replaced by a whole one or not at all. */
static const char *what_is_left(const struct hearth_publish *p)
{
	return p->is_open && !p->target.is_new ? "it holds no file system now"
					       : "it is left as it was";
}

int hearth_publish_fail(struct hearth_receiver *r, const char *what, int err)
{
	const char *why = err == -ESTALE ? "another job took its place" : strerror(-err);

	if (r->publish->target.is_lun && err != -ESTALE)
		why = hearth_lun_strerror(err);
	if (err == -ENOMEM)
		hearth_job_fail(r->job, HEARTH_EXIT_SYSTEM, "no memory for the image's metadata");
	else if (err != -ECANCELED)
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "%s: %s: %s; %s", r->destination, what,
				why, what_is_left(r->publish));
	return -ECANCELED;
}

int hearth_publish_fail_size(struct hearth_receiver *r, uint64_t needed, bool is_all)
{
	uint64_t limit = r->publish->target.limit;
	char has[32], needs[32];

	if (limit >= HEARTH_EROFS_MAX_BYTES)
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE,
				"the tree is too large for EROFS, which ends at 16 TiB; leave out some of it with --exclude");
	else
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE,
				"%s: has room for %s, and the tree needs %s%s (%llu bytes); %s",
				r->destination, hearth_format_size(has, sizeof(has), limit),
				is_all ? "" : "at least ",
				hearth_format_size(needs, sizeof(needs), needed),
				(unsigned long long)needed,
				what_is_left(r->publish));
	return -ECANCELED;
}

int hearth_publish_open(struct hearth_receiver *r, bool is_single)
{
	struct hearth_publish *p = r->publish;
	char text[512];

	if (is_single) {
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE,
				"--publish: the source is missing or no directory");
		return -ENOTDIR;
	}
	p->has_target = true;
	if (hearth_target_open(&p->target, r->job->base_fd, r->destination,
			       r->job->opt.flags & HEARTH_FORCE, text, sizeof(text))) {
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "%s", text);
		return -EINVAL;
	}
	r->is_root_virtual = true;
	r->is_eager = true;
	return 0;
}

/* From here on what was there is lost. */
static int begin_writing(struct hearth_receiver *r, bool is_all)
{
	struct hearth_publish *p = r->publish;
	uint64_t needed;
	int err;

	pthread_mutex_lock(&p->lock);
	needed = hearth_erofs_bytes(p->fs);
	pthread_mutex_unlock(&p->lock);
	if (needed > p->target.limit)
		return hearth_publish_fail_size(r, needed, is_all);
	if (p->is_open)
		return 0;
	err = hearth_target_begin(&p->target);
	if (err)
		return hearth_publish_fail(r, "cannot be written", err);
	pthread_mutex_lock(&p->lock);
	p->is_open = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int open_gate(struct hearth_receiver *r, bool is_all)
{
	int err;

	pthread_mutex_lock(&r->publish->gate_lock);
	err = begin_writing(r, is_all);
	pthread_mutex_unlock(&r->publish->gate_lock);
	return err;
}

int hearth_publish_wait(struct hearth_receiver *r)
{
	struct hearth_publish *p = r->publish;
	struct timespec until;
	bool is_open, is_late = false, is_cancelled;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HELD_BACK_S;
	pthread_mutex_lock(&p->lock);
	while (!p->is_open && !p->is_cancelled && !is_late)
		is_late = pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT;
	is_open = p->is_open;
	is_cancelled = p->is_cancelled;
	pthread_mutex_unlock(&p->lock);
	if (is_cancelled)
		return -ECANCELED;
	return is_open ? 0 : open_gate(r, false);
}

int hearth_publish_planned(struct hearth_receiver *r, const struct hearth_batch *b)
{
	r->publish->nr_entries += b->nr_entries;
	return r->publish->nr_entries > HELD_BACK_ENTRIES ? open_gate(r, false) : 0;
}

int hearth_publish_index_ended(struct hearth_receiver *r)
{
	if (!r->publish->has_root) {
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE,
				"the source could not be read: nothing is published");
		return -ECANCELED;
	}
	return open_gate(r, true);
}

void hearth_publish_cancel(struct hearth_publish *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_cancelled = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* The number of the directory with that inode: they ascend together. */
static uint32_t number_of(const struct hearth_receiver *r, uint32_t inode)
{
	uint32_t low = 0, high = r->dirs.nr - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (r->publish->dirs[mid] < inode)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void hear_problem(void *ctx, uint32_t dir, const char *name, int err)
{
	static const char twice[] = "is there twice; the second one is left out",
			  lost[] = "is a link to a file that is left out, and so left out too";
	struct hearth_receiver *r = ctx;
	char path[HEARTH_PATH_MAX];

	hearth_dirs_path(&r->dirs, number_of(r, dir), name, path, sizeof(path));
	hearth_job_note(r->job, HEARTH_NOTE_ERROR, path, "%s", err == -EEXIST ? twice : lost);
}

static int put_metadata(void *ctx, const void *data, size_t len, uint64_t offset)
{
	struct hearth_receiver *r = ctx;
	struct iovec iov = { (void *)data, len };

	return r->is_cancelled ? -ECANCELED
			       : hearth_target_write(&r->publish->target, &iov, 1, offset);
}

/* It is a file system from the moment this is on disk. */
static int put_superblock(struct hearth_publish *p)
{
	uint8_t block[HEARTH_EROFS_BLOCK_BYTES], uuid[16];
	struct iovec iov = { block, sizeof(block) };
	int err = hearth_random_bytes(uuid, sizeof(uuid));

	if (err)
		return err;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* a random one, by RFC 4122 */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	hearth_erofs_superblock(p->fs, uuid, (uint64_t)time(NULL), block);
	err = hearth_target_write(&p->target, &iov, 1, 0);
	return err ? err : hearth_target_sync(&p->target);
}

static int write_metadata(struct hearth_receiver *r)
{
	struct hearth_publish *p = r->publish;
	int err = hearth_erofs_lay_out(p->fs, hear_problem, r);

	if (!err && hearth_erofs_bytes(p->fs) > p->target.limit)
		err = -EFBIG;
	if (err == -EFBIG)
		return hearth_publish_fail_size(r, hearth_erofs_bytes(p->fs), true);
	return err ? err : hearth_erofs_write(p->fs, put_metadata, r);
}

/* Nobody is to change what many mount. A part of a LUN has neighbours, which stay as they are. */
static void protect(struct hearth_receiver *r)
{
	const struct hearth_target *t = &r->publish->target;
	int err;

	if (!t->is_lun || t->lun.name.offset || t->lun.name.len)
		return;
	err = hearth_lun_make_readonly("", t->lun.name.name);
	if (err)
		hearth_job_note(r->job, HEARTH_NOTE_WARNING, r->destination,
				"is published, but can still be written to: %s; as root: hearthctl set %s readonly=1",
				err == -EBUSY ? "it is mapped" : strerror(-err), t->lun.name.name);
}

void hearth_publish_finish(struct hearth_receiver *r)
{
	struct hearth_publish *p = r->publish;
	int err = r->is_cancelled ? -ECANCELED : write_metadata(r);

	if (!err)
		err = hearth_target_sync(&p->target);
	if (!err)
		err = r->is_cancelled ? -ECANCELED : put_superblock(p);
	if (!err)
		err = hearth_target_finish(&p->target, r->umask);
	if (err)
		hearth_publish_fail(r, "cannot be finished", err);
	else
		protect(r);
}
