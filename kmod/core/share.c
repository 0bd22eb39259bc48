// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guaranteed and maximum shares of the LUNs in a node's memory.
 *
 *     |-- LUN a: min --|-- LUN b: min --|--------- commons ---------|  spare  |
 *                                       |  lent to a  | to b | free |
 *
 * A pool may always use what it is guaranteed: that is set aside for it, and the
 * guarantees of all LUNs must fit.  What no LUN is guaranteed is the commons
 * of the node.  A pool borrows from it, in small steps, up to its maximum; its
 * limit is what it is guaranteed and what it has borrowed.
 *
 * When the commons are empty, who wants more takes a step from whoever has
 * borrowed most, if that has at least two steps more than itself.  So pools
 * that want memory end up with equal loans, or with their maximum, and one that
 * is idle keeps what nobody wants.  Nobody gets anything of a guarantee.
 *
 * The lender's loan is called in by lowering the pool's limit; whoever took it
 * evicts the frames, and what is claimed just then goes when its request ends.
 */
#include "cache.h"
#include "share.h"

/* Pages that are borrowed at a time. */
#define STEP	32UL

/**
 * struct commons - what a node's LUNs share
 * @lock: protects it, and what pools have borrowed
 * @nr_pages: to be lent
 * @nr_lent: lent; more than @nr_pages while that has just become less
 * @pools: all of the node
 */
struct commons {
	spinlock_t lock;	/* of all that follows, and of loans */
	unsigned long nr_pages;
	unsigned long nr_lent;
	struct list_head pools;
};

static struct commons *all_commons;	/* by node id */

int hearth_share_init(void)
{
	int nid;

	all_commons = kcalloc(nr_node_ids, sizeof(*all_commons), GFP_KERNEL);
	if (!all_commons)
		return -ENOMEM;
	for_each_node(nid) {
		struct commons *commons = &all_commons[nid];

		spin_lock_init(&commons->lock);
		INIT_LIST_HEAD(&commons->pools);
	}
	return 0;
}

void hearth_share_exit(void)
{
	kfree(all_commons);
}

static unsigned long lent_to(const struct hearth_pool *pool)
{
	return pool->limit - pool->min_pages;
}

static void set_limit(struct hearth_pool *pool, unsigned long limit)
{
	lockdep_assert_held(&all_commons[pool->nid].lock);
	if (limit < pool->limit)
		hearth_pool_note_over(pool);	/* trimming finds out */
	WRITE_ONCE(pool->limit, limit);
}

/* The pool that has borrowed most, if it has borrowed anything. */
static struct hearth_pool *greatest_borrower(struct commons *commons)
{
	struct hearth_pool *pool, *greatest = NULL;

	lockdep_assert_held(&commons->lock);
	list_for_each_entry(pool, &commons->pools, share_node) {
		if (lent_to(pool) > (greatest ? lent_to(greatest) : 0))
			greatest = pool;
	}
	return greatest;
}

/**
 * hearth_share_borrow() - get more of a node's memory
 * @pool: a pool that is at its limit
 *
 * Context: Process context, no lock held.
 * Return: true if the limit is higher now.
 */
bool hearth_share_borrow(struct hearth_pool *pool)
{
	struct commons *commons = &all_commons[pool->nid];
	struct hearth_pool *from = NULL;
	unsigned long want;
	bool got;

	/* cheap for whom everything is guaranteed, and not for each page */
	if (READ_ONCE(pool->limit) >= READ_ONCE(pool->max_pages) ||
	    READ_ONCE(pool->policy.nr_inserted) - READ_ONCE(pool->refused) <
	    STEP)
		return false;

	rcu_read_lock();	/* keeps @from */
	spin_lock(&commons->lock);
	want = min(STEP, pool->max_pages - min(pool->limit, pool->max_pages));
	if (want && commons->nr_lent + want <= commons->nr_pages) {
		commons->nr_lent += want;
	} else if (want) {
		from = greatest_borrower(commons);
		if (!from || lent_to(from) < lent_to(pool) + 2 * want)
			want = 0;
		else
			set_limit(from, from->limit - want);
	}
	if (want)
		set_limit(pool, pool->limit + want);
	else
		WRITE_ONCE(pool->refused, READ_ONCE(pool->policy.nr_inserted));
	got = want;
	spin_unlock(&commons->lock);
	if (from && got)
		hearth_pool_trim(from->cache, from);
	rcu_read_unlock();
	return got;
}

/**
 * hearth_share_return() - give back what a pool has borrowed and does not use
 * @pool: the pool
 *
 * Context: Process context, no lock held.
 */
void hearth_share_return(struct hearth_pool *pool)
{
	struct commons *commons = &all_commons[pool->nid];
	unsigned long used, surplus;

	spin_lock(&pool->lock);
	used = hearth_pool_used(pool);
	spin_unlock(&pool->lock);

	spin_lock(&commons->lock);
	surplus = pool->limit - min(pool->limit, max(used, pool->min_pages));
	surplus = round_down(surplus, STEP);
	commons->nr_lent -= surplus;
	set_limit(pool, pool->limit - surplus);
	spin_unlock(&commons->lock);
}

/* Calls in a step if more is lent than there is; false if nothing is left to do. */
static bool call_in(struct commons *commons)
{
	struct hearth_pool *from = NULL;
	unsigned long step;

	rcu_read_lock();
	spin_lock(&commons->lock);
	if (commons->nr_lent > commons->nr_pages)
		from = greatest_borrower(commons);
	if (from) {
		step = min(STEP, lent_to(from));
		commons->nr_lent -= step;
		set_limit(from, from->limit - step);
	}
	spin_unlock(&commons->lock);
	if (from)
		hearth_pool_trim(from->cache, from);
	rcu_read_unlock();
	return from;
}

/**
 * hearth_share_set_commons() - say how much of a node LUNs may share
 * @nid: the node
 * @nr_pages: what is guaranteed to nobody
 *
 * If more than that is lent, it is called in.
 *
 * Context: Process context, no lock held; calls for one node do not overlap.
 */
void hearth_share_set_commons(int nid, unsigned long nr_pages)
{
	struct commons *commons = &all_commons[nid];

	spin_lock(&commons->lock);
	commons->nr_pages = nr_pages;
	spin_unlock(&commons->lock);
	while (call_in(commons))
		cond_resched();
}

/**
 * hearth_share_join() - let a new pool take part
 * @pool: the pool
 * @min_pages: what it is guaranteed
 * @max_pages: the most that it may have
 *
 * Context: Process context, no lock held.
 */
void hearth_share_join(struct hearth_pool *pool, unsigned long min_pages,
		       unsigned long max_pages)
{
	struct commons *commons = &all_commons[pool->nid];

	pool->min_pages = min_pages;
	pool->max_pages = max_pages;
	pool->limit = min_pages;
	pool->refused = -(u32)STEP;
	spin_lock(&commons->lock);
	list_add_tail(&pool->share_node, &commons->pools);
	spin_unlock(&commons->lock);
}

/**
 * hearth_share_leave() - give everything back
 * @pool: the pool; after a grace period nobody knows it any more
 *
 * Context: Process context, no lock held.
 */
void hearth_share_leave(struct hearth_pool *pool)
{
	struct commons *commons = &all_commons[pool->nid];

	spin_lock(&commons->lock);
	list_del(&pool->share_node);
	commons->nr_lent -= lent_to(pool);
	spin_unlock(&commons->lock);
}

/**
 * hearth_share_resize() - change guarantee and maximum of a pool
 * @pool: the pool
 * @min_pages: what it is guaranteed from now on
 * @max_pages: the most that it may have from now on
 *
 * Context: Process context, no lock held.
 */
void hearth_share_resize(struct hearth_pool *pool, unsigned long min_pages,
			 unsigned long max_pages)
{
	struct commons *commons = &all_commons[pool->nid];
	unsigned long lent;

	spin_lock(&commons->lock);
	lent = min(lent_to(pool), max_pages - min_pages);
	commons->nr_lent -= lent_to(pool) - lent;
	WRITE_ONCE(pool->max_pages, max_pages);
	pool->min_pages = min_pages;
	set_limit(pool, min_pages + lent);
	WRITE_ONCE(pool->refused, READ_ONCE(pool->policy.nr_inserted) -
				  (u32)STEP);
	spin_unlock(&commons->lock);
}
