// SPDX-License-Identifier: GPL-2.0-or-later
/* What hearthcp says of its options: those that it has, and those that it refuses by name. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

/* What rsync has and people will try: not here yet, and never ignored. */
static const char *const refused[] = {
	"-E",
	"--executability",
	"-C",
	"--cvs-exclude",
	"-F",
	"-U",
	"--atimes",
	"-N",
	"--crtimes",
	"-k",
	"--copy-dirlinks",
	"-K",
	"--keep-dirlinks",
	"-m",
	"--prune-empty-dirs",
	"-y",
	"--fuzzy",
	"-d",
	"--dirs",
	"--partial-dir",
	"--copy-dest",
	"--compare-dest",
	"--append",
	"--delete-before",
	"--delete-during",
	"--delete-delay",
	"--delete-missing-args",
	"--ignore-errors",
	"--max-size",
	"--min-size",
	"--usermap",
	"--groupmap",
	"--out-format",
};

void hearth_print_help(void)
{
	puts("Usage: hearthcp [OPTION]... SRC... DST\n"
	     "       hearthcp bench [OPTION]... [HOST:[FILE]]     measure how fast that end is reached\n"
	     "Copy files, here or over ssh, restartable and verified. SRC and DST: PATH, [USER@]HOST:PATH, - for a pipe,\n"
	     "or hearth://[USER@]HOST[:PORT]/MODULE/PATH for a daemon; PATH may be lun:/NAME[@OFFSET[+LEN]], a LUN there.\n"
	     "A slash after a source directory stands for what is in it. The same command continues what was interrupted.\n"
	     "\n"
	     "  -a, --archive         same as -rlptgoD; -r -l -p -t -o -g -D: directories, symlinks, modes, times, owners,\n"
	     "                        groups, devices and FIFOs (--no-... not)\n"
	     "  -H, -A, -X, -S        hard links, ACLs, extended attributes; zeros become holes\n"
	     "  -L, -R, -x            copy what symlinks point to; with the path given; stay on one file system\n"
	     "  -u, --existing, --ignore-existing     leave newer files alone; make no new ones; leave those that exist\n"
	     "  -c, -I, --size-only   compare contents, or nothing, or sizes instead of size and time\n"
	     "  -n, -v, -i            change nothing; name what is done; with its changes in letters\n"
	     "      --delete, --delete-excluded, --max-delete=N, --force   remove what the source does not have\n"
	     "      --exclude=P, --include=P, -f RULE, --exclude-from=F, --include-from=F   leave out by pattern\n"
	     "      --files-from=F, -0                of the source only the names in a file\n"
	     "  -b, --suffix=S, --backup-dir=DIR      keep what is replaced or deleted\n"
	     "      --link-dest=DIR                   link what is the same there\n"
	     "      --chmod=CHANGES, --chown=USER:GROUP, --remove-source-files, --publish (an EROFS image)\n"
	     "      --inplace, --append-verify        write to the files themselves; keep what is right of shorter ones\n"
	     "  -e, --rsh=COMMAND, --hearthd-path=PATH    how to reach the far end (ssh); what to start there (hearthd)\n"
	     "      --data=auto|direct|reverse|ssh, --port=N[-M], --streams=N, --congestion=NAME\n"
	     "                                        which way data goes, and over how many connections\n"
	     "      --transport=auto|tcp|rdma, --rdma-mode=auto|read|write   RDMA where both ends have it; who moves data\n"
	     "      --seal=none|mac|encrypt           blocks against attackers\n"
	     "      --key-file=F | --cert=F --cert-key=F [--ca=F] [--crl=F] [--peer-name=N]   who one is to hearth://\n"
	     "  -z, --compress-level=N, --bwlimit=RATE    zstd; KiB a second, or like 10M\n"
	     "      --verify, --fsync=end|file|none   read back what was written; when data is forced to disk\n"
	     "      --integrity=end|link              checksum every block, or trust the network\n"
	     "      --block-size=SIZE, --memory=SIZE, --stages=auto|fused|split, --timeout=SECONDS\n"
	     "      --direct=auto|yes|no, --numa=auto|off|show|NODE   past the page cache; placement\n"
	     "      --progress, --no-progress, -P, --stats, -q, --json (events, one a line)\n"
	     "      --partial, -W, --numeric-ids; --keep-warm, --no-cache   always so; what a LUN's cache keeps of it\n"
	     "  -h, --help, -V, --version\n"
	     "\n"
	     "SIGUSR1 prints a status line. Details: man hearthcp");
}

bool hearth_complain(const char *format, ...)
{
	va_list args;

	fputs("hearthcp: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

bool hearth_complain_option(const char *option, const char *why)
{
	size_t len = strcspn(option, "=");

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (strlen(refused[i]) == len && !strncmp(refused[i], option, len))
			return hearth_complain("%s: not in this version; nothing was copied",
					       refused[i]);
	return hearth_complain("%s: %s; see hearthcp --help", option, why);
}
