// SPDX-License-Identifier: GPL-2.0-only
/*
 * mode=writeback around the cache: when it may be used, when data is written
 * back, and that none is left behind.
 *
 * A LUN with dirty frames must not be deleted.  The target core cannot refuse
 * that, but configfs can: it holds on to an item that something depends on.  So
 * writes are written through until the first one of a LUN has started a work
 * item that gets hold of it.  It is let go when the LUN is clean and nobody can
 * write to it: when it is not exported any more.
 *
 * What is dirty for a while is written back by the tick, also below the
 * watermarks.  If the device could not be flushed the tick tries that again.
 * Before the machine stops or sleeps all LUNs are flushed.
 */
#include <linux/reboot.h>
#include <linux/suspend.h>
#include <target/target_core_fabric.h>

#include "hearth.h"

#define TICK		(5 * HZ)
#define FLUSH_TRIES	3

/* A LUN's lock may be held when this one is taken, but not the other way. */
static DEFINE_MUTEX(luns_mutex);
static LIST_HEAD(luns);		/* under luns_mutex */
static struct workqueue_struct *flush_wq;

static void run_flusher(struct work_struct *work)
{
	struct hearth_flusher *flusher;

	flusher = container_of(work, struct hearth_flusher, work);
	hearth_flush_run(flusher->hdev->cache, flusher->nid);
}

/**
 * hearth_writeback_run() - have a node go on with writing back
 * @cache: the LUN's cache
 * @nid: the node; see &hearth_cache_ops.flush
 *
 * Context: Any.
 */
void hearth_writeback_run(struct hearth_cache *cache, int nid)
{
	struct hearth_dev *hdev = cache->priv;

	queue_work_node(nid, flush_wq, &hdev->writeback.flushers[nid].work);
}

/**
 * hearth_writeback_dirty_bytes() - how much the device does not hold yet
 * @hdev: the LUN
 *
 * Return: Bytes, in whole frames.
 */
u64 hearth_writeback_dirty_bytes(struct hearth_dev *hdev)
{
	u64 nr_frames = 0;
	int nid;

	for_each_node(nid)
		nr_frames += hearth_cache_dirty(hdev->cache, nid);
	return nr_frames << HEARTH_FRAME_SHIFT;
}

/* What the device says to being written to, and flushed. */
static int device_error(struct hearth_dev *hdev)
{
	int error = hearth_cache_flush_error(hdev->cache);

	return error ?: hearth_cache_sync_error(hdev->cache);
}

/**
 * hearth_writeback_error() - whether something keeps data from being durable
 * @hdev: the LUN
 *
 * Return: -errno: the device could not be written to, or not be flushed, or has
 * lost something; 0: none of that.
 */
int hearth_writeback_error(struct hearth_dev *hdev)
{
	return hearth_cache_is_lost(hdev->cache) ? -EIO : device_error(hdev);
}

static void report_loss(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;
	bool is_lost = hearth_cache_is_lost(hdev->cache);

	if (is_lost && !wb->is_lost)
		hearth_err(hdev, "dev=%s: the device may have lost what it had acknowledged, and that is not in the cache any more; SYNCHRONIZE CACHE fails until accept_loss says that somebody has taken note\n",
			   hdev->params.dev);
	wb->is_lost = is_lost;
}

/* Tells the administrator once that write-back fails, and once that it works. */
static void report(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;
	bool was_degraded = wb->is_failing || wb->is_lost;
	int error = device_error(hdev);

	report_loss(hdev);
	if (error && !wb->is_failing)
		hearth_err(hdev, "dev=%s: writing back failed: error %d; %llu bytes stay in the cache and are tried again; mend the device\n",
			   hdev->params.dev, error,
			   hearth_writeback_dirty_bytes(hdev));
	else if (!error && wb->is_failing)
		pr_info("hearth: %s: dev=%s: writing back works again\n",
			hdev->name, hdev->params.dev);
	wb->is_failing = error;
	if (was_degraded != (wb->is_failing || wb->is_lost))
		hearth_cdev_event(hdev);
}

static bool is_exported(struct hearth_dev *hdev)
{
	return READ_ONCE(hdev->se_dev.export_count);
}

/* From now on configfs may delete the LUN; writes go through. */
static void let_go(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;

	lockdep_assert_held(&hdev->lock);
	if (!wb->is_held || is_exported(hdev) ||
	    hearth_writeback_dirty_bytes(hdev))
		return;
	if (hdev->params.mode == HEARTH_WRITEBACK) {
		WRITE_ONCE(hdev->cache->mode, HEARTH_WRITETHROUGH);
		WRITE_ONCE(wb->wants_hold, true);
	}
	wb->is_held = false;
	target_undepend_item(&hdev->se_dev.dev_group.cg_item);
}

static void start_tick(struct hearth_dev *hdev)
{
	queue_delayed_work(flush_wq, &hdev->writeback.tick, TICK);
}

static void tick(struct work_struct *work)
{
	struct hearth_writeback *wb;
	struct hearth_dev *hdev;

	wb = container_of(to_delayed_work(work), struct hearth_writeback, tick);
	hdev = container_of(wb, struct hearth_dev, writeback);
	if (READ_ONCE(hdev->is_going))
		return;
	report(hdev);
	if (hearth_cache_sync_error(hdev->cache))
		hearth_command_flush(hdev);
	else if (hearth_writeback_dirty_bytes(hdev))
		hearth_flush_start(hdev->cache);
	/* who changes the mode waits for write-back, and so for this */
	if (mutex_trylock(&hdev->lock)) {
		let_go(hdev);
		mutex_unlock(&hdev->lock);
	}
	if (READ_ONCE(wb->is_held) || hearth_writeback_dirty_bytes(hdev))
		start_tick(hdev);
}

static void hold(struct work_struct *work)
{
	struct hearth_writeback *wb;
	struct hearth_dev *hdev;

	wb = container_of(work, struct hearth_writeback, hold);
	hdev = container_of(wb, struct hearth_dev, writeback);
	/* fails if it is being deleted */
	if (!target_depend_item(&hdev->se_dev.dev_group.cg_item)) {
		mutex_lock(&hdev->lock);
		wb->is_held = true;
		if (hdev->params.mode == HEARTH_WRITEBACK)
			WRITE_ONCE(hdev->cache->mode, HEARTH_WRITEBACK);
		mutex_unlock(&hdev->lock);
		start_tick(hdev);
	}
	hearth_orphan_put(hdev);
}

/**
 * hearth_writeback_hold() - a write comes
 * @hdev: the LUN
 *
 * The first one sees to it that those to come may be written back.
 *
 * Context: Any.
 */
void hearth_writeback_hold(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;

	if (likely(!READ_ONCE(wb->wants_hold)))
		return;
	if (!xchg(&wb->wants_hold, false))
		return;
	/* who deletes the LUN holds locks of configfs, which the work takes too */
	hearth_orphan_get(hdev);
	if (!queue_work(system_long_wq, &wb->hold))
		hearth_orphan_put(hdev);
}

/**
 * hearth_writeback_failed() - a flush has failed
 * @hdev: the LUN
 *
 * What the device may have lost is dirty again, in any mode: the tick has it
 * written.
 *
 * Context: Process context.
 */
void hearth_writeback_failed(struct hearth_dev *hdev)
{
	report(hdev);
	start_tick(hdev);
}

/* Something is dirty, in whatever mode: the tick has it written. */
void hearth_writeback_soon(struct hearth_dev *hdev)
{
	start_tick(hdev);
}

static int flush(struct hearth_dev *hdev)
{
	int tries = FLUSH_TRIES;
	int ret;

	do {
		ret = hearth_command_wait(hdev, HEARTH_OP_FLUSH);
	} while (!ret && hearth_writeback_dirty_bytes(hdev) && --tries);
	report(hdev);
	if (ret)
		hearth_writeback_failed(hdev);
	return ret;
}

/**
 * hearth_writeback_flush() - write back what is dirty, and flush the device
 * @hdev: the LUN
 *
 * If nobody can write to it any more the LUN may be deleted on return.
 *
 * Context: Process context, under the LUN's lock; sleeps.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_writeback_flush(struct hearth_dev *hdev)
{
	int ret;

	lockdep_assert_held(&hdev->lock);
	hearth_cdev_settle(hdev);	/* what is shown stays dirty */
	ret = flush(hdev);
	hearth_cdev_settle(hdev);
	let_go(hdev);
	if (ret)
		hearth_err(hdev, "dev=%s: flushing failed: error %d\n",
			   hdev->params.dev, ret);
	return ret;
}

/**
 * hearth_writeback_discard() - forget what is dirty, and the rest of the cache
 * @hdev: the LUN
 *
 * Context: Process context, under the LUN's lock; sleeps.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_writeback_discard(struct hearth_dev *hdev)
{
	u64 nr_bytes;
	int ret;

	lockdep_assert_held(&hdev->lock);
	if (is_exported(hdev)) {
		hearth_err(hdev, "discard_dirty: initiators can see the LUN; unexport it first\n");
		return -EBUSY;
	}
	if (hearth_cdev_shows(hdev)) {
		hearth_err(hdev, "discard_dirty: a part of the LUN is mapped or registered; revoke it first\n");
		return -EBUSY;
	}
	nr_bytes = hearth_writeback_dirty_bytes(hdev);
	ret = hearth_command_wait(hdev, HEARTH_OP_FORGET);
	if (!ret && nr_bytes)
		pr_warn("hearth: %s: %llu bytes that were never written to %s are discarded\n",
			hdev->name, nr_bytes, hdev->params.dev);
	hearth_cdev_settle(hdev);
	let_go(hdev);
	return ret;
}

/**
 * hearth_writeback_accept_loss() - the administrator knows what may be lost
 * @hdev: the LUN
 *
 * Context: Process context.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_writeback_accept_loss(struct hearth_dev *hdev)
{
	if (!hearth_cache_is_lost(hdev->cache)) {
		hearth_err(hdev, "accept_loss: nothing is lost; there is nothing to do\n");
		return -EBUSY;
	}
	hearth_cache_accept_loss(hdev->cache);
	report(hdev);
	return 0;
}

static int enter(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;

	if (is_exported(hdev) && !wb->has_cache &&
	    !bdev_write_cache(hdev->disk.bdev)) {
		hearth_err(hdev, "mode=writeback: initiators were told that there is no write cache; unexport the LUN first\n");
		return -EBUSY;
	}
	wb->has_cache = true;
	if (wb->is_held)
		WRITE_ONCE(hdev->cache->mode, HEARTH_WRITEBACK);
	else
		WRITE_ONCE(wb->wants_hold, true);
	return 0;
}

static int leave(struct hearth_dev *hdev, enum hearth_mode mode)
{
	struct hearth_writeback *wb = &hdev->writeback;
	int ret;

	WRITE_ONCE(wb->wants_hold, false);
	WRITE_ONCE(hdev->cache->mode, mode);
	synchronize_rcu();	/* hearth_cache_write_hits() */
	if (wb->is_held) {
		ret = flush(hdev);
		if (ret) {
			WRITE_ONCE(hdev->cache->mode, HEARTH_WRITEBACK);
			hearth_err(hdev, "mode=%s: %llu bytes cannot be written back: error %d; the mode stays writeback\n",
				   hearth_mode_name(mode),
				   hearth_writeback_dirty_bytes(hdev), ret);
			return ret;
		}
	}
	if (!is_exported(hdev))
		wb->has_cache = false;
	let_go(hdev);
	return 0;
}

/**
 * hearth_writeback_set_mode() - change the mode of a LUN in use
 * @hdev: the LUN
 * @mode: the new mode, not the present one
 *
 * Context: Process context, under the LUN's lock; sleeps.
 * Return: 0 or -errno, after a line in the log; then nothing has changed.
 */
int hearth_writeback_set_mode(struct hearth_dev *hdev, enum hearth_mode mode)
{
	lockdep_assert_held(&hdev->lock);
	return mode == HEARTH_WRITEBACK ? enter(hdev) : leave(hdev, mode);
}

/**
 * hearth_writeback_start() - get a LUN ready
 * @hdev: the LUN, with its cache
 *
 * Context: Process context, under the LUN's lock.
 * Return: 0 or -errno.
 */
int hearth_writeback_start(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;
	int nid;

	wb->flushers = kcalloc(nr_node_ids, sizeof(*wb->flushers), GFP_KERNEL);
	if (!wb->flushers)
		return -ENOMEM;
	for_each_node(nid) {
		wb->flushers[nid].hdev = hdev;
		wb->flushers[nid].nid = nid;
		INIT_WORK(&wb->flushers[nid].work, run_flusher);
	}
	INIT_WORK(&wb->hold, hold);
	INIT_DELAYED_WORK(&wb->tick, tick);
	wb->has_cache = hdev->params.mode == HEARTH_WRITEBACK;
	wb->wants_hold = wb->has_cache;
	wb->is_held = false;
	wb->is_failing = false;
	wb->is_lost = false;
	mutex_lock(&luns_mutex);
	list_add_tail(&wb->link, &luns);
	mutex_unlock(&luns_mutex);
	return 0;
}

/**
 * hearth_writeback_stop() - nobody will write to a LUN any more
 * @hdev: the LUN; configfs lets it go
 *
 * Context: Process context, sleeps.
 */
void hearth_writeback_stop(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;
	u64 nr_bytes;

	mutex_lock(&luns_mutex);
	list_del(&wb->link);
	mutex_unlock(&luns_mutex);
	cancel_delayed_work_sync(&wb->tick);
	if (!hearth_writeback_dirty_bytes(hdev))
		return;
	flush(hdev);
	nr_bytes = hearth_writeback_dirty_bytes(hdev);
	if (nr_bytes)
		hearth_err(hdev, "dev=%s: %llu bytes could not be written back and are lost\n",
			   hdev->params.dev, nr_bytes);
}

/**
 * hearth_writeback_free() - undo hearth_writeback_start()
 * @hdev: the LUN; was stopped, and no request is under way
 *
 * Context: Process context, sleeps.
 */
void hearth_writeback_free(struct hearth_dev *hdev)
{
	struct hearth_writeback *wb = &hdev->writeback;
	int nid;

	/* a flush that failed after the LUN was stopped */
	cancel_delayed_work_sync(&wb->tick);
	for_each_node(nid)
		cancel_work_sync(&wb->flushers[nid].work);
	kfree(wb->flushers);
	wb->flushers = NULL;
}

static void flush_all(const char *why)
{
	struct hearth_dev *hdev;

	mutex_lock(&luns_mutex);
	list_for_each_entry(hdev, &luns, writeback.link) {
		if (!hearth_writeback_dirty_bytes(hdev))
			continue;
		pr_info("hearth: %s: %s: writing back %llu bytes\n", hdev->name,
			why, hearth_writeback_dirty_bytes(hdev));
		flush(hdev);
	}
	mutex_unlock(&luns_mutex);
}

static int on_reboot(struct notifier_block *block, unsigned long action,
		     void *data)
{
	flush_all("shutdown");
	return NOTIFY_DONE;
}

static int on_sleep(struct notifier_block *block, unsigned long action,
		    void *data)
{
	if (action == PM_SUSPEND_PREPARE || action == PM_HIBERNATION_PREPARE)
		flush_all("suspend");
	return NOTIFY_DONE;
}

static struct notifier_block reboot_block = { .notifier_call = on_reboot };
static struct notifier_block sleep_block = { .notifier_call = on_sleep };

int hearth_writeback_init(void)
{
	int ret;

	flush_wq = alloc_workqueue("hearth_flush", WQ_UNBOUND | WQ_MEM_RECLAIM,
				   0);
	if (!flush_wq)
		return -ENOMEM;
	ret = register_reboot_notifier(&reboot_block);
	if (ret)
		goto out_wq;
	ret = register_pm_notifier(&sleep_block);
	if (ret)
		goto out_reboot;
	return 0;

out_reboot:
	unregister_reboot_notifier(&reboot_block);
out_wq:
	destroy_workqueue(flush_wq);
	return ret;
}

void hearth_writeback_exit(void)
{
	unregister_pm_notifier(&sleep_block);
	unregister_reboot_notifier(&reboot_block);
	destroy_workqueue(flush_wq);
}
