/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/hearth/<lun>: a LUN as a file, for programs on the target itself.
 *
 * Offsets of the file are bytes of the LUN.  Whatever is read, written, punched
 * or zeroed here goes the way of an initiator's command: through the cache, in
 * order with commands that overlap, whatever the LUN's mode.
 *
 *   open()	EROFS: for writing, the LUN is read-only; ENXIO: the LUN is being
 *		made or deleted; EACCES: the node's mode.  The LUN cannot be deleted
 *		while it is open: rmdir says EBUSY.
 *   read()	any bytes, also with preadv() and O_DIRECT; 0 at the end of the LUN.
 *		EIO, EREMOTEIO, ENODATA: the device cannot read it.
 *   write()	whole blocks (hearth_info.block_bytes) at multiples of a block, else
 *		EINVAL: nothing reads a block, changes a part and writes it back, which
 *		an initiator's write could fall between.  ENOSPC: behind the LUN's
 *		end, or the thin device is full.  With O_DSYNC or O_SYNC it is
 *		durable on return.
 *   fsync()	what SYNCHRONIZE CACHE is to an initiator: durable on return is what
 *		anybody had written to the LUN before.  Where that cannot be had it
 *		fails, each time, until it is.
 *   lseek()	SEEK_SET, SEEK_CUR, SEEK_END.
 *   mmap()	shared mappings of whole pages within the LUN (the last page may end
 *		behind it), of the very memory that initiators are served from.  What is
 *		stored shows at once in what initiators read, and is durable after
 *		fsync(); what they write shows in the mapping; neither is atomic.
 *		Registered with an RDMA device (ibv_reg_mr() needs a writable
 *		mapping) it stays that memory until it is deregistered, whatever becomes of
 *		mapping and file, and counts as written to until then.  A mapping that is
 *		not writable cannot be made so (EACCES).  EINVAL: MAP_PRIVATE, or not
 *		within the LUN; EOPNOTSUPP: writable, but the device wants what is
 *		being written to stay as it is.  SIGBUS: the device cannot read a
 *		page, or hearth_info.mapped_max_bytes are mapped or registered already.
 *   poll()	EPOLLPRI: hearth_info.events has changed since the file was opened or
 *		HEARTH_IOC_INFO last asked.  Reading and writing never block.
 *   any of them	ENODEV: the administrator has revoked what was open.
 *
 * All structs are the same for 32-bit programs.
 */
#ifndef _UAPI_HEARTH_H
#define _UAPI_HEARTH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* hearth_info.flags */
#define HEARTH_INFO_READONLY	(1U << 0)	/* the LUN refuses writes */
#define HEARTH_INFO_WRITEBACK	(1U << 1)	/* mode=writeback */
#define HEARTH_INFO_PAUSED	(1U << 2)	/* commands go past the cache */
#define HEARTH_INFO_DEGRADED	(1U << 3)	/* something keeps data from being durable */
#define HEARTH_INFO_GONE	(1U << 4)	/* the device has vanished */

/**
 * struct hearth_info - what HEARTH_IOC_INFO says of a LUN
 * @size_bytes: of the LUN; follows its device
 * @block_bytes: the device's logical block, from 512 to 4096
 * @flags: HEARTH_INFO_*
 * @cache_bytes: memory that the cache may take
 * @dirty_bytes: what the device does not hold yet, in whole pages
 * @events: counts changes of size and of HEARTH_INFO_DEGRADED since the LUN
 *	was made
 * @pad: 0
 * @mapped_bytes: what processes have mapped, or RDMA devices have registered
 * @mapped_max_bytes: the most that this may be
 * @reserved: 0
 */
struct hearth_info {
	__u64 size_bytes;
	__u32 block_bytes;
	__u32 flags;
	__u64 cache_bytes;
	__u64 dirty_bytes;
	__u32 events;
	__u32 pad;
	__u64 mapped_bytes;
	__u64 mapped_max_bytes;
	__u64 reserved;
};

/**
 * struct hearth_range - a part of a LUN
 * @offset: first byte
 * @len: bytes; 0: up to the end of the LUN
 * @done: set by the kernel, also with EINTR: bytes from @offset on for which all
 *	is done
 * @flags: 0
 * @reserved: 0
 *
 * Every ioctl that takes one says EINVAL if @flags or @reserved is not 0, the range
 * does not lie within the LUN, or is not made of whole blocks.
 */
struct hearth_range {
	__u64 offset;
	__u64 len;
	__u64 done;
	__u32 flags;
	__u32 reserved;
};

#define HEARTH_IOC_MAGIC	0xE7

/*
 * HEARTH_IOC_INFO - what the LUN is, just now.  EFAULT.
 */
#define HEARTH_IOC_INFO		_IOR(HEARTH_IOC_MAGIC, 0, struct hearth_info)

/*
 * HEARTH_IOC_PUNCH - the range reads as zeroes from now on, and its space goes
 * back to a device that is thin.  EBADF: not open for writing; EOPNOTSUPP: the
 * device cannot say that it gives zeroes for what it was given back (nothing has
 * changed, use HEARTH_IOC_ZERO); EIO; EINTR: a signal came, @done of it was done.
 */
#define HEARTH_IOC_PUNCH	_IOWR(HEARTH_IOC_MAGIC, 1, struct hearth_range)

/*
 * HEARTH_IOC_ZERO - the range reads as zeroes from now on, and has its space.
 * EBADF: not open for writing; ENOSPC; EIO; EINTR: a signal came, @done of it
 * was done.
 */
#define HEARTH_IOC_ZERO		_IOWR(HEARTH_IOC_MAGIC, 2, struct hearth_range)

/*
 * HEARTH_IOC_WARM - read what is not in the cache yet.  EBADF: not open for
 * reading; ENOSPC: the cache is smaller than the range; ENOMEM: it has no room
 * just now; EIO: the device cannot read what lies behind @done; EINTR: a signal came.
 */
#define HEARTH_IOC_WARM		_IOWR(HEARTH_IOC_MAGIC, 3, struct hearth_range)

/*
 * HEARTH_IOC_DROP - have the cache forget the range but for what the device
 * does not hold yet.  EBADF: not open for reading.
 */
#define HEARTH_IOC_DROP		_IOWR(HEARTH_IOC_MAGIC, 4, struct hearth_range)

#endif /* _UAPI_HEARTH_H */
