// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit tests of windows: the order in which they were used, and messages in bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "window_set.h"
#include "window_wire.h"

#define NR 64u
#define SIZE (64u << 10)

/* The same as a list, oldest first. */
struct model {
	struct hearth_window *order[NR];
	uint32_t nr;
};

static void model_remove(struct model *m, const struct hearth_window *w)
{
	uint32_t i = 0;

	while (m->order[i] != w)
		i++;
	memmove(&m->order[i], &m->order[i + 1], (m->nr - i - 1) * sizeof(*m->order));
	m->nr--;
}

static void model_add(struct model *m, struct hearth_window *w)
{
	m->order[m->nr++] = w;
}

static void compare(const struct hearth_window_set *s, const struct model *m)
{
	const struct hearth_window *w = s->oldest;
	uint64_t bytes = 0;

	assert_int_equal(s->nr, m->nr);
	for (uint32_t i = 0; i < m->nr; i++, w = w->newer) {
		assert_ptr_equal(w, m->order[i]);
		assert_ptr_equal(hearth_window_set_find(s, w->offset + w->len - 1), w);
		assert_ptr_equal(hearth_window_set_find_id(s, w->id), w);
		bytes += w->len;
	}
	assert_null(w);
	assert_int_equal(s->bytes, bytes);
}

static void the_order_is_that_of_a_list(void **state)
{
	static struct hearth_window windows[NR];
	bool is_in[NR] = { false };
	struct hearth_window_set s;
	struct model m = { .nr = 0 };
	unsigned int seed = 3;

	(void)state;
	hearth_window_set_init(&s, SIZE);
	for (uint32_t i = 0; i < NR; i++)
		windows[i] = (struct hearth_window){ .offset = (uint64_t)i * i * SIZE,
						     .len = SIZE - i,
						     .id = i + 1 };
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand_r(&seed) % NR;
		struct hearth_window *w = &windows[i];

		if (!is_in[i]) {
			hearth_window_set_add(&s, w);
			model_add(&m, w);
			is_in[i] = true;
		} else if (rand_r(&seed) % 3) {
			hearth_window_set_touch(&s, w);
			model_remove(&m, w);
			model_add(&m, w);
		} else {
			hearth_window_set_remove(&s, w);
			model_remove(&m, w);
			is_in[i] = false;
			assert_null(hearth_window_set_find(&s, w->offset));
			assert_null(hearth_window_set_find_id(&s, w->id));
		}
		if (step % 50 == 0)
			compare(&s, &m);
	}
}

/* Sends, and gives back the frame as it arrives. */
static void pass(struct hearth_control *to, struct hearth_control *from,
		 const struct hearth_window_msg *m, struct hearth_frame *ret)
{
	assert_int_equal(hearth_window_send(to, HEARTH_FRAME_TOLD, m), 0);
	assert_int_equal(hearth_control_recv(from, ret), 0);
}

static void messages_arrive_as_they_were(void **state)
{
	struct hearth_window_msg got, m = { .verb = HEARTH_WINDOW_LEASE,
					    .flags = HEARTH_WINDOW_WRITES,
					    .status = -ENOSPC,
					    .id = 7,
					    .key = 0xfffffffe,
					    .offset = 1ull << 62,
					    .len = 3,
					    .text = "why",
					    .data = (const uint8_t *)"data",
					    .data_len = 4 };
	struct hearth_control out, in;
	struct hearth_frame f;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(hearth_control_init(&out, fds[0], fds[1]), 0);
	assert_int_equal(hearth_control_init(&in, fds[0], fds[1]), 0);
	pass(&out, &in, &m, &f);
	assert_int_equal(hearth_window_parse(&f, HEARTH_FRAME_TOLD, &got), 0);
	assert_int_equal(got.verb, m.verb);
	assert_int_equal(got.flags, m.flags);
	assert_int_equal(got.status, m.status);
	assert_int_equal(got.id, m.id);
	assert_int_equal(got.key, m.key);
	assert_true(got.offset == m.offset && got.len == m.len);
	assert_string_equal(got.text, m.text);
	assert_int_equal(got.data_len, 4);
	assert_memory_equal(got.data, m.data, 4);
	/* the other direction's, and every shorter one up to its text */
	assert_int_equal(hearth_window_parse(&f, HEARTH_FRAME_ASK, &got), -EPROTO);
	for (f.len -= 5; f.len; f.len--)
		assert_int_equal(hearth_window_parse(&f, HEARTH_FRAME_TOLD, &got), -EPROTO);
	hearth_control_exit(&out);
	hearth_control_exit(&in);
	close(fds[0]);
	close(fds[1]);
}

static void ports_that_cannot_be_are_refused(void **state)
{
	struct hearth_window_port p = { .port = 1, .nr = 2 }, got;
	struct hearth_window_msg m = { .verb = HEARTH_WINDOW_CONNECT };
	uint8_t buf[256];

	(void)state;
	p.addresses[0].ss_family = AF_INET;
	p.addresses[1].ss_family = AF_INET6;
	m.data = buf;
	m.data_len = hearth_window_put_port(buf, sizeof(buf), &p);
	assert_int_equal(hearth_window_parse_port(&m, &got), 0);
	assert_int_equal(got.nr, 2);
	assert_int_equal(got.addresses[0].ss_family, AF_INET);
	assert_int_equal(got.addresses[1].ss_family, AF_INET6);
	for (size_t len = m.data_len - 1; m.data_len = len, len; len--)
		assert_int_equal(hearth_window_parse_port(&m, &got), -EPROTO);
	assert_int_equal(hearth_window_put_port(buf, 20, &p), 0);
	p.nr = 0;
	m.data_len = hearth_window_put_port(buf, sizeof(buf), &p);
	assert_int_equal(hearth_window_parse_port(&m, &got), -EPROTO);
	p.nr = 1;
	p.port = 0;
	m.data_len = hearth_window_put_port(buf, sizeof(buf), &p);
	assert_int_equal(hearth_window_parse_port(&m, &got), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_that_of_a_list),
		cmocka_unit_test(messages_arrive_as_they_were),
		cmocka_unit_test(ports_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
