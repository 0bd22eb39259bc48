// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policies that S3-FIFO is compared with: LRU, CLOCK, ARC and the optimum.
 *
 * Each is the plain textbook form, over block numbers below a known bound, so
 * that tables indexed by block take the place of hash tables.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define NONE UINT32_MAX

static void *alloc_table(size_t n, size_t size)
{
	void *table = calloc(n, size);

	if (!table)
		abort();
	return table;
}

/* A doubly linked list over block numbers; the list itself is block @n. */
struct chain {
	uint32_t *next, *prev;
	uint32_t head;
	uint32_t len;
};

static void chain_init(struct chain *c, uint32_t *next, uint32_t *prev,
		       uint32_t head)
{
	*c = (struct chain) { next, prev, head, 0 };
	next[head] = head;
	prev[head] = head;
}

static void chain_push(struct chain *c, uint32_t block)
{
	uint32_t first = c->next[c->head];

	c->next[block] = first;
	c->prev[block] = c->head;
	c->prev[first] = block;
	c->next[c->head] = block;
	c->len++;
}

static void chain_remove(struct chain *c, uint32_t block)
{
	c->next[c->prev[block]] = c->next[block];
	c->prev[c->next[block]] = c->prev[block];
	c->len--;
}

static uint32_t chain_pop(struct chain *c)
{
	uint32_t last = c->prev[c->head];

	chain_remove(c, last);
	return last;
}

uint64_t sim_lru(const struct trace *t, uint32_t size)
{
	uint32_t *next = alloc_table(t->nr_blocks + 1, sizeof(*next));
	uint32_t *prev = alloc_table(t->nr_blocks + 1, sizeof(*prev));
	bool *there = alloc_table(t->nr_blocks, sizeof(*there));
	struct chain lru;
	uint64_t hits = 0;

	chain_init(&lru, next, prev, t->nr_blocks);
	for (uint64_t i = 0; i < t->len; i++) {
		uint32_t block = t->refs[i];

		if (there[block]) {
			hits++;
			chain_remove(&lru, block);
		} else if (lru.len == size) {
			there[chain_pop(&lru)] = false;
		}
		there[block] = true;
		chain_push(&lru, block);
	}
	free(next);
	free(prev);
	free(there);
	return hits;
}

uint64_t sim_clock(const struct trace *t, uint32_t size)
{
	uint32_t *ring = alloc_table(size, sizeof(*ring));
	uint8_t *state = alloc_table(t->nr_blocks, 1);	/* 1: there, 3: hit */
	uint32_t hand = 0, used = 0;
	uint64_t hits = 0;

	for (uint64_t i = 0; i < t->len; i++) {
		uint32_t block = t->refs[i];

		if (state[block]) {
			hits++;
			state[block] = 3;
			continue;
		}
		if (used == size) {
			for (; state[ring[hand]] == 3; hand = (hand + 1) % size)
				state[ring[hand]] = 1;
			state[ring[hand]] = 0;
		} else {
			used++;
		}
		ring[hand] = block;
		state[block] = 1;
		hand = (hand + 1) % size;
	}
	free(ring);
	free(state);
	return hits;
}

/* Megiddo and Modha, "ARC: A self-tuning, low overhead replacement cache". */
enum arc_list { ARC_NOWHERE, T1, T2, B1, B2, ARC_NR };

struct arc {
	struct chain lists[ARC_NR];
	uint8_t *where;
	uint32_t size;
	uint32_t target;	/* of T1's length */
};

static void arc_move(struct arc *a, uint32_t block, enum arc_list to)
{
	if (a->where[block] != ARC_NOWHERE)
		chain_remove(&a->lists[a->where[block]], block);
	a->where[block] = to;
	if (to != ARC_NOWHERE)
		chain_push(&a->lists[to], block);
}

static uint32_t arc_last(const struct arc *a, enum arc_list list)
{
	return a->lists[list].prev[a->lists[list].head];
}

static void arc_replace(struct arc *a, bool in_b2)
{
	uint32_t t1 = a->lists[T1].len;

	if (t1 && (t1 > a->target || (in_b2 && t1 == a->target)))
		arc_move(a, arc_last(a, T1), B1);
	else
		arc_move(a, arc_last(a, T2), B2);
}

static void arc_ghost_hit(struct arc *a, uint32_t block, bool in_b2)
{
	uint32_t b1 = a->lists[B1].len, b2 = a->lists[B2].len;
	uint32_t step;

	if (in_b2) {
		step = b1 > b2 ? b1 / b2 : 1;
		a->target = a->target > step ? a->target - step : 0;
	} else {
		step = b2 > b1 ? b2 / b1 : 1;
		a->target = a->target + step < a->size ? a->target + step :
							 a->size;
	}
	arc_replace(a, in_b2);
	arc_move(a, block, T2);
}

static void arc_miss(struct arc *a, uint32_t block)
{
	uint32_t l1 = a->lists[T1].len + a->lists[B1].len;
	uint32_t all = l1 + a->lists[T2].len + a->lists[B2].len;

	if (l1 == a->size) {
		if (a->lists[T1].len < a->size) {
			arc_move(a, arc_last(a, B1), ARC_NOWHERE);
			arc_replace(a, false);
		} else {
			arc_move(a, arc_last(a, T1), ARC_NOWHERE);
		}
	} else if (all >= a->size) {
		if (all == 2 * a->size)
			arc_move(a, arc_last(a, B2), ARC_NOWHERE);
		arc_replace(a, false);
	}
	arc_move(a, block, T1);
}

uint64_t sim_arc(const struct trace *t, uint32_t size)
{
	uint32_t *next = alloc_table(t->nr_blocks + ARC_NR, sizeof(*next));
	uint32_t *prev = alloc_table(t->nr_blocks + ARC_NR, sizeof(*prev));
	struct arc a = { .size = size };
	uint64_t hits = 0;

	a.where = alloc_table(t->nr_blocks, 1);
	for (int i = T1; i < ARC_NR; i++)
		chain_init(&a.lists[i], next, prev, t->nr_blocks + i);
	for (uint64_t i = 0; i < t->len; i++) {
		uint32_t block = t->refs[i];

		switch (a.where[block]) {
		case T1:
		case T2:
			hits++;
			arc_move(&a, block, T2);
			break;
		case B1:
			arc_ghost_hit(&a, block, false);
			break;
		case B2:
			arc_ghost_hit(&a, block, true);
			break;
		default:
			arc_miss(&a, block);
		}
	}
	free(next);
	free(prev);
	free(a.where);
	return hits;
}

/*
 * Belady's optimum: evicts what is needed furthest in the future.  A binary heap
 * of (next use, block), in which outdated entries are skipped.
 */
struct use {
	uint64_t when;
	uint32_t block;
};

struct heap {
	struct use *uses;
	size_t len;
};

static void heap_push(struct heap *h, struct use use)
{
	size_t i = h->len++;

	for (; i && h->uses[(i - 1) / 2].when < use.when; i = (i - 1) / 2)
		h->uses[i] = h->uses[(i - 1) / 2];
	h->uses[i] = use;
}

static struct use heap_pop(struct heap *h)
{
	struct use top = h->uses[0], last = h->uses[--h->len];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->len) {
		if (child + 1 < h->len &&
		    h->uses[child + 1].when > h->uses[child].when)
			child++;
		if (h->uses[child].when <= last.when)
			break;
		h->uses[i] = h->uses[child];
		i = child;
	}
	h->uses[i] = last;
	return top;
}

static uint64_t *next_uses(const struct trace *t)
{
	uint64_t *later = alloc_table(t->len, sizeof(*later));
	uint64_t *seen = alloc_table(t->nr_blocks, sizeof(*seen));

	memset(seen, 0xff, t->nr_blocks * sizeof(*seen));
	for (uint64_t i = t->len; i--;) {
		later[i] = seen[t->refs[i]];
		seen[t->refs[i]] = i;
	}
	free(seen);
	return later;
}

uint64_t sim_optimum(const struct trace *t, uint32_t size)
{
	struct heap heap = { alloc_table(t->len, sizeof(struct use)), 0 };
	uint64_t *due = alloc_table(t->nr_blocks, sizeof(*due));
	bool *there = alloc_table(t->nr_blocks, sizeof(*there));
	uint64_t *later = next_uses(t);
	uint64_t hits = 0;
	uint32_t used = 0;

	for (uint64_t i = 0; i < t->len; i++) {
		uint32_t block = t->refs[i];
		struct use top;

		if (there[block]) {
			hits++;
		} else if (used == size) {
			do
				top = heap_pop(&heap);
			while (!there[top.block] || due[top.block] != top.when);
			there[top.block] = false;
		} else {
			used++;
		}
		there[block] = true;
		due[block] = later[i];
		heap_push(&heap, (struct use) { later[i], block });
	}
	free(heap.uses);
	free(due);
	free(there);
	free(later);
	return hits;
}
