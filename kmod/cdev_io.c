// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: read, write, fsync.
 *
 * Data go by way of pages of our own, allocated one by one like the target core's
 * and as exchangeable: what is written changes hands by reference after it was
 * copied from the user, and what is read before it is copied to him.  So there is
 * one copy, and user memory is never pinned.
 */
#include <linux/scatterlist.h>

#include "cdev.h"

#define MAX_CHUNK	SZ_1M

/**
 * struct buffer - pages for a part of a transfer
 * @span: the part: whole blocks; each entry of its scatterlist a page, or the
 *	part of one, that belongs to one frame
 * @sg: the scatterlist
 * @nr: its length
 */
struct buffer {
	struct hearth_span span;
	struct scatterlist *sg;
	unsigned int nr;
};

static void free_buffer(struct buffer *buf)
{
	unsigned int i;

	for (i = 0; i < buf->nr; i++)
		__free_page(sg_page(&buf->sg[i]));
	kvfree(buf->sg);
}

/* Pages for the bytes from @offset on. */
static int alloc_buffer(struct buffer *buf, u64 offset, u32 len)
{
	u32 first = offset % HEARTH_FRAME_BYTES, in_page = first, n;
	unsigned int nr = DIV_ROUND_UP(first + len, HEARTH_FRAME_BYTES);
	struct page *page;

	*buf = (struct buffer){
		.span = { .offset = offset, .len = len, .flip = true },
		.sg = kvmalloc_array(nr, sizeof(*buf->sg), GFP_KERNEL),
	};
	if (!buf->sg)
		return -ENOMEM;
	sg_init_table(buf->sg, nr);
	for (; len; len -= n, in_page = 0) {
		page = alloc_page(GFP_KERNEL);
		if (!page) {
			free_buffer(buf);
			return -ENOMEM;
		}
		n = min_t(u32, len, HEARTH_FRAME_BYTES - in_page);
		sg_set_page(&buf->sg[buf->nr++], page, n, in_page);
	}
	buf->span.sg = buf->sg;
	return 0;
}

/* Moves data between the buffer, from byte @skip on, and the user; how much. */
static size_t copy_buffer(struct buffer *buf, u32 skip, size_t len,
			  struct iov_iter *iter, bool to_user)
{
	size_t copied = 0, n, did;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(buf->sg, sg, buf->nr, i) {
		if (copied == len)
			break;
		n = min_t(size_t, sg->length - skip, len - copied);
		if (to_user)
			did = copy_page_to_iter(sg_page(sg), sg->offset + skip,
						n, iter);
		else
			did = copy_page_from_iter(sg_page(sg), sg->offset, n,
						  iter);
		copied += did;
		if (did < n)
			break;
		skip = 0;
	}
	return copied;
}

static int transfer(struct hearth_dev *hdev, enum hearth_op op,
		    const struct hearth_span *whole, bool fua)
{
	struct hearth_span span = *whole;
	bool done;

	if (op == HEARTH_OP_WRITE)
		hearth_writeback_hold(hdev);
	if (op == HEARTH_OP_READ)
		done = hearth_cache_read_hits(hdev->cache, &span);
	else
		done = !fua && hearth_cache_write_hits(hdev->cache, &span);
	return done ? 0 : hearth_command_do(hdev, op, &span,
					    fua ? HEARTH_DO_FUA : 0);
}

/* Reads up to MAX_CHUNK; returns how much, or -errno. */
static ssize_t read_chunk(struct hearth_dev *hdev, u64 pos, size_t len,
			  struct iov_iter *to)
{
	u32 block = hdev->cache->block_bytes;
	u64 from = round_down(pos, block);
	struct buffer buf;
	size_t copied;
	int ret;

	len = min_t(u64, len, from + MAX_CHUNK - pos);
	ret = alloc_buffer(&buf, from, round_up(pos + len, block) - from);
	if (ret)
		return ret;
	ret = transfer(hdev, HEARTH_OP_READ, &buf.span, false);
	copied = ret ? 0 : copy_buffer(&buf, pos - from, len, to, true);
	free_buffer(&buf);
	if (ret)
		return ret;
	return copied ?: -EFAULT;
}

/* Writes up to MAX_CHUNK; returns how much, or -errno. */
static ssize_t write_chunk(struct hearth_dev *hdev, u64 pos, size_t len,
			   struct iov_iter *from, bool fua)
{
	struct buffer buf;
	size_t copied;
	int ret;

	len = min_t(size_t, len, MAX_CHUNK);
	ret = alloc_buffer(&buf, pos, len);
	if (ret)
		return ret;
	copied = copy_buffer(&buf, 0, len, from, false);
	buf.span.len = round_down(copied, hdev->cache->block_bytes);
	iov_iter_revert(from, copied - buf.span.len);
	if (buf.span.len < len)
		ret = -EFAULT;
	if (buf.span.len) {
		len = buf.span.len;
		ret = transfer(hdev, HEARTH_OP_WRITE, &buf.span, fua);
		if (ret)
			iov_iter_revert(from, len);
	}
	free_buffer(&buf);
	return ret ?: len;
}

static ssize_t read_lun(struct hearth_dev *hdev, loff_t *pos,
			struct iov_iter *to)
{
	u64 size = READ_ONCE(hdev->cache->size_bytes);
	ssize_t total = 0, n = 0;

	while (iov_iter_count(to) && *pos < size) {
		n = read_chunk(hdev, *pos, min(iov_iter_count(to), size - *pos),
			       to);
		if (n < 0)
			break;
		*pos += n;
		total += n;
		if (signal_pending(current))
			break;
	}
	return total ?: n;
}

/**
 * hearth_file_read() - read any bytes of a LUN
 * @iocb: where; moved on
 * @to: the user's memory
 *
 * Context: Process context, sleeps.
 * Return: Bytes read, or -errno; see uapi/hearth.h.
 */
ssize_t hearth_file_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct hearth_dev *hdev;
	ssize_t ret;
	int key;

	hdev = hearth_file_enter(iocb->ki_filp, &key);
	if (!hdev)
		return -ENODEV;
	hearth_capacity_check(hdev);
	ret = read_lun(hdev, &iocb->ki_pos, to);
	hearth_file_leave(key);
	return ret;
}

static ssize_t write_lun(struct hearth_dev *hdev, struct kiocb *iocb,
			 struct iov_iter *from)
{
	u64 size = READ_ONCE(hdev->cache->size_bytes);
	bool fua = iocb_is_dsync(iocb);
	ssize_t total = 0, n = 0;

	if ((iocb->ki_pos | iov_iter_count(from)) % hdev->cache->block_bytes)
		return -EINVAL;
	while (iov_iter_count(from)) {
		n = -ENOSPC;
		if (iocb->ki_pos >= size)
			break;
		n = write_chunk(hdev, iocb->ki_pos,
				min(iov_iter_count(from), size - iocb->ki_pos),
				from, fua);
		if (n < 0)
			break;
		iocb->ki_pos += n;
		total += n;
		if (signal_pending(current))
			break;
	}
	return total ?: n;
}

/**
 * hearth_file_write() - write blocks of a LUN
 * @iocb: where; moved on
 * @from: the user's memory
 *
 * Context: Process context, sleeps.
 * Return: Bytes written, or -errno; see uapi/hearth.h.
 */
ssize_t hearth_file_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct hearth_dev *hdev;
	ssize_t ret;
	int key;

	hdev = hearth_file_enter(iocb->ki_filp, &key);
	if (!hdev)
		return -ENODEV;
	hearth_capacity_check(hdev);
	ret = READ_ONCE(hdev->refuses_writes) ? -EROFS :
					       write_lun(hdev, iocb, from);
	hearth_file_leave(key);
	return ret;
}

/**
 * hearth_file_fsync() - make what was written durable, whoever has written it
 * @file: the file
 * @start: unused: all of the LUN
 * @end: unused
 * @datasync: unused: there is no other
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno; see uapi/hearth.h.
 */
int hearth_file_fsync(struct file *file, loff_t start, loff_t end,
		      int datasync)
{
	struct hearth_dev *hdev;
	int key, ret;

	hdev = hearth_file_enter(file, &key);
	if (!hdev)
		return -ENODEV;
	ret = hearth_command_wait(hdev, HEARTH_OP_FLUSH);
	if (ret)
		hearth_writeback_failed(hdev);
	hearth_file_leave(key);
	return ret;
}
