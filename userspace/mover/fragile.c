// SPDX-License-Identifier: GPL-2.0-or-later
/* Mapped memory that somebody else may take away. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "fragile.h"

/* Nobody reads such memory with the lock held, so the handler can take it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hearth_fragile *list;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction before;

static bool has(const struct hearth_fragile *f, const void *address)
{
	return (uintptr_t)address - (uintptr_t)f->memory < f->len;
}

/* Whether the address is in what is listed; there are zeroes now. */
static bool replace(const void *address)
{
	struct hearth_fragile *f;
	void *found = MAP_FAILED;

	pthread_mutex_lock(&lock);
	for (f = list; f && !has(f, address); f = f->next)
		;
	if (f)
		found = mmap(f->memory, f->len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	pthread_mutex_unlock(&lock);
	return found != MAP_FAILED;
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	if (replace(info->si_addr))
		;
	else if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(signal, info, context);
	else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)
		sigaction(SIGBUS, &before, NULL); /* and it comes again */
	else
		before.sa_handler(signal);
	errno = saved;
}

static void set_up(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &before);
}

void hearth_fragile_add(struct hearth_fragile *f, void *memory, size_t len)
{
	pthread_once(&once, set_up);
	f->memory = memory;
	f->len = len;
	pthread_mutex_lock(&lock);
	f->next = list;
	list = f;
	pthread_mutex_unlock(&lock);
}

void hearth_fragile_remove(struct hearth_fragile *f)
{
	struct hearth_fragile **link = &list;

	pthread_mutex_lock(&lock);
	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
	pthread_mutex_unlock(&lock);
}
