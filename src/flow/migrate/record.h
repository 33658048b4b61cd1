/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has become of a migration, on the side that the program goes to: a line in a file of /run/criu-migrate. Whoever
 * lost the connection asks another criu, which reads it, after whoever wrote it may have been killed.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "flow/migrate/migrate.h"
#include "flow/migrate/protocol.h"

#define RECORD_FOLDER "/run/criu-migrate"

enum record_state {
	RECORD_READY,	  /* restored, and stands still */
	RECORD_COMMITTED, /* the other side has given it up; nothing runs yet */
	RECORD_RELEASING, /* some task may run */
	RECORD_PARTIAL,	  /* all run, but some memory is still on the other side */
	RECORD_RESUMED,	  /* all run, or have run */
	RECORD_NEVER,	  /* none has run, none will */
	RECORD_LOST,	  /* they have run, and were killed as memory was missing */
};

/* Is it what a migration is called? It becomes the name of a file. */
bool record_is_id(const char *id);
/* A new one, RECORD_READY. It belongs to this process until that ends. The descriptor, or a failure. */
int record_create(const char *id);
/* From one state to another: fails if somebody else has decided meanwhile. root: its pid as we see it; 0: unknown. */
int record_move(int record, enum record_state from, enum record_state to, pid_t root);
/* That of another process, before RECORD_PARTIAL: by us comes memory until we have moved it on, or end. */
int record_watch(const char *id);
/* The socket at which the process that record_watch() is of takes another connection. */
void record_door(const char *id, struct sockaddr_un *ret);
/* The restore has failed. False: only after some task may have run. */
bool record_give_up(int record);
void record_remove(const char *id);
/*
 * What has become of it? Waits while the process that it belongs to has not decided. RECORD_READY becomes
 * RECORD_NEVER: who asks has lost the connection, and goes on.
 */
enum migrate_outcome record_ask(const char *id, pid_t *ret_root);

/* What is left of a record when criu undo comes. */
enum record_use {
	RECORD_IN_USE,	  /* by a process that lives */
	RECORD_NEEDED,	  /* something runs here, or has run, and the other side may ask for it */
	RECORD_WORTHLESS, /* without it, the answer would be the same */
};
enum record_use record_judge(const char *id);

/* On the side that the program leaves: kept while nobody here knows whether it runs there. */
struct left_note {
	char id[MIGRATION_ID_SIZE];
	pid_t root;
	unsigned long long start; /* of the root, clock ticks since the boot */
	unsigned long pidns;	  /* whose pid that is: the inode of our pid namespace */
	int lock;		  /* enum inventory_lock */
	char run_id[MIGRATION_ID_SIZE];
	char destination[256];
};
/* Fills in the start of the root, and the pid namespace. */
void record_note_left(const struct left_note *note);
/* False: there is none, or it makes no sense. */
bool record_read_left(const char *id, struct left_note *ret);
/* Was it made in this pid namespace? */
bool record_is_ours(const struct left_note *note);
/* The same, and does its tree stand here still? */
bool record_is_left(const struct left_note *note);
void record_forget_left(const char *id);
