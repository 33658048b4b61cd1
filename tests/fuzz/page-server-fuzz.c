/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzz target: a page server's client. The first byte of the input chooses what the server does: take pages, into
 * images in a directory with or without a parent, or give them. The rest is what the client sends before it hangs up.
 * The server must end, without a crash; what it has taken must be images that can be read.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "image/pagemap-image.h"
#include "image/store.h"
#include "image/table.h"
#include "pages/peer.h"
#include "pages/server.h"
#include "pages/supply.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void remove_folder(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	must(system(command) == 0);
}

/* DIR has the images, DIR/older those of an older dump: task 7, pages 1 to 4. */
static void make_parent(int dir)
{
	AUTO(store_close) struct store *store = NULL;
	AUTO(pagemap_abandon) struct pagemap_writer *writer = NULL;

	must(store_open_dir(dir, true, &store) == 0);
	must(pagemap_create(store, IMAGE_PAGEMAP, 7, 1, &writer) == 0);
	must(pagemap_append(writer, 0x1000, 4, PE_PRESENT, NULL) == 0);
	must(pagemap_finish(&writer) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	AUTO_CLOSE int older = -1;

	snprintf(folder, sizeof(folder), "%s/page-server-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(folder) != NULL);
	atexit(remove_folder);
	must(chdir(folder) == 0);
	must(mkdir("older", 0700) == 0 && mkdir("alone", 0700) == 0 && mkdir("child", 0700) == 0);
	must(symlink("../older", "child/parent") == 0);
	older = open("older", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_parent(older);
	return log_open("/dev/null");
}

struct check {
	struct store *store;
	bool complete; /* what is there must make sense */
};

static int check_image(void *arg, const char *name)
{
	const struct check *check = arg;
	struct pagemap map;
	enum image_id id;
	uint64_t number;

	if (check->complete && image_parse_name(name, &id, &number) == 0 &&
	    (id == IMAGE_PAGEMAP || id == IMAGE_PAGEMAP_SHMEM)) {
		must(pagemap_read(check->store, id, number, &map) == 0);
		pagemap_done(&map);
	}
	if (strcmp(name, "parent") != 0)
		must(unlinkat(store_get_dir(check->store), name, 0) == 0);
	return 0;
}

static void check_and_clear(int dir, bool complete)
{
	AUTO(store_close) struct store *store = NULL;
	struct check check = { .complete = complete };

	must(store_open_dir(dir, false, &store) == 0);
	check.store = store;
	must(store_list(store, check_image, &check) == 0);
}

/* Knows pages 1 to 8 of task 7. */
static int64_t read_some(struct page_supply *supply, uint64_t pid, uint64_t start, uint64_t nr_pages, void *to)
{
	if (pid != 7 || start < 0x1000 || start >= 0x9000)
		return refuse(ENOENT, "no such pages");
	memset(to, 1, 4096);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *name;
	int sockets[2], room = 1 << 20, result;
	struct peer_place place = { .fd = -1 };
	AUTO(peer_close) struct peer *peer = NULL;
	AUTO(store_close) struct store *store = NULL;
	AUTO_CLOSE int dir = -1, client = -1, server = -1;

	if (!size)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
	client = sockets[0];
	server = sockets[1];
	for (int i = 0; i < 2; i++)
		(void)setsockopt(sockets[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	/* What does not fit is cut off: the server does not run yet. */
	if (send(client, data + 1, size - 1, MSG_DONTWAIT) < 0 && size > 1)
		return 0;
	must(shutdown(client, SHUT_WR) == 0);
	place.fd = server;
	must(peer_accept(&place, -1, NULL, &peer) == 0);
	if (data[0] % 3 == 2) {
		struct page_supply supply = { read_some };

		/* Answers that nobody takes: a full socket would stop it. */
		(void)fcntl(peer_fd(peer), F_SETFL, O_NONBLOCK);
		(void)page_server_supply(peer, &supply, NULL);
		return 0;
	}
	name = data[0] % 3 ? "child" : "alone";
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0 && store_open_dir(dir, true, &store) == 0);
	result = page_server_receive(peer, store, NULL);
	must(result <= 0);
	check_and_clear(dir, result == 0);
	return 0;
}
