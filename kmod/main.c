// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading, in mirrored order.
 */
#include <linux/module.h>

#include "backstore.h"
#include "hearth.h"

static int __init hearth_init(void)
{
	int ret;

	ret = hearth_core_init();
	if (ret)
		return ret;
	ret = hearth_command_init();
	if (ret)
		goto out_core;
	ret = hearth_dispatch_init();
	if (ret)
		goto out_command;
	ret = hearth_stats_init();
	if (ret)
		goto out_dispatch;
	ret = hearth_cdev_init();
	if (ret)
		goto out_stats;
	ret = hearth_writeback_init();
	if (ret)
		goto out_cdev;
	ret = hearth_shrink_init();
	if (ret)
		goto out_writeback;
	ret = hearth_backstore_init();
	if (ret)
		goto out_shrink;
	return 0;

out_shrink:
	hearth_shrink_exit();
out_writeback:
	hearth_writeback_exit();
out_cdev:
	hearth_cdev_exit();
out_stats:
	hearth_stats_exit();
out_dispatch:
	hearth_dispatch_exit();
out_command:
	hearth_command_exit();
out_core:
	hearth_core_exit();
	return ret;
}

static void __exit hearth_exit(void)
{
	hearth_backstore_exit();
	hearth_shrink_exit();
	hearth_writeback_exit();
	hearth_cdev_exit();
	hearth_stats_exit();
	hearth_dispatch_exit();
	hearth_command_exit();
	hearth_core_exit();
}

module_init(hearth_init);
module_exit(hearth_exit);

MODULE_DESCRIPTION("NUMA-aware cached backstore for the Linux SCSI target");
MODULE_AUTHOR("The Hearth developers");
MODULE_LICENSE("GPL");
