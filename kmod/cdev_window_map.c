// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: how windows are mapped.
 *
 * What was prepared before is mapped at once, in batches: to register it takes no
 * fault then.  A fault that comes nevertheless (mapped before it was prepared, zapped,
 * or of another process) finds it one by one.
 */
#include <linux/pagemap.h>

#include "cdev_window.h"
#include "core/show.h"

/* A file's prepared page with a reference, or NULL; it may be busy. */
static struct page *find(struct hearth_file *hfile, u64 frame_nr, bool *ret_busy)
{
	struct xarray *windows = hearth_windows_of(hfile);
	struct page *page = NULL;
	void *entry;

	if (!atomic_long_read(&hfile->nr_prepared))
		return NULL;
	xa_lock(windows);
	entry = xa_load(windows, frame_nr);
	if (entry && hearth_window_is_of(hfile, entry)) {
		page = hearth_window_page(entry);
		get_page(page);
		*ret_busy = hearth_window_is_busy(entry);
	}
	xa_unlock(windows);
	return page;
}

/**
 * hearth_window_fault() - look for a prepared page
 * @hfile: the file
 * @frame_nr: the frame
 *
 * Context: Process context, sleeps.
 * Return: The page, locked, with a reference; or NULL: there is none, or -EINTR
 * as an error pointer.
 */
struct page *hearth_window_fault(struct hearth_file *hfile, u64 frame_nr)
{
	struct page *page, *again;
	bool busy;

	while ((page = find(hfile, frame_nr, &busy))) {
		if (busy) {
			put_page(page);
			if (!hearth_window_wait(hfile, frame_nr, frame_nr))
				return ERR_PTR(-EINTR);
			continue;
		}
		lock_page(page);
		again = find(hfile, frame_nr, &busy);
		if (again)
			put_page(again);
		if (again == page && !busy)
			break;
		unlock_page(page);
		put_page(page);
	}
	return page;
}

/* The next neighbours among a file's prepared pages, with references. */
static unsigned int next_new(struct hearth_file *hfile, u64 *first, u64 last,
			     bool may_store, struct page **pages)
{
	XA_STATE(xas, hearth_windows_of(hfile), *first);
	unsigned int nr = 0;
	bool is_one;
	void *entry;

	xas_lock(&xas);
	xas_for_each(&xas, entry, last) {
		is_one = hearth_window_is_of(hfile, entry) && !hearth_window_is_busy(entry);
		if (nr && (!is_one || xas.xa_index != *first + nr))
			break;
		if (!is_one)
			continue;
		if (!nr)
			*first = xas.xa_index;
		get_page(entry);
		pages[nr++] = entry;
		if (nr == HEARTH_WINDOW_BATCH)
			break;
	}
	xas_unlock(&xas);
	return nr;
}

/* The same among those that are kept; one that is being changed is left out. */
static unsigned int next_old(struct hearth_file *hfile, u64 *first, u64 last,
			     bool may_store, struct page **pages)
{
	struct hearth_cache *cache = hfile->chardev->hdev->cache;
	unsigned long index = *first;
	unsigned int nr = 0;
	struct page *page;

	while (nr < HEARTH_WINDOW_BATCH &&
	       xa_find(&hfile->kept, &index, last, XA_PRESENT)) {
		if (nr && index != *first + nr)
			break;
		page = hearth_show_get_page(cache, index, may_store);
		if (nr && !page)
			break;
		if (!nr)
			*first = index;
		if (page)
			pages[nr++] = page;
		index++;
	}
	return nr;
}

static unsigned long address_of(const struct vm_area_struct *vma, u64 frame_nr)
{
	return vma->vm_start + ((frame_nr - vma->vm_pgoff) << PAGE_SHIFT);
}

static void map(struct vm_area_struct *vma, typeof(next_new) next)
{
	struct hearth_file *hfile = vma->vm_file->private_data;
	u64 at = vma->vm_pgoff, last = at + vma_pages(vma) - 1;
	struct page *pages[HEARTH_WINDOW_BATCH];
	unsigned long nr, left;
	int ret = 0;

	while (!ret && at <= last &&
	       (nr = next(hfile, &at, last, vma->vm_flags & VM_WRITE, pages))) {
		left = nr;
		ret = vm_insert_pages(vma, address_of(vma, at), pages, &left);
		at += nr;
		while (nr)
			put_page(pages[--nr]);
		cond_resched();
	}
}

/**
 * hearth_window_map() - map what is prepared before anybody faults
 * @hfile: the file
 * @vma: a new mapping of it
 *
 * What cannot be mapped for want of memory is left to faults.
 *
 * Context: Process context, under the mmap lock, for writing.
 */
void hearth_window_map(struct hearth_file *hfile, struct vm_area_struct *vma)
{
	if (atomic_long_read(&hfile->nr_prepared))
		map(vma, next_new);
	if (!xa_empty(&hfile->kept))
		map(vma, next_old);
}
