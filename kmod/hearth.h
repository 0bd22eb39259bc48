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
#include "workers.h"

/* SBC-4 5.14; <scsi/scsi_proto.h> has the short form only */
#define HEARTH_PRE_FETCH_16	0x90

struct hearth_chardev;
struct hearth_dev;
struct hearth_node_dir;

/**
 * struct hearth_flusher - goes on with one node's part of writing back
 * @work: calls hearth_flush_run()
 * @hdev: the LUN
 * @nid: the node
 */
struct hearth_flusher {
	struct work_struct work;
	struct hearth_dev *hdev;
	int nid;
};

/**
 * struct hearth_writeback - what a LUN needs for mode=writeback
 * @link: in the list of all LUNs
 * @flushers: by node id
 * @has_cache: initiators are told of a volatile write cache
 * @wants_hold: the first write shall start @hold
 * @is_held: configfs does not let go of the LUN, so writes may be written back
 * @is_failing: the administrator was told that write-back fails
 * @is_lost: likewise that the device may have lost data
 * @hold: gets hold of the LUN
 * @tick: writes back what has waited long enough, and lets go of the LUN
 */
struct hearth_writeback {
	struct list_head link;
	struct hearth_flusher *flushers;
	bool has_cache;
	bool wants_hold;
	bool is_held;
	bool is_failing;
	bool is_lost;
	struct work_struct hold;
	struct delayed_work tick;
};

/**
 * struct hearth_disk_id - what makes a device the one that it is
 * @id: its identifier
 * @len: length of @id; 0: it has none
 * @block: its logical block
 * @start: first sector on its disk
 * @nr_sectors: its size
 */
struct hearth_disk_id {
	u8 id[16];
	int len;
	u32 block;
	u64 start;
	u64 nr_sectors;
};

/**
 * struct hearth_dev - a LUN
 * @se_dev: the target core's part
 * @name: as in configfs, for messages
 * @lock: protects @params
 * @params: what was asked for
 * @disk: the backing device, while the LUN is enabled
 * @disk_id: of @disk when the LUN was enabled
 * @incoming: the device that is about to become @disk, see reattach.c
 * @former_disks: devices that are gone, to be closed with the LUN
 * @nr_sectors: size of @disk as last seen
 * @capacity_work: looks at it again, see capacity.c
 * @untold_lock: protects @untold
 * @untold: initiators that do not know yet that the LUN has another size
 * @has_untold: there are such
 * @refuses_writes: initiators and programs only read; see readonly.c
 * @bios: for I/O on @disk
 * @cache: while the LUN is enabled
 * @share_pages: of memory, by node id; see node.c
 * @min_pages: what is guaranteed of that
 * @shrinker: gives memory back, see shrink.c
 * @shrink_node: link in the list of all LUNs there
 * @sysfs: /sys/class/hearth/<name>
 * @nodes: its node<N> directories, by node id
 * @chardev: /dev/hearth/<name>
 * @writeback: see writeback.c
 * @nr_orphans: requests that no command waits for, and one for the LUN itself
 * @orphans_gone: woken when the last of them is done
 * @nr_prefetches: PRE-FETCH commands among them
 * @is_going: the LUN is being deleted: what can be given up is
 */
struct hearth_dev {
	struct se_device se_dev;
	char name[64];
	struct mutex lock;	/* of params */
	struct hearth_params params;
	struct hearth_bdev disk;
	struct hearth_disk_id disk_id;
	struct hearth_bdev *incoming;
	struct list_head former_disks;
	u64 nr_sectors;
	struct work_struct capacity_work;
	spinlock_t untold_lock;	/* of the next two */
	struct list_head untold;
	bool has_untold;
	bool refuses_writes;
	struct bio_set bios;
	struct hearth_cache *cache;
	unsigned long *share_pages;
	unsigned long *min_pages;
	struct hearth_shrinker shrinker;
	struct list_head shrink_node;
	struct device *sysfs;
	struct hearth_node_dir **nodes;
	struct hearth_chardev *chardev;
	struct hearth_writeback writeback;
	refcount_t nr_orphans;
	struct completion orphans_gone;
	atomic_t nr_prefetches;
	bool is_going;
};

/**
 * struct hearth_prefetch - a PRE-FETCH command
 * @begin: first byte of what is to be fetched
 * @end: first byte behind; 0: the request is no PRE-FETCH
 * @fits: that is all that the command asks for
 */
struct hearth_prefetch {
	u64 begin;
	u64 end;
	bool fits;
};

/**
 * struct hearth_verify - a VERIFY command
 * @begin: first byte of what is to be verified
 * @end: first byte behind; 0: the request is no VERIFY
 * @at: first byte of the piece that is being read
 * @len: its bytes; 0: none was yet
 * @sg: the memory that it is read into
 */
struct hearth_verify {
	u64 begin;
	u64 end;
	u64 at;
	u32 len;
	struct scatterlist sg;
};

/**
 * struct hearth_waiter - a thread that waits for a request of its own
 * @done: completed when it is over
 * @error: its result
 */
struct hearth_waiter {
	struct completion done;
	int error;
};

/**
 * struct hearth_request - a command on its way through cache and device
 * @io: the cache's part
 * @hdev: the LUN
 * @cmd: the command, or NULL if nobody waits for it
 * @work: runs the request's next step
 * @job: the same, on a certain node
 * @nr_bios: bios in flight, and one for whoever submits them
 * @status: the first error among them
 * @waiter: who waits for it, if that is no command
 * @pattern: what a WRITE SAME writes over and over, or a VERIFY has read
 * @zeroes: the device was asked to write zeroes by itself
 * @punch: it shall, and may give the space back; nothing else will do
 * @unmap_next: the next descriptor of an UNMAP
 * @read_next: what to read after a flush, if that has a length
 * @prefetch: what is left of a PRE-FETCH, see prefetch.c
 * @verify: what is left of a VERIFY, see verify.c
 * @alone: of a HEARTH_OP_ALONE: what is to be done while it runs alone
 */
struct hearth_request {
	struct hearth_io io;
	struct hearth_dev *hdev;
	struct se_cmd *cmd;
	struct work_struct work;
	struct hearth_job job;
	atomic_t nr_bios;
	blk_status_t status;
	struct hearth_waiter *waiter;
	struct page *pattern;
	bool zeroes;
	bool punch;
	u32 unmap_next;
	struct hearth_span read_next;
	struct hearth_prefetch prefetch;
	struct hearth_verify verify;
	int (*alone)(struct hearth_dev *hdev);
};

static inline struct hearth_dev *to_hearth_dev(struct se_device *se_dev)
{
	return container_of(se_dev, struct hearth_dev, se_dev);
}

static inline struct hearth_request *to_hearth_request(struct hearth_io *io)
{
	return container_of(io, struct hearth_request, io);
}

static inline u64 hearth_lba_to_offset(const struct se_cmd *cmd, u64 lba)
{
	return lba * cmd->se_dev->dev_attrib.block_size;
}

/* Says what is wrong with a LUN and what to do about it. */
#define hearth_err(hdev, fmt, ...) \
	pr_err("hearth: %s: " fmt, (hdev)->name, ##__VA_ARGS__)

/* backing.c */
int hearth_backing_open(struct hearth_dev *hdev);
int hearth_backing_reopen(struct hearth_dev *hdev, struct hearth_bdev *ret_disk);
void hearth_backing_close(struct hearth_dev *hdev);

/* backing_io.c */
void hearth_backing_submit(struct hearth_io *io);
int hearth_backing_read_block(struct hearth_cache *cache, u64 offset, u32 len,
			      struct page *page, u32 page_offset);

/**
 * hearth_orphan_get() - keep a LUN while something goes on that nobody waits for
 * @hdev: the LUN
 */
static inline void hearth_orphan_get(struct hearth_dev *hdev)
{
	refcount_inc(&hdev->nr_orphans);
}

/* How hearth_command_do() does it. */
#define HEARTH_DO_FUA	BIT(0)	/* durable when it is done */
#define HEARTH_DO_PUNCH	BIT(1)	/* a WRITE SAME that may give space back */

/* capacity.c */
void hearth_capacity_init(struct hearth_dev *hdev);
void hearth_capacity_exit(struct hearth_dev *hdev);
void hearth_capacity_tell(struct hearth_dev *hdev);
void hearth_capacity_update(struct hearth_dev *hdev);
void hearth_capacity_check(struct hearth_dev *hdev);
bool hearth_capacity_intercept(struct se_cmd *cmd);

/* cdev.c */
int hearth_cdev_init(void);
void hearth_cdev_exit(void);
int hearth_cdev_add(struct hearth_dev *hdev);
void hearth_cdev_start(struct hearth_dev *hdev);
void hearth_cdev_stop(struct hearth_dev *hdev);
void hearth_cdev_remove(struct hearth_dev *hdev);
dev_t hearth_cdev_number(const struct hearth_dev *hdev);
void hearth_cdev_event(struct hearth_dev *hdev);
void hearth_cdev_resized(struct hearth_dev *hdev, u64 size_bytes);
bool hearth_cdev_settle(struct hearth_dev *hdev);
bool hearth_cdev_shows(struct hearth_dev *hdev);
int hearth_cdev_revoke(struct hearth_dev *hdev);

/* command.c */
void hearth_orphan_put(struct hearth_dev *hdev);
int hearth_command_init(void);
void hearth_command_exit(void);
sense_reason_t hearth_parse_cdb(struct se_cmd *cmd);
struct page *hearth_pattern_alloc(void);
void hearth_command_flush(struct hearth_dev *hdev);
int hearth_command_wait(struct hearth_dev *hdev, enum hearth_op op);
int hearth_command_do(struct hearth_dev *hdev, enum hearth_op op,
		      const struct hearth_span *span, unsigned int flags);
struct hearth_request *hearth_request_alloc(struct se_cmd *cmd,
					    enum hearth_op op);
void hearth_request_orphan(struct hearth_request *req);
void hearth_request_free(struct hearth_request *req);
u64 hearth_sg_bytes(struct scatterlist *sgl, u32 nents);
int hearth_command_alone(struct hearth_dev *hdev, u64 offset, u64 len,
			 int (*alone)(struct hearth_dev *hdev));
extern const struct hearth_cache_ops hearth_cache_ops;

/* dispatch.c */
int hearth_dispatch_init(void);
void hearth_dispatch_exit(void);
void hearth_dispatch(struct hearth_io *io);
void hearth_dispatch_on(struct hearth_io *io, int nid);
void hearth_dispatch_work(struct hearth_io *io, work_func_t step);

/* prefetch.c */
sense_reason_t hearth_prefetch_parse(struct se_cmd *cmd);
bool hearth_prefetch_next(struct hearth_request *req);
u8 hearth_prefetch_status(const struct hearth_request *req);

/* node.c */
int hearth_node_reserve(struct hearth_dev *hdev);
void hearth_node_release(struct hearth_dev *hdev);
void hearth_node_update(int nid);
int hearth_node_resize(struct hearth_dev *hdev);

/* online.c */
extern const struct attribute_group hearth_online_group;

/* readonly.c */
void hearth_readonly_set(struct hearth_dev *hdev, bool readonly);
int hearth_readonly_apply(struct hearth_dev *hdev);

/* reattach.c */
void hearth_reattach_init(struct hearth_dev *hdev);
void hearth_reattach_exit(struct hearth_dev *hdev);
int hearth_reattach(struct hearth_dev *hdev);

/* sense.c */
void hearth_command_fail(struct se_cmd *cmd, const struct hearth_io *io);

/* shrink.c */
int hearth_shrink_init(void);
void hearth_shrink_exit(void);
int hearth_shrink_add(struct hearth_dev *hdev);
void hearth_shrink_remove(struct hearth_dev *hdev);

/* stats.c */
int hearth_stats_init(void);
void hearth_stats_exit(void);
int hearth_stats_add(struct hearth_dev *hdev);
void hearth_stats_remove(struct hearth_dev *hdev);

/* unmap.c */
sense_reason_t hearth_write_same(struct se_cmd *cmd);
sense_reason_t hearth_write_same_unmap(struct se_cmd *cmd);
sense_reason_t hearth_unmap(struct se_cmd *cmd);
bool hearth_unmap_next(struct hearth_request *req);

/* verify.c */
sense_reason_t hearth_verify_parse(struct se_cmd *cmd);
bool hearth_verify_next(struct hearth_request *req);

/* writeback.c */
int hearth_writeback_init(void);
void hearth_writeback_exit(void);
int hearth_writeback_start(struct hearth_dev *hdev);
void hearth_writeback_stop(struct hearth_dev *hdev);
void hearth_writeback_free(struct hearth_dev *hdev);
int hearth_writeback_set_mode(struct hearth_dev *hdev, enum hearth_mode mode);
void hearth_writeback_hold(struct hearth_dev *hdev);
void hearth_writeback_failed(struct hearth_dev *hdev);
u64 hearth_writeback_dirty_bytes(struct hearth_dev *hdev);
int hearth_writeback_flush(struct hearth_dev *hdev);
int hearth_writeback_discard(struct hearth_dev *hdev);
int hearth_writeback_accept_loss(struct hearth_dev *hdev);
void hearth_writeback_soon(struct hearth_dev *hdev);
int hearth_writeback_error(struct hearth_dev *hdev);
void hearth_writeback_run(struct hearth_cache *cache, int nid);

#endif /* HEARTH_H */
