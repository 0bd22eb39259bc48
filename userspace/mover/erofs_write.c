// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What of an EROFS image lies where, and the writing of its metadata.
 *
 * Behind the content come blocks of directories and of symlinks that are too long to
 * be kept with their inodes, then shared attributes, then the inodes in the order in
 * which they came: those of a directory side by side.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/bytes.h"
#include "erofs_impl.h"

#define OUT_BYTES (1u << 20)

/* No inode has number 0: programs take that for a name that is gone. */
#define FIRST_PLACE 1

static void flush(struct hearth_erofs_out *out)
{
	if (!out->err && out->len)
		out->err = out->sink(out->ctx, out->buf, out->len, out->offset);
	out->offset += out->len;
	out->len = 0;
}

void hearth_erofs_out_put(struct hearth_erofs_out *out, const void *data, size_t len)
{
	const uint8_t *from = data;

	while (len) {
		size_t part = OUT_BYTES - out->len < len ? OUT_BYTES - out->len : len;

		memcpy(out->buf + out->len, from, part);
		out->len += part;
		from += part;
		len -= part;
		if (out->len == OUT_BYTES)
			flush(out);
	}
}

void hearth_erofs_out_fill(struct hearth_erofs_out *out, size_t len)
{
	static const uint8_t zeros[HEARTH_EROFS_BLOCK_BYTES];

	for (; len > sizeof(zeros); len -= sizeof(zeros))
		hearth_erofs_out_put(out, zeros, sizeof(zeros));
	hearth_erofs_out_put(out, zeros, len);
}

void hearth_erofs_out_fill_to(struct hearth_erofs_out *out, uint64_t offset)
{
	hearth_erofs_out_fill(out, offset - out->offset - out->len);
}

/* What is not kept with the inode, but in blocks of its own behind the content. */
static uint64_t extra_bytes(const struct hearth_erofs_inode *i)
{
	if (!S_ISDIR(i->mode) && !S_ISLNK(i->mode))
		return 0;
	return i->layout == EROFS_FLAT_INLINE ? i->size - hearth_erofs_tail(i->size) : i->size;
}

static void place_extra(struct hearth_erofs *fs, struct hearth_erofs_inode *i)
{
	uint32_t tail = hearth_erofs_tail(i->size), block = (uint32_t)fs->next_block;
	uint64_t blocks;

	i->layout = tail && tail <= EROFS_INLINE_MAX ? EROFS_FLAT_INLINE : EROFS_FLAT_PLAIN;
	blocks = hearth_erofs_blocks_of(extra_bytes(i));
	if (S_ISDIR(i->mode))
		fs->dirs[i->at].block = block;
	else
		fs->targets[i->at].block = block;
	fs->next_block += blocks;
}

/* What follows the inode and its attributes. */
static uint64_t tail_bytes(const struct hearth_erofs *fs, const struct hearth_erofs_inode *i)
{
	if (i->layout == EROFS_CHUNK_BASED)
		return hearth_erofs_map_bytes(fs, i);
	return i->layout == EROFS_FLAT_INLINE ? hearth_erofs_tail(i->size) : 0;
}

/* What is kept inline must not lie across blocks; a map may. */
static void place_inode(struct hearth_erofs *fs, struct hearth_erofs_inode *i)
{
	uint64_t start = hearth_erofs_round_up(fs->meta_end, EROFS_INODE_ALIGN);
	uint32_t head = EROFS_INODE_BYTES + hearth_erofs_attrs_bytes(fs, i);
	uint32_t past = hearth_erofs_tail(start + head);
	uint64_t tail = tail_bytes(fs, i);

	if (i->layout == EROFS_FLAT_INLINE && past + tail > HEARTH_EROFS_BLOCK_BYTES)
		start += hearth_erofs_round_up(HEARTH_EROFS_BLOCK_BYTES - past, EROFS_INODE_ALIGN);
	i->place = (uint32_t)(start / EROFS_INODE_ALIGN);
	fs->meta_end = start + head + tail;
	fs->nr_written++;
}

static void place_all(struct hearth_erofs *fs)
{
	for (size_t n = 0; n < fs->nr_inodes; n++) {
		struct hearth_erofs_inode *i = &fs->inodes[n];

		if (!hearth_erofs_is_kept(i))
			continue;
		if (S_ISDIR(i->mode) || S_ISLNK(i->mode))
			place_extra(fs, i);
		else if (i->has_map)
			hearth_erofs_map_lay_out(fs, i);
		place_inode(fs, i);
	}
}

int hearth_erofs_lay_out(struct hearth_erofs *fs, hearth_erofs_problem *problem, void *ctx)
{
	int err = hearth_erofs_dirs_sort(fs, problem, ctx);

	if (err)
		return err;
	hearth_erofs_dirs_measure(fs, problem, ctx);
	hearth_erofs_attrs_lay_out(fs);
	fs->first_extra = fs->next_block;
	fs->meta_end = FIRST_PLACE * EROFS_INODE_ALIGN;
	place_all(fs);
	fs->attr_block = fs->next_block;
	fs->meta_block = fs->attr_block + hearth_erofs_blocks_of(fs->attrs.shared_bytes);
	fs->is_laid_out = true;
	if (fs->meta_end / EROFS_INODE_ALIGN > UINT32_MAX ||
	    fs->attrs.shared_bytes / sizeof(uint32_t) > UINT32_MAX ||
	    hearth_erofs_bytes(fs) > HEARTH_EROFS_MAX_BYTES)
		return -EFBIG;
	return 0;
}

static void fill_block(struct hearth_erofs_out *out)
{
	uint64_t at = out->offset + out->len;

	hearth_erofs_out_fill(out, hearth_erofs_round_up(at, HEARTH_EROFS_BLOCK_BYTES) - at);
}

static void put_extra(const struct hearth_erofs *fs, struct hearth_erofs_out *out)
{
	for (size_t n = 0; n < fs->nr_inodes; n++) {
		const struct hearth_erofs_inode *i = &fs->inodes[n];
		uint64_t bytes = hearth_erofs_is_kept(i) ? extra_bytes(i) : 0;

		if (bytes && S_ISDIR(i->mode))
			hearth_erofs_dir_put(fs, &fs->dirs[i->at], 0, bytes, out);
		else if (bytes)
			hearth_erofs_out_put(out, fs->targets[i->at].text, bytes);
		fill_block(out);
	}
}

/* Where the content is, or what else stands there. */
static uint32_t address_of(const struct hearth_erofs *fs, const struct hearth_erofs_inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFDIR:
		return extra_bytes(i) ? fs->dirs[i->at].block : 0;
	case S_IFLNK:
		return extra_bytes(i) ? fs->targets[i->at].block : 0;
	default:
		return i->has_map ? fs->maps[i->at].chunk_shift : i->at;
	}
}

static void put_head(const struct hearth_erofs *fs, uint32_t number, struct hearth_erofs_out *out)
{
	const struct hearth_erofs_inode *i = &fs->inodes[number];
	uint32_t attr_bytes = hearth_erofs_attrs_bytes(fs, i);
	uint8_t buf[EROFS_INODE_BYTES] = { 0 };
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u16(&w, (uint16_t)(EROFS_INODE_EXTENDED | i->layout << EROFS_LAYOUT_SHIFT));
	hearth_put_u16(&w, attr_bytes ? (uint16_t)((attr_bytes - EROFS_ATTR_HEADER_BYTES) /
							   EROFS_ATTR_ENTRY_BYTES +
						   1)
				      : 0);
	hearth_put_u16(&w, i->mode);
	hearth_put_u16(&w, 0);
	hearth_put_u64(&w, i->size);
	hearth_put_u32(&w, address_of(fs, i));
	hearth_put_u32(&w, number + 1);
	hearth_put_u32(&w, i->uid);
	hearth_put_u32(&w, i->gid);
	hearth_put_u64(&w, (uint64_t)i->mtime_sec);
	hearth_put_u32(&w, i->mtime_nsec);
	hearth_put_u32(&w, i->nlink);
	hearth_erofs_out_put(out, buf, sizeof(buf));
	hearth_erofs_attrs_put(fs, i, out);
}

static void put_tail(const struct hearth_erofs *fs, const struct hearth_erofs_inode *i,
		     struct hearth_erofs_out *out)
{
	uint64_t before = extra_bytes(i);

	if (i->layout == EROFS_CHUNK_BASED)
		hearth_erofs_map_put(fs, i, out);
	else if (i->layout == EROFS_FLAT_INLINE && S_ISDIR(i->mode))
		hearth_erofs_dir_put(fs, &fs->dirs[i->at], before, i->size, out);
	else if (i->layout == EROFS_FLAT_INLINE)
		hearth_erofs_out_put(out, fs->targets[i->at].text + before, i->size - before);
}

static void put_inodes(const struct hearth_erofs *fs, struct hearth_erofs_out *out)
{
	uint64_t base = fs->meta_block << HEARTH_EROFS_BLOCK_SHIFT;

	for (size_t n = 0; n < fs->nr_inodes; n++) {
		const struct hearth_erofs_inode *i = &fs->inodes[n];

		if (!hearth_erofs_is_kept(i))
			continue;
		hearth_erofs_out_fill_to(out, base + (uint64_t)i->place * EROFS_INODE_ALIGN);
		put_head(fs, (uint32_t)n, out);
		put_tail(fs, i, out);
	}
	hearth_erofs_out_fill_to(out, hearth_erofs_bytes(fs));
}

int hearth_erofs_write(struct hearth_erofs *fs, hearth_erofs_sink *sink, void *ctx)
{
	struct hearth_erofs_out out = {
		.sink = sink,
		.ctx = ctx,
		.buf = malloc(OUT_BYTES),
		.offset = fs->first_extra << HEARTH_EROFS_BLOCK_SHIFT,
	};

	if (!out.buf)
		return -ENOMEM;
	put_extra(fs, &out);
	hearth_erofs_out_fill_to(&out, fs->attr_block << HEARTH_EROFS_BLOCK_SHIFT);
	hearth_erofs_attrs_put_shared(fs, &out);
	hearth_erofs_out_fill_to(&out, fs->meta_block << HEARTH_EROFS_BLOCK_SHIFT);
	put_inodes(fs, &out);
	flush(&out);
	free(out.buf);
	return out.err;
}

/* CRC-32C as the kernel has it: begun with all ones, and not inverted at the end. */
static uint32_t checksum(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	while (len--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

void hearth_erofs_superblock(const struct hearth_erofs *fs, const uint8_t uuid[16],
			     uint64_t build_sec, uint8_t ret[HEARTH_EROFS_BLOCK_BYTES])
{
	uint64_t blocks = hearth_erofs_bytes(fs) >> HEARTH_EROFS_BLOCK_SHIFT;
	uint8_t *super = ret + EROFS_SUPER_OFFSET;
	struct hearth_writer w = hearth_writer_of(super, EROFS_SUPER_BYTES);
	uint32_t sum;

	memset(ret, 0, HEARTH_EROFS_BLOCK_BYTES);
	hearth_put_u32(&w, EROFS_MAGIC);
	hearth_put_u32(&w, 0); /* the checksum */
	hearth_put_u32(&w, EROFS_COMPAT_CHECKSUM | EROFS_COMPAT_MTIME);
	hearth_put_u8(&w, HEARTH_EROFS_BLOCK_SHIFT);
	hearth_put_u8(&w, 0); /* no extensions */
	hearth_put_u16(&w, (uint16_t)hearth_erofs_nid(&fs->inodes[0])); /* the root */
	hearth_put_u64(&w, fs->nr_written);
	hearth_put_u64(&w, build_sec);
	hearth_put_u32(&w, 0);
	hearth_put_u32(&w, (uint32_t)blocks);
	hearth_put_u32(&w, (uint32_t)fs->meta_block);
	hearth_put_u32(&w, (uint32_t)fs->attr_block);
	hearth_put_bytes(&w, uuid, 16);
	hearth_put_u64(&w, 0); /* the volume has no name */
	hearth_put_u64(&w, 0);
	hearth_put_u32(&w, fs->has_chunks ? EROFS_INCOMPAT_CHUNKS : 0);
	sum = htole32(checksum(super, HEARTH_EROFS_BLOCK_BYTES - EROFS_SUPER_OFFSET));
	memcpy(super + EROFS_SUPER_CHECKSUM_OFFSET, &sum, sizeof(sum));
}
