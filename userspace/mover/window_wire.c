// SPDX-License-Identifier: GPL-2.0-or-later
/* What who reads a LUN from afar and its server say to each other, in bytes. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "window_wire.h"

#define HEAD_BYTES (2 + 3 * 4 + 2 * 8 + 4)

int hearth_window_send(struct hearth_control *c, enum hearth_frame_type type,
		       const struct hearth_window_msg *m)
{
	size_t size = HEAD_BYTES + HEARTH_WINDOW_TEXT_BYTES + m->data_len;
	uint8_t *buf = malloc(size);
	struct hearth_writer w = hearth_writer_of(buf, size);
	int ret;

	if (!buf)
		return -ENOMEM;
	hearth_put_u8(&w, (uint8_t)m->verb);
	hearth_put_u8(&w, m->flags);
	hearth_put_u32(&w, (uint32_t)-m->status);
	hearth_put_u32(&w, m->id);
	hearth_put_u32(&w, m->key);
	hearth_put_u64(&w, m->offset);
	hearth_put_u64(&w, m->len);
	hearth_put_string(&w, m->text, strlen(m->text));
	hearth_put_bytes(&w, m->data, m->data_len);
	ret = w.is_bad ? -E2BIG : hearth_control_send(c, type, buf, w.len);
	if (m->verb == HEARTH_WINDOW_ATTACH)
		OPENSSL_cleanse(buf, w.len); /* it may have the key */
	free(buf);
	return ret;
}

int hearth_window_parse(const struct hearth_frame *f, enum hearth_frame_type type,
			struct hearth_window_msg *ret)
{
	struct hearth_reader r = hearth_reader_of(f->body, f->len);
	uint8_t verb = hearth_get_u8(&r);
	const char *text;
	uint32_t status;
	size_t len;

	ret->verb = (enum hearth_window_verb)verb;
	ret->flags = hearth_get_u8(&r);
	status = hearth_get_u32(&r);
	ret->status = -(int)status;
	ret->id = hearth_get_u32(&r);
	ret->key = hearth_get_u32(&r);
	ret->offset = hearth_get_u64(&r);
	ret->len = hearth_get_u64(&r);
	text = hearth_get_string(&r, sizeof(ret->text) - 1, &len);
	if (f->type != type || r.is_bad || !verb || verb >= HEARTH_WINDOW_NR_VERBS ||
	    ret->flags & ~HEARTH_WINDOW_ALL_FLAGS || status > 4095 || memchr(text, '\0', len))
		return -EPROTO;
	memcpy(ret->text, text, len);
	ret->text[len] = '\0';
	ret->data_len = hearth_reader_left(&r);
	ret->data = hearth_get_bytes(&r, ret->data_len);
	return 0;
}

size_t hearth_window_put_port(uint8_t *buf, size_t size, const struct hearth_window_port *p)
{
	struct hearth_writer w = hearth_writer_of(buf, size);

	hearth_put_u16(&w, p->port);
	hearth_put_bytes(&w, p->nonce, sizeof(p->nonce));
	hearth_put_u8(&w, (uint8_t)p->nr);
	for (uint32_t i = 0; i < p->nr; i++)
		hearth_rdma_put_address(&w, &p->addresses[i]);
	return w.is_bad ? 0 : w.len;
}

int hearth_window_parse_port(const struct hearth_window_msg *m, struct hearth_window_port *ret)
{
	struct hearth_reader r = hearth_reader_of(m->data, m->data_len);

	ret->port = hearth_get_u16(&r);
	hearth_get_copy(&r, ret->nonce, sizeof(ret->nonce));
	ret->nr = hearth_get_u8(&r);
	if (r.is_bad || !ret->nr || ret->nr > HEARTH_WINDOW_MAX_ADDRESSES || !ret->port)
		return -EPROTO;
	for (uint32_t i = 0; i < ret->nr; i++)
		hearth_rdma_get_address(&r, ret->port, &ret->addresses[i]);
	return r.is_bad || hearth_reader_left(&r) ? -EPROTO : 0;
}
