/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --numa: which node an end's threads and blocks are placed on.
 *
 * Storage threads belong near the disk, network threads near the card, and the
 * blocks between them near the card, which cannot wait. A device that does not
 * say where it is (a tmpfs, a virtual card) gives no reason to move anything,
 * and on a machine with one node there is nothing to place.
 */
#ifndef HEARTH_NUMA_H
#define HEARTH_NUMA_H

#include <hearth/mover.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --numa=NODE is this and the node's number. */
#define HEARTH_NUMA_NODE 16
#define HEARTH_NUMA_MAX_NODE 239

struct hearth_numa {
	uint32_t nr_nodes;
	int disk_node; /* -1: not known, or of no matter */
	int card_node;
	uint32_t nr_irqs; /* of the card, */
	uint32_t nr_foreign_irqs; /* of which these are served by other nodes' CPUs */
	char disk[64]; /* MAJOR:MINOR */
	bool is_on_disk; /* that is a block device, no tmpfs or share */
	char card[64];
	bool has_huge_pages; /* the blocks are in them; known once there are blocks */
	const char *end; /* whose plan it is, for reports */
};

/*
 * Reads what this machine says below @root (normally ""): of the disk that holds @path (or NULL),
 * and of the card that carries the socket @fd (or -1).
 */
void hearth_numa_read(struct hearth_numa *n, const char *root, const char *path, int fd);

/* Whether MAJOR:MINOR is a block device. */
bool hearth_numa_is_disk(const char *root, const char *disk);

/* The parts of it. A node's number, or -1. */
int hearth_numa_node_of_disk(const char *root, const char *disk);
int hearth_numa_node_of_card(const char *root, const char *card);
uint32_t hearth_numa_count_nodes(const char *root);

/* Bytes of memory that a node has; of the whole machine for -1, or where nobody says. */
uint64_t hearth_numa_memory(const char *root, int node);
void hearth_numa_count_irqs(struct hearth_numa *n, const char *root);

/* "0-3,8" in a file -> a set. False if there is none. */
bool hearth_numa_read_cpus(const char *path, cpu_set_t *ret);

/* Applies --numa to what was read. */
void hearth_numa_plan(struct hearth_numa *n, uint8_t mode);

/* Where the threads of another disk go: its number as the above say it, or -1. */
int hearth_numa_node_for(const struct hearth_numa *n, uint8_t mode, const char *disk);

/* Says the plan if it was asked for, and warns of what works against it. */
void hearth_numa_tell(const struct hearth_numa *n, struct hearth_job *job);

/* The same of another disk that got @nr_threads of its own. */
void hearth_numa_tell_disk(const struct hearth_numa *n, struct hearth_job *job, const char *disk,
			   int node, uint32_t nr_threads);

/* Moves the calling thread to the CPUs of a node; -1: leaves it alone. */
void hearth_numa_bind_thread(int node);

/* Has pages that are touched from now on come from a node, as long as it has any. */
void hearth_numa_bind_memory(int node, void *memory, size_t len);

#endif
