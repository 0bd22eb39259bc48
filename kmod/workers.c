// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of threads, one for each node with CPUs, for work that has to be done
 * there and nowhere else.
 *
 * Not a workqueue: since 6.5 the workers of an unbound one only begin on the
 * node that queue_work_node() names and may be moved off it, and a module cannot
 * set the attributes that would keep them.  These threads are bound to the CPUs
 * of their node, or to those of them that the administrator chooses:
 *
 *     /sys/module/target_core_hearth/workers/node<N>/cpus
 *
 * When the last of these CPUs goes offline the group moves to the node's other
 * CPUs, and when there is none, to any; it moves back when they return.  A job
 * is short: it copies, and starts I/O, but waits for none.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include <linux/wait.h>

#include "workers.h"

#define MAX_THREADS	16U

/**
 * struct worker_group - the threads of one node
 * @kobj: its directory
 * @nid: the node
 * @lock: protects @queue
 * @queue: jobs
 * @idle: threads without a job
 * @chosen: CPUs where they shall run (masks_lock)
 * @nr_threads: length of @threads
 * @threads: the threads
 */
struct worker_group {
	struct kobject kobj;
	int nid;
	spinlock_t lock;	/* of queue */
	struct list_head queue;
	wait_queue_head_t idle;
	cpumask_var_t chosen;
	unsigned int nr_threads;
	struct task_struct *threads[];
};

static struct worker_group **groups;	/* by node id, or NULL */
static struct kobject *workers_dir;
static enum cpuhp_state hotplug_state;

/* Of worker_group.chosen and the threads' masks; inside cpus_read_lock(). */
static DEFINE_MUTEX(masks_lock);

static struct hearth_job *take_job(struct worker_group *group)
{
	struct hearth_job *job;

	spin_lock(&group->lock);
	job = list_first_entry_or_null(&group->queue, struct hearth_job, node);
	if (job)
		list_del(&job->node);
	spin_unlock(&group->lock);
	return job;
}

static int work(void *arg)
{
	struct worker_group *group = arg;
	struct hearth_job *job;

	for (;;) {
		wait_event_idle_exclusive(group->idle,
					  (job = take_job(group)) ||
					  kthread_should_stop());
		if (!job)
			return 0;
		job->run(job);
		cond_resched();
	}
}

/**
 * hearth_workers_queue() - have a job run by a node's group
 * @nid: the node
 * @job: the job
 *
 * Context: Process context.
 * Return: false if the node never has CPUs.
 */
bool hearth_workers_queue(int nid, struct hearth_job *job)
{
	struct worker_group *group = groups[nid];

	if (!group)
		return false;
	spin_lock(&group->lock);
	list_add_tail(&job->node, &group->queue);
	spin_unlock(&group->lock);
	wake_up(&group->idle);
	return true;
}

/* The CPUs that belong to a node, online or not. */
static void get_node_cpus(int nid, struct cpumask *ret_cpus)
{
	unsigned int cpu;

	cpumask_clear(ret_cpus);
	for_each_possible_cpu(cpu) {
		if (cpu_to_node(cpu) == nid)
			cpumask_set_cpu(cpu, ret_cpus);
	}
}

/* Where a group runs now; @leaving is about to go offline, or nr_cpu_ids. */
static void get_allowed(const struct worker_group *group, unsigned int leaving,
			struct cpumask *ret_cpus)
{
	cpumask_and(ret_cpus, group->chosen, cpu_online_mask);
	if (leaving < nr_cpu_ids)
		cpumask_clear_cpu(leaving, ret_cpus);
	if (!cpumask_empty(ret_cpus))
		return;
	get_node_cpus(group->nid, ret_cpus);
	cpumask_and(ret_cpus, ret_cpus, cpu_online_mask);
	if (leaving < nr_cpu_ids)
		cpumask_clear_cpu(leaving, ret_cpus);
	if (cpumask_empty(ret_cpus))
		cpumask_copy(ret_cpus, cpu_possible_mask);
}

static int bind_group(struct worker_group *group, unsigned int leaving)
{
	cpumask_var_t allowed;
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&masks_lock);
	if (!alloc_cpumask_var(&allowed, GFP_KERNEL))
		return -ENOMEM;
	get_allowed(group, leaving, allowed);
	for (i = 0; i < group->nr_threads && !ret; i++)
		ret = set_cpus_allowed_ptr(group->threads[i], allowed);
	free_cpumask_var(allowed);
	return ret;
}

static void bind_group_of(unsigned int cpu, unsigned int leaving)
{
	struct worker_group *group = groups[cpu_to_node(cpu)];

	if (!group)
		return;
	mutex_lock(&masks_lock);
	/* if that fails they run elsewhere: slower, but right */
	bind_group(group, leaving);
	mutex_unlock(&masks_lock);
}

static int cpu_comes(unsigned int cpu)
{
	bind_group_of(cpu, nr_cpu_ids);
	return 0;
}

static int cpu_goes(unsigned int cpu)
{
	bind_group_of(cpu, cpu);
	return 0;
}

static struct worker_group *to_group(struct kobject *kobj)
{
	return container_of(kobj, struct worker_group, kobj);
}

static ssize_t cpus_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct worker_group *group = to_group(kobj);
	ssize_t len;

	mutex_lock(&masks_lock);
	len = sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(group->chosen));
	mutex_unlock(&masks_lock);
	return len;
}

/* @spare is for the node's CPUs. */
static int choose(struct worker_group *group, const char *text,
		  struct cpumask *cpus, struct cpumask *spare)
{
	int len = strcspn(text, "\n");
	int ret = cpulist_parse(text, cpus);

	get_node_cpus(group->nid, spare);
	if (ret || cpumask_empty(cpus) || !cpumask_subset(cpus, spare)) {
		pr_err("hearth: node%d/cpus=%.*s: not a list of CPUs of this node; give some of %*pbl\n",
		       group->nid, len, text, cpumask_pr_args(spare));
		return -EINVAL;
	}
	cpumask_and(spare, spare, cpu_online_mask);
	if (!cpumask_intersects(cpus, spare)) {
		pr_err("hearth: node%d/cpus=%.*s: none of them is online; give some of %*pbl\n",
		       group->nid, len, text, cpumask_pr_args(spare));
		return -EINVAL;
	}
	cpumask_copy(group->chosen, cpus);
	return bind_group(group, nr_cpu_ids);
}

static ssize_t cpus_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	struct worker_group *group = to_group(kobj);
	cpumask_var_t cpus, spare;
	int ret = -ENOMEM;

	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	if (alloc_cpumask_var(&spare, GFP_KERNEL)) {
		cpus_read_lock();
		mutex_lock(&masks_lock);
		ret = choose(group, buf, cpus, spare);
		mutex_unlock(&masks_lock);
		cpus_read_unlock();
		free_cpumask_var(spare);
	}
	free_cpumask_var(cpus);
	return ret ?: count;
}

static struct kobj_attribute cpus_attr = __ATTR_RW(cpus);

static struct attribute *group_attrs[] = {
	&cpus_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(group);

static void group_release(struct kobject *kobj)
{
	struct worker_group *group = to_group(kobj);

	free_cpumask_var(group->chosen);
	kfree(group);
}

static const struct kobj_type group_ktype = {
	.release	= group_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= group_groups,
};

static void remove_group(struct worker_group *group)
{
	unsigned int i;

	if (group->kobj.state_in_sysfs)
		kobject_del(&group->kobj); /* waits for who writes its mask */
	for (i = 0; i < group->nr_threads; i++)
		kthread_stop(group->threads[i]);
	WARN_ON(!list_empty(&group->queue));
	kobject_put(&group->kobj);
}

static struct worker_group *alloc_group(int nid, unsigned int nr_threads)
{
	struct worker_group *group;

	group = kzalloc_node(struct_size(group, threads, nr_threads),
			     GFP_KERNEL, nid);
	if (!group)
		return NULL;
	if (!zalloc_cpumask_var(&group->chosen, GFP_KERNEL)) {
		kfree(group);
		return NULL;
	}
	group->nid = nid;
	spin_lock_init(&group->lock);
	INIT_LIST_HEAD(&group->queue);
	init_waitqueue_head(&group->idle);
	get_node_cpus(nid, group->chosen);
	kobject_init(&group->kobj, &group_ktype);
	return group;
}

static int start_threads(struct worker_group *group, unsigned int nr_threads)
{
	struct task_struct *thread;
	int ret;

	while (group->nr_threads < nr_threads) {
		thread = kthread_create_on_node(work, group, group->nid,
						"hearth/%d:%u", group->nid,
						group->nr_threads);
		if (IS_ERR(thread))
			return PTR_ERR(thread);
		group->threads[group->nr_threads++] = thread;
	}
	mutex_lock(&masks_lock);
	ret = bind_group(group, nr_cpu_ids);
	mutex_unlock(&masks_lock);
	for (nr_threads = 0; nr_threads < group->nr_threads; nr_threads++)
		wake_up_process(group->threads[nr_threads]);
	return ret;
}

/* The group of a node, with a thread for each of its CPUs, but not too many. */
static int add_group(int nid, unsigned int nr_cpus)
{
	unsigned int nr_threads = min(nr_cpus, MAX_THREADS);
	struct worker_group *group;
	int ret;

	group = alloc_group(nid, nr_threads);
	if (!group)
		return -ENOMEM;
	ret = start_threads(group, nr_threads);
	if (!ret)
		ret = kobject_add(&group->kobj, workers_dir, "node%d", nid);
	if (ret)
		remove_group(group);
	else
		groups[nid] = group;
	return ret;
}

static void remove_groups(void)
{
	int nid;

	for_each_node(nid) {
		if (groups[nid])
			remove_group(groups[nid]);
	}
}

static int add_groups(void)
{
	cpumask_var_t cpus;
	int nid, ret = 0;

	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	for_each_node(nid) {
		get_node_cpus(nid, cpus);
		if (!cpumask_empty(cpus) && !ret)
			ret = add_group(nid, cpumask_weight(cpus));
	}
	free_cpumask_var(cpus);
	if (ret)
		remove_groups();
	return ret;
}

int hearth_workers_init(void)
{
	int ret = -ENOMEM;

	groups = kcalloc(nr_node_ids, sizeof(*groups), GFP_KERNEL);
	if (!groups)
		return -ENOMEM;
	workers_dir = kobject_create_and_add("workers",
					     &THIS_MODULE->mkobj.kobj);
	if (!workers_dir)
		goto out_free;
	ret = add_groups();
	if (ret)
		goto out_put_dir;
	/* calls cpu_comes() for what went or came meanwhile */
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hearth:workers",
				cpu_comes, cpu_goes);
	if (ret < 0)
		goto out_remove_groups;
	hotplug_state = ret;
	return 0;

out_remove_groups:
	remove_groups();
out_put_dir:
	kobject_put(workers_dir);
out_free:
	kfree(groups);
	return ret;
}

/* No LUN is left, so there is no job either. */
void hearth_workers_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
	remove_groups();
	kobject_put(workers_dir);
	kfree(groups);
}
