// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: what a LUN is, and what is done to a part of it.
 *
 * A large range is done piece by piece, so that a signal ends it, and so that no
 * initiator waits for more than a piece.
 */
#include <linux/scatterlist.h>
#include <linux/uaccess.h>

#include "../include/uapi/hearth.h"
#include "cdev.h"
#include "core/show.h"

/**
 * struct action - what an ioctl does to a range
 * @cmd: the ioctl
 * @mode: how the file must be open
 * @max_bytes: do so much at a time
 * @run: do it: 0 or -errno
 */
struct action {
	unsigned int cmd;
	fmode_t mode;
	u64 max_bytes;
	int (*run)(struct hearth_dev *hdev, u64 offset, u64 len);
};

static u32 info_flags(struct hearth_dev *hdev)
{
	u32 flags = 0;

	if (hdev->params.readonly)
		flags |= HEARTH_INFO_READONLY;
	if (READ_ONCE(hdev->params.mode) == HEARTH_WRITEBACK)
		flags |= HEARTH_INFO_WRITEBACK;
	if (READ_ONCE(hdev->cache->paused))
		flags |= HEARTH_INFO_PAUSED;
	if (hearth_writeback_error(hdev))
		flags |= HEARTH_INFO_DEGRADED;
	if (!disk_live(READ_ONCE(hdev->disk.bdev)->bd_disk))
		flags |= HEARTH_INFO_GONE;
	return flags;
}

static int get_info(struct hearth_dev *hdev, struct hearth_file *hfile,
		    struct hearth_info __user *user)
{
	struct hearth_info info = { };

	/* first: what changes later is told later */
	info.events = atomic_read(&hfile->chardev->nr_events);
	info.size_bytes = READ_ONCE(hdev->cache->size_bytes);
	info.block_bytes = hdev->cache->block_bytes;
	info.flags = info_flags(hdev);
	info.cache_bytes = READ_ONCE(hdev->params.cache_bytes);
	info.dirty_bytes = hearth_writeback_dirty_bytes(hdev);
	info.mapped_bytes = (u64)atomic_long_read(&hdev->cache->nr_shown)
			    << HEARTH_FRAME_SHIFT;
	info.mapped_max_bytes = (u64)hearth_show_max(hdev->cache)
				<< HEARTH_FRAME_SHIFT;
	if (copy_to_user(user, &info, sizeof(info)))
		return -EFAULT;
	WRITE_ONCE(hfile->nr_seen, info.events);
	return 0;
}

/* Zeroes of one block are the data of a WRITE SAME. */
static int write_zeroes(struct hearth_dev *hdev, u64 offset, u64 len,
			unsigned int flags)
{
	struct hearth_span span = { .offset = offset, .len = len };
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, ZERO_PAGE(0), hdev->se_dev.dev_attrib.block_size, 0);
	span.sg = &sg;
	return hearth_command_do(hdev, HEARTH_OP_WRITE_SAME, &span, flags);
}

static int punch(struct hearth_dev *hdev, u64 offset, u64 len)
{
	return write_zeroes(hdev, offset, len, HEARTH_DO_PUNCH);
}

static int zero(struct hearth_dev *hdev, u64 offset, u64 len)
{
	return write_zeroes(hdev, offset, len, 0);
}

static int warm(struct hearth_dev *hdev, u64 offset, u64 len)
{
	struct hearth_span span = { .offset = offset, .len = len };

	return hearth_command_do(hdev, HEARTH_OP_PREFETCH, &span, 0);
}

static int drop(struct hearth_dev *hdev, u64 offset, u64 len)
{
	return hearth_command_alone(hdev, offset, len, NULL);
}

static const struct action actions[] = {
	{ HEARTH_IOC_PUNCH, FMODE_WRITE, SZ_1G, punch },
	{ HEARTH_IOC_ZERO, FMODE_WRITE, SZ_16M, zero },
	{ HEARTH_IOC_WARM, FMODE_READ, SZ_1M, warm },
	{ HEARTH_IOC_DROP, FMODE_READ, U64_MAX, drop },
};

static const struct action *find_action(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (actions[i].cmd == cmd)
			return &actions[i];
	}
	return NULL;
}

/* Makes a range complete, and says whether it is one. */
static int check_range(struct hearth_dev *hdev, struct hearth_range *range)
{
	u64 size = READ_ONCE(hdev->cache->size_bytes);

	if (range->flags || range->reserved || range->offset >= size)
		return -EINVAL;
	if (!range->len)
		range->len = size - range->offset;
	if (range->len > size - range->offset ||
	    (range->offset | range->len) % hdev->cache->block_bytes)
		return -EINVAL;
	return 0;
}

/* What is asked for at once must fit into the cache, and be no large request. */
static int limit_warming(struct hearth_dev *hdev, u64 len, u64 *max_bytes)
{
	u64 nr_frames = READ_ONCE(hdev->cache->max_io_frames);

	if (DIV_ROUND_UP_ULL(len, HEARTH_FRAME_BYTES) >
	    hearth_cache_total(hdev->cache))
		return -ENOSPC;
	*max_bytes = min(*max_bytes, nr_frames << HEARTH_FRAME_SHIFT);
	return 0;
}

static int run_action(struct hearth_dev *hdev, const struct action *action,
		      struct hearth_range *range)
{
	u64 max_bytes = action->max_bytes, at, end, len;
	int ret = 0;

	if (action->cmd == HEARTH_IOC_WARM)
		ret = limit_warming(hdev, range->len, &max_bytes);
	end = range->offset + range->len;
	while (!ret && range->done < range->len) {
		at = range->offset + range->done;
		/* pieces end where frames do */
		len = max_bytes - at % HEARTH_FRAME_BYTES;
		len = min(len, end - at);
		ret = action->run(hdev, at, len);
		if (!ret)
			range->done += len;
		if (!ret && range->done < range->len && signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	return ret;
}

static int do_action(struct hearth_dev *hdev, fmode_t mode,
		     const struct action *action,
		     struct hearth_range __user *user)
{
	struct hearth_range range;
	int ret;

	if (!(mode & action->mode))
		return -EBADF;
	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	ret = check_range(hdev, &range);
	if (ret)
		return ret;
	range.done = 0;
	ret = run_action(hdev, action, &range);
	if (put_user(range.done, &user->done))
		return -EFAULT;
	return ret;
}

/**
 * hearth_file_ioctl() - see uapi/hearth.h
 * @file: the file
 * @cmd: HEARTH_IOC_*
 * @arg: the user's struct
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno.
 */
long hearth_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct action *action = find_action(cmd);
	void __user *user = (void __user *)arg;
	struct hearth_dev *hdev;
	long ret = -ENOTTY;
	int key;

	hdev = hearth_file_enter(file, &key);
	if (!hdev)
		return -ENODEV;
	if (cmd == HEARTH_IOC_INFO)
		ret = get_info(hdev, file->private_data, user);
	else if (action)
		ret = do_action(hdev, file->f_mode, action, user);
	hearth_file_leave(key);
	return ret;
}
