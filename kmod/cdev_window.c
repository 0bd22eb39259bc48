// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: windows.
 *
 * A window for new contents is a number of prepared pages (core/window.c).  All of a
 * LUN are in one XArray, by frame, so nobody can prepare what somebody else has.
 * A page is one file's, and is what faults of that file's mappings find first.
 *
 *     prepare ---> prepared ---> being committed ---> gone: the frame's, or given up
 *                    |   ^--- failed ---'
 *       abandon <----'
 *
 * While a page is being committed (busy) nobody new gets it: a fault waits.  Who
 * takes a page out of the XArray and does not leave it to a frame has to see to it
 * that it is mapped no more.  A fault returns it locked, having found it in the
 * XArray while it was; so he locks it once, and then unmaps it.
 *
 * A window of what is there keeps a reference of each page that is shown, so that it
 * is there when it is mapped; until then, or until it is abandoned.
 *
 * How they are committed, see cdev_commit.c; how they are mapped, cdev_window_map.c.
 */
#include <linux/pagemap.h>

#include "../include/uapi/hearth.h"
#include "cdev_window.h"
#include "core/show.h"

/* Whether the file is mapped somewhere within a range of frames. */
static bool is_mapped(struct file *file, u64 first, u64 last)
{
	struct address_space *mapping = file->f_mapping;
	struct vm_area_struct *vma;
	struct rb_node *node;
	bool found = false;

	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node && !found;
	     node = rb_next(node)) {
		vma = rb_entry(node, struct vm_area_struct, shared.rb);
		found = vma->vm_file == file && vma->vm_pgoff <= last &&
			vma->vm_pgoff + vma_pages(vma) > first;
	}
	i_mmap_unlock_read(mapping);
	return found;
}

/* Whether anybody, or this file only, has prepared a part of a range. */
static bool is_prepared(struct hearth_file *hfile, u64 first, u64 last,
			bool anybody)
{
	XA_STATE(xas, hearth_windows_of(hfile), first);
	bool found = false;
	void *entry;

	xas_lock(&xas);
	xas_for_each(&xas, entry, last) {
		found = anybody || hearth_window_is_of(hfile, entry);
		if (found)
			break;
	}
	xas_unlock(&xas);
	return found;
}

/**
 * hearth_window_check_prepare() - whether a file may prepare a range
 * @piece: all of it
 *
 * Context: Process context.
 * Return: 0 or -errno; see uapi/hearth.h.
 */
int hearth_window_check_prepare(const struct hearth_piece *piece)
{
	u64 first = hearth_piece_first(piece), last = hearth_piece_last(piece);
	bool is_new = piece->flags & HEARTH_PREPARE_OVERWRITE;
	struct hearth_file *hfile = piece->hfile;

	if (!(hfile->file->f_mode & (is_new ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (is_prepared(hfile, first, last, is_new) ||
	    (is_new && is_mapped(hfile->file, first, last)))
		return -EBUSY;
	return 0;
}

/* Puts pages into the XArray; returns how many went in, and why no more. */
static unsigned int insert(struct hearth_file *hfile, u64 frame_nr,
			   unsigned int nr, struct page **pages, int *ret_error)
{
	unsigned int i;

	*ret_error = 0;
	for (i = 0; i < nr && !*ret_error; i++)
		*ret_error = xa_insert(hearth_windows_of(hfile), frame_nr + i,
				       pages[i], GFP_KERNEL);
	if (*ret_error)
		i--;
	atomic_long_add(i, &hfile->nr_prepared);
	return i;
}

/* What nobody sees any more may be all that there was too much. */
static int get_pages(const struct hearth_piece *piece, u64 frame_nr,
		     unsigned int nr, struct page **pages)
{
	struct hearth_cache *cache = piece->hdev->cache;
	unsigned long owner = (unsigned long)piece->hfile;
	int ret;

	ret = hearth_window_get_pages(cache, frame_nr, nr, owner, pages);
	if (ret != -ENOSPC)
		return ret;
	hearth_map_sweep(piece->hdev);
	return hearth_window_get_pages(cache, frame_nr, nr, owner, pages);
}

/* Whether a page is shown, and kept then. */
static bool keep(const struct hearth_piece *piece, u64 frame_nr, int *ret_error)
{
	struct hearth_file *hfile = piece->hfile;
	struct page *page;
	void *old;

	page = hearth_show_get_page(piece->hdev->cache, frame_nr, false);
	if (!page)
		return false;
	old = xa_store(&hfile->kept, frame_nr, page, GFP_KERNEL);
	if (xa_is_err(old)) {
		*ret_error = xa_err(old);
		put_page(page);
	} else if (old) {
		put_page(old);
	}
	return true;
}

static int show(const struct hearth_piece *piece)
{
	struct hearth_span span = {
		.offset = piece->offset, .len = piece->len
	};

	return hearth_map_show(piece->hdev, &span);
}

/* Has what is there shown, and keeps it so. */
static int prepare_old(const struct hearth_piece *piece)
{
	u64 at = hearth_piece_first(piece), end = hearth_piece_last(piece) + 1;
	int ret = 0;

	while (at < end && !ret) {
		if (keep(piece, at, &ret))
			at++;
		else if (fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = show(piece);
	}
	return ret;
}

/* Takes a file's pages that are not busy out of a range: a batch, at most. */
static unsigned int take_out(struct hearth_file *hfile, u64 *first, u64 last,
			     struct page **pages, bool *ret_busy)
{
	XA_STATE(xas, hearth_windows_of(hfile), *first);
	unsigned int nr = 0;
	void *entry;

	*ret_busy = false;
	xas_lock(&xas);
	xas_for_each(&xas, entry, last) {
		if (!hearth_window_is_of(hfile, entry))
			continue;
		*ret_busy = hearth_window_is_busy(entry);
		if (*ret_busy || nr == HEARTH_WINDOW_BATCH)
			break;
		pages[nr++] = hearth_window_page(entry);
		xas_store(&xas, NULL);
		*first = xas.xa_index + 1;
	}
	xas_unlock(&xas);
	atomic_long_sub(nr, &hfile->nr_prepared);
	return nr;
}

/**
 * hearth_window_give_up() - give up pages that are in the XArray no more
 * @hdev: the LUN
 * @hfile: the file
 * @pages: the pages; the XArray's references
 * @nr: how many
 * @first: the first frame of a range in which they are
 * @last: its last frame
 *
 * Faults that found them there have mapped them when they let go of the lock, and are
 * seen by who unmaps.
 *
 * Context: Process context, sleeps.
 */
void hearth_window_give_up(struct hearth_dev *hdev, struct hearth_file *hfile,
			   struct page **pages, unsigned int nr, u64 first,
			   u64 last)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		lock_page(pages[i]);
		unlock_page(pages[i]);
	}
	unmap_mapping_range(hfile->file->f_mapping,
			    (loff_t)first << HEARTH_FRAME_SHIFT,
			    (loff_t)(last - first + 1) << HEARTH_FRAME_SHIFT,
			    1);
	for (i = 0; i < nr; i++)
		hearth_window_put_page(hdev->cache, pages[i]);
}

static bool is_busy(struct hearth_file *hfile, u64 first, u64 last)
{
	XA_STATE(xas, hearth_windows_of(hfile), first);
	bool busy = false;
	void *entry;

	xas_lock(&xas);
	xas_for_each(&xas, entry, last) {
		busy = hearth_window_is_busy(entry) && hearth_window_is_of(hfile, entry);
		if (busy)
			break;
	}
	xas_unlock(&xas);
	return busy;
}

/**
 * hearth_window_wait() - wait until nothing of a file is being committed
 * @hfile: the file
 * @first: first frame of a range
 * @last: its last frame
 *
 * Context: Process context, sleeps.
 * Return: false if the process is being killed.
 */
bool hearth_window_wait(struct hearth_file *hfile, u64 first, u64 last)
{
	return !wait_event_killable(hfile->chardev->committed,
				    !is_busy(hfile, first, last));
}

/*
 * Abandons what a file has prepared for new contents in a range, and, unless it shall
 * wait for them, not those that are being committed; how much.
 */
static u64 abandon_new(struct hearth_dev *hdev, struct hearth_file *hfile,
		       u64 first, u64 last, bool wait)
{
	struct page *pages[HEARTH_WINDOW_BATCH];
	u64 from = first, sum = 0;
	unsigned int nr;
	bool busy;

	do {
		from = first;
		nr = take_out(hfile, &first, last, pages, &busy);
		if (nr)
			hearth_window_give_up(hdev, hfile, pages, nr, from, first - 1);
		sum += nr;
		if (busy && !nr &&
		    (!wait || !hearth_window_wait(hfile, first, last)))
			break;
		cond_resched();
	} while (nr || busy);
	return sum;
}

/* Lets go of pages of what is there; how many. */
static u64 abandon_old(struct hearth_file *hfile, u64 first, u64 last)
{
	unsigned long index = first;
	struct page *page;
	u64 nr = 0;

	while (xa_find(&hfile->kept, &index, last, XA_PRESENT)) {
		page = xa_erase(&hfile->kept, index);
		if (page) {
			put_page(page);
			nr++;
		}
		cond_resched();
	}
	return nr;
}

/* Prepares pages for new contents: all of a piece, or nothing. */
static int prepare_new(const struct hearth_piece *piece)
{
	u64 first = hearth_piece_first(piece), end = hearth_piece_last(piece) + 1;
	struct page *pages[HEARTH_WINDOW_BATCH];
	unsigned int nr, done;
	u64 at = first;
	int ret = 0;

	/* the mapping shows something else from now on */
	abandon_old(piece->hfile, first, end - 1);
	while (at < end && !ret) {
		nr = min_t(u64, end - at, HEARTH_WINDOW_BATCH);
		ret = get_pages(piece, at, nr, pages);
		if (ret)
			break;
		done = insert(piece->hfile, at, nr, pages, &ret);
		at += done;
		while (nr > done)
			hearth_window_put_page(piece->hdev->cache,
					       pages[--nr]);
	}
	if (ret && at > first)
		abandon_new(piece->hdev, piece->hfile, first, at - 1, true);
	return ret;
}

/**
 * hearth_window_prepare() - prepare a part of a window
 * @piece: the part
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno; then of new pages none is prepared.
 */
int hearth_window_prepare(const struct hearth_piece *piece)
{
	if (piece->flags & HEARTH_PREPARE_OVERWRITE)
		return prepare_new(piece);
	return prepare_old(piece);
}

/**
 * hearth_window_undo() - a window could not be prepared as a whole
 * @piece: what was prepared of it
 *
 * Context: Process context, sleeps.
 * Return: Whether nothing of it is there any more.
 */
bool hearth_window_undo(const struct hearth_piece *piece)
{
	if (!(piece->flags & HEARTH_PREPARE_OVERWRITE))
		return false;
	abandon_new(piece->hdev, piece->hfile, hearth_piece_first(piece),
		    hearth_piece_last(piece), true);
	return true;
}

/**
 * hearth_window_abandon() - forget what is prepared of a range
 * @piece: the range
 *
 * Context: Process context, sleeps.
 * Return: 0, or -ENXIO: nothing was.
 */
int hearth_window_abandon(const struct hearth_piece *piece)
{
	u64 first = hearth_piece_first(piece), last = hearth_piece_last(piece), nr;

	nr = abandon_new(piece->hdev, piece->hfile, first, last, true);
	nr += abandon_old(piece->hfile, first, last);
	if (!nr)
		return -ENXIO;
	mod_delayed_work(system_unbound_wq, &piece->hfile->chardev->sweep, 0);
	return 0;
}

/**
 * hearth_window_unmapped() - a mapping has gone, and with it what it was kept for
 * @hfile: the file
 * @first: its first frame
 * @nr: its frames
 *
 * Context: Process context.
 */
void hearth_window_unmapped(struct hearth_file *hfile, u64 first, u64 nr)
{
	if (!xa_empty(&hfile->kept))
		abandon_old(hfile, first, first + nr - 1);
}

/**
 * hearth_window_close() - abandon all that a file has prepared
 * @hdev: the LUN
 * @hfile: the file: it is being closed, or was revoked
 *
 * Context: Process context, sleeps.
 */
void hearth_window_close(struct hearth_dev *hdev, struct hearth_file *hfile)
{
	if (atomic_long_read(&hfile->nr_prepared))
		abandon_new(hdev, hfile, 0, U64_MAX >> HEARTH_FRAME_SHIFT,
			    true);
	abandon_old(hfile, 0, ULONG_MAX);
}

/**
 * hearth_window_truncate() - the LUN became smaller
 * @hdev: the LUN
 * @hfile: a file, of which nothing is mapped behind the end
 * @end: the first frame behind it
 *
 * Context: Process context, sleeps.
 */
void hearth_window_truncate(struct hearth_dev *hdev, struct hearth_file *hfile,
			    u64 end)
{
	if (atomic_long_read(&hfile->nr_prepared))
		abandon_new(hdev, hfile, end, U64_MAX >> HEARTH_FRAME_SHIFT,
			    false);
}
