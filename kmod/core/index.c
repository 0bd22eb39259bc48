// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hash tables of extents, one per pool.
 *
 * An address belongs to the table of its shard (hearth_cache_shard()), on
 * whose node table and extents lie.  Look-ups walk a chain under RCU.  Chains
 * change under the bit lock of their bucket.  An extent leaves the index when
 * it is empty and idle; it is marked dead under its own lock, so that whoever
 * found it before and locks it now knows to look again.
 *
 * A chain is linked one way: to take an extent out one walks to it, under a lock
 * that is taken for that anyway.  A link back would be 8 bytes for each frame of
 * a cache whose frames are scattered.
 */
#include "cache.h"
#include "index.h"
#include "pool.h"

static struct kmem_cache *extent_slab;

int hearth_index_init(void)
{
	extent_slab = kmem_cache_create("hearth_extent",
					sizeof(struct hearth_extent), 0, 0,
					NULL);
	return extent_slab ? 0 : -ENOMEM;
}

void hearth_index_exit(void)
{
	rcu_barrier();	/* free_extent_rcu() */
	kmem_cache_destroy(extent_slab);
}

static void free_extent_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(extent_slab,
			container_of(rcu, struct hearth_extent, rcu));
}

static struct hlist_bl_head *bucket_of(struct hearth_cache *cache, u64 key)
{
	u64 offset = key * HEARTH_EXTENT_BYTES;
	struct hearth_pool *pool;

	pool = cache->pools[hearth_cache_shard(cache, offset)];
	return &pool->buckets[hash_64(key, pool->hash_bits)];
}

static struct hearth_extent *find_in(struct hlist_bl_head *bucket, u64 key)
{
	struct hearth_extent *ext = hearth_chain_first(bucket);

	while (ext && ext->key != key)
		ext = READ_ONCE(ext->next);
	return ext;
}

/**
 * hearth_extent_find() - look an extent up
 * @cache: the cache
 * @key: which
 *
 * Context: Under rcu_read_lock(), as long as the result is used.
 * Return: The extent or NULL.
 */
struct hearth_extent *hearth_extent_find(struct hearth_cache *cache, u64 key)
{
	return find_in(bucket_of(cache, key), key);
}

/**
 * hearth_extent_lock_existing() - find an extent and lock it
 * @cache: the cache
 * @key: which
 *
 * Context: Process context, no lock held.
 * Return: The extent with its lock held, or NULL if there is none.
 */
struct hearth_extent *hearth_extent_lock_existing(struct hearth_cache *cache,
						  u64 key)
{
	struct hearth_extent *ext;

	rcu_read_lock();
	ext = hearth_extent_find(cache, key);
	if (ext) {
		spin_lock(&ext->lock);
		if (ext->dead) {
			spin_unlock(&ext->lock);
			ext = NULL;
		} else {
			__release(&ext->lock);	/* the caller's from here on */
		}
	}
	rcu_read_unlock();
	return ext;
}

/* Changes the first extent of a chain that is locked. */
static void set_first(struct hlist_bl_head *bucket, struct hearth_extent *ext)
{
	unsigned long lock = (unsigned long)READ_ONCE(bucket->first) &
			     HEARTH_BUCKET_LOCK;

	/* pairs with hearth_chain_first() */
	smp_store_release(&bucket->first,
			  (struct hlist_bl_node *)((unsigned long)ext | lock));
}

/* Takes an extent out of its chain, which is locked; it still leads on. */
static void unlink_extent(struct hlist_bl_head *bucket,
			  struct hearth_extent *ext)
{
	struct hearth_extent *before = hearth_chain_first(bucket);

	if (before == ext) {
		set_first(bucket, ext->next);
		return;
	}
	while (before->next != ext)
		before = before->next;
	/* pairs with the address dependency in find_in() */
	smp_store_release(&before->next, ext->next);
}

/* Adds an empty extent unless somebody else did meanwhile. */
static bool add_extent(struct hearth_cache *cache, u64 key)
{
	int nid = hearth_cache_shard(cache, key * HEARTH_EXTENT_BYTES);
	struct hlist_bl_head *bucket = bucket_of(cache, key);
	struct hearth_extent *ext;

	ext = kmem_cache_alloc_node(extent_slab,
				    GFP_NOIO | __GFP_NOWARN | __GFP_ZERO, nid);
	if (!ext)
		return false;
	ext->key = key;
	spin_lock_init(&ext->lock);
	INIT_LIST_HEAD(&ext->waiters);

	hlist_bl_lock(bucket);
	if (find_in(bucket, key)) {
		hlist_bl_unlock(bucket);
		kmem_cache_free(extent_slab, ext);
		return true;
	}
	ext->next = hearth_chain_first(bucket);
	set_first(bucket, ext);
	atomic_long_inc(&cache->pools[nid]->nr_extents);
	hlist_bl_unlock(bucket);
	hearth_pool_trim(cache, cache->pools[nid]);
	return true;
}

/**
 * hearth_extent_lock() - find or make an extent, and lock it
 * @cache: the cache
 * @key: which
 *
 * Context: Process context, no lock held; waits for no I/O.
 * Return: The extent with its lock held, or NULL if there is no memory.
 */
struct hearth_extent *hearth_extent_lock(struct hearth_cache *cache, u64 key)
{
	struct hearth_extent *ext;

	for (;;) {
		ext = hearth_extent_lock_existing(cache, key);
		if (ext)
			return ext;
		if (!add_extent(cache, key))
			return NULL;
	}
}

static bool is_idle(const struct hearth_extent *ext)
{
	return !ext->nr_frames && !ext->busy && !ext->cleaning &&
	       list_empty(&ext->waiters) && !ext->is_shown;
}

/**
 * hearth_extent_reap() - take an extent out of the index if it is of no use
 * @cache: the cache
 * @ext: an extent that was seen empty
 *
 * Context: Under the rcu_read_lock() that was held when the extent was last
 * known to be in use; no other lock held.
 */
void hearth_extent_reap(struct hearth_cache *cache, struct hearth_extent *ext)
{
	struct hlist_bl_head *bucket = bucket_of(cache, ext->key);
	bool reap;
	int nid;

	hlist_bl_lock(bucket);
	spin_lock(&ext->lock);
	reap = !ext->dead && is_idle(ext);
	if (reap) {
		ext->dead = true;
		unlink_extent(bucket, ext);
	}
	spin_unlock(&ext->lock);
	hlist_bl_unlock(bucket);
	if (!reap)
		return;
	nid = hearth_cache_shard(cache, ext->key * HEARTH_EXTENT_BYTES);
	atomic_long_dec(&cache->pools[nid]->nr_extents);
	call_rcu(&ext->rcu, free_extent_rcu);
}

static bool visit_bucket(struct hlist_bl_head *bucket, u64 first, u64 last,
			 hearth_extent_fn fn, void *arg)
{
	struct hearth_extent *ext;
	bool stop = false;

	hlist_bl_lock(bucket);
	for (ext = hearth_chain_first(bucket); ext; ext = ext->next) {
		if (ext->key < first || ext->key > last)
			continue;
		spin_lock(&ext->lock);
		stop = fn(ext, arg);
		spin_unlock(&ext->lock);
		if (stop)
			break;
	}
	hlist_bl_unlock(bucket);
	return stop;
}

static bool visit_all(struct hearth_cache *cache, u64 first, u64 last,
		      hearth_extent_fn fn, void *arg)
{
	struct hearth_pool *pool;
	unsigned long i;
	int nid;

	for_each_node(nid) {
		pool = cache->pools[nid];
		for (i = 0; pool && i < 1UL << pool->hash_bits; i++) {
			if (visit_bucket(&pool->buckets[i], first, last, fn,
					 arg))
				return true;
			if (!(i % 1024))
				cond_resched();
		}
	}
	return false;
}

/**
 * hearth_index_walk() - visit the extents of a range, in no certain order
 * @cache: the cache
 * @first: first key
 * @last: last key
 * @fn: what to do; called under the locks of bucket and extent
 * @arg: for @fn
 *
 * An extent that comes or goes meanwhile may or may not be visited; if it is
 * not, whoever makes it sees all that the caller did before.
 *
 * Context: Process context, no lock held.
 * Return: true if @fn ended the walk.
 */
bool hearth_index_walk(struct hearth_cache *cache, u64 first, u64 last,
		       hearth_extent_fn fn, void *arg)
{
	unsigned long nr_buckets = 0;
	int nid;
	u64 key;

	for_each_node(nid) {
		if (cache->pools[nid])
			nr_buckets += 1UL << cache->pools[nid]->hash_bits;
	}
	if (last - first >= nr_buckets)
		return visit_all(cache, first, last, fn, arg);
	for (key = first; key <= last; key++) {
		if (visit_bucket(bucket_of(cache, key), key, key, fn, arg))
			return true;
	}
	return false;
}

static void empty_extent(struct hearth_cache *cache, struct hearth_extent *ext)
{
	unsigned int i;

	for (i = 0; i < HEARTH_EXTENT_FRAMES; i++) {
		struct hearth_frame *frame = ext->frames[i];

		if (!frame)
			continue;
		if (frame->page)
			put_page(frame->page);
		hearth_frame_free(cache, frame);
	}
	kmem_cache_free(extent_slab, ext);
}

/**
 * hearth_index_empty() - drop everything, at the end of a cache's life
 * @cache: the cache; no request is under way and none will come
 *
 * Context: Process context.
 */
void hearth_index_empty(struct hearth_cache *cache)
{
	struct hearth_extent *ext, *next;
	struct hearth_pool *pool;
	unsigned long i;
	int nid;

	for_each_node(nid) {
		pool = cache->pools[nid];
		for (i = 0; pool && i < 1UL << pool->hash_bits; i++) {
			ext = hearth_chain_first(&pool->buckets[i]);
			for (; ext; ext = next) {
				next = ext->next;
				empty_extent(cache, ext);
			}
			cond_resched();
		}
	}
}
