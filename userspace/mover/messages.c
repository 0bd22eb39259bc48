// SPDX-License-Identifier: GPL-2.0-or-later
/* The bodies of the control channel's frames; see control.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/bytes.h"
#include "control.h"
#include "index.h"
#include "work.h"

static struct hearth_reader reader_of(const struct hearth_frame *f)
{
	return hearth_reader_of(f->body, f->len);
}

static int finish(const struct hearth_reader *r)
{
	return r->is_bad || hearth_reader_left(r) ? -EPROTO : 0;
}

/* Copies a string into @buf; one that holds a NUL or does not fit makes the reader bad. */
static void get_text(struct hearth_reader *r, char *buf, size_t size)
{
	size_t len;
	const char *s = hearth_get_string(r, size - 1, &len);

	if (s && memchr(s, '\0', len))
		r->is_bad = true;
	if (r->is_bad)
		len = 0;
	if (len)
		memcpy(buf, s, len);
	buf[len] = '\0';
}

int hearth_control_send_u8(struct hearth_control *c, enum hearth_frame_type type, uint8_t value)
{
	return hearth_control_send(c, type, &value, 1);
}

int hearth_parse_u8(const struct hearth_frame *f, uint8_t *ret)
{
	struct hearth_reader r = reader_of(f);

	*ret = hearth_get_u8(&r);
	return finish(&r);
}

int hearth_control_send_u64(struct hearth_control *c, enum hearth_frame_type type, uint64_t value)
{
	uint8_t buf[8];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u64(&w, value);
	return hearth_control_send(c, type, buf, w.len);
}

int hearth_parse_u64(const struct hearth_frame *f, uint64_t *ret)
{
	struct hearth_reader r = reader_of(f);

	*ret = hearth_get_u64(&r);
	return finish(&r);
}

int hearth_control_send_keep(struct hearth_control *c, uint64_t batch, uint32_t entry)
{
	uint8_t buf[16];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_varint(&w, batch);
	hearth_put_varint(&w, entry);
	return hearth_control_send(c, HEARTH_FRAME_KEEP, buf, w.len);
}

int hearth_parse_keep(const struct hearth_frame *f, uint64_t *ret_batch, uint32_t *ret_entry)
{
	struct hearth_reader r = reader_of(f);
	uint64_t entry;

	*ret_batch = hearth_get_varint(&r);
	entry = hearth_get_varint(&r);
	if (entry >= HEARTH_INDEX_MAX_ENTRIES)
		r.is_bad = true;
	*ret_entry = (uint32_t)entry;
	return finish(&r);
}

int hearth_control_send_volume(struct hearth_control *c, uint64_t dir, uint8_t volume)
{
	uint8_t buf[16];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_varint(&w, dir);
	hearth_put_u8(&w, volume);
	return hearth_control_send(c, HEARTH_FRAME_VOLUME, buf, w.len);
}

int hearth_parse_volume(const struct hearth_frame *f, uint64_t *ret_dir, uint8_t *ret_volume)
{
	struct hearth_reader r = reader_of(f);

	*ret_dir = hearth_get_varint(&r);
	*ret_volume = hearth_get_u8(&r);
	if (*ret_volume >= HEARTH_MAX_DEVICES)
		r.is_bad = true;
	return finish(&r);
}

void hearth_control_send_note(struct hearth_control *c, enum hearth_severity severity,
			      const char *path, const char *text)
{
	uint8_t buf[HEARTH_PATH_MAX + 1024 + 16];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u8(&w, (uint8_t)severity);
	hearth_put_string(&w, path, strnlen(path, HEARTH_PATH_MAX - 1));
	hearth_put_string(&w, text, strnlen(text, 1023));
	hearth_control_send(c, HEARTH_FRAME_NOTE, buf, w.len);
}

int hearth_parse_note(const struct hearth_frame *f, struct hearth_note *ret)
{
	struct hearth_reader r = reader_of(f);
	uint8_t severity = hearth_get_u8(&r);

	get_text(&r, ret->path, sizeof(ret->path));
	get_text(&r, ret->text, sizeof(ret->text));
	if (severity >= HEARTH_NR_SEVERITIES)
		return -EPROTO;
	ret->severity = (enum hearth_severity)severity;
	return finish(&r);
}

int hearth_control_send_fail(struct hearth_control *c, enum hearth_exit code, const char *text)
{
	uint8_t buf[1024];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u8(&w, (uint8_t)code);
	hearth_put_string(&w, text, strnlen(text, 511));
	return hearth_control_send(c, HEARTH_FRAME_FAIL, buf, w.len);
}

int hearth_parse_fail(const struct hearth_frame *f, enum hearth_exit *ret_code, char *text,
		      size_t text_bytes)
{
	struct hearth_reader r = reader_of(f);

	*ret_code = (enum hearth_exit)hearth_get_u8(&r);
	get_text(&r, text, text_bytes);
	return finish(&r);
}

int hearth_control_send_seqs(struct hearth_control *c, enum hearth_frame_type type,
			     const uint64_t *seqs, uint32_t nr)
{
	uint8_t buf[HEARTH_MAX_ACKS * 10];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	for (uint32_t i = 0; i < nr; i++)
		hearth_put_varint(&w, seqs[i]);
	return hearth_control_send(c, type, buf, w.len);
}

int hearth_parse_seqs(const struct hearth_frame *f, uint64_t seqs[HEARTH_MAX_ACKS],
		      uint32_t *ret_nr)
{
	struct hearth_reader r = reader_of(f);
	uint32_t nr = 0;

	while (hearth_reader_left(&r) && !r.is_bad) {
		if (nr == HEARTH_MAX_ACKS)
			return -EPROTO;
		seqs[nr++] = hearth_get_varint(&r);
	}
	*ret_nr = nr;
	return finish(&r);
}

/* Ranges ascend: each is the gap since the last one's end, and its length. */
int hearth_control_send_want(struct hearth_control *c, enum hearth_frame_type type, uint64_t batch,
			     const struct hearth_ranges *wanted)
{
	size_t cap = 10 + wanted->nr * 20;
	uint8_t *buf = malloc(cap);
	struct hearth_writer w = hearth_writer_of(buf, cap);
	uint64_t at = 0;
	int ret;

	if (!buf)
		return -ENOMEM;
	hearth_put_varint(&w, batch);
	for (size_t i = 0; i < wanted->nr; i++) {
		hearth_put_varint(&w, wanted->v[i].start - at);
		hearth_put_varint(&w, wanted->v[i].end - wanted->v[i].start);
		at = wanted->v[i].end;
	}
	ret = w.len > HEARTH_FRAME_MAX_BYTES
		      ? -EMSGSIZE
		      : hearth_control_send(c, type, buf, w.len);
	free(buf);
	return ret;
}

int hearth_parse_want(const struct hearth_frame *f, uint64_t *ret_batch, struct hearth_ranges *ret)
{
	struct hearth_reader r = reader_of(f);
	uint64_t at = 0;

	*ret_batch = hearth_get_varint(&r);
	while (hearth_reader_left(&r) && !r.is_bad) {
		uint64_t gap = hearth_get_varint(&r), len = hearth_get_varint(&r);

		if (r.is_bad || !len || gap > INT64_MAX - at || len > INT64_MAX - at - gap)
			return -EPROTO;
		if (hearth_ranges_add(ret, at + gap, at + gap + len))
			return -ENOMEM;
		at += gap + len;
	}
	return finish(&r);
}

static bool handle_note(struct hearth_job *job, const struct hearth_frame *f)
{
	struct hearth_note *note = malloc(sizeof(*note));
	int err = note ? hearth_parse_note(f, note) : -ENOMEM;

	if (!err)
		hearth_job_tell(job, note->severity, note->path, note->text);
	else
		hearth_job_fail(job, HEARTH_EXIT_PROTOCOL, "the peer sent a malformed report");
	free(note);
	return true;
}

static bool handle_fail(struct hearth_job *job, const struct hearth_frame *f)
{
	enum hearth_exit code;
	char text[512];

	if (hearth_parse_fail(f, &code, text, sizeof(text)))
		hearth_job_fail(job, HEARTH_EXIT_PROTOCOL, "the peer sent a malformed failure");
	else
		hearth_job_fail(job, code, "%s", text);
	return true;
}

static bool handle_landed(struct hearth_job *job, const struct hearth_frame *f)
{
	uint64_t bytes;

	if (hearth_parse_u64(f, &bytes))
		hearth_job_fail(job, HEARTH_EXIT_PROTOCOL, "the peer sent a malformed count");
	else
		job->count.bytes_landed = bytes;
	return true;
}

bool hearth_control_handle_common(struct hearth_job *job, const struct hearth_frame *f)
{
	switch (f->type) {
	case HEARTH_FRAME_NOTE:
		return handle_note(job, f);
	case HEARTH_FRAME_FAIL:
		return handle_fail(job, f);
	case HEARTH_FRAME_LANDED:
		return handle_landed(job, f);
	default:
		return f->type == HEARTH_FRAME_PING;
	}
}
