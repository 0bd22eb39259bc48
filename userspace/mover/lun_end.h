/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A LUN as the destination of a job: what part.c and plan.c do with files, done with it. */
#ifndef HEARTH_LUN_END_H
#define HEARTH_LUN_END_H

#include "lun.h"
#include "recv.h"

bool hearth_lun_end_is_meant(const struct hearth_receiver *r);

/* 0, or -errno, the job having failed. */
int hearth_lun_end_open(struct hearth_receiver *r, bool is_single);
void hearth_lun_end_exit(struct hearth_receiver *r);

/* The one entry: is it to come? What cannot be is reported. 0 or -EPROTO. */
int hearth_lun_end_plan(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
			bool *ret_is_wanted);

/* What an interrupted copy may have stored: all of it is doubtful. */
void hearth_lun_end_find_remains(const struct hearth_receiver *r, const struct hearth_entry *e,
				 struct hearth_remains *ret);

/* All return 0 or -errno. @data: NULL for zeroes. */
int hearth_lun_end_open_part(struct hearth_receiver *r, struct hearth_part *p);
int hearth_lun_end_store(struct hearth_receiver *r, uint64_t offset, uint64_t len,
			 const void *data);
int hearth_lun_end_place(struct hearth_receiver *r, struct hearth_part *p);

/* Nothing is to be continued. */
void hearth_lun_end_forget(struct hearth_receiver *r, const struct hearth_part *p);

#endif
