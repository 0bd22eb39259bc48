// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages with budgets per node, slabs that reuse at once, failing allocations.
 */
#include <pthread.h>
#include <sanitizer/asan_interface.h>

#define PAGE_POISON	0xdb
#define OBJECT_POISON	0x5a

unsigned int nr_node_ids = 1;
unsigned int shim_cpuless;
__thread int shim_nid;
__thread int shim_cpu;
bool shim_clears;
long shim_fail_in;
long shim_fail_every;

static pthread_mutex_t mm_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shim_usage usage;

struct shim_usage shim_usage(void)
{
	struct shim_usage now = {
		.pages = __atomic_load_n(&usage.pages, __ATOMIC_RELAXED),
		.objects = __atomic_load_n(&usage.objects, __ATOMIC_RELAXED),
		.chunks = __atomic_load_n(&usage.chunks, __ATOMIC_RELAXED),
	};

	return now;
}

static void count(long *what, long n)
{
	__atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}

/* Whether this allocation is one that has to fail. */
static bool must_fail(void)
{
	bool fail = false;

	shim_assert(shim_holds_no_lock());
	if (!__atomic_load_n(&shim_fail_in, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&mm_lock);
	if (shim_fail_in && !--shim_fail_in) {
		fail = true;
		shim_fail_in = shim_fail_every;
	}
	pthread_mutex_unlock(&mm_lock);
	return fail;
}

/* Pages */

static struct {
	struct page *free;
	long nr_left;
	bool is_limited;
} nodes[SHIM_MAX_NODES];

/* At most this many pages may be in use on the node from now on, < 0: any. */
void shim_node_budget(int nid, long nr_pages)
{
	pthread_mutex_lock(&mm_lock);
	nodes[nid].is_limited = nr_pages >= 0;
	nodes[nid].nr_left = nr_pages;
	pthread_mutex_unlock(&mm_lock);
}

static void poison_page(struct page *page)
{
	memset(page->data, PAGE_POISON, PAGE_SIZE);
	ASAN_POISON_MEMORY_REGION(page->data, PAGE_SIZE);
}

static void unpoison_page(struct page *page)
{
	unsigned int i;

	ASAN_UNPOISON_MEMORY_REGION(page->data, PAGE_SIZE);
	for (i = 0; i < PAGE_SIZE; i++) {
		if (page->data[i] != PAGE_POISON)
			shim_die("byte %u of a free page was written", i);
	}
}

static void init_page(struct page *page, int nid)
{
	page->nid = nid;
	page->data = malloc(PAGE_SIZE);
	shim_assert(page->data);
	poison_page(page);
}

static struct page *new_page(int nid)
{
	struct page *page = calloc(1, sizeof(*page));

	shim_assert(page);
	init_page(page, nid);
	return page;
}

/* Takes a page of the node, whatever its budget says. */
static struct page *take_node_page(int nid)
{
	struct page *page = nodes[nid].free;

	if (page)
		nodes[nid].free = page->next_free;
	else
		page = new_page(nid);
	unpoison_page(page);
	nodes[nid].nr_left -= nodes[nid].is_limited;
	count(&usage.pages, 1);
	__atomic_store_n(&page->private, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&page->refcount, 1, __ATOMIC_RELEASE);
	return page;
}

struct page *hearth_page_alloc(int nid)
{
	struct page *page = NULL;

	shim_assert(nid >= 0 && nid < (int)nr_node_ids);
	if (must_fail())
		return NULL;
	pthread_mutex_lock(&mm_lock);
	if (!nodes[nid].is_limited || nodes[nid].nr_left > 0)
		page = take_node_page(nid);
	pthread_mutex_unlock(&mm_lock);
	if (page && shim_clears)
		memset(page->data, 0, PAGE_SIZE);
	return page;
}

struct page *shim_page_alloc(int nid)
{
	struct page *page;

	pthread_mutex_lock(&mm_lock);
	page = take_node_page(nid);
	pthread_mutex_unlock(&mm_lock);
	return page;
}

void put_page(struct page *page)
{
	int left = __atomic_sub_fetch(&page->refcount, 1, __ATOMIC_SEQ_CST);

	shim_assert(left >= 0);
	if (left)
		return;
	pthread_mutex_lock(&mm_lock);
	poison_page(page);
	count(&usage.pages, -1);
	nodes[page->nid].nr_left += nodes[page->nid].is_limited;
	page->next_free = nodes[page->nid].free;
	nodes[page->nid].free = page;
	pthread_mutex_unlock(&mm_lock);
}

struct page *shim_buffer_alloc(int nid, unsigned int nr_pages)
{
	struct page *pages = calloc(nr_pages, sizeof(*pages));
	unsigned int i;

	shim_assert(pages);
	for (i = 0; i < nr_pages; i++) {
		init_page(&pages[i], nid);
		unpoison_page(&pages[i]);
		pages[i].refcount = 1;
	}
	return pages;
}

void shim_buffer_free(struct page *pages, unsigned int nr_pages)
{
	unsigned int i;

	for (i = 0; i < nr_pages; i++) {
		shim_assert(page_ref_count(&pages[i]) == 1);
		free(pages[i].data);
	}
	free(pages);
}

void memzero_page(struct page *page, size_t offset, size_t len)
{
	shim_assert(offset + len <= PAGE_SIZE && page_ref_count(page) > 0);
	memset(page->data + offset, 0, len);
}

void memcpy_page(struct page *to, size_t to_offset, struct page *from,
		 size_t from_offset, size_t len)
{
	shim_assert(shim_holds_no_lock());
	shim_assert(to_offset + len <= PAGE_SIZE);
	shim_assert(from_offset + len <= PAGE_SIZE);
	shim_assert(page_ref_count(to) > 0 && page_ref_count(from) > 0);
	memcpy(to->data + to_offset, from->data + from_offset, len);
}

/* Slabs */

struct object {
	struct object *next;
	bool in_use;
	max_align_t body[];
};

struct kmem_cache {
	const char *name;
	unsigned int size;
	bool is_typesafe;
	void (*ctor)(void *object);
	pthread_mutex_t lock;
	long nr_used;
	struct object *free;
};

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, unsigned int flags,
				     void (*ctor)(void *object))
{
	struct kmem_cache *slab;

	shim_assert(align <= sizeof(max_align_t));
	slab = kvcalloc(1, sizeof(*slab), GFP_KERNEL);
	if (!slab)
		return NULL;
	slab->name = name;
	slab->size = size;
	slab->is_typesafe = flags & SLAB_TYPESAFE_BY_RCU;
	slab->ctor = ctor;
	pthread_mutex_init(&slab->lock, NULL);
	return slab;
}

void kmem_cache_destroy(struct kmem_cache *slab)
{
	struct object *object;

	if (slab->nr_used)
		shim_die("%s: %ld objects are not freed", slab->name,
			 slab->nr_used);
	while ((object = slab->free)) {
		slab->free = object->next;
		free(object);
	}
	kvfree(slab);
}

static struct object *new_object(struct kmem_cache *slab)
{
	struct object *object = malloc(sizeof(*object) + slab->size);

	shim_assert(object);
	memset(object->body, OBJECT_POISON, slab->size);
	if (slab->ctor)
		slab->ctor(object->body);
	return object;
}

/* A freed object of a type-safe slab keeps its contents and goes first. */
void *kmem_cache_alloc_node(struct kmem_cache *slab, gfp_t gfp, int nid)
{
	struct object *object;

	shim_assert(nid >= 0 && nid < (int)nr_node_ids);
	if (must_fail())
		return NULL;
	pthread_mutex_lock(&slab->lock);
	object = slab->free;
	if (object)
		slab->free = object->next;
	else
		object = new_object(slab);
	object->in_use = true;
	slab->nr_used++;
	pthread_mutex_unlock(&slab->lock);
	count(&usage.objects, 1);
	if (gfp & __GFP_ZERO)
		memset(object->body, 0, slab->size);
	return object->body;
}

void kmem_cache_free(struct kmem_cache *slab, void *body)
{
	struct object *object = container_of(body, struct object, body);

	pthread_mutex_lock(&slab->lock);
	shim_assert(object->in_use);
	object->in_use = false;
	slab->nr_used--;
	if (slab->is_typesafe) {
		object->next = slab->free;
		slab->free = object;
	} else {
		free(object);
	}
	pthread_mutex_unlock(&slab->lock);
	count(&usage.objects, -1);
}

/* Chunks */

void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	void *chunk;

	(void)gfp;
	if (must_fail())
		return NULL;
	chunk = calloc(n, size);
	shim_assert(chunk);
	count(&usage.chunks, 1);
	return chunk;
}

void kvfree(const void *chunk)
{
	if (!chunk)
		return;
	free((void *)chunk);
	count(&usage.chunks, -1);
}

void *__alloc_percpu(size_t size, size_t align)
{
	shim_assert(size <= SHIM_PERCPU_STRIDE && align <= sizeof(max_align_t));
	return kvcalloc(SHIM_MAX_CPUS, SHIM_PERCPU_STRIDE, GFP_KERNEL);
}
