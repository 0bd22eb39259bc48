// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Windows: pages that a process has prepared, filled or not, seen by it or not.  What it
 * sees of those that became a frame's goes on being seen, see seen.c.
 */
#include "rig.h"

#define MAX_PREPARED	24
#define OWNER		8UL

static struct prepared {
	u64 frame_nr;
	struct page *page;
	bool is_seen;		/* one more reference */
	bool is_busy;		/* of a request under way */
} prepared[MAX_PREPARED];
static unsigned int nr_prepared;

static struct prepared *find(u64 frame_nr)
{
	unsigned int i;

	for (i = 0; i < nr_prepared; i++) {
		if (prepared[i].frame_nr == frame_nr)
			return &prepared[i];
	}
	return NULL;
}

static void forget(struct prepared *p)
{
	*p = prepared[--nr_prepared];
}

/* Prepares up to @nr frames that nobody has prepared yet; 0 or what the core says. */
int windows_prepare(struct rig *rig, u64 frame_nr, unsigned int nr)
{
	struct page *pages[MAX_PREPARED];
	unsigned int i;
	int ret;

	for (i = 0; i < nr && !find(frame_nr + i); i++)
		;
	nr = min(i, MAX_PREPARED - nr_prepared);
	if (!nr)
		return -EBUSY;
	ret = hearth_window_get_pages(rig->cache, frame_nr, nr, OWNER, pages);
	for (i = 0; i < nr && !ret; i++) {
		shim_assert(hearth_page_is_prepared(pages[i]) &&
			    hearth_page_owner(pages[i]) == OWNER &&
			    page_ref_count(pages[i]) == 1);
		prepared[nr_prepared++] = (struct prepared){
			.frame_nr = frame_nr + i, .page = pages[i],
		};
	}
	return ret;
}

struct page *windows_page(u64 frame_nr)
{
	struct prepared *p = find(frame_nr);

	return p ? p->page : NULL;
}

/* A process touches a page of its window. */
void windows_see(u64 frame_nr)
{
	struct prepared *p = find(frame_nr);

	if (!p || p->is_seen || p->is_busy)
		return;
	p->is_seen = true;
	get_page(p->page);
}

/* A frame that can be committed, at or behind one; or what is there. */
bool windows_next(u64 *frame_nr)
{
	struct prepared *p = NULL;
	unsigned int i;

	for (i = 0; i < nr_prepared; i++) {
		if (!prepared[i].is_busy &&
		    (!p || (prepared[i].frame_nr >= *frame_nr &&
			    prepared[i].frame_nr < p->frame_nr)))
			p = &prepared[i];
	}
	if (p)
		*frame_nr = p->frame_nr;
	return p;
}

/* A request that commits up to @nr frames from one on that can be. */
struct req *windows_req(struct rig *rig, u64 frame_nr, unsigned int nr)
{
	struct page *pages[MAX_PREPARED];
	struct prepared *p;
	struct req *req;
	unsigned int i;
	u32 sector = frame_nr * HEARTH_FRAME_SECTORS;

	for (i = 0; i < nr; i++) {
		p = find(frame_nr + i);
		if (!p || p->is_busy)
			break;
		p->is_busy = true;
		pages[i] = p->page;
	}
	shim_assert(i);
	req = rig_req(rig, HEARTH_OP_WRITE, sector,
		      min(i * HEARTH_FRAME_SECTORS,
			  rig->disk.nr_sectors - sector));
	req_set_window(req, pages);
	return req;
}

/* What becomes of one of a request's pages that is committed. */
static void end_one(struct rig *rig, struct prepared *p)
{
	bool is_a_frames = !hearth_page_is_prepared(p->page);

	/* what is no frame's now is taken away from who sees it */
	if (p->is_seen && (!is_a_frames || !seen_take(p->frame_nr, p->page)))
		put_page(p->page);
	hearth_window_put_page(rig->cache, p->page);
	forget(p);
}

/* A request is over. */
void windows_end(struct req *req)
{
	u64 first = req->sector / HEARTH_FRAME_SECTORS;
	struct prepared *p;
	unsigned int i;

	for (i = 0; i < req->nr_sectors; i += HEARTH_FRAME_SECTORS) {
		p = find(first + i / HEARTH_FRAME_SECTORS);
		shim_assert(p && p->is_busy);
		p->is_busy = false;
		if (!req->io.error)
			end_one(req->rig, p);
		else
			shim_assert(hearth_page_is_prepared(p->page));
	}
}

/* A process gives a page up; who sees it keeps what is nobody's. */
void windows_abandon(struct rig *rig, u64 frame_nr)
{
	struct prepared *p = find(frame_nr);

	if (!p || p->is_busy)
		return;
	if (p->is_seen)
		put_page(p->page);
	hearth_window_put_page(rig->cache, p->page);
	forget(p);
}

void windows_drop_all(struct rig *rig)
{
	while (nr_prepared)
		windows_abandon(rig, prepared[0].frame_nr);
}

/* How many pages of a node are prepared. */
unsigned long windows_pages(int nid)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < nr_prepared; i++)
		nr += hearth_page_is_prepared(prepared[i].page) &&
		      page_to_nid(prepared[i].page) == nid;
	return nr;
}
