/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/hearth/<lun>: what its files share.
 */
#ifndef HEARTH_CDEV_H
#define HEARTH_CDEV_H

#include <linux/fs.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "hearth.h"

/**
 * struct hearth_chardev - the node of a LUN; outlives it while it is open
 * @refs: the LUN's, and one for each open file
 * @hdev: the LUN; not to be looked at through a file that was revoked
 * @minor: the node's number
 * @nr_events: see &hearth_info.events
 * @wait: who polls
 * @files: what is open and was not revoked
 * @nr_left: files that were closed, but what they showed is not over
 * @sweep: looks whether it is
 * @sweep_mutex: one sweep at a time
 * @windows: prepared pages of all files, by frame; see cdev_window.c
 * @committed: woken when some of them are being committed no more
 */
struct hearth_chardev {
	refcount_t refs;
	struct hearth_dev *hdev;
	u32 minor;
	atomic_t nr_events;
	wait_queue_head_t wait;
	struct list_head files;
	unsigned int nr_left;
	struct delayed_work sweep;
	struct mutex sweep_mutex;	/* of nothing else */
	struct xarray windows;
	wait_queue_head_t committed;
};

/**
 * struct hearth_file - an open file
 * @node: link in &hearth_chardev.files
 * @chardev: what is open
 * @file: the kernel's part
 * @nr_seen: &hearth_chardev.nr_events when it was last told
 * @is_revoked: nothing can be done with it any more
 * @nr_prepared: its pages in &hearth_chardev.windows
 * @kept: pages of frames that it keeps shown, by frame
 */
struct hearth_file {
	struct list_head node;
	struct hearth_chardev *chardev;
	struct file *file;
	u32 nr_seen;
	bool is_revoked;
	atomic_long_t nr_prepared;
	struct xarray kept;
};

/**
 * struct hearth_piece - what an ioctl does something to: a range, or a part of one
 * @hdev: the LUN
 * @hfile: the file
 * @offset: first byte
 * @len: bytes
 * @flags: as the user gave them
 */
struct hearth_piece {
	struct hearth_dev *hdev;
	struct hearth_file *hfile;
	u64 offset;
	u64 len;
	u32 flags;
};

/* cdev.c */
struct hearth_dev *hearth_file_enter(struct file *file, int *ret_key);
void hearth_file_leave(int key);

/* cdev_io.c */
ssize_t hearth_file_read(struct kiocb *iocb, struct iov_iter *to);
ssize_t hearth_file_write(struct kiocb *iocb, struct iov_iter *from);
int hearth_file_fsync(struct file *file, loff_t start, loff_t end,
		      int datasync);

/* cdev_ioctl.c */
long hearth_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* cdev_map.c */
int hearth_file_mmap(struct file *file, struct vm_area_struct *vma);
void hearth_file_unmap(struct hearth_file *hfile, u64 offset);
int hearth_map_show(struct hearth_dev *hdev, const struct hearth_span *span);
bool hearth_map_sweep(struct hearth_dev *hdev);
void hearth_map_init(struct hearth_chardev *chardev);

/* cdev_window.c, cdev_commit.c, cdev_window_map.c */
int hearth_window_check_prepare(const struct hearth_piece *piece);
int hearth_window_prepare(const struct hearth_piece *piece);
bool hearth_window_undo(const struct hearth_piece *piece);
int hearth_window_check_commit(const struct hearth_piece *piece);
int hearth_window_commit(const struct hearth_piece *piece);
int hearth_window_abandon(const struct hearth_piece *piece);
struct page *hearth_window_fault(struct hearth_file *hfile, u64 frame_nr);
void hearth_window_map(struct hearth_file *hfile, struct vm_area_struct *vma);
void hearth_window_unmapped(struct hearth_file *hfile, u64 first, u64 nr);
void hearth_window_truncate(struct hearth_dev *hdev, struct hearth_file *hfile,
			    u64 end);
void hearth_window_close(struct hearth_dev *hdev, struct hearth_file *hfile);

#endif /* HEARTH_CDEV_H */
