// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: the parsers of the index and of the attributes in it. What
 * is accepted must be safe to use as it is, and must survive being encoded and
 * parsed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "attrs.h"
#include "index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

/* Attributes are taken apart when a file gets them; this one gets none, for want of flags. */
static void check_attrs(const struct hearth_batch *b, const struct hearth_entry *e)
{
	static int fd = -1;

	if (!e->attrs_len)
		return;
	if (fd < 0)
		fd = memfd_create("attrs", MFD_CLOEXEC);
	require(fd >= 0);
	hearth_attrs_write(fd, 0, hearth_entry_attrs(b, e), e->attrs_len);
}

static void check_entry(struct hearth_batch *b, struct hearth_entry *e)
{
	const char *name = hearth_entry_name(b, e);

	require(e->kind < HEARTH_NR_ENTRY_KINDS && e->mtime_nsec < 1000000000);
	require(e->size <= HEARTH_FILE_MAX_BYTES && e->voff >= b->voff &&
		e->voff + e->size <= b->end);
	require(e->kind == HEARTH_ENTRY_ROOT ? !*name : hearth_name_is_valid(name, strlen(name)));
	require(e->kind == HEARTH_ENTRY_ROOT || e->parent < b->first_dir + b->nr_dirs);
	require(strlen(hearth_entry_target(b, e)) <= HEARTH_TARGET_MAX);
	require(e->kind == HEARTH_ENTRY_FILE || !e->size);
	require(e->attrs_len <= HEARTH_ATTRS_MAX);
	check_attrs(b, e);
	if (e->kind == HEARTH_ENTRY_LINK)
		require(e->link_parent < b->first_dir + b->nr_dirs &&
			hearth_name_is_valid(hearth_entry_target(b, e),
					     strlen(hearth_entry_target(b, e))));
	require(e->kind != HEARTH_ENTRY_DIR || e->parent < e->dir_no);
	if (e->size) {
		require(hearth_batch_find(b, e->voff) == e);
		require(hearth_batch_find(b, e->voff + e->size - 1) == e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[HEARTH_INDEX_MAX_BYTES];
	struct hearth_batch *b, *again;
	size_t len;

	if (hearth_batch_decode(data, size, 0, 0, 1, &b))
		return 0;
	for (uint32_t i = 0; i < b->nr_entries; i++)
		check_entry(b, &b->entries[i]);
	len = hearth_batch_encode(b, buf);
	require(!hearth_batch_decode(buf, len, 0, 0, 1, &again));
	require(again->nr_entries == b->nr_entries && again->end == b->end && len <= size);
	hearth_batch_free(again);
	hearth_batch_free(b);
	return 0;
}
