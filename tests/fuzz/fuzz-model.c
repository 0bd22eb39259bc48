// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The model test with a fuzzer's bytes as its decisions.
 */
#include "model.h"

#define MAX_STEPS	4000

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t len)
{
	struct choice choice = { .bytes = bytes, .nr_left = len };

	model_run(&choice, MAX_STEPS);
	return 0;
}
