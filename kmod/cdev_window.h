/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files about windows share; see cdev_window.c.
 */
#ifndef HEARTH_CDEV_WINDOW_H
#define HEARTH_CDEV_WINDOW_H

#include "cdev.h"
#include "core/window.h"

/* So many pages are dealt with at a time. */
#define HEARTH_WINDOW_BATCH	64U

/* Tag of an entry of &hearth_chardev.windows: it is being committed. */
#define HEARTH_WINDOW_BUSY	1UL

static inline u64 hearth_piece_first(const struct hearth_piece *piece)
{
	return piece->offset >> HEARTH_FRAME_SHIFT;
}

static inline u64 hearth_piece_last(const struct hearth_piece *piece)
{
	return (piece->offset + piece->len - 1) >> HEARTH_FRAME_SHIFT;
}

static inline struct xarray *hearth_windows_of(const struct hearth_file *hfile)
{
	return &hfile->chardev->windows;
}

static inline struct page *hearth_window_page(void *entry)
{
	return xa_untag_pointer(entry);
}

static inline bool hearth_window_is_busy(void *entry)
{
	return xa_pointer_tag(entry) == HEARTH_WINDOW_BUSY;
}

/* Whether an entry is a page that this file has prepared. */
static inline bool hearth_window_is_of(const struct hearth_file *hfile,
				       void *entry)
{
	return hearth_page_owner(hearth_window_page(entry)) ==
	       (unsigned long)hfile;
}

void hearth_window_give_up(struct hearth_dev *hdev, struct hearth_file *hfile,
			   struct page **pages, unsigned int nr, u64 first,
			   u64 last);
bool hearth_window_wait(struct hearth_file *hfile, u64 first, u64 last);

#endif /* HEARTH_CDEV_WINDOW_H */
