/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Atomic accesses, locks, RCU and the hash chains that use them.
 *
 * READ_ONCE() is an acquire, since the kernel orders what depends on the value
 * (address dependency) and C11 does not; WRITE_ONCE() is relaxed.  So the
 * thread sanitizer reports a pointer that is published without a release.
 *
 * Every such access, and whoever drops a lock, calls shim_step().  A test may
 * set a hook there: to let others run in the middle, or to yield the CPU.
 */
#ifndef SHIM_SYNC_H
#define SHIM_SYNC_H

#include "list.h"
#include "tree.h"

extern __thread void (*shim_step_hook)(void);

static inline void shim_step(void)
{
	if (shim_step_hook)
		shim_step_hook();
}

#define READ_ONCE(x)							\
	({ shim_step(); __atomic_load_n(&(x), __ATOMIC_ACQUIRE); })
#define WRITE_ONCE(x, val)						\
	({ shim_step(); __atomic_store_n(&(x), (val), __ATOMIC_RELAXED); })
#define smp_load_acquire(p)						\
	({ shim_step(); __atomic_load_n((p), __ATOMIC_ACQUIRE); })
#define smp_store_release(p, val)					\
	({ shim_step(); __atomic_store_n((p), (val), __ATOMIC_RELEASE); })

/*
 * Read-modify-writes of a thread's own variable: full barriers that the thread
 * sanitizer, which knows no fences, does not take for synchronisation.
 */
extern __thread int shim_barrier;
#define smp_mb()							\
	((void)__atomic_fetch_add(&shim_barrier, 0, __ATOMIC_SEQ_CST))
#define smp_wmb()	smp_mb()

#define xchg(p, val)							\
	({ shim_step(); __atomic_exchange_n((p), (val), __ATOMIC_SEQ_CST); })

typedef struct {
	long counter;
} atomic_long_t;

static inline long atomic_long_add_return(long n, atomic_long_t *v)
{
	shim_step();
	return __atomic_add_fetch(&v->counter, n, __ATOMIC_SEQ_CST);
}

static inline void atomic_long_sub(long n, atomic_long_t *v)
{
	shim_step();
	__atomic_fetch_sub(&v->counter, n, __ATOMIC_RELAXED);
}

static inline void atomic_long_inc(atomic_long_t *v)
{
	shim_step();
	__atomic_fetch_add(&v->counter, 1, __ATOMIC_RELAXED);
}

static inline void atomic_long_dec(atomic_long_t *v)
{
	atomic_long_sub(1, v);
}

static inline long atomic_long_read(const atomic_long_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

/* Locks.  The rank is the place in the lock order of frame.h. */
enum shim_rank {
	SHIM_RANK_BUCKET,
	SHIM_RANK_EXTENT,
	SHIM_RANK_LEAF,		/* pool, range_lock and sync: nothing below them */
	SHIM_RANK_FLUSH,
};

/* As large as the kernel's: what metadata costs is a test. */
typedef struct {
	u16 owner;		/* shim_self(), or 0 */
	u16 rank;		/* enum shim_rank */
} spinlock_t;

int shim_self(void);
enum shim_rank shim_rank_of(const char *name);
void shim_lock_taken(enum shim_rank rank);
void shim_lock_dropped(enum shim_rank rank);
bool shim_holds_no_lock(void);

void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);

#define spin_lock_init(lock)						\
	(*(lock) = (spinlock_t){ .rank = shim_rank_of(#lock) })
#define lockdep_assert_held(lock)					\
	shim_assert(__atomic_load_n(&(lock)->owner, __ATOMIC_RELAXED) == \
		    shim_self())

/* RCU: a callback runs as soon as no section that it waits for is left. */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

void rcu_read_lock(void);
void rcu_read_unlock(void);
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void synchronize_rcu(void);
void rcu_barrier(void);
bool shim_in_rcu(void);

/* Heads of chains with a lock in bit 0. */
struct hlist_bl_node;

struct hlist_bl_head {
	struct hlist_bl_node *first;
};

void hlist_bl_lock(struct hlist_bl_head *head);
void hlist_bl_unlock(struct hlist_bl_head *head);

#endif /* SHIM_SYNC_H */
