// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said over queue pairs, and what connections prove themselves by, against bad peers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rdma_wire.h"

static void fill(void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)rand();
}

static struct hearth_rdma_msg some_message(enum hearth_rdma_type type, const uint8_t *head)
{
	struct hearth_rdma_msg m = { .type = type, .credits = 17 };

	if (type == HEARTH_RDMA_OFFER || type == HEARTH_RDMA_FILLED) {
		m.head = head;
		m.head_len = HEARTH_RDMA_INLINE_HEAD;
		fill(m.trailer, sizeof(m.trailer));
		fill(m.tag, sizeof(m.tag));
	}
	if (type <= HEARTH_RDMA_FILLED && type != HEARTH_RDMA_RELEASE) {
		m.id = 0x01020304;
		m.addr = 0x1122334455667788;
		m.key = 0xfedcba98;
		m.len = HEARTH_BLOCK_MAX_PAYLOAD;
		m.head_addr = 0x8877665544332211;
	}
	if (type == HEARTH_RDMA_RELEASE)
		while (m.nr_ids < HEARTH_RDMA_MAX_IDS)
			m.ids[m.nr_ids++] = (uint32_t)rand();
	if (type == HEARTH_RDMA_PING || type == HEARTH_RDMA_PONG)
		m.echo = UINT64_MAX - 1;
	return m;
}

static void messages_survive_the_wire(void **state)
{
	uint8_t buf[HEARTH_RDMA_MSG_BYTES], head[HEARTH_RDMA_INLINE_HEAD];

	(void)state;
	fill(head, sizeof(head));
	for (int type = HEARTH_RDMA_OFFER; type < HEARTH_RDMA_NR_TYPES; type++) {
		struct hearth_rdma_msg m = some_message((enum hearth_rdma_type)type, head), got;
		size_t len = hearth_rdma_encode(buf, &m);

		assert_int_equal(hearth_rdma_decode(buf, len, &got), 0);
		if (m.head) {
			assert_memory_equal(got.head, head, sizeof(head));
			got.head = m.head;
		}
		assert_memory_equal(&got, &m, sizeof(m));
	}
}

/* At the end of memory of its own, so that the sanitizer sees a byte too many. */
static int decode_copy(const uint8_t *buf, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct hearth_rdma_msg m;
	int ret;

	assert_non_null(copy);
	memcpy(copy, buf, len);
	ret = hearth_rdma_decode(copy, len, &m);
	if (!ret && m.head)
		assert_true(m.head >= copy && m.head + m.head_len <= copy + len);
	if (!ret && m.head_len)
		assert_true(m.head_len <= HEARTH_BLOCK_HEAD_BYTES &&
			    m.len <= HEARTH_BLOCK_MAX_PAYLOAD);
	assert_true(ret || m.nr_ids <= HEARTH_RDMA_MAX_IDS);
	free(copy);
	return ret;
}

static void no_message_is_too_short_or_too_long(void **state)
{
	uint8_t buf[HEARTH_RDMA_MSG_BYTES + 1] = { 0 }, head[HEARTH_RDMA_INLINE_HEAD];

	(void)state;
	fill(head, sizeof(head));
	for (int type = HEARTH_RDMA_OFFER; type < HEARTH_RDMA_NR_TYPES; type++) {
		struct hearth_rdma_msg m = some_message((enum hearth_rdma_type)type, head);
		size_t len = hearth_rdma_encode(buf, &m);

		for (size_t cut = 0; cut < len; cut++)
			if (type != HEARTH_RDMA_RELEASE || cut < 4 || cut % 4)
				assert_int_equal(decode_copy(buf, cut), -EPROTO);
		assert_int_equal(decode_copy(buf, len + 1), -EPROTO);
	}
}

static void random_messages_do_no_harm(void **state)
{
	uint8_t buf[HEARTH_RDMA_MSG_BYTES];

	(void)state;
	for (int i = 0; i < 50000; i++) {
		size_t len = (size_t)rand() % sizeof(buf);

		fill(buf, len);
		if (i % 2 && len > 2) {
			buf[0] = (uint8_t)(1 + rand() % (HEARTH_RDMA_NR_TYPES - 1));
			buf[1] = 0;
		}
		decode_copy(buf, len);
	}
}

static void a_proof_is_for_one_connection(void **state)
{
	struct hearth_ticket t = { .session = 4711 }, other;
	struct hearth_rdma_proof p = { HEARTH_RDMA_VERSION, 3, 4711, { 0 } }, got;
	uint8_t nonce[HEARTH_RDMA_NONCE_BYTES], buf[HEARTH_RDMA_REQUEST_BYTES + 4] = { 0 };
	uint8_t answer[HEARTH_RDMA_ANSWER_BYTES];

	(void)state;
	fill(t.key, sizeof(t.key));
	fill(nonce, sizeof(nonce));
	fill(p.client_nonce, sizeof(p.client_nonce));
	hearth_rdma_put_request(buf, &p, &t, nonce);
	/* The connection manager adds zeros. */
	assert_int_equal(hearth_rdma_check_request(buf, sizeof(buf), &t, nonce, &got), 0);
	assert_int_equal(got.number, p.number);
	assert_memory_equal(got.client_nonce, p.client_nonce, sizeof(p.client_nonce));
	for (size_t i = 0; i < HEARTH_RDMA_REQUEST_BYTES; i++) {
		assert_int_equal(hearth_rdma_check_request(buf, i, &t, nonce, &got), -EPROTO);
		buf[i] ^= 1;
		assert_int_not_equal(hearth_rdma_check_request(buf, sizeof(buf), &t, nonce, &got),
				     0);
		buf[i] ^= 1;
	}
	other = t;
	other.key[31] ^= 1;
	assert_int_equal(hearth_rdma_check_request(buf, sizeof(buf), &other, nonce, &got), -EACCES);
	hearth_rdma_put_answer(answer, &p, &t, nonce);
	assert_int_equal(hearth_rdma_check_answer(answer, sizeof(answer), &p, &t, nonce), 0);
	/* Nor does a request answer itself, or one answer another connection. */
	assert_int_not_equal(hearth_rdma_check_answer(buf, sizeof(buf), &p, &t, nonce), 0);
	p.number++;
	assert_int_equal(hearth_rdma_check_answer(answer, sizeof(answer), &p, &t, nonce), -EACCES);
	p.number--;
	nonce[0] ^= 1;
	assert_int_equal(hearth_rdma_check_request(buf, sizeof(buf), &t, nonce, &got), -EACCES);
}

static void a_long_path_is_written_to(void **state)
{
	const uint64_t mib = 1u << 20, reads = 16 * mib / 2;

	(void)state;
	assert_int_equal(hearth_rdma_mode_for(HEARTH_RDMA_MODE_AUTO, 0, mib, reads),
			 HEARTH_RDMA_MODE_READ);
	assert_int_equal(hearth_rdma_mode_for(HEARTH_RDMA_MODE_AUTO, 0, reads, reads),
			 HEARTH_RDMA_MODE_READ);
	assert_int_equal(hearth_rdma_mode_for(HEARTH_RDMA_MODE_AUTO, 0, 400 * mib, reads),
			 HEARTH_RDMA_MODE_WRITE);
	assert_int_equal(hearth_rdma_mode_for(HEARTH_RDMA_MODE_AUTO, 10000000, mib, reads),
			 HEARTH_RDMA_MODE_WRITE);
	assert_int_equal(hearth_rdma_mode_for(HEARTH_RDMA_MODE_READ, 10000000, 400 * mib, reads),
			 HEARTH_RDMA_MODE_READ);
	assert_int_equal(hearth_rdma_mode_for(HEARTH_RDMA_MODE_WRITE, 0, 0, reads),
			 HEARTH_RDMA_MODE_WRITE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_survive_the_wire),
		cmocka_unit_test(no_message_is_too_short_or_too_long),
		cmocka_unit_test(random_messages_do_no_harm),
		cmocka_unit_test(a_proof_is_for_one_connection),
		cmocka_unit_test(a_long_path_is_written_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
