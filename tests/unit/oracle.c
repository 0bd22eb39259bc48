// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The naive model of the LUN's contents; see oracle.h.
 */
#include "rig.h"

void oracle_change(struct oracle *o, u32 sector, u64 value)
{
	struct oracle_sector *s = &o->sectors[sector];

	if (s->nr == s->size) {
		s->size = s->size ? s->size * 2 : 4;
		s->values = realloc(s->values, s->size * sizeof(*s->values));
		shim_assert(s->values);
	}
	s->values[s->nr++] = value;
}

void oracle_init(struct oracle *o, u32 nr_sectors)
{
	u32 i;

	o->nr_sectors = nr_sectors;
	o->sectors = calloc(nr_sectors, sizeof(*o->sectors));
	shim_assert(o->sectors);
	for (i = 0; i < nr_sectors; i++)
		oracle_change(o, i, sector_value(1, i));
}

void oracle_exit(struct oracle *o)
{
	u32 i;

	for (i = 0; i < o->nr_sectors; i++)
		free(o->sectors[i].values);
	free(o->sectors);
}

static bool is_among(const struct oracle_sector *s, u64 value, u32 from,
		     u32 *ret_at)
{
	u32 i;

	for (i = s->nr; i > from; i--) {
		if (s->values[i - 1] == value) {
			*ret_at = i - 1;
			return true;
		}
	}
	return false;
}

/*
 * What is remembered per sector of a request: for a read the floor, for a
 * change how many values there were, so that its own is looked for behind.
 */
void oracle_start(struct oracle *o, struct req *req)
{
	struct oracle_sector *s;
	u32 i;

	for (i = 0; i < req->nr_sectors; i++) {
		s = &o->sectors[req->sector + i];
		if (req_is_read(req)) {
			req->since[i] = s->floor;
		} else {
			req->since[i] = s->nr;
			s->nr_changing++;
		}
	}
}

static void end_read(struct oracle *o, struct req *req)
{
	struct oracle_sector *s;
	u64 value;
	u32 i, at;

	for (i = 0; i < req->nr_sectors; i++) {
		s = &o->sectors[req->sector + i];
		value = req_value(req, i);
		if (!is_among(s, value, req->since[i], &at))
			shim_die("read of sector %u returns %llx, device has %llx, floor %llx",
				 req->sector + i, value, s->values[s->nr - 1],
				 s->values[req->since[i]]);
	}
}

static void end_change(struct oracle *o, struct req *req)
{
	struct oracle_sector *s;
	u32 i, at;

	for (i = 0; i < req->nr_sectors; i++) {
		s = &o->sectors[req->sector + i];
		if (!req->io.error) {
			if (!is_among(s, req_new_value(req, i), req->since[i],
				      &at))
				shim_die("sector %u of an acknowledged write is not on the device",
					 req->sector + i);
			s->floor = max(s->floor, at);
		}
		shim_assert(s->nr_changing);
		if (!--s->nr_changing)
			s->floor = s->nr - 1;
	}
}

void oracle_end(struct oracle *o, struct req *req)
{
	if (!req_is_read(req))
		end_change(o, req);
	else if (!req->io.error)
		end_read(o, req);
}

bool oracle_may_hold(const struct oracle *o, u32 sector, u64 value)
{
	const struct oracle_sector *s = &o->sectors[sector];
	u32 at;

	return is_among(s, value, s->floor, &at);
}
