// SPDX-License-Identifier: GPL-2.0-or-later
/* The queue pairs of a session as one: what they share, and their thread. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../common/io.h"
#include "engine.h"
#include "rdma_impl.h"

/* Near, the least of so many says what the path takes; but no more once they took so long. */
#define NR_PINGS 16
#define LEAST_PINGS 2
#define PINGS_NS 50000000
#define PING_MS 1000
#define REASON_MS 1000 /* engine.c waits longer before it gives one that says less */

void hearth_rdma_wake(struct hearth_rdma *r)
{
	uint64_t one = 1;

	if (write(r->wake_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd takes 2^64 of them */
}

bool hearth_rdma_is_live(const struct hearth_rdma *r)
{
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i] && r->queues[i]->state == HEARTH_RDMA_LIVE)
			return true;
	return false;
}

void hearth_rdma_tell(struct hearth_rdma *r, const char *text)
{
	snprintf(r->why, sizeof(r->why), "%s", text);
	if (r->nr_news < HEARTH_RDMA_MAX_NEWS)
		snprintf(r->news[r->nr_news++], sizeof(r->news[0]), "%s", text);
	hearth_rdma_wake(r);
}

void hearth_rdma_why(struct hearth_rdma *r, char ret[HEARTH_RDMA_WHY_BYTES])
{
	pthread_mutex_lock(&r->lock);
	memcpy(ret, r->why, sizeof(r->why));
	pthread_mutex_unlock(&r->lock);
}

void hearth_rdma_lose(struct hearth_rdma *r)
{
	r->is_lost = true;
	hearth_rdma_wake(r);
}

/* The job has a lock of its own, under which it may cancel its streams: ours is not held. */
static void tell_job(struct hearth_rdma *r)
{
	struct hearth_job *job = r->job;
	char news[HEARTH_RDMA_MAX_NEWS][HEARTH_RDMA_WHY_BYTES];
	uint32_t nr = r->nr_news;
	bool is_lost = r->is_lost;

	if (!job || (!nr && !is_lost))
		return;
	memcpy(news, r->news, sizeof(news));
	r->nr_news = 0;
	r->is_lost = false;
	r->is_telling = true;
	pthread_mutex_unlock(&r->lock);
	for (uint32_t i = 0; i < nr; i++)
		hearth_job_note(job, HEARTH_NOTE_WARNING, "", "%s", news[i]);
	if (is_lost && !hearth_engine_await_reason(job, REASON_MS))
		hearth_job_fail(job, HEARTH_EXIT_LOST,
				"no data connection is left (%.300s); run the same command again to continue",
				r->why);
	pthread_mutex_lock(&r->lock);
	r->is_telling = false;
	pthread_cond_broadcast(&r->changed);
}

void hearth_rdma_advance(struct hearth_rdma *r)
{
	if (r->plan.is_sender)
		hearth_rdma_source_advance(r);
	else
		hearth_rdma_sink_advance(r);
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i])
			hearth_rdma_queue_flush(r->queues[i]);
}

/* Takes in what the device announced; asks for the next announcement before it looks. */
static void take_events(struct hearth_rdma_rail *rail)
{
	struct pollfd fd = { .fd = rail->events->fd, .events = POLLIN };
	struct ibv_cq *cq;
	void *q;

	while (rail->events && poll(&fd, 1, 0) > 0) {
		if (ibv_get_cq_event(rail->events, &cq, &q))
			break;
		ibv_ack_cq_events(cq, 1);
		ibv_req_notify_cq(cq, 0);
		hearth_rdma_queue_drain(q);
	}
}

/* A device that is taken away waits for everybody to let go of it. */
static void let_go(struct hearth_rdma *r, struct hearth_rdma_rail *rail)
{
	for (uint32_t i = 0; i < r->nr_queues; i++) {
		struct hearth_rdma_queue *q = r->queues[i];

		if (!q || q->rail != rail)
			continue;
		hearth_rdma_queue_fail(q, "rdma_get_cm_event", "the device was removed");
		hearth_rdma_queue_let_go(q);
	}
	hearth_rdma_land_forget(r, rail);
	hearth_verbs_remove_rail(rail);
}

void hearth_rdma_poll(struct hearth_rdma *r)
{
	hearth_rdma_cm_events(r);
	for (uint32_t i = 0; i < r->nr_rails; i++) {
		struct hearth_rdma_rail *rail = &r->rails[i];

		if (rail->is_removed && rail->pd)
			let_go(r, rail);
		if (rail->events)
			take_events(rail);
	}
	if (!r->plan.is_sender)
		hearth_rdma_sink_steer(r);
	hearth_rdma_advance(r);
	if (r->plan.is_sender)
		pthread_cond_broadcast(&r->changed);
}

/* An end that only waits would not notice that the way is cut. */
static void probe(struct hearth_rdma *r)
{
	for (uint32_t i = 0; i < r->nr_queues; i++) {
		if (!r->queues[i])
			continue;
		hearth_rdma_queue_drain(r->queues[i]);
		hearth_rdma_queue_probe(r->queues[i]);
	}
}

static nfds_t gather(const struct hearth_rdma *r, struct pollfd *fds)
{
	nfds_t nr = 0;

	fds[nr++] = (struct pollfd){ .fd = r->wake_fd, .events = POLLIN };
	fds[nr++] = (struct pollfd){ .fd = r->cm->fd, .events = POLLIN };
	for (uint32_t i = 0; i < r->nr_rails; i++)
		if (r->rails[i].events)
			fds[nr++] = (struct pollfd){ .fd = r->rails[i].events->fd,
						     .events = POLLIN };
	return nr;
}

static void *run(void *arg)
{
	struct hearth_rdma *r = arg;
	struct pollfd fds[2 + HEARTH_RDMA_MAX_RAILS];
	uint64_t count;
	nfds_t nr;

	pthread_mutex_lock(&r->lock);
	while (!r->is_stopping) {
		nr = gather(r, fds);
		pthread_mutex_unlock(&r->lock);
		poll(fds, nr, HEARTH_RDMA_SILENCE_MS / 2);
		pthread_mutex_lock(&r->lock);
		probe(r);
		if (fds[0].revents && read(r->wake_fd, &count, sizeof(count)) < 0)
			break;
		hearth_rdma_poll(r);
		hearth_rdma_grow(r);
		tell_job(r);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int hearth_rdma_start(struct hearth_rdma *r)
{
	r->has_thread = !pthread_create(&r->thread, NULL, run, r);
	if (r->has_thread)
		return 0;
	snprintf(r->why, sizeof(r->why), "no thread could be started");
	return -EAGAIN;
}

static struct timespec in_ms(uint32_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

uint32_t hearth_rdma_nr_live(const struct hearth_rdma *r)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < r->nr_queues; i++)
		nr += r->queues[i] && r->queues[i]->state == HEARTH_RDMA_LIVE;
	return nr;
}

static bool is_connecting(const struct hearth_rdma *r)
{
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i] && r->queues[i]->state == HEARTH_RDMA_CONNECTING)
			return true;
	return false;
}

/* The far end has given them up, or will, and nobody is to wait for them. */
static void give_up_connecting(struct hearth_rdma *r)
{
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i] && r->queues[i]->state == HEARTH_RDMA_CONNECTING)
			hearth_rdma_queue_fail(r->queues[i], "", "");
}

int hearth_rdma_await(struct hearth_rdma *r, uint32_t nr, uint32_t timeout_s)
{
	struct timespec deadline = in_ms(timeout_s * 1000);
	int err = 0;

	pthread_mutex_lock(&r->lock);
	while (hearth_rdma_nr_live(r) < nr && !err)
		err = pthread_cond_timedwait(&r->changed, &r->lock, &deadline);
	give_up_connecting(r);
	pthread_mutex_unlock(&r->lock);
	return -err;
}

void hearth_rdma_settle(struct hearth_rdma *r, uint32_t timeout_ms)
{
	struct timespec deadline = in_ms(timeout_ms);
	int err = 0;

	pthread_mutex_lock(&r->lock);
	while (is_connecting(r) && !err)
		err = pthread_cond_timedwait(&r->changed, &r->lock, &deadline);
	give_up_connecting(r);
	pthread_mutex_unlock(&r->lock);
}

void hearth_rdma_stop_listening(struct hearth_rdma *r)
{
	struct rdma_cm_id *listener = r->listener;

	pthread_mutex_lock(&r->lock);
	r->listener = NULL;
	pthread_mutex_unlock(&r->lock);
	if (listener)
		rdma_destroy_id(listener);
}

static bool ping_once(struct hearth_rdma *r, struct hearth_rdma_queue *q, uint64_t *ret_ns)
{
	struct timespec deadline = in_ms(PING_MS);
	uint64_t start = hearth_now_ns();
	struct hearth_rdma_msg m = { .type = HEARTH_RDMA_PING, .echo = start };
	int err = 0;

	if (!hearth_rdma_can_send(q))
		return false;
	hearth_rdma_queue_send(q, &m);
	while (!err && q->echo != start && q->state == HEARTH_RDMA_LIVE)
		err = pthread_cond_timedwait(&r->changed, &r->lock, &deadline);
	*ret_ns = hearth_now_ns() - start;
	return q->echo == start;
}

void hearth_rdma_ping(struct hearth_rdma *r)
{
	uint64_t ns, best = UINT64_MAX, end = hearth_now_ns() + PINGS_NS;

	pthread_mutex_lock(&r->lock);
	for (int i = 0; i < LEAST_PINGS || (i < NR_PINGS && hearth_now_ns() < end); i++)
		if (r->queues[0] && ping_once(r, r->queues[0], &ns) && ns < best)
			best = ns;
	r->rtt_ns = best == UINT64_MAX ? 0 : best;
	pthread_mutex_unlock(&r->lock);
}

struct hearth_pool *hearth_rdma_pool(struct hearth_rdma *r)
{
	return &r->pool;
}

void hearth_rdma_set_job(struct hearth_rdma *r, struct hearth_job *job)
{
	pthread_mutex_lock(&r->lock);
	while (r->is_telling)
		pthread_cond_wait(&r->changed, &r->lock);
	r->job = job;
	pthread_mutex_unlock(&r->lock);
}

int hearth_rdma_set_spare(struct hearth_rdma *r, struct hearth_stream *spare)
{
	pthread_mutex_lock(&r->lock);
	r->spare = spare;
	pthread_mutex_unlock(&r->lock);
	if (r->plan.is_sender)
		return 0;
	r->has_spare_thread =
		!pthread_create(&r->spare_thread, NULL, hearth_rdma_sink_spare, r);
	return r->has_spare_thread ? 0 : -EAGAIN;
}

void hearth_rdma_describe(struct hearth_rdma *r, struct hearth_route *ret)
{
	pthread_mutex_lock(&r->lock);
	ret->transport = "rdma";
	ret->mode = r->mode == HEARTH_RDMA_MODE_WRITE ? "write" : "read";
	ret->depth = r->queues[0] ? r->queues[0]->depth : 0;
	ret->keys = "windows";
	ret->rtt_ns = r->rtt_ns;
	ret->nr_rails = r->nr_rails;
	ret->nr_queues = r->nr_queues;
	for (uint32_t i = 0; i < r->nr_rails; i++) {
		if (!r->rails[i].has_windows)
			ret->keys = "registrations";
		snprintf(ret->rails[i].device, sizeof(ret->rails[i].device), "%s",
			 r->rails[i].device);
		ret->rails[i].bytes = r->rails[i].bytes;
		ret->rails[i].has_failed = r->rails[i].has_failed;
	}
	pthread_mutex_unlock(&r->lock);
}

static int make(struct hearth_rdma *r)
{
	pthread_condattr_t attr;
	int ret;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->spare_lock, NULL);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	r->done_tail = &r->done;
	r->wake_fd = eventfd(0, EFD_CLOEXEC);
	ret = hearth_verbs_find(r->places, HEARTH_RDMA_MAX_RAILS, &r->nr_places, r->why);
	if (!ret)
		ret = hearth_rdma_make_pool(r);
	if (ret)
		return ret;
	r->cm = rdma_create_event_channel();
	if (!r->cm)
		return hearth_verbs_fail(r->why, "/dev/infiniband/rdma_cm",
					 "rdma_create_event_channel", -errno);
	/* What there was to read may be gone by then: its connection may have been given up. */
	fcntl(r->cm->fd, F_SETFL, fcntl(r->cm->fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

int hearth_rdma_create(const struct hearth_rdma_plan *plan, struct hearth_rdma **ret)
{
	struct hearth_rdma *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->plan = *plan;
	r->ticket = *plan->ticket;
	r->seal.mode = plan->ticket->seal;
	err = make(r);
	if (err) {
		snprintf(plan->why, HEARTH_RDMA_WHY_BYTES, "%s", r->why);
		hearth_rdma_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

static void stop_threads(struct hearth_rdma *r)
{
	pthread_mutex_lock(&r->lock);
	r->is_stopping = true;
	pthread_mutex_unlock(&r->lock);
	if (r->has_thread) {
		hearth_rdma_wake(r);
		pthread_join(r->thread, NULL);
	}
	if (r->has_spare_thread) {
		r->spare->ops->cancel(r->spare);
		hearth_pool_close(&r->pool);
		pthread_join(r->spare_thread, NULL);
	}
	if (r->spare)
		r->spare->ops->free(r->spare);
}

void hearth_rdma_free(struct hearth_rdma *r)
{
	stop_threads(r);
	hearth_rdma_stop_listening(r);
	for (uint32_t i = 0; i < r->nr_queues; i++) {
		if (!r->queues[i])
			continue;
		pthread_mutex_lock(&r->lock);
		hearth_rdma_queue_fail(r->queues[i], "", "");
		pthread_mutex_unlock(&r->lock);
		hearth_rdma_queue_free(r->queues[i]);
	}
	for (uint32_t i = 0; i < r->nr_rails; i++)
		hearth_verbs_remove_rail(&r->rails[i]);
	if (r->cm)
		rdma_destroy_event_channel(r->cm);
	if (r->has_pool)
		hearth_pool_exit(&r->pool);
	free(r->parcels);
	hearth_close(&r->wake_fd);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->spare_lock);
	pthread_mutex_destroy(&r->lock);
	hearth_seal_exit(&r->seal);
	free(r);
}
