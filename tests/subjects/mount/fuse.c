// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FUSE file system whose server is a child: open files, one without a name, a directory and the current one stay with
 * the server's own numbers and handles, and both sides of it work on.
 */
#include <dirent.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.not_ways = "older")

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

struct request {
	struct fuse_in_header head;
	uint8_t body[FUSE_MIN_READ_BUFFER + 65536];
};

static void answer(int fd, const struct request *request, int error, const void *body, size_t size)
{
	uint8_t text[4096];
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size),
					.error = -error,
					.unique = request->head.unique };

	memcpy(text, &head, sizeof(head));
	if (size)
		memcpy(text + sizeof(head), body, size);
	if (write(fd, text, head.len) < 0 && errno != ENOENT)
		_exit(3);
}

static struct fuse_attr attributes_of(uint64_t id)
{
	return (struct fuse_attr){ .ino = id, .mode = nodes[id].mode, .nlink = 1, .size = nodes[id].size };
}

static void answer_lookup(int fd, const struct request *request)
{
	struct fuse_entry_out out = { 0 };

	for (uint64_t id = 2; id < NODES; id++)
		if (nodes[id].mode && nodes[id].parent == request->head.nodeid &&
		    strcmp(nodes[id].name, (const char *)request->body) == 0) {
			out.nodeid = id;
			out.generation = 7 * id;
			out.attr = attributes_of(id);
			answer(fd, request, 0, &out, sizeof(out));
			return;
		}
	answer(fd, request, ENOENT, NULL, 0);
}

static void answer_readdir(int fd, const struct request *request)
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
	answer(fd, request, 0, text, size);
}

/* A handle that was never given out is the end of the server. */
static uint64_t node_of_handle(uint64_t handle)
{
	if (handle < OPENED || handle >= OPENED + n_opened)
		_exit(4);
	return opened_node[handle];
}

static void answer_io(int fd, const struct request *request)
{
	const struct fuse_write_in *write_in = (const void *)request->body;
	const struct fuse_read_in *in = (const void *)request->body;
	struct node *node = &nodes[node_of_handle(in->fh)];
	struct fuse_write_out out = { 0 };

	if (request->head.opcode == FUSE_READ) {
		size_t left = in->offset < node->size ? node->size - in->offset : 0;

		answer(fd, request, 0, node->text + in->offset, left < in->size ? left : in->size);
		return;
	}
	memcpy(node->text + write_in->offset, write_in + 1, write_in->size);
	if (node->size < write_in->offset + write_in->size)
		node->size = write_in->offset + write_in->size;
	out.size = write_in->size;
	answer(fd, request, 0, &out, sizeof(out));
}

static void answer_request(int fd, const struct request *request)
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
		answer(fd, request, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer_lookup(fd, request);
		break;
	case FUSE_GETATTR:
		attributes.attr = attributes_of(request->head.nodeid);
		answer(fd, request, 0, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		open.fh = OPENED + n_opened++;
		opened_node[open.fh] = request->head.nodeid;
		answer(fd, request, 0, &open, sizeof(open));
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
		answer(fd, request, 0, NULL, 0);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		(void)node_of_handle(((const struct fuse_release_in *)request->body)->fh);
		answer(fd, request, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fd, request, ENOSYS, NULL, 0);
	}
}

static void serve(int fd)
{
	static struct request request;

	while (read(fd, &request, sizeof(request)) > 0 || errno == EINTR || errno == ENOENT)
		answer_request(fd, &request);
	_exit(0);
}

static pid_t start_server(void)
{
	pid_t server;
	int fd = open("/dev/fuse", O_RDWR);
	char options[96];

	if (fd < 0)
		skip("/dev/fuse: %s", strerror(errno));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("subject", "mnt", "fuse.subject", MS_NOSUID | MS_NODEV, options) < 0)
		skip("mounting FUSE: %s", strerror(errno));
	server = must(fork());
	if (server == 0)
		serve(fd);
	must(close(fd));
	return server;
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

int main(void)
{
	char here[4096];
	int file, gone, journal, dir, status;
	pid_t server;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("mnt", 0700));
	server = start_server();
	file = must(open("mnt/dir/file", O_RDONLY));
	gone = must(open("mnt/gone", O_RDWR));
	journal = must(open("mnt/log", O_WRONLY | O_APPEND));
	dir = must(open("mnt/dir", O_RDONLY | O_DIRECTORY));
	must(unlink("mnt/gone"));
	must(chdir("mnt/dir"));
	CHECK(write(journal, "one ", 4) == 4);
	CHECK(reads(file, "in dir") && reads(gone, "no name") && count_names(dir) == 1);

	checkpoint();

	CHECK(getcwd(here, sizeof(here)) && strcmp(strrchr(here, '/'), "/dir") == 0);
	CHECK(reads(file, "in dir") && reads(gone, "no name") && count_names(dir) == 1);
	CHECK(access("file", R_OK) == 0 && access("../gone", F_OK) < 0);
	CHECK(write(journal, "two", 3) == 3);
	file = must(open("../log", O_RDONLY));
	CHECK(reads(file, "one two"));
	must(kill(server, SIGTERM));
	CHECK(waitpid(server, &status, 0) == server && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	return 0;
}
