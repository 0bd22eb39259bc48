// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Look-ups without a lock: whatever happens between any two of their accesses to
 * shared memory, they return what the LUN holds or nothing.
 */
#include "suite.h"

/* Places where a look-up can be interrupted: more than it has. */
#define MAX_PLACES	12
#define NR_INTERRUPTS	3

/* In the order of sectors: frame A is looked up, B is in another extent. */
#define SECTOR_A	2
#define SECTOR_B	(3 * 128 + 2)

typedef void (*act_fn)(void);

static struct {
	struct rig rig;
	unsigned int place;
	unsigned int at[NR_INTERRUPTS];
	act_fn act[NR_INTERRUPTS];
} t;

static void read_a(void)
{
	rig_do(&t.rig, HEARTH_OP_READ, SECTOR_A, 1);
}

static void read_b(void)
{
	rig_do(&t.rig, HEARTH_OP_READ, SECTOR_B, 1);
}

static void write_a(void)
{
	rig_do(&t.rig, HEARTH_OP_WRITE, SECTOR_A, 1);
}

static void write_beside_a(void)
{
	rig_do(&t.rig, HEARTH_OP_WRITE, SECTOR_A + 1, 1);
}

static void discard_a(void)
{
	rig_do(&t.rig, HEARTH_OP_DISCARD, SECTOR_A, 1);
}

static const act_fn acts[] = {
	read_a, read_b, write_a, write_beside_a, discard_a,
};

#define NR_ACTS	ARRAY_SIZE(acts)

static void interrupt(void)
{
	unsigned int i;

	t.place++;
	for (i = 0; i < NR_INTERRUPTS; i++) {
		if (t.at[i] != t.place)
			continue;
		t.rig.look_up_hook = NULL;
		shim_step_hook = NULL;
		t.rig.is_nested = true;
		t.act[i]();
		t.rig.is_nested = false;
		shim_step_hook = interrupt;
	}
}

/* A popular neighbour keeps the extent of A alive while A's frame goes. */
static void keep_extent(void)
{
	unsigned int i;

	for (i = 0; i <= HEARTH_FREQ_MAX; i++)
		rig_do(&t.rig, HEARTH_OP_READ, SECTOR_A + 8, 1);
}

/* Looks frame A up with the interrupts that are set. */
static void look_up_a(unsigned long nr_frames)
{
	struct rig_config config = {
		.frames = { nr_frames }, .nr_sectors = 8 * 80,
	};
	struct req *req;

	rig_init(&t.rig, &config);
	if (nr_frames > 1)
		keep_extent();
	read_a();
	req = rig_req(&t.rig, HEARTH_OP_READ, SECTOR_A, 1);
	t.place = 0;
	t.rig.look_up_hook = interrupt;
	rig_submit(req);
	rig_drain(&t.rig);
	req_free(req);
	rig_exit(&t.rig);
}

/* The @n-th way to choose the acts. */
static void choose_acts(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < NR_INTERRUPTS; i++, n /= NR_ACTS)
		t.act[i] = acts[n % NR_ACTS];
}

static void all_acts(unsigned long nr_frames)
{
	unsigned int n;

	for (n = 0; n < NR_ACTS * NR_ACTS * NR_ACTS; n++) {
		choose_acts(n);
		look_up_a(nr_frames);
	}
}

/* Every triple of acts at every two places: two acts at the first. */
static void interrupted_everywhere(unsigned long nr_frames)
{
	for (t.at[0] = 1; t.at[0] < MAX_PLACES; t.at[0]++) {
		t.at[1] = t.at[0];
		for (t.at[2] = t.at[0]; t.at[2] < MAX_PLACES; t.at[2]++)
			all_acts(nr_frames);
	}
}

static void look_up_survives_the_death_of_its_extent(void **state)
{
	(void)state;
	interrupted_everywhere(1);
}

static void look_up_survives_the_reuse_of_a_frame_in_a_live_extent(void **state)
{
	(void)state;
	interrupted_everywhere(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(look_up_survives_the_death_of_its_extent),
		cmocka_unit_test(look_up_survives_the_reuse_of_a_frame_in_a_live_extent),
	};

	return run_suite("lookup", tests);
}
