/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon with modules: it listens, and each connection gets a process of its own. */
#ifndef HEARTH_DAEMON_H
#define HEARTH_DAEMON_H

#include <hearth/mover.h>

/* Returns when it is told to stop by SIGTERM or SIGINT, or cannot start. */
enum hearth_exit hearth_daemon(const char *config_path);

#endif
