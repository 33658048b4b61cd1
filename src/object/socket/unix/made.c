/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of sockets that a restore has made where there was nothing: they go if it fails. */
#include "object/socket/unix/made.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/vector.h"
#include "session/session.h"
#include "session/state.h"

struct made_file {
	int dir; /* -1: not known */
	const char *name;
	dev_t dev;
	ino_t ino;
};

struct made_files {
	VECTOR(struct made_file) list;
};

static void forget_files(void *state)
{
	struct made_files *made = state;

	for (size_t i = 0; i < made->list.n; i++)
		if (made->list.items[i].dir >= 0)
			close(made->list.items[i].dir);
	vector_done(&made->list);
}

static const struct state_type made_state = { sizeof(struct made_files), forget_files };

void unix_made_note(struct restore *r, int dir, const char *name, const struct stat *file)
{
	struct made_files *made = state_find(r->states, &made_state) ?: state_make(r->states, &made_state);

	*vector_push(&made->list) = (struct made_file){
		.dir = fcntl(dir, F_DUPFD_CLOEXEC, 3),
		.name = pool_string(r->pool, name),
		.dev = file->st_dev,
		.ino = file->st_ino,
	};
}

void unix_made_keep(struct restore *r)
{
	state_destroy(r->states, &made_state);
}

void unix_made_remove(struct restore *r)
{
	struct made_files *made = state_find(r->states, &made_state);

	for (size_t i = 0; made && i < made->list.n; i++) {
		const struct made_file *file = &made->list.items[i];
		struct stat stat;

		if (file->dir >= 0 && fstatat(file->dir, file->name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
		    stat.st_dev == file->dev && stat.st_ino == file->ino)
			(void)unlinkat(file->dir, file->name, 0);
	}
	state_destroy(r->states, &made_state);
}
