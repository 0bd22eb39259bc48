// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A daemon with modules.
 *
 * The parent only listens. A connection is served by a child, which can become
 * the user that the module names, and whose end takes down nobody else. What a
 * client calls "module/path" is a path that starts at the module's directory and
 * cannot leave it (openat2 again, confine.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/io.h"
#include "config.h"
#include "confine.h"
#include "daemon.h"
#include "guests.h"
#include "lun.h"
#include "server.h"
#include "share.h"
#include "tls.h"

#define HANDSHAKE_SECONDS 10

struct daemon {
	struct hearth_config config;
	struct hearth_keys keys;
	int listen_fd;
	int signal_fd;
	struct hearth_guests guests;
};

/* Log lines go to standard error, where systemd collects them. */
static void tell(const char *user, const char *text, const char *detail)
{
	fprintf(stderr, "hearthd: %s%s%s%s%s\n", user, *user ? ": " : "", text, *detail ? ": " : "",
		detail);
}

static int refuse(char *text, size_t size, const char *what, const char *name)
{
	snprintf(text, size, "%s: %s", name, what);
	return -EACCES;
}

/* Takes "module/" off the path; the module, or NULL. */
static const struct hearth_module *split_module(const struct hearth_config *c, char *path)
{
	size_t skipped = strspn(path, "/"), len = strcspn(path + skipped, "/");
	const struct hearth_module *m = hearth_config_find(c, path + skipped, len);

	if (m)
		memmove(path, path + skipped + len, strlen(path + skipped + len) + 1);
	return m;
}

/* An empty path is the module's directory: what is in it, as with a slash at the end. */
static int keep_path(char **path)
{
	char *kept = *path + strspn(*path, "/"), *copy = strdup(*kept ? kept : "./");

	if (!copy)
		return -ENOMEM;
	free(*path);
	*path = copy;
	return 0;
}

/* Jobs under way end with the daemon; the same commands continue them. */
static void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static int become(const struct hearth_module *m)
{
	if (m->gid != (gid_t)-1 && getegid() != m->gid &&
	    (setgroups(1, &m->gid) || setresgid(m->gid, m->gid, m->gid)))
		return -errno;
	if (m->uid != (uid_t)-1 && geteuid() != m->uid && setresuid(m->uid, m->uid, m->uid))
		return -errno;
	die_with_parent(); /* which a change of user takes back */
	return 0;
}

static int check_rights(const struct hearth_module *m, const char *user,
			const struct hearth_hello *h, char *text, size_t size)
{
	bool writes = h->direction == HEARTH_SERVER_RECEIVES || h->opt.flags & HEARTH_REMOVE_SOURCE;

	if (!hearth_module_admits(m, user))
		return refuse(text, size, "this module is not for this user", m->name);
	if (writes && !m->is_writable)
		return refuse(text, size, "this module is read-only", m->name);
	if (h->direction == HEARTH_SERVER_SENDS && h->opt.flags & HEARTH_COPY_LINKS)
		return refuse(text, size, "symlinks could lead out of the module", "--copy-links");
	if (h->opt.link_dest && *h->opt.link_dest == '/')
		return refuse(text, size, "with a daemon it must be relative", "--link-dest");
	if (h->opt.backup_dir && *h->opt.backup_dir == '/')
		return refuse(text, size, "with a daemon it must be relative", "--backup-dir");
	return 0;
}

/* The numeric address of who is at the other side of a connection. */
static void name_peer(int fd, char *buf, socklen_t size)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getpeername(fd, (struct sockaddr *)&a, &len) ||
	    getnameinfo((struct sockaddr *)&a, len, buf, size, NULL, 0, NI_NUMERICHOST))
		*buf = '\0';
}

struct guest {
	struct daemon *daemon;
	struct hearth_guest *seat;
	struct hearth_tls *tls;
	char name[160]; /* for the log: user and address */
	int base_fd;
};

static void name_guest(struct guest *g)
{
	char address[64];

	name_peer(g->tls->net_fd, address, sizeof(address));
	snprintf(g->name, sizeof(g->name), "%s (%s)", g->tls->user, address);
}

static int apply_limits(struct guest *g, const struct hearth_module *m, struct hearth_hello *h,
			char *text, size_t size)
{
	const struct hearth_config *c = &g->daemon->config;
	uint32_t number = (uint32_t)(m - c->modules);

	if (!hearth_guests_enter(&g->daemon->guests, g->seat, number, m->max_connections))
		return refuse(text, size, "as many as may use this module at a time do; try again",
			      m->name);
	if (!h->opt.memory_bytes || h->opt.memory_bytes > c->memory_bytes)
		h->opt.memory_bytes = c->memory_bytes;
	if (m->bytes_per_s && h->opt.bytes_per_s > m->bytes_per_s)
		h->opt.bytes_per_s = m->bytes_per_s;
	return 0;
}

/* This end is to be a LUN; its path is that of no file then. */
static bool is_for_lun(const struct hearth_hello *h)
{
	return h->opt.lun & (h->direction == HEARTH_SERVER_SENDS ? HEARTH_LUN_IS_SOURCE
								 : HEARTH_LUN_IS_DESTINATION);
}

/* The module that a LUN is served by. 0 or -EACCES. */
static int find_lun(const struct guest *g, const struct hearth_hello *h,
		    const struct hearth_module **ret, char *text, size_t size)
{
	struct hearth_lun_name lun;
	const char *why = "give lun:/NAME";

	if (!hearth_lun_parse(h->paths[0], &lun))
		*ret = hearth_config_find_lun(&g->daemon->config, lun.name, g->tls->user,
					      h->direction == HEARTH_SERVER_RECEIVES, &why);
	if (!*ret)
		return refuse(text, size, why, h->paths[0]);
	if (h->opt.link_dest || h->opt.backup_dir)
		return refuse(text, size, "a LUN has no files", "--link-dest, --backup-dir");
	return 0;
}

/* The one module that all paths are in, which begin there from here on. 0 or -errno. */
static int find_module(const struct guest *g, struct hearth_hello *h,
		       const struct hearth_module **ret, char *text, size_t size)
{
	int err = 0;

	for (uint32_t i = 0; i < h->nr_paths && !err; i++) {
		const struct hearth_module *own =
			split_module(&g->daemon->config, h->paths[i]);

		if (!own || !own->path || (*ret && own != *ret))
			return refuse(text, size, "there is no such module", h->paths[i]);
		*ret = own;
		err = keep_path(&h->paths[i]);
	}
	return err ? err : check_rights(*ret, g->tls->user, h, text, size);
}

/* Which module the job is for, whether it may, and what it is bound to. */
static int judge(struct guest *g, struct hearth_hello *h, struct hearth_terms *terms, char *text,
		 size_t size)
{
	const struct hearth_config *c = &g->daemon->config;
	const struct hearth_module *m = NULL;
	int ret;

	ret = is_for_lun(h) ? find_lun(g, h, &m, text, size) : find_module(g, h, &m, text, size);
	if (!ret && h->peer_host && !c->may_connect)
		return refuse(text, size,
			      "this daemon connects to nobody; see third-party in hearthd(8)",
			      h->peer_host);
	if (!ret)
		ret = apply_limits(g, m, h, text, size);
	if (ret)
		return ret;
	if (m->path)
		g->base_fd = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->path && g->base_fd < 0)
		return refuse(text, size, "the module's directory cannot be opened", m->name);
	if (become(m))
		return refuse(text, size, "the daemon may not become the module's user", m->name);
	h->port_low = c->data_low;
	h->port_high = c->data_high;
	terms->base_fd = g->base_fd;
	terms->shared_port = c->shares_port ? c->port : 0;
	name_peer(g->tls->net_fd, terms->client, sizeof(terms->client));
	tell(g->name, h->direction == HEARTH_SERVER_SENDS ? "reads from" : "writes to", m->name);
	if (!h->is_third_party)
		memcpy(h->key, g->tls->exported, sizeof(h->key));
	return 0;
}

static int admit(void *ctx, struct hearth_hello *h, struct hearth_terms *terms, char *text,
		 size_t size)
{
	struct guest *g = ctx;
	int ret = judge(g, h, terms, text, size);

	if (ret)
		tell(g->name, "refused", text);
	return ret;
}

static int admit_lun(void *ctx, struct hearth_lun_terms *terms, char *text, size_t size)
{
	(void)ctx;
	return refuse(text, size, "this daemon serves no LUNs", terms->name);
}

static void report_stranger(const struct in6_addr *from, const char *what, const char *why)
{
	char text[128], address[INET6_ADDRSTRLEN] = "";

	inet_ntop(AF_INET6, from, address, sizeof(address));
	snprintf(text, sizeof(text), "a connection from %s was %s", address, what);
	tell("", text, why);
}

/* With one port for everything: a data connection goes to the process of its session. */
static bool pass_on(int fd)
{
	struct timeval patience = { .tv_sec = HANDSHAKE_SECONDS };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!hearth_share_pass_on(fd))
		return false;
	close(fd);
	return true;
}

static int serve(struct daemon *d, int fd, struct hearth_guest *seat)
{
	struct hearth_tls tls;
	struct guest g = { .daemon = d, .seat = seat, .tls = &tls, .base_fd = -1 };
	const struct hearth_admission admission = { admit, admit_lun, &g };
	enum hearth_exit code;
	/* Read anew for each connection: a certificate that was renewed counts at once. */
	const struct hearth_identity identity = {
		.keys = &d->keys,
		.certs = d->config.certs.cert ? &d->config.certs : NULL,
	};
	char why[512];

	if (d->config.shares_port && pass_on(fd))
		return HEARTH_EXIT_OK;
	if (hearth_tls_accept(&tls, fd, &identity, HANDSHAKE_SECONDS, why, sizeof(why))) {
		report_stranger(&seat->address, "not admitted", why);
		return HEARTH_EXIT_CONNECT;
	}
	name_guest(&g);
	code = hearth_serve(tls.fd, tls.fd, &admission);
	snprintf(why, sizeof(why), "ended with status %d", code);
	tell(g.name, why, "");
	hearth_close(&g.base_fd);
	hearth_tls_close(&tls);
	return code;
}

/* The child has nothing of the parent's but its configuration. */
static void run_child(struct daemon *d, int fd, struct hearth_guest *seat)
{
	sigset_t none;

	die_with_parent();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	hearth_close(&d->listen_fd);
	hearth_close(&d->signal_fd);
	_exit(serve(d, fd, seat));
}

static void take_connection(struct daemon *d)
{
	int fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC), on = 1;
	struct in6_addr from = in6addr_any;
	const char *why = "it is gone already";
	struct hearth_guest *seat = NULL;
	pid_t pid;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!hearth_guest_address(fd, &from))
		seat = hearth_guests_seat(&d->guests, &d->config, &from, &why);
	if (!seat) {
		report_stranger(&from, "turned away", why);
		close(fd);
		return;
	}
	pid = fork();
	if (!pid)
		run_child(d, fd, seat);
	if (pid > 0)
		seat->pid = pid;
	else
		tell("", "no process for a connection", strerror(errno));
	close(fd);
}

/* True until it is time to stop. */
static bool take_signal(struct daemon *d)
{
	struct signalfd_siginfo info;
	pid_t pid;

	if (read(d->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	if (info.ssi_signo != SIGCHLD)
		return false;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		hearth_guests_left(&d->guests, pid);
	return true;
}

static void run(struct daemon *d)
{
	struct pollfd fds[] = { { .fd = d->listen_fd, .events = POLLIN },
				{ .fd = d->signal_fd, .events = POLLIN } };
	bool goes_on = true;

	while (goes_on) {
		poll(fds, 2, -1);
		if (fds[1].revents)
			goes_on = take_signal(d);
		else if (fds[0].revents)
			take_connection(d);
	}
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Keys, and certificates that can be used. 0, or -errno with what is wrong in @text. */
static int load_identity(struct daemon *d, char *text, size_t size)
{
	const struct hearth_config *c = &d->config;
	int ret = c->keys ? hearth_keys_load(&d->keys, c->keys, text, size) : 0;

	return ret || !c->certs.cert ? ret : hearth_certs_check(&c->certs, text, size);
}

enum hearth_exit hearth_daemon(const char *config_path)
{
	struct daemon d = { .listen_fd = -1, .signal_fd = -1 };
	enum hearth_exit code = HEARTH_EXIT_OK;
	uint16_t port = 0;
	char text[512];

	if (hearth_config_load(&d.config, config_path, text, sizeof(text)) ||
	    load_identity(&d, text, sizeof(text))) {
		tell("", text, "");
		hearth_keys_exit(&d.keys);
		hearth_config_exit(&d.config);
		return HEARTH_EXIT_USAGE;
	}
	if (hearth_guests_init(&d.guests, &d.config)) {
		tell("", "out of memory", "");
		hearth_keys_exit(&d.keys);
		hearth_config_exit(&d.config);
		return HEARTH_EXIT_SYSTEM;
	}
	d.listen_fd = hearth_listen(d.config.port, d.config.port, &port);
	d.signal_fd = open_signals();
	if (d.listen_fd < 0 || d.signal_fd < 0) {
		snprintf(text, sizeof(text), "port %u", d.config.port);
		tell("", text, strerror(d.listen_fd < 0 ? -d.listen_fd : errno));
		code = HEARTH_EXIT_CONNECT;
	} else {
		snprintf(text, sizeof(text), "%u modules on port %u", d.config.nr_modules, port);
		tell("", text, "");
		run(&d);
	}
	hearth_close(&d.listen_fd);
	hearth_close(&d.signal_fd);
	hearth_guests_exit(&d.guests, &d.config);
	hearth_keys_exit(&d.keys);
	hearth_config_exit(&d.config);
	return code;
}
