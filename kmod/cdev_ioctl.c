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
 * @flags: those that there are
 * @by_page: the range is made of whole pages
 * @max_bytes: do so much at a time
 * @writes: it changes what the LUN holds
 * @check: whether it can be done to the whole range: 0 or -errno; or NULL
 * @run: do it to a piece: 0 or -errno
 * @undo: it could not be done to a piece: undo what was, if that is the way of it;
 *	or NULL
 */
struct action {
	unsigned int cmd;
	fmode_t mode;
	u32 flags;
	bool by_page;
	u64 max_bytes;
	bool writes;
	int (*check)(const struct hearth_piece *all);
	int (*run)(const struct hearth_piece *piece);
	bool (*undo)(const struct hearth_piece *done);
};

static u32 info_flags(struct hearth_dev *hdev)
{
	u32 flags = 0;

	if (READ_ONCE(hdev->refuses_writes))
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
static int write_zeroes(const struct hearth_piece *piece, unsigned int flags)
{
	struct hearth_span span = { .offset = piece->offset, .len = piece->len };
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, ZERO_PAGE(0),
		    piece->hdev->se_dev.dev_attrib.block_size, 0);
	span.sg = &sg;
	return hearth_command_do(piece->hdev, HEARTH_OP_WRITE_SAME, &span,
				 flags);
}

static int punch(const struct hearth_piece *piece)
{
	return write_zeroes(piece, HEARTH_DO_PUNCH);
}

static int zero(const struct hearth_piece *piece)
{
	return write_zeroes(piece, 0);
}

/* What is asked for at once must fit into the cache. */
static int check_warming(const struct hearth_piece *all)
{
	u64 nr_frames = DIV_ROUND_UP_ULL(all->len, HEARTH_FRAME_BYTES);

	return nr_frames > hearth_cache_total(all->hdev->cache) ? -ENOSPC : 0;
}

static int warm(const struct hearth_piece *piece)
{
	struct hearth_span span = { .offset = piece->offset, .len = piece->len };

	return hearth_command_do(piece->hdev, HEARTH_OP_PREFETCH, &span, 0);
}

static int drop(const struct hearth_piece *piece)
{
	return hearth_command_alone(piece->hdev, piece->offset, piece->len,
				    NULL);
}

static const struct action actions[] = {
	{
		.cmd = HEARTH_IOC_PUNCH,
		.mode = FMODE_WRITE,
		.writes = true,
		.max_bytes = SZ_1G,
		.run = punch,
	},
	{
		.cmd = HEARTH_IOC_ZERO,
		.mode = FMODE_WRITE,
		.writes = true,
		.max_bytes = SZ_16M,
		.run = zero,
	},
	{
		.cmd = HEARTH_IOC_WARM,
		.mode = FMODE_READ,
		.max_bytes = SZ_1M,
		.check = check_warming,
		.run = warm,
	},
	{
		.cmd = HEARTH_IOC_DROP,
		.mode = FMODE_READ,
		.max_bytes = U64_MAX,
		.run = drop,
	},
	{
		.cmd = HEARTH_IOC_PREPARE,
		.mode = FMODE_READ | FMODE_WRITE,
		.flags = HEARTH_PREPARE_OVERWRITE,
		.by_page = true,
		.max_bytes = SZ_1M,
		.check = hearth_window_check_prepare,
		.run = hearth_window_prepare,
		.undo = hearth_window_undo,
	},
	{
		.cmd = HEARTH_IOC_COMMIT,
		.mode = FMODE_WRITE,
		.flags = HEARTH_COMMIT_DURABLE,
		.writes = true,
		.by_page = true,
		.max_bytes = SZ_1M,
		.check = hearth_window_check_commit,
		.run = hearth_window_commit,
	},
	{
		.cmd = HEARTH_IOC_ABANDON,
		.mode = FMODE_READ | FMODE_WRITE,
		.by_page = true,
		.max_bytes = U64_MAX,
		.run = hearth_window_abandon,
	},
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
static int check_range(struct hearth_dev *hdev, const struct action *action,
		       struct hearth_range *range)
{
	u32 unit = action->by_page ? PAGE_SIZE : hdev->cache->block_bytes;
	u64 size = READ_ONCE(hdev->cache->size_bytes);

	if (range->flags & ~action->flags || range->reserved ||
	    range->offset >= size)
		return -EINVAL;
	if (!range->len)
		range->len = size - range->offset;
	if (range->len > size - range->offset || range->offset % unit)
		return -EINVAL;
	/* the LUN's last page may be a part of one */
	if (range->len % unit && range->len < size - range->offset)
		return -EINVAL;
	return 0;
}

/* How much is done at once: no large request of what goes through the cache. */
static u64 max_bytes(struct hearth_dev *hdev, const struct action *action)
{
	u64 nr_frames = READ_ONCE(hdev->cache->max_io_frames);

	if (action->max_bytes > SZ_1M)
		return action->max_bytes;
	return min(action->max_bytes, nr_frames << HEARTH_FRAME_SHIFT);
}

static int run_pieces(const struct action *action,
		      const struct hearth_piece *all, u64 *done)
{
	u64 max = max_bytes(all->hdev, action), at;
	struct hearth_piece piece = *all;
	int ret = 0;

	while (!ret && *done < all->len) {
		at = all->offset + *done;
		/* pieces end where frames do */
		piece.offset = at;
		piece.len = min(max - at % HEARTH_FRAME_BYTES,
				all->len - *done);
		ret = action->run(&piece);
		if (!ret)
			*done += piece.len;
		if (!ret && *done < all->len && signal_pending(current))
			ret = -EINTR;
		/* who revokes waits for this */
		if (!ret && *done < all->len &&
		    READ_ONCE(all->hfile->is_revoked))
			ret = -ENODEV;
		cond_resched();
	}
	return ret;
}

static int run_action(const struct action *action,
		      const struct hearth_piece *all, u64 *done)
{
	struct hearth_piece part = *all;
	int ret = action->check ? action->check(all) : 0;

	if (ret)
		return ret;
	ret = run_pieces(action, all, done);
	part.len = *done;
	if (ret && part.len && action->undo && action->undo(&part))
		*done = 0;
	return ret;
}

static int do_action(struct hearth_dev *hdev, struct hearth_file *hfile,
		     const struct action *action,
		     struct hearth_range __user *user)
{
	struct hearth_piece all = { .hdev = hdev, .hfile = hfile };
	struct hearth_range range;
	int ret;

	if (!(hfile->file->f_mode & action->mode))
		return -EBADF;
	if (action->writes && READ_ONCE(hdev->refuses_writes))
		return -EROFS;
	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	ret = check_range(hdev, action, &range);
	if (ret)
		return ret;
	all.offset = range.offset;
	all.len = range.len;
	all.flags = range.flags;
	range.done = 0;
	ret = run_action(action, &all, &range.done);
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
		ret = do_action(hdev, file->private_data, action, user);
	hearth_file_leave(key);
	return ret;
}
