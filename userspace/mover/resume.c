// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that arrive in several blocks: what an earlier run left of them, or a new start. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/io.h"
#include "lun_end.h"
#include "recv.h"

static bool needs_journal(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	return e->size > r->job->opt.block_bytes && !(e->extras & HEARTH_EXTRA_STREAM);
}

/*
 * A temporary file of an earlier run: ours alone, and not being written by another job. The lock
 * goes with the descriptor.
 */
static int open_earlier(const struct hearth_receiver *r, int dir_fd, const char *temp,
			struct stat *st)
{
	bool is_in_place = r->job->opt.flags & HEARTH_INPLACE;
	int fd = hearth_open_beneath(dir_fd, temp, O_RDWR | O_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, st) || !S_ISREG(st->st_mode) ||
	    (!is_in_place && (st->st_nlink != 1 || st->st_uid != geteuid()))) {
		close(fd);
		return -ESTALE;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

/* A LUN has no time of its own: what was stored of it is compared anyway. */
static struct hearth_journal_identity identity_of(const struct hearth_receiver *r,
						  const struct hearth_entry *e,
						  const struct stat *st)
{
	bool has_time = !(r->job->opt.lun & HEARTH_LUN_IS_SOURCE);

	return (struct hearth_journal_identity){
		.size = e->size,
		.mtime_sec = has_time ? e->mtime_sec : 0,
		.mtime_nsec = has_time ? e->mtime_nsec : 0,
		.inode = st->st_ino,
	};
}

/* Opens temporary file and journal of an earlier run; the descriptor, or -errno. */
static int open_both(const struct hearth_receiver *r, int dir_fd, const char *name,
		     const struct hearth_entry *e, struct hearth_journal *j,
		     struct hearth_remains *remains)
{
	char temp[HEARTH_TEMP_NAME_BYTES], journal[HEARTH_TEMP_NAME_BYTES];
	struct hearth_journal_identity id;
	struct stat st;
	int fd, ret;

	hearth_place_work_name(r, temp, name);
	hearth_journal_name(journal, name);
	fd = open_earlier(r, dir_fd, temp, &st);
	if (fd < 0)
		return fd;
	id = identity_of(r, e, &st);
	ret = hearth_journal_open(j, dir_fd, journal, &id, remains);
	if (ret == -EUCLEAN)
		ret = fdatasync(fd) ? -errno
				    : hearth_journal_create(j, dir_fd, journal, &id, remains);
	/* Its length may have been lost with the boot. */
	if (!ret && (uint64_t)st.st_size != e->size && ftruncate(fd, (off_t)e->size)) {
		ret = -errno;
		hearth_journal_close(j);
	}
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/*
 * What was stored before is verified as well, but its checksums are gone: the source has them. And
 * a source or destination that initiators may have changed since is never what it was.
 */
static bool compares_all(const struct hearth_receiver *r)
{
	return r->job->opt.flags & HEARTH_VERIFY ||
	       r->job->opt.lun & (HEARTH_LUN_IS_SOURCE | HEARTH_LUN_IS_DESTINATION);
}

int hearth_remains_doubt(struct hearth_remains *remains)
{
	int ret = 0;

	for (size_t i = 0; i < remains->stored.nr && !ret; i++)
		ret = hearth_ranges_add(&remains->doubtful, remains->stored.v[i].start,
					remains->stored.v[i].end);
	hearth_ranges_exit(&remains->stored);
	return ret;
}

void hearth_part_find_remains(struct hearth_receiver *r, int dir_fd, const char *name,
			      const struct hearth_entry *e, struct hearth_remains *ret)
{
	struct hearth_journal j;
	int fd;

	if (r->lun) {
		hearth_lun_end_find_remains(r, e, ret);
		return;
	}
	if (!needs_journal(r, e))
		return;
	fd = open_both(r, dir_fd, name, e, &j, ret);
	if (fd < 0) {
		hearth_remains_exit(ret);
		return;
	}
	if (compares_all(r) && hearth_remains_doubt(ret))
		hearth_remains_exit(ret);
	hearth_journal_close(&j);
	close(fd);
}

static int create_both(struct hearth_receiver *r, int dir_fd, const char *name,
		       struct hearth_part *p)
{
	char temp[HEARTH_TEMP_NAME_BYTES], journal[HEARTH_TEMP_NAME_BYTES];
	const struct hearth_remains nothing = { 0 };
	struct hearth_journal_identity id;
	struct stat st;

	hearth_place_work_name(r, temp, name);
	hearth_journal_name(journal, name);
	p->fd = hearth_place_create(r, dir_fd, temp, p->entry);
	if (p->fd < 0)
		return p->fd;
	if (flock(p->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!(p->entry->extras & HEARTH_EXTRA_STREAM) && ftruncate(p->fd, (off_t)p->entry->size))
		return -errno;
	if (fstat(p->fd, &st))
		return -errno;
	if (!p->is_journaled)
		return 0;
	id = identity_of(r, p->entry, &st);
	return hearth_journal_create(&p->journal, dir_fd, journal, &id, &nothing);
}

/* A second descriptor of the file, past the page cache, and room for all of it in one piece. */
static void open_direct(struct hearth_receiver *r, int dir_fd, const char *name,
			struct hearth_part *p)
{
	char temp[HEARTH_TEMP_NAME_BYTES];

	if (p->entry->extras & HEARTH_EXTRA_STREAM || !hearth_direct_is_on_disk(r->job, p->fd))
		return;
	hearth_place_work_name(r, temp, name);
	p->direct_fd = hearth_open_beneath(dir_fd, temp, O_WRONLY | O_DIRECT, 0);
	if (p->direct_fd < 0)
		hearth_direct_refused(r->job, name, p->direct_fd);
	else
		p->is_preallocated = !fallocate(p->fd, 0, 0, (off_t)p->entry->size);
}

int hearth_part_open(struct hearth_receiver *r, struct hearth_part *p)
{
	struct hearth_remains remains = { 0 };
	const char *name = hearth_receiver_name(r, p->batch, p->entry);
	int ret = -ENOENT, dir_fd;

	if (r->lun)
		return hearth_lun_end_open_part(r, p);
	dir_fd = hearth_dirs_get(&r->dirs, p->entry->parent);
	if (dir_fd < 0)
		return dir_fd;
	p->is_journaled = needs_journal(r, p->entry);
	if (p->is_journaled)
		ret = open_both(r, dir_fd, name, p->entry, &p->journal, &remains);
	if (ret >= 0) {
		p->fd = ret;
		p->is_resumed = true;
		ret = 0;
		/* With --verify all of it is compared first, as what is doubtful always is. */
		if (!compares_all(r)) {
			p->stored = remains.stored;
			remains.stored = (struct hearth_ranges){ 0 };
		}
	} else if (ret != -EBUSY) {
		ret = create_both(r, dir_fd, name, p);
	}
	hearth_remains_exit(&remains);
	if (!ret && hearth_direct_is_meant(r->job, r->engine.is_split, p->entry->size))
		open_direct(r, dir_fd, name, p);
	hearth_dirs_put(&r->dirs, p->entry->parent);
	p->synced_ns = hearth_now_ns();
	return ret;
}
