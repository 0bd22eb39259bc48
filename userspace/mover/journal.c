// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal of a large file: which of its ranges are stored. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "confine.h"
#include "journal.h"

#define MAGIC "HRTHJRN1"
#define MAGIC_BYTES 8
#define HEADER_BYTES (MAGIC_BYTES + 8 + 8 + 4 + 8 + HEARTH_BOOT_ID_BYTES + 8)
#define RECORD_BYTES 24
#define CHECKPOINT UINT64_MAX
#define DOUBTFUL (1ull << 63)
#define MAX_JOURNAL_BYTES (1u << 30)

/* The boot id as in /proc, or zeros where there is none: then every start is another boot. */
static bool get_boot_id(uint8_t id[HEARTH_BOOT_ID_BYTES])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	XXH128_canonical_t sum;

	hearth_close(&fd);
	memset(id, 0, HEARTH_BOOT_ID_BYTES);
	if (len <= 0)
		return false;
	XXH128_canonicalFromHash(&sum, XXH3_128bits(text, (size_t)len));
	memcpy(id, sum.digest, HEARTH_BOOT_ID_BYTES);
	return true;
}

static void put_header(struct hearth_writer *w, const struct hearth_journal_identity *id,
		       const uint8_t *boot_id)
{
	hearth_put_bytes(w, MAGIC, MAGIC_BYTES);
	hearth_put_u64(w, id->size);
	hearth_put_u64(w, (uint64_t)id->mtime_sec);
	hearth_put_u32(w, id->mtime_nsec);
	hearth_put_u64(w, id->inode);
	hearth_put_bytes(w, boot_id, HEARTH_BOOT_ID_BYTES);
	hearth_put_u64(w, XXH3_64bits(w->buf, w->len));
}

static int append(struct hearth_journal *j, uint64_t start, uint64_t end)
{
	uint8_t buf[RECORD_BYTES];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u64(&w, start);
	hearth_put_u64(&w, end);
	hearth_put_u64(&w, XXH3_64bits_withSeed(buf, w.len, j->seed));
	j->nr_records++;
	return hearth_write_all(j->fd, buf, w.len);
}

int hearth_journal_record(struct hearth_journal *j, uint64_t start, uint64_t end)
{
	return append(j, start, end);
}

int hearth_journal_checkpoint(struct hearth_journal *j, uint64_t nr_records)
{
	int ret = append(j, CHECKPOINT, nr_records);

	if (!ret && fdatasync(j->fd))
		ret = -errno;
	return ret;
}

void hearth_remains_exit(struct hearth_remains *r)
{
	hearth_ranges_exit(&r->stored);
	hearth_ranges_exit(&r->doubtful);
}

void hearth_journal_close(struct hearth_journal *j)
{
	hearth_close(&j->fd);
}

static int append_all(struct hearth_journal *j, const struct hearth_ranges *ranges, uint64_t mark)
{
	int ret = 0;

	for (size_t i = 0; i < ranges->nr && !ret; i++)
		ret = append(j, ranges->v[i].start | mark, ranges->v[i].end);
	return ret;
}

static int write_all(struct hearth_journal *j, const struct hearth_journal_identity *id,
		     const struct hearth_remains *remains)
{
	uint8_t buf[HEADER_BYTES], boot_id[HEARTH_BOOT_ID_BYTES];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));
	int ret;

	get_boot_id(boot_id);
	put_header(&w, id, boot_id);
	j->nr_records = 0;
	j->seed = XXH3_64bits(buf, w.len);
	ret = hearth_write_all(j->fd, buf, w.len);
	if (!ret)
		ret = append_all(j, &remains->doubtful, DOUBTFUL);
	if (!ret)
		ret = append_all(j, &remains->stored, 0);
	if (!ret && j->nr_records)
		ret = hearth_journal_checkpoint(j, j->nr_records);
	return ret;
}

int hearth_journal_create(struct hearth_journal *j, int dir_fd, const char *name,
			  const struct hearth_journal_identity *id,
			  const struct hearth_remains *remains)
{
	char temp[HEARTH_TEMP_NAME_BYTES];
	int ret;

	hearth_temp_name(temp, name);
	unlinkat(dir_fd, temp, 0);
	j->fd = hearth_open_beneath(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0600);
	if (j->fd < 0)
		return j->fd;
	ret = write_all(j, id, remains);
	if (!ret && renameat(dir_fd, temp, dir_fd, name))
		ret = -errno;
	if (ret) {
		unlinkat(dir_fd, temp, 0);
		hearth_journal_close(j);
	}
	return ret;
}

/* Reads one record; false at the end, or at one that is torn. */
static bool get_record(const struct hearth_journal *j, struct hearth_reader *r, uint64_t *start,
		       uint64_t *end)
{
	const uint8_t *at = r->pos;

	if (hearth_reader_left(r) < RECORD_BYTES)
		return false;
	*start = hearth_get_u64(r);
	*end = hearth_get_u64(r);
	return hearth_get_u64(r) == XXH3_64bits_withSeed(at, 16, j->seed);
}

/* How many of the records are true: all on the same boot, else those before the last checkpoint. */
static uint64_t count_trusted(const struct hearth_journal *j, struct hearth_reader r,
			      bool is_same_boot)
{
	uint64_t start, end, nr = 0, trusted = 0;

	while (get_record(j, &r, &start, &end)) {
		nr++;
		if (is_same_boot)
			trusted = nr;
		else if (start == CHECKPOINT && end < nr && end > trusted)
			trusted = end;
	}
	return trusted;
}

/* What the records that follow in @r say, of which the first @trusted are true. */
static int replay_records(struct hearth_journal *j, struct hearth_reader *r, uint64_t trusted,
			  uint64_t size, struct hearth_remains *ret)
{
	struct hearth_reader next = *r;
	uint64_t start, end;
	int err = 0;

	while (!err && get_record(j, &next, &start, &end)) {
		bool is_doubtful = start & DOUBTFUL || j->nr_records >= trusted;
		bool is_range = start != CHECKPOINT;

		start &= ~DOUBTFUL;
		if (is_range && start < end && end <= size)
			err = hearth_ranges_add(is_doubtful ? &ret->doubtful : &ret->stored, start,
						end);
		j->nr_records++;
		*r = next;
	}
	return err;
}

static int replay(struct hearth_journal *j, const uint8_t *buf, size_t len,
		  const struct hearth_journal_identity *id, struct hearth_remains *ret)
{
	struct hearth_reader r = hearth_reader_of(buf, len);
	uint8_t boot_id[HEARTH_BOOT_ID_BYTES], wanted[HEADER_BYTES];
	struct hearth_writer w = hearth_writer_of(wanted, sizeof(wanted));
	const uint8_t *header = hearth_get_bytes(&r, HEADER_BYTES);
	bool is_same_boot = get_boot_id(boot_id);
	size_t boot_at = HEADER_BYTES - 8 - HEARTH_BOOT_ID_BYTES;

	if (!header)
		return -ESTALE;
	is_same_boot = is_same_boot && !memcmp(header + boot_at, boot_id, HEARTH_BOOT_ID_BYTES);
	put_header(&w, id, header + boot_at);
	if (memcmp(wanted, header, HEADER_BYTES))
		return -ESTALE;
	j->seed = XXH3_64bits(header, HEADER_BYTES);
	if (replay_records(j, &r, count_trusted(j, r, is_same_boot), id->size, ret))
		return -ENOMEM;
	/* A torn tail would hide what is appended after it. */
	return is_same_boot && !hearth_reader_left(&r) ? 0 : -EUCLEAN;
}

int hearth_journal_open(struct hearth_journal *j, int dir_fd, const char *name,
			const struct hearth_journal_identity *id, struct hearth_remains *ret)
{
	struct stat st;
	uint8_t *buf;
	int err;

	j->nr_records = 0;
	j->fd = hearth_open_beneath(dir_fd, name, O_RDWR | O_APPEND, 0);
	if (j->fd < 0)
		return j->fd;
	/* In a directory that others may write to, it could be anybody's word. */
	if (fstat(j->fd, &st) || !S_ISREG(st.st_mode) || st.st_size > MAX_JOURNAL_BYTES ||
	    st.st_uid != geteuid() || st.st_mode & 022) {
		hearth_journal_close(j);
		return -ESTALE;
	}
	buf = malloc((size_t)st.st_size + 1);
	err = buf ? (int)hearth_pread_full(j->fd, buf, (size_t)st.st_size, 0) : -ENOMEM;
	if (err >= 0)
		err = replay(j, buf, (size_t)err, id, ret);
	free(buf);
	if (err)
		hearth_journal_close(j);
	return err;
}
