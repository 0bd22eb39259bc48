// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The model test: many requests on a small LUN with a small cache, every step
 * of each chosen by a source of decisions.
 *
 * A step submits a request, runs one that is runnable, moves a sector on the
 * disk, or changes something from outside (mode, home, dispatch, a bad block, a
 * node's memory or CPUs),
 * or starts readahead, or looks whether a page changed that an initiator keeps.
 * The oracle judges what requests return, check_rules() the cache after each
 * step.  Now and then a step is interrupted: where it holds no lock, at one of
 * its accesses to shared memory or having dropped a lock, other steps run, as if
 * by another CPU.
 */
#include "rig.h"
#include "model.h"
#include "pin.h"
#include "share.h"

#define MAX_ACTIVE	12

struct model {
	struct rig rig;
	struct choice *choice;
	u32 block;		/* in sectors */
	u32 focus;		/* requests gather here */
	bool disk_fails;
	unsigned int until_interrupt;	/* 0: never */
};

static struct model *m;

static const struct rig_config shapes[] = {
	{ .nr_nodes = 1, .frames = { 12 }, .nr_sectors = 8 * 40 },
	{ .nr_nodes = 1, .frames = { 24 }, .nr_sectors = 8 * 80 - 3 },
	{ .nr_nodes = 2, .frames = { 8, 8 }, .nr_sectors = 8 * 64 + 1 },
	{ .nr_nodes = 2, .frames = { 3, 30 }, .nr_sectors = 8 * 70 },
	{ .nr_nodes = 4, .frames = { 6, 0, 9, 2 }, .nr_sectors = 8 * 100 },
	{ .nr_nodes = 4, .frames = { 0, 4, 4, 4 }, .nr_sectors = 8 * 20 },
	{ .nr_nodes = 1, .frames = { 200 }, .nr_sectors = 8 * 90 - 7 },
};

static u32 pick(u32 n)
{
	return choose(m->choice, n);
}

static void init(void)
{
	struct rig_config config = shapes[pick(ARRAY_SIZE(shapes))];
	static const u32 blocks[] = { 512, 512, 1024, 4096 };
	u32 options = pick(256);
	int nid;

	config.block_bytes = blocks[options & 3];
	m->block = config.block_bytes / SECTOR_BYTES;
	config.nr_sectors -= config.nr_sectors % m->block;
	config.home = options & 4 ? HEARTH_HOME_STRIPE : HEARTH_HOME_TOUCH;
	m->disk_fails = options & 8;
	config.ahead_bytes = options & 32 ? 1 << 20 : 0;
	config.dirty_bytes = options & 64 ? 1 << 30 : 0;
	config.mode = options & 64 ? HEARTH_WRITEBACK : HEARTH_WRITETHROUGH;
	config.dispatch = pick(3);
	rig_init(&m->rig, &config);
	for_each_node(nid)
		hearth_share_set_commons(nid, pick(64));
	if (options & 16) {
		shim_fail_in = 1 + pick(16);
		shim_fail_every = 3 + pick(32);
	}
}

static void step(void);

/*
 * The hook of shim_step().  If the step that is interrupted is in a section of
 * RCU, that stays open meanwhile.
 */
static void interrupt(void)
{
	unsigned int nr;

	if (!shim_holds_no_lock() || --m->until_interrupt)
		return;
	shim_step_hook = NULL;
	m->rig.is_nested = true;
	for (nr = pick(48); nr; nr--)
		step();
	m->rig.is_nested = false;
	m->until_interrupt = 1 + pick(32);
	shim_step_hook = interrupt;
}

static void allow_interrupts(bool allow)
{
	if (m->rig.is_nested)
		return;
	if (allow)
		m->until_interrupt = 1 + pick(32);
	shim_step_hook = allow ? interrupt : NULL;
}

static u32 pick_length(u32 max)
{
	static const u32 lengths[] = { 1, 1, 2, 3, 8, 8, 13, 24, 64, 150, 400 };
	u32 n = lengths[pick(ARRAY_SIZE(lengths))];

	n -= n % m->block;
	return min(n ? n : m->block, max);
}

static struct req *new_req(enum hearth_op op)
{
	struct rig *rig = &m->rig;
	u32 sector, nr;
	struct req *req;

	if (!pick(8))
		m->focus = pick(rig->disk.nr_sectors);
	sector = pick(4) ? m->focus + pick(40) : pick(rig->disk.nr_sectors);
	sector %= rig->disk.nr_sectors;
	sector -= sector % (pick(3) ? m->block : HEARTH_FRAME_SECTORS);
	nr = pick_length(rig->disk.nr_sectors - sector);
	if (op == HEARTH_OP_DISCARD && !pick(6)) {
		sector = 0;
		nr = rig->disk.nr_sectors;
	}
	req = rig_req(rig, op, sector, nr);
	req->auto_free = true;
	return req;
}

/* Memory of the target core, which may be flipped, or any other. */
static void set_memory(struct req *req, u32 how)
{
	int nid = pick(nr_node_ids);

	req->keep_pages = how & 1;
	if (how & 2 && (req->io.op == HEARTH_OP_READ ||
			req->io.op == HEARTH_OP_WRITE))
		req_set_pages(req, nid);
	else
		req_set_memory(req, nid, how & 4 ? (how >> 1) * 8 : 0,
			       how & 32 ? 1 + pick(64) * 200 : 0);
}

static void submit(void)
{
	static const enum hearth_op ops[] = {
		HEARTH_OP_READ, HEARTH_OP_READ, HEARTH_OP_READ, HEARTH_OP_READ,
		HEARTH_OP_WRITE, HEARTH_OP_WRITE, HEARTH_OP_WRITE,
		HEARTH_OP_DISCARD, HEARTH_OP_WRITE_SAME, HEARTH_OP_FLUSH,
		HEARTH_OP_PREFETCH, HEARTH_OP_SHOW,
		HEARTH_OP_ALONE,
	};
	struct req *req = new_req(ops[pick(ARRAY_SIZE(ops))]);
	u32 how = pick(256);

	req->io.fua = how & 1;
	req->no_hits = how & 2;
	set_memory(req, how >> 2);
	rig_submit(req);
}

/* A block goes bad or gets well again. */
static void change_block(void)
{
	u32 sector = pick(m->rig.disk.nr_sectors);
	bool *what = pick(2) ? m->rig.disk.cannot_read :
			       m->rig.disk.cannot_write;
	bool bad = !pick(3);
	u32 i;

	if (!m->disk_fails)
		return;
	sector -= sector % m->block;
	for (i = 0; i < m->block; i++)
		what[sector + i] = bad;
	if (!pick(4))
		m->rig.disk.fail_in = 1 + pick(8);
}

/* As if a marked frame had been hit. */
static void read_ahead(void)
{
	struct hearth_ahead ahead = {
		.frame = pick(m->rig.disk.nr_sectors) / HEARTH_FRAME_SECTORS,
		.order = 1 + pick(6),
	};
	struct hearth_io *io = hearth_ahead_alloc(m->rig.cache, ahead,
						  pick(nr_node_ids));

	if (io)
		hearth_io_submit(io);
}

/* As if some extent had a suitor here. */
static void rehome(void)
{
	u64 frame = pick(m->rig.disk.nr_sectors) / HEARTH_FRAME_SECTORS;
	struct hearth_io *io = hearth_rehome_alloc(m->rig.cache, frame);

	if (io)
		hearth_io_submit(io);
}

/* Less or more memory than there was, or the node wants some back. */
static void change_size(void)
{
	struct hearth_cache *cache = m->rig.cache;
	unsigned long min[SHIM_MAX_NODES], max[SHIM_MAX_NODES];
	int nid;

	if (!pick(3)) {
		hearth_cache_shrink(cache, pick(nr_node_ids), 1 + pick(16));
		return;
	}
	for_each_node(nid) {
		max[nid] = 3 + pick(60);
		min[nid] = 2 + pick(max[nid] - 2);
	}
	hearth_cache_resize(cache, max, min);
}

static void change_pins(void)
{
	struct rig *rig = &m->rig;
	u64 frame = pick(rig->disk.nr_sectors) / HEARTH_FRAME_SECTORS / 4;
	u64 offset = frame << (HEARTH_FRAME_SHIFT + 2);
	const struct hearth_pin *pin;

	if (m->rig.is_nested)	/* it waits for look-ups */
		return;
	if (pick(2)) {
		hearth_pin_add(rig->cache, offset,
			       1 + ((u64)pick(8) << PAGE_SHIFT));
	} else if (rig->cache->pins) {
		pin = &rig->cache->pins->pins[0];
		hearth_pin_remove(rig->cache, pin->first << HEARTH_FRAME_SHIFT,
				  hearth_pin_bytes(pin));
	}
}

/* A process prepares a window, touches it, commits a part of it, or gives it up. */
static void use_window(u64 frame)
{
	struct rig *rig = &m->rig;
	u64 nr_frames = DIV_ROUND_UP_ULL(rig->disk.nr_sectors,
					 HEARTH_FRAME_SECTORS);
	struct req *req;

	switch (pick(4)) {
	case 0:
		windows_prepare(rig, frame, 1 + pick(min_t(u64, 6, nr_frames -
								   frame)));
		break;
	case 1:
		windows_see(frame);
		break;
	case 2:
		if (!windows_next(&frame) || rig->nr_active >= MAX_ACTIVE)
			break;
		req = windows_req(rig, frame, 1 + pick(6));
		req->auto_free = true;
		req->io.fua = !pick(4);
		rig_submit(req);
		break;
	default:
		if (windows_next(&frame) && !pick(3))
			windows_abandon(rig, frame);
	}
}

/* A process touches what may be shown, or lets go, or a sweep comes. */
static void see(void)
{
	struct rig *rig = &m->rig;
	u32 frame = (m->focus + pick(40)) % rig->disk.nr_sectors /
		    HEARTH_FRAME_SECTORS;

	switch (pick(8)) {
	case 4:
	case 5:
	case 6:
	case 7:
		use_window(frame);
		break;
	case 0:
		seen_drop(pick(16));
		break;
	case 1:
		if (!rig->is_nested)	/* one at a time */
			hearth_show_sweep(rig->cache);
		break;
	default:
		seen_add(rig, frame, pick(2));
	}
}

/* Only if there is one: what may be written again stays a matter of the cache. */
static void accept_loss(void)
{
	if (!hearth_cache_is_lost(m->rig.cache))
		return;
	hearth_cache_accept_loss(m->rig.cache);
	disk_accept_loss(&m->rig.disk);
}

static void change_something(void)
{
	struct hearth_cache *cache = m->rig.cache;

	switch (pick(26)) {
	case 22:
	case 23:
	case 24:
	case 25:
		see();
		break;
	case 21:
		accept_loss();
		break;
	case 14:
		hearth_cache_set_dispatch(cache, pick(3));
		break;
	case 15:
		shim_cpuless = pick(1 << nr_node_ids);
		break;
	case 16:
		rehome();
		break;
	case 17:
		change_size();
		break;
	case 18:
		change_pins();
		break;
	case 19:
		WRITE_ONCE(cache->paused, !pick(3));
		break;
	case 20:
		hearth_cache_drop(cache);
		break;
	case 8:
		held_drop(1 + pick(16));
		break;
	case 9:
		read_ahead();
		break;
	case 10:
		hearth_cache_set_ahead(cache, (u64)pick(3) << 17);
		break;
	case 11:
		if (m->rig.oracle.is_early)
			WRITE_ONCE(cache->mode, HEARTH_WRITEBACK);
		break;
	case 12:
		hearth_flush_start(cache);
		break;
	case 13:
		hearth_cache_set_dirty(cache, (u64)pick(40) << 12);
		break;
	case 0:
		WRITE_ONCE(cache->mode, HEARTH_WRITEAROUND);
		break;
	case 1:
	case 2:
		WRITE_ONCE(cache->mode, HEARTH_WRITETHROUGH);
		break;
	case 3:
		WRITE_ONCE(cache->home, pick(2) ? HEARTH_HOME_TOUCH :
						  HEARTH_HOME_STRIPE);
		break;
	case 4:
		shim_nid = pick(nr_node_ids);
		break;
	case 5:
		shim_node_budget(pick(nr_node_ids), (long)pick(12) - 1);
		break;
	default:
		change_block();
	}
}

/* Lets the disk do some of what one request wants. */
static void use_disk(void)
{
	u32 i = pick(m->rig.nr_on_disk);
	unsigned int n;

	for (n = pick(24) + 1; n; n--) {
		if (rig_disk(&m->rig, i, choice_bits(m->choice)))
			break;
	}
}

static void step(void)
{
	struct rig *rig = &m->rig;
	u32 what = pick(32);

	allow_interrupts(what & 1);
	what /= 2;
	if (what == 0) {
		change_something();
	} else if (what < 5) {
		if (rig->nr_active < MAX_ACTIVE)
			submit();
	} else if (what < 10 && rig->to_flush && pick(2)) {
		rig_flush(rig);
	} else if (what < 10 && rig->nr_runnable) {
		rig_run(rig, pick(rig->nr_runnable));
	} else if (rig->nr_on_disk) {
		use_disk();
	} else if (rig->nr_runnable) {
		rig_run(rig, pick(rig->nr_runnable));
	} else if (rig->to_flush) {
		rig_flush(rig);
	}
	allow_interrupts(false);
	check_rules(rig);
}

static void reset_shim(void)
{
	int nid;

	shim_fail_in = 0;
	shim_nid = 0;
	shim_cpuless = 0;
	for (nid = 0; nid < SHIM_MAX_NODES; nid++)
		shim_node_budget(nid, -1);
}

/* At the end every sector is read once more. */
static void read_all(struct rig *rig)
{
	u32 sector, nr;

	for (sector = 0; sector < rig->disk.nr_sectors; sector += nr) {
		nr = min_t(u32, 64, rig->disk.nr_sectors - sector);
		rig_do(rig, HEARTH_OP_READ, sector, nr);
	}
}

/* And whatever can be written is on the device. */
static void write_back_all(struct rig *rig)
{
	memset(rig->disk.cannot_write, 0, rig->disk.nr_sectors);
	rig->disk.fail_in = 0;
	accept_loss();
	rig_do(rig, HEARTH_OP_FLUSH, 0, rig->disk.nr_sectors);
	if (rig_do(rig, HEARTH_OP_FLUSH, 0, rig->disk.nr_sectors) ||
	    rig_dirty(rig))
		shim_die("%lu frames stay dirty", rig_dirty(rig));
}

/**
 * model_run() - a life of a cache
 * @choice: where the decisions come from
 * @nr_steps: how long; less if the decisions run out
 */
void model_run(struct choice *choice, unsigned int nr_steps)
{
	static struct model model;

	memset(&model, 0, sizeof(model));
	m = &model;
	m->choice = choice;
	if (!choice->state)
		choice->state = 88172645463325252ull;
	reset_shim();
	init();
	while (nr_steps-- && (!choice->bytes || choice->nr_left))
		step();
	rig_drain(&m->rig);
	reset_shim();
	seen_drop_all();
	windows_drop_all(&m->rig);
	hearth_show_sweep(m->rig.cache);
	read_all(&m->rig);
	write_back_all(&m->rig);
	rig_exit(&m->rig);
}
