/* SPDX-License-Identifier: GPL-2.0-only */
/* The cgroups of a restore: what the images say, and where that is on this machine. */
#pragma once

#include "base/vector.h"
#include "cgroup.pb-c.h"
#include "kern/proc/cgroup.h"
#include "object/cgroup/hierarchy.h"
#include "session/session.h"

/* A hierarchy of the images. */
struct cg_hierarchy {
	const char *name;		 /* controllers, as the images have them */
	const CgControllerEntry *record; /* its directories; NULL: none were saved */
	const char *old_root,
		*new_root; /* what is the first in the images is the second here; NULL: nothing is moved */
	bool absent; /* this machine has none, and it is not needed: all tasks were in its root, or it controls nothing
		      */
	bool v2;
	bool made;	 /* by us, as this machine had none */
	int root;	 /* its directory, -1 before it is open */
	const char *own; /* where criu is */
};

/* A place of a set. */
struct cg_place {
	struct cg_hierarchy *hierarchy;
	const char *path;   /* as it is to be here */
	const char *prefix; /* of the path, the root of its cgroup namespace; NULL: there is none */
};

struct cg_set {
	uint32_t id;
	struct cg_place *places;
	size_t n;
};

struct cg_directory {
	struct cg_hierarchy *hierarchy;
	const char *path;
	const CgroupDirEntry *record;
	bool made, settled; /* by us; its properties are to be set */
	const char *frozen; /* it was there, and frozen: the value that its control file had */
};

/* The file that freezes cgroups of a hierarchy, and what thaws them; NULL: they cannot be frozen. */
static inline const char *cgroup_freezer(const struct cg_hierarchy *hierarchy, const char **ret_thawed)
{
	*ret_thawed = hierarchy->v2 ? "0" : "THAWED";
	return hierarchy->v2 ? "cgroup.freeze" : controllers_have(hierarchy->name, "freezer") ? "freezer.state" : NULL;
}

struct cgroup_restore {
	struct cg_hierarchy *hierarchies;
	size_t n_hierarchies;
	struct cg_set *sets;
	size_t n_sets;
	VECTOR(struct cg_directory) directories; /* that exist; parents before children */
};

/* load.c; NULL: nothing is to be done. */
extern const struct state_type cgroup_restore_state;
struct cgroup_restore *cgroup_restore_of(const struct restore *r);

/* the phases load and check of the part: nothing exists yet, nothing of this machine is asked. */
int cgroup_restore_load(const struct restore *r);
int cgroup_restore_check(const struct restore *r, struct thread *thread);

/* The path of the images as it is here: --cgroup-root. */
const char *cgroup_here(const struct restore *r, const struct cg_hierarchy *hierarchy, const char *path);

/* The set of a thread; NULL: that of criu, or there is nothing to be done. */
const struct cg_set *cgroup_set_of(const struct restore *r, const struct thread *thread);
