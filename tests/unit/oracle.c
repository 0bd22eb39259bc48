// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The naive model of the LUN's contents; see oracle.h.
 */
#include "rig.h"

static void put_down(struct oracle_sector *s, u64 value, bool is_early)
{
	if (s->nr == s->size) {
		s->size = s->size ? s->size * 2 : 4;
		s->values = realloc(s->values, s->size * sizeof(*s->values));
		shim_assert(s->values);
	}
	s->values[s->nr++] = (struct oracle_value){
		.value = value, .is_early = is_early, .is_open = is_early,
	};
}

void oracle_change(struct oracle *o, u32 sector, u64 value)
{
	put_down(&o->sectors[sector], value, false);
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
		if (s->values[i - 1].value == value) {
			*ret_at = i - 1;
			return true;
		}
	}
	return false;
}

static u32 oldest_open(const struct oracle_sector *s)
{
	u32 i;

	for (i = s->floor; i < s->nr && !s->values[i].is_open; i++)
		;
	return i;
}

/*
 * What is remembered per sector of a request: for a read or flush the floor, for
 * a change how many values there were, so that its own is looked for behind.
 */
void oracle_start(struct oracle *o, struct req *req)
{
	struct oracle_sector *s;
	u32 i;

	for (i = 0; i < req->nr_sectors; i++) {
		s = &o->sectors[req->sector + i];
		if (!req_changes(req)) {
			req->since[i] = s->floor;
			continue;
		}
		req->since[i] = s->nr;
		req->open[i] = oldest_open(s);
		s->nr_changing++;
		if (o->is_early && req->io.op == HEARTH_OP_WRITE)
			put_down(s, req_new_value(req, i), true);
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
			shim_die("read of sector %u returns %llx, newest is %llx, floor %llx",
				 req->sector + i, value,
				 s->values[s->nr - 1].value,
				 s->values[req->since[i]].value);
	}
}

static void end_flush(struct req *req)
{
	struct rig *rig = req->rig;
	u32 i, at;

	for (i = 0; i < req->nr_sectors; i++) {
		if (!rig->oracle.sectors[req->sector + i].is_vague &&
		    !is_among(&rig->oracle.sectors[req->sector + i],
			      rig->disk.medium[req->sector + i].value,
			      req->since[i], &at))
			shim_die("sector %u was flushed, but the medium has %llx",
				 req->sector + i,
				 rig->disk.medium[req->sector + i].value);
	}
}

/* The oldest value that may be there now that the one at @at was acknowledged. */
static u32 new_floor(const struct oracle_sector *s, const struct req *req,
		     u32 i, u32 at)
{
	u32 floor = min(at, req->open[i]);
	u32 j;

	for (j = req->since[i]; j < floor; j++) {
		if (s->values[j].is_early)
			return j;
	}
	return floor;
}

/* Whether a sector of a request was left to be written back. */
static bool is_behind(const struct req *req, u32 i)
{
	return req->io.behind || i < req->nr_taken * HEARTH_FRAME_SECTORS;
}

static void end_good_change(struct oracle_sector *s, struct req *req, u32 i)
{
	u32 floor, at;
	u64 value = req->rig->disk.values[req->sector + i];

	if (!is_among(s, req_new_value(req, i), req->since[i], &at))
		shim_die("sector %u of an acknowledged write is not on the device",
			 req->sector + i);
	floor = new_floor(s, req, i, at);
	shim_assert(!req->io.fua || !is_behind(req, i));
	if (!is_behind(req, i) && !is_among(s, value, floor, &at))
		shim_die("sector %u was written through, but the device has %llx",
			 req->sector + i, value);
	value = req->rig->disk.medium[req->sector + i].value;
	if (req->io.fua && !is_among(s, value, floor, &at))
		shim_die("sector %u was written with FUA, but the medium has %llx",
			 req->sector + i, value);
	s->floor = max(s->floor, floor);
}

/* No command is left that changes the sector: it holds one value. */
static void settle(struct req *req, struct oracle_sector *s, u32 sector)
{
	u64 value = rig_peek(req->rig, sector);
	u32 at;

	if (!is_among(s, value, s->floor, &at))
		shim_die("sector %u holds %llx in the end", sector, value);
	put_down(s, value, false);
	s->floor = s->nr - 1;
}

static void end_change(struct oracle *o, struct req *req)
{
	struct oracle_sector *s;
	u32 i;

	for (i = 0; i < req->nr_sectors; i++) {
		s = &o->sectors[req->sector + i];
		s->is_vague = req->io.error;
		if (!req->io.error)
			end_good_change(s, req, i);
		if (req->since[i] < s->nr)
			s->values[req->since[i]].is_open &=
				req->io.op != HEARTH_OP_WRITE;
		shim_assert(s->nr_changing);
		if (!--s->nr_changing)
			settle(req, s, req->sector + i);
	}
}

void oracle_end(struct oracle *o, struct req *req)
{
	if (req_changes(req))
		end_change(o, req);
	else if (!req->io.error && req_is_read(req))
		end_read(o, req);
	else if (!req->io.error)
		end_flush(req);
}

bool oracle_may_hold(const struct oracle *o, u32 sector, u64 value)
{
	const struct oracle_sector *s = &o->sectors[sector];
	u32 at;

	return is_among(s, value, s->floor, &at);
}
