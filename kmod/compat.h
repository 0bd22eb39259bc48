/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that Hearth is built for (6.1 to 6.12).
 *
 * The only file with kernel-version conditionals.
 */
#ifndef HEARTH_COMPAT_H
#define HEARTH_COMPAT_H

#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#include <target/target_core_base.h>
#include <target/target_core_backend.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* A block device that is open and claimed. */
struct hearth_bdev {
	struct block_device *bdev;
	bool writable;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	struct file *file;
#else
	fmode_t mode;
#endif
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)

static inline int hearth_bdev_open(struct hearth_bdev *b, const char *path,
				   bool write, void *holder)
{
	struct file *file;

	file = bdev_file_open_by_path(path, BLK_OPEN_READ |
				      (write ? BLK_OPEN_WRITE : 0), holder,
				      NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	b->file = file;
	b->bdev = file_bdev(file);
	b->writable = write;
	return 0;
}

static inline void hearth_bdev_close(struct hearth_bdev *b)
{
	bdev_fput(b->file);
	b->bdev = NULL;
}

#else

static inline int hearth_bdev_open(struct hearth_bdev *b, const char *path,
				   bool write, void *holder)
{
	struct block_device *bdev;

	b->mode = FMODE_READ | FMODE_EXCL | (write ? FMODE_WRITE : 0);
	bdev = blkdev_get_by_path(path, b->mode, holder);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	b->bdev = bdev;
	b->writable = write;
	return 0;
}

static inline void hearth_bdev_close(struct hearth_bdev *b)
{
	blkdev_put(b->bdev, b->mode);
	b->bdev = NULL;
}

#endif

typedef unsigned long hearth_shrink_fn(struct shrinker *shrinker,
				       struct shrink_control *sc);

/* A shrinker that knows nodes, and what it belongs to. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)

struct hearth_shrinker {
	struct shrinker *shrinker;
};

static inline int hearth_shrinker_register(struct hearth_shrinker *h,
					   hearth_shrink_fn *count,
					   hearth_shrink_fn *scan, void *priv,
					   const char *name)
{
	h->shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "hearth-%s", name);
	if (!h->shrinker)
		return -ENOMEM;
	h->shrinker->count_objects = count;
	h->shrinker->scan_objects = scan;
	h->shrinker->private_data = priv;
	shrinker_register(h->shrinker);
	return 0;
}

static inline void hearth_shrinker_unregister(struct hearth_shrinker *h)
{
	shrinker_free(h->shrinker);
}

static inline void *hearth_shrinker_priv(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

#else

struct hearth_shrinker {
	struct shrinker shrinker;
	void *priv;
};

static inline int hearth_shrinker_register(struct hearth_shrinker *h,
					   hearth_shrink_fn *count,
					   hearth_shrink_fn *scan, void *priv,
					   const char *name)
{
	h->shrinker = (struct shrinker){
		.count_objects	= count,
		.scan_objects	= scan,
		.seeks		= DEFAULT_SEEKS,
		.flags		= SHRINKER_NUMA_AWARE,
	};
	h->priv = priv;
	return register_shrinker(&h->shrinker, "hearth-%s", name);
}

static inline void hearth_shrinker_unregister(struct hearth_shrinker *h)
{
	unregister_shrinker(&h->shrinker);
}

static inline void *hearth_shrinker_priv(struct shrinker *shrinker)
{
	return container_of(shrinker, struct hearth_shrinker, shrinker)->priv;
}

#endif

/* The flags of a mapping are changed by helpers since 6.3. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define hearth_vm_flags_set	vm_flags_set
#define hearth_vm_flags_clear	vm_flags_clear
#else
static inline void hearth_vm_flags_set(struct vm_area_struct *vma,
				       unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void hearth_vm_flags_clear(struct vm_area_struct *vma,
					 unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* What a class's devnode() is given became const in 6.2. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define hearth_devnode_device	const struct device
#else
#define hearth_devnode_device	struct device
#endif

/* The table of SCSI block commands was renamed in 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define hearth_exec_ops exec_cmd_ops
#else
#define hearth_exec_ops sbc_ops
#endif

#endif /* HEARTH_COMPAT_H */
