// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit tests of what is known of a LUN before it is opened: its name, and who has its disk. */
#include <errno.h>
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

#include "lun.h"

#define TARGET "sys/kernel/config/target"
#define TPG TARGET "/iscsi/iqn.x:y/tpgt_1"
#define ACL TPG "/acls/iqn.host"
#define LOOPBACK TARGET "/loopback/naa.1/tpgt_1"

static void names_of_luns_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		const char *name;
		uint64_t offset;
		uint64_t len;
	} good[] = {
		{ "lun:/vol0", "vol0", 0, 0 },
		{ "lun:/a+b@0", "a+b", 0, 0 },
		{ "lun:/vol0@1M", "vol0", 1 << 20, 0 },
		{ "lun:/vol0@4k+1.5k", "vol0", 4096, 1536 },
		{ "lun:/vol0@1T+1g", "vol0", 1ull << 40, 1 << 30 },
	};
	static const char *const bad[] = {
		"vol0",
		"lun:vol0",
		"lun:/",
		"lun:/.",
		"lun:/..",
		"lun:/a/b",
		"lun:/a@",
		"lun:/a@x",
		"lun:/a@1M+",
		"lun:/a@1M+0",
		"lun:/a@1M+x",
		"lun:/a@-1",
		"lun:/a@1+2+3",
		"lun:/a@1@2",
		"lun:/@1",
		"lun:/a@8E+8E",
	};
	struct hearth_lun_name n;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(hearth_lun_parse(good[i].text, &n), 0);
		assert_string_equal(n.name, good[i].name);
		assert_int_equal(n.offset, good[i].offset);
		assert_int_equal(n.len, good[i].len);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (hearth_lun_parse(bad[i], &n) != -EINVAL)
			fail_msg("%s is taken for a LUN", bad[i]);
}

static bool overlap(const char *a, const char *b)
{
	struct hearth_lun_name one, other;

	assert_int_equal(hearth_lun_parse(a, &one), 0);
	assert_int_equal(hearth_lun_parse(b, &other), 0);
	assert_int_equal(hearth_lun_overlaps(&one, &other), hearth_lun_overlaps(&other, &one));
	return hearth_lun_overlaps(&one, &other);
}

static void parts_of_a_lun_overlap(void **state)
{
	(void)state;
	assert_true(overlap("lun:/a", "lun:/a"));
	assert_false(overlap("lun:/a", "lun:/b"));
	assert_true(overlap("lun:/a", "lun:/a@1G"));
	assert_false(overlap("lun:/a@0+1M", "lun:/a@1M"));
	assert_true(overlap("lun:/a@0+1M", "lun:/a@1023k"));
	assert_false(overlap("lun:/a@0+1M", "lun:/a@1M+1M"));
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		fail_msg("%s", command);
}

static void expect_user(int found, const char *who)
{
	char seen[HEARTH_LUN_USER_BYTES];

	assert_int_equal(hearth_lun_find_user(".", "vol0", seen), found);
	assert_string_equal(seen, who);
}

/* A target as configfs shows it, in the working directory. */
static void who_has_the_disk_is_found(void **state)
{
	char root[] = "target.XXXXXX", serial[64];

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	expect_user(-ENOENT, "");
	run("mkdir -p %s/core/hearth_0/vol0/wwn %s/core/hearth_1/vol1 %s/core/alua", TARGET, TARGET,
	    TARGET);
	run("echo 'T10 VPD Unit Serial Number: 12-34' > %s/core/hearth_0/vol0/wwn/vpd_unit_serial",
	    TARGET);
	hearth_lun_read_serial(".", "vol0", serial, sizeof(serial));
	assert_string_equal(serial, "12-34");
	hearth_lun_read_serial(".", "vol9", serial, sizeof(serial));
	assert_string_equal(serial, "");
	expect_user(0, "");

	/* exported, nobody is logged in */
	run("mkdir -p %s/lun/lun_0 %s/lun/lun_7 %s/acls %s/attrib %s/iscsi/discovery_auth", TPG,
	    TPG, TPG, TPG, TARGET);
	run("ln -s ../../../../../../target/core/hearth_1/vol1 %s/lun/lun_0/a", TPG);
	run(": > %s/dynamic_sessions; echo 0 > %s/attrib/demo_mode_write_protect", TPG, TPG);
	run("echo iqn.other > %s/dynamic_sessions", TPG);
	expect_user(0, "");
	run(": > %s/dynamic_sessions", TPG);
	run("ln -s ../../../../../../target/core/hearth_0/vol0 %s/lun/lun_7/b", TPG);
	expect_user(0, "");

	/* one without an ACL, who may or may not write */
	run("echo iqn.guest > %s/dynamic_sessions", TPG);
	expect_user(1, "initiator iqn.guest");
	run("echo 1 > %s/attrib/demo_mode_write_protect", TPG);
	expect_user(0, "");
	run(": > %s/dynamic_sessions", TPG);

	/* one with an ACL: logged out; logged in with another LUN; with ours; to read */
	run("mkdir -p %s/lun_3", ACL);
	run("echo 'No active iSCSI Session for Initiator Endpoint: iqn.host' > %s/info", ACL);
	run("ln -s ../../../../../../../target/iscsi/iqn.x:y/tpgt_1/lun/lun_0 %s/lun_3/l", ACL);
	run("echo 0 > %s/lun_3/write_protect", ACL);
	expect_user(0, "");
	run("echo 'InitiatorName: iqn.host' > %s/info", ACL);
	expect_user(0, "");
	run("ln -sfn ../../../../../../../target/iscsi/iqn.x:y/tpgt_1/lun/lun_7 %s/lun_3/l", ACL);
	expect_user(1, "initiator iqn.host");
	run("echo 1 > %s/lun_3/write_protect", ACL);
	expect_user(0, "");

	/* a nexus; a fabric that says nothing */
	run("mkdir -p %s/lun/lun_0", LOOPBACK);
	run("ln -s ../../../../../../target/core/hearth_0/vol0 %s/lun/lun_0/c", LOOPBACK);
	expect_user(1, "whoever is logged in at /loopback/naa.1/tpgt_1");
	run("echo naa.2 > %s/nexus", LOOPBACK);
	expect_user(1, "nexus naa.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_luns_are_taken_apart),
		cmocka_unit_test(parts_of_a_lun_overlap),
		cmocka_unit_test(who_has_the_disk_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
