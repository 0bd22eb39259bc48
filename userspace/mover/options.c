// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of hearthcp: what is accepted. */
#include <errno.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "names.h"
#include "session.h"
#include "values.h"

#define DEFAULT_COMPRESS_LEVEL 3

/* A block should not take longer than this to go out. */
#define PACED_BLOCKS_PER_S 8

#define FLAG_BIT(flag) __builtin_ctz(flag)
#define SETS(flag) (OPT_FLAG + FLAG_BIT(flag))
#define CLEARS(flag) (OPT_NO_FLAG + FLAG_BIT(flag))

static const struct poptOption table[] = {
	{ "archive", 'a', POPT_ARG_NONE, NULL, OPT_ARCHIVE, NULL, NULL },
	{ "recursive", 'r', POPT_ARG_NONE, NULL, OPT_RECURSIVE, NULL, NULL },
	{ "links", 'l', POPT_ARG_NONE, NULL, SETS(HEARTH_LINKS), NULL, NULL },
	{ "perms", 'p', POPT_ARG_NONE, NULL, SETS(HEARTH_PERMS), NULL, NULL },
	{ "times", 't', POPT_ARG_NONE, NULL, SETS(HEARTH_TIMES), NULL, NULL },
	{ "owner", 'o', POPT_ARG_NONE, NULL, SETS(HEARTH_OWNER), NULL, NULL },
	{ "group", 'g', POPT_ARG_NONE, NULL, SETS(HEARTH_GROUP), NULL, NULL },
	{ NULL, 'D', POPT_ARG_NONE, NULL, SETS(HEARTH_SPECIALS), NULL, NULL },
	{ "no-links", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_LINKS), NULL, NULL },
	{ "no-perms", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_PERMS), NULL, NULL },
	{ "no-times", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_TIMES), NULL, NULL },
	{ "no-owner", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_OWNER), NULL, NULL },
	{ "no-group", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_GROUP), NULL, NULL },
	{ "no-D", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_SPECIALS), NULL, NULL },
	{ "update", 'u', POPT_ARG_NONE, NULL, SETS(HEARTH_UPDATE), NULL, NULL },
	{ "existing", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_EXISTING), NULL, NULL },
	{ "ignore-existing", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_IGNORE_EXISTING), NULL, NULL },
	{ "ignore-times", 'I', POPT_ARG_NONE, NULL, SETS(HEARTH_IGNORE_TIMES), NULL, NULL },
	{ "size-only", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_SIZE_ONLY), NULL, NULL },
	{ "one-file-system", 'x', POPT_ARG_NONE, NULL, SETS(HEARTH_ONE_FILE_SYSTEM), NULL, NULL },
	{ "copy-links", 'L', POPT_ARG_NONE, NULL, SETS(HEARTH_COPY_LINKS), NULL, NULL },
	{ "hard-links", 'H', POPT_ARG_NONE, NULL, SETS(HEARTH_HARD_LINKS), NULL, NULL },
	{ "acls", 'A', POPT_ARG_NONE, NULL, OPT_ACLS, NULL, NULL },
	{ "xattrs", 'X', POPT_ARG_NONE, NULL, SETS(HEARTH_XATTRS), NULL, NULL },
	{ "sparse", 'S', POPT_ARG_NONE, NULL, SETS(HEARTH_SPARSE), NULL, NULL },
	{ "relative", 'R', POPT_ARG_NONE, NULL, SETS(HEARTH_RELATIVE), NULL, NULL },
	{ "checksum", 'c', POPT_ARG_NONE, NULL, SETS(HEARTH_CHECKSUM), NULL, NULL },
	{ "dry-run", 'n', POPT_ARG_NONE, NULL, SETS(HEARTH_DRY_RUN), NULL, NULL },
	{ "inplace", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_INPLACE), NULL, NULL },
	{ "append-verify", 0, POPT_ARG_NONE, NULL, OPT_APPEND_VERIFY, NULL, NULL },
	{ "verify", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_VERIFY), NULL, NULL },
	{ "backup", 'b', POPT_ARG_NONE, NULL, SETS(HEARTH_BACKUP), NULL, NULL },
	{ "suffix", 0, POPT_ARG_STRING, NULL, OPT_SUFFIX, NULL, NULL },
	{ "backup-dir", 0, POPT_ARG_STRING, NULL, OPT_BACKUP_DIR, NULL, NULL },
	{ "link-dest", 0, POPT_ARG_STRING, NULL, OPT_LINK_DEST, NULL, NULL },
	{ "remove-source-files", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_REMOVE_SOURCE), NULL, NULL },
	{ "delete", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_DELETE), NULL, NULL },
	{ "delete-after", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_DELETE), NULL, NULL },
	{ "delete-excluded", 0, POPT_ARG_NONE, NULL, OPT_DELETE_EXCLUDED, NULL, NULL },
	{ "max-delete", 0, POPT_ARG_STRING, NULL, OPT_MAX_DELETE, NULL, NULL },
	{ "force", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_FORCE), NULL, NULL },
	{ "chmod", 0, POPT_ARG_STRING, NULL, OPT_CHMOD, NULL, NULL },
	{ "chown", 0, POPT_ARG_STRING, NULL, OPT_CHOWN, NULL, NULL },
	{ "bwlimit", 0, POPT_ARG_STRING, NULL, OPT_BWLIMIT, NULL, NULL },
	{ "compress", 'z', POPT_ARG_NONE, NULL, OPT_COMPRESS, NULL, NULL },
	{ "compress-level", 0, POPT_ARG_STRING, NULL, OPT_COMPRESS_LEVEL, NULL, NULL },
	{ "seal", 0, POPT_ARG_STRING, NULL, OPT_SEAL, NULL, NULL },
	{ "key-file", 0, POPT_ARG_STRING, NULL, OPT_KEY_FILE, NULL, NULL },
	{ "cert", 0, POPT_ARG_STRING, NULL, OPT_CERT, NULL, NULL },
	{ "cert-key", 0, POPT_ARG_STRING, NULL, OPT_CERT_KEY, NULL, NULL },
	{ "ca", 0, POPT_ARG_STRING, NULL, OPT_CA, NULL, NULL },
	{ "crl", 0, POPT_ARG_STRING, NULL, OPT_CRL, NULL, NULL },
	{ "peer-name", 0, POPT_ARG_STRING, NULL, OPT_PEER_NAME, NULL, NULL },
	{ "filter", 'f', POPT_ARG_STRING, NULL, OPT_FILTER, NULL, NULL },
	{ "exclude-from", 0, POPT_ARG_STRING, NULL, OPT_EXCLUDE_FROM, NULL, NULL },
	{ "include-from", 0, POPT_ARG_STRING, NULL, OPT_INCLUDE_FROM, NULL, NULL },
	{ "files-from", 0, POPT_ARG_STRING, NULL, OPT_FILES_FROM, NULL, NULL },
	{ "from0", '0', POPT_ARG_NONE, &hearth_given.is_from0, 0, NULL, NULL },
	{ "publish", 0, POPT_ARG_NONE, NULL, OPT_PUBLISH, NULL, NULL },
	{ "keep-warm", 0, POPT_ARG_NONE, NULL, OPT_KEEP_WARM, NULL, NULL },
	{ "no-cache", 0, POPT_ARG_NONE, NULL, OPT_NO_CACHE, NULL, NULL },
	{ "partial", 0, POPT_ARG_NONE, NULL, OPT_ALWAYS_SO, NULL, NULL },
	{ "whole-file", 'W', POPT_ARG_NONE, NULL, OPT_ALWAYS_SO, NULL, NULL },
	{ "numeric-ids", 0, POPT_ARG_NONE, NULL, OPT_ALWAYS_SO, NULL, NULL },
	{ NULL, 'P', POPT_ARG_NONE, NULL, OPT_PARTIAL_PROGRESS, NULL, NULL },
	{ "verbose", 'v', POPT_ARG_NONE, &hearth_given.shows_names, 0, NULL, NULL },
	{ "itemize-changes", 'i', POPT_ARG_NONE, &hearth_given.shows_items, 0, NULL, NULL },
	{ "exclude", 0, POPT_ARG_STRING, NULL, OPT_EXCLUDE, NULL, NULL },
	{ "include", 0, POPT_ARG_STRING, NULL, OPT_INCLUDE, NULL, NULL },
	{ "rsh", 'e', POPT_ARG_STRING, NULL, OPT_RSH, NULL, NULL },
	{ "hearthd-path", 0, POPT_ARG_STRING, NULL, OPT_HEARTHD_PATH, NULL, NULL },
	{ "fsync", 0, POPT_ARG_STRING, NULL, OPT_FSYNC, NULL, NULL },
	{ "integrity", 0, POPT_ARG_STRING, NULL, OPT_INTEGRITY, NULL, NULL },
	{ "block-size", 0, POPT_ARG_STRING, NULL, OPT_BLOCK_SIZE, NULL, NULL },
	{ "memory", 0, POPT_ARG_STRING, NULL, OPT_MEMORY, NULL, NULL },
	{ "streams", 0, POPT_ARG_STRING, NULL, OPT_STREAMS, NULL, NULL },
	{ "stages", 0, POPT_ARG_STRING, NULL, OPT_STAGES, NULL, NULL },
	{ "port", 0, POPT_ARG_STRING, NULL, OPT_PORT, NULL, NULL },
	{ "data", 0, POPT_ARG_STRING, NULL, OPT_DATA, NULL, NULL },
	{ "congestion", 0, POPT_ARG_STRING, NULL, OPT_CONGESTION, NULL, NULL },
	{ "transport", 0, POPT_ARG_STRING, NULL, OPT_TRANSPORT, NULL, NULL },
	{ "rdma-mode", 0, POPT_ARG_STRING, NULL, OPT_RDMA_MODE, NULL, NULL },
	{ "timeout", 0, POPT_ARG_STRING, NULL, OPT_TIMEOUT, NULL, NULL },
	{ "direct", 0, POPT_ARG_STRING, NULL, OPT_DIRECT, NULL, NULL },
	{ "numa", 0, POPT_ARG_STRING, NULL, OPT_NUMA, NULL, NULL },
	{ "from", 0, POPT_ARG_STRING, NULL, OPT_FROM, NULL, NULL },
	{ "bytes", 0, POPT_ARG_STRING, NULL, OPT_BYTES, NULL, NULL },
	{ "sizes", 0, POPT_ARG_STRING, NULL, OPT_SIZES, NULL, NULL },
	{ "depths", 0, POPT_ARG_STRING, NULL, OPT_DEPTHS, NULL, NULL },
	{ "progress", 0, POPT_ARG_NONE, NULL, OPT_PROGRESS, NULL, NULL },
	{ "no-progress", 0, POPT_ARG_NONE, NULL, OPT_NO_PROGRESS, NULL, NULL },
	{ "json", 0, POPT_ARG_NONE, &hearth_given.is_json, 0, NULL, NULL },
	{ "stats", 0, POPT_ARG_NONE, &hearth_given.shows_stats, 0, NULL, NULL },
	{ "quiet", 'q', POPT_ARG_NONE, &hearth_given.is_quiet, 0, NULL, NULL },
	{ "help", 'h', POPT_ARG_NONE, NULL, OPT_HELP, NULL, NULL },
	{ "version", 'V', POPT_ARG_NONE, NULL, OPT_VERSION, NULL, NULL },
	POPT_TABLEEND
};

static void take_recursive(struct hearth_command *cmd)
{
	hearth_given.is_recursive = true;
	cmd->opt.flags |= HEARTH_RECURSE;
}

static void take_switch(struct hearth_command *cmd, int which)
{
	if (which == OPT_ARCHIVE)
		cmd->opt.flags |= HEARTH_RECURSE | HEARTH_LINKS | HEARTH_PERMS | HEARTH_TIMES |
				  HEARTH_OWNER | HEARTH_GROUP | HEARTH_SPECIALS;
	else if (which == OPT_PROGRESS || which == OPT_PARTIAL_PROGRESS)
		cmd->progress = HEARTH_PROGRESS_ON;
	else if (which == OPT_NO_PROGRESS)
		cmd->progress = HEARTH_PROGRESS_OFF;
	else if (which == OPT_RECURSIVE)
		take_recursive(cmd);
	else if (which == OPT_DELETE_EXCLUDED)
		cmd->opt.flags |= HEARTH_DELETE | HEARTH_DELETE_EXCLUDED;
	else if (which == OPT_ACLS)
		cmd->opt.flags |= HEARTH_ACLS | HEARTH_PERMS;
	else if (which == OPT_APPEND_VERIFY)
		cmd->opt.flags |= HEARTH_APPEND_VERIFY | HEARTH_INPLACE;
	else if (which == OPT_COMPRESS)
		cmd->opt.compress_level = DEFAULT_COMPRESS_LEVEL;
	else if (which == OPT_PUBLISH)
		hearth_command_take_publish(cmd);
	else if (which == OPT_KEEP_WARM)
		cmd->opt.lun |= HEARTH_LUN_KEEP_WARM;
	else if (which == OPT_NO_CACHE)
		cmd->opt.lun |= HEARTH_LUN_NO_CACHE;
	else if (which == OPT_ALWAYS_SO)
		return;
	else if (which >= OPT_NO_FLAG)
		cmd->opt.flags &= ~(1u << (which - OPT_NO_FLAG));
	else
		cmd->opt.flags |= 1u << (which - OPT_FLAG);
}

static bool is_value_option(int which)
{
	return which >= OPT_RSH && which <= OPT_TIMEOUT;
}

static bool parse_options(struct hearth_command *cmd, poptContext popt, enum hearth_exit *ret_code)
{
	int which;

	*ret_code = HEARTH_EXIT_USAGE;
	while ((which = poptGetNextOpt(popt)) > 0) {
		char *value = is_value_option(which) ? poptGetOptArg(popt) : NULL;
		bool is_ok = !value || hearth_take_value(cmd, which, value);

		free(value);
		if (!is_ok)
			return false;
		if (which == OPT_HELP || which == OPT_VERSION) {
			*ret_code = HEARTH_EXIT_OK;
			if (which == OPT_HELP)
				hearth_print_help();
			else
				printf("hearthcp %s, protocol %d\n", HEARTH_VERSION,
				       HEARTH_PROTOCOL);
			return false;
		}
		if (!is_value_option(which))
			take_switch(cmd, which);
	}
	if (which < -1)
		return hearth_complain_option(poptBadOption(popt, 0), poptStrerror(which));
	return true;
}

static void set_defaults(struct hearth_command *cmd)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(cmd, 0, sizeof(*cmd));
	memset(&hearth_given, 0, sizeof(hearth_given));
	hearth_options_init(&cmd->opt);
	cmd->rsh = strdup("ssh");
	cmd->hearthd_path = strdup("hearthd");
	cmd->nr_streams = nr_cpus >= 4 ? 4 : 2;
	cmd->opt.spares_streams = true;
}

/* Of a source only what is listed; what a listed directory holds only with -r itself, not with -a.
 */
static bool load_names(struct hearth_command *cmd)
{
	int err = hearth_names_load(&cmd->names, hearth_given.files_from,
				    hearth_given.is_from0 ? '\0' : '\n');

	if (err)
		return hearth_complain("--files-from=%s: cannot be read: %s",
				       hearth_given.files_from, strerror(-err));
	if (!cmd->names.nr)
		return hearth_complain("--files-from=%s: lists nothing", hearth_given.files_from);
	if (cmd->nr_sources != 1)
		return hearth_complain("--files-from: give one source, the directory of the names");
	if (!hearth_given.is_recursive)
		cmd->opt.flags &= ~(uint32_t)HEARTH_RECURSE;
	return true;
}

/*
 * A pipe has no order but its own: one stream, one thread at this end, and at the other one, too,
 * if the pipe is to be written.
 */
static bool check_pipe(struct hearth_command *cmd)
{
	bool prints = cmd->is_json || cmd->shows_names || cmd->shows_items;

	if (!cmd->reads_stdin && !cmd->writes_stdout)
		return true;
	if (cmd->writes_stdout && prints)
		return hearth_complain("-: standard output is the file's; no -v, -i, --json");
	if (cmd->names.nr || cmd->opt.flags & (HEARTH_REMOVE_SOURCE | HEARTH_DRY_RUN))
		return hearth_complain("-: no pipe with -n, --files-from, --remove-source-files");
	cmd->nr_streams = 1;
	cmd->opt.stages = HEARTH_STAGES_FUSED;
	if (cmd->writes_stdout)
		cmd->opt.flags |= HEARTH_IN_ORDER;
	return true;
}

static bool check_certs(const struct hearth_command *cmd)
{
	const struct hearth_certs *c = &cmd->certs;

	if (!c->cert != !c->key)
		return hearth_complain("--cert and --cert-key belong together");
	if (!c->cert && (c->ca || c->crl || cmd->peer_name))
		return hearth_complain("--ca, --crl and --peer-name need --cert");
	if (c->cert && cmd->key_file)
		return hearth_complain("--cert and --key-file are two ways to the same end");
	return true;
}

/* Only this machine's ends can be asked already. */
static bool check_congestion(const struct hearth_command *cmd)
{
	const char *name = cmd->opt.congestion;
	bool is_away = cmd->source_host && cmd->destination.host;
	char has[256];

	if (!name || is_away)
		return true;
	if (cmd->data_path == HEARTH_DATA_SSH || (!cmd->source_host && !cmd->destination.host))
		return hearth_complain("--congestion: only for data connections of their own");
	return !hearth_check_congestion(name, has, sizeof(has)) ||
	       hearth_complain("--congestion=%s: this end has only: %s", name, has);
}

/* Between two far ends there is nothing to choose. */
static bool check_third(const struct hearth_command *cmd)
{
	if (!cmd->source_host || !cmd->destination.host || cmd->data_path == HEARTH_DATA_AUTO)
		return true;
	return hearth_complain("--data: data goes from the one far end to the other directly");
}

/* What RDMA cannot do is said before anything is started. */
static bool check_transport(const struct hearth_command *cmd)
{
	if (cmd->rdma_mode && cmd->transport == HEARTH_TRANSPORT_TCP)
		return hearth_complain("--rdma-mode: with --transport=tcp there is no RDMA");
	if (cmd->transport != HEARTH_TRANSPORT_RDMA)
		return true;
	if (!cmd->is_bench && !cmd->source_host && !cmd->destination.host)
		return hearth_complain("--transport=rdma: both ends are here, nothing is sent");
	if (cmd->source_host && cmd->destination.host)
		return hearth_complain("--transport=rdma: not between two far ends yet");
	if (cmd->opt.compress_level)
		return hearth_complain("--transport=rdma: RDMA takes blocks as they lie in memory; "
				       "not with --compress");
	if (cmd->opt.congestion)
		return hearth_complain("--congestion is TCP's; not with --transport=rdma");
	if (cmd->data_path == HEARTH_DATA_REVERSE || cmd->data_path == HEARTH_DATA_SSH)
		return hearth_complain("--data says how TCP is to go; not with --transport=rdma");
	return true;
}

/* With a daemon there is no ssh to fall back on, and nothing goes out in the open unasked. */
static bool check_daemon(struct hearth_command *cmd)
{
	if (!hearth_url_is(cmd->source_host) && !hearth_url_is(cmd->destination.host))
		return true;
	if (cmd->data_path == HEARTH_DATA_SSH)
		return hearth_complain("--data=ssh: there is no ssh to a daemon; see --seal");
	if (!hearth_given.has_seal)
		cmd->opt.seal = HEARTH_SEAL_ENCRYPT;
	return true;
}

/* What only a measurement has, and what it has not. */
static bool check_bench(const struct hearth_command *cmd)
{
	const struct hearth_bench_plan *b = &cmd->bench;

	if (!cmd->is_bench && (b->from || b->sizes || b->depths || b->bytes))
		return hearth_complain("--from, --bytes, --sizes, --depths: only for bench");
	if (cmd->is_bench && cmd->opt.flags & ~(uint32_t)HEARTH_UNHASHED)
		return hearth_complain("bench: give only options of how data travels");
	return true;
}

static bool check(struct hearth_command *cmd)
{
	uint32_t flags = cmd->opt.flags;

	if (!hearth_command_check_publish(cmd) || !check_bench(cmd))
		return false;
	if (hearth_given.files_from && !load_names(cmd))
		return false;
	if (flags & HEARTH_DELETE && !(cmd->opt.flags & HEARTH_RECURSE))
		return hearth_complain("--delete needs -r: only whole directories can be compared");
	if (flags & HEARTH_INPLACE && (flags & HEARTH_BACKUP || cmd->opt.link_dest))
		return hearth_complain("--inplace writes to the files themselves; "
				       "it does not go with --backup or --link-dest");
	if (cmd->opt.link_dest && !(flags & HEARTH_TIMES))
		return hearth_complain("--link-dest needs -t: files are found by their times");
	if (!hearth_command_check_luns(cmd) || !check_pipe(cmd) || !check_daemon(cmd) ||
	    !check_certs(cmd) || !check_third(cmd) || !check_congestion(cmd) ||
	    !check_transport(cmd))
		return false;
	if (cmd->shows_names || cmd->shows_items)
		cmd->opt.flags |= HEARTH_ITEMIZE;
	while (!hearth_given.has_block_size && cmd->opt.block_bytes > HEARTH_BLOCK_MIN_PAYLOAD &&
	       cmd->opt.block_bytes > cmd->opt.bytes_per_s / PACED_BLOCKS_PER_S)
		cmd->opt.block_bytes /= 2;
	cmd->lengthens_blocks = !hearth_given.has_block_size &&
				cmd->opt.bytes_per_s == HEARTH_UNLIMITED;
	return true;
}

bool hearth_command_parse(struct hearth_command *cmd, int argc, const char **argv,
			  enum hearth_exit *ret_code)
{
	poptContext popt = poptGetContext("hearthcp", argc, argv, table, 0);
	bool is_ok;

	set_defaults(cmd);
	is_ok = parse_options(cmd, popt, ret_code) &&
		hearth_command_take_places(cmd, poptGetArgs(popt));
	poptFreeContext(popt);
	cmd->is_json = hearth_given.is_json;
	cmd->is_quiet = hearth_given.is_quiet;
	cmd->shows_stats = hearth_given.shows_stats;
	cmd->shows_names = hearth_given.shows_names;
	cmd->shows_items = hearth_given.shows_items;
	is_ok = is_ok && check(cmd);
	free(hearth_given.files_from);
	return is_ok;
}

void hearth_command_exit(struct hearth_command *cmd)
{
	for (uint32_t i = 0; i < cmd->nr_sources; i++)
		free(cmd->sources[i]);
	free(cmd->sources);
	free(cmd->source_host);
	free(cmd->destination.host);
	free(cmd->destination.path);
	hearth_filter_exit(&cmd->filter);
	hearth_names_exit(&cmd->names);
	free(cmd->opt.chmod);
	free(cmd->opt.suffix);
	free(cmd->opt.backup_dir);
	free(cmd->opt.congestion);
	free(cmd->opt.link_dest);
	free(cmd->rsh);
	free(cmd->hearthd_path);
	free(cmd->key_file);
	free(cmd->bench.from);
	free(cmd->bench.sizes);
	free(cmd->bench.depths);
	free(cmd->peer_name);
	hearth_certs_exit(&cmd->certs);
}
