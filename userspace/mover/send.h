/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the sender.
 *
 *   scan.c    walks the sources, publishes the index      (the caller's thread);
 *             see scan.h
 *   lun_source.c  a LUN as the source
 *   source.c  fills blocks with the ranges that are due   (storage side)
 *   devices.c which threads read from where
 *   send.c    seals and sends them                        (network side)
 *   answers.c listens to what the receiver says           (control thread)
 *   steer.c   follows the path                            (a thread of its own)
 */
#ifndef HEARTH_SEND_H
#define HEARTH_SEND_H

#include <sys/types.h>

#include "control.h"
#include "dirs.h"
#include "engine.h"
#include "numa.h"
#include "pace.h"
#include "pool.h"
#include "pulse.h"
#include "removal.h"
#include "steer.h"
#include "table.h"
#include "transport.h"
#include "work.h"

/* Index entries that may be under way before the scan waits. */
#define HEARTH_MAX_LIVE_ENTRIES 65536

struct hearth_engine;
struct hearth_lun;

/*
 * What is to be read, by device: a slow one must not keep the threads of a fast one. Where stages
 * are fused, all work is in the first queue, and every thread serves it.
 */
struct hearth_devices {
	struct hearth_engine *engine; /* that is asked for threads; NULL: it does not run */
	struct hearth_work work[HEARTH_MAX_DEVICES];
	dev_t v[HEARTH_MAX_DEVICES];
	uint32_t nr;
};

void hearth_devices_init(struct hearth_devices *d, struct hearth_flight *flight);
void hearth_devices_exit(struct hearth_devices *d);

/* Ends all work, also what is still to be found. */
void hearth_devices_close(struct hearth_devices *d);

/* Has all threads look again whether there is something for them. */
void hearth_devices_poke(struct hearth_devices *d);

/* The device's number; one that is new gets threads. The scan's own. */
uint8_t hearth_devices_find(struct hearth_devices *d, dev_t device);

struct hearth_sender {
	struct hearth_job *job;
	const struct hearth_wires *wires;
	struct hearth_pool *pool;
	struct hearth_pool own_pool;
	struct hearth_numa numa;
	struct hearth_engine engine;
	struct hearth_steer steer;
	atomic_uint_least32_t message_bytes; /* as much goes into a block */
	atomic_uint_least64_t sending_ns; /* that threads spent handing blocks to streams */
	struct hearth_dirs dirs;
	struct hearth_table table;
	struct hearth_devices devices;
	struct hearth_flight flight;
	struct hearth_queue filled; /* split stages: from storage to network */
	struct hearth_pulse pulse;
	struct hearth_pace pace;
	struct hearth_removal removal;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_uint nr_volumes; /* devices that the receiver writes to */
	bool is_ready;
	bool is_eager; /* all is wanted */
	bool is_done; /* the receiver has everything */
	bool is_cancelled;
	struct hearth_lun *lun; /* the source is one; else NULL */
	int memory_fd; /* a measurement of splicing: what stands for the memory; or -1 */
	struct hearth_ranges checked; /* of the batch that is answered next; the listener's own */
	uint64_t checked_batch;
	bool is_pipe_over; /* what is read from a pipe has been read; its one thread's own */
};

/* Waits until the receiver has everything, or the job has failed. */
void hearth_sender_wait_done(struct hearth_sender *s);

/* Divides the blocks there are among the receiver's devices. */
void hearth_sender_share_out(struct hearth_sender *s);

/* answers.c: the thread that listens. */
void *hearth_sender_listen(void *arg);

/*
 * What was under way on a stream goes over the others. Its own thread comes here last, after the
 * last block that it sent.
 */
void hearth_sender_lose(struct hearth_sender *s, uint32_t number, const char *why);

/* One thread's view of the sources: it keeps the last file open. */
struct hearth_source {
	struct hearth_sender *sender;
	struct hearth_work *work; /* what it takes from */
	int fd;
	bool is_direct; /* it is read past the page cache */
	const struct hearth_stream *stream; /* that its blocks go over; NULL: any */
	uint32_t min_spliced; /* of what is filled in now, parts as long stay where they are */
	uint64_t fd_voff; /* which file that is */
};

void hearth_source_init(struct hearth_source *src, struct hearth_sender *s, uint32_t device);
void hearth_source_exit(struct hearth_source *src);

/*
 * Fills a block with what is due; false if there is nothing, or nothing more if it @may_wait.
 * @ret_tries: of a range that is sent again.
 */
bool hearth_source_fill(struct hearth_source *src, struct hearth_block *b, bool may_wait,
			uint32_t *ret_tries);

/* True if the sources are one single thing that is no directory. */
bool hearth_scan_is_single(const struct hearth_job *job, char *const *sources, uint32_t nr);

/* Publishes the index of all sources. 0, or -errno after failing the job. */
int hearth_scan(struct hearth_sender *s, char *const *sources, uint32_t nr);

#endif
