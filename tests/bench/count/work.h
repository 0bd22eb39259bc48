/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The known work in work.S. */
#ifndef HEARTH_WORK_H
#define HEARTH_WORK_H

#include <stdint.h>

extern const char copy_words_end[], store_lines_end[];

void copy_words(uint64_t *to, const uint64_t *from, uint64_t nr_words);
void store_lines(uint8_t *lines, uint64_t nr_lines);

#endif
