/* SPDX-License-Identifier: GPL-2.0-only */
/* criu lazy-pages: waits for the restorer at a socket in the work directory. */
#include "flow/lazy-pages.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "flow/background.h"
#include "flow/page-server.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/record.h"
#include "image/store.h"
#include "options/options.h"
#include "pages/lazy/lazy.h"
#include "pstree.pb-c.h"
#include "session/images.h"

struct lazy_pages {
	const struct options *options;
	struct store *store;
	unsigned n_tasks;
	int listener;
};

static int count_tasks(struct store *store, unsigned *ret)
{
	AUTO(image_close) struct image *image = NULL;
	PstreeEntry *entry;
	int more = image_open(store, &image, IMAGE_PSTREE);

	if (more == -ENOENT)
		return refuse(
			ENOENT,
			"pstree.img is missing: the images must be there before the lazy-pages daemon is started");
	TRY(more);
	*ret = 0;
	while ((more = image_read(image, &entry)) > 0)
		++*ret;
	return more;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = LAZY_SOCKET };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return fail_errno("making a socket");
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return refuse(EEXIST, "%s in the work directory is no socket: remove it", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno("removing the old %s", path);
	/* Whoever connects is given memory of the tasks. The file that bind(2) makes has the mode of the socket. */
	if (fchmod(fd, 0600) < 0)
		return fail_errno("closing %s to others", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return fail_errno("listening at %s in the work directory", path);
	return TAKE_FD(fd);
}

/* The server is connected first: a restore that could not get its memory should not begin. */
static int serve_pages(void *arg)
{
	struct lazy_pages *lazy = arg;
	const struct peer_place place = page_server_place(lazy->options);
	struct lazy_setup setup = { .store = lazy->store, .n_tasks = lazy->n_tasks };
	AUTO(peer_close) struct peer *server = NULL;
	AUTO_CLOSE int restorer = -1;

	if (lazy->options->use_page_server || place.fd >= 0)
		TRY(peer_connect(&place, &server));
	TRY(peer_await(lazy->listener, POLLIN, 0));
	restorer = accept4(lazy->listener, NULL, NULL, SOCK_CLOEXEC);
	if (restorer < 0)
		return fail_errno("cannot accept the restorer");
	(void)unlink(LAZY_SOCKET); /* one client */
	setup.server = server;
	setup.restorer = restorer;
	TRY(lazy_serve(&setup));
	log_info("All tasks have their memory");
	return 0;
}

int lazy_pages(const struct options *options)
{
	AUTO(store_close) struct store *store = NULL;
	AUTO_CLOSE int listener = -1;
	struct lazy_pages lazy = { .options = options };
	struct inventory inventory;

	TRY(images_open(options, false, &store));
	TRY(inventory_read(store, &inventory));
	lazy.store = store;
	TRY(count_tasks(store, &lazy.n_tasks));
	listener = listen_at(LAZY_SOCKET);
	TRY(listener);
	lazy.listener = listener;
	return background_serve(options, NULL, options->restore_detached, "tasks that lack memory are killed",
				serve_pages, &lazy);
}
