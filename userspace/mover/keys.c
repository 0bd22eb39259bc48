// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of users and daemons. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/io.h"
#include "keys.h"

#define SECRET_HEX (2 * HEARTH_SECRET_BYTES)

bool hearth_user_is_valid(const char *user)
{
	size_t len = strlen(user);

	return len && len <= HEARTH_USER_MAX &&
	       strspn(user, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "NAME HEX". */
static bool parse_line(const char *line, struct hearth_secret *ret)
{
	size_t len = strcspn(line, " \t");
	const char *hex = line + len + strspn(line + len, " \t");

	if (len > HEARTH_USER_MAX || strspn(hex, "0123456789abcdef") != SECRET_HEX ||
	    hex[SECRET_HEX + strspn(hex + SECRET_HEX, " \t\n")])
		return false;
	memcpy(ret->user, line, len);
	ret->user[len] = '\0';
	for (size_t i = 0; i < HEARTH_SECRET_BYTES; i++)
		ret->bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return hearth_user_is_valid(ret->user);
}

static int load_lines(struct hearth_keys *k, FILE *f, const char *path, char *text, size_t size)
{
	char line[256];
	unsigned int number = 0;

	while (fgets(line, sizeof(line), f)) {
		struct hearth_secret *grown;

		number++;
		if (*line == '#' || *line == '\n')
			continue;
		grown = realloc(k->v, (k->nr + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		k->v = grown;
		if (!parse_line(line, &k->v[k->nr])) {
			snprintf(text, size, "%s:%u: give a name and 64 hexadecimal digits", path,
				 number);
			return -EINVAL;
		}
		k->nr++;
	}
	OPENSSL_cleanse(line, sizeof(line));
	return 0;
}

int hearth_keys_load(struct hearth_keys *k, const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	int ret;

	memset(k, 0, sizeof(*k));
	if (!f || fstat(fileno(f), &st)) {
		ret = -errno;
		snprintf(text, size, "%s: cannot be read: %s", path, strerror(-ret));
	} else if (st.st_mode & 077) {
		snprintf(text, size, "%s: others may read it; chmod 600 it", path);
		ret = -EPERM;
	} else {
		ret = load_lines(k, f, path, text, size);
	}
	if (!ret && !k->nr) {
		snprintf(text, size, "%s: there is no key in it", path);
		ret = -ENOKEY;
	}
	if (f)
		fclose(f);
	if (ret)
		hearth_keys_exit(k);
	return ret;
}

void hearth_keys_exit(struct hearth_keys *k)
{
	if (k->v)
		OPENSSL_cleanse(k->v, k->nr * sizeof(*k->v));
	free(k->v);
	memset(k, 0, sizeof(*k));
}

const struct hearth_secret *hearth_keys_find(const struct hearth_keys *k, const char *user,
					     size_t len)
{
	for (uint32_t i = 0; i < k->nr; i++)
		if (!len || (strlen(k->v[i].user) == len && !memcmp(k->v[i].user, user, len)))
			return &k->v[i];
	return NULL;
}

int hearth_keys_generate(const char *user, char *line, size_t size)
{
	uint8_t bytes[HEARTH_SECRET_BYTES];
	int ret = -EINVAL, at;

	if (hearth_user_is_valid(user))
		ret = hearth_random_bytes(bytes, sizeof(bytes));
	if (ret)
		return ret;
	at = snprintf(line, size, "%s ", user);
	for (size_t i = 0; i < sizeof(bytes); i++)
		at += snprintf(line + at, size - (size_t)at, "%02x", bytes[i]);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return 0;
}
