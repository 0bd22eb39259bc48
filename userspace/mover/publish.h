/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --publish: the destination becomes a read-only EROFS file system that holds the tree.
 *
 *   publish_options.c what goes with it on the command line
 *   publish.c        opening the target, the end, and what fails
 *   publish_plan.c   entries, as the index comes in             (control thread)
 *   publish_store.c  content, straight to its final blocks       (storage side)
 *   publish_target.c files, devices and LUNs
 *   erofs.h          the image itself
 *
 * A target that is too small is to be found out before what it holds is lost. So
 * content waits until the index is complete, or so long that it would have to
 * wait itself; from then on the target is no file system any more, until all of the
 * new one is durable and the superblock is written, last.
 */
#ifndef HEARTH_PUBLISH_H
#define HEARTH_PUBLISH_H

#include "recv.h"

/* NULL: no memory. */
struct hearth_publish *hearth_publish_alloc(void);
void hearth_publish_free(struct hearth_publish *p);

/* All below return 0, or -errno with the job failed for its own reason, or -EPROTO or -ENOMEM. */
int hearth_publish_open(struct hearth_receiver *r, bool is_single);
int hearth_publish_entry(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e);

/* A batch was taken in; content may come once the last one was, or many. */
int hearth_publish_planned(struct hearth_receiver *r, const struct hearth_batch *b);
int hearth_publish_index_ended(struct hearth_receiver *r);

/* Stores the part of a segment that lies in the batch, up to @end in the virtual file. */
int hearth_publish_store(struct hearth_receiver *r, struct hearth_batch *b,
			 const struct hearth_segment *seg, const uint8_t *data, uint64_t end);

/* Everything is stored: metadata, and the superblock. The job fails if that does. */
void hearth_publish_finish(struct hearth_receiver *r);

/* Nobody waits any more. */
void hearth_publish_cancel(struct hearth_publish *p);

#endif
