/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the index that is still needed: batches by their place in the
 * virtual file. Both ends have one. A batch stays until nothing is left to do
 * for it, so memory follows what is in flight, not the size of the job.
 */
#ifndef HEARTH_TABLE_H
#define HEARTH_TABLE_H

#include <pthread.h>

#include "index.h"

struct hearth_table {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hearth_batch **batches; /* ascending; live ones are [first, last) */
	size_t first;
	size_t last;
	size_t cap;
	uint64_t end;         /* everything below is indexed */
	uint64_t nr_live;     /* entries of live batches */
	bool is_complete;     /* no batch follows */
	bool is_cancelled;
};

void hearth_table_init(struct hearth_table *t);
void hearth_table_exit(struct hearth_table *t);

/*
 * Appends a batch, with a reference for the table and one for the caller. 0 or -ENOMEM. Waits while
 * more than
 * @max_live entries are live; -ECANCELED.
 */
int hearth_table_add(struct hearth_table *t, struct hearth_batch *b, uint64_t max_live);

/* Takes @amount off what is left of a batch; the table drops it at zero, once it is answered. */
void hearth_table_settle(struct hearth_table *t, struct hearth_batch *b, uint64_t amount);

/* Says how much of a batch is left to do; before that, the table keeps it. */
void hearth_table_answer(struct hearth_table *t, struct hearth_batch *b, uint64_t amount);

/* Where the next live batch after @voff starts, or the end of the index. */
uint64_t hearth_table_skip(struct hearth_table *t, uint64_t voff);

/* The batch that holds @voff or has that number, with a reference; NULL: none that is live. */
struct hearth_batch *hearth_table_get(struct hearth_table *t, uint64_t voff);
struct hearth_batch *hearth_table_get_number(struct hearth_table *t, uint64_t number);
void hearth_table_put(struct hearth_table *t, struct hearth_batch *b);

/*
 * Parks the caller until the virtual file is indexed up to @voff. -ECANCELED, or -EPROTO if the
 * index ended before.
 */
int hearth_table_wait(struct hearth_table *t, uint64_t voff);
void hearth_table_complete(struct hearth_table *t);
void hearth_table_cancel(struct hearth_table *t);

#endif
