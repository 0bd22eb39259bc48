/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The far end of a job, on standard input and output. */
#ifndef HEARTH_SERVER_H
#define HEARTH_SERVER_H

#include <hearth/mover.h>

/* Serves one job whose client is at the other side of the descriptors. */
enum hearth_exit hearth_serve(int in_fd, int out_fd);

#endif
