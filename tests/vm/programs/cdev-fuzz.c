// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything at once that can be done to a LUN's node, by threads that draw lots.
 *
 *     cdev-fuzz NODE FIRST BYTES STEPS SEED
 *
 * Threads open and close files, map, unmap, store, fork, and make ioctls, good ones and nonsense,
 * in the range from byte FIRST on; whatever lies outside must not change, which is for the caller
 * to look at. Ends with an error if a call says what uapi/hearth.h does not name, or gives more
 * than was asked for. SIGBUS is what may happen to a mapping.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <hearth.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define FILES 3
#define MAPS 6
#define PAGE 4096ULL
#define MAX_RANGE (512ULL << 10)

struct map {
	uint8_t *memory;
	size_t len;
	bool may_store;
};

struct thread {
	pthread_t id;
	uint64_t state;
	int files[FILES];
	struct map maps[MAPS];
	unsigned long nr_good, nr_refused, nr_faults;
};

static const char *node;
static uint64_t first, bytes, lun_bytes;
static unsigned long steps;
static struct thread threads[THREADS];
static __thread sigjmp_buf out;
static __thread volatile bool may_fault;

static void on_fault(int number)
{
	if (may_fault)
		siglongjmp(out, 1);
	signal(number, SIG_DFL);
	raise(number);
}

static uint64_t draw(struct thread *t, uint64_t n)
{
	t->state ^= t->state << 13;
	t->state ^= t->state >> 7;
	t->state ^= t->state << 17;
	return t->state % n;
}

static void open_file(struct thread *t, int i)
{
	static const int flags[] = { O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY,
				     O_RDWR | O_DIRECT, O_RDWR | O_DSYNC };

	if (t->files[i] >= 0)
		close(t->files[i]);
	t->files[i] = open(node, flags[draw(t, sizeof(flags) / sizeof(*flags))]);
	if (t->files[i] < 0)
		err(1, "%s", node);
}

/* Where something is done: whole pages, as a rule. */
static void draw_range(struct thread *t, uint64_t *offset, uint64_t *len)
{
	*offset = first + draw(t, bytes / PAGE) * PAGE;
	*len = (1 + draw(t, draw(t, 4) ? 16 : MAX_RANGE / PAGE)) * PAGE;
	if (*len > first + bytes - *offset)
		*len = first + bytes - *offset;
}

static void unmap(struct map *map)
{
	if (map->memory)
		munmap(map->memory, map->len);
	map->memory = NULL;
}

static void map_something(struct thread *t)
{
	struct map *map = &t->maps[draw(t, MAPS)];
	int prot = draw(t, 3) ? PROT_READ | PROT_WRITE : PROT_READ;
	uint64_t offset, len;
	void *memory;

	unmap(map);
	draw_range(t, &offset, &len);
	if (!draw(t, 20))
		offset = lun_bytes - PAGE;
	memory = mmap(NULL, len, prot, MAP_SHARED | (draw(t, 4) ? 0 : MAP_POPULATE),
		      t->files[draw(t, FILES)], (off_t)offset);
	if (memory == MAP_FAILED) {
		if (errno != EINVAL && errno != EACCES)
			err(1, "mmap");
		return;
	}
	if (offset < first || offset + len > first + bytes)
		prot = PROT_READ;
	*map = (struct map){ .memory = memory, .len = len, .may_store = prot & PROT_WRITE };
}

/* Reads or stores; what is mapped may be there no more. */
static void touch(struct thread *t)
{
	struct map *map = &t->maps[draw(t, MAPS)];
	volatile uint8_t *at;
	uint8_t value;

	if (!map->memory)
		return;
	at = map->memory + draw(t, map->len);
	value = (uint8_t)draw(t, 256);
	if (sigsetjmp(out, 1)) {
		t->nr_faults++;
	} else {
		may_fault = true;
		if (map->may_store)
			*at = value;
		else
			value = *at;
	}
	may_fault = false;
}

static void juggle(struct thread *t)
{
	struct map *map = &t->maps[draw(t, MAPS)];
	size_t part;

	if (!map->memory)
		return;
	part = draw(t, map->len / PAGE) * PAGE;
	switch (draw(t, 4)) {
	case 0: /* the lower part goes */
		if (part) {
			munmap(map->memory, part);
			map->memory += part;
			map->len -= part;
		}
		break;
	case 1:
		madvise(map->memory, map->len, MADV_DONTNEED);
		break;
	case 2:
		mprotect(map->memory, map->len, PROT_READ);
		map->may_store = false;
		break;
	default:
		mlock(map->memory, map->len);
	}
}

static bool is_named(int error)
{
	static const int named[] = { EINVAL, EBADF, EBUSY, ENOSPC, ENOMEM, ENXIO, EOPNOTSUPP,
				     EFAULT, ENOTTY, EINTR };

	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
		if (named[i] == error)
			return true;
	}
	return false;
}

static void act(struct thread *t)
{
	static const unsigned long requests[] = {
		HEARTH_IOC_PUNCH, HEARTH_IOC_ZERO, HEARTH_IOC_WARM, HEARTH_IOC_DROP,
		HEARTH_IOC_PREPARE, HEARTH_IOC_PREPARE, HEARTH_IOC_PREPARE, HEARTH_IOC_COMMIT,
		HEARTH_IOC_COMMIT, HEARTH_IOC_COMMIT, HEARTH_IOC_ABANDON,
	};
	unsigned long request = requests[draw(t, sizeof(requests) / sizeof(*requests))];
	struct hearth_range range = { 0 };
	uint64_t wrong = draw(t, 40);

	draw_range(t, (uint64_t *)&range.offset, (uint64_t *)&range.len);
	range.flags = (uint32_t)draw(t, 2) & (request == HEARTH_IOC_PREPARE ||
					      request == HEARTH_IOC_COMMIT);
	if (wrong == 0)
		range.flags = (uint32_t)draw(t, 1ULL << 32) | 2;
	else if (wrong == 1)
		range.reserved = 1;
	else if (wrong == 2)
		range.offset = ~draw(t, 1 << 20);
	else if (wrong == 3)
		range.len = ~draw(t, 1 << 20);
	else if (wrong == 4)
		range.offset += 1 + draw(t, 511);
	else if (wrong == 5)
		request = _IOC(draw(t, 4), HEARTH_IOC_MAGIC, draw(t, 256), draw(t, 1 << 14));
	range.done = draw(t, UINT64_MAX);
	if (ioctl(t->files[draw(t, FILES)], request, wrong == 6 ? (void *)8 : &range)) {
		if (!is_named(errno))
			err(1, "ioctl %#lx of %llu+%llu", request, (unsigned long long)range.offset,
			    (unsigned long long)range.len);
		t->nr_refused++;
		return;
	}
	if (wrong >= 5)
		wrong = 0;
	if (wrong > 0 && wrong < 5 && request != HEARTH_IOC_INFO)
		errx(1, "ioctl %#lx took nonsense of kind %llu", request,
		     (unsigned long long)wrong);
	t->nr_good++;
}

static void move_bytes(struct thread *t)
{
	static __thread uint8_t data[64 << 10] __attribute__((aligned(4096)));
	uint64_t offset = first + draw(t, (bytes - sizeof(data)) / 512) * 512;
	size_t len = (1 + draw(t, sizeof(data) / 512)) * 512;
	int file = t->files[draw(t, FILES)];

	if (draw(t, 2)) {
		memset(data, (int)draw(t, 256), len);
		if (pwrite(file, data, len, (off_t)offset) < 0 && errno != EBADF)
			err(1, "write");
	} else if (pread(file, data, len, (off_t)offset) < 0 && errno != EBADF) {
		err(1, "read");
	}
	if (!draw(t, 8) && fsync(file))
		err(1, "fsync");
}

/* A child has it all as well, and goes without a word. */
static void breed(struct thread *t)
{
	pid_t child = fork();

	if (!child) {
		for (int i = 0; i < 8; i++)
			touch(t);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void *live(void *arg)
{
	struct thread *t = arg;
	uint64_t what;

	for (int i = 0; i < FILES; i++)
		open_file(t, i);
	for (unsigned long step = 0; step < steps; step++) {
		what = draw(t, 100);
		if (what < 45)
			act(t);
		else if (what < 70)
			touch(t);
		else if (what < 84)
			map_something(t);
		else if (what < 90)
			juggle(t);
		else if (what < 96)
			move_bytes(t);
		else if (what < 99)
			open_file(t, (int)draw(t, FILES));
		else
			breed(t);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	unsigned long good = 0, refused = 0, faults = 0;
	struct hearth_info info;
	int fd;

	if (argc != 6)
		errx(2, "give NODE FIRST BYTES STEPS SEED");
	node = argv[1];
	first = strtoull(argv[2], NULL, 0);
	bytes = strtoull(argv[3], NULL, 0);
	steps = strtoul(argv[4], NULL, 0);
	fd = open(node, O_RDONLY);
	if (fd < 0 || ioctl(fd, HEARTH_IOC_INFO, &info))
		err(1, "%s", node);
	close(fd);
	lun_bytes = info.size_bytes;
	sigaction(SIGBUS, &action, NULL);
	for (int i = 0; i < THREADS; i++) {
		threads[i].state = (strtoull(argv[5], NULL, 0) * THREADS + (uint64_t)i + 1) *
				   0x9e3779b97f4a7c15ULL;
		memset(threads[i].files, -1, sizeof(threads[i].files));
		if (pthread_create(&threads[i].id, NULL, live, &threads[i]))
			errx(1, "no thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		good += threads[i].nr_good;
		refused += threads[i].nr_refused;
		faults += threads[i].nr_faults;
	}
	printf("%lu ioctls done, %lu refused, %lu times SIGBUS\n", good, refused, faults);
	return 0; /* whatever is mapped or open the kernel closes */
}
