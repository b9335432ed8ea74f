/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappings.c - changing a table of mappings; see mappings.h. Finding is mappings_find.c.
 *
 * A change first counts the nodes that it will need, and has them all before it touches anything: from there on nothing
 * can fail. In a change by copies a node is copied the first time that it would be written.
 *
 * Under the table owner's lock.
 */
#include "lib/base/error.h"
#include "mappings_node.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIN (VFKI_NODE_SLOTS / 4) /* entries of a node that is not the root, after a removal */

#define NODE_SIZE                                                                     \
	((sizeof(struct vfki_mapping_node) + VFKI_CACHE_LINE - 1) / VFKI_CACHE_LINE * \
	 VFKI_CACHE_LINE)

typedef struct vfki_mapping_node node_t;

struct edit {
	bool copies;
	node_t *spare; /* for copies and splits */
	node_t *made;  /* by this edit */
	node_t *old;   /* not in the new table any more */
};

void vfki_mappings_free_nodes(node_t *nodes)
{
	while (nodes) {
		node_t *next = nodes->next;

		free(nodes);
		nodes = next;
	}
}

static void push(node_t **list, node_t *n)
{
	n->next = *list;
	*list = n;
}

static node_t *pop(node_t **list)
{
	node_t *n = *list;

	*list = n->next;
	return n;
}

static int reserve(struct edit *e, unsigned int nodes)
{
	while (nodes--) {
		/* a search is to find its lines where it fetches them */
		node_t *n = aligned_alloc(VFKI_CACHE_LINE, NODE_SIZE);

		if (!n) {
			vfki_mappings_free_nodes(e->spare);
			return vfki_err(-ENOMEM, "dma map: no memory");
		}
		push(&e->spare, n);
	}
	return 0;
}

/* A node of the edit's own, empty. */
static node_t *make(struct edit *e, unsigned int level)
{
	node_t *n = pop(&e->spare);

	n->count = 0;
	n->level = (uint8_t)level;
	n->fresh = true;
	n->dead = false;
	push(&e->made, n);
	return n;
}

/* Takes a node out of the table. */
static void discard(struct edit *e, node_t *n)
{
	if (n->fresh)
		n->dead = true;
	else
		push(&e->old, n);
}

/* ---- slots of a node ---- */

/* What an entry is beside its last address. */
union entry {
	struct vfki_mapping_brief brief;
	node_t *child;
};

static union entry entry_of(const struct vfki_mapping *m)
{
	return (union entry){
		.brief = { .first = m->first, .vaddr = m->vaddr, .tag = (uintptr_t)m | m->prot }
	};
}

/* Moves entries, within a node or between two of a level; the counts are the caller's. */
static void move(node_t *to, unsigned int at, const node_t *from, unsigned int i, unsigned int num)
{
	memmove(&to->last[at], &from->last[i], num * sizeof(to->last[0]));
	if (to->level)
		memmove(&to->child[at], &from->child[i], num * sizeof(to->child[0]));
	else
		memmove(&to->brief[at], &from->brief[i], num * sizeof(to->brief[0]));
}

static void open_slot(node_t *n, unsigned int i, uint64_t last, union entry entry)
{
	move(n, i + 1, n, i, n->count - i);
	n->last[i] = last;
	if (n->level)
		n->child[i] = entry.child;
	else
		n->brief[i] = entry.brief;
	n->count++;
}

static void close_slot(node_t *n, unsigned int i)
{
	n->count--;
	move(n, i, n, i + 1, n->count - i);
}

static void resize(node_t *from, node_t *to, unsigned int num)
{
	from->count = (uint16_t)(from->count - num);
	to->count = (uint16_t)(to->count + num);
}

/* Moves @num slots from the end of @from to the beginning of @to, or from the beginning to the end. */
static void move_up(node_t *from, node_t *to, unsigned int num)
{
	move(to, num, to, 0, to->count);
	move(to, 0, from, from->count - num, num);
	resize(from, to, num);
}

static void move_down(node_t *from, node_t *to, unsigned int num)
{
	move(to, to->count, from, 0, num);
	resize(from, to, num);
	move(from, 0, from, num, from->count);
}

static uint64_t last_of(const node_t *n)
{
	return n->last[n->count - 1];
}

/* ---- nodes of an edit ---- */

/* The node in a slot, such that it may be written. */
static node_t *own(struct edit *e, node_t **slot)
{
	node_t *n = *slot, *copy;

	if (!e->copies || n->fresh)
		return n;
	copy = make(e, n->level);
	copy->count = n->count;
	move(copy, 0, n, 0, n->count);
	discard(e, n);
	*slot = copy;
	return copy;
}

/* What was made and then thrown away was seen by nobody; the rest is an old node for the next edit. */
static void finish(struct edit *e)
{
	node_t **at = &e->made;

	vfki_mappings_free_nodes(e->spare);
	while (*at) {
		node_t *n = *at;

		n->fresh = false;
		if (!n->dead) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		free(n);
	}
}

/* ---- inserting ---- */

/*
 * How many entries go to a new node when one is added at @i. In a sequence that goes up or down the other half would never
 * get any more: then as many stay full as the rule allows.
 */
static unsigned int split_at(unsigned int i)
{
	return i == VFKI_NODE_SLOTS ? MIN : i == 0 ? VFKI_NODE_SLOTS - MIN : VFKI_NODE_SLOTS / 2;
}

/* Puts an entry into a node; the upper ones go to a new node, which is returned, when there is no room. */
static node_t *put(struct edit *e, node_t *n, unsigned int i, uint64_t last, union entry entry)
{
	node_t *right = NULL;

	if (n->count == VFKI_NODE_SLOTS) {
		right = make(e, n->level);
		move_up(n, right, split_at(i));
		if (i > n->count) {
			open_slot(right, i - n->count, last, entry);
			return right;
		}
	}
	open_slot(n, i, last, entry);
	return right;
}

static node_t *put_child(struct edit *e, node_t *n, unsigned int i, node_t *child)
{
	return put(e, n, i, last_of(child), (union entry){ .child = child });
}

/* The child that @iova belongs to. */
static unsigned int child_for(const node_t *n, uint64_t iova)
{
	unsigned int i = vfki_node_lower(n, iova);

	return i < n->count ? i : n->count - 1u;
}

static node_t *insert_below(struct edit *e, node_t **slot, struct vfki_mapping *m)
{
	node_t *n = own(e, slot), *split;
	unsigned int i;

	if (!n->level)
		return put(e, n, vfki_node_lower(n, m->last), m->last, entry_of(m));
	i = child_for(n, m->last);
	split = insert_below(e, &n->child[i], m);
	n->last[i] = last_of(n->child[i]);
	return split ? put_child(e, n, i + 1, split) : NULL;
}

static void insert(struct edit *e, struct vfki_mappings *t, struct vfki_mapping *m)
{
	node_t *root = t->root ? t->root : make(e, 0);
	node_t *split = insert_below(e, &root, m), *top;

	if (split) {
		top = make(e, split->level + 1);
		put_child(e, top, 0, root);
		put_child(e, top, 1, split);
		root = top;
	}
	t->root = root;
	t->count++;
}

/* Nodes that inserting takes: the copies of the path, and what is split from the leaf up. */
static unsigned int insert_needs(const struct vfki_mappings *t, uint64_t iova, bool copies)
{
	unsigned int path = 0, full = 0;

	for (const node_t *n = t->root; n; n = n->level ? n->child[child_for(n, iova)] : NULL) {
		path++;
		full = n->count == VFKI_NODE_SLOTS ? full + 1 : 0;
	}
	/* an empty table gets its first node; a root that is split, one above it */
	return (copies ? path : 0) + full + (full == path);
}

static int check_overlap(const struct vfki_mappings *t, const struct vfki_mapping *m)
{
	const struct vfki_mapping *other = vfki_mappings_from(t, m->first);

	if (!other || other->first > m->last)
		return 0;
	return vfki_err(-EEXIST,
			"dma map: 0x%" PRIx64 "-0x%" PRIx64 " overlaps 0x%" PRIx64 "-0x%" PRIx64,
			m->first, m->last, other->first, other->last);
}

int vfki_mappings_insert(struct vfki_mappings *t, struct vfki_mapping *m)
{
	struct edit e = { 0 };
	int ret = check_overlap(t, m);

	if (!ret)
		ret = reserve(&e, insert_needs(t, m->last, false));
	if (ret < 0)
		return ret;
	insert(&e, t, m);
	finish(&e);
	return 0;
}

int vfki_mappings_with(const struct vfki_mappings *old, struct vfki_mapping *m,
		       struct vfki_mappings *new, struct vfki_mappings_change *change)
{
	struct edit e = { .copies = true };
	int ret = check_overlap(old, m);

	if (!ret)
		ret = reserve(&e, insert_needs(old, m->last, true));
	if (ret < 0)
		return ret;
	*new = *old;
	insert(&e, new, m);
	finish(&e);
	*change = (struct vfki_mappings_change){ .before = e.old, .after = e.made };
	return 0;
}

/* ---- removing ---- */

/* Child @i has few entries: it takes those of a neighbour, or half of what that has more. */
static void fill(struct edit *e, node_t *n, unsigned int i)
{
	bool lower = i > 0; /* the neighbour is the one below */
	unsigned int j = lower ? i - 1 : i + 1, share;
	node_t *child = n->child[i], *other = n->child[j];

	if (child->count + other->count > VFKI_NODE_SLOTS) {
		other = own(e, &n->child[j]);
		share = (other->count - child->count) / 2;
		(lower ? move_up : move_down)(other, child, share);
		n->last[i] = last_of(child);
		n->last[j] = last_of(other);
		return;
	}
	/* into the child, which is ours already; the neighbour may be somebody's who reads */
	share = other->count;
	if (lower)
		move(child, share, child, 0, child->count);
	move(child, lower ? 0 : child->count, other, 0, share);
	child->count = (uint16_t)(child->count + share);
	n->last[i] = last_of(child);
	close_slot(n, j);
	discard(e, other);
}

static void remove_below(struct edit *e, node_t **slot, const struct vfki_mapping *m)
{
	node_t *n = own(e, slot), *child;
	unsigned int i = vfki_node_lower(n, m->last);

	if (!n->level) {
		close_slot(n, i);
		return;
	}
	remove_below(e, &n->child[i], m);
	child = n->child[i];
	if (child->count < MIN && n->count > 1)
		fill(e, n, i);
	else
		n->last[i] = last_of(child);
}

static void remove_from(struct edit *e, struct vfki_mappings *t, const struct vfki_mapping *m)
{
	node_t *root = t->root, *n;

	remove_below(e, &root, m);
	for (n = root; n && (!n->count || (n->level && n->count == 1)); n = root) {
		root = n->count ? n->child[0] : NULL;
		discard(e, n);
	}
	t->root = root;
	t->count--;
}

/* Copies: the path, and of each node that gets too few entries a neighbour. */
static unsigned int remove_needs(const struct vfki_mappings *t, uint64_t iova)
{
	unsigned int path = 0, few = 0;

	for (const node_t *n = t->root; n;
	     n = n->level ? n->child[vfki_node_lower(n, iova)] : NULL) {
		path++;
		few = n->count <= MIN ? few + 1 : 0;
	}
	return path + few;
}

static bool has(const struct vfki_mappings *t, const struct vfki_mapping *m)
{
	return vfki_mappings_from(t, m->last) == m;
}

void vfki_mappings_remove(struct vfki_mappings *t, const struct vfki_mapping *m)
{
	struct edit e = { 0 };

	if (!has(t, m))
		return;
	remove_from(&e, t, m);
	finish(&e);
	vfki_mappings_free_nodes(e.old);
}

int vfki_mappings_without(const struct vfki_mappings *old, const struct vfki_mapping *m,
			  struct vfki_mappings *new, struct vfki_mappings_change *change)
{
	struct edit e = { .copies = true };
	int ret;

	if (!has(old, m))
		return vfki_err(-ENOENT, "dma unmap: 0x%" PRIx64 "-0x%" PRIx64 " is not mapped",
				m->first, m->last);
	ret = reserve(&e, remove_needs(old, m->last));
	if (ret < 0)
		return ret;
	*new = *old;
	remove_from(&e, new, m);
	finish(&e);
	*change = (struct vfki_mappings_change){ .before = e.old, .after = e.made };
	return 0;
}

/* ---- the end ---- */

static void free_below(node_t *n)
{
	for (unsigned int i = 0; n->level && i < n->count; i++)
		free_below(n->child[i]);
	free(n);
}

void vfki_mappings_fini(struct vfki_mappings *t)
{
	if (t->root)
		free_below(t->root);
	*t = (struct vfki_mappings){ 0 };
}
