// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that processes see.  For as long as they do, each stays the page of its block.
 */
#include "rig.h"

#define MAX_SEEN	16

static struct {
	u64 frame_nr;
	struct page *page;
} seen[MAX_SEEN];
static unsigned int nr_seen;

/* A process touches a block: if it is shown just now, it has its page. */
void seen_add(struct rig *rig, u64 frame_nr, bool may_store)
{
	struct page *page;

	if (nr_seen == MAX_SEEN)
		return;
	page = hearth_show_get_page(rig->cache, frame_nr, may_store);
	if (!page)
		return;
	seen[nr_seen].frame_nr = frame_nr;
	seen[nr_seen++].page = page;
}

/* It goes on seeing a page that is the block's by now; false: it cannot. */
bool seen_take(u64 frame_nr, struct page *page)
{
	if (nr_seen == MAX_SEEN)
		return false;
	seen[nr_seen].frame_nr = frame_nr;
	seen[nr_seen++].page = page;
	return true;
}

void seen_drop(unsigned int i)
{
	if (i >= nr_seen)
		return;
	put_page(seen[i].page);
	seen[i] = seen[--nr_seen];
}

void seen_drop_all(void)
{
	while (nr_seen)
		seen_drop(0);
}

void seen_check(struct rig *rig)
{
	struct hearth_extent *ext;
	struct hearth_frame *frame;
	unsigned int i;

	for (i = 0; i < nr_seen; i++) {
		rcu_read_lock();
		ext = hearth_extent_find(rig->cache, seen[i].frame_nr /
						     HEARTH_EXTENT_FRAMES);
		shim_assert(ext);
		frame = ext->frames[seen[i].frame_nr % HEARTH_EXTENT_FRAMES];
		shim_assert(frame && frame->page == seen[i].page);
		shim_assert(hearth_page_is_shown(frame->page));
		rcu_read_unlock();
	}
}
