// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: mmap, and what is left of it when a mapping has gone.
 *
 * A fault has the frame shown (core/show.c) and hands its page out in vmf->page:
 * an ordinary page with an ordinary reference, which RDMA drivers can pin for as
 * long as they like.  There is no page_mkwrite: a mapping that may be written to
 * counts as written to.
 *
 * A memory region outlives its mapping and the file, and nobody says when it goes.
 * So a file that is closed while something is shown, or dirty because it was,
 * leaves its hold on the LUN behind; a work item looks, once a second, until it
 * can let go.
 */
#include <linux/mm.h>

#include "cdev.h"
#include "core/show.h"

#define SWEEP_INTERVAL	HZ

/**
 * hearth_map_show() - have a range shown
 * @hdev: the LUN
 * @span: which, of whole frames but for the LUN's end
 *
 * What nobody sees any more counts as seen until somebody looks, and may be dirty
 * then: where it is in the way it is looked for, and written back.
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno.
 */
int hearth_map_show(struct hearth_dev *hdev, const struct hearth_span *span)
{
	int ret = hearth_command_do(hdev, HEARTH_OP_SHOW, span, 0);

	if (ret != -ENOSPC && ret != -ENOMEM)
		return ret;
	hearth_map_sweep(hdev);
	ret = hearth_command_do(hdev, HEARTH_OP_SHOW, span, 0);
	if (ret != -ENOMEM || !hearth_writeback_dirty_bytes(hdev))
		return ret;
	if (hearth_command_wait(hdev, HEARTH_OP_FLUSH))
		hearth_writeback_failed(hdev);
	return hearth_command_do(hdev, HEARTH_OP_SHOW, span, 0);
}

/* Has frames shown around one that is missing, or that one alone. */
static int show(struct hearth_dev *hdev, struct vm_area_struct *vma,
		u64 frame_nr, bool alone)
{
	u64 size = READ_ONCE(hdev->cache->size_bytes);
	u64 first = round_down(frame_nr, (u64)HEARTH_EXTENT_FRAMES);
	u64 end = first + HEARTH_EXTENT_FRAMES;
	struct hearth_span span = { };

	first = alone ? frame_nr : max_t(u64, first, vma->vm_pgoff);
	end = alone ? frame_nr + 1 :
		      min_t(u64, end, vma->vm_pgoff + vma_pages(vma));
	span.offset = first << HEARTH_FRAME_SHIFT;
	span.len = min(end << HEARTH_FRAME_SHIFT, size) - span.offset;
	return hearth_map_show(hdev, &span);
}

static vm_fault_t fault(struct hearth_dev *hdev, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct hearth_file *hfile = vma->vm_file->private_data;
	bool may_store = vma->vm_flags & VM_WRITE;
	bool alone = false;
	int ret;

	if (may_store && READ_ONCE(hdev->refuses_writes))
		return VM_FAULT_SIGBUS;
	for (;;) {
		if ((u64)vmf->pgoff << HEARTH_FRAME_SHIFT >=
		    READ_ONCE(hdev->cache->size_bytes))
			return VM_FAULT_SIGBUS;
		vmf->page = hearth_window_fault(hfile, vmf->pgoff);
		if (IS_ERR(vmf->page)) {
			vmf->page = NULL;
			return VM_FAULT_NOPAGE; /* it is being killed */
		}
		if (vmf->page)
			return VM_FAULT_LOCKED;
		vmf->page = hearth_show_get_page(hdev->cache, vmf->pgoff,
						 may_store);
		if (vmf->page)
			return 0;
		if (fatal_signal_pending(current))
			return VM_FAULT_NOPAGE;
		ret = show(hdev, vma, vmf->pgoff, alone);
		if (ret && alone)
			return VM_FAULT_SIGBUS;
		alone = ret;
	}
}

static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct hearth_dev *hdev;
	vm_fault_t ret;
	int key;

	hdev = hearth_file_enter(vmf->vma->vm_file, &key);
	if (!hdev)
		return VM_FAULT_SIGBUS;
	ret = fault(hdev, vmf);
	hearth_file_leave(key);
	return ret;
}

static void map_close(struct vm_area_struct *vma)
{
	struct hearth_dev *hdev;
	int key;

	hdev = hearth_file_enter(vma->vm_file, &key);
	if (!hdev)
		return;
	hearth_window_unmapped(vma->vm_file->private_data, vma->vm_pgoff,
			       vma_pages(vma));
	mod_delayed_work(system_unbound_wq, &hdev->chardev->sweep, 0);
	hearth_file_leave(key);
}

static const struct vm_operations_struct map_ops = {
	.fault	= map_fault,
	.close	= map_close,
};

static int check_map(struct hearth_dev *hdev, struct vm_area_struct *vma)
{
	u64 nr_frames = DIV_ROUND_UP_ULL(READ_ONCE(hdev->cache->size_bytes),
					 HEARTH_FRAME_BYTES);

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff >= nr_frames ||
	    vma_pages(vma) > nr_frames - vma->vm_pgoff)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE && READ_ONCE(hdev->refuses_writes))
		return -EROFS;
	/* its bytes may change while they are written back */
	if (vma->vm_flags & VM_WRITE && bdev_stable_writes(hdev->disk.bdev))
		return -EOPNOTSUPP;
	return 0;
}

/**
 * hearth_file_mmap() - map a part of a LUN
 * @file: the file
 * @vma: the mapping
 *
 * Context: Process context, under the mmap lock.
 * Return: 0 or -errno; see uapi/hearth.h.
 */
int hearth_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hearth_dev *hdev;
	int key, ret;

	hdev = hearth_file_enter(file, &key);
	if (!hdev)
		return -ENODEV;
	ret = check_map(hdev, vma);
	if (ret)
		goto out_leave;
	/* nobody would tell us when a page becomes writable */
	if (!(vma->vm_flags & VM_WRITE))
		hearth_vm_flags_clear(vma, VM_MAYWRITE);
	hearth_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &map_ops;
	hearth_window_map(file->private_data, vma);
out_leave:
	hearth_file_leave(key);
	return ret;
}

/**
 * hearth_file_unmap() - take pages of a file away from all who have it mapped
 * @hfile: the file
 * @offset: from here on
 *
 * Context: Process context.
 */
void hearth_file_unmap(struct hearth_file *hfile, u64 offset)
{
	unmap_mapping_range(hfile->file->f_mapping, offset, 0, 1);
}

/**
 * hearth_map_sweep() - find out what nobody sees any more
 * @hdev: the LUN
 *
 * Context: Process context.
 * Return: Whether something keeps the LUN: it is shown, or dirty.
 */
bool hearth_map_sweep(struct hearth_dev *hdev)
{
	struct hearth_chardev *chardev = hdev->chardev;
	unsigned long left;

	mutex_lock(&chardev->sweep_mutex);
	left = hearth_show_sweep(hdev->cache);
	mutex_unlock(&chardev->sweep_mutex);
	return left || hearth_writeback_dirty_bytes(hdev);
}

static void sweep(struct work_struct *work)
{
	struct hearth_chardev *chardev;

	chardev = container_of(to_delayed_work(work), struct hearth_chardev,
			       sweep);
	if (hearth_writeback_dirty_bytes(chardev->hdev))
		hearth_writeback_soon(chardev->hdev);
	if (hearth_cdev_settle(chardev->hdev))
		queue_delayed_work(system_unbound_wq, &chardev->sweep,
				   SWEEP_INTERVAL);
}

void hearth_map_init(struct hearth_chardev *chardev)
{
	mutex_init(&chardev->sweep_mutex);
	INIT_DELAYED_WORK(&chardev->sweep, sweep);
}
