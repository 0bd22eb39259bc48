/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys: 256 random bits by which a user of a daemon and the daemon know each
 * other. A file of keys has a line "NAME HEX" for each, and is its owner's alone.
 */
#ifndef HEARTH_KEYS_H
#define HEARTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_SECRET_BYTES 32
#define HEARTH_USER_MAX 63

struct hearth_secret {
	char user[HEARTH_USER_MAX + 1];
	uint8_t bytes[HEARTH_SECRET_BYTES];
};

struct hearth_keys {
	uint32_t nr;
	struct hearth_secret *v;
};

/* Letters, digits, ".", "_" and "-". */
bool hearth_user_is_valid(const char *user);

/* 0, or -errno with what is wrong in @text. */
int hearth_keys_load(struct hearth_keys *k, const char *path, char *text, size_t size);
void hearth_keys_exit(struct hearth_keys *k);

/* The user's key, or for "" the first; NULL: there is none. */
const struct hearth_secret *hearth_keys_find(const struct hearth_keys *k, const char *user,
					     size_t len);

/* A line for a file of keys, with a new key. 0 or -errno. */
int hearth_keys_generate(const char *user, char *line, size_t size);

#endif
