/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, rates and durations as people write and read them. */
#ifndef HEARTH_UNITS_H
#define HEARTH_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "64K", "1.5G", "4096" -> bytes (powers of 1024). Returns 0 or -EINVAL. */
int hearth_parse_size(const char *text, uint64_t *ret_bytes);

/* A decimal number of at most @max. Returns 0 or -EINVAL. */
int hearth_parse_count(const char *text, uint64_t max, uint64_t *ret);

/* 1536 -> "1.5 KiB"; the text is put into @buf, which is returned. */
char *hearth_format_size(char *buf, size_t len, uint64_t bytes);

/* 3725 s -> "1:02:05". */
char *hearth_format_duration(char *buf, size_t len, uint64_t seconds);

/*
 * Makes a file name printable: backslash, control bytes and bytes that are no
 * valid UTF-8 become \ooo. Truncates (with "...") to fit.
 */
char *hearth_format_name(char *buf, size_t len, const char *name);

#endif
