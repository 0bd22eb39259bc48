// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an administrator does to a LUN in use, by writing to
 * /sys/class/hearth/<lun>/.  None of it outlives the LUN.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "core/pin.h"
#include "hearth.h"

/*
 * Takes the LUN's lock for a write to one of its files.  Whoever removes the
 * file may hold that lock and wait for the write to end, so this does not wait.
 */
static int lock_lun(struct hearth_dev *hdev)
{
	return mutex_trylock(&hdev->lock) ? 0 : restart_syscall();
}

/* Runs what a file stands for if 1 is written to it. */
static ssize_t act(struct device *dev, const char *file, const char *buf,
		   size_t count, int (*action)(struct hearth_dev *hdev))
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);
	int ret;

	if (!sysfs_streq(buf, "1")) {
		hearth_err(hdev, "%s=%.*s: give 1\n", file,
			   (int)strcspn(buf, "\n"), buf);
		return -EINVAL;
	}
	ret = lock_lun(hdev);
	if (ret)
		return ret;
	ret = action(hdev);
	mutex_unlock(&hdev->lock);
	return ret ?: count;
}

static int drop(struct hearth_dev *hdev)
{
	hearth_cache_drop(hdev->cache);
	return 0;
}

static ssize_t drop_store(struct device *dev, struct device_attribute *attr,
			  const char *buf, size_t count)
{
	return act(dev, "drop", buf, count, drop);
}
static DEVICE_ATTR_WO(drop);

static int rescan(struct hearth_dev *hdev)
{
	hearth_capacity_update(hdev);
	return 0;
}

static ssize_t rescan_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	return act(dev, "rescan", buf, count, rescan);
}
static DEVICE_ATTR_WO(rescan);

static ssize_t reattach_store(struct device *dev, struct device_attribute *attr,
			      const char *buf, size_t count)
{
	return act(dev, "reattach", buf, count, hearth_reattach);
}
static DEVICE_ATTR_WO(reattach);

static ssize_t flush_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	return act(dev, "flush", buf, count, hearth_writeback_flush);
}
static DEVICE_ATTR_WO(flush);

static ssize_t discard_dirty_store(struct device *dev,
				   struct device_attribute *attr,
				   const char *buf, size_t count)
{
	return act(dev, "discard_dirty", buf, count, hearth_writeback_discard);
}
static DEVICE_ATTR_WO(discard_dirty);

static ssize_t accept_loss_store(struct device *dev,
				 struct device_attribute *attr,
				 const char *buf, size_t count)
{
	return act(dev, "accept_loss", buf, count,
		   hearth_writeback_accept_loss);
}
static DEVICE_ATTR_WO(accept_loss);

static ssize_t revoke_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	return act(dev, "revoke", buf, count, hearth_cdev_revoke);
}
static DEVICE_ATTR_WO(revoke);

static ssize_t paused_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", READ_ONCE(hdev->cache->paused));
}

static ssize_t paused_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);
	bool paused;

	if (kstrtobool(buf, &paused)) {
		hearth_err(hdev, "paused=%.*s: give 0 or 1\n",
			   (int)strcspn(buf, "\n"), buf);
		return -EINVAL;
	}
	WRITE_ONCE(hdev->cache->paused, paused);
	return count;
}
static DEVICE_ATTR_RW(paused);

/* "offset+length", each as the sizes of the control file. */
static int parse_range(const char *text, u64 *ret_offset, u64 *ret_len)
{
	const char *plus = strchr(text, '+');
	char offset[24];

	if (!plus || plus - text >= sizeof(offset))
		return -EINVAL;
	strscpy(offset, text, plus - text + 1);
	if (hearth_parse_size(offset, ret_offset))
		return -EINVAL;
	return hearth_parse_size(plus + 1, ret_len);
}

static const char *explain_pin(int error)
{
	switch (error) {
	case -EINVAL:
		return "not a range of the LUN; give offset+length, in bytes or with k, M, G or T";
	case -EEXIST:
		return "overlaps a range that is pinned; unpin that first";
	case -ENOSPC:
		return "too much; all pinned ranges are at most 64, and half of cache=";
	case -ENOENT:
		return "no such range is pinned; give one that pinned shows";
	default:
		return "no memory; try again";
	}
}

static ssize_t change_pins(struct device *dev, const char *file,
			   const char *buf, size_t count,
			   int (*change)(struct hearth_cache *cache, u64 offset,
					 u64 len))
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);
	char *copy, *text;
	u64 offset, len;
	int ret;

	copy = kmemdup_nul(buf, count, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	ret = lock_lun(hdev);
	if (ret)
		goto out_free;
	text = strim(copy);
	ret = parse_range(text, &offset, &len);
	if (!ret)
		ret = change(hdev->cache, offset, len);
	if (ret)
		hearth_err(hdev, "%s=%s: %s\n", file, text, explain_pin(ret));
	mutex_unlock(&hdev->lock);
out_free:
	kfree(copy);
	return ret ?: count;
}

static ssize_t pin_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t count)
{
	return change_pins(dev, "pin", buf, count, hearth_pin_add);
}
static DEVICE_ATTR_WO(pin);

static ssize_t unpin_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	return change_pins(dev, "unpin", buf, count, hearth_pin_remove);
}
static DEVICE_ATTR_WO(unpin);

/* The pinned ranges, as frames, in one line. */
static ssize_t pinned_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);
	const struct hearth_pins *pins;
	const struct hearth_pin *pin;
	ssize_t len = 0;
	unsigned int i;

	rcu_read_lock();
	/* pairs with the release in replace_pins() */
	pins = smp_load_acquire(&hdev->cache->pins);
	for (i = 0; pins && i < pins->nr; i++) {
		pin = &pins->pins[i];
		len += sysfs_emit_at(buf, len, "%s%llu+%llu", i ? "," : "",
				     pin->first << HEARTH_FRAME_SHIFT,
				     hearth_pin_bytes(pin));
	}
	rcu_read_unlock();
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(pinned);

static struct attribute *online_attrs[] = {
	&dev_attr_drop.attr,
	&dev_attr_rescan.attr,
	&dev_attr_reattach.attr,
	&dev_attr_flush.attr,
	&dev_attr_discard_dirty.attr,
	&dev_attr_accept_loss.attr,
	&dev_attr_revoke.attr,
	&dev_attr_paused.attr,
	&dev_attr_pin.attr,
	&dev_attr_unpin.attr,
	&dev_attr_pinned.attr,
	NULL
};

const struct attribute_group hearth_online_group = {
	.attrs = online_attrs,
};
