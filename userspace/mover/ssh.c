// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting the far end, and carrying data connections inside ssh. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/io.h"
#include "ssh.h"

#define MAX_WORDS 64

/* For ssh to end by itself when there is nothing more to wait for. */
#define GRACE_MS 3000

/* Splits a command at spaces; @copy holds the words. Returns how many, or -E2BIG. */
static int split_words(char *copy, char **words)
{
	char *save, *word = strtok_r(copy, " ", &save);
	int nr = 0;

	for (; word; word = strtok_r(NULL, " ", &save)) {
		if (nr == MAX_WORDS)
			return -E2BIG;
		words[nr++] = word;
	}
	return nr;
}

/* The child has all signals as they were before this program blocked or ignored some. */
static int spawn(struct hearth_ssh *s, char **argv)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, pipe_only;
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawnp(&s->pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[1]);
	s->fd = pair[0];
	if (ret)
		hearth_close(&s->fd);
	return -ret;
}

static int run(struct hearth_ssh *s, const char *rsh, char *const *tail)
{
	char *words[MAX_WORDS + 8], *copy = strdup(rsh);
	int nr = copy ? split_words(copy, words) : -ENOMEM;

	if (nr > 0) {
		while (*tail)
			words[nr++] = *tail++;
		words[nr] = NULL;
		nr = spawn(s, words);
	} else if (!nr) {
		nr = -EINVAL;
	}
	free(copy);
	return nr;
}

int hearth_ssh_start(struct hearth_ssh *s, const char *rsh, const char *host,
		     const char *hearthd_path)
{
	char *const tail[] = { (char *)host, (char *)hearthd_path, (char *)"--server", NULL };

	/* A host that starts with "-" would be taken for an option. */
	return *host == '-' ? -EINVAL : run(s, rsh, tail);
}

int hearth_ssh_forward(struct hearth_ssh *s, const char *rsh, const char *host, uint16_t port)
{
	char where[32];
	char *const tail[] = { (char *)"-W", where, (char *)host, NULL };

	snprintf(where, sizeof(where), "127.0.0.1:%u", port);
	return *host == '-' ? -EINVAL : run(s, rsh, tail);
}

/* True once the process has ended; waits for it @ms, or for ever if that is negative. */
static bool has_ended(pid_t pid, int ms, int *ret_status)
{
	struct pollfd fd = { .fd = ms < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0),
			     .events = POLLIN };
	pid_t ended;

	if (fd.fd >= 0)
		poll(&fd, 1, ms);
	do {
		ended = waitpid(pid, ret_status, fd.fd >= 0 ? WNOHANG : 0);
	} while (ended < 0 && errno == EINTR);
	hearth_close(&fd.fd);
	return ended;
}

int hearth_ssh_stop(struct hearth_ssh *s, bool is_lost)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	bool is_over;
	int status = 0;

	hearth_close(&s->fd);
	if (s->pid <= 0)
		return 0;
	is_over = has_ended(s->pid, is_lost ? GRACE_MS : -1, &status);
	for (size_t i = 0; !is_over && i < 2; i++) {
		kill(s->pid, signals[i]);
		is_over = has_ended(s->pid, GRACE_MS, &status);
	}
	s->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
