/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mover's engine, without its command line.
 *
 * A job has two ends, a sender and a receiver, in one process or in two. Each
 * end is a struct hearth_job and a call that returns when the job is over:
 * hearth_send() or hearth_receive(). The ends share a control channel (any pair
 * of descriptors) and at least one stream (userspace/mover/transport.h).
 *
 * An end may be run from any thread and starts threads of its own. Several jobs
 * may run at once.
 */
#ifndef HEARTH_MOVER_H
#define HEARTH_MOVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HEARTH_SUFFIX_MAX 32
#define HEARTH_MAX_COMPRESS_LEVEL 19
#define HEARTH_UNLIMITED UINT64_MAX
#define HEARTH_VERSION "0.1"
#define HEARTH_PROTOCOL 8

/* What the programs exit with; the man page hearthcp(1) has the table. */
enum hearth_exit {
	HEARTH_EXIT_OK = 0,
	HEARTH_EXIT_USAGE = 1,
	HEARTH_EXIT_PROTOCOL = 2, /* the far end is no Hearth, or another version */
	HEARTH_EXIT_CONNECT = 3, /* the far end cannot be started or reached */
	HEARTH_EXIT_PLACE = 4, /* a source or the destination cannot be used at all */
	HEARTH_EXIT_LOST = 5, /* the connection broke; the same command continues */
	HEARTH_EXIT_CORRUPT = 6, /* data stayed damaged however often it was sent */
	HEARTH_EXIT_SYSTEM = 7, /* no memory, no threads */
	HEARTH_EXIT_INTERRUPTED = 20,
	HEARTH_EXIT_PARTIAL = 23, /* some files were not copied */
	HEARTH_EXIT_VANISHED = 24, /* only that source files vanished meanwhile */
	HEARTH_EXIT_UNDELETED = 25, /* --delete held back what it would have removed */
};

enum hearth_flag {
	HEARTH_RECURSE = 1u << 0,
	HEARTH_LINKS = 1u << 1,
	HEARTH_PERMS = 1u << 2,
	HEARTH_TIMES = 1u << 3,
	HEARTH_OWNER = 1u << 4,
	HEARTH_GROUP = 1u << 5,
	HEARTH_SPECIALS = 1u << 6,
	HEARTH_UNHASHED = 1u << 7, /* --integrity=link */
	HEARTH_IGNORE_TIMES = 1u << 8, /* copy even what looks the same */
	HEARTH_SIZE_ONLY = 1u << 9,
	HEARTH_UPDATE = 1u << 10, /* leave newer files at the destination alone */
	HEARTH_EXISTING = 1u << 11, /* create nothing */
	HEARTH_IGNORE_EXISTING = 1u << 12,
	HEARTH_ONE_FILE_SYSTEM = 1u << 13,
	HEARTH_DRY_RUN = 1u << 14, /* change nothing */
	HEARTH_ITEMIZE = 1u << 15, /* the receiver names what it changes */
	HEARTH_DELETE = 1u << 16, /* what the source has not, the destination loses */
	HEARTH_DELETE_EXCLUDED = 1u << 17,
	HEARTH_FORCE = 1u << 18, /* delete even if the source is empty */
	HEARTH_HARD_LINKS = 1u << 19,
	HEARTH_ACLS = 1u << 20,
	HEARTH_XATTRS = 1u << 21,
	HEARTH_SPARSE = 1u << 22, /* runs of zeros become holes */
	HEARTH_CHECKSUM = 1u << 23, /* compare contents, not times */
	HEARTH_INPLACE = 1u << 24, /* write to the files themselves */
	HEARTH_VERIFY = 1u << 25, /* read back what was written */
	HEARTH_BACKUP = 1u << 26,
	HEARTH_REMOVE_SOURCE = 1u << 27,
	HEARTH_COPY_LINKS = 1u << 28,
	HEARTH_RELATIVE = 1u << 29,
	HEARTH_APPEND_VERIFY = 1u << 30, /* what is there of a shorter file is compared and kept */
	HEARTH_IN_ORDER = 1u << 31, /* the destination is a pipe */
	HEARTH_ALL_FLAGS = ~0u,
};

enum hearth_fsync {
	HEARTH_FSYNC_NONE,
	HEARTH_FSYNC_FILE,
	HEARTH_FSYNC_END,
	HEARTH_NR_FSYNC,
};

/* What protects blocks against attackers, on streams that leave the machine. */
enum hearth_seal_mode {
	HEARTH_SEAL_NONE,
	HEARTH_SEAL_MAC, /* nobody can change them */
	HEARTH_SEAL_ENCRYPT, /* nor read them */
	HEARTH_NR_SEALS,
};

/* How the stages of an end are spread over threads. */
enum hearth_stages {
	HEARTH_STAGES_AUTO, /* fused with fewer than four CPUs */
	HEARTH_STAGES_FUSED, /* one thread a stream runs each block to completion */
	HEARTH_STAGES_SPLIT, /* storage threads and network threads, the pool between them */
};

/* Whether large files go past the page cache. */
enum hearth_direct {
	HEARTH_DIRECT_AUTO, /* on disks, where there are storage threads */
	HEARTH_DIRECT_YES,
	HEARTH_DIRECT_NO,
	HEARTH_NR_DIRECT,
};

/* Where threads and blocks are placed on a machine with several nodes. */
enum hearth_numa_mode {
	HEARTH_NUMA_AUTO, /* near disk and card */
	HEARTH_NUMA_OFF,
	HEARTH_NUMA_SHOW, /* near disk and card, and both ends say where that is */
	/* from 16 on: all on a node, 16 being the first */
};

/* What is measured instead of copied: hearthcp bench. */
enum hearth_bench {
	HEARTH_BENCH_FROM_MEMORY = 1, /* the sender reads nothing */
	HEARTH_BENCH_TO_MEMORY = 2, /* the receiver stores nothing */
	HEARTH_BENCH_SPLICE = 4, /* payload goes out by sendfile() */
	HEARTH_BENCH_ALL = 7,
};

/* Whether an end is a LUN (its path: "lun:/NAME..."), and what the cache keeps of what it gets. */
enum hearth_lun_flag {
	HEARTH_LUN_IS_SOURCE = 1,
	HEARTH_LUN_IS_DESTINATION = 2,
	HEARTH_LUN_KEEP_WARM = 4, /* all of it is in the cache at the end */
	HEARTH_LUN_NO_CACHE = 8, /* none of it stays there */
	HEARTH_LUN_ALL = 15,
};

/**
 * struct hearth_options - what a job does; both ends have the same.
 * @flags: enum hearth_flag
 * @fsync: enum hearth_fsync
 * @block_bytes: payload of a block
 * @memory_bytes: the most that the pool of an end may take; 0: as much as the path needs
 * @timeout_s: silence of the peer after which it counts as lost
 * @stages: enum hearth_stages; not sent to the peer
 * @seal: enum hearth_seal_mode
 * @compress_level: of zstd, on streams that leave the machine; 0: none
 * @bytes_per_s: the most that is sent; HEARTH_UNLIMITED
 * @max_delete: names that may be deleted; HEARTH_UNLIMITED
 * @uid: owner that everything gets, or UINT32_MAX
 * @gid: group that everything gets, or UINT32_MAX
 * @chmod: changes to modes, as chmod(1) has them, or NULL
 * @suffix: what a backup's name ends with; NULL: "~", or nothing in @backup_dir
 * @backup_dir: where backups are kept, or NULL: beside what replaces them
 * @congestion: how TCP is to treat congestion, by the kernel's name for it, or NULL: as it likes
 * @link_dest: a directory whose files are linked where they are the same, or NULL
 * @spares_streams: how many are used is left to the sender
 * @direct: enum hearth_direct
 * @numa: enum hearth_numa_mode; a node's number is not sent to the peer
 * @publishes: the destination becomes an EROFS file system that holds the tree
 * @lun: enum hearth_lun_flag
 * @bench: enum hearth_bench; 0: a copy
 * @bench_bytes: how much comes from memory
 *
 * The strings belong to whoever filled them in.
 */
struct hearth_options {
	uint32_t flags;
	uint8_t fsync;
	uint8_t stages;
	uint8_t seal;
	uint8_t compress_level;
	uint32_t block_bytes;
	uint32_t timeout_s;
	uint32_t uid;
	uint32_t gid;
	uint64_t memory_bytes;
	uint64_t bytes_per_s;
	uint64_t max_delete;
	char *chmod;
	char *suffix;
	char *backup_dir;
	char *congestion;
	char *link_dest;
	bool spares_streams;
	uint8_t direct;
	uint8_t numa;
	bool publishes;
	uint8_t lun;
	uint8_t bench;
	uint64_t bench_bytes;
};

/* Paths relative to the source, to which a job is restricted. */
struct hearth_names {
	uint32_t nr;
	char **v;
};

/* Counted by an end as it goes; may be read at any time. */
struct hearth_counters {
	atomic_uint_least64_t files_total; /* in the index so far */
	atomic_uint_least64_t bytes_total;
	atomic_uint_least64_t files_stored; /* receiver: stored; sender: acknowledged by size */
	atomic_uint_least64_t bytes_stored;
	atomic_uint_least64_t bytes_moved; /* payload over the streams, repeats included */
	atomic_uint_least64_t bytes_wire; /* the same as it travelled, with heads and compressed */
	atomic_uint_least64_t bytes_landed; /* came by RDMA straight into a LUN */
	atomic_uint_least64_t bytes_resumed; /* found stored by an earlier run */
	atomic_uint_least64_t files_skipped; /* already there */
	atomic_uint_least64_t bytes_skipped;
	atomic_uint_least64_t blocks_resent; /* damaged on the way */
	atomic_uint_least64_t blocks_rerouted; /* on their way when their stream was lost */
	atomic_uint_least64_t files_deleted;
	atomic_uint_least64_t files_kept; /* that --delete held back */
	atomic_uint_least64_t errors;
	atomic_uint_least64_t vanished;
	atomic_uint_least64_t run_ns; /* a measurement: how long it took, */
	atomic_uint_least64_t far_cpu_ns; /* and what the far end needed */
	atomic_uint_least64_t far_rss_kib;
	atomic_bool is_index_complete;
};

enum hearth_severity {
	HEARTH_NOTE_WARNING,
	HEARTH_NOTE_VANISHED,
	HEARTH_NOTE_ERROR, /* a file was not copied */
	HEARTH_NOTE_KEPT, /* nothing, or not all, is deleted */
	HEARTH_NOTE_ITEM, /* @text says in rsync's letters what is done to @path */
	HEARTH_NR_SEVERITIES,
};

struct hearth_berths;
struct hearth_control;
struct hearth_filter;

/* What held the rate down. */
struct hearth_limit {
	char name[16]; /* "--memory", or of a sysctl */
	char end[16]; /* whose it is: "sender", "receiver" */
	uint64_t value; /* bytes */
	uint64_t bytes_per_s; /* that went over it; of a stream, if it is the stream's limit */
	uint32_t permille; /* of the time that it held */
};

#define HEARTH_MAX_LIMITS 3

/* How the path was used: the sender's, and at the end the receiver's too. */
struct hearth_path {
	uint32_t streams; /* in use at the end, */
	uint32_t streams_most; /* and at most */
	uint32_t streams_lost;
	uint64_t pool_bytes; /* at most */
	uint32_t message_bytes; /* as long as blocks were in the end */
	uint64_t rtt_us;
	uint32_t nr_limits;
	struct hearth_limit limits[HEARTH_MAX_LIMITS];
};

/**
 * struct hearth_job - one end of a job.
 * @opt: the options
 * @count: how far it is
 * @note: called for everything that concerns one file, from any thread, one at a time; @path may be
 * ""
 * @note_ctx: passed to @note
 * @filter: what the sender leaves out and the receiver does not delete, or NULL
 * @stream_fd: what the sender reads its only file from, or the receiver writes it to, instead of
 * paths; -1: paths
 * @path: how the path was used; complete when the job is over
 * @base_fd: a directory that paths start at and cannot leave; -1: they are as the user gave them
 * @only: --files-from: what the sender sends of its only source, or NULL
 */
struct hearth_job {
	struct hearth_options opt;
	struct hearth_counters count;
	struct hearth_path path;
	void (*note)(void *ctx, enum hearth_severity severity, const char *path, const char *text);
	void *note_ctx;
	const struct hearth_filter *filter;
	const struct hearth_names *only;
	int stream_fd;
	int base_fd;

	/* private */
	pthread_mutex_t lock; /* held while @cancel runs: before all locks of streams */
	pthread_cond_t failed;
	struct hearth_control *peer; /* notes go there as well */
	void (*cancel)(void *ctx);
	void *cancel_ctx;
	bool is_failed;
	atomic_bool is_direct_refused; /* and this was said */
	enum hearth_exit exit_code;
	char failure[512];
	pthread_mutex_t berths_lock; /* only that of the berths is taken under it */
	struct hearth_berths *berths; /* NULL: nothing lands in a LUN */
};

void hearth_options_init(struct hearth_options *opt);
void hearth_job_init(struct hearth_job *job, const struct hearth_options *opt);
void hearth_job_exit(struct hearth_job *job);

/* What the job should exit with, all counted. */
enum hearth_exit hearth_job_result(struct hearth_job *job);

/* Ends the job from outside; the first reason stays. */
void hearth_job_fail(struct hearth_job *job, enum hearth_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reports on one file, to the caller and to the peer; errors and vanished files are counted. */
void hearth_job_note(struct hearth_job *job, enum hearth_severity severity, const char *path,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

struct hearth_stream;
struct hearth_pool;

/* How more streams come while a job runs: one end connects them, the other takes them in. */
struct hearth_supply {
	/* Connects one more, within seconds. 0 or -errno. */
	int (*dial)(void *ctx, uint32_t number, struct hearth_stream **ret);

	/* Or: hands those that come to @take, until @wake_fd can be read; frees what it refuses. */
	void (*attend)(void *ctx, int wake_fd,
		       bool (*take)(void *arg, uint32_t number, struct hearth_stream *s),
		       void *arg);
	void *ctx;
};

/* What joins an end to its peer. The caller keeps ownership. */
struct hearth_wires {
	struct hearth_control *control;
	struct hearth_stream **streams;
	uint32_t nr_streams;
	struct hearth_pool
		*pool; /* shared with the peer in this process; NULL: the end makes its own */
	const struct hearth_supply *supply; /* NULL: the streams are those that there are */
};

/* Both return hearth_job_result(). */
enum hearth_exit hearth_send(struct hearth_job *job, const struct hearth_wires *wires,
			     char *const *sources, uint32_t nr_sources);
enum hearth_exit hearth_receive(struct hearth_job *job, const struct hearth_wires *wires,
				const char *destination, char *const *expected,
				uint32_t nr_expected);

#endif
