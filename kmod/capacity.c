// SPDX-License-Identifier: GPL-2.0-only
/*
 * The size of a LUN follows that of its device.
 *
 * The block layer tells user space of a new size, but nobody in the kernel.  So
 * each command compares two numbers, and the first that finds them different
 * has the size taken over by a work item; an administrator may ask for it too.
 *
 * Every initiator is told by a unit attention, CAPACITY DATA HAS CHANGED, in place
 * of its next command.  The target core lets no backstore raise one, so it is
 * kept here who has still to be told: each session of each target port group that
 * exports the LUN.  A session that has gone leaves an entry that matches nothing,
 * until the size changes again.
 */
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>
#include <target/target_core_fabric.h>

#include "hearth.h"

/* SPC-5 */
#define ASC_CAPACITY_DATA_HAS_CHANGED	0x2a, 0x09

/* An initiator that has not been told yet. */
struct untold {
	struct list_head node;
	const struct se_session *session;
	const struct se_lun *lun;
};

static bool is_listed(const struct list_head *list,
		      const struct se_session *session,
		      const struct se_lun *lun)
{
	const struct untold *entry;

	list_for_each_entry(entry, list, node) {
		if (entry->session == session && entry->lun == lun)
			return true;
	}
	return false;
}

/* The LUN's next session that is not in the list yet. */
static bool find_in_tpg(const struct list_head *list, struct se_lun *lun,
			struct untold *ret_entry)
{
	struct se_portal_group *tpg = lun->lun_tpg;
	struct se_session *session;
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&tpg->session_lock, flags);
	list_for_each_entry(session, &tpg->tpg_sess_list, sess_list) {
		if (is_listed(list, session, lun))
			continue;
		ret_entry->session = session;
		ret_entry->lun = lun;
		found = true;
		break;
	}
	spin_unlock_irqrestore(&tpg->session_lock, flags);
	return found;
}

static bool find_session(struct hearth_dev *hdev, const struct list_head *list,
			 struct untold *ret_entry)
{
	struct se_device *dev = &hdev->se_dev;
	struct se_lun *lun;
	bool found = false;

	spin_lock(&dev->se_port_lock);
	list_for_each_entry(lun, &dev->dev_sep_list, lun_dev_link) {
		found = find_in_tpg(list, lun, ret_entry);
		if (found)
			break;
	}
	spin_unlock(&dev->se_port_lock);
	return found;
}

static void free_list(struct list_head *list)
{
	struct untold *entry, *next;

	list_for_each_entry_safe(entry, next, list, node) {
		list_del(&entry->node);
		kfree(entry);
	}
}

/**
 * hearth_capacity_tell() - have every initiator told to look at the LUN again
 * @hdev: the LUN
 *
 * Context: Process context, under the LUN's lock.
 */
void hearth_capacity_tell(struct hearth_dev *hdev)
{
	struct untold *entry;
	LIST_HEAD(list);
	LIST_HEAD(old);

	for (;;) {
		entry = kmalloc(sizeof(*entry), GFP_KERNEL | __GFP_NOFAIL);
		if (!find_session(hdev, &list, entry))
			break;
		list_add_tail(&entry->node, &list);
	}
	kfree(entry);
	spin_lock(&hdev->untold_lock);
	list_splice_init(&hdev->untold, &old);
	list_splice_init(&list, &hdev->untold);
	WRITE_ONCE(hdev->has_untold, !list_empty(&hdev->untold));
	spin_unlock(&hdev->untold_lock);
	free_list(&old);
}

/* Takes the initiator of a command off the list. */
static void told(struct hearth_dev *hdev, const struct se_cmd *cmd)
{
	struct untold *entry, *found = NULL;

	spin_lock(&hdev->untold_lock);
	list_for_each_entry(entry, &hdev->untold, node) {
		if (entry->session != cmd->se_sess || entry->lun != cmd->se_lun)
			continue;
		found = entry;
		list_del(&entry->node);
		break;
	}
	WRITE_ONCE(hdev->has_untold, !list_empty(&hdev->untold));
	spin_unlock(&hdev->untold_lock);
	kfree(found);
}

/* Runs in place of a command. */
static sense_reason_t report_change(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	u8 sense[TRANSPORT_SENSE_BUFFER] = { };

	told(to_hearth_dev(dev), cmd);
	scsi_build_sense_buffer(dev->transport->get_blocks(dev) > U32_MAX,
				sense, UNIT_ATTENTION,
				ASC_CAPACITY_DATA_HAS_CHANGED);
	transport_copy_sense_to_cmd(cmd, sense);
	target_complete_cmd(cmd, SAM_STAT_CHECK_CONDITION);
	return 0;
}

/* SAM-5 5.14: these do not report unit attentions. */
static bool reports_attention(const struct se_cmd *cmd)
{
	switch (cmd->t_task_cdb[0]) {
	case INQUIRY:
	case REPORT_LUNS:
	case REQUEST_SENSE:
		return false;
	default:
		return true;
	}
}

/**
 * hearth_capacity_check() - have the size taken over if the device has another
 * @hdev: the LUN
 *
 * Context: Any.
 */
void hearth_capacity_check(struct hearth_dev *hdev)
{
	struct block_device *bdev = READ_ONCE(hdev->disk.bdev);

	if (unlikely(bdev_nr_sectors(bdev) != READ_ONCE(hdev->nr_sectors)))
		queue_work(system_unbound_wq, &hdev->capacity_work);
}

/**
 * hearth_capacity_intercept() - look at the size of the LUN for a command
 * @cmd: the command, about to be parsed
 *
 * Context: Process context.
 * Return: true if the command's initiator has to be told of another size instead:
 * &se_cmd.execute_cmd does that.
 */
bool hearth_capacity_intercept(struct se_cmd *cmd)
{
	struct hearth_dev *hdev = to_hearth_dev(cmd->se_dev);
	bool intercept;

	hearth_capacity_check(hdev);
	if (likely(!READ_ONCE(hdev->has_untold)) || !reports_attention(cmd))
		return false;
	spin_lock(&hdev->untold_lock);
	intercept = is_listed(&hdev->untold, cmd->se_sess, cmd->se_lun);
	spin_unlock(&hdev->untold_lock);
	if (intercept)
		cmd->execute_cmd = report_change;
	return intercept;
}

/**
 * hearth_capacity_update() - take over the size of the device
 * @hdev: the LUN
 *
 * What lies behind the end of a device that became smaller is forgotten, but
 * for what it does not hold yet: that is written when it is large enough again.
 *
 * Context: Process context, under the LUN's lock, sleeps.
 */
void hearth_capacity_update(struct hearth_dev *hdev)
{
	struct block_device *bdev = hdev->disk.bdev;
	u64 old = hdev->cache->size_bytes;
	u64 new;

	lockdep_assert_held(&hdev->lock);
	if (!disk_live(bdev->bd_disk))
		return;		/* that it has no size is no news */
	WRITE_ONCE(hdev->nr_sectors, bdev_nr_sectors(bdev));
	new = round_down(hdev->nr_sectors << SECTOR_SHIFT,
			 hdev->se_dev.dev_attrib.block_size);
	if (new == old)
		return;
	if (!new) {
		hearth_err(hdev, "dev=%s: has no size any more; the LUN keeps its own\n",
			   hdev->params.dev);
		return;
	}
	pr_info("hearth: %s: dev=%s: has %llu bytes now, had %llu\n",
		hdev->name, hdev->params.dev, new, old);
	WRITE_ONCE(hdev->cache->size_bytes, new);
	if (new < old)
		hearth_command_alone(hdev, new, old - new, NULL);
	hearth_capacity_tell(hdev);
	hearth_cdev_resized(hdev, new);
}

static void update_capacity(struct work_struct *work)
{
	struct hearth_dev *hdev;

	hdev = container_of(work, struct hearth_dev, capacity_work);
	mutex_lock(&hdev->lock);
	hearth_capacity_update(hdev);
	mutex_unlock(&hdev->lock);
}

/**
 * hearth_capacity_init() - begin to follow the device
 * @hdev: the LUN, with its device
 */
void hearth_capacity_init(struct hearth_dev *hdev)
{
	INIT_WORK(&hdev->capacity_work, update_capacity);
	spin_lock_init(&hdev->untold_lock);
	INIT_LIST_HEAD(&hdev->untold);
	hdev->has_untold = false;
	hdev->nr_sectors = bdev_nr_sectors(hdev->disk.bdev);
}

/**
 * hearth_capacity_exit() - stop following
 * @hdev: the LUN; no command will come
 *
 * Context: Process context, sleeps.
 */
void hearth_capacity_exit(struct hearth_dev *hdev)
{
	cancel_work_sync(&hdev->capacity_work);
	free_list(&hdev->untold);
}
