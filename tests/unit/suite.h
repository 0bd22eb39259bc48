/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of tests have in common: cmocka, and short names for rigs.
 */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

/* Sectors of a frame and of an extent. */
#define F	8
#define E	128

/* A cache of @nr_frames on one node over a LUN of @nr_sectors. */
static inline void start(struct rig *rig, unsigned long nr_frames,
			 u32 nr_sectors)
{
	struct rig_config config = {
		.frames = { nr_frames }, .nr_sectors = nr_sectors,
	};

	rig_init(rig, &config);
}

/* Submits a request and lets it go as far as it does without the disk. */
static inline struct req *begin(struct rig *rig, enum hearth_op op, u32 sector,
				u32 nr_sectors)
{
	struct req *req = rig_req(rig, op, sector, nr_sectors);

	rig_submit(req);
	rig_run_all(rig);
	return req;
}

static inline int do_read(struct rig *rig, u32 sector, u32 nr_sectors)
{
	return rig_do(rig, HEARTH_OP_READ, sector, nr_sectors);
}

static inline int do_write(struct rig *rig, u32 sector, u32 nr_sectors)
{
	return rig_do(rig, HEARTH_OP_WRITE, sector, nr_sectors);
}

/* Drains the rig, frees the requests (up to a NULL) and ends the cache. */
static inline void finish_reqs(struct rig *rig, struct req **reqs)
{
	rig_drain(rig);
	for (; *reqs; reqs++)
		req_free(*reqs);
	rig_exit(rig);
}

#define finish(rig, ...)						\
	finish_reqs(rig, (struct req *[]){ NULL, ##__VA_ARGS__, NULL } + 1)

#define assert_on_disk(req)	assert_int_equal((req)->state, REQ_ON_DISK)
#define assert_waits(req)	assert_int_equal((req)->state, REQ_CORE)
#define assert_done(req)	assert_int_equal((req)->state, REQ_DONE)

/* Line by line, so that a test that dies does not take the others' lines along. */
#define run_suite(name, tests)						\
	(setvbuf(stdout, NULL, _IOLBF, 0),				\
	 cmocka_run_group_tests_name(name, tests, NULL, NULL))

#endif /* TEST_SUITE_H */
