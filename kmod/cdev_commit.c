// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: prepared pages become the LUN's contents.
 *
 * A piece is one write of its pages (core/window.c).  While it is under way they are
 * marked, so that no fault brings a page to somebody who was not counted.
 */
#include <linux/scatterlist.h>

#include "../include/uapi/hearth.h"
#include "cdev_window.h"

/**
 * hearth_window_check_commit() - whether all of a range is prepared
 * @piece: the range
 *
 * Context: Process context.
 * Return: 0 or -ENXIO.
 */
int hearth_window_check_commit(const struct hearth_piece *piece)
{
	u64 next = hearth_piece_first(piece), last = hearth_piece_last(piece);
	XA_STATE(xas, hearth_windows_of(piece->hfile), next);
	void *entry;

	xas_lock(&xas);
	xas_for_each(&xas, entry, last) {
		if (xas.xa_index != next || !hearth_window_is_of(piece->hfile, entry))
			break;
		if (next++ % HEARTH_WINDOW_BATCH)
			continue;
		xas_pause(&xas);
		xas_unlock(&xas);
		cond_resched();
		xas_lock(&xas);
	}
	xas_unlock(&xas);
	return next > last ? 0 : -ENXIO;
}

/*
 * Has nobody new get pages of a piece, which go into its list; returns how many it
 * was, up to the first that is somebody's else, or is being committed.
 */
static unsigned int mark(const struct hearth_piece *piece,
			 struct scatterlist *sg, bool *ret_busy)
{
	u64 next = hearth_piece_first(piece), start;
	XA_STATE(xas, hearth_windows_of(piece->hfile), next);
	u64 end = piece->offset + piece->len;
	void *entry;

	*ret_busy = false;
	xas_lock(&xas);
	xas_for_each(&xas, entry, hearth_piece_last(piece)) {
		if (xas.xa_index != next || !hearth_window_is_of(piece->hfile, entry))
			break;
		*ret_busy = hearth_window_is_busy(entry);
		if (*ret_busy)
			break;
		start = next++ << HEARTH_FRAME_SHIFT;
		sg_set_page(sg, entry, min_t(u64, end - start, PAGE_SIZE), 0);
		sg = sg_next(sg);
		xas_store(&xas, xa_tag_pointer(entry, HEARTH_WINDOW_BUSY));
	}
	xas_unlock(&xas);
	return next - hearth_piece_first(piece);
}

/* Takes the marks off @nr pages: they are prepared, as before. */
static void unmark(const struct hearth_piece *piece, unsigned int nr)
{
	u64 first = hearth_piece_first(piece);
	XA_STATE(xas, hearth_windows_of(piece->hfile), first);
	void *entry;

	if (!nr)
		return;
	xas_lock(&xas);
	xas_for_each(&xas, entry, first + nr - 1)
		xas_store(&xas, hearth_window_page(entry));
	xas_unlock(&xas);
	wake_up_all(&piece->hfile->chardev->committed);
}

static int begin_commit(const struct hearth_piece *piece, struct scatterlist *sg,
			unsigned int nr)
{
	unsigned int marked;
	bool busy;

	for (;;) {
		marked = mark(piece, sg, &busy);
		if (marked == nr)
			return 0;
		unmark(piece, marked);
		if (!busy)
			return -ENXIO;
		if (!hearth_window_wait(piece->hfile, hearth_piece_first(piece),
					hearth_piece_last(piece)))
			return -EINTR;
	}
}

/* The pages of a piece are the LUN's contents, in whatever way. */
static void end_commit(const struct hearth_piece *piece, struct scatterlist *sg,
		       unsigned int nr)
{
	u64 first = hearth_piece_first(piece);
	struct xarray *windows = hearth_windows_of(piece->hfile);
	struct page *pages[HEARTH_WINDOW_BATCH];
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++)
		xa_erase(windows, first + i);
	atomic_long_sub(nr, &piece->hfile->nr_prepared);
	for (i = 0; i < nr; i++, sg = sg_next(sg)) {
		pages[n] = sg_page(sg);
		/* those that a frame has go on being mapped */
		if (hearth_page_is_prepared(pages[n]))
			n++;
		else
			hearth_window_put_page(piece->hdev->cache, pages[n]);
		if (n == HEARTH_WINDOW_BATCH || (n && i == nr - 1)) {
			hearth_window_give_up(piece->hdev, piece->hfile, pages,
					      n, first, first + i);
			n = 0;
		}
	}
	wake_up_all(&piece->hfile->chardev->committed);
}

/**
 * hearth_window_commit() - make prepared pages the LUN's contents
 * @piece: a part of a window, at most &hearth_cache.max_io_frames
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno; then they are still prepared.
 */
int hearth_window_commit(const struct hearth_piece *piece)
{
	unsigned int nr = hearth_piece_last(piece) - hearth_piece_first(piece) + 1;
	bool durable = piece->flags & HEARTH_COMMIT_DURABLE;
	struct hearth_span span = {
		.offset = piece->offset, .len = piece->len, .prepared = true
	};
	struct sg_table table;
	int ret;

	if (sg_alloc_table(&table, nr, GFP_KERNEL))
		return -ENOMEM;
	ret = begin_commit(piece, table.sgl, nr);
	if (ret)
		goto out_table;
	hearth_writeback_hold(piece->hdev);
	span.sg = table.sgl;
	ret = hearth_command_do(piece->hdev, HEARTH_OP_WRITE, &span,
				durable ? HEARTH_DO_FUA : 0);
	if (ret)
		unmark(piece, nr);
	else
		end_commit(piece, table.sgl, nr);
out_table:
	sg_free_table(&table);
	return ret;
}
