/* SPDX-License-Identifier: GPL-2.0-only */
/* The directories of cgroups and their properties, as they are dumped. */
#include "object/cgroup/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "object/cgroup/hierarchy.h"
#include "object/cgroup/rules.h"

#define DEPTH_MAX 100 /* the kernel's own limit for cgroup2 cannot be reached with paths */

bool cgroup_is_below(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	if (!strcmp(directory, "/"))
		return true;
	return !strncmp(path, directory, size) && (!path[size] || path[size] == '/');
}

/* One hierarchy. */
struct tree {
	struct dump *d;
	const struct property_rules *rules;
	const char *controllers;
	const char *own; /* where criu is */
	dev_t frozen_dev;
	ino_t frozen_ino; /* the cgroup of --freeze-cgroup, 0 if there is none */
	CgControllerEntry *record;
};

static CgroupPerms *new_perms(const struct tree *tree, const struct stat *st)
{
	CgroupPerms *perms = pool_new(tree->d->pool, CgroupPerms);

	cgroup_perms__init(perms);
	perms->mode = st->st_mode;
	perms->uid = st->st_uid;
	perms->gid = st->st_gid;
	return perms;
}

/* As we have thawed it to stop its tasks, it is thawed when we look. */
static const char *true_state(const struct tree *tree, const struct stat *directory, const char *name,
			      const char *value)
{
	if (!tree->d->was_frozen || directory->st_ino != tree->frozen_ino || directory->st_dev != tree->frozen_dev)
		return value;
	return !strcmp(name, "freezer.state") ? "FROZEN" : !strcmp(name, "cgroup.freeze") ? "1" : value;
}

static int dump_property(const struct tree *tree, int dir, const struct stat *directory, const char *name,
			 CgroupDirEntry *entry)
{
	CgroupPropEntry *prop = pool_new(tree->d->pool, CgroupPropEntry);
	struct stat st;
	int error;

	cgroup_prop_entry__init(prop);
	error = property_read(dir, name, tree->d->pool, &prop->value);
	if (error == -ENOENT)
		return 0;
	TRY(error);
	if (fstatat(dir, name, &st, 0) < 0)
		return fail_errno("looking at %s", name);
	prop->name = pool_string(tree->d->pool, name);
	prop->value = pool_string(tree->d->pool, true_state(tree, directory, name, prop->value));
	prop->perms = new_perms(tree, &st);
	entry->properties[entry->n_properties++] = prop;
	if (!strcmp(name, "cgroup.type") && strcmp(prop->value, "domain") != 0)
		tree->record->is_threaded = true;
	return 0;
}

static int dump_properties(const struct tree *tree, int dir, const struct stat *directory, CgroupDirEntry *entry)
{
	struct property_names names = { 0 };
	AUTO_FREE char *enabled = NULL;
	int error = 0;

	if (!*tree->controllers && file_read_all(dir, "cgroup.controllers", &enabled, NULL) == 0)
		enabled[strcspn(enabled, "\n")] = '\0';
	property_names_find(tree->controllers, enabled ?: "", tree->rules, &names);
	entry->properties = pool_array(tree->d->pool, CgroupPropEntry *, names.n);
	for (size_t i = 0; i < names.n && error == 0; i++)
		error = dump_property(tree, dir, directory, names.items[i], entry);
	vector_done(&names);
	return error;
}

static bool has_property(const CgroupDirEntry *entry, const char *name)
{
	for (size_t i = 0; i < entry->n_properties; i++)
		if (!strcmp(entry->properties[i]->name, name))
			return true;
	return false;
}

/* Whoever has made a cgroup has all its files: without cgroup.procs a user may move nobody there. */
static int dump_owners(const struct tree *tree, int dir, CgroupDirEntry *entry)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *list = copy < 0 ? NULL : fdopendir(copy);
	VECTOR(CgroupFileEntry *) found = { 0 };
	struct dirent *next;
	struct stat st;

	if (!list)
		return fail_errno("reading a cgroup's directory");
	while ((next = readdir(list))) {
		CgroupFileEntry *file;

		if (next->d_type != DT_REG || fstatat(dir, next->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (st.st_uid == 0 && st.st_gid == 0) || has_property(entry, next->d_name))
			continue;
		file = *vector_push(&found) = pool_new(tree->d->pool, CgroupFileEntry);
		cgroup_file_entry__init(file);
		file->name = pool_string(tree->d->pool, next->d_name);
		file->perms = new_perms(tree, &st);
	}
	entry->files = pool_copy(tree->d->pool, found.items, found.n * sizeof(*found.items));
	entry->n_files = found.n;
	vector_done(&found);
	return 0;
}

static int dump_children(const struct tree *tree, int dir, CgroupDirEntry *entry, unsigned depth);

static int dump_directory(const struct tree *tree, int parent, const char *name, bool with_children,
			  CgroupDirEntry *entry, unsigned depth)
{
	AUTO_CLOSE int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0)
		return errno == ENOENT && depth ? -ENOENT : fail_errno("opening the cgroup %s", name);
	cgroup_dir_entry__init(entry);
	entry->dir_name = pool_string(tree->d->pool, name);
	entry->dir_perms = new_perms(tree, &st);
	TRY(dump_properties(tree, dir, &st, entry));
	TRY(dump_owners(tree, dir, entry));
	return with_children ? dump_children(tree, dir, entry, depth) : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(CgroupDirEntry *const *)a)->dir_name, (*(CgroupDirEntry *const *)b)->dir_name);
}

/* One that is removed meanwhile by somebody else is none of the tree. */
static int dump_children(const struct tree *tree, int dir, CgroupDirEntry *entry, unsigned depth)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *list = copy < 0 ? NULL : fdopendir(copy);
	VECTOR(CgroupDirEntry *) found = { 0 };
	struct dirent *next;
	int error = 0;

	if (!list)
		return fail_errno("reading a cgroup's directory");
	if (depth == DEPTH_MAX)
		return refuse(ELOOP, "the cgroups below it are more than %d deep", DEPTH_MAX);
	while (error == 0 && (next = readdir(list))) {
		CgroupDirEntry *child;

		if (next->d_type != DT_DIR || !strcmp(next->d_name, ".") || !strcmp(next->d_name, ".."))
			continue;
		child = pool_new(tree->d->pool, CgroupDirEntry);
		error = dump_directory(tree, dir, next->d_name, true, child, depth + 1);
		if (error == 0)
			*vector_push(&found) = child;
		else if (error == -ENOENT)
			error = 0;
	}
	if (found.n)
		qsort(found.items, found.n, sizeof(*found.items), compare_names);
	entry->children = pool_copy(tree->d->pool, found.items, found.n * sizeof(*found.items));
	entry->n_children = found.n;
	vector_done(&found);
	return error;
}

/* A cgroup that criu itself is in or below is not the tree's own: only what the tasks use is saved of it. */
static int dump_head(const struct tree *tree, int root, const char *path)
{
	CgroupDirEntry *entry = tree->record->dirs[tree->record->n_dirs++] = pool_new(tree->d->pool, CgroupDirEntry);
	struct stat st;

	LOG_SCOPE("cgroup %s of %s", path, *tree->controllers ? tree->controllers : "cgroup2");
	if (strcmp(path, "/") != 0)
		return dump_directory(tree, root, path + 1, !cgroup_is_below(tree->own, path), entry, 0);
	if (fstat(root, &st) < 0)
		return fail_errno("looking at the root of the cgroups");
	cgroup_dir_entry__init(entry);
	entry->dir_perms = new_perms(tree, &st);
	return 0;
}

/*
 * The directory that stands for the path: with --cgroup-root, one above it; else the root of the cgroup namespace, as
 * what is in there is the tree's own, also where no task is (slices of systemd).
 */
static const char *head_of(const struct tree *tree, const CgMemberEntry *member)
{
	const char *path = member->path, *top;
	const struct opt_cgroup_roots *roots = &tree->d->options->cgroup_roots;

	for (size_t i = 0; i < roots->n; i++) {
		const struct opt_cgroup_root *root = &roots->items[i];

		if ((!root->controller || controllers_share(tree->controllers, root->controller)) &&
		    cgroup_is_below(path, root->path))
			return root->path;
	}
	if (!member->cgns_prefix)
		return path;
	top = pool_printf(tree->d->pool, "%.*s", (int)member->cgns_prefix, path);
	return cgroup_is_below(tree->own, top) ? path : top;
}

static bool is_covered(const struct tree *tree, const char **heads, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(heads[i], path) ||
		    (cgroup_is_below(path, heads[i]) && !cgroup_is_below(tree->own, heads[i])))
			return true;
	return false;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A path is sorted in front of those below it. */
static int dump_heads(const struct tree *tree, int root, const CgroupEntry *entry)
{
	AUTO_FREE const char **paths = xzalloc((entry->n_sets + 1) * sizeof(*paths));
	size_t n = 0, n_heads = 0;

	for (size_t i = 0; i < entry->n_sets; i++)
		for (size_t k = 0; k < entry->sets[i]->n_ctls; k++)
			if (!strcmp(entry->sets[i]->ctls[k]->name, tree->controllers))
				paths[n++] = head_of(tree, entry->sets[i]->ctls[k]);
	qsort(paths, n, sizeof(*paths), compare_paths);
	tree->record->dirs = pool_array(tree->d->pool, CgroupDirEntry *, n);
	for (size_t i = 0; i < n; i++) {
		if (is_covered(tree, paths, n_heads, paths[i]))
			continue;
		paths[n_heads++] = paths[i];
		TRY(dump_head(tree, root, paths[i]));
	}
	return 0;
}

/* "cpu,cpuacct" to two names; cgroup2 has one that is empty. */
static void split_names(struct dump *d, const char *controllers, CgControllerEntry *record)
{
	char *rest = pool_string(d->pool, controllers), *word;

	record->cnames = pool_array(d->pool, char *, strlen(controllers) + 1);
	while ((word = strsep(&rest, ",")))
		record->cnames[record->n_cnames++] = word;
}

static int dump_hierarchy(struct tree *tree, const CgroupEntry *entry)
{
	AUTO_CLOSE int root = hierarchy_open(tree->controllers, tree->d->options->cgroup_yard);

	TRY(root);
	cg_controller_entry__init(tree->record);
	split_names(tree->d, tree->controllers, tree->record);
	tree->record->has_is_threaded = true;
	tree->record->is_threaded = *tree->controllers; /* threads go where they like in cgroup v1 */
	return dump_heads(tree, root, entry);
}

int cgroup_rules_read(const struct options *options, struct pool *pool, struct property_rules *ret)
{
	AUTO_FREE char *text = NULL;
	int error;

	if (options->cgroup_props_file) {
		error = file_read_all(AT_FDCWD, options->cgroup_props_file, &text, NULL);
		if (error < 0)
			return fail(-error, "--cgroup-props-file %s", options->cgroup_props_file);
		TRY(property_rules_parse(text, options->cgroup_props_file, pool, ret));
	}
	return options->cgroup_props ? property_rules_parse(options->cgroup_props, "--cgroup-props", pool, ret) : 0;
}

int cgroup_dump_trees(struct dump *d, const struct proc_cgroups *own, CgroupEntry *entry)
{
	AUTO(property_rules_done) struct property_rules rules = { 0 };
	struct tree tree = { .d = d, .rules = &rules };
	const CgSetEntry *first = entry->sets[0]; /* all sets have the same hierarchies */
	struct stat st;

	TRY(cgroup_rules_read(d->options, d->pool, &rules));
	if (d->options->manage_cgroups == OPT_CGROUPS_IGNORE || d->options->manage_cgroups == OPT_CGROUPS_NONE)
		return 0;
	if (d->options->freeze_cgroup && stat(d->options->freeze_cgroup, &st) == 0) {
		tree.frozen_dev = st.st_dev;
		tree.frozen_ino = st.st_ino;
	}
	entry->controllers = pool_array(d->pool, CgControllerEntry *, first->n_ctls);
	for (size_t i = 0; i < first->n_ctls; i++) {
		const struct proc_cgroup *mine = hierarchy_find(own, first->ctls[i]->name);

		tree.controllers = first->ctls[i]->name;
		tree.own = mine ? mine->path : "";
		tree.record = entry->controllers[entry->n_controllers++] = pool_new(d->pool, CgControllerEntry);
		TRY(dump_hierarchy(&tree, entry));
	}
	return 0;
}
