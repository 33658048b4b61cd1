/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store for --stream: images go to, or come from, another process, which listens at a socket in the images directory.
 * Each image is asked for by its name and flows through a pipe of its own. What is read is kept in memory, as an image
 * comes only once and nobody can go back in a pipe.
 */
#include "image/store-streamer.h"

#include "image/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/vector.h"
#include "image/store.h"
#include "img-streamer.pb-c.h"

#define CAPTURE	   "streamer-capture.sock"
#define SERVE	   "streamer-serve.sock"
#define PIPE_SIZE  (1 << 20)
#define REPLY_MAX  64
#define PIECE_SIZE (1u << 20)

struct streamed {
	char name[IMAGE_NAME];
	int fd; /* -1: it does not exist */
};

struct streamer {
	struct store store;
	int socket;
	VECTOR(struct streamed) images;
};

static struct streamer *streamer_of(struct store *store)
{
	return (struct streamer *)store;
}

static int fail_talking(int error, const char *name)
{
	return fail(error, "%s: talking to the image streamer", name);
}

/* --- messages --- */

static int send_request(const struct streamer *streamer, const char *name)
{
	ImgStreamerRequestEntry request = IMG_STREAMER_REQUEST_ENTRY__INIT;
	uint8_t message[IMAGE_NAME + 32];
	uint32_t size;
	int error;

	request.filename = (char *)name;
	size = (uint32_t)img_streamer_request_entry__pack(&request, message + sizeof(size));
	memcpy(message, &size, sizeof(size));
	error = io_write(streamer->socket, message, sizeof(size) + size);
	return error < 0 ? fail_talking(-error, name) : 0;
}

static int read_reply(const struct streamer *streamer, const char *name, bool *ret_exists)
{
	ImgStreamerReplyEntry *reply;
	uint8_t message[REPLY_MAX];
	uint32_t size = 0;
	int error = io_read_exact(streamer->socket, &size, sizeof(size));

	if (error == 0 && size > sizeof(message))
		return refuse(EPROTO, "%s: the image streamer answers with %u bytes", name, size);
	if (error == 0)
		error = io_read_exact(streamer->socket, message, size);
	if (error < 0)
		return fail_talking(-error, name);
	reply = img_streamer_reply_entry__unpack(NULL, size, message);
	if (!reply)
		return refuse(EPROTO, "%s: the image streamer's answer makes no sense", name);
	*ret_exists = reply->exists;
	img_streamer_reply_entry__free_unpacked(reply, NULL);
	return 0;
}

static int send_end(const struct streamer *streamer, const char *name, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	while (sendmsg(streamer->socket, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return fail_talking(errno, name);
	return 0;
}

/* A pipe of which the streamer gets one end: the reading one, if images are written. */
static int open_pipe(const struct streamer *streamer, const char *name, bool writing, int *ret)
{
	int pipe[2];
	AUTO_CLOSE int ours = -1, theirs = -1;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return fail_errno("%s: cannot make a pipe", name);
	ours = pipe[writing];
	theirs = pipe[!writing];
	(void)fcntl(ours, F_SETPIPE_SZ, PIPE_SIZE); /* faster, where users may have such pipes */
	TRY(send_end(streamer, name, theirs));
	*ret = TAKE_FD(ours);
	return 0;
}

/* --- writing --- */

static int streamer_create(struct store *store, struct image *image)
{
	const struct streamer *streamer = streamer_of(store);

	TRY(send_request(streamer, image->name));
	return open_pipe(streamer, image->name, true, &image->fd);
}

/* What is not sent is not there. */
static int streamer_remove(struct store *store, const char *name)
{
	return 0;
}

/* --- reading --- */

static int copy_to_memory(int pipe, const char *name, int *ret)
{
	AUTO_CLOSE int memory = memfd_create(name, MFD_CLOEXEC);
	AUTO_FREE char *piece = xmalloc(PIECE_SIZE);
	ssize_t got;

	if (memory < 0)
		return fail_errno("%s: cannot make a memory file", name);
	while ((got = io_read(pipe, piece, PIECE_SIZE)) > 0) {
		int error = io_write(memory, piece, (size_t)got);

		if (error < 0)
			return fail(-error, "%s: cannot keep it in memory", name);
	}
	if (got < 0)
		return fail((int)-got, "%s: cannot read it from the image streamer", name);
	*ret = TAKE_FD(memory);
	return 0;
}

static int fetch_image(struct streamer *streamer, const char *name, struct streamed *to)
{
	AUTO_CLOSE int pipe = -1;
	bool exists = false;

	*to = (struct streamed){ .fd = -1 };
	snprintf(to->name, sizeof(to->name), "%s", name);
	TRY(send_request(streamer, name));
	TRY(read_reply(streamer, name, &exists));
	if (!exists)
		return 0;
	TRY(open_pipe(streamer, name, false, &pipe));
	return copy_to_memory(pipe, name, &to->fd);
}

static int find_or_fetch(struct streamer *streamer, const char *name, struct streamed *ret)
{
	for (size_t i = 0; i < streamer->images.n; i++)
		if (!strcmp(streamer->images.items[i].name, name)) {
			*ret = streamer->images.items[i];
			return 0;
		}
	TRY(fetch_image(streamer, name, ret));
	*vector_push(&streamer->images) = *ret;
	return 0;
}

/* Each reader has a position of its own. */
static int streamer_open(struct store *store, struct image *image)
{
	struct streamed found;
	char path[64];

	TRY(find_or_fetch(streamer_of(store), image->name, &found));
	if (found.fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", found.fd);
	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	return image->fd < 0 ? fail_errno("%s: cannot open its copy in memory", image->name) : 0;
}

/* --- the store --- */

static int streamer_open_parent(struct store *store, struct store **ret)
{
	return -ENOENT;
}

/* Nobody can ask what there is. */
static int streamer_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg)
{
	return 0;
}

static void streamer_close(struct store *store)
{
	struct streamer *streamer = streamer_of(store);

	close(streamer->socket);
	for (size_t i = 0; i < streamer->images.n; i++)
		if (streamer->images.items[i].fd >= 0)
			close(streamer->images.items[i].fd);
	vector_done(&streamer->images);
}

static const struct store_ops streamer_ops = {
	.open = streamer_open,
	.create = streamer_create,
	.remove = streamer_remove,
	.open_parent = streamer_open_parent,
	.list = streamer_list,
	.close = streamer_close,
};

bool store_is_streamed(const struct store *store)
{
	return store->ops == &streamer_ops;
}

int store_open_streamer(int dirfd, bool for_writing, struct store **ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct store *store;

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dirfd,
		 for_writing ? CAPTURE : SERVE);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno("cannot connect to the image streamer: does it listen at %s in the images directory?",
				  for_writing ? CAPTURE : SERVE);
	store = store_create(&streamer_ops, sizeof(struct streamer));
	streamer_of(store)->socket = TAKE_FD(fd);
	store->for_writing = for_writing;
	*ret = store;
	return 0;
}
