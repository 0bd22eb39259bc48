// SPDX-License-Identifier: GPL-2.0-or-later
/* RDMA devices: which there are, what is registered with them, and what to do if that fails. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rdma_impl.h"

#define SYS_DEVICES "/sys/class/infiniband"

/* The first one that the kernel has; false: none. */
static bool first_device(char *name, size_t size)
{
	DIR *dir = opendir(SYS_DEVICES);
	const struct dirent *entry;
	bool is_found = false;

	while (dir && !is_found && (entry = readdir(dir))) {
		is_found = *entry->d_name != '.';
		if (is_found)
			snprintf(name, size, "%.60s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return is_found;
}

bool hearth_rdma_has_device(void)
{
	char name[HEARTH_RDMA_DEVICE_BYTES];

	return first_device(name, sizeof(name));
}

static void describe_memlock(char *text, size_t size)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		snprintf(text, size, "there is not enough memory; lower --memory");
	else
		snprintf(text, size,
			 "memory that may be locked is limited to %llu KiB; raise \"ulimit -l\" or the service's LimitMEMLOCK=, or lower --memory",
			 (unsigned long long)limit.rlim_cur / 1024);
}

/* What helps against a failure of a call. */
static void remedy(const char *call, int err, char *text, size_t size)
{
	*text = '\0';
	if (!strcmp(call, "ibv_reg_mr") || err == -ENOMEM)
		describe_memlock(text, size);
	else if (err == -ENODEV || err == -EIO)
		snprintf(text, size, "the device is gone; see \"rdma link\"");
	else if (err == -EACCES || err == -EPERM)
		snprintf(text, size, "see who may open /dev/infiniband/*");
	else if (err == -EHOSTUNREACH || err == -ENETUNREACH || err == -EADDRNOTAVAIL ||
		 err == -ETIMEDOUT)
		snprintf(text, size, "see \"ip route get\" and \"rdma link\" at both ends");
}

int hearth_verbs_fail(char *why, const char *device, const char *call, int err)
{
	char help[256];

	remedy(call, err, help, sizeof(help));
	snprintf(why, HEARTH_RDMA_WHY_BYTES, "%s: %s: %s%s%s", device, call, strerror(-err),
		 *help ? ": " : "", help);
	return err;
}

/* What is missing before any device can be asked. 0 or -errno. */
static int check_modules(char *why)
{
	char name[HEARTH_RDMA_DEVICE_BYTES];
	struct ibv_device **list;
	int nr = 0;

	if (!first_device(name, sizeof(name))) {
		snprintf(why, HEARTH_RDMA_WHY_BYTES,
			 "no RDMA device is there; see \"rdma link\", or add one with \"rdma link add\"");
		return -ENODEV;
	}
	list = ibv_get_device_list(&nr);
	if (list)
		ibv_free_device_list(list);
	if (!list || !nr) {
		snprintf(why, HEARTH_RDMA_WHY_BYTES,
			 "%s: ibv_get_device_list: no use can be made of it: \"modprobe ib_uverbs\", and install its driver (ibverbs-providers)",
			 name);
		return -ENODEV;
	}
	if (access("/dev/infiniband/rdma_cm", R_OK | W_OK)) {
		snprintf(why, HEARTH_RDMA_WHY_BYTES,
			 "%s: /dev/infiniband/rdma_cm: %s: %s", name, strerror(errno),
			 errno == ENOENT ? "\"modprobe rdma_ucm\"" : "see who may open it");
		return -ENODEV;
	}
	return 0;
}

static bool is_active(const struct rdma_cm_id *id)
{
	struct ibv_port_attr attr;

	return !ibv_query_port(id->verbs, id->port_num, &attr) && attr.state == IBV_PORT_ACTIVE;
}

static bool is_candidate(const struct ifaddrs *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a->ifa_addr;

	if (!a->ifa_addr || a->ifa_flags & IFF_LOOPBACK)
		return false;
	return a->ifa_addr->sa_family == AF_INET ||
	       (a->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr));
}

static bool is_known(const struct hearth_rdma_place *places, uint32_t nr, const char *device)
{
	for (uint32_t i = 0; i < nr; i++)
		if (!strcmp(places[i].device, device))
			return true;
	return false;
}

/* An address is a device's if the connection manager can bind to it there. */
static void try_address(struct rdma_event_channel *cm, const struct ifaddrs *a,
			struct hearth_rdma_place *places, uint32_t max, uint32_t *nr, char *down)
{
	size_t len = a->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
						       : sizeof(struct sockaddr_in6);
	struct rdma_cm_id *id;
	const char *device;

	if (*nr == max || rdma_create_id(cm, &id, NULL, RDMA_PS_TCP))
		return;
	if (!rdma_bind_addr(id, a->ifa_addr) && id->verbs) {
		device = ibv_get_device_name(id->verbs->device);
		if (!is_active(id)) {
			snprintf(down, HEARTH_RDMA_DEVICE_BYTES, "%s", device);
		} else if (!is_known(places, *nr, device)) {
			snprintf(places[*nr].device, sizeof(places[*nr].device), "%s", device);
			memset(&places[*nr].addr, 0, sizeof(places[*nr].addr));
			memcpy(&places[*nr].addr, a->ifa_addr, len);
			++*nr;
		}
	}
	rdma_destroy_id(id);
}

static void explain_none(const char *down, char *why)
{
	char name[HEARTH_RDMA_DEVICE_BYTES] = "";

	first_device(name, sizeof(name));
	if (*down)
		snprintf(why, HEARTH_RDMA_WHY_BYTES,
			 "%s: ibv_query_port: the port is down; see \"rdma link\" and \"ip link set ... up\"",
			 down);
	else
		snprintf(why, HEARTH_RDMA_WHY_BYTES,
			 "%s: rdma_bind_addr: no device has an address; see \"rdma link\", and \"ip addr add\" one to its network interface",
			 name);
}

int hearth_verbs_find(struct hearth_rdma_place *places, uint32_t max, uint32_t *ret_nr, char *why)
{
	char down[HEARTH_RDMA_DEVICE_BYTES] = "";
	struct rdma_event_channel *cm;
	struct ifaddrs *all = NULL;
	uint32_t nr = 0;
	int ret = check_modules(why);

	if (ret)
		return ret;
	/* Once, before anything is registered: ssh may be started anew. */
	ibv_fork_init();
	cm = rdma_create_event_channel();
	if (!cm)
		return hearth_verbs_fail(why, "/dev/infiniband/rdma_cm",
					 "rdma_create_event_channel", -errno);
	if (getifaddrs(&all))
		all = NULL;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (is_candidate(a))
			try_address(cm, a, places, max, &nr, down);
	freeifaddrs(all);
	rdma_destroy_event_channel(cm);
	*ret_nr = nr;
	if (nr)
		return 0;
	explain_none(down, why);
	return -ENODEV;
}

int hearth_verbs_node(const char *device)
{
	char path[160], text[32];
	FILE *f;
	int node = -1;

	snprintf(path, sizeof(path), SYS_DEVICES "/%s/device/numa_node", device);
	f = fopen(path, "re");
	if (f && fgets(text, sizeof(text), f))
		sscanf(text, "%d", &node);
	if (f)
		fclose(f);
	return node;
}

/* In units of 2.5 Gb/s; see enum ib_port_speed and the widths in the InfiniBand specification. */
uint64_t hearth_verbs_speed(const struct hearth_rdma_rail *rail)
{
	static const struct {
		uint8_t code;
		uint16_t mbit_s;
	} speeds[] = {
		{ 1, 2500 },   { 2, 5000 },   { 4, 10000 }, { 8, 10000 },
		{ 16, 14063 }, { 32, 25781 }, { 64, 53125 },
	};
	static const uint8_t widths[][2] = { { 1, 1 }, { 2, 4 }, { 4, 8 }, { 8, 12 }, { 16, 2 } };
	struct ibv_port_attr attr;
	uint64_t mbit_s = 2500, lanes = 1;

	if (ibv_query_port(rail->verbs, rail->port, &attr))
		return 0;
	for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
		if (speeds[i].code == attr.active_speed)
			mbit_s = speeds[i].mbit_s;
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++)
		if (widths[i][0] == attr.active_width)
			lanes = widths[i][1];
	return mbit_s * lanes * 1000000 / 8;
}

void hearth_verbs_unregister_chunk(struct hearth_rdma_rail *rail, uint32_t chunk)
{
	if (rail->mrs[chunk])
		ibv_dereg_mr(rail->mrs[chunk]);
	rail->mrs[chunk] = NULL;
}

void hearth_verbs_unregister(struct hearth_rdma_rail *rail)
{
	for (uint32_t i = 0; i < HEARTH_POOL_MAX_CHUNKS; i++)
		hearth_verbs_unregister_chunk(rail, i);
}

int hearth_verbs_access(const struct hearth_rdma *r)
{
	if (r->plan.is_sender)
		return r->mode == HEARTH_RDMA_MODE_WRITE ? 0 : IBV_ACCESS_REMOTE_READ;
	return r->mode == HEARTH_RDMA_MODE_WRITE ? IBV_ACCESS_REMOTE_WRITE : 0;
}

/*
 * What the peer may do with the blocks is what this session's mode needs. Where the device has
 * windows each queue pair opens one, and what is registered opens nothing. Either way keys die with
 * the session, since pool and registration do.
 */
int hearth_verbs_register_chunk(const struct hearth_rdma *r, struct hearth_rdma_rail *rail,
				uint32_t chunk)
{
	const struct hearth_pool_chunk *c = &r->pool.chunks[chunk];

	rail->mrs[chunk] = ibv_reg_mr(rail->pd, c->memory, c->memory_bytes,
				      IBV_ACCESS_LOCAL_WRITE | rail->access);
	return rail->mrs[chunk] ? 0 : -errno;
}

int hearth_verbs_register(struct hearth_rdma *r, struct hearth_rdma_rail *rail)
{
	int ret = 0;

	if (!rail->pd)
		return 0; /* its device has gone */
	rail->access = rail->has_windows ? IBV_ACCESS_MW_BIND : hearth_verbs_access(r);
	hearth_verbs_unregister(rail);
	for (uint32_t i = 0; i < r->nr_chunks && !ret; i++)
		ret = hearth_verbs_register_chunk(r, rail, i);
	return ret ? hearth_verbs_fail(r->why, rail->device, "ibv_reg_mr", ret) : 0;
}

/* What a device says it has its library may not, or a virtual function has none left. */
static bool has_windows(struct ibv_context *verbs, struct ibv_pd *pd)
{
	struct ibv_device_attr attr;
	struct ibv_mw *window;

	if (ibv_query_device(verbs, &attr) ||
	    !(attr.device_cap_flags &
	      (IBV_DEVICE_MEM_WINDOW_TYPE_2A | IBV_DEVICE_MEM_WINDOW_TYPE_2B)))
		return false;
	window = ibv_alloc_mw(pd, IBV_MW_TYPE_2);
	if (window)
		ibv_dealloc_mw(window);
	return window;
}

static int make_rail(struct hearth_rdma *r, struct hearth_rdma_rail *rail, struct rdma_cm_id *id)
{
	*rail = (struct hearth_rdma_rail){ .verbs = id->verbs, .port = id->port_num };
	snprintf(rail->device, sizeof(rail->device), "%s", ibv_get_device_name(id->verbs->device));
	rail->pd = ibv_alloc_pd(rail->verbs);
	if (!rail->pd)
		return hearth_verbs_fail(r->why, rail->device, "ibv_alloc_pd", -errno);
	rail->has_windows = has_windows(rail->verbs, rail->pd);
	rail->events = ibv_create_comp_channel(rail->verbs);
	if (!rail->events)
		return hearth_verbs_fail(r->why, rail->device, "ibv_create_comp_channel", -errno);
	/* A queue pair that is given up takes along what it had to announce. */
	fcntl(rail->events->fd, F_SETFL, fcntl(rail->events->fd, F_GETFL) | O_NONBLOCK);
	return hearth_verbs_register(r, rail);
}

int hearth_verbs_add_rail(struct hearth_rdma *r, struct rdma_cm_id *id,
			  struct hearth_rdma_rail **ret)
{
	struct hearth_rdma_rail *rail;
	int err;

	for (uint32_t i = 0; i < r->nr_rails; i++)
		if (r->rails[i].verbs == id->verbs && r->rails[i].port == id->port_num) {
			*ret = &r->rails[i];
			return 0;
		}
	if (r->nr_rails == HEARTH_RDMA_MAX_RAILS)
		return -ENOSPC;
	rail = &r->rails[r->nr_rails];
	err = make_rail(r, rail, id);
	if (err) {
		hearth_verbs_remove_rail(rail);
		return err;
	}
	r->nr_rails++;
	*ret = rail;
	return 0;
}

void hearth_verbs_remove_rail(struct hearth_rdma_rail *rail)
{
	hearth_verbs_unregister(rail);
	if (rail->events)
		ibv_destroy_comp_channel(rail->events);
	if (rail->pd)
		ibv_dealloc_pd(rail->pd);
	rail->events = NULL;
	rail->pd = NULL;
}
