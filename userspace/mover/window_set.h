/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows of a LUN: a bounded set, in the order in which they were used last.
 *
 * Both ends of a session have one. A window begins at a multiple of the set's window
 * size and is as long as that, or ends with the LUN. The client knows what it uses;
 * the server hears of it when another window is asked for, so both orders agree where
 * one of them has to choose which window goes.
 */
#ifndef HEARTH_WINDOW_SET_H
#define HEARTH_WINDOW_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ibv_mr;

struct hearth_window {
	uint64_t offset;
	uint64_t len;
	uint32_t id;
	uint32_t key; /* by which the other end's device gets at it */
	bool is_writable;
	bool is_touched; /* the client: since the server heard of it last */
	void *memory; /* the server's mapping */
	struct ibv_mr *region; /* and its registration */
	struct hearth_window *chain; /* of those with the same hash */
	struct hearth_window *older;
	struct hearth_window *newer;
};

#define HEARTH_WINDOW_BUCKETS 1024u

struct hearth_window_set {
	uint32_t shift; /* the size of a window is 1 << @shift */
	uint32_t nr;
	uint64_t bytes;
	struct hearth_window *oldest;
	struct hearth_window *newest;
	struct hearth_window *buckets[HEARTH_WINDOW_BUCKETS];
};

/* @window_bytes: a power of two. */
void hearth_window_set_init(struct hearth_window_set *s, uint64_t window_bytes);

/* The window that has a byte, or NULL. */
struct hearth_window *hearth_window_set_find(const struct hearth_window_set *s, uint64_t offset);
struct hearth_window *hearth_window_set_find_id(const struct hearth_window_set *s, uint32_t id);

/* Takes over a window whose place is free; it is the newest. */
void hearth_window_set_add(struct hearth_window_set *s, struct hearth_window *w);

/* Gives it back; the caller frees it. */
void hearth_window_set_remove(struct hearth_window_set *s, struct hearth_window *w);

/* It was used just now. */
void hearth_window_set_touch(struct hearth_window_set *s, struct hearth_window *w);

#endif
