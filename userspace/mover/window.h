/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serves who reads, and perhaps writes, a LUN from afar with libhearth. */
#ifndef HEARTH_WINDOW_H
#define HEARTH_WINDOW_H

#include "server.h"

/*
 * Serves a client whose first frame was @first, until it goes. @a may be NULL: the client may
 * what this process may.
 */
enum hearth_exit hearth_window_serve(struct hearth_control *c, const struct hearth_frame *first,
				     const struct hearth_admission *a);

#endif
