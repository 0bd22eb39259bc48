// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hearth/<lun>: who has a LUN open, and for how long.
 *
 * An open file depends on the LUN's configfs item, so the LUN is not deleted under
 * it.  The administrator may revoke what is open: every file is told so from
 * then on, and the LUN can go.  So whatever uses a LUN through a file is a reader
 * of SRCU, which looks at the file first; who revokes waits for those readers.
 * (A lock would not do: they may fault on user memory meanwhile.)
 */
#include <linux/cdev.h>
#include <linux/poll.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include <target/target_core_fabric.h>

#include "cdev.h"

#define MAX_LUNS	(MINORMASK + 1)

static dev_t first_number;
static struct cdev cdev;
/* LUNs that can be opened, by minor; and whatever is open of them */
static DEFINE_MUTEX(files_mutex);
static DEFINE_XARRAY_ALLOC(luns);	/* under files_mutex */
DEFINE_STATIC_SRCU(file_srcu);

/**
 * hearth_file_enter() - use the LUN of a file
 * @file: the file
 * @ret_key: for hearth_file_leave()
 *
 * Context: Process context.
 * Return: The LUN, or NULL: it was revoked, say -ENODEV.
 */
struct hearth_dev *hearth_file_enter(struct file *file, int *ret_key)
{
	struct hearth_file *hfile = file->private_data;
	int key = srcu_read_lock(&file_srcu);

	/* pairs with the synchronize_srcu() of who revokes */
	if (READ_ONCE(hfile->is_revoked)) {
		srcu_read_unlock(&file_srcu, key);
		return NULL;
	}
	*ret_key = key;
	__release(&file_srcu);	/* the caller's from here on */
	return hfile->chardev->hdev;
}

/* Ends what hearth_file_enter() began. */
void hearth_file_leave(int key)
{
	__acquire(&file_srcu);	/* hearth_file_enter() did */
	srcu_read_unlock(&file_srcu, key);
}

static void put_chardev(struct hearth_chardev *chardev)
{
	if (refcount_dec_and_test(&chardev->refs))
		kfree(chardev);
}

/* The LUN of a minor, kept for as long as it takes to open it; or NULL. */
static struct hearth_dev *get_lun(unsigned int minor)
{
	struct hearth_chardev *chardev;
	struct hearth_dev *hdev = NULL;

	mutex_lock(&files_mutex);
	chardev = xa_load(&luns, minor);
	if (chardev) {
		hdev = chardev->hdev;
		hearth_orphan_get(hdev);
	}
	mutex_unlock(&files_mutex);
	return hdev;
}

static struct config_item *item_of(struct hearth_dev *hdev)
{
	return &hdev->se_dev.dev_group.cg_item;
}

static int open_lun(struct hearth_dev *hdev, struct file *file)
{
	struct hearth_chardev *chardev = hdev->chardev;
	struct hearth_file *hfile;

	if (file->f_mode & FMODE_WRITE && READ_ONCE(hdev->refuses_writes))
		return -EROFS;
	hfile = kzalloc(sizeof(*hfile), GFP_KERNEL);
	if (!hfile)
		return -ENOMEM;
	if (target_depend_item(item_of(hdev))) {
		kfree(hfile);
		return -ENXIO;	/* it is being deleted */
	}
	hfile->chardev = chardev;
	hfile->file = file;
	hfile->nr_seen = atomic_read(&chardev->nr_events);
	xa_init(&hfile->kept);
	refcount_inc(&chardev->refs);
	mutex_lock(&files_mutex);
	list_add_tail(&hfile->node, &chardev->files);
	mutex_unlock(&files_mutex);
	file->private_data = hfile;
	file->f_mode |= FMODE_CAN_ODIRECT;
	return 0;
}

static int hearth_file_open(struct inode *inode, struct file *file)
{
	struct hearth_dev *hdev = get_lun(iminor(inode));
	int ret;

	if (!hdev)
		return -ENXIO;
	ret = open_lun(hdev, file);
	hearth_orphan_put(hdev);
	return ret;
}

/* Under files_mutex: the LUN may go if nothing is left of what files did. */
static void let_go(struct hearth_chardev *chardev)
{
	for (; chardev->nr_left; chardev->nr_left--)
		target_undepend_item(item_of(chardev->hdev));
}

/* Under files_mutex: a file is closed, or revoked. */
static void leave(struct hearth_file *hfile)
{
	struct hearth_chardev *chardev = hfile->chardev;

	list_del_init(&hfile->node);
	hearth_window_close(chardev->hdev, hfile);
	chardev->nr_left++;
	if (hearth_map_sweep(chardev->hdev))
		mod_delayed_work(system_unbound_wq, &chardev->sweep, 0);
	else
		let_go(chardev);
}

static int hearth_file_release(struct inode *inode, struct file *file)
{
	struct hearth_file *hfile = file->private_data;

	mutex_lock(&files_mutex);
	if (!hfile->is_revoked)
		leave(hfile);
	mutex_unlock(&files_mutex);
	xa_destroy(&hfile->kept);
	put_chardev(hfile->chardev);
	kfree(hfile);
	return 0;
}

static loff_t hearth_file_llseek(struct file *file, loff_t offset, int whence)
{
	struct hearth_dev *hdev;
	int key;

	hdev = hearth_file_enter(file, &key);
	if (!hdev)
		return -ENODEV;
	offset = fixed_size_llseek(file, offset, whence,
				   READ_ONCE(hdev->cache->size_bytes));
	hearth_file_leave(key);
	return offset;
}

static __poll_t hearth_file_poll(struct file *file,
				 struct poll_table_struct *table)
{
	struct hearth_file *hfile = file->private_data;
	struct hearth_chardev *chardev = hfile->chardev;
	__poll_t events = EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &chardev->wait, table);
	if (READ_ONCE(hfile->is_revoked))
		return EPOLLHUP | EPOLLERR;
	if (READ_ONCE(hfile->nr_seen) != atomic_read(&chardev->nr_events))
		events |= EPOLLPRI;
	return events;
}

static const struct file_operations file_ops = {
	.owner		= THIS_MODULE,
	.open		= hearth_file_open,
	.release	= hearth_file_release,
	.llseek		= hearth_file_llseek,
	.read_iter	= hearth_file_read,
	.write_iter	= hearth_file_write,
	.fsync		= hearth_file_fsync,
	.mmap		= hearth_file_mmap,
	.poll		= hearth_file_poll,
	.unlocked_ioctl	= hearth_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

int hearth_cdev_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&first_number, 0, MAX_LUNS, "hearth");
	if (ret)
		return ret;
	cdev_init(&cdev, &file_ops);
	cdev.owner = THIS_MODULE;
	ret = cdev_add(&cdev, first_number, MAX_LUNS);
	if (ret)
		unregister_chrdev_region(first_number, MAX_LUNS);
	return ret;
}

void hearth_cdev_exit(void)
{
	cdev_del(&cdev);
	unregister_chrdev_region(first_number, MAX_LUNS);
	xa_destroy(&luns);
}

/**
 * hearth_cdev_add() - get a LUN a number for its node
 * @hdev: the LUN
 *
 * Context: Process context, may sleep.
 * Return: 0 or -errno.
 */
int hearth_cdev_add(struct hearth_dev *hdev)
{
	struct hearth_chardev *chardev;
	int ret;

	chardev = kzalloc(sizeof(*chardev), GFP_KERNEL);
	if (!chardev)
		return -ENOMEM;
	refcount_set(&chardev->refs, 1);
	chardev->hdev = hdev;
	init_waitqueue_head(&chardev->wait);
	INIT_LIST_HEAD(&chardev->files);
	hearth_map_init(chardev);
	xa_init(&chardev->windows);
	init_waitqueue_head(&chardev->committed);
	/* an entry without a value: nobody opens it yet */
	ret = xa_alloc(&luns, &chardev->minor, NULL,
		       XA_LIMIT(0, MAX_LUNS - 1), GFP_KERNEL);
	if (ret) {
		kfree(chardev);
		return ret;
	}
	hdev->chardev = chardev;
	return 0;
}

/* The LUN is ready: its node can be opened. */
void hearth_cdev_start(struct hearth_dev *hdev)
{
	mutex_lock(&files_mutex);
	/* takes no memory: the entry is there */
	xa_store(&luns, hdev->chardev->minor, hdev->chardev, GFP_KERNEL);
	mutex_unlock(&files_mutex);
}

/**
 * hearth_cdev_stop() - nobody opens a LUN any more
 * @hdev: the LUN; it is being deleted, so nobody has it open.  Who is about to
 *	open it is an orphan of the LUN.
 *
 * Context: Process context.
 */
void hearth_cdev_stop(struct hearth_dev *hdev)
{
	mutex_lock(&files_mutex);
	xa_store(&luns, hdev->chardev->minor, NULL, GFP_KERNEL);
	WARN_ON(!list_empty(&hdev->chardev->files));
	mutex_unlock(&files_mutex);
	cancel_delayed_work_sync(&hdev->chardev->sweep);
}

/**
 * hearth_cdev_remove() - undo hearth_cdev_add()
 * @hdev: the LUN; no orphans are left
 *
 * Context: Process context.
 */
void hearth_cdev_remove(struct hearth_dev *hdev)
{
	xa_erase(&luns, hdev->chardev->minor);
	put_chardev(hdev->chardev);
	hdev->chardev = NULL;
}

/* The number of a LUN's node. */
dev_t hearth_cdev_number(const struct hearth_dev *hdev)
{
	return first_number + hdev->chardev->minor;
}

/**
 * hearth_cdev_event() - tell who polls that something of the LUN has changed
 * @hdev: the LUN
 *
 * Context: Process context.
 */
void hearth_cdev_event(struct hearth_dev *hdev)
{
	atomic_inc(&hdev->chardev->nr_events);
	wake_up_interruptible_poll(&hdev->chardev->wait, EPOLLPRI);
}

/**
 * hearth_cdev_resized() - the LUN has another size
 * @hdev: the LUN
 * @size_bytes: its size; what is mapped behind it is not any more
 *
 * Context: Process context.
 */
void hearth_cdev_resized(struct hearth_dev *hdev, u64 size_bytes)
{
	struct hearth_file *hfile;

	mutex_lock(&files_mutex);
	list_for_each_entry(hfile, &hdev->chardev->files, node) {
		hearth_file_unmap(hfile, round_up(size_bytes, PAGE_SIZE));
		hearth_window_truncate(hdev, hfile,
				       DIV_ROUND_UP_ULL(size_bytes,
							PAGE_SIZE));
	}
	mutex_unlock(&files_mutex);
	hearth_cdev_event(hdev);
}

/**
 * hearth_cdev_settle() - let go of a LUN if nothing keeps it but closed files
 * @hdev: the LUN
 *
 * Context: Process context.
 * Return: Whether something does.
 */
bool hearth_cdev_settle(struct hearth_dev *hdev)
{
	bool keeps;

	mutex_lock(&files_mutex);
	keeps = hearth_map_sweep(hdev);
	if (!keeps)
		let_go(hdev->chardev);
	mutex_unlock(&files_mutex);
	return keeps;
}

/* Whether somebody has something of a LUN mapped, or pinned. */
bool hearth_cdev_shows(struct hearth_dev *hdev)
{
	hearth_map_sweep(hdev);
	return atomic_long_read(&hdev->cache->nr_shown);
}

/**
 * hearth_cdev_revoke() - take a LUN away from whoever has it open
 * @hdev: the LUN
 *
 * On return nothing is under way through any of these files, and nothing will be.
 *
 * Context: Process context, sleeps until what is under way is over.
 * Return: 0.
 */
int hearth_cdev_revoke(struct hearth_dev *hdev)
{
	struct hearth_chardev *chardev = hdev->chardev;
	struct hearth_file *hfile, *next;

	mutex_lock(&files_mutex);
	list_for_each_entry(hfile, &chardev->files, node)
		WRITE_ONCE(hfile->is_revoked, true);
	/* pairs with hearth_file_enter() */
	synchronize_srcu(&file_srcu);
	list_for_each_entry_safe(hfile, next, &chardev->files, node) {
		hearth_file_unmap(hfile, 0);
		leave(hfile);
	}
	mutex_unlock(&files_mutex);
	wake_up_interruptible_poll(&chardev->wait, EPOLLHUP | EPOLLERR);
	return 0;
}
