/* SPDX-License-Identifier: GPL-2.0-only */
/* What migrations have left here that were killed, or ended in doubt: notes, records, doors, folders, network locks. */
#include "flow/migrate/remains.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "base/text.h"
#include "flow/migrate/folder.h"
#include "flow/undo.h"
#include "image/inventory.h"
#include "object/net/net.h"
#include "options/options.h"

#define SAY(list, ...) (*vector_push(list) = pool_printf(undone->pool, __VA_ARGS__))

/* The next name of the folder that is that of a migration, and what follows it. */
static bool next_name(DIR *dir, char id[MIGRATION_ID_SIZE], const char **ret_rest)
{
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		snprintf(id, MIGRATION_ID_SIZE, "%.36s", entry->d_name);
		if (!record_is_id(id))
			continue;
		*ret_rest = entry->d_name + MIGRATION_ID_SIZE - 1;
		return true;
	}
	return false;
}

bool remains_find(pid_t root, struct left_note *ret)
{
	AUTO_CLOSEDIR DIR *dir = opendir(RECORD_FOLDER);
	char id[MIGRATION_ID_SIZE];
	const char *rest;

	while (next_name(dir, id, &rest))
		if (!strcmp(rest, ".left") && record_read_left(id, ret) && ret->root == root && record_is_left(ret))
			return true;
	return false;
}

/* The rules of a lock by iptables name connections, which are in no image here. */
static int clean_note(const char *id, struct undone *undone)
{
	struct inventory inventory = { 0 };
	struct left_note note;
	int unlocked = 0;

	if (record_read_left(id, &note)) {
		if (!record_is_ours(&note))
			return 0;
		if (record_is_left(&note)) {
			SAY(&undone->left,
			    "process %d stands still since its migration %s to %s: criu migrate --ask %s %s, and "
			    "criu undo -t %d --discard if it is to go on here",
			    note.root, id, note.destination, id, note.destination, note.root);
			return 0;
		}
		inventory.lock = note.lock == INVENTORY_LOCK_NFTABLES ? INVENTORY_LOCK_NFTABLES : INVENTORY_LOCK_SKIP;
		snprintf(inventory.run_id, sizeof(inventory.run_id), "%s", note.run_id);
		unlocked = network_undo(NULL, &inventory, -1);
	}
	record_forget_left(id);
	SAY(&undone->done, "removed the note of migration %s, whose process has ended%s", id,
	    unlocked > 0 ? ", and its network lock" : "");
	return unlocked < 0 ? unlocked : 0;
}

static void clean_door(const char *id, struct undone *undone)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	record_door(id, &address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return;
	if (unlink(address.sun_path) == 0)
		SAY(&undone->done, "removed %s, where nobody listens", address.sun_path);
}

static void clean_record(const struct options *options, const char *id, struct undone *undone)
{
	enum record_use use = record_judge(id);

	if (use == RECORD_WORTHLESS || (use == RECORD_NEEDED && options->discard)) {
		record_remove(id);
		SAY(&undone->done, "removed the record of migration %s", id);
	} else if (use == RECORD_NEEDED) {
		SAY(&undone->left,
		    "the record of migration %s: a program has come here by it, and the other side may still ask what "
		    "has become of it. If it will not: criu undo --discard",
		    id);
	}
}

int remains_clean(const struct options *options, struct undone *undone)
{
	AUTO_CLOSEDIR DIR *dir = opendir(RECORD_FOLDER);
	unsigned folders = folder_sweep_all(options);
	char id[MIGRATION_ID_SIZE];
	const char *rest;
	int result = 0;

	if (folders)
		SAY(&undone->done, "removed %u folder%s with images of migrations that were killed", folders,
		    folders == 1 ? "" : "s");
	while (next_name(dir, id, &rest)) {
		int error = 0;

		if (!strcmp(rest, ".left"))
			error = clean_note(id, undone);
		else if (!strcmp(rest, ".door"))
			clean_door(id, undone);
		else if (!*rest)
			clean_record(options, id, undone);
		result = result ?: error;
	}
	return result;
}
