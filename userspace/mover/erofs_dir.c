// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Directories of an EROFS image.
 *
 * A block of a directory has, for as many names as fit, an entry each, then the
 * names. Names ascend, byte by byte, through all blocks: readers search by halving.
 *
 * Each directory is sorted by itself, and its chain is left in that order. While
 * its names lie sorted side by side, links whose files are in it find them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/bytes.h"
#include "erofs_impl.h"

static int compare_text(const uint8_t *a, const uint8_t *b)
{
	int ret = memcmp(a + 1, b + 1, *a < *b ? *a : *b);

	return ret ? ret : (int)*a - (int)*b;
}

static int compare_names(const void *a, const void *b, void *names)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct hearth_erofs_name *v = names;
	int ret = compare_text(v[x].text, v[y].text);

	/* What is there twice: the one that came first stays. */
	return ret ? ret : (x > y) - (x < y);
}

static int compare_links(const void *a, const void *b)
{
	const struct hearth_erofs_link *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return compare_text(x->target, y->target);
}

static void tell(const struct hearth_erofs *fs, const struct hearth_erofs_directory *dir,
		 uint32_t name, int err, hearth_erofs_problem *problem, void *ctx)
{
	const uint8_t *text = fs->names[name].text;
	char buf[1 + UINT8_MAX];

	memcpy(buf, text + 1, *text);
	buf[*text] = '\0';
	problem(ctx, dir->inode, buf, err);
}

/* True if the name has been the first one of a file that is not left out. */
static bool is_file(const struct hearth_erofs *fs, uint32_t name)
{
	uint32_t inode = fs->names[name].inode;

	return inode != EROFS_NONE && S_ISREG(fs->inodes[inode].mode) &&
	       !fs->inodes[inode].is_dropped;
}

/* Links to what is in this directory come next in the order of links; its names are in @sorted. */
static size_t find_files(struct hearth_erofs *fs, const struct hearth_erofs_directory *dir,
			 const uint32_t *sorted, size_t link)
{
	uint32_t at = 0;

	while (link < fs->nr_links && fs->links[link].parent < dir->inode)
		link++;
	for (; link < fs->nr_links && fs->links[link].parent == dir->inode; link++) {
		const struct hearth_erofs_link *l = &fs->links[link];

		while (at < dir->nr && compare_text(fs->names[sorted[at]].text, l->target) < 0)
			at++;
		if (at < dir->nr && !compare_text(fs->names[sorted[at]].text, l->target) &&
		    is_file(fs, sorted[at]))
			fs->names[l->name].inode = fs->names[sorted[at]].inode;
	}
	return link;
}

/* Makes the chain follow the order of @sorted, with every name once. */
static void chain(struct hearth_erofs *fs, struct hearth_erofs_directory *dir,
		  const uint32_t *sorted, hearth_erofs_problem *problem, void *ctx)
{
	uint32_t *link = &dir->first, nr = 0;

	for (uint32_t i = 0; i < dir->nr; i++) {
		if (nr && !compare_text(fs->names[sorted[i]].text, fs->names[sorted[i - 1]].text)) {
			tell(fs, dir, sorted[i], -EEXIST, problem, ctx);
			continue;
		}
		*link = sorted[i];
		link = &fs->names[sorted[i]].next;
		nr++;
	}
	*link = EROFS_NONE;
	dir->nr = nr;
}

static uint32_t longest(const struct hearth_erofs *fs)
{
	uint32_t most = 0;

	for (size_t i = 0; i < fs->nr_dirs; i++)
		most = fs->dirs[i].nr > most ? fs->dirs[i].nr : most;
	return most;
}

int hearth_erofs_dirs_sort(struct hearth_erofs *fs, hearth_erofs_problem *problem, void *ctx)
{
	uint32_t *sorted = malloc((longest(fs) + 1ull) * sizeof(*sorted));
	size_t link = 0;

	if (!sorted)
		return -ENOMEM;
	if (fs->nr_links)
		qsort(fs->links, fs->nr_links, sizeof(*fs->links), compare_links);
	for (size_t i = 0; i < fs->nr_dirs; i++) {
		struct hearth_erofs_directory *dir = &fs->dirs[i];
		uint32_t at = dir->first;

		for (uint32_t n = 0; n < dir->nr; n++, at = fs->names[at].next)
			sorted[n] = at;
		qsort_r(sorted, dir->nr, sizeof(*sorted), compare_names, fs->names);
		link = find_files(fs, dir, sorted, link);
		chain(fs, dir, sorted, problem, ctx);
	}
	free(sorted);
	return 0;
}

/* Takes names out of the chain that stand for nothing, and counts the others. */
static void prune(struct hearth_erofs *fs, struct hearth_erofs_directory *dir,
		  hearth_erofs_problem *problem, void *ctx)
{
	uint32_t *link = &dir->first;

	while (*link != EROFS_NONE) {
		struct hearth_erofs_name *name = &fs->names[*link];
		bool is_lost = name->inode == EROFS_NONE;

		if (is_lost)
			tell(fs, dir, *link, -ENOENT, problem, ctx);
		if (is_lost || fs->inodes[name->inode].is_dropped) {
			*link = name->next;
			dir->nr--;
			continue;
		}
		fs->inodes[name->inode].nlink++;
		link = &name->next;
	}
}

/* The names that go into one block, from @name on: what follows them, and what they take. */
static uint32_t fill_block(const struct hearth_erofs *fs, uint32_t name, uint32_t *ret_nr,
			   uint32_t *ret_bytes)
{
	*ret_nr = 0;
	*ret_bytes = 0;
	while (name != EROFS_NONE) {
		uint32_t bytes = EROFS_DIRENT_BYTES + *fs->names[name].text;

		if (*ret_bytes + bytes > HEARTH_EROFS_BLOCK_BYTES)
			break;
		*ret_bytes += bytes;
		++*ret_nr;
		name = fs->names[name].next;
	}
	return name;
}

static uint64_t size_of(const struct hearth_erofs *fs, const struct hearth_erofs_directory *dir)
{
	uint32_t name = dir->first, nr, bytes = 0;
	uint64_t blocks = 0;

	for (; name != EROFS_NONE; blocks++)
		name = fill_block(fs, name, &nr, &bytes);
	return ((blocks - 1) << HEARTH_EROFS_BLOCK_SHIFT) + bytes;
}

void hearth_erofs_dirs_measure(struct hearth_erofs *fs, hearth_erofs_problem *problem, void *ctx)
{
	for (size_t i = 0; i < fs->nr_dirs; i++) {
		prune(fs, &fs->dirs[i], problem, ctx);
		fs->inodes[fs->dirs[i].inode].size = size_of(fs, &fs->dirs[i]);
	}
}

static uint8_t type_of(const struct hearth_erofs_inode *inode)
{
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		return EROFS_FT_DIR;
	case S_IFCHR:
		return EROFS_FT_CHAR;
	case S_IFBLK:
		return EROFS_FT_BLOCK;
	case S_IFIFO:
		return EROFS_FT_FIFO;
	case S_IFSOCK:
		return EROFS_FT_SOCKET;
	case S_IFLNK:
		return EROFS_FT_SYMLINK;
	default:
		return EROFS_FT_FILE;
	}
}

static uint32_t put_block(const struct hearth_erofs *fs, uint32_t first, uint32_t nr,
			  struct hearth_erofs_out *out)
{
	uint32_t name = first, offset = nr * EROFS_DIRENT_BYTES;
	uint8_t buf[EROFS_DIRENT_BYTES];

	for (uint32_t i = 0; i < nr; i++, name = fs->names[name].next) {
		const struct hearth_erofs_inode *inode = &fs->inodes[fs->names[name].inode];
		struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

		hearth_put_u64(&w, hearth_erofs_nid(inode));
		hearth_put_u16(&w, (uint16_t)offset);
		hearth_put_u8(&w, type_of(inode));
		hearth_put_u8(&w, 0);
		hearth_erofs_out_put(out, buf, sizeof(buf));
		offset += *fs->names[name].text;
	}
	for (name = first; nr; nr--, name = fs->names[name].next)
		hearth_erofs_out_put(out, fs->names[name].text + 1, *fs->names[name].text);
	return name;
}

void hearth_erofs_dir_put(const struct hearth_erofs *fs, const struct hearth_erofs_directory *dir,
			  uint64_t from, uint64_t to, struct hearth_erofs_out *out)
{
	uint32_t name = dir->first, nr, bytes;
	uint64_t at = 0;

	for (; name != EROFS_NONE && at < to; at += HEARTH_EROFS_BLOCK_BYTES) {
		uint32_t next = fill_block(fs, name, &nr, &bytes);

		if (at >= from) {
			put_block(fs, name, nr, out);
			if (next != EROFS_NONE)
				hearth_erofs_out_fill(out, HEARTH_EROFS_BLOCK_BYTES - bytes);
		}
		name = next;
	}
}
