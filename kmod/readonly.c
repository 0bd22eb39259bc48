// SPDX-License-Identifier: GPL-2.0-only
/*
 * A LUN refuses writes, from its beginning or from some time on.
 *
 * Who may export it read-only is the target core's: each port knows whether its
 * LUN may be written to, and says so to initiators (MODE SENSE).  A write that is
 * under way when the LUN changes may still come to its end.
 */
#include "hearth.h"

static void set_ports(struct se_device *dev, bool readonly)
{
	struct se_lun *lun;

	spin_lock(&dev->se_port_lock);
	list_for_each_entry(lun, &dev->dev_sep_list, lun_dev_link)
		WRITE_ONCE(lun->lun_access_ro, readonly);
	spin_unlock(&dev->se_port_lock);
}

/**
 * hearth_readonly_set() - have a LUN refuse writes, or take them
 * @hdev: the LUN
 * @readonly: which
 *
 * Context: Process context, under the LUN's lock.
 */
void hearth_readonly_set(struct hearth_dev *hdev, bool readonly)
{
	lockdep_assert_held(&hdev->lock);
	WRITE_ONCE(hdev->refuses_writes, readonly);
	if (readonly)
		hdev->se_dev.dev_flags |= DF_READ_ONLY;
	else
		hdev->se_dev.dev_flags &= ~DF_READ_ONLY;
}

/**
 * hearth_readonly_apply() - readonly= has changed while the LUN is in use
 * @hdev: the LUN
 *
 * What it holds is durable before it is read-only.  Initiators are told to look
 * at it again.
 *
 * Context: Process context, under the LUN's lock; sleeps.
 * Return: 0 or -errno, after a line in the log: it is as it was.
 */
int hearth_readonly_apply(struct hearth_dev *hdev)
{
	bool readonly = hdev->params.readonly;
	int ret;

	if (!readonly && !hdev->disk.writable) {
		hearth_err(hdev, "readonly=0: dev=%s is open for reading only since the LUN was created; delete it and create it anew\n",
			   hdev->params.dev);
		return -EROFS;
	}
	if (readonly && hearth_cdev_shows(hdev)) {
		hearth_err(hdev, "readonly=1: the LUN is mapped or registered; revoke it first\n");
		return -EBUSY;
	}
	hearth_readonly_set(hdev, readonly);
	ret = readonly ? hearth_writeback_flush(hdev) : 0;
	if (ret) {
		hearth_readonly_set(hdev, false);
		return ret;
	}
	set_ports(&hdev->se_dev, readonly);
	hearth_capacity_tell(hdev);
	hearth_cdev_event(hdev);
	return 0;
}
