/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this family share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "autofs.pb-c.h"
#include "base/list.h"
#include "base/vector.h"
#include "fuse.pb-c.h"
#include "kern/proc/mountinfo.h"
#include "mnt.pb-c.h"

/* One file system, however often it is mounted. */
struct superblock {
	struct superblock *next;
	uint32_t dev; /* root_dev of the images */
	struct mount
		*widest; /* the mount of it whose root is nearest to the file system's; NULL: all come from outside */
	struct mount *first;	     /* restore: at its place already, of a file system that is late */
	bool saved, asked;	     /* dump */
	struct pid_space *pid_space; /* a proc of a pid namespace within that of the tree; NULL: it is none */
	AutofsEntry *autofs;	     /* restore: an autofs; NULL: it is none */
	FuseEntry *fuse;	     /* restore: a FUSE file system; NULL: it is none */
	int server;		     /* restore: /dev/fuse, by which it is served; -1 */
	int fd;			     /* restore: a mount of it, while it is made */
	int files_fd;		     /* restore: its files, whatever is mounted upon them; -1: not needed */
};

/* A mount, of the images or on the way there. */
struct mount {
	MntEntry *entry;
	struct mount_space *space;
	struct mount *parent; /* NULL: the root of the namespace */
	struct list children, sibling;
	unsigned place; /* in the order of the kernel: who came first */
	const struct fs_kind *fs;
	const struct proc_mount *seen; /* dump */
	int detached;		       /* dump: its root, if it hangs nowhere; -1 */
	bool named;		       /* dump: it is external, and the user gave it a name */
	bool from_root; /* it is a root that comes from outside, or shows a part of what such a root shows */
	struct superblock *super;
	int fd;			     /* restore: first attached nowhere, then at its place; -1 */
	struct image *removed_image; /* restore: the archive of what was removed, opened by us; NULL */
	int removed_fd;		     /* restore: what was removed, made again, if this is the first mount of it; -1 */
	int removed_dir;	     /* and where it has this name for a while; -1 */
	const char *removed_name;
	int outside;	  /* restore: a clone that still has the peers and the master that it has outside; -1 */
	bool left_out;	  /* restore: it would come with another mount from outside, but is not there any more */
	bool hung_up;	  /* restore: a pty that nobody has open any more */
	bool attached;	  /* restore */
	bool upon_layers; /* restore: it hides layers of an overlay */
	const struct pid_space *kept_space; /* restore: it is the file of this pid namespace, which is awaited */
	bool shared_set;		    /* restore: its propagation is as it shall be */
};

/* A mount of a file or directory that was removed, as far as it can be seen. */
struct removed {
	int id;
	uint64_t inode;
	uint32_t links; /* other names of a file */
};

/* A mount namespace. */
struct mount_space {
	uint32_t id; /* in the images */
	const struct mount_set *set;
	struct namespace *namespace;
	struct proc_mounts seen;	/* dump */
	VECTOR(struct removed) removed; /* dump: mounts of what has no name any more */
	VECTOR(struct mount *) mounts;
	struct mount *root;
	int ns, root_fd; /* descriptors; -1 */
};

/* A directory that a restore has made outside: it goes again if the restore fails. */
struct made_outside {
	int parent, fd; /* descriptors; -1 */
	const char *name;
};

struct inode_flags;

struct mount_set {
	VECTOR(struct mount_space *) spaces;
	struct superblock *supers;
	struct table *by_id; /* struct mount, by mnt_id */
	unsigned n_mounts;
	VECTOR(struct mount *) whole;		  /* mounts of whole file systems, in no namespace: see sharing.c */
	VECTOR(int) kept;			  /* restore: descriptors that tasks fetch */
	VECTOR(struct inode_flags *) inode_flags; /* restore: to be set */
	VECTOR(struct made_outside) made;	  /* restore: directories outside, of overlays */
	bool settled;				  /* restore */
	bool filled;				  /* restore */
	bool shared;				  /* restore: propagation is as it shall be */
	const struct mount_space *inside;	  /* restore: see space_enter() */
	struct proc_mounts own;			  /* dump: those of criu */
};
