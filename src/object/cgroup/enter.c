/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks and threads go into the cgroups of their sets, and are frozen there if they were. */
#include "object/cgroup/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "object/cgroup/load.h"
#include "object/cgroup/properties.h"
#include "session/session.h"

/* file: of the cgroup, that a pid or tid is written to. */
static int move_task(const struct cg_place *place, const char *file, pid_t id)
{
	AUTO_FREE char *path = xprintf("%s%s%s", place->path + 1, place->path[1] ? "/" : "", file);
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%d", id);
	error = file_write_text(place->hierarchy->root, path, text);
	if (error < 0)
		return fail(-error, "moving %d into the cgroup %s of %s", id, place->path,
			    *place->hierarchy->name ? place->hierarchy->name : "cgroup2");
	return 0;
}

/* Where a thread with this set is in the hierarchy; NULL set: where criu is. */
static const char *path_of(const struct cg_set *set, const struct cg_hierarchy *hierarchy)
{
	for (size_t i = 0; set && i < set->n; i++)
		if (set->places[i].hierarchy == hierarchy)
			return set->places[i].path;
	return hierarchy->own;
}

/* The set of criu is known only by its places: a task of it that is made by one of another set goes back there. */
static int move_all(struct restore *r, const struct cg_set *from, const struct cg_set *to, const char *file, pid_t id)
{
	for (size_t i = 0; i < cgroup_restore_of(r)->n_hierarchies; i++) {
		struct cg_hierarchy *hierarchy = &cgroup_restore_of(r)->hierarchies[i];
		struct cg_place place = { .hierarchy = hierarchy };

		if (hierarchy->absent)
			continue;
		place.path = path_of(to, hierarchy);
		if (strcmp(path_of(from, hierarchy), place.path) != 0)
			TRY(move_task(&place, file ?: hierarchy->v2 ? "cgroup.threads" : "tasks", id));
	}
	return 0;
}

/* Those that are made for the restore only, and zombies, are where their creator is. */
static const struct cg_set *set_of(const struct restore *r, const struct task *task)
{
	while (task && !task_is_live(task))
		task = task->restore->creator;
	return task ? cgroup_set_of(r, task->leader) : NULL;
}

int cgroup_restore_enter(struct restore *r, struct task *task)
{
	if (!cgroup_restore_of(r) || !task_is_live(task))
		return 0;
	return move_all(r, set_of(r, task->restore->creator), set_of(r, task), "cgroup.procs", task->pid);
}

int cgroup_restore_enter_threads(struct restore *r, struct task *task)
{
	struct thread *thread;

	if (!cgroup_restore_of(r))
		return 0;
	for_each_thread(thread, task)
		if (thread != task->leader)
			TRY(move_all(r, cgroup_set_of(r, task->leader), cgroup_set_of(r, thread), NULL, thread->tid));
	return 0;
}

int cgroup_restore_enter_root(struct restore *r, const struct task *task, pid_t pid)
{
	const struct cg_set *set = cgroup_set_of(r, task->leader);

	for (size_t i = 0; set && i < set->n; i++) {
		struct cg_place root = { .hierarchy = set->places[i].hierarchy, .path = set->places[i].prefix };

		if (!root.path || root.hierarchy->absent || !strcmp(root.path, root.hierarchy->own))
			continue;
		TRY(move_task(&root, "cgroup.procs", pid));
	}
	return 0;
}

/* --- frozen --- */

/* --freeze-cgroup names one whose state is put back whatever --manage-cgroups says. */
static bool is_named(const struct restore *r, int dir)
{
	struct stat named, ours;

	return r->options->freeze_cgroup && stat(r->options->freeze_cgroup, &named) == 0 && fstat(dir, &ours) == 0 &&
	       named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
}

/* What the images say; NULL: nothing. */
static const char *saved_state(const struct cg_directory *directory, const char *file)
{
	for (size_t i = 0; directory->record && i < directory->record->n_properties; i++)
		if (!strcmp(directory->record->properties[i]->name, file))
			return directory->record->properties[i]->value;
	return NULL;
}

static int open_directory(const struct cg_directory *directory)
{
	int dir = openat(directory->hierarchy->root, directory->path[1] ? directory->path + 1 : ".",
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? fail_errno("opening the cgroup %s", directory->path) : dir;
}

static int set_state(const struct cg_directory *directory, int dir, const char *state)
{
	const char *thawed, *file = cgroup_freezer(directory->hierarchy, &thawed);
	int error = property_write(dir, file, state);

	if (error < 0)
		return fail(-error, "writing \"%s\" to %s of the cgroup %s", state, file, directory->path);
	log_info("The cgroup %s is set to \"%s\"", directory->path, state);
	return 0;
}

int cgroup_thaw_found(struct restore *r, struct cg_directory *directory)
{
	const char *thawed, *file = cgroup_freezer(directory->hierarchy, &thawed);
	AUTO_CLOSE int dir = file ? open_directory(directory) : -1;
	char *now;

	if (!file)
		return 0;
	TRY(dir);
	if (property_read(dir, file, r->pool, &now) < 0 || !strcmp(now, thawed)) /* the root cannot be frozen */
		return 0;
	TRY(set_state(directory, dir, thawed));
	directory->frozen = directory->hierarchy->v2 ? "1" : "FROZEN";
	if (property_read(dir, file, r->pool, &now) == 0 && strcmp(now, thawed) != 0)
		return refuse(EBUSY, "a cgroup above it is frozen: thaw that");
	return 0;
}

void cgroup_freeze_found(const struct cg_directory *directory)
{
	AUTO_CLOSE int dir = directory->frozen ? open_directory(directory) : -1;

	if (dir >= 0)
		(void)set_state(directory, dir, directory->frozen); /* logged */
}

/* As it was saved, if that is to be put back; else as it was found. */
static int freeze_directory(const struct restore *r, const struct cg_directory *directory, bool thaw)
{
	const char *thawed, *file = cgroup_freezer(directory->hierarchy, &thawed),
			    *saved = file ? saved_state(directory, file) : NULL;
	const char *state = directory->frozen;
	AUTO_CLOSE int dir = -1;

	if (!saved && !state)
		return 0;
	dir = open_directory(directory);
	TRY(dir);
	if (saved && (directory->settled || is_named(r, dir)))
		state = saved;
	if (!state || !strcmp(state, thawed))
		return 0;
	return set_state(directory, dir, thaw ? thawed : directory->hierarchy->v2 ? "1" : "FROZEN");
}

int cgroup_restore_freeze(struct restore *r)
{
	for (size_t i = 0; cgroup_restore_of(r) && i < cgroup_restore_of(r)->directories.n; i++)
		TRY(freeze_directory(r, &cgroup_restore_of(r)->directories.items[i], false));
	return 0;
}

/* Frozen tasks of cgroup v1 could not be killed. */
void cgroup_restore_thaw(struct restore *r)
{
	for (size_t i = cgroup_restore_of(r) ? cgroup_restore_of(r)->directories.n : 0; i > 0; i--)
		(void)freeze_directory(r, &cgroup_restore_of(r)->directories.items[i - 1], true); /* logged */
}
