/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA nodes, pages, slabs, per-CPU memory and scatterlists.
 */
#ifndef SHIM_MM_H
#define SHIM_MM_H

#include "sync.h"

#define PAGE_SHIFT		12
#define PAGE_SIZE		BIT(PAGE_SHIFT)
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))

/* Nodes and CPUs: set by the test. */
#define SHIM_MAX_NODES		8
#define SHIM_MAX_CPUS		8

extern unsigned int nr_node_ids;
extern __thread int shim_nid;	/* node of this thread */
extern __thread int shim_cpu;	/* CPU of this thread */

#define NUMA_NO_NODE		(-1)
#define numa_node_id()		(shim_nid)
#define numa_mem_id()		(shim_nid)
/* Nodes without CPUs: bit n of shim_cpuless. */
extern unsigned int shim_cpuless;

enum shim_node_states { N_CPU };
#define node_state(nid, state)						\
	((void)(state), !(__atomic_load_n(&shim_cpuless, __ATOMIC_RELAXED) & \
			  BIT(nid)))
#define for_each_node(nid)						\
	for ((nid) = 0; (nid) < (int)nr_node_ids; (nid)++)
#define for_each_possible_cpu(cpu)					\
	for ((cpu) = 0; (cpu) < SHIM_MAX_CPUS; (cpu)++)

/*
 * Failing allocations.  Each allocation of whatever kind counts one; the one
 * that brings shim_fail_in to 0 fails, and every shim_fail_every-th after it.
 */
extern long shim_fail_in;
extern long shim_fail_every;

/* What is allocated and not freed yet: pages, slab objects, others. */
struct shim_usage {
	long pages, objects, chunks;
};

struct shim_usage shim_usage(void);

/*
 * Pages.  A struct page is never freed (as in the kernel, where any may be
 * looked at); its contents are poisoned while nobody holds a reference, and the
 * page freed last is the next to be allocated.
 */
struct page {
	int refcount;
	int nid;
	struct list_head lru;
	struct page *next_free;
	unsigned long private;
	u8 *data;
};

/*
 * The kernel clears what hearth_page_alloc() returns.  Here it is poisoned unless
 * this is set, so that who reads what nobody wrote is found.
 */
extern bool shim_clears;

void shim_node_budget(int nid, long nr_pages);
struct page *hearth_page_alloc(int nid);
void put_page(struct page *page);
#define __free_page(page)	put_page(page)

/* A page as the target core has it; never fails, and may be given to the cache. */
struct page *shim_page_alloc(int nid);

/* Neighbouring pages of a buffer that is not the cache's; not counted. */
struct page *shim_buffer_alloc(int nid, unsigned int nr_pages);
void shim_buffer_free(struct page *pages, unsigned int nr_pages);

#define page_to_nid(page)	((page)->nid)

static inline int page_ref_count(const struct page *page)
{
	/* an acquire: the kernel's callers rely on a control dependency */
	return __atomic_load_n(&page->refcount, __ATOMIC_ACQUIRE);
}

static inline void get_page(struct page *page)
{
	shim_assert(__atomic_fetch_add(&page->refcount, 1,
				       __ATOMIC_SEQ_CST) > 0);
}

static inline bool get_page_unless_zero(struct page *page)
{
	int old = __atomic_load_n(&page->refcount, __ATOMIC_RELAXED);

	shim_step();
	while (old) {
		if (__atomic_compare_exchange_n(&page->refcount, &old, old + 1,
						false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

#define page_private(page)	READ_ONCE((page)->private)
#define set_page_private(page, value)	WRITE_ONCE((page)->private, value)

void memzero_page(struct page *page, size_t offset, size_t len);
void memcpy_page(struct page *to, size_t to_offset, struct page *from,
		 size_t from_offset, size_t len);

/* Slabs and chunks */
#define SLAB_TYPESAFE_BY_RCU	1u

struct kmem_cache;

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, unsigned int flags,
				     void (*ctor)(void *object));
void kmem_cache_destroy(struct kmem_cache *slab);
void *kmem_cache_alloc_node(struct kmem_cache *slab, gfp_t gfp, int nid);
void kmem_cache_free(struct kmem_cache *slab, void *object);

void *kvcalloc(size_t n, size_t size, gfp_t gfp);
void kvfree(const void *chunk);

#define kmalloc(size, gfp)		kvcalloc(1, size, gfp)
#define kzalloc(size, gfp)		kvcalloc(1, size, gfp)
#define kzalloc_node(size, gfp, nid)	((void)(nid), kvcalloc(1, size, gfp))
#define kcalloc(n, size, gfp)		kvcalloc(n, size, gfp)
#define kvcalloc_node(n, size, gfp, nid) ((void)(nid), kvcalloc(n, size, gfp))
#define kvzalloc_node(size, gfp, nid)	((void)(nid), kvcalloc(1, size, gfp))
#define kfree(chunk)			kvfree(chunk)

/* Per-CPU memory: the CPUs' copies lie a fixed distance apart. */
#define SHIM_PERCPU_STRIDE	4096

void *__alloc_percpu(size_t size, size_t align);
#define free_percpu(p)		kvfree(p)
#define per_cpu_ptr(p, cpu)						\
	((typeof(p))((char *)(p) + SHIM_PERCPU_STRIDE * (size_t)(cpu)))
#define this_cpu_add(var, n)						\
	((void)__atomic_fetch_add(per_cpu_ptr(&(var), shim_cpu), (n),	\
				  __ATOMIC_RELAXED))

#define this_cpu_read(var)						\
	__atomic_load_n(per_cpu_ptr(&(var), shim_cpu), __ATOMIC_RELAXED)

/* Scatterlists */
struct scatterlist {
	struct page *page;
	unsigned int offset;
	unsigned int length;
	bool last;
};

static inline struct page *sg_page(struct scatterlist *sg)
{
	return sg->page;
}

static inline void sg_assign_page(struct scatterlist *sg, struct page *page)
{
	sg->page = page;
}

/* The tests' lists are of one piece. */
#define sg_is_last(sg)		((sg)->last)
#define sg_is_chain(sg)		false
#define sg_chain_ptr(sg)	NULL

static inline struct scatterlist *sg_next(struct scatterlist *sg)
{
	return sg->last ? NULL : sg + 1;
}

#endif /* SHIM_MM_H */
