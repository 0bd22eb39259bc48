/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For what is preloaded into a program and has one of its calls fail.
 *
 *	NTH_PROGRAM	the short name of the program that it is about
 *	NTH_CALL	which call fails; the first is 1
 *	NTH_MARK	a file that is made when one has failed, with the call's name
 *	NTH_EVER	all from then on fail
 *
 * Only what the program itself calls counts, not what its libraries do for
 * themselves: these differ from one machine to the next.
 */
#ifndef HEARTH_TESTS_NTH_H
#define HEARTH_TESTS_NTH_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static uintptr_t nth_text_begin, nth_text_end;
static long nth_call;
static bool nth_for_ever;
static atomic_long nth_count;

/* The first object is the program. */
static int nth_find_text(struct dl_phdr_info *info, size_t size, void *data)
{
	int i;

	(void)size;
	(void)data;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) * part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		nth_text_begin = info->dlpi_addr + part->p_vaddr;
		nth_text_end = nth_text_begin + part->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void nth_start(void)
{
	const char *program = getenv("NTH_PROGRAM");
	const char *text = getenv("NTH_CALL");

	if (!program || !text || strcmp(program, program_invocation_short_name))
		return;
	dl_iterate_phdr(nth_find_text, NULL);
	nth_for_ever = getenv("NTH_EVER");
	nth_call = atol(text);
}

/* Without the functions that may be replaced here. */
static void nth_leave_mark(const char *name)
{
	const char *mark = getenv("NTH_MARK");
	long fd = mark ? syscall(SYS_open, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	(void)!syscall(SYS_write, fd, name, strlen(name));
	syscall(SYS_close, fd);
}

/* Is it this call's turn to fail?  Then errno is set. */
static bool nth_fails(void *caller, const char *name, int error)
{
	long now;

	if (!nth_call || (uintptr_t)caller < nth_text_begin || (uintptr_t)caller >= nth_text_end)
		return false;
	now = atomic_fetch_add(&nth_count, 1) + 1;
	if (now < nth_call || (now > nth_call && !nth_for_ever))
		return false;
	if (now == nth_call)
		nth_leave_mark(name);
	errno = error;
	return true;
}

/* The function of this name that would have been called. */
#define NTH_NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

#define NTH_FAILS(error) nth_fails(__builtin_return_address(0), __func__, error)

#endif
