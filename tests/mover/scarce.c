// SPDX-License-Identifier: GPL-2.0-or-later
/* Preloaded into a program: its nth allocation fails, or all from the nth on (nth.h). */
#include "nth.h"

void *malloc(size_t size)
{
	static __typeof__(malloc) *next;

	if (!next)
		next = NTH_NEXT(malloc);
	return NTH_FAILS(ENOMEM) ? NULL : next(size);
}

void *calloc(size_t nr, size_t size)
{
	static __typeof__(calloc) *next;

	if (!next)
		next = NTH_NEXT(calloc);
	return NTH_FAILS(ENOMEM) ? NULL : next(nr, size);
}

void *realloc(void *old, size_t size)
{
	static __typeof__(realloc) *next;

	if (!next)
		next = NTH_NEXT(realloc);
	return NTH_FAILS(ENOMEM) ? NULL : next(old, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	static __typeof__(posix_memalign) *next;

	if (!next)
		next = NTH_NEXT(posix_memalign);
	return NTH_FAILS(ENOMEM) ? ENOMEM : next(ret, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	static __typeof__(aligned_alloc) *next;

	if (!next)
		next = NTH_NEXT(aligned_alloc);
	return NTH_FAILS(ENOMEM) ? NULL : next(alignment, size);
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = NTH_FAILS(ENOMEM) ? NULL : malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

char *strndup(const char *text, size_t most)
{
	size_t len = strnlen(text, most);
	char *copy = NTH_FAILS(ENOMEM) ? NULL : malloc(len + 1);

	if (!copy)
		return NULL;
	copy[len] = '\0';
	return memcpy(copy, text, len);
}
