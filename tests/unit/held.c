// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that somebody still reads when the command is over, as TCP does while
 * its peer has not acknowledged them: their contents must not change.
 */
#include "rig.h"

#define MAX_HELD	64

static struct held {
	struct page *page;
	u8 contents[PAGE_SIZE];
} held[MAX_HELD];

static unsigned int nr_held;

static void drop_oldest(void)
{
	struct page *page = held[0].page;

	memmove(&held[0], &held[1], --nr_held * sizeof(held[0]));
	put_page(page);
}

/* Keeps the pages of a request that is over, and drops the oldest for it. */
void held_keep(const struct req *req)
{
	struct scatterlist *sg;

	for (sg = req->all.flip ? req->sg : NULL; sg; sg = sg_next(sg)) {
		if (nr_held == MAX_HELD)
			drop_oldest();
		get_page(sg_page(sg));
		held[nr_held].page = sg_page(sg);
		memcpy(held[nr_held++].contents, sg_page(sg)->data, PAGE_SIZE);
	}
}

/* Each page is as it was when it was handed out. */
void held_check(void)
{
	unsigned int i;

	for (i = 0; i < nr_held; i++) {
		shim_assert(page_ref_count(held[i].page) > 0);
		if (memcmp(held[i].page->data, held[i].contents, PAGE_SIZE))
			shim_die("a page changes under its reader");
	}
}

/* The readers of the @nr oldest pages are done, if there are as many. */
void held_drop(unsigned int nr)
{
	held_check();
	for (; nr && nr_held; nr--)
		drop_oldest();
}

void held_drop_all(void)
{
	held_drop(MAX_HELD);
}
