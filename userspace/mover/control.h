/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel: one ordered, two-way channel of small frames beside the
 * streams of a job. It carries the agreement on what to do, the index, what the
 * receiver wants, what it has stored, and every report. It has buffers of its
 * own, so it never waits for a block.
 *
 *   frame: u32 length of the body, u8 type, body
 *
 *   HELLO     client -> server   see session.h
 *   WELCOME   server -> client   see session.h
 *   START     sender -> receiver u8 flags (1: the only source is no directory)
 *   READY     receiver -> sender u8 flags (1: eager; all is wanted, send without asking)
 *   INDEX     sender -> receiver a batch, see index.h
 *   INDEX_END sender -> receiver u64 number of batches, u8 flags (1: the scan met errors)
 *   WANT      receiver -> sender a batch's number, its wanted ranges
 *   CHECK     receiver -> sender the same before it: ranges to be sent as sums, see block.h
 *   ACK       receiver -> sender sequence numbers of stored blocks
 *   NAK       receiver -> sender sequence numbers of damaged blocks, to be sent again
 *   DONE      receiver -> sender all is stored and in place
 *   BYE       sender -> receiver nothing follows
 *   NOTE      both               u8 severity, path, text
 *   FAIL      both               u8 exit code, text: the job has ended
 *   PING      both               still alive
 *   KEEP      receiver -> sender a batch's number and one of its entries, whose source must stay
 *   NAMES     client -> server   paths of --files-from, as many frames as HELLO's number takes
 *   SIZE      sender -> receiver u64 how long the stream turned out to be
 *   USAGE     server -> client   u64 ns of CPU, u64 KiB of memory: after BYE of a measurement
 *   REVERSE   client -> server   see reverse.h
 *   REVERSED  server -> client
 *   QUIET     receiver -> sender u64 number of a stream on which nothing has come for a while
 *   LOST      both               u64 number of a stream that is not used any more
 *   STREAMS   sender -> receiver u64 how many there should be, where the receiver connects them
 *   WINDOW    sender -> receiver u64 bytes that it may have under way
 *   LIMITS    receiver -> sender u64 the most that the kernel buffers of a stream there
 *   PATH      sender -> receiver how the path was used, before BYE: path.c
 *   RAILS     client -> server   see rails.h
 *   RAILED    server -> client
 *   VOLUME    receiver -> sender a directory's number, and which of the receiver's devices it lies
 *                                 on, if that is not its parent's
 *   ASK       client -> server   see window_wire.h
 *   TOLD      server -> client
 */
#ifndef HEARTH_CONTROL_H
#define HEARTH_CONTROL_H

#include <hearth/mover.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "ranges.h"

#define HEARTH_FRAME_HEADER_BYTES 5
#define HEARTH_FRAME_MAX_BYTES (512u << 10)
#define HEARTH_PATH_MAX 4096
#define HEARTH_MAX_ACKS 256

enum hearth_frame_type {
	HEARTH_FRAME_HELLO = 1,
	HEARTH_FRAME_WELCOME,
	HEARTH_FRAME_START,
	HEARTH_FRAME_READY,
	HEARTH_FRAME_INDEX,
	HEARTH_FRAME_INDEX_END,
	HEARTH_FRAME_WANT,
	HEARTH_FRAME_ACK,
	HEARTH_FRAME_NAK,
	HEARTH_FRAME_DONE,
	HEARTH_FRAME_BYE,
	HEARTH_FRAME_NOTE,
	HEARTH_FRAME_FAIL,
	HEARTH_FRAME_PING,
	HEARTH_FRAME_KEEP,
	HEARTH_FRAME_NAMES,
	HEARTH_FRAME_SIZE,
	HEARTH_FRAME_USAGE,
	HEARTH_FRAME_CHECK,
	HEARTH_FRAME_REVERSE,
	HEARTH_FRAME_REVERSED,
	HEARTH_FRAME_QUIET,
	HEARTH_FRAME_LOST,
	HEARTH_FRAME_STREAMS,
	HEARTH_FRAME_WINDOW,
	HEARTH_FRAME_LIMITS,
	HEARTH_FRAME_PATH,
	HEARTH_FRAME_RAILS,
	HEARTH_FRAME_RAILED,
	HEARTH_FRAME_VOLUME,
	HEARTH_FRAME_LANDED,
	HEARTH_FRAME_ASK = 64, /* sessions of libhearth have no jobs */
	HEARTH_FRAME_TOLD,
};

struct hearth_frame {
	uint8_t type;
	uint32_t len;
	const uint8_t *body; /* valid until the next frame is received */
};

struct hearth_control {
	int in_fd;
	int out_fd;
	int wake_fd;
	pthread_mutex_t write_lock;
	uint32_t timeout_s; /* of silence; 0: wait for ever */
	uint8_t *buf;
	size_t filled;
	size_t taken;
};

/* The descriptors become non-blocking and stay the caller's. 0 or -errno. */
int hearth_control_init(struct hearth_control *c, int in_fd, int out_fd);
void hearth_control_exit(struct hearth_control *c);

/* Makes all calls on it return -ECANCELED, for good. */
void hearth_control_cancel(struct hearth_control *c);

/* Sends one frame; any thread. 0 or -errno. */
int hearth_control_send(struct hearth_control *c, enum hearth_frame_type type, const void *body,
			size_t len);

/* Receives one frame; one thread. -ENODATA: closed; -ETIMEDOUT; -EPROTO: too long. */
int hearth_control_recv(struct hearth_control *c, struct hearth_frame *ret);

/* Gives back the frame that was received last, to be received again. */
void hearth_control_unrecv(struct hearth_control *c, const struct hearth_frame *f);

void hearth_control_send_note(struct hearth_control *c, enum hearth_severity severity,
			      const char *path, const char *text);
int hearth_control_send_u8(struct hearth_control *c, enum hearth_frame_type type, uint8_t value);
int hearth_control_send_fail(struct hearth_control *c, enum hearth_exit code, const char *text);

struct hearth_note {
	enum hearth_severity severity;
	char path[HEARTH_PATH_MAX];
	char text[1024];
};

/* The parsers return 0 or -EPROTO, and look at nothing but the frame. */
int hearth_parse_note(const struct hearth_frame *f, struct hearth_note *ret);
int hearth_parse_fail(const struct hearth_frame *f, enum hearth_exit *ret_code, char *text,
		      size_t text_bytes);
int hearth_parse_u8(const struct hearth_frame *f, uint8_t *ret);

int hearth_control_send_seqs(struct hearth_control *c, enum hearth_frame_type type,
			     const uint64_t *seqs, uint32_t nr);
int hearth_parse_seqs(const struct hearth_frame *f, uint64_t seqs[HEARTH_MAX_ACKS],
		      uint32_t *ret_nr);

/* A WANT, or a CHECK. */
int hearth_control_send_want(struct hearth_control *c, enum hearth_frame_type type, uint64_t batch,
			     const struct hearth_ranges *wanted);
int hearth_parse_want(const struct hearth_frame *f, uint64_t *ret_batch, struct hearth_ranges *ret);

/* With --remove-source-files: this one is not, or not surely, at the destination. */
int hearth_control_send_keep(struct hearth_control *c, uint64_t batch, uint32_t entry);
int hearth_parse_keep(const struct hearth_frame *f, uint64_t *ret_batch, uint32_t *ret_entry);

int hearth_control_send_volume(struct hearth_control *c, uint64_t dir, uint8_t volume);
int hearth_parse_volume(const struct hearth_frame *f, uint64_t *ret_dir, uint8_t *ret_volume);

int hearth_control_send_u64(struct hearth_control *c, enum hearth_frame_type type, uint64_t value);
int hearth_parse_u64(const struct hearth_frame *f, uint64_t *ret);

/* path.c: PATH */
int hearth_control_send_path(struct hearth_control *c, const struct hearth_path *path);
int hearth_parse_path(const struct hearth_frame *f, struct hearth_path *ret);

/* Frames that every end treats alike (NOTE, FAIL, PING): true if @f was one and is dealt with. */
bool hearth_control_handle_common(struct hearth_job *job, const struct hearth_frame *f);

/* In job.c: takes a failure back, for another attempt. */
void hearth_job_forgive(struct hearth_job *job);

/* In job.c: count and pass on a note without sending it to the peer. */
void hearth_job_count_note(struct hearth_job *job, enum hearth_severity severity);
void hearth_job_tell(struct hearth_job *job, enum hearth_severity severity, const char *path,
		     const char *text);

#endif
