// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The model test on a row of seeds.
 *
 *     t-model [FIRST [NR [STEPS]]]
 *
 * Without arguments it does what the suite wants.
 */
#include "model.h"

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	u64 nr = argc > 2 ? strtoull(argv[2], NULL, 0) : 300;
	unsigned int nr_steps = argc > 3 ? atoi(argv[3]) : 1500;
	u64 seed;

	for (seed = first; seed < first + nr; seed++) {
		struct choice choice = { .state = seed * 0x9e3779b97f4a7c15ull };

		fprintf(stderr, "seed %llu\r", seed);
		model_run(&choice, nr_steps);
	}
	fprintf(stderr, "%llu seeds from %llu on are fine\n", nr, first);
	return 0;
}
