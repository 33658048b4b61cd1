/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups of a restore: their directories are made, and what was made is removed if it fails. */
#include "object/cgroup/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/proc.h"
#include "object/cgroup/enter.h"
#include "object/cgroup/hierarchy.h"
#include "object/cgroup/load.h"
#include "object/cgroup/properties.h"
#include "object/cgroup/settle.h"
#include "object/cgroup/tree.h"

static const char *hierarchy_title(const struct cg_hierarchy *hierarchy)
{
	return *hierarchy->name ? hierarchy->name : "cgroup2";
}

static bool is_needed(const struct restore *r, const struct cg_hierarchy *hierarchy)
{
	for (size_t i = 0; i < cgroup_restore_of(r)->n_sets; i++)
		for (size_t k = 0; k < cgroup_restore_of(r)->sets[i].n; k++)
			if (cgroup_restore_of(r)->sets[i].places[k].hierarchy == hierarchy &&
			    strcmp(cgroup_restore_of(r)->sets[i].places[k].path, "/") != 0)
				return true;
	return false;
}

/* What the machine lacks. */
static bool may_make(const struct restore *r)
{
	return r->options->manage_cgroups >= OPT_CGROUPS_SOFT;
}

/* One without controllers only tells who belongs together. To mount it would make it here, for good. */
static bool is_dispensable(const struct restore *r, const struct cg_hierarchy *hierarchy)
{
	return may_make(r) && text_after(hierarchy->name, "name=") && !strchr(hierarchy->name, ',');
}

/*
 * A container's own systemd mounts what the machine has not: such a hierarchy ends with it, and is made again, if its
 * controllers are free. Not on a machine that has but cgroup2: they might be wanted there later.
 */
static bool may_make_hierarchy(const struct restore *r, const struct proc_cgroups *own)
{
	if (!may_make(r) || r->options->cgroup_yard)
		return false;
	for (size_t i = 0; i < own->n; i++)
		if (*own->items[i].controllers && !text_after(own->items[i].controllers, "name="))
			return true;
	return false;
}

static int open_hierarchies(struct restore *r)
{
	AUTO_CLOSE int self = proc_open(getpid());
	AUTO(proc_cgroups_done) struct proc_cgroups own = { 0 };

	TRY(self);
	TRY(proc_cgroups_read(self, r->pool, &own));
	for (size_t i = 0; i < cgroup_restore_of(r)->n_hierarchies; i++) {
		struct cg_hierarchy *hierarchy = &cgroup_restore_of(r)->hierarchies[i];
		const struct proc_cgroup *found = hierarchy_find(&own, hierarchy->name);

		bool needed = is_needed(r, hierarchy);

		hierarchy->absent = !found && (!needed || is_dispensable(r, hierarchy));
		if (hierarchy->absent && needed)
			log_warn("The tasks were in cgroups of %s, which controls nothing, and which this machine does "
				 "not have: they are in none of it now",
				 hierarchy_title(hierarchy));
		if (hierarchy->absent)
			continue;
		hierarchy->own = found ? found->path : "/";
		if (found)
			hierarchy->root = hierarchy_open(found->controllers, r->options->cgroup_yard);
		else if (!*hierarchy->name || !may_make_hierarchy(r, &own) ||
			 (hierarchy->root = hierarchy_make(hierarchy->name)) < 0)
			return refuse(ENOENT,
				      "the tasks were in cgroups of %s, which this machine does not have like that: "
				      "mount them, or restore with "
				      "--manage-cgroups=ignore",
				      hierarchy_title(hierarchy));
		TRY(hierarchy->root);
		hierarchy->made = !found;
	}
	return 0;
}

/* --- directories --- */

/* A new cpuset has neither processors nor memory, unless its parent says otherwise: what it has, as nobody else tells.
 */
static int take_cpuset(int parent, int dir)
{
	static const char *const names[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(pool_destroy) struct pool *pool = pool_create();
		char *value;
		int error;

		if (property_read(parent, names[i], pool, &value) < 0 || !*value)
			continue;
		error = property_write(dir, names[i], value);
		if (error < 0)
			return fail(-error, "setting %s of a new cgroup to \"%s\"", names[i], value);
	}
	return 0;
}

/* A directory; made if it is missing. Returns 1 if it was. */
static int have_directory(struct restore *r, struct cg_hierarchy *hierarchy, const char *path)
{
	struct cg_directory *made;

	if (mkdirat(hierarchy->root, path + 1, 0755) < 0)
		return errno == EEXIST ? 0 : fail_errno("making the cgroup");
	made = vector_push(&cgroup_restore_of(r)->directories);
	*made = (struct cg_directory){ .hierarchy = hierarchy, .path = path, .made = true };
	if (controllers_have(hierarchy->name, "cpuset")) {
		AUTO_CLOSE int dir = openat(hierarchy->root, path + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		AUTO_CLOSE int parent = dir < 0 ? -1 : openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (parent < 0)
			return fail_errno("opening the new cgroup");
		TRY(take_cpuset(parent, dir));
	}
	log_info("Made the cgroup");
	return 1;
}

static bool cgroup_exists(const struct cg_hierarchy *hierarchy, const char *path)
{
	return !path[1] || faccessat(hierarchy->root, path + 1, F_OK, 0) == 0;
}

/* The directories on the way, which the images say nothing of. */
static int have_parents(struct restore *r, struct cg_hierarchy *hierarchy, const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *above = pool_printf(r->pool, "%.*s", (int)(slash - path), path);

		if (!cgroup_exists(hierarchy, above))
			TRY(have_directory(r, hierarchy, above));
	}
	return 0;
}

/* As the mode says. A cgroup that criu itself is in was not to be made by anybody. */
static int check_mode(const struct restore *r, const struct cg_hierarchy *hierarchy, const char *path)
{
	bool there = cgroup_exists(hierarchy, path);

	if (!there && !may_make(r))
		return refuse(ENOENT, "it does not exist: make it, or restore with --manage-cgroups=soft");
	if (there && r->options->manage_cgroups == OPT_CGROUPS_STRICT && !cgroup_is_below(hierarchy->own, path))
		return refuse(EEXIST, "it exists already, and --manage-cgroups=strict wants it to be new");
	return 0;
}

static int make_directory(struct restore *r, struct cg_hierarchy *hierarchy, const char *path,
			  const CgroupDirEntry *record)
{
	enum opt_cgroups mode = r->options->manage_cgroups;
	struct cg_directory *directory;
	int made = 0;

	LOG_SCOPE("cgroup %s of %s", path, hierarchy_title(hierarchy));
	TRY(check_mode(r, hierarchy, path));
	if (!cgroup_exists(hierarchy, path)) {
		TRY(have_parents(r, hierarchy, path));
		made = have_directory(r, hierarchy, path);
		TRY(made);
	}
	if (!made)
		*vector_push(&cgroup_restore_of(r)->directories) =
			(struct cg_directory){ .hierarchy = hierarchy, .path = path };
	directory = &cgroup_restore_of(r)->directories.items[cgroup_restore_of(r)->directories.n - 1];
	directory->record = record;
	directory->settled = record && (made || mode == OPT_CGROUPS_PROPS || mode >= OPT_CGROUPS_FULL);
	TRY(cgroup_settle(directory, PROPERTY_EARLY));
	return made ? 0 : cgroup_thaw_found(r, directory);
}

static int make_tree(struct restore *r, struct cg_hierarchy *hierarchy, const char *path, const CgroupDirEntry *record)
{
	TRY(make_directory(r, hierarchy, path, record));
	for (size_t i = 0; i < record->n_children; i++)
		TRY(make_tree(r, hierarchy,
			      pool_printf(r->pool, "%s/%s", path[1] ? path : "", record->children[i]->dir_name),
			      record->children[i]));
	return 0;
}

static bool is_known(const struct restore *r, const struct cg_place *place)
{
	for (size_t i = 0; i < cgroup_restore_of(r)->directories.n; i++)
		if (cgroup_restore_of(r)->directories.items[i].hierarchy == place->hierarchy &&
		    !strcmp(cgroup_restore_of(r)->directories.items[i].path, place->path))
			return true;
	return false;
}

/* Where tasks were, if the images say nothing of the directories. */
static int make_places(struct restore *r)
{
	for (size_t i = 0; i < cgroup_restore_of(r)->n_sets; i++)
		for (size_t k = 0; k < cgroup_restore_of(r)->sets[i].n; k++) {
			const struct cg_place *place = &cgroup_restore_of(r)->sets[i].places[k];

			if (!place->hierarchy->absent && !is_known(r, place))
				TRY(make_directory(r, place->hierarchy, place->path, NULL));
		}
	return 0;
}

int cgroup_restore_make(struct restore *r)
{
	/* An ordinary user has no power over cgroups. */
	if (r->options->unprivileged || geteuid() != 0)
		state_destroy(r->states, &cgroup_restore_state);
	if (!cgroup_restore_of(r))
		return 0;
	TRY(open_hierarchies(r));
	for (size_t i = 0; i < cgroup_restore_of(r)->n_hierarchies; i++) {
		struct cg_hierarchy *hierarchy = &cgroup_restore_of(r)->hierarchies[i];

		for (size_t k = 0; hierarchy->record && !hierarchy->absent && k < hierarchy->record->n_dirs; k++) {
			const CgroupDirEntry *head = hierarchy->record->dirs[k];

			TRY(make_tree(r, hierarchy,
				      cgroup_here(r, hierarchy, pool_printf(r->pool, "/%s", head->dir_name)), head));
		}
	}
	return make_places(r);
}

/* --- the end --- */

#define STEP_MS 10

/* The dead may still be on their way out of it. */
static void remove_directory(const struct cg_directory *directory)
{
	struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	int waited = 0;

	while (unlinkat(directory->hierarchy->root, directory->path + 1, AT_REMOVEDIR) < 0) {
		if (errno != EBUSY || waited >= GRACE_CGROUP_MS) {
			log_warn("the new cgroup %s of %s cannot be removed: %s", directory->path,
				 hierarchy_title(directory->hierarchy), strerror(errno));
			return;
		}
		nanosleep(&step, NULL);
		waited += STEP_MS;
	}
}

static bool is_there(const struct cg_hierarchy *hierarchy)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	AUTO_CLOSE int self = proc_open(getpid());
	AUTO(proc_cgroups_done) struct proc_cgroups own = { 0 };

	return self >= 0 && proc_cgroups_read(self, pool, &own) == 0 && hierarchy_find(&own, hierarchy->name);
}

#define TRIES_TO_END 5

/* It ends a moment after its last mount; not if the kernel was still busy with a cgroup in it: then it is mounted anew.
 */
static void remove_hierarchy(struct cg_hierarchy *hierarchy)
{
	struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

	auto_close(&hierarchy->root);
	hierarchy->root = -1;
	for (int tries = 0; tries < TRIES_TO_END; tries++) {
		for (int waited = 0; waited < GRACE_CGROUP_MS / TRIES_TO_END; waited += STEP_MS) {
			if (!is_there(hierarchy))
				return;
			nanosleep(&step, NULL);
		}
		hierarchy->root = hierarchy_make(hierarchy->name);
		auto_close(&hierarchy->root);
		hierarchy->root = -1;
	}
	log_warn("The hierarchy of cgroups of %s that was made stays, empty", hierarchy_title(hierarchy));
}

void cgroup_restore_undo(struct restore *r)
{
	for (size_t i = cgroup_restore_of(r) ? cgroup_restore_of(r)->directories.n : 0; i > 0; i--) {
		const struct cg_directory *directory = &cgroup_restore_of(r)->directories.items[i - 1];

		if (directory->made)
			remove_directory(directory);
		else
			cgroup_freeze_found(directory);
	}
	for (size_t i = 0; cgroup_restore_of(r) && i < cgroup_restore_of(r)->n_hierarchies; i++)
		if (cgroup_restore_of(r)->hierarchies[i].made)
			remove_hierarchy(&cgroup_restore_of(r)->hierarchies[i]);
}
