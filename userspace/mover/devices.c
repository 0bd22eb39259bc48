// SPDX-License-Identifier: GPL-2.0-or-later
/* The devices that the sources lie on: each has its own queue of work and its own threads. */
#include <stdio.h>
#include <sys/sysmacros.h>

#include "engine.h"
#include "send.h"

void hearth_devices_init(struct hearth_devices *d, struct hearth_flight *flight)
{
	d->engine = NULL;
	d->nr = 0;
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_work_init(&d->work[i], flight);
}

void hearth_devices_exit(struct hearth_devices *d)
{
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_work_exit(&d->work[i]);
}

void hearth_devices_close(struct hearth_devices *d)
{
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_work_close(&d->work[i]);
}

void hearth_devices_poke(struct hearth_devices *d)
{
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_work_poke(&d->work[i]);
}

/* What cannot have threads of its own is served by the first device's. */
static uint8_t add(struct hearth_devices *d, dev_t device)
{
	char disk[32];

	if (d->nr == HEARTH_MAX_DEVICES)
		return 0;
	snprintf(disk, sizeof(disk), "%u:%u", major(device), minor(device));
	/* The first one's threads run already, and if stages are fused there are no others. */
	if (d->nr && !hearth_engine_add_device(d->engine, d->nr, disk))
		return 0;
	d->v[d->nr] = device;
	return (uint8_t)d->nr++;
}

uint8_t hearth_devices_find(struct hearth_devices *d, dev_t device)
{
	for (uint32_t i = 0; i < d->nr; i++)
		if (d->v[i] == device)
			return (uint8_t)i;
	return d->engine ? add(d, device) : 0;
}
