// SPDX-License-Identifier: GPL-2.0-or-later
/* The checksum of a file's whole content. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../common/io.h"
#include "sum.h"

#define CHUNK_BYTES (256u << 10)

static int add_content(XXH3_state_t *state, int fd, uint64_t size, void *buf)
{
	for (uint64_t at = 0; at < size;) {
		uint64_t len = size - at < CHUNK_BYTES ? size - at : CHUNK_BYTES;
		ssize_t got = hearth_pread_full(fd, buf, len, at);

		if (got < 0)
			return (int)got;
		if ((uint64_t)got < len)
			return -ENODATA;
		XXH3_128bits_update(state, buf, len);
		at += len;
	}
	return 0;
}

int hearth_sum_file(int fd, uint64_t size, uint8_t ret[HEARTH_SUM_BYTES])
{
	XXH3_state_t *state = XXH3_createState();
	void *buf = malloc(CHUNK_BYTES);
	XXH128_canonical_t sum;
	int err = -ENOMEM;

	if (state && buf) {
		XXH3_128bits_reset(state);
		err = add_content(state, fd, size, buf);
	}
	if (!err) {
		XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
		memcpy(ret, sum.digest, HEARTH_SUM_BYTES);
	}
	free(buf);
	XXH3_freeState(state);
	return err;
}
