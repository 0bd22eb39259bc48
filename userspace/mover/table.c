// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of the index that is still needed: batches by their place in the virtual file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

void hearth_table_init(struct hearth_table *t)
{
	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
}

static void put_locked(struct hearth_batch *b)
{
	if (!--b->refs)
		hearth_batch_free(b);
}

void hearth_table_exit(struct hearth_table *t)
{
	for (size_t i = t->first; i < t->last; i++)
		put_locked(t->batches[i]);
	free(t->batches);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

static int make_room(struct hearth_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64;
	struct hearth_batch **grown;

	if (t->last < t->cap)
		return 0;
	if (t->first > t->cap / 2) {
		memmove(t->batches, t->batches + t->first,
			(t->last - t->first) * sizeof(*t->batches));
		t->last -= t->first;
		t->first = 0;
		return 0;
	}
	grown = realloc(t->batches, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->batches = grown;
	t->cap = cap;
	return 0;
}

int hearth_table_add(struct hearth_table *t, struct hearth_batch *b, uint64_t max_live)
{
	int ret = 0;

	pthread_mutex_lock(&t->lock);
	while (t->nr_live > max_live && !t->is_cancelled)
		pthread_cond_wait(&t->changed, &t->lock);
	ret = t->is_cancelled ? -ECANCELED : make_room(t);
	if (!ret) {
		b->refs = 2;
		t->batches[t->last++] = b;
		t->nr_live += b->nr_entries;
		t->end = b->end;
		pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->lock);
	return ret;
}

/* Index of the first live batch whose number is not below @number. */
static size_t lower_bound(const struct hearth_table *t, uint64_t number)
{
	size_t low = t->first, high = t->last;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->batches[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void drop_locked(struct hearth_table *t, struct hearth_batch *b)
{
	size_t at = lower_bound(t, b->number);

	if (at == t->last || t->batches[at] != b)
		return;
	if (at == t->first) {
		t->first++;
	} else {
		memmove(t->batches + at, t->batches + at + 1,
			(t->last - at - 1) * sizeof(*t->batches));
		t->last--;
	}
	t->nr_live -= b->nr_entries;
	put_locked(b);
	pthread_cond_broadcast(&t->changed);
}

void hearth_table_settle(struct hearth_table *t, struct hearth_batch *b, uint64_t amount)
{
	pthread_mutex_lock(&t->lock);
	b->left -= amount < b->left ? amount : b->left;
	if (!b->left && b->is_answered)
		drop_locked(t, b);
	pthread_mutex_unlock(&t->lock);
}

void hearth_table_answer(struct hearth_table *t, struct hearth_batch *b, uint64_t amount)
{
	pthread_mutex_lock(&t->lock);
	b->left = amount;
	b->is_answered = true;
	if (!amount)
		drop_locked(t, b);
	pthread_mutex_unlock(&t->lock);
}

static struct hearth_batch *get_at(struct hearth_table *t, size_t at)
{
	struct hearth_batch *b = at < t->last ? t->batches[at] : NULL;

	if (b)
		b->refs++;
	return b;
}

static size_t first_ending_after(const struct hearth_table *t, uint64_t voff)
{
	size_t low = t->first, high = t->last;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->batches[mid]->end <= voff)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint64_t hearth_table_skip(struct hearth_table *t, uint64_t voff)
{
	uint64_t next;
	size_t at;

	pthread_mutex_lock(&t->lock);
	at = first_ending_after(t, voff);
	next = at < t->last ? t->batches[at]->voff : t->end;
	pthread_mutex_unlock(&t->lock);
	return next;
}

struct hearth_batch *hearth_table_get(struct hearth_table *t, uint64_t voff)
{
	struct hearth_batch *b;
	size_t low;

	pthread_mutex_lock(&t->lock);
	low = first_ending_after(t, voff);
	b = low < t->last && t->batches[low]->voff <= voff ? get_at(t, low) : NULL;
	pthread_mutex_unlock(&t->lock);
	return b;
}

struct hearth_batch *hearth_table_get_number(struct hearth_table *t, uint64_t number)
{
	struct hearth_batch *b;
	size_t at;

	pthread_mutex_lock(&t->lock);
	at = lower_bound(t, number);
	b = at < t->last && t->batches[at]->number == number ? get_at(t, at) : NULL;
	pthread_mutex_unlock(&t->lock);
	return b;
}

void hearth_table_put(struct hearth_table *t, struct hearth_batch *b)
{
	pthread_mutex_lock(&t->lock);
	put_locked(b);
	pthread_mutex_unlock(&t->lock);
}

int hearth_table_wait(struct hearth_table *t, uint64_t voff)
{
	int ret = 0;

	pthread_mutex_lock(&t->lock);
	while (t->end < voff && !t->is_complete && !t->is_cancelled)
		pthread_cond_wait(&t->changed, &t->lock);
	if (t->is_cancelled)
		ret = -ECANCELED;
	else if (t->end < voff)
		ret = -EPROTO;
	pthread_mutex_unlock(&t->lock);
	return ret;
}

void hearth_table_complete(struct hearth_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_complete = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void hearth_table_cancel(struct hearth_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_cancelled = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}
