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
 *		What was made ready with HEARTH_IOC_PREPARE is mapped at once.
 *   poll()	EPOLLPRI: hearth_info.events has changed since the file was opened or
 *		HEARTH_IOC_INFO last asked.  Reading and writing never block.
 *   any of them	ENODEV: the administrator has revoked what was open.  Those that
 *		change what the LUN holds, EROFS: it was made read-only since; a page that
 *		is stored into is SIGBUS then, but a LUN that is mapped is not made so.
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
 * @mapped_bytes: what processes have mapped or prepared, or RDMA devices have
 *	registered
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
 * @flags: of the ioctl, or 0
 * @reserved: 0
 *
 * Every ioctl that takes one says EINVAL if @flags has a bit that it does not know,
 * @reserved is not 0, the range does not lie within the LUN, or is not made of whole
 * blocks.
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
 * HEARTH_IOC_WARM - read what is not in the cache yet; all of it counts as asked
 * for, and outlives what is only read once.  EBADF: not open for reading; ENOSPC:
 * the cache is smaller than the range; ENOMEM: it has no room just now; EIO: the
 * device cannot read what lies behind @done; EINTR: a signal came.
 */
#define HEARTH_IOC_WARM		_IOWR(HEARTH_IOC_MAGIC, 3, struct hearth_range)

/*
 * HEARTH_IOC_DROP - have the cache forget the range but for what the device
 * does not hold yet.  EBADF: not open for reading.
 */
#define HEARTH_IOC_DROP		_IOWR(HEARTH_IOC_MAGIC, 4, struct hearth_range)

/*
 * Windows: parts of a LUN that are made ready to be mapped, for new contents or for
 * what is there.  Their ranges are whole pages (4096 bytes); the last may be the
 * part of a page that the LUN ends with.
 */
#define HEARTH_PREPARE_OVERWRITE	(1U << 0)	/* for new contents */

/*
 * HEARTH_IOC_PREPARE - make a window ready, to be mapped afterwards: then no access
 * reads anything, nor does ibv_reg_mr(), and hardly any faults.
 *
 * @flags 0: of what is there.  What is missing in the cache is read, in large
 * pieces.  It stays there until a mapping of it, made afterwards, has gone, it is
 * abandoned, or the file is closed.  Any number of files may have the same window.
 *
 * HEARTH_PREPARE_OVERWRITE: of pages for new contents.  Nothing is read from the
 * device.  From now on a mapping of this file shows these pages: zeroes, or
 * something that the LUN held somewhere.  They are no part of the LUN: everybody else
 * (initiators, read() and write(), also of this file, other files) goes on seeing,
 * and changing, what it holds.  All of the range is prepared, or, if it fails, nothing.
 * They lie where the LUN's home= says, or with home=touch on the node of the caller,
 * but for frames that are in the cache: those keep their node.
 *
 * Prepared pages count as mapped (hearth_info.mapped_bytes).
 *
 * EBADF: not open for reading (@flags 0), for writing (HEARTH_PREPARE_OVERWRITE);
 * EBUSY: for new contents, this or another file has prepared a part of it for new
 * contents, or this file has a part of it mapped; of what is there, this file has
 * prepared a part of it for new contents; ENOSPC: more than
 * hearth_info.mapped_max_bytes; ENOMEM: the cache, or the node, has no room just now;
 * EIO, EREMOTEIO, ENODATA: the device cannot read what lies behind @done; EINTR: a
 * signal came.
 */
#define HEARTH_IOC_PREPARE	_IOWR(HEARTH_IOC_MAGIC, 5, struct hearth_range)

#define HEARTH_COMMIT_DURABLE	(1U << 0)	/* durable on return */

/*
 * HEARTH_IOC_COMMIT - make what lies in pages that this file has prepared for new
 * contents the LUN's: any part of them, in any order.  It is a WRITE of the range,
 * in order with commands that overlap (a large one in pieces, each a WRITE), and in
 * the state that the LUN is in: on the device on return, or, with mode=writeback,
 * in the cache.  With HEARTH_COMMIT_DURABLE it is durable on return, whatever the
 * mode.
 *
 * No byte is copied: the page becomes the one that initiators are served from.  If
 * it is mapped, or registered with an RDMA device, it goes on being so: what is stored
 * there from now on is stored in the LUN, it counts as written to until it is
 * neither, and is then written to the device once more.  Who has unmapped and
 * deregistered it before saves that.
 * Where another file has the block mapped or registered already, or it came to be in
 * the cache on another node since the page was prepared, the block's own page
 * stays and gets the contents; so does a mapping of this file then; a memory region
 * keeps the prepared page, which is nobody's any more.
 *
 * EBADF: not open for writing; ENXIO: this file has not prepared all of the range, or
 * has committed or abandoned a part; nothing has changed.  EIO, ENOSPC: as write();
 * ENOMEM: no memory just now; EINTR: a signal came.  Then @done bytes are committed,
 * and what lies behind is still prepared, and can be committed again.
 */
#define HEARTH_IOC_COMMIT	_IOWR(HEARTH_IOC_MAGIC, 6, struct hearth_range)

/*
 * HEARTH_IOC_ABANDON - forget what this file has prepared of the range and not
 * committed.  Mappings show what the LUN holds then.  A memory region keeps the
 * pages, which are nobody's any more, and never part of the cache again.  close()
 * abandons all that is left, however the process ends.
 *
 * ENXIO: there is nothing of that kind in the range.
 */
#define HEARTH_IOC_ABANDON	_IOWR(HEARTH_IOC_MAGIC, 7, struct hearth_range)

#endif /* _UAPI_HEARTH_H */
