/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Groups of threads, one for each node with CPUs.
 */
#ifndef HEARTH_WORKERS_H
#define HEARTH_WORKERS_H

#include <linux/list.h>
#include <linux/types.h>

/**
 * struct hearth_job - what a group runs
 * @node: link in the group's queue
 * @run: what to do; the job may be gone afterwards
 */
struct hearth_job {
	struct list_head node;
	void (*run)(struct hearth_job *job);
};

int hearth_workers_init(void);
void hearth_workers_exit(void);
bool hearth_workers_queue(int nid, struct hearth_job *job);

#endif /* HEARTH_WORKERS_H */
