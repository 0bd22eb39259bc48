// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of a LUN's control file, from one table.
 *
 * A control string is a list of key=value, separated by commas or newlines.  A
 * refusal is one line in the kernel log: the LUN, the key, the value, and what
 * would be accepted.
 */
#include <linux/ctype.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "hearth.h"

#define MIN_CACHE_BYTES		SZ_1M
#define MIN_DIRTY_BYTES		SZ_256K
#define DEFAULT_STRIPE_BYTES	SZ_1M
#define DEFAULT_AHEAD_BYTES	SZ_2M
#define MAX_AHEAD_BYTES		SZ_64M
#define MAX_STRIPE_BYTES	SZ_1G

static const char * const mode_names[] = {
	[HEARTH_WRITETHROUGH]	= "writethrough",
	[HEARTH_WRITEAROUND]	= "writearound",
	[HEARTH_WRITEBACK]	= "writeback",
};

static const char * const home_names[] = {
	[HEARTH_HOME_TOUCH]	= "touch",
	[HEARTH_HOME_STRIPE]	= "stripe",
};

static const char * const dispatch_names[] = {
	[HEARTH_DISPATCH_INLINE]	= "inline",
	[HEARTH_DISPATCH_HOME]		= "home",
	[HEARTH_DISPATCH_AUTO]		= "auto",
};

const char *hearth_mode_name(enum hearth_mode mode)
{
	return mode_names[mode];
}

const char *hearth_home_name(enum hearth_home home)
{
	return home_names[home];
}

/* The hard watermark: what was asked for, else a quarter of the cache. */
u64 hearth_params_dirty(const struct hearth_params *params)
{
	return params->dirty_bytes ?: params->cache_bytes / 4;
}

const char *hearth_dispatch_name(enum hearth_dispatch dispatch)
{
	return dispatch_names[dispatch];
}

/* "64k" and the like; the suffixes are powers of 1024. */
int hearth_parse_size(const char *text, u64 *ret_bytes)
{
	static const char suffixes[] = "kmgt";
	char digits[21];
	const char *suffix;
	size_t len = strspn(text, "0123456789");
	unsigned int shift = 0;
	u64 n;

	if (!len || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (kstrtou64(digits, 10, &n))
		return -EINVAL;
	if (text[len]) {
		suffix = strchr(suffixes, tolower(text[len]));
		if (!suffix || text[len + 1])
			return -EINVAL;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (check_shl_overflow(n, shift, ret_bytes))
		return -EINVAL;
	return 0;
}

static int parse_dev(struct hearth_params *params, const char *value)
{
	char *path;

	if (value[0] != '/')
		return -EINVAL;
	path = kstrdup(value, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	kfree(params->dev);
	params->dev = path;
	return 0;
}

static int parse_cache(struct hearth_params *params, const char *value)
{
	u64 bytes;

	if (hearth_parse_size(value, &bytes) || bytes < MIN_CACHE_BYTES)
		return -EINVAL;
	params->cache_bytes = bytes;
	return 0;
}

static int parse_cache_min(struct hearth_params *params, const char *value)
{
	return hearth_parse_size(value, &params->cache_min_bytes);
}

/* What is guaranteed; a cache that became smaller is guaranteed as a whole. */
u64 hearth_params_cache_min(const struct hearth_params *params)
{
	return min(params->cache_min_bytes, params->cache_bytes);
}

static int parse_mode(struct hearth_params *params, const char *value)
{
	int mode = match_string(mode_names, ARRAY_SIZE(mode_names), value);

	if (mode < 0)
		return -EINVAL;
	params->mode = mode;
	return 0;
}

static int parse_home(struct hearth_params *params, const char *value)
{
	int home = match_string(home_names, ARRAY_SIZE(home_names), value);

	if (home < 0)
		return -EINVAL;
	params->home = home;
	return 0;
}

static int parse_dispatch(struct hearth_params *params, const char *value)
{
	int dispatch = match_string(dispatch_names, ARRAY_SIZE(dispatch_names),
				    value);

	if (dispatch < 0)
		return -EINVAL;
	params->dispatch = dispatch;
	return 0;
}

static int parse_stripe(struct hearth_params *params, const char *value)
{
	u64 bytes;

	if (hearth_parse_size(value, &bytes) || !is_power_of_2(bytes) ||
	    bytes < HEARTH_EXTENT_BYTES || bytes > MAX_STRIPE_BYTES)
		return -EINVAL;
	params->stripe_bytes = bytes;
	return 0;
}

static int parse_readahead(struct hearth_params *params, const char *value)
{
	u64 bytes;

	if (hearth_parse_size(value, &bytes) || bytes > MAX_AHEAD_BYTES ||
	    (bytes && bytes < SZ_128K))
		return -EINVAL;
	params->ahead_bytes = bytes;
	return 0;
}

static int parse_dirty(struct hearth_params *params, const char *value)
{
	u64 bytes;

	if (hearth_parse_size(value, &bytes) || bytes < MIN_DIRTY_BYTES)
		return -EINVAL;
	params->dirty_bytes = bytes;
	return 0;
}

static int parse_readonly(struct hearth_params *params, const char *value)
{
	return kstrtobool(value, &params->readonly);
}

/**
 * struct param - one key
 * @key: its name
 * @expects: what a refusal tells the administrator to give
 * @parse: takes a value over; -EINVAL if it is none
 * @online: may be changed while the LUN is enabled
 * @apply: does what that takes; if it fails, the old value stays
 */
struct param {
	const char *key;
	const char *expects;
	int (*parse)(struct hearth_params *params, const char *value);
	bool online;
	int (*apply)(struct hearth_dev *hdev);
};

static const struct param param_table[] = {
	{ "dev", "give the absolute path of a block device", parse_dev },
	{ "cache", "not a size of at least 1M; give bytes or a number with k, M, G or T",
	  parse_cache, true, hearth_node_resize },
	{ "cache_min", "not a size; give bytes or a number with k, M, G or T",
	  parse_cache_min, true, hearth_node_resize },
	{ "mode", "unknown; give writethrough, writeback or writearound",
	  parse_mode, true },
	{ "home", "unknown; give touch or stripe", parse_home, true },
	{ "dispatch", "unknown; give inline, home or auto", parse_dispatch,
	  true },
	{ "stripe", "give a power of two from 64k to 1G", parse_stripe },
	{ "readahead", "give a size from 128k to 64M, or 0 for none",
	  parse_readahead, true },
	{ "dirty", "not a size of at least 256k; give bytes or a number with k, M, G or T",
	  parse_dirty, true },
	{ "readonly", "give 0 or 1", parse_readonly, true,
	  hearth_readonly_apply },
};

void hearth_params_init(struct hearth_params *params)
{
	memset(params, 0, sizeof(*params));
	params->stripe_bytes = DEFAULT_STRIPE_BYTES;
	params->ahead_bytes = DEFAULT_AHEAD_BYTES;
	params->dispatch = HEARTH_DISPATCH_AUTO;
	params->cache_min_bytes = U64_MAX;
}

void hearth_params_free(struct hearth_params *params)
{
	kfree(params->dev);
	params->dev = NULL;
}

static const struct param *find_param(const char *key)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(param_table); i++) {
		if (!strcmp(param_table[i].key, key))
			return &param_table[i];
	}
	return NULL;
}

/**
 * hearth_params_set() - take one key over
 * @hdev: the LUN
 * @key: the key
 * @value: its value
 *
 * Context: Process context, under the LUN's lock.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_params_set(struct hearth_dev *hdev, const char *key,
		      const char *value)
{
	const struct param *param = find_param(key);
	struct hearth_params old = hdev->params;
	int ret;

	lockdep_assert_held(&hdev->lock);
	if (!param) {
		hearth_err(hdev, "%s=%s: unknown key; the keys are dev, cache, cache_min, mode, home, dispatch, stripe, readahead, dirty and readonly\n",
			   key, value);
		return -EINVAL;
	}
	if (hdev->cache && !param->online) {
		hearth_err(hdev, "%s=%s: cannot be changed while the LUN is enabled; delete it and create it anew\n",
			   key, value);
		return -EBUSY;
	}
	ret = param->parse(&hdev->params, value);
	if (ret == -EINVAL)
		hearth_err(hdev, "%s=%s: %s\n", key, value, param->expects);
	if (ret || !hdev->cache)
		return ret;
	if (param->apply && memcmp(&old, &hdev->params, sizeof(old))) {
		ret = param->apply(hdev);
		if (ret)
			hdev->params = old;
	}
	if (hdev->params.mode != old.mode) {
		ret = hearth_writeback_set_mode(hdev, hdev->params.mode);
		if (ret)
			hdev->params.mode = old.mode;
	}
	hearth_cache_set_dirty(hdev->cache, hearth_params_dirty(&hdev->params));
	WRITE_ONCE(hdev->cache->home, hdev->params.home);
	hearth_cache_set_dispatch(hdev->cache, hdev->params.dispatch);
	hearth_cache_set_ahead(hdev->cache, hdev->params.ahead_bytes);
	return ret;
}

/**
 * hearth_params_parse() - take a control string over
 * @hdev: the LUN
 * @text: the string
 * @len: its length
 *
 * Keys before the one that is refused stay taken over.
 *
 * Context: Process context, under the LUN's lock.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_params_parse(struct hearth_dev *hdev, const char *text, size_t len)
{
	char *copy, *rest, *value, *key;
	int ret = 0;

	copy = kmemdup_nul(text, len, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	rest = copy;
	while (!ret && (key = strsep(&rest, ",\n"))) {
		if (!*key)
			continue;
		value = strchr(key, '=');
		if (!value) {
			hearth_err(hdev, "%s: not of the form key=value\n",
				   key);
			ret = -EINVAL;
			break;
		}
		*value++ = '\0';
		ret = hearth_params_set(hdev, key, value);
	}
	kfree(copy);
	return ret;
}
