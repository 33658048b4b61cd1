/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading cgroup.img. It may come from anybody: names that could lead out of the hierarchy are refused. */
#include "object/cgroup/load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "image/inventory.h"
#include "image/record.h"
#include "object/cgroup/hierarchy.h"
#include "object/cgroup/tree.h"

#define DEPTH_MAX 200

static void close_hierarchies(void *state)
{
	struct cgroup_restore *cgroups = state;

	for (size_t i = 0; i < cgroups->n_hierarchies; i++)
		auto_close(&cgroups->hierarchies[i].root);
	vector_done(&cgroups->directories);
}

const struct state_type cgroup_restore_state = { sizeof(struct cgroup_restore), close_hierarchies };

struct cgroup_restore *cgroup_restore_of(const struct restore *r)
{
	return state_find(r->states, &cgroup_restore_state);
}

/* Each part of "a/b" is a name. */
static bool is_path(const char *path)
{
	if (strlen(path) >= 4096)
		return false;
	for (const char *part = path; part; part = strchr(part, '/')) {
		size_t size;

		part += part != path;
		size = strcspn(part, "/");
		if (!size || (part[0] == '.' && (size == 1 || (size == 2 && part[1] == '.'))))
			return false;
	}
	return true;
}

static int check_directory(const CgroupDirEntry *entry, bool head, unsigned depth)
{
	if (depth > DEPTH_MAX || !(is_path(entry->dir_name) || (head && !*entry->dir_name)))
		return refuse(EINVAL, "cgroup.img: \"%s\" is no name of a cgroup: the image is damaged",
			      entry->dir_name);
	for (size_t i = 0; i < entry->n_properties; i++)
		if (!is_path(entry->properties[i]->name) || strchr(entry->properties[i]->name, '/'))
			return refuse(EINVAL, "cgroup.img: \"%s\" is no property of a cgroup: the image is damaged",
				      entry->properties[i]->name);
	for (size_t i = 0; i < entry->n_files; i++)
		if (!is_path(entry->files[i]->name) || strchr(entry->files[i]->name, '/'))
			return refuse(EINVAL, "cgroup.img: \"%s\" is no file of a cgroup: the image is damaged",
				      entry->files[i]->name);
	for (size_t i = 0; i < entry->n_children; i++)
		TRY(check_directory(entry->children[i], false, depth + 1));
	return 0;
}

static int check_record(const CgroupEntry *entry)
{
	for (size_t i = 0; i < entry->n_sets; i++)
		for (size_t k = 0; k < entry->sets[i]->n_ctls; k++) {
			const CgMemberEntry *member = entry->sets[i]->ctls[k];

			if (*member->path != '/' || (member->path[1] && !is_path(member->path + 1)) ||
			    (member->has_cgns_prefix && member->cgns_prefix > strlen(member->path)))
				return refuse(EINVAL, "cgroup.img: \"%s\" is no path of a cgroup: the image is damaged",
					      member->path);
		}
	for (size_t i = 0; i < entry->n_controllers; i++)
		for (size_t k = 0; k < entry->controllers[i]->n_dirs; k++)
			TRY(check_directory(entry->controllers[i]->dirs[k], true, 0));
	return 0;
}

/* The record that has the first of the controllers. */
static const CgControllerEntry *find_record(const CgroupEntry *entry, const char *name)
{
	for (size_t i = 0; i < entry->n_controllers; i++)
		for (size_t k = 0; k < entry->controllers[i]->n_cnames; k++)
			if (controllers_have(name, entry->controllers[i]->cnames[k]))
				return entry->controllers[i];
	return NULL;
}

static struct cg_hierarchy *add_hierarchy(const struct restore *r, const CgroupEntry *entry, const char *name)
{
	struct cgroup_restore *cgroups = cgroup_restore_of(r);
	struct cg_hierarchy *hierarchy;

	for (size_t i = 0; i < cgroups->n_hierarchies; i++)
		if (!strcmp(cgroups->hierarchies[i].name, name))
			return &cgroups->hierarchies[i];
	hierarchy = &cgroups->hierarchies[cgroups->n_hierarchies++];
	*hierarchy =
		(struct cg_hierarchy){ .name = name, .record = find_record(entry, name), .root = -1, .v2 = !*name };
	return hierarchy;
}

/* Shortens to what both have in common: whole names. "/" is "". */
static void keep_common(char *path, const char *other)
{
	while (*path && !cgroup_is_below(other, path))
		*strrchr(path, '/') = '\0';
}

/* With --cgroup-root, the deepest directory that all the saved ones lie in is another one here. */
static void find_roots(const struct restore *r, const CgroupEntry *entry, struct cg_hierarchy *hierarchy)
{
	const struct opt_cgroup_roots *roots = &r->options->cgroup_roots;
	const struct opt_cgroup_root *chosen = NULL;
	char *common = NULL;

	for (size_t i = 0; i < roots->n; i++)
		if (roots->items[i].controller ? controllers_share(hierarchy->name, roots->items[i].controller)
					       : !chosen || !chosen->controller)
			chosen = &roots->items[i];
	if (!chosen)
		return;
	for (size_t i = 0; hierarchy->record && i < hierarchy->record->n_dirs; i++) {
		char *path = pool_printf(r->pool, "%s%s", *hierarchy->record->dirs[i]->dir_name ? "/" : "",
					 hierarchy->record->dirs[i]->dir_name);

		if (common)
			keep_common(common, path);
		else
			common = path;
	}
	for (size_t i = 0; i < entry->n_sets; i++)
		for (size_t k = 0; k < entry->sets[i]->n_ctls; k++) {
			const CgMemberEntry *member = entry->sets[i]->ctls[k];

			if (strcmp(member->name, hierarchy->name) != 0)
				continue;
			if (common)
				keep_common(common, member->path);
			else
				common = pool_string(r->pool, strcmp(member->path, "/") != 0 ? member->path : "");
		}
	hierarchy->old_root = common;
	hierarchy->new_root = strcmp(chosen->path, "/") != 0 ? chosen->path : "";
}

/* Paths above the old root have no counterpart but the new one itself. */
const char *cgroup_here(const struct restore *r, const struct cg_hierarchy *hierarchy, const char *path)
{
	size_t size;

	if (!hierarchy->old_root)
		return path;
	size = strlen(hierarchy->old_root);
	if (!cgroup_is_below(path, hierarchy->old_root))
		return *hierarchy->new_root ? hierarchy->new_root : "/";
	path = pool_printf(r->pool, "%s%s", hierarchy->new_root, strcmp(path, "/") != 0 ? path + size : "");
	return *path ? path : "/";
}

static void add_set(const struct restore *r, const CgroupEntry *entry, const CgSetEntry *record)
{
	struct cg_set *set = &cgroup_restore_of(r)->sets[cgroup_restore_of(r)->n_sets++];

	*set = (struct cg_set){ .id = record->id, .places = pool_array(r->pool, struct cg_place, record->n_ctls) };
	for (size_t i = 0; i < record->n_ctls; i++) {
		const CgMemberEntry *member = record->ctls[i];
		struct cg_place *place = &set->places[set->n++];
		const char *prefix = pool_printf(r->pool, "%.*s", (int)member->cgns_prefix, member->path);

		place->hierarchy = add_hierarchy(r, entry, member->name);
		if (!place->hierarchy->old_root)
			find_roots(r, entry, place->hierarchy);
		place->path = cgroup_here(r, place->hierarchy, member->path);
		if (member->has_cgns_prefix)
			place->prefix = cgroup_here(r, place->hierarchy, *prefix ? prefix : "/");
	}
}

/* A client of the service may say anything. */
static int check_roots(const struct options *options)
{
	for (size_t i = 0; i < options->cgroup_roots.n; i++) {
		const char *path = options->cgroup_roots.items[i].path;

		if (*path != '/' || (path[1] && !is_path(path + 1)))
			return refuse(EINVAL,
				      "--cgroup-root %s: it must be the path of a cgroup, with a slash in front and "
				      "none at its end",
				      path);
	}
	return 0;
}

int cgroup_restore_load(const struct restore *r)
{
	CgroupEntry *entry;
	size_t n = 0;
	int error;

	if (r->options->manage_cgroups == OPT_CGROUPS_IGNORE)
		return 0;
	TRY(check_roots(r->options));
	error = image_read_one(r->store, IMAGE_CGROUP, &entry);
	if (error < 0)
		return error == -ENOENT ? 0 : error;
	TRY(check_record(entry));
	for (size_t i = 0; i < entry->n_sets; i++)
		n += entry->sets[i]->n_ctls;
	state_make(r->states, &cgroup_restore_state);
	cgroup_restore_of(r)->hierarchies = pool_array(r->pool, struct cg_hierarchy, n);
	cgroup_restore_of(r)->sets = pool_array(r->pool, struct cg_set, entry->n_sets);
	for (size_t i = 0; i < entry->n_sets; i++)
		add_set(r, entry, entry->sets[i]);
	return 0;
}

/* Older images have the set of the whole task. */
static uint32_t number_of(const struct thread *thread)
{
	const TaskCoreEntry *tc = thread->task->leader->core ? thread->task->leader->core->tc : NULL;
	const ThreadCoreEntry *core = thread->core ? thread->core->thread_core : NULL;

	if (core && core->has_cg_set)
		return core->cg_set;
	return tc && tc->has_cg_set ? tc->cg_set : 0;
}

const struct cg_set *cgroup_set_of(const struct restore *r, const struct thread *thread)
{
	uint32_t number = number_of(thread);

	if (!cgroup_restore_of(r) || !number)
		return NULL;
	for (size_t i = 0; i < cgroup_restore_of(r)->n_sets; i++)
		if (cgroup_restore_of(r)->sets[i].id == number)
			return &cgroup_restore_of(r)->sets[i];
	return NULL;
}

int cgroup_restore_check(const struct restore *r, struct thread *thread)
{
	uint32_t number = number_of(thread);

	if (!cgroup_restore_of(r) || !number || cgroup_set_of(r, thread) ||
	    (r->inventory->has_root_cg_set && r->inventory->root_cg_set == number))
		return 0;
	return refuse(EINVAL, "it is in the set of cgroups %u, which cgroup.img does not have: the image is damaged",
		      number);
}
