// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block device under a LUN: open, claim, refuse, close.
 */
#include "hearth.h"

#define BIO_RESERVE	64

static int explain_open_error(struct hearth_dev *hdev, int error)
{
	const char *dev = hdev->params.dev;

	switch (error) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		hearth_err(hdev, "dev=%s: there is no such device; give the path of a block device\n",
			   dev);
		return -ENOENT;
	case -ENOTBLK:
		hearth_err(hdev, "dev=%s: not a block device; use the fileio backstore for files\n",
			   dev);
		return error;
	case -EBUSY:
		hearth_err(hdev, "dev=%s: in use (mounted, part of another device, or another LUN); release it first\n",
			   dev);
		return error;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		hearth_err(hdev, "dev=%s: read-only; make it writable or give readonly=1\n",
			   dev);
		return -EROFS;
	default:
		hearth_err(hdev, "dev=%s: cannot be opened: error %d\n", dev,
			   error);
		return error;
	}
}

static int check_device(struct hearth_dev *hdev)
{
	struct block_device *bdev = hdev->disk.bdev;
	const char *dev = hdev->params.dev;

	if (bdev_nr_bytes(bdev) < bdev_logical_block_size(bdev)) {
		hearth_err(hdev, "dev=%s: holds %llu bytes, less than one block of %u; give a larger device\n",
			   dev, bdev_nr_bytes(bdev),
			   bdev_logical_block_size(bdev));
		return -EINVAL;
	}
	if (bdev_logical_block_size(bdev) > HEARTH_FRAME_BYTES) {
		hearth_err(hdev, "dev=%s: has blocks of %u bytes; at most %u are supported\n",
			   dev, bdev_logical_block_size(bdev),
			   HEARTH_FRAME_BYTES);
		return -EINVAL;
	}
	if (bdev_read_only(bdev) && !hdev->params.readonly)
		return explain_open_error(hdev, -EROFS);
	return 0;
}

/**
 * hearth_backing_open() - open and claim the device of a LUN
 * @hdev: the LUN, with its parameters
 *
 * Context: Process context, may sleep.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_backing_open(struct hearth_dev *hdev)
{
	int ret;

	if (!hdev->params.dev) {
		hearth_err(hdev, "dev= is missing; give the path of a block device\n");
		return -EINVAL;
	}
	ret = hearth_bdev_open(&hdev->disk, hdev->params.dev,
			       !hdev->params.readonly, hdev);
	if (ret)
		return explain_open_error(hdev, ret);
	ret = check_device(hdev);
	if (ret)
		goto out_close;
	ret = bioset_init(&hdev->bios, BIO_RESERVE, 0, BIOSET_NEED_BVECS);
	if (ret)
		goto out_close;
	return 0;

out_close:
	hearth_bdev_close(&hdev->disk);
	return ret;
}

/**
 * hearth_backing_reopen() - open the device once more, where its path leads now
 * @hdev: the LUN
 * @ret_disk: the device
 *
 * Context: Process context, may sleep.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_backing_reopen(struct hearth_dev *hdev, struct hearth_bdev *ret_disk)
{
	int ret = hearth_bdev_open(ret_disk, hdev->params.dev,
				   hdev->disk.writable, hdev);

	return ret ? explain_open_error(hdev, ret) : 0;
}

/**
 * hearth_backing_close() - release the device of a LUN
 * @hdev: the LUN; no I/O is under way
 *
 * Context: Process context, may sleep.
 */
void hearth_backing_close(struct hearth_dev *hdev)
{
	bioset_exit(&hdev->bios);
	hearth_bdev_close(&hdev->disk);
}
