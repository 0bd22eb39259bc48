// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that vanished and came back.
 *
 * It is taken back only if it is the same: its identifier, its size, its blocks
 * and, of a partition, its place.  The kernel knows identifiers of SCSI and NVMe
 * disks; others cannot be told apart and are not taken back.
 *
 * Nobody knows what happened to it meanwhile, so the cache forgets all that it
 * held of it, but for what the device did not hold yet, or may have held in a
 * volatile cache only: that is written again.  The change takes place while no
 * command is under way.
 */
#include "hearth.h"

/* A device that is gone; closed with the LUN: bios may still refer to it. */
struct former_disk {
	struct list_head node;
	struct hearth_bdev disk;
};

static const enum blk_unique_id id_types[] = {
	BLK_UID_NAA, BLK_UID_EUI64, BLK_UID_T10
};

static void get_id(struct block_device *bdev, struct hearth_disk_id *ret_id)
{
	struct gendisk *disk = bdev->bd_disk;
	unsigned int i;
	int len = 0;

	memset(ret_id, 0, sizeof(*ret_id));
	ret_id->start = bdev->bd_start_sect;
	ret_id->nr_sectors = bdev_nr_sectors(bdev);
	ret_id->block = bdev_logical_block_size(bdev);
	if (!disk->fops->get_unique_id)
		return;
	for (i = 0; i < ARRAY_SIZE(id_types) && len <= 0; i++)
		len = disk->fops->get_unique_id(disk, ret_id->id, id_types[i]);
	ret_id->len = max(len, 0);
}

/**
 * hearth_reattach_init() - remember what the device of a LUN is
 * @hdev: the LUN, with its device
 *
 * Context: Process context, may sleep.
 */
void hearth_reattach_init(struct hearth_dev *hdev)
{
	INIT_LIST_HEAD(&hdev->former_disks);
	get_id(hdev->disk.bdev, &hdev->disk_id);
}

/**
 * hearth_reattach_exit() - close what is gone
 * @hdev: the LUN; no I/O is under way
 *
 * Context: Process context, may sleep.
 */
void hearth_reattach_exit(struct hearth_dev *hdev)
{
	struct former_disk *former, *next;

	list_for_each_entry_safe(former, next, &hdev->former_disks, node) {
		hearth_bdev_close(&former->disk);
		kfree(former);
	}
}

static int check_same(struct hearth_dev *hdev, struct block_device *bdev)
{
	const struct hearth_disk_id *old = &hdev->disk_id;
	const char *dev = hdev->params.dev;
	struct hearth_disk_id new;

	get_id(bdev, &new);
	if (!old->len) {
		hearth_err(hdev, "reattach: dev=%s has no identifier that would tell it from another; delete the LUN and create it anew\n",
			   dev);
		return -EOPNOTSUPP;
	}
	if (new.len != old->len || memcmp(new.id, old->id, sizeof(new.id)) ||
	    new.start != old->start) {
		hearth_err(hdev, "reattach: dev=%s is another device than before; connect the former one, or delete the LUN and create it anew\n",
			   dev);
		return -EXDEV;
	}
	if (new.nr_sectors != hdev->nr_sectors || new.block != old->block) {
		hearth_err(hdev, "reattach: dev=%s has %llu sectors and blocks of %u bytes, had %llu and %u; delete the LUN and create it anew\n",
			   dev, new.nr_sectors, new.block, hdev->nr_sectors,
			   old->block);
		return -EXDEV;
	}
	return 0;
}

/* No command is under way; who looks at the device's properties may. */
static int exchange(struct hearth_dev *hdev)
{
	struct hearth_bdev old = hdev->disk;

	if (bdev_write_cache(old.bdev))
		hearth_sync_distrust(hdev->cache);
	WRITE_ONCE(hdev->disk.bdev, hdev->incoming->bdev);
	hdev->disk = *hdev->incoming;
	*hdev->incoming = old;
	return 0;
}

/**
 * hearth_reattach() - take a device back
 * @hdev: the LUN; its device has vanished
 *
 * Context: Process context, under the LUN's lock, sleeps.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_reattach(struct hearth_dev *hdev)
{
	struct former_disk *former;
	int ret;

	lockdep_assert_held(&hdev->lock);
	if (disk_live(hdev->disk.bdev->bd_disk)) {
		hearth_err(hdev, "reattach: dev=%s has not vanished; there is nothing to do\n",
			   hdev->params.dev);
		return -EBUSY;
	}
	if (hearth_cdev_shows(hdev)) {
		hearth_err(hdev, "reattach: a part of the LUN is mapped or registered; revoke it first\n");
		return -EBUSY;
	}
	former = kzalloc(sizeof(*former), GFP_KERNEL);
	if (!former)
		return -ENOMEM;
	ret = hearth_backing_reopen(hdev, &former->disk);
	if (ret)
		goto out_free;
	ret = check_same(hdev, former->disk.bdev);
	if (ret)
		goto out_close;
	hdev->incoming = &former->disk;
	hearth_command_alone(hdev, 0, hdev->cache->size_bytes, exchange);
	if (hearth_writeback_dirty_bytes(hdev))
		hearth_writeback_failed(hdev);
	list_add(&former->node, &hdev->former_disks);
	pr_info("hearth: %s: dev=%s is back\n", hdev->name, hdev->params.dev);
	return 0;

out_close:
	hearth_bdev_close(&former->disk);
out_free:
	kfree(former);
	return ret;
}
