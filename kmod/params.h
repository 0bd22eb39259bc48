/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an administrator says of a LUN, as text and as numbers.
 */
#ifndef HEARTH_PARAMS_H
#define HEARTH_PARAMS_H

#include "core/cache.h"

struct hearth_dev;

/**
 * struct hearth_params - the keys of the control file
 * @dev: path of the backing device, or NULL
 * @cache_bytes: size of the cache, 0 if not given
 * @cache_min_bytes: what is guaranteed of it; U64_MAX if not given: all
 * @mode: see enum hearth_mode
 * @home: see enum hearth_home
 * @dispatch: see enum hearth_dispatch
 * @stripe_bytes: see struct hearth_cache_params
 * @ahead_bytes: the largest readahead window
 * @dirty_bytes: how much may wait to be written back; 0: a quarter of the cache
 * @readonly: the LUN refuses writes
 */
struct hearth_params {
	char *dev;
	u64 cache_bytes;
	u64 cache_min_bytes;
	enum hearth_mode mode;
	enum hearth_home home;
	enum hearth_dispatch dispatch;
	u64 stripe_bytes;
	u64 ahead_bytes;
	u64 dirty_bytes;
	bool readonly;
};

void hearth_params_init(struct hearth_params *params);
void hearth_params_free(struct hearth_params *params);
int hearth_params_parse(struct hearth_dev *hdev, const char *text, size_t len);
int hearth_params_set(struct hearth_dev *hdev, const char *key,
		      const char *value);
u64 hearth_params_dirty(const struct hearth_params *params);
int hearth_parse_size(const char *text, u64 *ret_bytes);
u64 hearth_params_cache_min(const struct hearth_params *params);
const char *hearth_mode_name(enum hearth_mode mode);
const char *hearth_home_name(enum hearth_home home);
const char *hearth_dispatch_name(enum hearth_dispatch dispatch);

#endif /* HEARTH_PARAMS_H */
