/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of hearthcp by number, and taking in their values. */
#ifndef HEARTH_VALUES_H
#define HEARTH_VALUES_H

#include "options.h"

enum {
	OPT_ARCHIVE = 1000,
	OPT_FLAG, /* OPT_FLAG + n sets flag 1 << n */
	OPT_NO_FLAG = OPT_FLAG + 32,
	OPT_RSH = OPT_NO_FLAG + 32,
	OPT_HEARTHD_PATH,
	OPT_EXCLUDE,
	OPT_INCLUDE,
	OPT_FILTER,
	OPT_EXCLUDE_FROM,
	OPT_INCLUDE_FROM,
	OPT_FILES_FROM,
	OPT_CHMOD,
	OPT_CHOWN,
	OPT_SUFFIX,
	OPT_BACKUP_DIR,
	OPT_LINK_DEST,
	OPT_MAX_DELETE,
	OPT_BWLIMIT,
	OPT_COMPRESS_LEVEL,
	OPT_SEAL,
	OPT_KEY_FILE,
	OPT_CERT,
	OPT_CERT_KEY,
	OPT_CA,
	OPT_CRL,
	OPT_PEER_NAME,
	OPT_FSYNC,
	OPT_INTEGRITY,
	OPT_BLOCK_SIZE,
	OPT_MEMORY,
	OPT_STREAMS,
	OPT_PORT,
	OPT_DATA,
	OPT_CONGESTION,
	OPT_TRANSPORT,
	OPT_RDMA_MODE,
	OPT_STAGES,
	OPT_DIRECT,
	OPT_NUMA,
	OPT_FROM,
	OPT_BYTES,
	OPT_SIZES,
	OPT_DEPTHS,
	OPT_TIMEOUT,
	OPT_PROGRESS,
	OPT_NO_PROGRESS,
	OPT_RECURSIVE,
	OPT_PARTIAL_PROGRESS,
	OPT_DELETE_EXCLUDED,
	OPT_ACLS,
	OPT_APPEND_VERIFY,
	OPT_COMPRESS,
	OPT_KEEP_WARM,
	OPT_NO_CACHE,
	OPT_ALWAYS_SO,
	OPT_PUBLISH,
	OPT_HELP,
	OPT_VERSION,
};

/* What the options write to beside the command: that, which popt fills in by itself, and details.
 */
struct hearth_given {
	int is_json;
	int is_quiet;
	int shows_stats;
	int shows_names;
	int shows_items;
	int is_from0;
	bool is_recursive; /* by -r itself, not by -a */
	bool has_block_size;
	bool has_seal;
	char *files_from;
};

extern struct hearth_given hearth_given;

/* Takes in what an option was given. False after a complaint. */
bool hearth_take_value(struct hearth_command *cmd, int which, char *text);

#endif
