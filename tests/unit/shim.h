/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel as the cache core knows it, in userspace.
 *
 * Forced in with -include before anything else, so that kmod/core/deps.h is
 * empty.  It offers just what the core uses, and is stricter than the kernel
 * where that finds bugs: locks know their owner and their order, nothing may be
 * allocated, copied or started under a lock, freed pages are poisoned, freed
 * frames are reused at once, and every allocation can be made to fail.
 */
#ifndef HEARTH_CORE_DEPS_H
#define HEARTH_CORE_DEPS_H

#include "shim/base.h"
#include "shim/list.h"
#include "shim/sync.h"
#include "shim/mm.h"

#endif /* HEARTH_CORE_DEPS_H */
