// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of berths: what is prepared is registered, and unmapped and deregistered before it is
 * committed or abandoned, whatever comes, fails or ends in between. A file stands in for the LUN;
 * ioctl() is this one's.
 */
#include <errno.h>
#include <hearth.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lun_berth.h"

#define START 8192u
#define BLOCK 65536u

/* What was done to each page of the LUN, and what is to fail. */
static char pages[64];
static int prepare_error, commit_error;
static int nr_regions;
static void *no_device;

/* Preparing takes its time, and says that it has begun. */
static bool is_slow;
static sem_t has_begun, never;

static void take_time(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 300000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	sem_post(&has_begun);
	while (sem_timedwait(&never, &until) && errno == EINTR)
		;
}

/* The kernel has the range prepared once only. */
static bool is_prepared(const struct hearth_range *range)
{
	return memchr(&pages[range->offset / 4096], 'p', range->len / 4096);
}

int ioctl(int fd, unsigned long what, ...)
{
	struct hearth_range *range;
	uint64_t end;
	va_list args;

	(void)fd;
	va_start(args, what);
	range = va_arg(args, struct hearth_range *);
	va_end(args);
	assert_int_equal(range->offset % 4096 + range->len % 4096, 0);
	errno = 0;
	if (what == HEARTH_IOC_PREPARE)
		errno = is_prepared(range) ? EBUSY : prepare_error;
	else if (what == HEARTH_IOC_COMMIT)
		errno = commit_error;
	if (errno)
		return -1;
	end = (range->offset + range->len) / 4096;
	for (uint64_t page = range->offset / 4096; page < end; page++) {
		if (what == HEARTH_IOC_PREPARE) {
			assert_int_equal(range->flags, HEARTH_PREPARE_OVERWRITE);
			pages[page] = 'p';
		} else {
			assert_int_equal(pages[page], 'p');
			assert_int_equal(what == HEARTH_IOC_COMMIT || what == HEARTH_IOC_ABANDON,
					 1);
			pages[page] = what == HEARTH_IOC_COMMIT ? 'c' : '.';
		}
	}
	if (what == HEARTH_IOC_PREPARE && is_slow)
		take_time();
	return 0;
}

static void *add_region(void *device, void *memory, uint64_t len, uint32_t *ret_key)
{
	if (device == no_device)
		return NULL;
	memset(memory, 'x', len);
	*ret_key = 7;
	nr_regions++;
	return device;
}

static void remove_region(void *region)
{
	assert_non_null(region);
	nr_regions--;
}

static const struct hearth_registrar registrar = { add_region, remove_region };
static int devices[2];

struct rig {
	struct hearth_lun lun;
	struct hearth_berths *bs;
};

static struct rig *shared; /* with the other thread */

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	memset(pages, '-', sizeof(pages));
	prepare_error = 0;
	commit_error = 0;
	nr_regions = 0;
	no_device = &nr_regions;
	is_slow = false;
	sem_init(&has_begun, 0, 0);
	sem_init(&never, 0, 0);
	r->lun.start = START;
	r->lun.fd = memfd_create("lun", 0);
	assert_int_equal(ftruncate(r->lun.fd, sizeof(pages) * 4096), 0);
	r->bs = hearth_berths_new(&r->lun, 3 * BLOCK + 100);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	hearth_berths_close(r->bs);
	hearth_berths_put(r->bs);
	assert_int_equal(nr_regions, 0);
	assert_null(memchr(pages, 'p', sizeof(pages)));
	close(r->lun.fd);
	free(r);
	return 0;
}

static struct hearth_berth *take(struct rig *r, uint64_t offset)
{
	return hearth_berths_take(r->bs, offset, BLOCK, &registrar, &devices[0]);
}

static void is_all(uint64_t offset, char what)
{
	uint64_t end = (START + offset + BLOCK) / 4096;

	for (uint64_t page = (START + offset) / 4096; page < end; page++)
		assert_int_equal(pages[page], what);
}

static void what_landed_is_committed_and_the_next_prepared(void **state)
{
	struct rig *r = *state;
	struct hearth_berth *b = take(r, 0);

	assert_non_null(b);
	assert_int_equal(hearth_berth_key(b), 7);
	assert_int_equal(nr_regions, 1);
	assert_int_equal(hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK), 0);
	is_all(0, 'c');
	hearth_berth_leave(b);
	is_all(0, 'c');
	is_all(BLOCK, 'p');
	assert_int_equal(nr_regions, 1);
	b = take(r, BLOCK);
	assert_int_equal(nr_regions, 1);
	hearth_berth_leave(b);
	is_all(BLOCK, '.');
	assert_int_equal(hearth_berths_landed(r->bs), BLOCK);
}

/* The sender may change its mind about how long blocks are. */
static void the_next_is_as_long_as_the_last(void **state)
{
	struct rig *r = *state;
	struct hearth_berth *b =
		hearth_berths_take(r->bs, 0, BLOCK / 2, &registrar, &devices[0]);

	hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK / 2);
	hearth_berth_leave(b);
	b = hearth_berths_take(r->bs, BLOCK / 2, BLOCK / 2, &registrar, &devices[0]);
	assert_int_equal(nr_regions, 1);
	assert_int_not_equal(pages[(START + BLOCK) / 4096], 'p');
	hearth_berth_leave(b);
}

static void what_is_not_committed_is_abandoned(void **state)
{
	struct rig *r = *state;
	struct hearth_berth *b = take(r, BLOCK);

	commit_error = EIO;
	assert_int_equal(hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK), -EIO);
	is_all(BLOCK, '.');
	hearth_berth_leave(b);
	commit_error = 0;
	b = take(r, BLOCK);
	assert_non_null(b);
	hearth_berth_leave(b);
	assert_int_equal(hearth_berths_commit(r->bs, devices, BLOCK), -ENOENT);
}

static void what_cannot_be_has_no_berth(void **state)
{
	struct rig *r = *state;

	assert_null(hearth_berths_take(r->bs, 512, BLOCK, &registrar, &devices[0]));
	assert_null(hearth_berths_take(r->bs, 0, BLOCK - 512, &registrar, &devices[0]));
	assert_null(hearth_berths_take(r->bs, 3 * BLOCK, BLOCK, &registrar, &devices[0]));
	assert_null(hearth_berths_take(r->bs, UINT64_MAX - 4095, BLOCK, &registrar, &devices[0]));
	assert_null(hearth_berths_take(r->bs, 0, BLOCK, &registrar, no_device));
	is_all(0, '.');
	prepare_error = ENOSPC;
	assert_null(take(r, 0));
	is_all(0, '.');
}

static void a_device_that_goes_takes_its_registrations_along(void **state)
{
	struct rig *r = *state;
	struct hearth_berth *b = take(r, 0);

	hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK);
	hearth_berth_leave(b);
	assert_int_equal(nr_regions, 1); /* of the next */
	hearth_berths_forget(r->bs, &devices[0]);
	assert_int_equal(nr_regions, 0);
	b = hearth_berths_take(r->bs, BLOCK, BLOCK, &registrar, &devices[1]);
	assert_non_null(b);
	assert_int_equal(nr_regions, 1);
	hearth_berth_leave(b);
}

static void the_end_comes_before_a_block(void **state)
{
	struct rig *r = *state;
	struct hearth_berth *b = take(r, 0);

	hearth_berths_close(r->bs);
	is_all(0, '.');
	assert_int_equal(nr_regions, 0);
	assert_int_equal(hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK), -ENOENT);
	assert_null(take(r, BLOCK));
	hearth_berth_leave(b);
}

static void what_does_not_come_makes_room(void **state)
{
	struct rig *r = *state;

	/* Each prepares one ahead, none of which is ever asked for. */
	for (unsigned int i = 0; i < 3 * HEARTH_BERTHS_AHEAD; i++) {
		struct hearth_berth *b = take(r, 2 * BLOCK);

		assert_non_null(b);
		hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK);
		hearth_berth_leave(b);
	}
	is_all(2 * BLOCK, 'c');
}

static void what_is_in_the_way_is_given_up(void **state)
{
	struct rig *r = *state;
	struct hearth_berth *b = take(r, 0);

	hearth_berths_commit(r->bs, hearth_berth_memory(b), BLOCK);
	hearth_berth_leave(b);
	is_all(BLOCK, 'p');
	b = hearth_berths_take(r->bs, BLOCK + 4096, BLOCK, &registrar, &devices[0]);
	assert_non_null(b);
	is_all(BLOCK + 4096, 'p');
	assert_int_not_equal(pages[(START + BLOCK) / 4096], 'p');
	hearth_berth_leave(b);
}

static void *commit_and_leave(void *berth)
{
	struct rig *r = shared;

	hearth_berths_commit(r->bs, hearth_berth_memory(berth), BLOCK);
	hearth_berth_leave(berth);
	return NULL;
}

static void a_block_waits_for_the_berth_that_is_being_made_for_it(void **state)
{
	struct rig *r = shared = *state;
	struct hearth_berth *b = take(r, 0);
	pthread_t other;

	is_slow = true;
	assert_int_equal(pthread_create(&other, NULL, commit_and_leave, b), 0);
	while (sem_wait(&has_begun))
		;
	b = take(r, BLOCK);
	assert_non_null(b);
	pthread_join(other, NULL);
	assert_int_equal(nr_regions, 1);
	hearth_berth_leave(b);
}

/* Exits with what is wrong; 0: other memory that went did not kill. */
static void read_what_is_revoked(struct rig *r)
{
	struct hearth_berth *b;
	const volatile uint8_t *memory;

	signal(SIGBUS, SIG_DFL);
	b = take(r, 0);
	memory = hearth_berth_memory(b);
	if (memory[5] != 'x' || ftruncate(r->lun.fd, 0))
		_exit(1);
	if (memory[BLOCK - 1] || memory[5])
		_exit(2);
	commit_error = ENODEV;
	if (hearth_berths_commit(r->bs, (const void *)memory, BLOCK) != -ENODEV)
		_exit(3);
	hearth_berth_leave(b);
	memory = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, r->lun.fd, START);
	_exit(memory == MAP_FAILED ? 4 : memory[5]);
}

/*
 * An administrator takes the LUN away while a block is there; other memory is as it always was. In
 * a process whose first berth that is, since cmocka has a handler of its own, too.
 */
static void what_is_revoked_reads_as_zeroes(void **state)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		read_what_is_revoked(*state);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, SIGBUS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_revoked_reads_as_zeroes), /* the first */
		CASE(what_landed_is_committed_and_the_next_prepared),
		CASE(the_next_is_as_long_as_the_last),
		CASE(what_is_not_committed_is_abandoned),
		CASE(what_cannot_be_has_no_berth),
		CASE(a_device_that_goes_takes_its_registrations_along),
		CASE(the_end_comes_before_a_block),
		CASE(what_does_not_come_makes_room),
		CASE(what_is_in_the_way_is_given_up),
		CASE(a_block_waits_for_the_berth_that_is_being_made_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
