// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows of a LUN that blocks land in straight from the network. */
#include <errno.h>
#include <hearth.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fragile.h"
#include "lun_berth.h"

#define PAGE_BYTES 4096u

enum state {
	MAKING, /* being prepared; only who does it may touch the rest */
	READY, /* for a block that may come */
	TAKEN,
	SPENT, /* committed or given up; only its holder knows it still */
};

struct hearth_berth {
	struct hearth_berth *next;
	struct hearth_berths *home;
	enum state state;
	uint64_t offset; /* in the part */
	uint64_t len;
	uint8_t *memory;
	struct hearth_fragile fragile; /* until the LUN is revoked */
	void *region; /* as it is registered, */
	uint32_t key;
	void *device; /* and with what */
};

struct hearth_berths {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hearth_lun *lun;
	uint64_t size;
	uint64_t usual; /* how long the last one was: the sender decides */
	uint32_t nr_refs;
	uint32_t nr_ready;
	uint32_t nr_busy; /* threads that do something to the LUN */
	uint64_t next; /* what is expected to come */
	const struct hearth_registrar *by; /* as the last one was taken */
	void *device;
	bool is_closed;
	struct hearth_berth *list;
	atomic_uint_least64_t landed;
};

struct hearth_berths *hearth_berths_new(struct hearth_lun *lun, uint64_t size)
{
	struct hearth_berths *bs = calloc(1, sizeof(*bs));

	if (!bs)
		return NULL;
	pthread_mutex_init(&bs->lock, NULL);
	pthread_cond_init(&bs->changed, NULL);
	bs->lun = lun;
	bs->size = size;
	bs->nr_refs = 1;
	return bs;
}

struct hearth_berths *hearth_berths_get(struct hearth_berths *bs)
{
	pthread_mutex_lock(&bs->lock);
	bs->nr_refs++;
	pthread_mutex_unlock(&bs->lock);
	return bs;
}

void hearth_berths_put(struct hearth_berths *bs)
{
	bool is_last;

	pthread_mutex_lock(&bs->lock);
	is_last = !--bs->nr_refs;
	pthread_mutex_unlock(&bs->lock);
	if (!is_last)
		return;
	pthread_cond_destroy(&bs->changed);
	pthread_mutex_destroy(&bs->lock);
	free(bs);
}

/* False once it is closed. */
static bool begin_locked(struct hearth_berths *bs)
{
	if (bs->is_closed)
		return false;
	bs->nr_busy++;
	return true;
}

static void end_locked(struct hearth_berths *bs)
{
	if (!--bs->nr_busy)
		pthread_cond_broadcast(&bs->changed);
}

static int act(const struct hearth_berth *b, unsigned long what, uint32_t flags)
{
	const struct hearth_lun *lun = b->home->lun;

	return hearth_lun_act(lun, what, flags, b->len, lun->start + b->offset);
}

/* Nobody but the LUN has the pages any more. */
static void unmap(struct hearth_berth *b)
{
	if (b->region)
		b->home->by->remove(b->region);
	b->region = NULL;
	if (!b->memory)
		return;
	hearth_fragile_remove(&b->fragile);
	munmap(b->memory, b->len);
	b->memory = NULL;
}

static void give_up(struct hearth_berth *b)
{
	unmap(b);
	act(b, HEARTH_IOC_ABANDON, 0);
}

static bool is_whole_pages(const struct hearth_berths *bs, uint64_t offset, uint64_t len)
{
	return len && !((bs->lun->start + offset) % PAGE_BYTES) && !(len % PAGE_BYTES) &&
	       offset <= bs->size && len <= bs->size - offset;
}

static void add_locked(struct hearth_berths *bs, struct hearth_berth *b)
{
	struct hearth_berth **link = &bs->list;

	while (*link)
		link = &(*link)->next;
	*link = b;
}

static void remove_locked(struct hearth_berths *bs, struct hearth_berth *b)
{
	struct hearth_berth **link = &bs->list;

	while (*link && *link != b)
		link = &(*link)->next;
	if (*link)
		*link = b->next;
	b->next = NULL;
}

/* Prepares, maps and registers it; false: it cannot be had. */
static bool equip(struct hearth_berth *b)
{
	struct hearth_berths *bs = b->home;
	void *memory;

	if (act(b, HEARTH_IOC_PREPARE, HEARTH_PREPARE_OVERWRITE))
		return false;
	memory = mmap(NULL, b->len, PROT_READ | PROT_WRITE, MAP_SHARED, bs->lun->fd,
		      (off_t)(bs->lun->start + b->offset));
	if (memory != MAP_FAILED) {
		b->memory = memory;
		hearth_fragile_add(&b->fragile, memory, b->len);
		b->region = bs->by->add(b->device, memory, b->len, &b->key);
	}
	if (!b->region)
		give_up(b);
	return b->region;
}

/*
 * A new one, in the list already while it is being made, so that who wants the same waits for it
 * instead of being refused by the kernel; NULL: it cannot be had.
 */
static struct hearth_berth *build_locked(struct hearth_berths *bs, uint64_t offset, uint64_t len,
					 enum state state)
{
	struct hearth_berth *b = calloc(1, sizeof(*b));
	bool is_made;

	if (!b)
		return NULL;
	*b = (struct hearth_berth){ .home = bs,
				    .offset = offset,
				    .len = len,
				    .device = bs->device };
	add_locked(bs, b);
	pthread_mutex_unlock(&bs->lock);
	is_made = equip(b);
	pthread_mutex_lock(&bs->lock);
	pthread_cond_broadcast(&bs->changed);
	if (is_made) {
		b->state = state;
		bs->nr_ready += state == READY;
		return b;
	}
	remove_locked(bs, b);
	free(b);
	return NULL;
}

static bool overlaps(const struct hearth_berth *b, uint64_t offset, uint64_t len)
{
	return b->offset < offset + len && offset < b->offset + b->len;
}

/* Nobody is making one that has something of the range. */
static void await_made_locked(struct hearth_berths *bs, uint64_t offset, uint64_t len)
{
	struct hearth_berth *b = bs->list;

	while (b) {
		if (b->state == MAKING && overlaps(b, offset, len)) {
			pthread_cond_wait(&bs->changed, &bs->lock);
			b = bs->list;
		} else {
			b = b->next;
		}
	}
}

static struct hearth_berth *find_ready_locked(struct hearth_berths *bs, uint64_t offset,
					      uint64_t len)
{
	for (struct hearth_berth *b = bs->list; b; b = b->next)
		if (b->state == READY && overlaps(b, offset, len))
			return b;
	return NULL;
}

/* One that is ready is for nobody. */
static void drop_locked(struct hearth_berths *bs, struct hearth_berth *b)
{
	remove_locked(bs, b);
	bs->nr_ready--;
	pthread_mutex_unlock(&bs->lock);
	give_up(b);
	free(b);
	pthread_mutex_lock(&bs->lock);
}

static uint32_t most_ahead(const struct hearth_berths *bs)
{
	uint64_t nr = HEARTH_BERTHS_AHEAD_BYTES / bs->usual;

	nr = nr < HEARTH_BERTHS_AHEAD ? nr : HEARTH_BERTHS_AHEAD;
	return nr > 2 ? (uint32_t)nr : 2;
}

/* The one that is ready for just that range; what is in its way goes. */
static struct hearth_berth *take_ready_locked(struct hearth_berths *bs, uint64_t offset,
					      uint64_t len)
{
	struct hearth_berth *b;

	await_made_locked(bs, offset, len);
	while ((b = find_ready_locked(bs, offset, len))) {
		if (b->offset == offset && b->len == len && b->device == bs->device) {
			bs->nr_ready--;
			b->state = TAKEN;
			return b;
		}
		drop_locked(bs, b);
	}
	/* What was expected did not come: there it would only be in the way. */
	b = bs->nr_ready >= most_ahead(bs) ? find_ready_locked(bs, 0, UINT64_MAX) : NULL;
	if (b)
		drop_locked(bs, b);
	return NULL;
}

struct hearth_berth *hearth_berths_take(struct hearth_berths *bs, uint64_t offset, uint64_t len,
					const struct hearth_registrar *by, void *device)
{
	struct hearth_berth *b = NULL;

	if (!is_whole_pages(bs, offset, len))
		return NULL;
	pthread_mutex_lock(&bs->lock);
	if (begin_locked(bs)) {
		bs->by = by;
		bs->device = device;
		bs->usual = len;
		bs->next = offset + len > bs->next ? offset + len : bs->next;
		b = take_ready_locked(bs, offset, len);
		if (!b)
			b = build_locked(bs, offset, len, TAKEN);
		bs->nr_refs += !!b;
		end_locked(bs);
	}
	pthread_mutex_unlock(&bs->lock);
	return b;
}

uint8_t *hearth_berth_memory(const struct hearth_berth *b)
{
	return b->memory;
}

uint32_t hearth_berth_key(const struct hearth_berth *b)
{
	return b->key;
}

/* Takes it out of the list, for whoever ends it now; false: it was ended before. */
static bool spend(struct hearth_berths *bs, struct hearth_berth *b)
{
	bool is_ours;

	pthread_mutex_lock(&bs->lock);
	is_ours = b->state != SPENT && begin_locked(bs);
	b->state = SPENT;
	remove_locked(bs, b);
	pthread_mutex_unlock(&bs->lock);
	return is_ours;
}

static void finish(struct hearth_berths *bs)
{
	pthread_mutex_lock(&bs->lock);
	end_locked(bs);
	pthread_mutex_unlock(&bs->lock);
}

void hearth_berth_leave(struct hearth_berth *b)
{
	struct hearth_berths *bs = b->home;

	if (spend(bs, b)) {
		give_up(b);
		finish(bs);
	}
	free(b);
	hearth_berths_put(bs);
}

/* One for the range that follows on those that there are, in good time. */
static void prepare_ahead(struct hearth_berths *bs)
{
	uint64_t offset, len;

	pthread_mutex_lock(&bs->lock);
	offset = bs->next;
	len = offset < bs->size ? bs->size - offset : 0;
	len = len < bs->usual ? len : bs->usual;
	if (bs->device && bs->nr_ready < most_ahead(bs) && is_whole_pages(bs, offset, len) &&
	    begin_locked(bs)) {
		bs->next += len;
		build_locked(bs, offset, len, READY);
		end_locked(bs);
	}
	pthread_mutex_unlock(&bs->lock);
}

static struct hearth_berth *find(struct hearth_berths *bs, const void *data, uint64_t len)
{
	struct hearth_berth *b;

	pthread_mutex_lock(&bs->lock);
	for (b = bs->list; b; b = b->next)
		if (b->state == TAKEN && b->memory == data && b->len == len)
			break;
	pthread_mutex_unlock(&bs->lock);
	return b;
}

int hearth_berths_commit(struct hearth_berths *bs, const void *data, uint64_t len)
{
	struct hearth_berth *b = find(bs, data, len);
	int ret;

	if (!b)
		return -ENOENT;
	if (!spend(bs, b))
		return -ECANCELED;
	unmap(b);
	ret = act(b, HEARTH_IOC_COMMIT, 0);
	if (ret)
		act(b, HEARTH_IOC_ABANDON, 0);
	else
		bs->landed += len;
	finish(bs);
	prepare_ahead(bs);
	return ret;
}

void hearth_berths_forget(struct hearth_berths *bs, void *device)
{
	pthread_mutex_lock(&bs->lock);
	if (bs->device == device)
		bs->device = NULL;
	while (bs->nr_busy)
		pthread_cond_wait(&bs->changed, &bs->lock);
	for (struct hearth_berth *b = bs->list; b; b = b->next) {
		if (b->device != device || !b->region)
			continue;
		bs->by->remove(b->region);
		b->region = NULL;
		b->device = NULL; /* it is for nobody any more */
	}
	pthread_mutex_unlock(&bs->lock);
}

void hearth_berths_close(struct hearth_berths *bs)
{
	struct hearth_berth *b;

	pthread_mutex_lock(&bs->lock);
	bs->is_closed = true;
	while (bs->nr_busy)
		pthread_cond_wait(&bs->changed, &bs->lock);
	while ((b = bs->list)) {
		bool is_ready = b->state == READY;

		bs->list = b->next;
		b->state = SPENT;
		give_up(b);
		if (is_ready)
			free(b);
	}
	pthread_mutex_unlock(&bs->lock);
}

uint64_t hearth_berths_landed(const struct hearth_berths *bs)
{
	return bs->landed;
}
