/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The known work of count.c: what these loops execute, load and store is plain to see. */

	.text
	.globl copy_words, copy_words_end, store_lines, store_lines_end

/* copy_words(to, from, nr_words): six instructions a word. */
copy_words:
	mov (%rsi), %rax
	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	dec %rdx
	jnz copy_words
copy_words_end:
	ret

/* store_lines(lines, nr_lines): one store a cache line. */
store_lines:
	movb $1, (%rdi)
	add $64, %rdi
	dec %rsi
	jnz store_lines
store_lines_end:
	ret

	.section .note.GNU-stack, "", @progbits
