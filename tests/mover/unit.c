// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of the mover's parts that need no process: ranges, index, blocks, journal, words and
 * numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../userspace/common/bytes.h"
#include "../../userspace/common/units.h"
#include "confine.h"
#include "dirs.h"
#include "index.h"
#include "journal.h"
#include "numa.h"
#include "pool.h"
#include "seal.h"
#include "session.h"

static void put_file(const char *root, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* What a machine of two nodes would say of its devices. */
static void numa_is_read_from_what_the_machine_says(void **state)
{
	struct hearth_numa n = { .card_node = 1, .card = "eth0" };
	char root[] = "numa.XXXXXX", path[64];
	cpu_set_t cpus;

	(void)state;
	assert_non_null(mkdtemp(root));
	put_file(root, "/sys/devices/system/node/online", "0-1\n");
	put_file(root, "/sys/devices/system/node/node0/cpulist", "0-1,4\n");
	put_file(root, "/sys/devices/system/node/node1/cpulist", "2-3,5\n");
	put_file(root, "/sys/dev/block/8:0/device/numa_node", "1\n");
	put_file(root, "/sys/dev/block/253:0/queue/depth", "1\n");
	put_file(root, "/sys/class/net/eth0/device/numa_node", "1\n");
	put_file(root, "/sys/class/net/eth0/device/msi_irqs/40", "msix\n");
	put_file(root, "/sys/class/net/eth0/device/msi_irqs/41", "msix\n");
	put_file(root, "/sys/class/net/eth0/device/msi_irqs/42", "msix\n");
	put_file(root, "/proc/irq/40/effective_affinity_list", "2\n");
	put_file(root, "/proc/irq/41/effective_affinity_list", "4\n");
	put_file(root, "/proc/irq/42/effective_affinity_list", "2-3,5\n");
	assert_int_equal(hearth_numa_count_nodes(root), 2);
	assert_int_equal(hearth_numa_count_nodes("/nowhere"), 1);
	assert_int_equal(hearth_numa_node_of_disk(root, "8:0"), 1);
	assert_int_equal(hearth_numa_node_of_disk(root, "253:0"), -1);
	assert_int_equal(hearth_numa_node_of_card(root, "eth0"), 1);
	assert_int_equal(hearth_numa_node_of_card(root, "lo"), -1);
	hearth_numa_count_irqs(&n, root);
	assert_int_equal(n.nr_irqs, 3);
	assert_int_equal(n.nr_foreign_irqs, 1);
	put_file(root, "/cpus", "0,2-4,63\n");
	snprintf(path, sizeof(path), "%s/cpus", root);
	assert_true(hearth_numa_read_cpus(path, &cpus));
	assert_int_equal(CPU_COUNT(&cpus), 5);
	assert_true(CPU_ISSET(63, &cpus) && CPU_ISSET(3, &cpus) && !CPU_ISSET(1, &cpus));
}

/* The clever set against a bitmap, under random adds. */
static void ranges_agree_with_a_bitmap(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct hearth_ranges r = { 0 };
		uint8_t naive[256] = { 0 };
		struct hearth_range gap;
		unsigned int covered = 0, at = 0;

		for (int i = 0; i < 20; i++) {
			unsigned int start = (unsigned int)rand() % 256,
				     end = start + (unsigned int)rand() % (257 - start);

			assert_int_equal(hearth_ranges_add(&r, start, end), 0);
			memset(naive + start, 1, end - start);
		}
		for (int i = 0; i < 256; i++)
			covered += naive[i];
		assert_int_equal(r.covered, covered);
		while (hearth_ranges_next_gap(&r, at, 256, &gap)) {
			for (; at < gap.start; at++)
				assert_true(naive[at]);
			for (; at < gap.end; at++)
				assert_false(naive[at]);
		}
		for (; at < 256; at++)
			assert_true(naive[at]);
		hearth_ranges_exit(&r);
	}
}

static struct hearth_batch *sample_batch(void)
{
	struct hearth_batch *b = hearth_batch_alloc(3, 1000, 7);
	struct hearth_entry root = { .kind = HEARTH_ENTRY_ROOT, .mode = S_IFDIR };
	struct hearth_entry dir = {
		.kind = HEARTH_ENTRY_DIR, .mode = S_IFDIR | 0755, .parent = 7, .mtime_sec = -5
	};
	struct hearth_entry file = { .kind = HEARTH_ENTRY_FILE,
				     .mode = S_IFREG | 04755,
				     .parent = 8,
				     .size = 100,
				     .mtime_sec = 1ll << 40,
				     .mtime_nsec = 999999999,
				     .uid = UINT32_MAX };
	struct hearth_entry link = { .kind = HEARTH_ENTRY_SYMLINK,
				     .mode = S_IFLNK | 0777,
				     .parent = 8 };

	assert_int_equal(hearth_batch_add(b, &root, "", "", ""), 0);
	assert_int_equal(hearth_batch_add(b, &dir, "d\n", "", ""), 0);
	assert_int_equal(hearth_batch_add(b, &file, "\xff\xfe", "", ""), 0);
	file.size = 0;
	assert_int_equal(hearth_batch_add(b, &file, "empty", "", ""), 0);
	file.size = 7;
	assert_int_equal(hearth_batch_add(b, &file, "seven", "", ""), 0);
	assert_int_equal(hearth_batch_add(b, &link, "l", "../../etc", ""), 0);
	return b;
}

static void index_survives_the_wire(void **state)
{
	struct hearth_batch *b = sample_batch(), *back;
	uint8_t *buf = malloc(HEARTH_INDEX_MAX_BYTES);
	size_t len = hearth_batch_encode(b, buf);

	(void)state;
	assert_int_equal(hearth_batch_decode(buf, len, 3, 1000, 7, &back), 0);
	assert_int_equal(back->nr_entries, b->nr_entries);
	assert_int_equal(back->end, 1107);
	for (uint32_t i = 0; i < b->nr_entries; i++) {
		struct hearth_entry *x = &b->entries[i], *y = &back->entries[i];

		assert_string_equal(hearth_entry_name(b, x), hearth_entry_name(back, y));
		assert_string_equal(hearth_entry_target(b, x), hearth_entry_target(back, y));
		assert_true(x->voff == y->voff && x->size == y->size && x->mode == y->mode &&
			    x->uid == y->uid && x->mtime_sec == y->mtime_sec &&
			    x->mtime_nsec == y->mtime_nsec && x->dir_no == y->dir_no);
	}
	assert_string_equal(hearth_entry_name(back, hearth_batch_find(back, 1099)), "\xff\xfe");
	assert_string_equal(hearth_entry_name(back, hearth_batch_find(back, 1100)), "seven");
	hearth_batch_free(back);
	for (size_t cut = 0; cut < len; cut++)
		assert_true(hearth_batch_decode(buf, cut, 3, 1000, 7, &back) < 0);
	assert_true(hearth_batch_decode(buf, len, 4, 1000, 7, &back) < 0);
	assert_true(hearth_batch_decode(buf, len, 3, 1001, 7, &back) < 0);
	assert_true(hearth_batch_decode(buf, len, 3, 1000, 6, &back) < 0);
	hearth_batch_free(b);
	free(buf);
}

/* Even where a symlink appears after everything was checked. */
static void nothing_is_opened_through_a_symlink(void **state)
{
	char path[] = "/tmp/hearth-unit.XXXXXX";
	struct hearth_dirs dirs;
	int dir;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(symlinkat("/etc", dir, "link"), 0);
	assert_int_equal(mkdirat(dir, "sub", 0700), 0);
	assert_true(hearth_open_beneath(dir, "link", O_RDONLY, 0) == -ELOOP);
	assert_true(hearth_open_beneath(dir, "link/passwd", O_RDONLY, 0) == -ELOOP);
	assert_true(hearth_open_beneath(dir, "..", O_RDONLY | O_DIRECTORY, 0) == -EXDEV);
	assert_true(hearth_open_beneath(dir, "/etc", O_RDONLY | O_DIRECTORY, 0) == -EXDEV);
	hearth_dirs_init(&dirs);
	hearth_dirs_add_anchor(&dirs, dir, "top");
	hearth_dirs_add(&dirs, 0, "link");
	hearth_dirs_add(&dirs, 0, "sub");
	assert_int_equal(hearth_dirs_get(&dirs, 1), -ENOTDIR);
	assert_true(hearth_dirs_get(&dirs, 2) >= 0);
	hearth_dirs_put(&dirs, 2);
	unlinkat(dir, "link", 0);
	unlinkat(dir, "sub", AT_REMOVEDIR);
	hearth_dirs_exit(&dirs);
	rmdir(path);
}

/* Two blocks as one side seals them; the other opens them in that order, unchanged, or not at all.
 */
static void a_seal_breaks_at_every_change(void **state)
{
	static const uint8_t key[HEARTH_SEAL_KEY_BYTES] = { 1 };
	const enum hearth_seal_mode modes[] = { HEARTH_SEAL_MAC, HEARTH_SEAL_ENCRYPT };

	(void)state;
	for (int m = 0; m < 2; m++) {
		for (int change = -3; change < 24; change++) {
			struct hearth_seal near, far;
			uint8_t head[8] = "headhea", data[16] = "a fine payload.", tag[16];
			struct iovec iov[] = { { head, 8 }, { data, 16 } };
			int wanted = -EBADMSG;

			hearth_seal_init(&near, modes[m], key, false);
			hearth_seal_init(&far, modes[m], key, change != -1);
			assert_int_equal(hearth_seal_close(&near, iov, 2, tag), 0);
			assert_int_equal(!memcmp(data, "a fine", 6), modes[m] == HEARTH_SEAL_MAC);
			if (change >= 8)
				data[change - 8] ^= 1;
			else if (change >= 0)
				head[change] ^= 1;
			else if (change == -2)
				far.nr_received = 1; /* repeated, or one before it left out */
			else if (change == -3)
				wanted = 0;
			assert_int_equal(hearth_seal_open(&far, iov, 2, tag), wanted);
			if (!wanted)
				assert_string_equal(data, "a fine payload.");
			hearth_seal_exit(&near);
			hearth_seal_exit(&far);
		}
	}
}

static void names_that_lead_elsewhere_are_invalid(void **state)
{
	(void)state;
	assert_true(hearth_name_is_valid("...", 3));
	assert_true(hearth_name_is_valid("a\nb", 3));
	assert_false(hearth_name_is_valid("", 0));
	assert_false(hearth_name_is_valid(".", 1));
	assert_false(hearth_name_is_valid("..", 2));
	assert_false(hearth_name_is_valid("a/b", 3));
	assert_false(hearth_name_is_valid("a\0b", 3));
}

static void a_changed_byte_anywhere_in_a_block_is_noticed(void **state)
{
	struct hearth_pool pool;
	struct hearth_block *b;

	(void)state;
	assert_int_equal(hearth_pool_init(&pool, 4096, 16384, -1), 0);
	b = hearth_pool_get(&pool);
	memset(b->data, 5, 300);
	b->len = 300;
	b->session = 9;
	assert_true(hearth_block_add(b, HEARTH_SEGMENT_DATA, 50, 100));
	assert_true(hearth_block_add(b, HEARTH_SEGMENT_DATA, 150, 200));
	assert_true(hearth_block_add(b, HEARTH_SEGMENT_HOLE, 350, 1ull << 50));
	assert_int_equal(b->nr_segs, 2);
	hearth_block_seal(b, true);
	assert_int_equal(hearth_block_verify(b), 0);
	assert_int_equal(hearth_block_parse_header(b, 9) | hearth_block_parse_table(b), 0);
	for (size_t i = 0; i < hearth_block_head_bytes(b); i++) {
		b->head[i] ^= 0x10;
		assert_true(hearth_block_parse_header(b, 9) || hearth_block_parse_table(b) ||
			    hearth_block_verify(b) || !b->is_hashed);
		b->head[i] ^= 0x10;
		assert_int_equal(hearth_block_parse_header(b, 9) | hearth_block_parse_table(b), 0);
	}
	for (size_t i = 0; i < b->len; i++) {
		b->data[i] ^= 1;
		assert_true(hearth_block_verify(b));
		b->data[i] ^= 1;
	}
	hearth_pool_put(b);
	hearth_pool_exit(&pool);
}

static const struct hearth_journal_identity id = {
	.size = 1000, .mtime_sec = 5, .mtime_nsec = 6, .inode = 7
};

static int reopen(int dir, const struct hearth_journal_identity *whose, uint64_t *ret_covered)
{
	struct hearth_remains remains = { 0 };
	struct hearth_journal j;
	int ret = hearth_journal_open(&j, dir, "j", whose, &remains);

	*ret_covered = remains.stored.covered;
	hearth_remains_exit(&remains);
	if (!ret)
		hearth_journal_close(&j);
	return ret;
}

/* What was stored before another boot stays doubtful until it is recorded anew. */
static void journal_keeps_what_is_doubtful(void **state)
{
	char path[] = "/tmp/hearth-unit.XXXXXX";
	struct hearth_remains remains = { 0 }, again = { 0 };
	struct hearth_journal j;
	int dir;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(hearth_ranges_add(&remains.stored, 0, 100), 0);
	assert_int_equal(hearth_ranges_add(&remains.doubtful, 200, 400), 0);
	assert_int_equal(hearth_journal_create(&j, dir, "j", &id, &remains), 0);
	assert_int_equal(hearth_journal_record(&j, 200, 300), 0);
	assert_int_equal(hearth_journal_checkpoint(&j, j.nr_records), 0);
	hearth_journal_close(&j);
	assert_int_equal(hearth_journal_open(&j, dir, "j", &id, &again), 0);
	assert_int_equal(again.stored.covered, 200);
	assert_int_equal(again.doubtful.nr, 1);
	assert_int_equal(again.doubtful.v[0].start, 200);
	assert_int_equal(again.doubtful.v[0].end, 400);
	hearth_journal_close(&j);
	hearth_remains_exit(&remains);
	hearth_remains_exit(&again);
	unlinkat(dir, "j", 0);
	close(dir);
	rmdir(path);
}

static void journal_vouches_for_what_was_recorded(void **state)
{
	char path[] = "/tmp/hearth-unit.XXXXXX";
	struct hearth_journal_identity other = id;
	struct hearth_remains none = { 0 };
	struct hearth_journal j;
	uint64_t covered;
	int dir, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(reopen(dir, &id, &covered), -ENOENT);
	assert_int_equal(hearth_journal_create(&j, dir, "j", &id, &none), 0);
	assert_int_equal(hearth_journal_record(&j, 0, 100), 0);
	assert_int_equal(hearth_journal_record(&j, 500, 600), 0);
	assert_int_equal(reopen(dir, &id, &covered), 0);
	assert_int_equal(covered, 200);
	other.size++;
	assert_int_equal(reopen(dir, &other, &covered), -ESTALE);
	other = id;
	other.mtime_nsec++;
	assert_int_equal(reopen(dir, &other, &covered), -ESTALE);
	/* A torn record, whatever its length, hides nothing before it, and has to be cleaned up. */
	for (int i = 0; i < 7; i++) {
		assert_int_equal(write(j.fd, "torn", 4), 4);
		assert_int_equal(reopen(dir, &id, &covered), -EUCLEAN);
		assert_int_equal(covered, 200);
	}
	hearth_journal_close(&j);
	assert_int_equal(hearth_journal_create(&j, dir, "j", &id, &none), 0);
	hearth_journal_close(&j);
	assert_int_equal(reopen(dir, &id, &covered), 0);
	assert_int_equal(covered, 0);
	fd = openat(dir, "j", O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 3), 1);
	close(fd);
	assert_int_equal(reopen(dir, &id, &covered), -ESTALE);
	unlinkat(dir, "j", 0);
	close(dir);
	rmdir(path);
}

static void sizes_and_names_read_well(void **state)
{
	uint64_t v;
	char buf[64];

	(void)state;
	assert_true(!hearth_parse_size("1.5G", &v) && v == 3ull << 29);
	assert_true(!hearth_parse_size("64KiB", &v) && v == 65536);
	assert_true(hearth_parse_size("12Q", &v) && hearth_parse_size("-1", &v) &&
		    hearth_parse_size("", &v) && hearth_parse_size("1e400", &v) &&
		    hearth_parse_size("1GG", &v));
	assert_true(!hearth_parse_count("42", 100, &v) && v == 42 &&
		    hearth_parse_count("101", 100, &v) && hearth_parse_count("4x", 100, &v));
	assert_string_equal(hearth_format_name(buf, sizeof(buf), "a\nb\xff\\\xc3\xa4"),
			    "a\\012b\\377\\134\xc3\xa4");
	assert_string_equal(hearth_format_name(buf, 12, "0123456789abcdef"), "01234...");
	assert_string_equal(hearth_format_duration(buf, sizeof(buf), 3725), "1:02:05");
}

static void varints_have_one_form_only(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 1ull << 32, UINT64_MAX };
	static const uint8_t padded[] = { 0x80, 0x00 },
			     too_big[] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 };
	struct hearth_reader r;
	uint8_t buf[16];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

		hearth_put_varint(&w, values[i]);
		r = hearth_reader_of(buf, w.len);
		assert_true(hearth_get_varint(&r) == values[i] && !r.is_bad &&
			    !hearth_reader_left(&r));
	}
	r = hearth_reader_of(padded, sizeof(padded));
	hearth_get_varint(&r);
	assert_true(r.is_bad);
	r = hearth_reader_of(too_big, sizeof(too_big));
	hearth_get_varint(&r);
	assert_true(r.is_bad);
}

static void a_key_is_for_one_copy(void **state)
{
	char a[] = "a", b[] = "b", ab[] = "ab", empty[] = "";
	char *one[2] = { ab, empty }, *other[2] = { a, b }, *third[1] = { a };
	struct hearth_names none = { 0 }, named = { .nr = 1, .v = one };
	uint8_t from[HEARTH_DIGEST_BYTES], to[HEARTH_DIGEST_BYTES], x[HEARTH_DIGEST_BYTES];
	struct hearth_ticket key = { .key = { 1, 2, 3 } }, bound = key, same = key, again;

	(void)state;
	hearth_digest_paths(one, 2, &none, from);
	hearth_digest_paths(other, 2, &none, to);
	assert_memory_not_equal(from, to, sizeof(from));
	hearth_digest_paths(third, 1, &none, from);
	hearth_digest_paths(third, 1, &named, x);
	assert_memory_not_equal(from, x, sizeof(from));
	hearth_ticket_bind(&bound, from, to, 60);
	hearth_ticket_bind(&same, from, to, 60);
	assert_memory_equal(bound.key, same.key, sizeof(same.key));
	assert_memory_not_equal(bound.key, key.key, sizeof(key.key));
	again = key;
	hearth_ticket_bind(&again, to, from, 60);
	assert_memory_not_equal(bound.key, again.key, sizeof(again.key));
	again = key;
	hearth_ticket_bind(&again, from, x, 60);
	assert_memory_not_equal(bound.key, again.key, sizeof(again.key));
	again = key;
	hearth_ticket_bind(&again, from, to, 61);
	assert_memory_not_equal(bound.key, again.key, sizeof(again.key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numa_is_read_from_what_the_machine_says),
		cmocka_unit_test(ranges_agree_with_a_bitmap),
		cmocka_unit_test(index_survives_the_wire),
		cmocka_unit_test(nothing_is_opened_through_a_symlink),
		cmocka_unit_test(a_seal_breaks_at_every_change),
		cmocka_unit_test(names_that_lead_elsewhere_are_invalid),
		cmocka_unit_test(a_changed_byte_anywhere_in_a_block_is_noticed),
		cmocka_unit_test(journal_vouches_for_what_was_recorded),
		cmocka_unit_test(journal_keeps_what_is_doubtful),
		cmocka_unit_test(sizes_and_names_read_well),
		cmocka_unit_test(varints_have_one_form_only),
		cmocka_unit_test(a_key_is_for_one_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
