/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program in the guest says to the counter: no-operations with a displacement that
 * nobody else uses.
 *
 * The counter sees them when it translates the program; on any other machine they do nothing.
 */
#ifndef HEARTH_MARKS_H
#define HEARTH_MARKS_H

/** MARK_MAGIC - the upper bytes of the displacement; the lowest is one of the letters below. */
#define MARK_MAGIC	0x48454100
/** MARK_ARM - read the map and instrument everything: done when the file "state" says so. */
#define MARK_ARM	'A'
/** MARK_DISARM - run at full speed again, as before MARK_ARM. */
#define MARK_DISARM	'D'
/** MARK_BEGIN - count from zero. */
#define MARK_BEGIN	'B'
/** MARK_END - stop counting and append what was counted to the file "counts". */
#define MARK_END	'E'

/** mark() - execute a mark; @letter is a constant. */
static inline __attribute__((always_inline)) void mark(int letter)
{
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long %c0"
		     : : "i"(MARK_MAGIC | letter)
		     : "memory");
}

#endif
