// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FUSE file system whose server is a child: open files, one without a name, a directory and the current one stay with
 * the server's own numbers and handles, with who gets their signals and with locks that the kernel keeps, and both
 * sides of it work on.
 */
#include <dirent.h>
#include <sys/file.h>

#include "fuse-server.h"

SUBJECT(.not_ways = "older", .options = "--file-locks")

#define NODES	 8
#define OPENED	 1000 /* handles begin there */
#define DIR_NODE 2

/* What the server has: a root, a directory "dir" in it, files in both. Its memory is what the checkpoint must fit to.
 */
struct node {
	uint64_t parent;
	char name[32], text[64];
	uint32_t mode;
	size_t size;
};

static struct node nodes[NODES] = {
	[FUSE_ROOT_ID] = { .mode = S_IFDIR | 0755 },
	[DIR_NODE] = { .parent = FUSE_ROOT_ID, .name = "dir", .mode = S_IFDIR | 0755 },
	[3] = { .parent = DIR_NODE, .name = "file", .text = "in dir", .mode = S_IFREG | 0644, .size = 6 },
	[4] = { .parent = FUSE_ROOT_ID, .name = "gone", .text = "no name", .mode = S_IFREG | 0644, .size = 7 },
	[5] = { .parent = FUSE_ROOT_ID, .name = "log", .mode = S_IFREG | 0644 },
};
static uint64_t n_opened;		  /* of all times */
static uint64_t opened_node[OPENED + 64]; /* by handle */

static struct fuse_attr attributes_of(uint64_t id)
{
	return (struct fuse_attr){ .ino = id, .mode = nodes[id].mode, .nlink = 1, .size = nodes[id].size };
}

static void answer_lookup(int fd, const struct fuse_request *request)
{
	struct fuse_entry_out out = { 0 };

	for (uint64_t id = 2; id < NODES; id++)
		if (nodes[id].mode && nodes[id].parent == request->head.nodeid &&
		    strcmp(nodes[id].name, (const char *)request->body) == 0) {
			out.nodeid = id;
			out.generation = 7 * id;
			out.attr = attributes_of(id);
			fuse_answer(fd, request, 0, &out, sizeof(out));
			return;
		}
	fuse_answer(fd, request, ENOENT, NULL, 0);
}

static void answer_readdir(int fd, const struct fuse_request *request)
{
	const struct fuse_read_in *in = (const void *)request->body;
	uint8_t text[1024] = { 0 };
	size_t size = 0;

	for (uint64_t id = in->offset + 1; id < NODES; id++) {
		struct fuse_dirent *entry = (void *)(text + size);

		if (!nodes[id].mode || nodes[id].parent != request->head.nodeid)
			continue;
		entry->ino = entry->off = id;
		entry->namelen = (uint32_t)strlen(nodes[id].name);
		memcpy(entry->name, nodes[id].name, entry->namelen);
		size += FUSE_DIRENT_SIZE(entry);
	}
	fuse_answer(fd, request, 0, text, size);
}

/* A handle that was never given out is the end of the server. */
static uint64_t node_of_handle(uint64_t handle)
{
	if (handle < OPENED || handle >= OPENED + n_opened)
		_exit(4);
	return opened_node[handle];
}

static void answer_io(int fd, const struct fuse_request *request)
{
	const struct fuse_write_in *write_in = (const void *)request->body;
	const struct fuse_read_in *in = (const void *)request->body;
	struct node *node = &nodes[node_of_handle(in->fh)];
	struct fuse_write_out out = { 0 };

	if (request->head.opcode == FUSE_READ) {
		size_t left = in->offset < node->size ? node->size - in->offset : 0;

		fuse_answer(fd, request, 0, node->text + in->offset, left < in->size ? left : in->size);
		return;
	}
	memcpy(node->text + write_in->offset, write_in + 1, write_in->size);
	if (node->size < write_in->offset + write_in->size)
		node->size = write_in->offset + write_in->size;
	out.size = write_in->size;
	fuse_answer(fd, request, 0, &out, sizeof(out));
}

static void answer_request(int fd, const struct fuse_request *request)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 8192, .flags = FUSE_BIG_WRITES
	};
	struct fuse_attr_out attributes = { 0 };
	struct fuse_open_out open = { .open_flags = FOPEN_DIRECT_IO };

	switch (request->head.opcode) {
	case FUSE_INIT:
		if (n_opened)
			_exit(5); /* only once */
		fuse_answer(fd, request, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer_lookup(fd, request);
		break;
	case FUSE_GETATTR:
		attributes.attr = attributes_of(request->head.nodeid);
		fuse_answer(fd, request, 0, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		open.fh = OPENED + n_opened++;
		opened_node[open.fh] = request->head.nodeid;
		fuse_answer(fd, request, 0, &open, sizeof(open));
		break;
	case FUSE_READDIR:
		answer_readdir(fd, request);
		break;
	case FUSE_READ:
	case FUSE_WRITE:
		answer_io(fd, request);
		break;
	case FUSE_UNLINK:
		nodes[4].name[0] = 0;
		fuse_answer(fd, request, 0, NULL, 0);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		(void)node_of_handle(((const struct fuse_release_in *)request->body)->fh);
		fuse_answer(fd, request, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		fuse_answer(fd, request, ENOSYS, NULL, 0);
	}
}

static bool reads(int fd, const char *text)
{
	char got[64] = "";

	return pread(fd, got, sizeof(got) - 1, 0) == (ssize_t)strlen(text) && strcmp(got, text) == 0;
}

static unsigned count_names(int dir)
{
	DIR *list = fdopendir(must(dup(dir)));
	unsigned n = 0;

	CHECK(list);
	rewinddir(list);
	while (readdir(list))
		n++;
	must(closedir(list));
	return n;
}

/* Of descriptions, of a task. */
static void lock_files(int gone, int journal)
{
	struct flock ofd = { .l_type = F_WRLCK, .l_start = 3, .l_len = 2 }, posix = { .l_type = F_RDLCK, .l_len = 1 };

	must(flock(journal, LOCK_EX));
	must(fcntl(gone, F_OFD_SETLK, &ofd));
	must(fcntl(gone, F_SETLK, &posix));
}

static void check_locks(int gone)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 4, .l_len = 1 };
	int other = must(open("../log", O_RDONLY));

	CHECK(flock(other, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	must(close(other));
	must(fcntl(gone, F_GETLK, &lock));
	CHECK(lock.l_type == F_WRLCK && lock.l_start == 3 && lock.l_pid == -1);
	lock = (struct flock){ .l_type = F_WRLCK, .l_len = 1 };
	must(fcntl(gone, F_OFD_GETLK, &lock));
	CHECK(lock.l_type == F_RDLCK && lock.l_pid == getpid());
}

static void check_owner(int fd)
{
	struct f_owner_ex who;

	must(fcntl(fd, F_GETOWN_EX, &who));
	CHECK(who.type == F_OWNER_PGRP && who.pid == getpgrp());
	CHECK_EQUAL(fcntl(fd, F_GETSIG), SIGUSR2);
}

int main(void)
{
	char here[4096];
	int file, gone, journal, dir;
	pid_t server;

	server = fuse_start(answer_request);
	file = must(open("mnt/dir/file", O_RDONLY));
	gone = must(open("mnt/gone", O_RDWR));
	journal = must(open("mnt/log", O_WRONLY | O_APPEND));
	dir = must(open("mnt/dir", O_RDONLY | O_DIRECTORY));
	must(unlink("mnt/gone"));
	must(chdir("mnt/dir"));
	CHECK(write(journal, "one ", 4) == 4);
	CHECK(reads(file, "in dir") && reads(gone, "no name") && count_names(dir) == 1);

	lock_files(gone, journal);
	must(fcntl(file, F_SETOWN, -getpgrp()));
	must(fcntl(file, F_SETSIG, SIGUSR2));
	must(fcntl(gone, F_SETSIG, SIGUSR1));

	checkpoint();

	check_owner(file);
	CHECK_EQUAL(fcntl(gone, F_GETSIG), SIGUSR1);
	CHECK(fcntl(gone, F_GETOWN) == 0);
	check_locks(gone);

	CHECK(getcwd(here, sizeof(here)) && strcmp(strrchr(here, '/'), "/dir") == 0);
	CHECK(reads(file, "in dir") && reads(gone, "no name") && count_names(dir) == 1);
	CHECK(access("file", R_OK) == 0 && access("../gone", F_OK) < 0);
	CHECK(write(journal, "two", 3) == 3);
	file = must(open("../log", O_RDONLY));
	CHECK(reads(file, "one two"));
	fuse_end(server);
	return 0;
}
