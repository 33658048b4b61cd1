// SPDX-License-Identifier: GPL-2.0-only
/* A small server of FUSE for subjects: mounts on "mnt", a child answers; what is in it the subject says itself. */
#pragma once

#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

#define FUSE_ANSWER_MAX (128 * 1024)

struct fuse_request {
	struct fuse_in_header head;
	uint8_t body[FUSE_MIN_READ_BUFFER + FUSE_ANSWER_MAX];
};

static inline void fuse_answer(int fd, const struct fuse_request *request, int error, const void *body, size_t size)
{
	static uint8_t text[sizeof(struct fuse_out_header) + FUSE_ANSWER_MAX];
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size),
					.error = -error,
					.unique = request->head.unique };

	memcpy(text, &head, sizeof(head));
	if (size)
		memcpy(text + sizeof(head), body, size);
	if (write(fd, text, head.len) < 0 && errno != ENOENT)
		_exit(3);
}

/* Of a server that has an empty file "file" only; flags: what it agrees upon (FUSE_INIT). */
static inline void fuse_answer_as_one_file(int fd, const struct fuse_request *request, uint32_t flags)
{
	const bool root = request->head.nodeid == FUSE_ROOT_ID;
	const struct fuse_attr attr = { .ino = root ? 1 : 2,
					.mode = root ? S_IFDIR | 0755 : S_IFREG | 0644,
					.nlink = 1 };
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 8192, .flags = flags
	};
	const struct fuse_attr_out attributes = { .attr = attr };
	const struct fuse_entry_out entry = { .nodeid = 2, .attr = { .ino = 2, .mode = S_IFREG | 0644, .nlink = 1 } };
	const struct fuse_open_out open = { .fh = 7 };

	switch (request->head.opcode) {
	case FUSE_INIT:
		fuse_answer(fd, request, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		fuse_answer(fd, request, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		fuse_answer(fd, request, 0, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
		fuse_answer(fd, request, 0, &open, sizeof(open));
		break;
	case FUSE_SETLK:
	case FUSE_SETLKW:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
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

/* Until it is killed. */
static inline void fuse_serve(int fd, void (*answer_request)(int fd, const struct fuse_request *request))
{
	static struct fuse_request request;

	while (read(fd, &request, sizeof(request)) > 0 || errno == EINTR || errno == ENOENT)
		answer_request(fd, &request);
	_exit(0);
}

/* In a mount namespace of its own. */
static inline pid_t fuse_start(void (*answer_request)(int fd, const struct fuse_request *request))
{
	pid_t server;
	int fd = open("/dev/fuse", O_RDWR);
	char options[96];

	if (fd < 0)
		skip("/dev/fuse: %s", strerror(errno));
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("mnt", 0700));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("subject", "mnt", "fuse.subject", MS_NOSUID | MS_NODEV, options) < 0)
		skip("mounting FUSE: %s", strerror(errno));
	server = must(fork());
	if (server == 0)
		fuse_serve(fd, answer_request);
	must(close(fd));
	return server;
}

/* It has answered all until now, and none of it was wrong to it. */
static inline void fuse_end(pid_t server)
{
	int status;

	must(kill(server, SIGTERM));
	CHECK(waitpid(server, &status, 0) == server && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}
