/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One Hearth LUN as the target core sees it, and what its files share.
 */
#ifndef HEARTH_H
#define HEARTH_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "core/cache.h"
#include "params.h"

struct hearth_node_dir;

/**
 * struct hearth_dev - a LUN
 * @se_dev: the target core's part
 * @name: as in configfs, for messages
 * @lock: protects @params
 * @params: what was asked for
 * @disk: the backing device, while the LUN is enabled
 * @bios: for I/O on @disk
 * @cache: while the LUN is enabled
 * @share_pages: of memory, by node id; accounted in node.c
 * @sysfs: /sys/class/hearth/<name>
 * @nodes: its node<N> directories, by node id
 * @nr_orphans: requests that no command waits for, and one for the LUN itself
 * @orphans_gone: woken when the last of them is done
 */
struct hearth_dev {
	struct se_device se_dev;
	char name[64];
	struct mutex lock;	/* of params */
	struct hearth_params params;
	struct hearth_bdev disk;
	struct bio_set bios;
	struct hearth_cache *cache;
	unsigned long *share_pages;
	struct device *sysfs;
	struct hearth_node_dir **nodes;
	refcount_t nr_orphans;
	struct completion orphans_gone;
};

/**
 * struct hearth_request - a command on its way through cache and device
 * @io: the cache's part
 * @hdev: the LUN
 * @cmd: the command, or NULL if nobody waits for it
 * @work: runs the request's next step
 * @nr_bios: bios in flight, and one for whoever submits them
 * @status: the first error among them
 * @pattern: what a WRITE SAME writes over and over
 * @zeroes: the device was asked to write zeroes by itself
 * @unmap_next: the next descriptor of an UNMAP
 */
struct hearth_request {
	struct hearth_io io;
	struct hearth_dev *hdev;
	struct se_cmd *cmd;
	struct work_struct work;
	atomic_t nr_bios;
	blk_status_t status;
	struct page *pattern;
	bool zeroes;
	u32 unmap_next;
};

static inline struct hearth_dev *to_hearth_dev(struct se_device *se_dev)
{
	return container_of(se_dev, struct hearth_dev, se_dev);
}

static inline struct hearth_request *to_hearth_request(struct hearth_io *io)
{
	return container_of(io, struct hearth_request, io);
}

/* Says what is wrong with a LUN and what to do about it. */
#define hearth_err(hdev, fmt, ...) \
	pr_err("hearth: %s: " fmt, (hdev)->name, ##__VA_ARGS__)

/* backing.c */
int hearth_backing_open(struct hearth_dev *hdev);
void hearth_backing_close(struct hearth_dev *hdev);

/* backing_io.c */
void hearth_backing_submit(struct hearth_io *io);
int hearth_backing_read_block(struct hearth_cache *cache, u64 offset, u32 len,
			      struct page *page, u32 page_offset);

/* command.c */
int hearth_command_init(void);
void hearth_command_exit(void);
sense_reason_t hearth_parse_cdb(struct se_cmd *cmd);
extern const struct hearth_cache_ops hearth_cache_ops;

/* dispatch.c */
int hearth_dispatch_init(void);
void hearth_dispatch_exit(void);
void hearth_dispatch(struct hearth_io *io);
void hearth_dispatch_work(struct hearth_io *io, work_func_t step);

/* node.c */
int hearth_node_reserve(struct hearth_dev *hdev);
void hearth_node_release(struct hearth_dev *hdev);

/* stats.c */
int hearth_stats_init(void);
void hearth_stats_exit(void);
int hearth_stats_add(struct hearth_dev *hdev);
void hearth_stats_remove(struct hearth_dev *hdev);

#endif /* HEARTH_H */
