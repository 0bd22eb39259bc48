/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libhearth: reading and writing the LUNs of a Hearth target from another machine.
 *
 * A session is attached to one LUN. What is read comes by RDMA out of the memory that
 * initiators are served from, byte by byte as it is asked for, and no CPU of the target
 * takes part; what is written goes there. The target gives out *windows* of the LUN, as
 * many at a time as it likes, and may take any of them back at any time; the library
 * asks for what it needs, gives back what was not used for the longest time, and tries
 * again where a window had gone. So a LUN may be much larger than the target's memory.
 * Where there is no RDMA between the two, reads and writes are messages over the
 * session's connection; hearth_transport() says which it is.
 *
 * Neither reads nor writes are atomic: who reads what somebody writes at the same time may
 * see a part of it. hearth_put() and hearth_get() notice.
 *
 * A session is used by one thread at a time; several sessions do not know of each
 * other. Offsets and lengths are bytes. Functions that can fail return a negative errno;
 * hearth_error() has the device, the call and the remedy in words.
 */
#ifndef HEARTH_CLIENT_LIB_H
#define HEARTH_CLIENT_LIB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_API __attribute__((visibility("default")))

struct hearth_session;

/* hearth_attach_options.flags */
#define HEARTH_ATTACH_WRITE (1u << 0) /* for writing, too */
#define HEARTH_ATTACH_FORCE (1u << 1) /* though an initiator may write to the LUN as well */
#define HEARTH_ATTACH_RDMA (1u << 2) /* by RDMA or not at all */
#define HEARTH_ATTACH_TCP (1u << 3) /* by messages */

/**
 * struct hearth_attach_options - how to attach; all zeros will do
 * @flags: HEARTH_ATTACH_*
 * @max_windows: the most to have at a time; 0: 64, or what the target allows
 * @window_bytes: of a window, rounded down to a power of two; 0: 4 MiB. The target may make it
 *	smaller
 * @timeout_s: silence of the target after which it counts as lost; 0: 60
 * @rsh: the command for [user@]host:lun:/NAME; NULL: "ssh"
 * @hearthd_path: the program there; NULL: "hearthd"
 * @key_file: keys for hearth://; NULL: ~/.config/hearth/keys
 * @cert: a certificate for hearth:// instead of a key, with
 * @cert_key: its key, and
 * @ca: who signs the target's
 * @crl: what they have revoked, or NULL
 * @peer_name: that the target's certificate has; NULL: the host's
 */
struct hearth_attach_options {
	uint32_t flags;
	uint32_t max_windows;
	uint64_t window_bytes;
	uint32_t timeout_s;
	uint32_t reserved;
	const char *rsh;
	const char *hearthd_path;
	const char *key_file;
	const char *cert;
	const char *cert_key;
	const char *ca;
	const char *crl;
	const char *peer_name;
};

/**
 * struct hearth_description - what a session is attached to
 * @size_bytes: of the LUN
 * @window_bytes: of a window
 * @block_bytes: of a block; writes are made of whole ones
 * @max_windows: that this session may have at a time
 */
struct hearth_description {
	uint64_t size_bytes;
	uint64_t window_bytes;
	uint32_t block_bytes;
	uint32_t max_windows;
};

/**
 * struct hearth_statistics - what a session has done so far
 * @rdma_bytes: that went by RDMA
 * @message_bytes: that went as messages
 * @leases: windows that were asked for and given
 * @refusals: that were asked for and not given; what was in them went as messages
 * @evictions: given back to have room for others
 * @revocations: taken back by the target
 * @reconnections: of the queue pair, after a transfer that came too late
 * @windows: that the session has just now
 */
struct hearth_statistics {
	uint64_t rdma_bytes;
	uint64_t message_bytes;
	uint64_t leases;
	uint64_t refusals;
	uint64_t evictions;
	uint64_t revocations;
	uint64_t reconnections;
	uint64_t windows;
};

/**
 * hearth_attach() - open a session with a LUN
 * @place: "hearth://[USER@]HOST[:PORT]/lun:/NAME", a daemon, or "[USER@]HOST:lun:/NAME", by ssh
 * @options: how, or NULL
 * @ret: the session
 *
 * Return: 0, -EINVAL (the place or the options have not this form), -EACCES (this user may not, or
 * is not known there), -ENOENT (no such LUN), -EBUSY (somebody writes to it), -EROFS, -ENODEV (with
 * HEARTH_ATTACH_RDMA: no RDMA), -ENOMEM, -EPROTO (another version), or what reaching the
 * host failed with. hearth_error(NULL) has it in words.
 */
HEARTH_API int hearth_attach(const char *place, const struct hearth_attach_options *options,
			     struct hearth_session **ret);

/**
 * hearth_detach() - end a session
 * @s: the session, or NULL
 *
 * Its windows are given back. What was written is there, but durable only after hearth_flush().
 */
HEARTH_API void hearth_detach(struct hearth_session *s);

/**
 * hearth_read() - read any bytes
 * @s: the session
 * @buf: where to
 * @len: how many
 * @offset: of the first
 *
 * Return: how many were read, fewer than @len only at the LUN's end; or -EIO (the device cannot
 * read them), -ENODEV (the LUN is gone, or was revoked), -ECONNRESET, -ETIMEDOUT (the target is
 * gone; attach anew), -EINVAL.
 */
HEARTH_API ssize_t hearth_read(struct hearth_session *s, void *buf, size_t len, uint64_t offset);

/**
 * hearth_write() - write whole blocks
 * @s: the session, attached with HEARTH_ATTACH_WRITE
 * @buf: what
 * @len: a multiple of the LUN's block
 * @offset: as well
 *
 * Initiators read it from then on; it is durable after hearth_flush().
 *
 * Return: @len, or as hearth_read(); -EBADF (attached for reading), -EINVAL (not whole blocks),
 * -ENOSPC (behind the LUN's end, or its thin device is full). After an error all, a part or
 * nothing was written.
 */
HEARTH_API ssize_t hearth_write(struct hearth_session *s, const void *buf, size_t len,
				uint64_t offset);

/**
 * hearth_flush() - make durable what was written
 * @s: the session
 *
 * Also what anybody else has written to the LUN before.
 *
 * Return: 0, or -errno: it is not durable.
 */
HEARTH_API int hearth_flush(struct hearth_session *s);

/**
 * hearth_register() - have transfers go straight from and to a buffer
 * @s: the session
 * @buf: the buffer
 * @len: its length
 *
 * What lies within a registered buffer is not copied through one of the library's. The memory
 * stays locked (RLIMIT_MEMLOCK) and must not be freed until hearth_unregister() or
 * hearth_detach(). Without RDMA it does nothing.
 *
 * Return: 0, -EEXIST (it overlaps another), -EINVAL, -ENOMEM, or -errno of ibv_reg_mr().
 */
HEARTH_API int hearth_register(struct hearth_session *s, void *buf, size_t len);

/**
 * hearth_unregister() - take that back
 * @s: the session
 * @buf: as it was registered
 *
 * Return: 0, or -ENOENT.
 */
HEARTH_API int hearth_unregister(struct hearth_session *s, const void *buf);

/**
 * hearth_put() - write a block that describes itself
 * @s: the session, attached with HEARTH_ATTACH_WRITE
 * @tag: anything; comes back from hearth_get()
 * @buf: the content
 * @len: at most HEARTH_PUT_MAX_BYTES
 * @offset: a multiple of the LUN's block
 *
 * Writes a header of 64 bytes (with tag, length, offset and the XXH3-128 of it all), the
 * content, and zeroes up to a whole block. hearth_put_size() says how much that is.
 *
 * Return: what of the LUN it takes, or as hearth_write().
 */
HEARTH_API ssize_t hearth_put(struct hearth_session *s, uint64_t tag, const void *buf, size_t len,
			      uint64_t offset);

/**
 * hearth_get() - read such a block
 * @s: the session
 * @ret_tag: its tag, or NULL
 * @buf: for the content
 * @size: of @buf
 * @offset: where it was put
 *
 * One that is just being put is read again a few times.
 *
 * Return: the content's length, -ENODATA (there is none at this place), -EBADMSG (it is damaged),
 * -EMSGSIZE (@buf is too small), or as hearth_read().
 */
HEARTH_API ssize_t hearth_get(struct hearth_session *s, uint64_t *ret_tag, void *buf, size_t size,
			      uint64_t offset);

#define HEARTH_PUT_MAX_BYTES (1u << 30)

/**
 * hearth_put_size() - what a block takes of the LUN
 * @s: the session
 * @len: of the content
 *
 * Return: header, content and zeroes.
 */
HEARTH_API size_t hearth_put_size(const struct hearth_session *s, size_t len);

/**
 * hearth_describe() - what a session is attached to
 * @s: the session
 * @ret: is filled in, as the target has it just now
 *
 * Return: 0, or -errno.
 */
HEARTH_API int hearth_describe(struct hearth_session *s, struct hearth_description *ret);

/**
 * hearth_transport() - how bytes go
 * @s: the session
 *
 * Return: "rdma" or "tcp".
 */
HEARTH_API const char *hearth_transport(const struct hearth_session *s);

/**
 * hearth_transport_why() - why not by RDMA
 * @s: the session
 *
 * Return: the reason, or of the window that was refused last; "" if there is none.
 */
HEARTH_API const char *hearth_transport_why(const struct hearth_session *s);

/**
 * hearth_statistics() - what a session has done so far
 * @s: the session
 * @ret: is filled in
 */
HEARTH_API void hearth_statistics(const struct hearth_session *s, struct hearth_statistics *ret);

/**
 * hearth_error() - the last failure in words
 * @s: the session; NULL: that of hearth_attach() in this thread
 *
 * Return: valid until the next call; "" if nothing failed.
 */
HEARTH_API const char *hearth_error(const struct hearth_session *s);

/**
 * hearth_strerror() - what an error means
 * @err: what a function of this library returned
 *
 * Return: a text that stays.
 */
HEARTH_API const char *hearth_strerror(int err);

#ifdef __cplusplus
}
#endif

#endif
