// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks that know their owner and their order, and an epoch-based RCU.
 */
#include <pthread.h>
#include <sched.h>

__thread void (*shim_step_hook)(void);
__thread int shim_barrier;

#define MAX_THREADS	64
#define MAX_HELD	8

/* Locks */

static __thread enum shim_rank held[MAX_HELD];
static __thread unsigned int nr_held;

int shim_self(void)
{
	static int last;
	static __thread int self;

	if (!self)
		self = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	shim_assert(self < MAX_THREADS);
	return self;
}

enum shim_rank shim_rank_of(const char *name)
{
	if (strstr(name, "commons"))
		return SHIM_RANK_BUCKET;	/* with no other */
	if (strstr(name, "pool") || strstr(name, "range_lock") ||
	    strstr(name, "sync") || strstr(name, "shown_lock"))
		return SHIM_RANK_LEAF;
	if (strstr(name, "flush"))
		return SHIM_RANK_FLUSH;
	if (strstr(name, "ext"))
		return SHIM_RANK_EXTENT;
	shim_die("lock %s has no place in the lock order; see frame.h", name);
}

static void check_order(enum shim_rank rank)
{
	if (nr_held && held[nr_held - 1] >= rank)
		shim_die("lock order: rank %d taken while rank %d is held",
			 rank, held[nr_held - 1]);
}

void shim_lock_taken(enum shim_rank rank)
{
	shim_assert(nr_held < MAX_HELD);
	held[nr_held++] = rank;
}

void shim_lock_dropped(enum shim_rank rank)
{
	unsigned int i;

	for (i = nr_held; i; i--) {
		if (held[i - 1] != rank)
			continue;
		memmove(&held[i - 1], &held[i],
			(nr_held - i) * sizeof(held[0]));
		nr_held--;
		return;
	}
	shim_die("a lock of rank %d is dropped that is not held", rank);
}

bool shim_holds_no_lock(void)
{
	return !nr_held;
}

void spin_lock(spinlock_t *lock)
{
	u16 self = shim_self(), owner = 0;

	check_order(lock->rank);
	while (!__atomic_compare_exchange_n(&lock->owner, &owner, self, false,
					    __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		if (owner == self)
			shim_die("a lock is taken twice");
		owner = 0;
		sched_yield();
	}
	shim_lock_taken(lock->rank);
}

void spin_unlock(spinlock_t *lock)
{
	lockdep_assert_held(lock);
	shim_lock_dropped(lock->rank);
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
	shim_step();
}

/* Hash chains */

static uintptr_t *bits_of(struct hlist_bl_head *head)
{
	return (uintptr_t *)&head->first;
}

void hlist_bl_lock(struct hlist_bl_head *head)
{
	check_order(SHIM_RANK_BUCKET);
	while (__atomic_fetch_or(bits_of(head), 1UL, __ATOMIC_ACQUIRE) & 1)
		sched_yield();
	shim_lock_taken(SHIM_RANK_BUCKET);
}

void hlist_bl_unlock(struct hlist_bl_head *head)
{
	shim_lock_dropped(SHIM_RANK_BUCKET);
	shim_assert(__atomic_fetch_and(bits_of(head), ~1UL, __ATOMIC_RELEASE) &
		    1);
	shim_step();
}

/*
 * RCU.  Each thread notes the epoch in which its section began; a callback that
 * was queued in epoch e waits for sections that began before e.
 */
struct queued {
	struct rcu_head *head;
	u64 epoch;
	struct queued *next;
};

static u64 epoch = 1;
static u64 since[MAX_THREADS];
static __thread unsigned int nesting;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static struct queued *queue;
static unsigned int nr_queued;

bool shim_in_rcu(void)
{
	return nesting;
}

void rcu_read_lock(void)
{
	if (nesting++)
		return;
	__atomic_exchange_n(&since[shim_self()],
			    __atomic_load_n(&epoch, __ATOMIC_RELAXED),
			    __ATOMIC_SEQ_CST);
}

static bool is_over(u64 e)
{
	unsigned int i;
	u64 start;

	for (i = 0; i < MAX_THREADS; i++) {
		start = __atomic_load_n(&since[i], __ATOMIC_SEQ_CST);
		if (start && start < e)
			return false;
	}
	return true;
}

static struct queued *take_over(void)
{
	struct queued **link, *entry = NULL;

	pthread_mutex_lock(&queue_lock);
	for (link = &queue; *link; link = &(*link)->next) {
		if (!is_over((*link)->epoch))
			continue;
		entry = *link;
		*link = entry->next;
		__atomic_fetch_sub(&nr_queued, 1, __ATOMIC_RELAXED);
		break;
	}
	pthread_mutex_unlock(&queue_lock);
	return entry;
}

/* Runs what may be run: as early as can be, to catch who looks too late. */
static void poll_callbacks(void)
{
	struct queued *entry;

	while (__atomic_load_n(&nr_queued, __ATOMIC_RELAXED) &&
	       (entry = take_over())) {
		entry->head->func(entry->head);
		free(entry);
	}
}

void rcu_read_unlock(void)
{
	shim_assert(nesting);
	if (--nesting)
		return;
	__atomic_exchange_n(&since[shim_self()], 0, __ATOMIC_SEQ_CST);
	poll_callbacks();
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	struct queued *entry = malloc(sizeof(*entry));

	shim_assert(entry);
	head->func = func;
	entry->head = head;
	entry->epoch = __atomic_add_fetch(&epoch, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&queue_lock);
	entry->next = queue;
	queue = entry;
	__atomic_fetch_add(&nr_queued, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&queue_lock);
	poll_callbacks();
}

void synchronize_rcu(void)
{
	u64 e = __atomic_add_fetch(&epoch, 1, __ATOMIC_SEQ_CST);

	shim_assert(!nesting && shim_holds_no_lock());
	while (!is_over(e))
		sched_yield();
	poll_callbacks();
}

void rcu_barrier(void)
{
	shim_assert(!nesting && shim_holds_no_lock());
	while (__atomic_load_n(&nr_queued, __ATOMIC_RELAXED)) {
		poll_callbacks();
		sched_yield();
	}
}
