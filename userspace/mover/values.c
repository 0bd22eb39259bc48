// SPDX-License-Identifier: GPL-2.0-or-later
/* Taking in what the options of hearthcp were given. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/units.h"
#include "chmod.h"
#include "engine.h"
#include "names.h"
#include "numa.h"
#include "values.h"

struct hearth_given hearth_given;

static const char *const data_paths[] = { "auto", "direct", "reverse", "ssh" };

const char *hearth_data_path_name(enum hearth_data_path path)
{
	return data_paths[path];
}

/* Index of @text in the @nr @words, or -1 after a complaint. */
static int choose(const char *option, const char *text, const char *const *words, int nr)
{
	char all[128] = "";

	for (int i = 0; i < nr; i++) {
		if (!strcmp(text, words[i]))
			return i;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 words[i]);
	}
	hearth_complain("--%s=%s: give one of %s", option, text, all);
	return -1;
}

static bool take_size(const char *option, const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret)
{
	char low[32], high[32];

	if (!hearth_parse_size(text, ret) && *ret >= min && *ret <= max)
		return true;
	return hearth_complain("--%s=%s: give a size from %s to %s, like 512K or 2M", option, text,
			       hearth_format_size(low, sizeof(low), min),
			       hearth_format_size(high, sizeof(high), max));
}

static bool take_count(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	if (!hearth_parse_count(text, max, ret) && *ret)
		return true;
	return hearth_complain("--%s=%s: give a number from 1 to %llu", option, text,
			       (unsigned long long)max);
}

static bool take_text(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to || hearth_complain("out of memory");
}

static bool take_rule(struct hearth_command *cmd, bool is_include, const char *text)
{
	const char *option = is_include ? "include" : "exclude";

	switch (hearth_filter_add(&cmd->filter, is_include, text, strlen(text))) {
	case 0:
		return true;
	case -EINVAL:
		return hearth_complain("--%s=%s: give a pattern", option, text);
	default:
		return hearth_complain("--%s=%s: too long, or more than %d rules", option, text,
				       HEARTH_MAX_RULES);
	}
}

/* "+ PATTERN", "- PATTERN", and the same in words. */
static bool take_filter(struct hearth_command *cmd, const char *text)
{
	static const struct {
		const char *word;
		bool is_include;
	} kinds[] = {
		{ "+ ", true }, { "- ", false }, { "include ", true }, { "exclude ", false }
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t len = strlen(kinds[i].word);

		if (!strncmp(text, kinds[i].word, len))
			return take_rule(cmd, kinds[i].is_include, text + len);
	}
	return hearth_complain("--filter=%s: only \"+ PATTERN\" and \"- PATTERN\" work yet",
			       text);
}

static bool take_rules(struct hearth_command *cmd, bool is_include, const char *path)
{
	struct hearth_names lines = { 0 };
	int err = hearth_names_load(&lines, path, hearth_given.is_from0 ? '\0' : '\n');
	bool is_ok = !err || hearth_complain("%s: cannot be read: %s", path, strerror(-err));

	for (uint32_t i = 0; i < lines.nr && is_ok; i++)
		is_ok = !strncmp(lines.v[i], "+ ", 2) || !strncmp(lines.v[i], "- ", 2)
				? take_filter(cmd, lines.v[i])
				: take_rule(cmd, is_include, lines.v[i]);
	hearth_names_exit(&lines);
	return is_ok;
}

static bool take_chmod(struct hearth_command *cmd, const char *text)
{
	struct hearth_chmod parsed;

	if (hearth_chmod_parse(text, &parsed))
		return hearth_complain("--chmod=%s: give changes like Dg+s,u=rwX,go-w or F0644",
				       text);
	return take_text(&cmd->opt.chmod, text);
}

static bool find_user(const char *text, uint32_t *ret)
{
	const struct passwd *user = getpwnam(text);
	uint64_t number;

	if (user)
		*ret = user->pw_uid;
	else if (!hearth_parse_count(text, UINT32_MAX - 1, &number))
		*ret = (uint32_t)number;
	else
		return hearth_complain("--chown: there is no user \"%s\" here; give a number",
				       text);
	return true;
}

static bool find_group(const char *text, uint32_t *ret)
{
	const struct group *group = getgrnam(text);
	uint64_t number;

	if (group)
		*ret = group->gr_gid;
	else if (!hearth_parse_count(text, UINT32_MAX - 1, &number))
		*ret = (uint32_t)number;
	else
		return hearth_complain("--chown: there is no group \"%s\" here; give a number",
				       text);
	return true;
}

static bool take_chown(struct hearth_command *cmd, char *text)
{
	char *group = strchr(text, ':');

	if (group)
		*group++ = '\0';
	if (*text) {
		cmd->opt.flags |= HEARTH_OWNER;
		if (!find_user(text, &cmd->opt.uid))
			return false;
	}
	if (group && *group) {
		cmd->opt.flags |= HEARTH_GROUP;
		return find_group(group, &cmd->opt.gid);
	}
	return *text || hearth_complain("--chown: give USER, USER:GROUP or :GROUP");
}

static bool take_suffix(struct hearth_command *cmd, const char *text)
{
	if (!*text || strchr(text, '/') || strlen(text) > HEARTH_SUFFIX_MAX)
		return hearth_complain("--suffix=%s: give up to %d characters, and no slash", text,
				       HEARTH_SUFFIX_MAX);
	cmd->opt.flags |= HEARTH_BACKUP;
	return take_text(&cmd->opt.suffix, text);
}

/* As with rsync: KiB a second, unless a letter says otherwise; 0 is no limit. */
static bool take_rate(struct hearth_command *cmd, const char *text)
{
	bool has_unit = *text && !strchr("0123456789.", text[strlen(text) - 1]);
	uint64_t rate;

	if (hearth_parse_size(text, &rate) || rate > 1ull << 50)
		return hearth_complain("--bwlimit=%s: give KiB a second, or a rate like 1.5M",
				       text);
	if (!has_unit)
		rate <<= 10;
	cmd->opt.bytes_per_s = rate ? rate : HEARTH_UNLIMITED;
	return true;
}

static bool take_ports(struct hearth_command *cmd, const char *text)
{
	unsigned int low, high;
	char tail;
	int nr = sscanf(text, "%5u-%5u%c", &low, &high, &tail);

	if (nr == 1 && !strchr(text, '-'))
		high = low;
	else if (nr != 2)
		low = 0;
	if (!low || low > high || high > 65535)
		return hearth_complain("--port=%s: give a port or a range like 5000-5010", text);
	cmd->port_low = (uint16_t)low;
	cmd->port_high = (uint16_t)high;
	return true;
}

static bool take_numa(struct hearth_command *cmd, const char *text)
{
	static const char *const modes[] = { "auto", "off", "show" };
	char path[64];
	uint64_t node;

	for (uint8_t i = 0; i <= HEARTH_NUMA_SHOW; i++)
		if (!strcmp(text, modes[i])) {
			cmd->opt.numa = i;
			return true;
		}
	if (hearth_parse_count(text, HEARTH_NUMA_MAX_NODE, &node))
		return hearth_complain("--numa=%s: give auto, off, show, or a node's number", text);
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", (unsigned int)node);
	if (access(path, F_OK))
		return hearth_complain("--numa=%s: there is no such node here", text);
	cmd->opt.numa = (uint8_t)(HEARTH_NUMA_NODE + node);
	return true;
}

/* Where the text of an option goes that is taken as it is; NULL: the option is none of these. */
static char **place_of_text(struct hearth_command *cmd, int which)
{
	switch (which) {
	case OPT_RSH:
		return &cmd->rsh;
	case OPT_HEARTHD_PATH:
		return &cmd->hearthd_path;
	case OPT_FILES_FROM:
		return &hearth_given.files_from;
	case OPT_LINK_DEST:
		return &cmd->opt.link_dest;
	case OPT_BACKUP_DIR:
		cmd->opt.flags |= HEARTH_BACKUP;
		return &cmd->opt.backup_dir;
	case OPT_KEY_FILE:
		return &cmd->key_file;
	case OPT_CONGESTION:
		return &cmd->opt.congestion;
	case OPT_CERT:
		return &cmd->certs.cert;
	case OPT_CERT_KEY:
		return &cmd->certs.key;
	case OPT_CA:
		return &cmd->certs.ca;
	case OPT_CRL:
		return &cmd->certs.crl;
	case OPT_PEER_NAME:
		return &cmd->peer_name;
	case OPT_FROM:
		return &cmd->bench.from;
	case OPT_SIZES:
		return &cmd->bench.sizes;
	case OPT_DEPTHS:
		return &cmd->bench.depths;
	default:
		return NULL;
	}
}

bool hearth_take_value(struct hearth_command *cmd, int which, char *text)
{
	char **place = place_of_text(cmd, which);
	static const char *const fsyncs[] = { "none", "file", "end" };
	static const char *const integrities[] = { "end", "link" };
	static const char *const seals[] = { "none", "mac", "encrypt" };
	static const char *const directs[] = { "auto", "yes", "no" };
	static const char *const stages[] = { "auto", "fused", "split" };
	static const char *const transports[] = { "auto", "tcp", "rdma" };
	static const char *const rdma_modes[] = { "auto", "read", "write" };
	uint64_t number = 0;
	int choice = 0;
	bool is_ok = true;

	if (place)
		return *text ? take_text(place, text)
			     : hearth_complain("an option was given an empty value");
	switch (which) {
	case OPT_EXCLUDE:
	case OPT_INCLUDE:
		is_ok = take_rule(cmd, which == OPT_INCLUDE, text);
		break;
	case OPT_FILTER:
		return take_filter(cmd, text);
	case OPT_EXCLUDE_FROM:
	case OPT_INCLUDE_FROM:
		return take_rules(cmd, which == OPT_INCLUDE_FROM, text);
	case OPT_CHMOD:
		return take_chmod(cmd, text);
	case OPT_CHOWN:
		return take_chown(cmd, text);
	case OPT_SUFFIX:
		return take_suffix(cmd, text);
	case OPT_BWLIMIT:
		return take_rate(cmd, text);
	case OPT_MAX_DELETE:
		if (!hearth_parse_count(text, UINT32_MAX, &cmd->opt.max_delete))
			return true;
		return hearth_complain("--max-delete=%s: give a number", text);
	case OPT_COMPRESS_LEVEL:
		is_ok = take_count("compress-level", text, HEARTH_MAX_COMPRESS_LEVEL, &number);
		cmd->opt.compress_level = (uint8_t)number;
		return is_ok;
	case OPT_BYTES:
		return take_size("bytes", text, 1, 1ull << 50, &cmd->bench.bytes);
	case OPT_SEAL:
		choice = choose("seal", text, seals, HEARTH_NR_SEALS);
		cmd->opt.seal = (uint8_t)choice;
		hearth_given.has_seal = true;
		break;
	case OPT_FSYNC:
		choice = choose("fsync", text, fsyncs, 3);
		cmd->opt.fsync = (uint8_t)choice;
		break;
	case OPT_INTEGRITY:
		choice = choose("integrity", text, integrities, 2);
		if (choice == 1)
			cmd->opt.flags |= HEARTH_UNHASHED;
		break;
	case OPT_DATA:
		choice = choose("data", text, data_paths, 4);
		cmd->data_path = (enum hearth_data_path)choice;
		break;
	case OPT_TRANSPORT:
		choice = choose("transport", text, transports, HEARTH_NR_TRANSPORTS);
		cmd->transport = (enum hearth_transport)choice;
		cmd->says_transport = true;
		break;
	case OPT_RDMA_MODE:
		choice = choose("rdma-mode", text, rdma_modes, HEARTH_NR_RDMA_MODES);
		cmd->rdma_mode = (enum hearth_rdma_mode)choice;
		break;
	case OPT_STAGES:
		choice = choose("stages", text, stages, 3);
		cmd->opt.stages = (uint8_t)choice;
		break;
	case OPT_DIRECT:
		choice = choose("direct", text, directs, HEARTH_NR_DIRECT);
		cmd->opt.direct = (uint8_t)choice;
		break;
	case OPT_NUMA:
		return take_numa(cmd, text);
	case OPT_BLOCK_SIZE:
		is_ok = take_size("block-size", text, HEARTH_BLOCK_MIN_PAYLOAD,
				  HEARTH_BLOCK_MAX_PAYLOAD, &number);
		cmd->opt.block_bytes = (uint32_t)number;
		hearth_given.has_block_size = true;
		break;
	case OPT_MEMORY:
		is_ok = take_size("memory", text, 1u << 20, 1ull << 40, &cmd->opt.memory_bytes);
		break;
	case OPT_STREAMS:
		is_ok = take_count("streams", text, HEARTH_MAX_STREAMS, &number);
		cmd->nr_streams = (uint32_t)number;
		cmd->opt.spares_streams = false;
		break;
	case OPT_TIMEOUT:
		is_ok = take_count("timeout", text, 86400, &number);
		cmd->opt.timeout_s = (uint32_t)number;
		break;
	default:
		is_ok = take_ports(cmd, text);
	}
	return is_ok && choice >= 0;
}
