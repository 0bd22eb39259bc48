/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random requests in random interleavings, see model.c.
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "choice.h"

void model_run(struct choice *choice, unsigned int nr_steps);

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const u8 *bytes, size_t len);

#endif /* TEST_MODEL_H */
