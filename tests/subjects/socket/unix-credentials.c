// SPDX-License-Identifier: GPL-2.0-only
/* SO_PEERCRED tells the ids of the process at the other end; messages to who wants credentials still carry some. */
#include <grp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "server" };

static int child(void *unused)
{
	static const gid_t groups[] = { 1003, 1004 };
	int fd;

	must(setgroups(2, groups));
	must(setresgid(1002, 1002, 1002));
	must(setresuid(1001, 1001, 1001));
	fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	must(send(fd, "mine", 4, 0));
	wait_for_restore();
	return 0;
}

static void check(int fd, pid_t pid, uid_t uid, gid_t gid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	must(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	CHECK_EQUAL(peer.pid, pid);
	CHECK_EQUAL(peer.uid, uid);
	CHECK_EQUAL(peer.gid, gid);
}

static void check_groups(int fd)
{
	gid_t groups[8] = { 0 };
	socklen_t size = sizeof(groups);

	must(getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	CHECK_EQUAL(size, 2 * sizeof(gid_t));
	CHECK(groups[0] == 1003 && groups[1] == 1004);
}

static void check_message(int fd, const char *text, pid_t pid, uid_t uid)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], buffer[16];
	struct iovec iov = { buffer, sizeof(buffer) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	struct ucred sender;

	CHECK_EQUAL(recvmsg(fd, &message, 0), strlen(text));
	c = CMSG_FIRSTHDR(&message);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	CHECK_EQUAL(sender.pid, pid);
	CHECK_EQUAL(sender.uid, uid);
}

int main(void)
{
	int listener = must(socket(AF_UNIX, SOCK_STREAM, 0)), pair[2], wants[2], client, server, on = 1;
	pid_t pid;

	must(bind(listener, (struct sockaddr *)&address, sizeof(address)));
	must(chmod("server", 0777));
	must(chmod(".", 0777));
	must(listen(listener, 5));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, wants));
	must(setsockopt(wants[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	must(send(wants[0], "before", 6, 0));
	pid = start_child(child, NULL);
	server = must(accept(listener, NULL, NULL));
	must(setsockopt(server, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	check(server, pid, 1001, 1002);
	check_groups(server);

	checkpoint_with(1);

	check(server, pid, 1001, 1002);
	check_groups(server);
	check_message(server, "mine", pid, 1001);
	check(pair[0], getpid(), getuid(), getgid());
	check_message(wants[1], "before", getpid(), getuid());
	CHECK_EQUAL(send(wants[0], "after", 5, 0), 5);
	check_message(wants[1], "after", getpid(), getuid());
	client = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(connect(client, (struct sockaddr *)&address, sizeof(address)));
	check(client, getpid(), getuid(), getgid());
	join_child(pid, 0);
	must(unlink("server"));
	return 0;
}
