// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files with holes, in an EROFS image.
 *
 * Blocks are given as content comes, in units that keep the map that is written in
 * the end below 64 MiB: one block for files up to 64 GiB, more for larger ones. What
 * of a unit is a hole then holds zeros. The map is written in the largest chunks of
 * which each is either a hole or in one piece.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "erofs_impl.h"

#define MAX_MAP_ENTRIES (1u << 24)

/* Chunks of 1 GiB at most; their number is small then, whatever the file. */
#define MAX_CHUNK_SHIFT 18

int hearth_erofs_map_alloc(struct hearth_erofs *fs, uint64_t size, uint32_t *ret_number)
{
	struct hearth_erofs_map *map;

	if (hearth_erofs_grow(&fs->maps, fs->nr_maps, &fs->cap_maps, sizeof(*fs->maps)))
		return -ENOMEM;
	map = &fs->maps[fs->nr_maps];
	*map = (struct hearth_erofs_map){ 0 };
	while (hearth_erofs_blocks_of(size) >> map->shift > MAX_MAP_ENTRIES)
		map->shift++;
	*ret_number = (uint32_t)fs->nr_maps++;
	return 0;
}

/* The first run that ends behind block @at. */
static uint32_t find(const struct hearth_erofs_map *map, uint32_t at)
{
	uint32_t low = 0, high = map->nr;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (map->v[mid].at + map->v[mid].nr <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool continues(const struct hearth_erofs_run *a, const struct hearth_erofs_run *b)
{
	return a->at + a->nr == b->at && a->block + a->nr == b->block;
}

/* Puts a run in its place, as a part of those beside it if they are contiguous. */
static int insert(struct hearth_erofs_map *map, uint32_t index, const struct hearth_erofs_run *run)
{
	size_t cap = map->cap;

	if (index && continues(&map->v[index - 1], run)) {
		map->v[index - 1].nr += run->nr;
		return 0;
	}
	if (hearth_erofs_grow(&map->v, map->nr, &cap, sizeof(*map->v)))
		return -ENOMEM;
	map->cap = (uint32_t)cap;
	memmove(map->v + index + 1, map->v + index, (map->nr - index) * sizeof(*map->v));
	map->v[index] = *run;
	map->nr++;
	return 0;
}

/* The part of a run from block @at on. */
static struct hearth_erofs_run part_of(const struct hearth_erofs_run *run, uint32_t at, uint32_t nr)
{
	uint32_t past = at - run->at;
	uint32_t left = run->nr - past;

	return (struct hearth_erofs_run){ at, nr < left ? nr : left, run->block + past };
}

int hearth_erofs_map(struct hearth_erofs *fs, uint32_t number, uint32_t at, uint32_t nr,
		     struct hearth_erofs_run *ret, bool *ret_is_new)
{
	const struct hearth_erofs_inode *inode = &fs->inodes[number];
	struct hearth_erofs_map *map = &fs->maps[inode->at];
	uint32_t index = find(map, at), total = (uint32_t)hearth_erofs_blocks_of(inode->size);
	bool has_next = index < map->nr;
	uint64_t unit = 1ull << map->shift, start = at / unit * unit, end;
	struct hearth_erofs_run run;
	int err;

	*ret_is_new = !has_next || map->v[index].at > at;
	if (!*ret_is_new) {
		*ret = part_of(&map->v[index], at, nr);
		return 0;
	}
	end = hearth_erofs_round_up((uint64_t)at + nr, unit);
	end = end < total ? end : total;
	end = has_next && map->v[index].at < end ? map->v[index].at : end;
	if (fs->next_block + (end - start) > EROFS_NO_BLOCK)
		return -EFBIG;
	run = (struct hearth_erofs_run){ (uint32_t)start, (uint32_t)(end - start),
					 (uint32_t)fs->next_block };
	err = insert(map, index, &run);
	if (err)
		return err;
	fs->next_block += run.nr;
	*ret = run;
	return 0;
}

static unsigned int fit(unsigned int shift, uint32_t boundary, uint32_t total)
{
	unsigned int zeros;

	if (!boundary || boundary >= total)
		return shift;
	zeros = (unsigned int)__builtin_ctz(boundary);
	return zeros < shift ? zeros : shift;
}

void hearth_erofs_map_lay_out(struct hearth_erofs *fs, struct hearth_erofs_inode *inode)
{
	struct hearth_erofs_map *map = &fs->maps[inode->at];
	uint32_t total = (uint32_t)hearth_erofs_blocks_of(inode->size);
	unsigned int shift = MAX_CHUNK_SHIFT;

	if (map->nr == 1 && map->v[0].nr == total) {
		inode->at = map->v[0].block;
		inode->has_map = false;
		inode->layout = EROFS_FLAT_PLAIN;
		return;
	}
	for (uint32_t i = 0; i < map->nr; i++) {
		shift = fit(shift, map->v[i].at, total);
		shift = fit(shift, map->v[i].at + map->v[i].nr, total);
	}
	while (shift && (total - 1) >> (shift - 1) == 0)
		shift--; /* no larger than the file */
	map->chunk_shift = (uint8_t)shift;
	inode->layout = EROFS_CHUNK_BASED;
	fs->has_chunks = true;
}

static uint64_t nr_chunks(const struct hearth_erofs_inode *inode,
			  const struct hearth_erofs_map *map)
{
	uint64_t chunk = 1ull << map->chunk_shift;

	return (hearth_erofs_blocks_of(inode->size) + chunk - 1) / chunk;
}

uint64_t hearth_erofs_map_bytes(const struct hearth_erofs *fs, const struct hearth_erofs_inode *i)
{
	return nr_chunks(i, &fs->maps[i->at]) * sizeof(uint32_t);
}

void hearth_erofs_map_put(const struct hearth_erofs *fs, const struct hearth_erofs_inode *inode,
			  struct hearth_erofs_out *out)
{
	const struct hearth_erofs_map *map = &fs->maps[inode->at];
	uint64_t nr = nr_chunks(inode, map);
	uint32_t run = 0;

	for (uint64_t i = 0; i < nr; i++) {
		uint32_t at = (uint32_t)(i << map->chunk_shift), block = EROFS_NO_BLOCK;

		while (run < map->nr && map->v[run].at + map->v[run].nr <= at)
			run++;
		if (run < map->nr && map->v[run].at <= at)
			block = map->v[run].block + (at - map->v[run].at);
		block = htole32(block);
		hearth_erofs_out_put(out, &block, sizeof(block));
	}
}
