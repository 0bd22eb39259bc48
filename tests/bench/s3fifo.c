// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's own replacement policy, driven by a trace.
 *
 * Built with the shim of the unit tests in place of the kernel.  Each block has
 * a frame of its own and an extent that gives it its address.
 */
#include "policy.h"
#include "sim.h"

struct block {
	struct hearth_frame frame;
	struct hearth_extent extent;
	bool there;
};

static struct page some_page;

uint64_t sim_s3fifo(const struct trace *t, uint32_t size)
{
	struct block *blocks = kvcalloc(t->nr_blocks, sizeof(*blocks),
					GFP_KERNEL);
	struct hearth_policy policy = { };
	struct hearth_frame *victim;
	uint64_t hits = 0;
	uint32_t used = 0;

	if (!blocks || hearth_policy_init(&policy, size, 0))
		abort();
	for (uint64_t i = 0; i < t->len; i++) {
		struct block *b = &blocks[t->refs[i]];

		if (b->there) {
			hits++;
			hearth_policy_touch(&b->frame);
			continue;
		}
		if (used == size) {
			victim = hearth_policy_victim(&policy);
			container_of(victim, struct block, frame)->there = false;
		} else {
			used++;
		}
		b->extent.key = t->refs[i] >> HEARTH_EXTENT_SHIFT;
		b->frame.index = t->refs[i] % HEARTH_EXTENT_FRAMES;
		b->frame.extent = &b->extent;
		b->frame.page = &some_page;
		b->frame.freq = 0;
		b->there = true;
		hearth_policy_insert(&policy, &b->frame);
	}
	hearth_policy_exit(&policy);
	kvfree(blocks);
	return hits;
}
