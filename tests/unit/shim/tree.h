/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Search trees with the kernel's names, but not balanced.
 */
#ifndef SHIM_TREE_H
#define SHIM_TREE_H

#include "base.h"

struct rb_node {
	struct rb_node *rb_left, *rb_right, *parent;
};

struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT			((struct rb_root){ NULL })
#define RB_EMPTY_ROOT(root)	(!(root)->rb_node)
#define rb_entry(ptr, type, member)	container_of(ptr, type, member)

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **link)
{
	shim_assert(!*link);
	*node = (struct rb_node){ .parent = parent };
	*link = node;
}

static inline void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	shim_assert(node->parent || root->rb_node == node);
}

/* Puts @by, which may be NULL, where @node is. */
static inline void shim_tree_replace(struct rb_root *root, struct rb_node *node,
				     struct rb_node *by)
{
	struct rb_node **link = &root->rb_node;

	if (node->parent && node->parent->rb_left == node)
		link = &node->parent->rb_left;
	else if (node->parent)
		link = &node->parent->rb_right;
	shim_assert(*link == node);
	*link = by;
	if (by)
		by->parent = node->parent;
}

static inline void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *next = node->rb_right;

	if (!node->rb_left || !next) {
		shim_tree_replace(root, node, next ? next : node->rb_left);
		return;
	}
	while (next->rb_left)
		next = next->rb_left;
	shim_tree_replace(root, next, next->rb_right);
	next->rb_left = node->rb_left;
	next->rb_right = node->rb_right;
	if (next->rb_left)
		next->rb_left->parent = next;
	if (next->rb_right)
		next->rb_right->parent = next;
	shim_tree_replace(root, node, next);
}

#endif /* SHIM_TREE_H */
