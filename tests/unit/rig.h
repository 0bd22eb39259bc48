/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache over a fake disk, with every step in the test's hand.
 *
 * Nothing happens by itself: the cache asks for a request to be run, or for a
 * backing I/O, and the rig queues it until the test calls rig_run() or
 * rig_disk() for it.  rig_drain() does so until nothing is left.  Whatever a
 * request returns is compared with the oracle.
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include "cache.h"
#include "claim.h"
#include "index.h"
#include "lookup.h"
#include "pool.h"
#include "readahead.h"
#include "rehome.h"
#include "show.h"
#include "window.h"

#include "sector.h"
#include "disk.h"
#include "oracle.h"

#define RIG_MAX_REQS	64

enum req_state {
	REQ_NEW,
	REQ_CORE,	/* the core works on it or keeps it in a queue */
	REQ_QUEUED,	/* hearth_cache_ops.run was called */
	REQ_ON_DISK,	/* hearth_cache_ops.submit was called */
	REQ_DONE,
};

/**
 * struct req - a request and all that the test knows of it
 * @io: what the core sees
 * @rig: whose
 * @state: who has it
 * @auto_free: free it when it is done
 * @no_hits: go to hearth_io_submit() without a look at the cache
 * @was_range: it went past the cache
 * @nr_taken: whole frames of a write that hearth_cache_write_hits() took
 * @run_nid: the node where it is to be run, or NUMA_NO_NODE: anywhere
 * @keep_pages: keep what a read was given beyond its end, see held.c
 * @is_window: it commits prepared pages, see windows.c
 * @sector: first sector
 * @nr_sectors: how many
 * @tag: makes the values of a write unique
 * @pages: its memory
 * @nr_pages: how much that is
 * @sg: its scatterlist
 * @all: its whole range; &hearth_io.span moves on
 * @since: the oracle's, by sector
 * @open: likewise
 * @moves: what the disk still has to transfer
 * @nr_moves: length of @moves
 * @snapshot: of a flush: what the disk held when it began
 * @disk_error: what the disk will say
 * @bad_block: where the last read of a single block failed
 */
struct req {
	struct hearth_io io;
	struct rig *rig;
	enum req_state state;
	bool auto_free, no_hits, was_range, keep_pages, is_window;
	u32 nr_taken;
	int run_nid;
	u32 sector, nr_sectors, tag;
	struct page *pages;
	unsigned int nr_pages;
	struct scatterlist *sg;
	struct hearth_span all;
	u32 *since, *open;
	struct disk_move *moves;
	u32 nr_moves;
	struct disk_sector *snapshot;
	int disk_error;
	u64 bad_block;
};

struct rig_config {
	unsigned int nr_nodes;
	unsigned long frames[SHIM_MAX_NODES];	/* that there is room for */
	unsigned long nr_pages[SHIM_MAX_NODES];	/* or: memory in all */
	u32 nr_sectors;
	u32 block_bytes;	/* 512 if 0 */
	enum hearth_mode mode;
	enum hearth_home home;
	enum hearth_dispatch dispatch;
	u64 stripe_bytes;	/* 64 KiB if 0 */
	u64 ahead_bytes;	/* no readahead if 0 */
	u64 dirty_bytes;	/* nothing written back if 0 */
};

struct rig {
	struct hearth_cache *cache;
	struct disk disk;
	struct oracle oracle;
	struct req *runnable[RIG_MAX_REQS];
	struct req *on_disk[RIG_MAX_REQS];
	struct req *active[RIG_MAX_REQS];
	unsigned int nr_runnable, nr_on_disk, nr_active;
	unsigned long to_flush;	/* nodes */
	unsigned int nr_sent;	/* calls of hearth_cache_ops.run_on */
	struct req *running;
	bool is_nested;		/* a step runs in the middle of another */
	void (*look_up_hook)(void);	/* for shim_step() in look-ups */
	u32 last_tag;
};

void rig_init(struct rig *rig, const struct rig_config *config);
void rig_exit(struct rig *rig);

struct req *rig_req(struct rig *rig, enum hearth_op op, u32 sector,
		    u32 nr_sectors);
void req_set_memory(struct req *req, int nid, u32 offset, u32 piece);
void req_set_pages(struct req *req, int nid);
void req_set_window(struct req *req, struct page **pages);
void req_free(struct req *req);

void rig_submit(struct req *req);
void rig_run(struct rig *rig, unsigned int i);
bool rig_disk(struct rig *rig, unsigned int i, u32 random);
void rig_flush(struct rig *rig);
void rig_run_all(struct rig *rig);
void rig_finish_disk(struct req *req);
void rig_drain(struct rig *rig);

int rig_do(struct rig *rig, enum hearth_op op, u32 sector, u32 nr_sectors);
bool rig_hits(struct rig *rig, u32 sector, u32 nr_sectors);
u64 rig_count(struct rig *rig, enum hearth_counter which);
u64 rig_peek(struct rig *rig, u32 sector);
unsigned long rig_dirty(struct rig *rig);

void check_rules(struct rig *rig);
void check_rest(struct rig *rig);

void req_copy(const struct hearth_span *span, u32 offset, void *mem, u32 len,
	      bool to_memory);
u64 req_value(const struct req *req, u32 i);
u64 req_new_value(const struct req *req, u32 i);

void held_keep(const struct req *req);
void held_check(void);
void held_drop(unsigned int nr);
void held_drop_all(void);

void seen_add(struct rig *rig, u64 frame_nr, bool may_store);
bool seen_take(u64 frame_nr, struct page *page);
void seen_drop(unsigned int i);
void seen_drop_all(void);
void seen_check(struct rig *rig);

int windows_prepare(struct rig *rig, u64 frame_nr, unsigned int nr);
struct page *windows_page(u64 frame_nr);
void windows_see(u64 frame_nr);
bool windows_next(u64 *frame_nr);
struct req *windows_req(struct rig *rig, u64 frame_nr, unsigned int nr);
void windows_end(struct req *req);
void windows_abandon(struct rig *rig, u64 frame_nr);
void windows_drop_all(struct rig *rig);
unsigned long windows_pages(int nid);

static inline bool req_is_read(const struct req *req)
{
	return req->io.op == HEARTH_OP_READ;
}

/* Whether the device's data go into memory. */
static inline bool req_fills(const struct req *req)
{
	return req_is_read(req) || req->io.op == HEARTH_OP_PREFETCH ||
	       req->io.op == HEARTH_OP_SHOW;
}

/* Whether an initiator asked for it. */
static inline bool req_is_command(const struct req *req)
{
	return req->io.op != HEARTH_OP_PREFETCH &&
	       req->io.op != HEARTH_OP_SHOW &&
	       req->io.op != HEARTH_OP_REHOME &&
	       req->io.op != HEARTH_OP_CLEAN &&
	       req->io.op != HEARTH_OP_FORGET && req->io.op != HEARTH_OP_ALONE;
}

/* Whether it changes what the LUN holds. */
static inline bool req_changes(const struct req *req)
{
	return req->io.op == HEARTH_OP_WRITE ||
	       req->io.op == HEARTH_OP_WRITE_SAME ||
	       req->io.op == HEARTH_OP_DISCARD;
}

#endif /* TEST_RIG_H */
