// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/hearth/<lun>/: what a LUN is and what it did, a value per file.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "hearth.h"

/* Who may open /dev/hearth/<lun>: root, unless udev says otherwise. */
static char *hearth_devnode(hearth_devnode_device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return kasprintf(GFP_KERNEL, "hearth/%s", dev_name(dev));
}

static struct class hearth_class = {
	.name = "hearth",
	.devnode = hearth_devnode,
};

static ssize_t dev_path_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", hdev->params.dev);
}
static DEVICE_ATTR_RO(dev_path);

static ssize_t size_bytes_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", hdev->cache->size_bytes);
}
static DEVICE_ATTR_RO(size_bytes);

static ssize_t block_size_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", hdev->se_dev.dev_attrib.block_size);
}
static DEVICE_ATTR_RO(block_size);

static ssize_t cache_bytes_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", hdev->params.cache_bytes);
}
static DEVICE_ATTR_RO(cache_bytes);

static ssize_t mode_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n",
			  hearth_mode_name(READ_ONCE(hdev->params.mode)));
}
static DEVICE_ATTR_RO(mode);

static ssize_t home_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n",
			  hearth_home_name(READ_ONCE(hdev->cache->home)));
}
static DEVICE_ATTR_RO(home);

/* What was chosen: with a single node it makes no difference. */
static ssize_t dispatch_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n",
			  hearth_dispatch_name(hdev->params.dispatch));
}
static DEVICE_ATTR_RO(dispatch);

static ssize_t stripe_bytes_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", hdev->params.stripe_bytes);
}
static DEVICE_ATTR_RO(stripe_bytes);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);
	const char *state = "ok";

	if (!disk_live(hdev->disk.bdev->bd_disk))
		state = "gone";
	else if (hearth_writeback_error(hdev))
		state = "degraded";
	return sysfs_emit(buf, "%s\n", state);
}
static DEVICE_ATTR_RO(state);

static ssize_t dirty_bytes_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct hearth_dev *hdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", hearth_writeback_dirty_bytes(hdev));
}
static DEVICE_ATTR_RO(dirty_bytes);

static struct attribute *hearth_attrs[] = {
	&dev_attr_dev_path.attr,
	&dev_attr_size_bytes.attr,
	&dev_attr_block_size.attr,
	&dev_attr_cache_bytes.attr,
	&dev_attr_mode.attr,
	&dev_attr_home.attr,
	&dev_attr_dispatch.attr,
	&dev_attr_stripe_bytes.attr,
	&dev_attr_state.attr,
	&dev_attr_dirty_bytes.attr,
	NULL
};

static const struct attribute_group hearth_group = {
	.attrs = hearth_attrs,
};

static const struct attribute_group *hearth_groups[] = {
	&hearth_group,
	&hearth_online_group,
	NULL
};

/* The directory of one node of one LUN. */
struct hearth_node_dir {
	struct kobject kobj;
	struct hearth_cache *cache;
	int nid;
};

struct node_attr {
	struct attribute attr;
	u64 (*get)(const struct hearth_cache *cache, int nid);
};

static u64 get_frames(const struct hearth_cache *cache, int nid)
{
	return hearth_cache_frames(cache, nid);
}

static u64 get_dirty_frames(const struct hearth_cache *cache, int nid)
{
	return hearth_cache_dirty(cache, nid);
}

static u64 get_limit_frames(const struct hearth_cache *cache, int nid)
{
	return hearth_cache_limit(cache, nid);
}

static u64 get_metadata_bytes(const struct hearth_cache *cache, int nid)
{
	return hearth_cache_metadata(cache, nid);
}

static u64 get_memory_bytes(const struct hearth_cache *cache, int nid)
{
	return hearth_cache_memory(cache, nid);
}

#define NODE_ATTR(_name)						\
	static struct node_attr node_attr_##_name = {			\
		.attr = { .name = #_name, .mode = 0444 },		\
		.get = get_##_name,					\
	}

#define NODE_COUNTER(_name, _which)					\
	static u64 get_##_name(const struct hearth_cache *cache, int nid) \
	{								\
		return hearth_cache_count(cache, nid, _which);		\
	}								\
	NODE_ATTR(_name)

NODE_COUNTER(hits, HEARTH_HITS);
NODE_COUNTER(misses, HEARTH_MISSES);
NODE_COUNTER(ahead, HEARTH_AHEAD);
NODE_COUNTER(flipped_bytes, HEARTH_FLIPPED_BYTES);
NODE_COUNTER(local_bytes, HEARTH_LOCAL_BYTES);
NODE_COUNTER(remote_bytes, HEARTH_REMOTE_BYTES);
NODE_COUNTER(remote_stored_bytes, HEARTH_REMOTE_STORES);
NODE_COUNTER(handed_over, HEARTH_HANDED_OVER);
NODE_COUNTER(rehomed, HEARTH_REHOMED);
NODE_COUNTER(evictions, HEARTH_EVICTIONS);
NODE_COUNTER(reclaims, HEARTH_RECLAIMS);
NODE_COUNTER(bypasses, HEARTH_BYPASSES);
NODE_COUNTER(cleaned, HEARTH_CLEANED);
NODE_ATTR(frames);
NODE_ATTR(dirty_frames);
NODE_ATTR(limit_frames);
NODE_ATTR(metadata_bytes);
NODE_ATTR(memory_bytes);

static struct attribute *node_attrs[] = {
	&node_attr_hits.attr,
	&node_attr_misses.attr,
	&node_attr_ahead.attr,
	&node_attr_flipped_bytes.attr,
	&node_attr_local_bytes.attr,
	&node_attr_remote_bytes.attr,
	&node_attr_remote_stored_bytes.attr,
	&node_attr_handed_over.attr,
	&node_attr_rehomed.attr,
	&node_attr_evictions.attr,
	&node_attr_reclaims.attr,
	&node_attr_bypasses.attr,
	&node_attr_cleaned.attr,
	&node_attr_frames.attr,
	&node_attr_dirty_frames.attr,
	&node_attr_limit_frames.attr,
	&node_attr_metadata_bytes.attr,
	&node_attr_memory_bytes.attr,
	NULL
};
ATTRIBUTE_GROUPS(node);

static ssize_t node_show(struct kobject *kobj, struct attribute *attr,
			 char *buf)
{
	struct hearth_node_dir *dir;
	struct node_attr *which;

	dir = container_of(kobj, struct hearth_node_dir, kobj);
	which = container_of(attr, struct node_attr, attr);
	return sysfs_emit(buf, "%llu\n", which->get(dir->cache, dir->nid));
}

static void node_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct hearth_node_dir, kobj));
}

static const struct sysfs_ops node_sysfs_ops = {
	.show = node_show,
};

static const struct kobj_type node_ktype = {
	.release	= node_release,
	.sysfs_ops	= &node_sysfs_ops,
	.default_groups	= node_groups,
};

int hearth_stats_init(void)
{
	return class_register(&hearth_class);
}

void hearth_stats_exit(void)
{
	class_unregister(&hearth_class);
}

static int add_node(struct hearth_dev *hdev, int nid)
{
	struct hearth_node_dir *dir;
	int ret;

	dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	if (!dir)
		return -ENOMEM;
	dir->cache = hdev->cache;
	dir->nid = nid;
	ret = kobject_init_and_add(&dir->kobj, &node_ktype, &hdev->sysfs->kobj,
				   "node%d", nid);
	if (ret)
		kobject_put(&dir->kobj);
	else
		hdev->nodes[nid] = dir;
	return ret;
}

static void remove_nodes(struct hearth_dev *hdev)
{
	int nid;

	for_each_node(nid) {
		if (!hdev->nodes[nid])
			continue;
		/* waits for readers, so that the cache may go afterwards */
		kobject_del(&hdev->nodes[nid]->kobj);
		kobject_put(&hdev->nodes[nid]->kobj);
	}
	kfree(hdev->nodes);
	hdev->nodes = NULL;
}

static int add_nodes(struct hearth_dev *hdev)
{
	int nid, ret;

	hdev->nodes = kcalloc(nr_node_ids, sizeof(*hdev->nodes), GFP_KERNEL);
	if (!hdev->nodes)
		return -ENOMEM;
	for_each_node(nid) {
		if (!hearth_cache_limit(hdev->cache, nid))
			continue;
		ret = add_node(hdev, nid);
		if (ret) {
			remove_nodes(hdev);
			return ret;
		}
	}
	return 0;
}

/**
 * hearth_stats_add() - show a LUN under /sys/class/hearth
 * @hdev: the LUN, with its cache
 *
 * Context: Process context, may sleep.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_stats_add(struct hearth_dev *hdev)
{
	int ret;

	hdev->sysfs = device_create_with_groups(&hearth_class, NULL,
						hearth_cdev_number(hdev), hdev,
						hearth_groups, "%s",
						hdev->name);
	if (IS_ERR(hdev->sysfs)) {
		ret = PTR_ERR(hdev->sysfs);
		if (ret == -EEXIST)
			hearth_err(hdev, "there is a LUN of this name already; choose another\n");
		hdev->sysfs = NULL;
		return ret;
	}
	ret = add_nodes(hdev);
	if (ret) {
		device_unregister(hdev->sysfs);
		hdev->sysfs = NULL;
	}
	return ret;
}

/**
 * hearth_stats_remove() - take a LUN's directory away
 * @hdev: the LUN
 *
 * Nobody reads in it any more on return.
 *
 * Context: Process context, may sleep.
 */
void hearth_stats_remove(struct hearth_dev *hdev)
{
	remove_nodes(hdev);
	device_unregister(hdev->sysfs);
	hdev->sysfs = NULL;
}
