// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scan: walks the sources and publishes the index while it goes.
 *
 * Directories are read in the order of their numbers, that is breadth first:
 * the queue of directories still to be read *is* the table of directories.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "confine.h"
#include "scan.h"

/* Publish at least this often, so that the streams have work while the scan goes on. */
#define PUBLISH_BYTES (4u << 20)

void hearth_scan_report(struct hearth_scan *scan, enum hearth_severity severity, uint32_t dir,
			const char *name, const char *what, const char *why)
{
	char path[HEARTH_PATH_MAX];

	hearth_dirs_path(&scan->s->dirs, dir, name, path, sizeof(path));
	hearth_job_note(scan->s->job, severity, path, "%s%s", what, why);
	scan->had_errors |= severity == HEARTH_NOTE_ERROR;
}

void hearth_scan_report_errno(struct hearth_scan *scan, uint32_t dir, const char *name,
			      const char *what, int err)
{
	hearth_scan_report(scan, err == -ENOENT ? HEARTH_NOTE_VANISHED : HEARTH_NOTE_ERROR, dir,
			   name, what, strerror(-err));
}

static int publish(struct hearth_scan *scan)
{
	struct hearth_sender *s = scan->s;
	struct hearth_batch *b = scan->batch;
	size_t len = hearth_batch_encode(b, scan->encoded);
	struct hearth_work_range all = { .voff = b->voff, .len = b->end - b->voff };
	int err;

	if (!b->nr_entries)
		return 0;
	scan->batch = hearth_batch_alloc(++scan->nr_batches, b->end, b->first_dir + b->nr_dirs);
	if (!scan->batch) {
		scan->batch = b;
		return -ENOMEM;
	}
	scan->batch->device = b->device;
	b->is_answered = s->is_eager;
	b->left = s->is_eager ? all.len : 0;
	err = hearth_table_add(&s->table, b, HEARTH_MAX_LIVE_ENTRIES);
	if (err) {
		hearth_batch_free(b);
		return err;
	}
	err = hearth_control_send(s->wires->control, HEARTH_FRAME_INDEX, scan->encoded, len);
	if (!err && s->is_eager && all.len)
		err = hearth_work_push(&s->devices.work[b->device], all);
	hearth_table_settle(&s->table, b, 0);
	hearth_table_put(&s->table, b);
	return err;
}

/* A batch has the files of one device. */
static int enter_device(struct hearth_scan *scan, const struct hearth_entry *e)
{
	int ret = 0;

	if (!e->size || e->device == scan->batch->device)
		return 0;
	if (scan->batch->end > scan->batch->voff)
		ret = publish(scan);
	scan->batch->device = e->device;
	return ret;
}

int hearth_scan_add(struct hearth_scan *scan, const struct hearth_entry *e, const char *name,
		    const char *target)
{
	struct hearth_counters *count = &scan->s->job->count;
	int err = enter_device(scan, e);

	if (!err)
		err = hearth_batch_add(scan->batch, e, name, target, scan->attrs);
	if (err == -ENOSPC) {
		err = publish(scan);
		if (!err)
			err = hearth_batch_add(scan->batch, e, name, target, scan->attrs);
	}
	if (err)
		return err;
	if (e->kind == HEARTH_ENTRY_FILE) {
		count->files_total++;
		if (!(e->extras & HEARTH_EXTRA_STREAM))
			count->bytes_total += e->size;
	}
	err = hearth_removal_add(&scan->s->removal, scan->s->job, scan->batch, name);
	if (err)
		return err;
	return scan->batch->end - scan->batch->voff >= PUBLISH_BYTES ? publish(scan) : 0;
}

static int read_directory(struct hearth_scan *scan, uint32_t number)
{
	int dir_fd = hearth_dirs_get(&scan->s->dirs, number);
	int fd = dir_fd < 0 ? dir_fd : hearth_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!stream) {
		hearth_scan_report_errno(scan, number, "",
					 "cannot be opened: ", fd < 0 ? fd : -ENOMEM);
		hearth_close(&fd);
		if (dir_fd >= 0)
			hearth_dirs_put(&scan->s->dirs, number);
		return 0;
	}
	for (errno = 0; !ret && (entry = readdir(stream)); errno = 0)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    !hearth_scan_is_named(scan, number, entry->d_name))
			ret = hearth_scan_name(scan, number, dir_fd, entry->d_name);
	if (!ret && errno)
		hearth_scan_report_errno(scan, number, "", "cannot be read: ", -errno);
	closedir(stream);
	hearth_dirs_put(&scan->s->dirs, number);
	return ret;
}

int hearth_scan_directories(struct hearth_scan *scan, uint32_t first)
{
	struct hearth_dirs *dirs = &scan->s->dirs;
	int ret = 0;

	for (uint32_t i = first; !ret && i < dirs->nr; i++)
		if (!dirs->v[i]->is_bad)
			ret = read_directory(scan, i);
	return ret;
}

static int publish_end(struct hearth_scan *scan)
{
	uint8_t body[9];
	uint64_t nr;
	int ret = publish(scan);

	if (ret)
		return ret;
	nr = htole64(scan->nr_batches);
	memcpy(body, &nr, sizeof(nr));
	body[8] = scan->had_errors;
	scan->s->job->count.is_index_complete = true;
	return hearth_control_send(scan->s->wires->control, HEARTH_FRAME_INDEX_END, body,
				   sizeof(body));
}

static int walk_sources(struct hearth_scan *scan, char *const *sources, uint32_t nr)
{
	uint8_t bench = scan->s->job->opt.bench;
	int ret = 0;

	if (scan->s->job->stream_fd >= 0 || bench & HEARTH_BENCH_FROM_MEMORY) {
		ret = hearth_scan_stream(scan);
		return ret ? ret : publish_end(scan);
	}
	if (scan->s->job->opt.lun & HEARTH_LUN_IS_SOURCE) {
		ret = nr == 1 ? hearth_scan_lun(scan, sources[0]) : -EPROTO;
		return ret ? ret : publish_end(scan);
	}
	for (uint32_t i = 0; !ret && i < nr; i++) {
		uint32_t first = scan->s->dirs.nr;

		ret = hearth_scan_source(scan, sources[i]);
		if (!ret)
			ret = hearth_scan_directories(scan, first);
	}
	return ret ? ret : publish_end(scan);
}

int hearth_scan(struct hearth_sender *s, char *const *sources, uint32_t nr)
{
	struct hearth_scan scan = { .s = s };
	int ret = hearth_chmod_parse(s->job->opt.chmod, &scan.chmod);

	scan.encoded = malloc(HEARTH_INDEX_MAX_BYTES);
	scan.attrs = malloc(HEARTH_ATTRS_MAX);
	scan.batch = hearth_batch_alloc(0, 0, 0);
	if (!scan.batch || !scan.encoded || !scan.attrs)
		ret = -ENOMEM;
	if (!ret)
		ret = walk_sources(&scan, sources, nr);
	if (ret == -ENOMEM)
		hearth_job_fail(s->job, HEARTH_EXIT_SYSTEM, "no memory for the index");
	else if (ret)
		hearth_job_fail(s->job, HEARTH_EXIT_LOST, "the control connection broke: %s",
				strerror(-ret));
	if (scan.batch)
		hearth_batch_free(scan.batch);
	free(scan.encoded);
	free(scan.attrs);
	hearth_scan_firsts_exit(&scan);
	hearth_scan_paths_exit(&scan);
	return ret;
}
