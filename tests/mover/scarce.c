// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a program: its nth allocation fails, or all from the nth on.
 *
 *	SCARCE_PROGRAM	the short name of the program that it is about
 *	SCARCE_NTH	which allocation fails; the first is 1
 *	SCARCE_MARK	a file that is made when one has failed
 *	SCARCE_EVER	all from then on fail
 *
 * Only what the program itself asks for counts, not what its libraries do
 * for themselves: these differ from one machine to the next.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uintptr_t text_begin, text_end;
static long nth;
static bool for_ever;
static atomic_long count;

typedef void *alloc_fn(size_t);
typedef void *calloc_fn(size_t, size_t);
typedef void *realloc_fn(void *, size_t);
typedef int memalign_fn(void **, size_t, size_t);

/* The first object is the program. */
static int find_text(struct dl_phdr_info *info, size_t size, void *data)
{
	int i;

	(void)size;
	(void)data;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) * part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		text_begin = info->dlpi_addr + part->p_vaddr;
		text_end = text_begin + part->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void start(void)
{
	const char *program = getenv("SCARCE_PROGRAM");
	const char *text = getenv("SCARCE_NTH");

	if (!program || !text || strcmp(program, program_invocation_short_name))
		return;
	dl_iterate_phdr(find_text, NULL);
	for_ever = getenv("SCARCE_EVER");
	nth = atol(text);
}

static bool fails(void *caller)
{
	const char *mark;
	long now;
	int fd;

	if (!nth || (uintptr_t)caller < text_begin || (uintptr_t)caller >= text_end)
		return false;
	now = atomic_fetch_add(&count, 1) + 1;
	if (now < nth || (now > nth && !for_ever))
		return false;
	mark = getenv("SCARCE_MARK");
	fd = mark && now == nth ? open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0)
		close(fd);
	errno = ENOMEM;
	return true;
}

#define NEXT(type, name) ((type *)dlsym(RTLD_NEXT, name))

void *malloc(size_t size)
{
	static alloc_fn *next;

	if (!next)
		next = NEXT(alloc_fn, "malloc");
	return fails(__builtin_return_address(0)) ? NULL : next(size);
}

void *calloc(size_t nr, size_t size)
{
	static calloc_fn *next;

	if (!next)
		next = NEXT(calloc_fn, "calloc");
	return fails(__builtin_return_address(0)) ? NULL : next(nr, size);
}

void *realloc(void *old, size_t size)
{
	static realloc_fn *next;

	if (!next)
		next = NEXT(realloc_fn, "realloc");
	return fails(__builtin_return_address(0)) ? NULL : next(old, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	static memalign_fn *next;

	if (!next)
		next = NEXT(memalign_fn, "posix_memalign");
	return fails(__builtin_return_address(0)) ? ENOMEM : next(ret, alignment, size);
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = fails(__builtin_return_address(0)) ? NULL : malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

char *strndup(const char *text, size_t most)
{
	size_t len = strnlen(text, most);
	char *copy = fails(__builtin_return_address(0)) ? NULL : malloc(len + 1);

	if (!copy)
		return NULL;
	copy[len] = '\0';
	return memcpy(copy, text, len);
}
