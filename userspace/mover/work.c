// SPDX-License-Identifier: GPL-2.0-or-later
/* What the sender still has to do: ranges to be sent, and blocks in flight. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "work.h"

void hearth_work_init(struct hearth_work *w, struct hearth_flight *flight)
{
	memset(w, 0, sizeof(*w));
	w->flight = flight;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
}

void hearth_work_exit(struct hearth_work *w)
{
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		free(w->rings[i].v);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
}

static struct hearth_work_range *slot(struct hearth_work_ring *ring, size_t i)
{
	return &ring->v[(ring->first + i) & (ring->cap - 1)];
}

static int make_room(struct hearth_work_ring *ring)
{
	size_t cap = ring->cap ? ring->cap * 2 : 256;
	struct hearth_work_range *grown;

	if (ring->nr < ring->cap)
		return 0;
	grown = malloc(cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < ring->nr; i++)
		grown[i] = *slot(ring, i);
	free(ring->v);
	ring->v = grown;
	ring->first = 0;
	ring->cap = cap;
	return 0;
}

int hearth_work_push(struct hearth_work *w, struct hearth_work_range range)
{
	struct hearth_work_ring *ring = &w->rings[range.volume];
	struct hearth_work_range *last;
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	last = ring->nr ? slot(ring, ring->nr - 1) : NULL;
	if (last && !last->tries && !range.tries && last->is_sum == range.is_sum &&
	    last->voff + last->len == range.voff) {
		last->len += range.len;
	} else {
		ret = make_room(ring);
		if (!ret)
			*slot(ring, ring->nr++) = range;
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return ret;
}

int hearth_work_push_front(struct hearth_work *w, struct hearth_work_range range)
{
	struct hearth_work_ring *ring = &w->rings[range.volume];
	struct hearth_work_range *first;
	int ret;

	pthread_mutex_lock(&w->lock);
	ret = make_room(ring);
	first = ring->nr ? slot(ring, 0) : NULL;
	if (first && first->is_sum == range.is_sum && !first->tries && !range.tries &&
	    range.voff + range.len == first->voff) {
		first->voff = range.voff;
		first->len += range.len;
	} else if (!ret) {
		ring->first = (ring->first - 1) & (ring->cap - 1);
		ring->nr++;
		*slot(ring, 0) = range;
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return ret;
}

/* The ring to go on with, or NULL; @may: asked of those that have something. */
static struct hearth_work_ring *choose(struct hearth_work *w,
				       bool (*may)(struct hearth_flight *f, uint32_t volume))
{
	for (uint32_t i = 1; i <= HEARTH_MAX_DEVICES; i++) {
		uint32_t volume = (w->last + i) % HEARTH_MAX_DEVICES;

		if (w->rings[volume].nr && may(w->flight, volume))
			return &w->rings[volume];
	}
	return NULL;
}

static struct hearth_work_ring *ring_for(struct hearth_work *w, uint32_t volume)
{
	if (w->is_closed)
		return NULL;
	if (volume == HEARTH_WORK_NEW_BLOCK)
		return choose(w, hearth_flight_take);
	return w->rings[volume].nr ? &w->rings[volume] : NULL;
}

bool hearth_work_pop(struct hearth_work *w, uint32_t volume, uint64_t max, bool may_wait,
		     struct hearth_work_range *ret)
{
	struct hearth_work_range *first;
	struct hearth_work_ring *ring;

	pthread_mutex_lock(&w->lock);
	while (!(ring = ring_for(w, volume)) && may_wait && !w->is_closed)
		pthread_cond_wait(&w->changed, &w->lock);
	if (!ring) {
		pthread_mutex_unlock(&w->lock);
		return false;
	}
	w->last = (uint32_t)(ring - w->rings);
	first = slot(ring, 0);
	*ret = *first;
	if (ret->len > max) {
		ret->len = max;
		first->voff += max;
		first->len -= max;
	} else {
		ring->first = (ring->first + 1) & (ring->cap - 1);
		ring->nr--;
	}
	pthread_mutex_unlock(&w->lock);
	return true;
}

bool hearth_work_wait(struct hearth_work *w, bool (*is_wanted)(void *), void *ctx)
{
	bool is_open;

	pthread_mutex_lock(&w->lock);
	while (!w->is_closed && !is_wanted(ctx))
		pthread_cond_wait(&w->changed, &w->lock);
	is_open = !w->is_closed;
	pthread_mutex_unlock(&w->lock);
	return is_open;
}

bool hearth_work_has_some(void *work)
{
	return choose(work, hearth_flight_may_take);
}

void hearth_work_poke(struct hearth_work *w)
{
	pthread_mutex_lock(&w->lock);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void hearth_work_close(struct hearth_work *w)
{
	pthread_mutex_lock(&w->lock);
	w->is_closed = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void hearth_flight_init(struct hearth_flight *f)
{
	memset(f, 0, sizeof(*f));
	f->window = UINT64_MAX;
	f->share = UINT32_MAX;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
}

void hearth_flight_exit(struct hearth_flight *f)
{
	for (size_t i = 0; i < HEARTH_MAX_FLIGHT; i++)
		if (f->slots[i].is_used)
			free(f->slots[i].segs);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

static bool may_take_locked(const struct hearth_flight *f, uint32_t volume)
{
	return !f->nr_taken[volume] || f->nr_taken[volume] < f->share;
}

bool hearth_flight_may_take(struct hearth_flight *f, uint32_t volume)
{
	bool may;

	pthread_mutex_lock(&f->lock);
	may = may_take_locked(f, volume);
	pthread_mutex_unlock(&f->lock);
	return may;
}

bool hearth_flight_take(struct hearth_flight *f, uint32_t volume)
{
	bool may;

	pthread_mutex_lock(&f->lock);
	may = may_take_locked(f, volume);
	f->nr_taken[volume] += may;
	pthread_mutex_unlock(&f->lock);
	return may;
}

void hearth_flight_put(struct hearth_flight *f, uint32_t volume)
{
	pthread_mutex_lock(&f->lock);
	f->nr_taken[volume]--;
	pthread_mutex_unlock(&f->lock);
}

void hearth_flight_divide(struct hearth_flight *f, uint64_t pool_bytes, uint32_t block_bytes,
			  uint32_t nr)
{
	uint64_t most;

	pthread_mutex_lock(&f->lock);
	most = f->window < pool_bytes ? f->window : pool_bytes;
	f->share = (uint32_t)(most / block_bytes) / nr;
	pthread_mutex_unlock(&f->lock);
}

int hearth_flight_add(struct hearth_flight *f, struct hearth_block *b, uint32_t tries)
{
	size_t bytes = b->nr_segs * sizeof(*b->segs);
	struct hearth_segment *copy = malloc(bytes);
	struct hearth_flight_slot *s;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, b->segs, bytes);
	pthread_mutex_lock(&f->lock);
	b->seq = f->next_seq++;
	s = &f->slots[b->seq % HEARTH_MAX_FLIGHT];
	while (s->is_used && !f->is_cancelled)
		pthread_cond_wait(&f->changed, &f->lock);
	if (f->is_cancelled) {
		free(copy);
		ret = -ECANCELED;
	} else {
		*s = (struct hearth_flight_slot){ .is_used = true,
						  .volume = b->volume,
						  .bytes = b->len,
						  .seq = b->seq,
						  .tries = tries,
						  .nr_segs = b->nr_segs,
						  .segs = copy };
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}

void hearth_flight_send(struct hearth_flight *f, const struct hearth_block *b, uint32_t stream)
{
	struct hearth_flight_slot *s = &f->slots[b->seq % HEARTH_MAX_FLIGHT];
	uint64_t start = 0;

	pthread_mutex_lock(&f->lock);
	while (!f->is_cancelled && f->under_way && f->under_way + b->len > f->window) {
		start = start ? start : hearth_now_ns();
		pthread_cond_wait(&f->changed, &f->lock);
	}
	s->sent_ns = hearth_now_ns();
	s->stream = stream;
	s->is_sent = true;
	f->under_way += s->bytes;
	f->waited_ns += start ? s->sent_ns - start : 0;
	pthread_mutex_unlock(&f->lock);
}

void hearth_flight_set_window(struct hearth_flight *f, uint64_t bytes)
{
	pthread_mutex_lock(&f->lock);
	f->window = bytes;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Hands over what a slot holds. */
static void take_locked(struct hearth_flight *f, struct hearth_flight_slot *s,
			struct hearth_flight_slot *ret)
{
	*ret = *s;
	s->is_used = false;
	f->under_way -= s->is_sent ? s->bytes : 0;
	f->nr_taken[s->volume]--;
	pthread_cond_broadcast(&f->changed);
}

bool hearth_flight_remove(struct hearth_flight *f, uint64_t seq, struct hearth_flight_slot *ret)
{
	struct hearth_flight_slot *s = &f->slots[seq % HEARTH_MAX_FLIGHT];
	bool is_found;

	pthread_mutex_lock(&f->lock);
	is_found = s->is_used && s->is_sent && s->seq == seq;
	if (is_found) {
		uint64_t trip = hearth_now_ns() - s->sent_ns;

		f->answered += s->bytes;
		if (!f->min_trip_ns || trip < f->min_trip_ns)
			f->min_trip_ns = trip;
		take_locked(f, s, ret);
	}
	pthread_mutex_unlock(&f->lock);
	return is_found;
}

bool hearth_flight_take_back(struct hearth_flight *f, uint32_t stream,
			     struct hearth_flight_slot *ret)
{
	struct hearth_flight_slot *newest = NULL;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < HEARTH_MAX_FLIGHT; i++) {
		struct hearth_flight_slot *s = &f->slots[i];

		if (s->is_used && s->is_sent && s->stream == stream &&
		    (!newest || s->seq > newest->seq))
			newest = s;
	}
	if (newest) {
		f->has_taken_back = true;
		take_locked(f, newest, ret);
	}
	pthread_mutex_unlock(&f->lock);
	return newest;
}

bool hearth_flight_may_be_late(struct hearth_flight *f, uint64_t seq)
{
	bool may_be;

	pthread_mutex_lock(&f->lock);
	may_be = f->has_taken_back && seq < f->next_seq;
	pthread_mutex_unlock(&f->lock);
	return may_be;
}

bool hearth_flight_is_older(struct hearth_flight *f, uint32_t stream, uint64_t ns)
{
	bool is_older = false;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < HEARTH_MAX_FLIGHT && !is_older; i++) {
		const struct hearth_flight_slot *s = &f->slots[i];

		is_older = s->is_used && s->is_sent && s->stream == stream && s->sent_ns < ns;
	}
	pthread_mutex_unlock(&f->lock);
	return is_older;
}

void hearth_flight_cancel(struct hearth_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->is_cancelled = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}
