/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registering with the target core.
 */
#ifndef HEARTH_BACKSTORE_H
#define HEARTH_BACKSTORE_H

int hearth_backstore_init(void);
void hearth_backstore_exit(void);

#endif /* HEARTH_BACKSTORE_H */
