// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backstore that the target core sees.
 */
#include <linux/configfs.h>

#include "backstore.h"
#include "hearth.h"

#define HEARTH_REV		"1.0"
#define QUEUE_DEPTH		128
#define MAX_IO_BYTES		SZ_4M
#define MAX_UNMAP_BLOCKS	1048576U
#define MAX_WRITE_SAME_BLOCKS	0xffff

static int hearth_attach_hba(struct se_hba *hba, u32 host_id)
{
	return 0;
}

static void hearth_detach_hba(struct se_hba *hba)
{
}

static struct se_device *hearth_alloc_device(struct se_hba *hba,
					     const char *name)
{
	struct hearth_dev *hdev;

	hdev = kzalloc(sizeof(*hdev), GFP_KERNEL);
	if (!hdev)
		return NULL;
	strscpy(hdev->name, name, sizeof(hdev->name));
	mutex_init(&hdev->lock);
	hearth_params_init(&hdev->params);
	return &hdev->se_dev;
}

static void free_device_rcu(struct rcu_head *rcu)
{
	struct se_device *dev = container_of(rcu, struct se_device, rcu_head);

	kfree(to_hearth_dev(dev));
}

static void hearth_free_device(struct se_device *dev)
{
	hearth_params_free(&to_hearth_dev(dev)->params);
	call_rcu(&dev->rcu_head, free_device_rcu);
}

static int make_cache(struct hearth_dev *hdev)
{
	struct hearth_cache_params params = {
		.ops		= &hearth_cache_ops,
		.priv		= hdev,
		.size_bytes	= bdev_nr_bytes(hdev->disk.bdev),
		.block_bytes	= bdev_logical_block_size(hdev->disk.bdev),
		.mode		= hdev->params.mode == HEARTH_WRITEBACK ?
				  HEARTH_WRITETHROUGH : hdev->params.mode,
		.home		= hdev->params.home,
		.dispatch	= hdev->params.dispatch,
		.stripe_bytes	= hdev->params.stripe_bytes,
		.ahead_bytes	= hdev->params.ahead_bytes,
		.dirty_bytes	= hearth_params_dirty(&hdev->params),
		.nr_pages	= hdev->share_pages,
		.min_pages	= hdev->min_pages,
	};

	hdev->cache = hearth_cache_alloc(&params);
	if (hdev->cache)
		return 0;
	hearth_err(hdev, "cache=%llu: no memory for its index; give a smaller size\n",
		   hdev->params.cache_bytes);
	return -ENOMEM;
}

static void set_limits(struct se_device *dev)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);
	struct block_device *bdev = hdev->disk.bdev;
	struct se_dev_attrib *attrib = &dev->dev_attrib;
	u32 block = bdev_logical_block_size(bdev);

	attrib->hw_block_size = block;
	attrib->hw_max_sectors = MAX_IO_BYTES / block;
	attrib->hw_queue_depth = QUEUE_DEPTH;
	/* what is no zeroes has to be written out, all of it at once */
	attrib->max_write_same_len = MAX_WRITE_SAME_BLOCKS;
	attrib->is_nonrot = bdev_nonrot(bdev);
}

static int enable(struct hearth_dev *hdev)
{
	int ret;

	lockdep_assert_held(&hdev->lock);
	ret = hearth_backing_open(hdev);
	if (ret)
		return ret;
	hearth_capacity_init(hdev);
	hearth_reattach_init(hdev);
	hearth_readonly_set(hdev, hdev->params.readonly);
	ret = hearth_node_reserve(hdev);
	if (ret)
		goto out_close_backing;
	ret = make_cache(hdev);
	if (ret)
		goto out_release_node;
	ret = hearth_writeback_start(hdev);
	if (ret)
		goto out_free_cache;
	ret = hearth_cdev_add(hdev);
	if (ret)
		goto out_stop_writeback;
	ret = hearth_stats_add(hdev);
	if (ret)
		goto out_remove_cdev;
	ret = hearth_shrink_add(hdev);
	if (ret)
		goto out_remove_stats;
	hearth_cdev_start(hdev);
	return 0;

out_remove_stats:
	hearth_stats_remove(hdev);
out_remove_cdev:
	hearth_cdev_remove(hdev);
out_stop_writeback:
	hearth_writeback_stop(hdev);
	hearth_writeback_free(hdev);
out_free_cache:
	hearth_cache_free(hdev->cache);
	hdev->cache = NULL;
out_release_node:
	hearth_node_release(hdev);
out_close_backing:
	hearth_backing_close(hdev);
	return ret;
}

static int hearth_configure_device(struct se_device *dev)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);
	int ret;

	refcount_set(&hdev->nr_orphans, 1);
	init_completion(&hdev->orphans_gone);
	mutex_lock(&hdev->lock);
	ret = enable(hdev);
	mutex_unlock(&hdev->lock);
	if (!ret)
		set_limits(dev);
	return ret;
}

static void hearth_destroy_device(struct se_device *dev)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);

	WRITE_ONCE(hdev->is_going, true);
	hearth_cdev_stop(hdev);
	hearth_stats_remove(hdev);
	hearth_writeback_stop(hdev);
	hearth_capacity_exit(hdev);
	if (!refcount_dec_and_test(&hdev->nr_orphans))
		wait_for_completion(&hdev->orphans_gone);
	hearth_writeback_free(hdev);
	hearth_cdev_remove(hdev);
	hearth_shrink_remove(hdev);
	hearth_cache_free(hdev->cache);
	hdev->cache = NULL;
	hearth_node_release(hdev);
	hearth_reattach_exit(hdev);
	hearth_backing_close(hdev);
}

static ssize_t hearth_set_configfs_dev_params(struct se_device *dev,
					      const char *page, ssize_t count)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);
	int ret;

	mutex_lock(&hdev->lock);
	ret = hearth_params_parse(hdev, page, count);
	mutex_unlock(&hdev->lock);
	return ret ?: count;
}

static ssize_t hearth_show_configfs_dev_params(struct se_device *dev,
					       char *page)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);
	const struct hearth_params *params = &hdev->params;
	ssize_t len;

	mutex_lock(&hdev->lock);
	len = scnprintf(page, PAGE_SIZE / 2,
			"dev=%s cache=%llu cache_min=%llu mode=%s home=%s dispatch=%s stripe=%llu readahead=%llu dirty=%llu readonly=%d\n",
			params->dev ?: "", params->cache_bytes,
			hearth_params_cache_min(params),
			hearth_mode_name(params->mode),
			hearth_home_name(params->home),
			hearth_dispatch_name(params->dispatch),
			params->stripe_bytes, params->ahead_bytes,
			hearth_params_dirty(params), params->readonly);
	mutex_unlock(&hdev->lock);
	return len;
}

static bool hearth_configure_unmap(struct se_device *dev)
{
	struct se_dev_attrib *attrib = &dev->dev_attrib;

	if (!target_configure_unmap_from_queue(attrib,
					       to_hearth_dev(dev)->disk.bdev))
		return false;
	attrib->max_unmap_lba_count = min(attrib->max_unmap_lba_count,
					  MAX_UNMAP_BLOCKS);
	return true;
}

static sector_t hearth_get_blocks(struct se_device *dev)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);

	return div_u64(hdev->cache->size_bytes, dev->dev_attrib.block_size) - 1;
}

static sector_t hearth_get_alignment_offset_lbas(struct se_device *dev)
{
	struct block_device *bdev = to_hearth_dev(dev)->disk.bdev;
	int offset = bdev_alignment_offset(bdev);

	return offset < 0 ? 0 : offset / dev->dev_attrib.block_size;
}

static unsigned int hearth_get_lbppbe(struct se_device *dev)
{
	struct block_device *bdev = to_hearth_dev(dev)->disk.bdev;
	u32 physical = bdev_physical_block_size(bdev);

	if (physical <= dev->dev_attrib.block_size)
		return 0;
	return ilog2(physical / dev->dev_attrib.block_size);
}

static unsigned int hearth_get_io_min(struct se_device *dev)
{
	return bdev_io_min(to_hearth_dev(dev)->disk.bdev);
}

static unsigned int hearth_get_io_opt(struct se_device *dev)
{
	return bdev_io_opt(to_hearth_dev(dev)->disk.bdev);
}

static bool hearth_get_write_cache(struct se_device *dev)
{
	struct hearth_dev *hdev = to_hearth_dev(dev);

	return hdev->writeback.has_cache || bdev_write_cache(hdev->disk.bdev);
}

static struct hearth_dev *item_to_hearth_dev(struct config_item *item)
{
	struct se_dev_attrib *attrib;

	attrib = container_of(to_config_group(item), struct se_dev_attrib,
			      da_group);
	return to_hearth_dev(attrib->da_dev);
}

static ssize_t store_param(struct config_item *item, const char *key,
			   const char *page, size_t count)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);
	char *value, *trimmed;
	int ret;

	value = kmemdup_nul(page, count, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	trimmed = strim(value);
	mutex_lock(&hdev->lock);
	ret = hearth_params_set(hdev, key, trimmed);
	mutex_unlock(&hdev->lock);
	kfree(value);
	return ret ?: count;
}

static ssize_t hearth_mode_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%s\n", hearth_mode_name(hdev->params.mode));
}

static ssize_t hearth_mode_store(struct config_item *item, const char *page,
				 size_t count)
{
	return store_param(item, "mode", page, count);
}
CONFIGFS_ATTR(hearth_, mode);

static ssize_t hearth_home_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%s\n", hearth_home_name(hdev->params.home));
}

static ssize_t hearth_home_store(struct config_item *item, const char *page,
				 size_t count)
{
	return store_param(item, "home", page, count);
}
CONFIGFS_ATTR(hearth_, home);

static ssize_t hearth_dispatch_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%s\n",
			  hearth_dispatch_name(hdev->params.dispatch));
}

static ssize_t hearth_dispatch_store(struct config_item *item,
				     const char *page, size_t count)
{
	return store_param(item, "dispatch", page, count);
}
CONFIGFS_ATTR(hearth_, dispatch);

static ssize_t hearth_readahead_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%llu\n", hdev->params.ahead_bytes);
}

static ssize_t hearth_readahead_store(struct config_item *item,
				      const char *page, size_t count)
{
	return store_param(item, "readahead", page, count);
}
CONFIGFS_ATTR(hearth_, readahead);

static ssize_t hearth_dirty_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%llu\n", hearth_params_dirty(&hdev->params));
}

static ssize_t hearth_dirty_store(struct config_item *item, const char *page,
				  size_t count)
{
	return store_param(item, "dirty", page, count);
}
CONFIGFS_ATTR(hearth_, dirty);

static ssize_t hearth_stripe_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%llu\n", hdev->params.stripe_bytes);
}
CONFIGFS_ATTR_RO(hearth_, stripe);

static ssize_t hearth_cache_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%llu\n", hdev->params.cache_bytes);
}

static ssize_t hearth_cache_store(struct config_item *item, const char *page,
				  size_t count)
{
	return store_param(item, "cache", page, count);
}
CONFIGFS_ATTR(hearth_, cache);

static ssize_t hearth_cache_min_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%llu\n",
			  hearth_params_cache_min(&hdev->params));
}

static ssize_t hearth_cache_min_store(struct config_item *item,
				      const char *page, size_t count)
{
	return store_param(item, "cache_min", page, count);
}
CONFIGFS_ATTR(hearth_, cache_min);

static ssize_t hearth_readonly_show(struct config_item *item, char *page)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);

	return sysfs_emit(page, "%d\n", hdev->params.readonly);
}

static ssize_t hearth_readonly_store(struct config_item *item,
				     const char *page, size_t count)
{
	return store_param(item, "readonly", page, count);
}
CONFIGFS_ATTR(hearth_, readonly);

/* The target core's own block_size, which ours checks first. */
static struct configfs_attribute *core_block_size;

static ssize_t hearth_block_size_show(struct config_item *item, char *page)
{
	return core_block_size->show(item, page);
}

static ssize_t hearth_block_size_store(struct config_item *item,
				       const char *page, size_t count)
{
	struct hearth_dev *hdev = item_to_hearth_dev(item);
	struct se_dev_attrib *attrib = &hdev->se_dev.dev_attrib;
	u32 least, bytes;
	ssize_t ret;

	if (!hdev->cache)
		return -ENODEV;
	least = hdev->cache->block_bytes;
	if (!kstrtou32(page, 0, &bytes) &&
	    (bytes < least || hdev->cache->size_bytes < bytes)) {
		hearth_err(hdev, "block_size=%u: the device has blocks of %u bytes; give from %u to 4096\n",
			   bytes, least, least);
		return -EINVAL;
	}
	ret = core_block_size->store(item, page, count);
	attrib->hw_max_sectors = MAX_IO_BYTES / attrib->block_size;
	return ret;
}
CONFIGFS_ATTR(hearth_, block_size);

static struct configfs_attribute *own_attrs[] = {
	&hearth_attr_mode,
	&hearth_attr_home,
	&hearth_attr_dispatch,
	&hearth_attr_readahead,
	&hearth_attr_dirty,
	&hearth_attr_stripe,
	&hearth_attr_cache,
	&hearth_attr_cache_min,
	&hearth_attr_readonly,
};

static struct target_backend_ops hearth_ops = {
	.name			= "hearth",
	.inquiry_prod		= "HEARTH",
	.inquiry_rev		= HEARTH_REV,
	.owner			= THIS_MODULE,
	.attach_hba		= hearth_attach_hba,
	.detach_hba		= hearth_detach_hba,
	.alloc_device		= hearth_alloc_device,
	.configure_device	= hearth_configure_device,
	.destroy_device		= hearth_destroy_device,
	.free_device		= hearth_free_device,
	.configure_unmap	= hearth_configure_unmap,
	.parse_cdb		= hearth_parse_cdb,
	.set_configfs_dev_params = hearth_set_configfs_dev_params,
	.show_configfs_dev_params = hearth_show_configfs_dev_params,
	.get_device_type	= sbc_get_device_type,
	.get_blocks		= hearth_get_blocks,
	.get_alignment_offset_lbas = hearth_get_alignment_offset_lbas,
	.get_lbppbe		= hearth_get_lbppbe,
	.get_io_min		= hearth_get_io_min,
	.get_io_opt		= hearth_get_io_opt,
	.get_write_cache	= hearth_get_write_cache,
};

/* The target core's attributes, our check in front of one, and our own. */
static int make_attrs(void)
{
	struct configfs_attribute **attrs;
	unsigned int nr = 0, i;

	while (sbc_attrib_attrs[nr])
		nr++;
	attrs = kcalloc(nr + ARRAY_SIZE(own_attrs) + 1, sizeof(*attrs),
			GFP_KERNEL);
	if (!attrs)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		attrs[i] = sbc_attrib_attrs[i];
		if (!strcmp(attrs[i]->ca_name, "block_size")) {
			core_block_size = attrs[i];
			attrs[i] = &hearth_attr_block_size;
		}
	}
	memcpy(attrs + nr, own_attrs, sizeof(own_attrs));
	hearth_ops.tb_dev_attrib_attrs = attrs;
	return 0;
}

int hearth_backstore_init(void)
{
	int ret;

	ret = make_attrs();
	if (ret)
		return ret;
	ret = transport_backend_register(&hearth_ops);
	if (ret)
		kfree(hearth_ops.tb_dev_attrib_attrs);
	return ret;
}

void hearth_backstore_exit(void)
{
	target_backend_unregister(&hearth_ops);
	rcu_barrier();	/* free_device_rcu() */
	kfree(hearth_ops.tb_dev_attrib_attrs);
}
