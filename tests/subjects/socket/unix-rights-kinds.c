// SPDX-License-Identifier: GPL-2.0-only
/* Files of many kinds that nobody has any more but an unread message, sent by a process that is gone. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "rights.h"

SUBJECT()

static int channel[2], watched;
static pid_t main_pid;

static void send_and_close(int fd)
{
	send_one(channel[0], fd);
	must(close(fd));
}

static void send_memory(void)
{
	int fd = must(memfd_create("in flight", MFD_ALLOW_SEALING));

	CHECK_EQUAL(write(fd, "memory", 6), 6);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	send_and_close(fd);
}

static void send_sockets(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0in flight" };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 10;
	int pair[2], udp = must(socket(AF_INET, SOCK_DGRAM, 0)), tcp = must(socket(AF_INET, SOCK_STREAM, 0));
	int server = must(socket(AF_UNIX, SOCK_STREAM, 0)), client = must(socket(AF_UNIX, SOCK_STREAM, 0));

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	CHECK_EQUAL(send(pair[0], "queue", 5, 0), 5);
	send_and_close(pair[1]);
	must(close(pair[0]));
	must(bind(udp, (struct sockaddr *)&address, sizeof(address)));
	send_and_close(udp);
	must(bind(tcp, (struct sockaddr *)&address, sizeof(address)));
	must(listen(tcp, 3));
	send_and_close(tcp);
	must(bind(server, (struct sockaddr *)&name, size));
	must(listen(server, 3));
	must(connect(client, (struct sockaddr *)&name, size));
	send_and_close(server);
	send_and_close(client);
}

static void send_events(void)
{
	struct itimerspec far = { .it_value.tv_sec = 1000 };
	sigset_t set;
	int timer = must(timerfd_create(CLOCK_MONOTONIC, 0)), notify = must(inotify_init());

	send_and_close(must(eventfd(41, 0)));
	must(timerfd_settime(timer, 0, &far, NULL));
	send_and_close(timer);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	send_and_close(must(signalfd(-1, &set, 0)));
	must(inotify_add_watch(notify, ".", IN_CREATE));
	send_and_close(notify);
	send_and_close(must(syscall(SYS_pidfd_open, main_pid, 0)));
}

static void send_files(void)
{
	int gone = must(open("gone", O_RDWR | O_CREAT, 0600)), pipes[2];

	CHECK_EQUAL(write(gone, "deleted", 7), 7);
	must(unlink("gone"));
	send_and_close(gone);
	send_and_close(must(open(".", O_PATH)));
	must(pipe(pipes));
	CHECK_EQUAL(write(pipes[1], "pipe", 4), 4);
	must(close(pipes[1]));
	send_and_close(pipes[0]);
}

static void send_terminals(void)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY)), slave;
	struct winsize size = { 11, 22, 0, 0 };

	must(grantpt(master));
	must(unlockpt(master));
	slave = must(open(ptsname(master), O_RDWR | O_NOCTTY));
	must(ioctl(master, TIOCSWINSZ, &size));
	CHECK_EQUAL(write(slave, "out", 3), 3);
	CHECK_EQUAL(write(master, "in\n", 3), 3);
	send_and_close(master);
	send_and_close(slave);
}

static int sender(void *unused)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 99 };
	int epoll = must(epoll_create1(0));

	send_memory();
	send_sockets();
	send_events();
	send_files();
	send_terminals();
	must(epoll_ctl(epoll, EPOLL_CTL_ADD, watched, &event));
	send_and_close(epoll);
	return 0;
}

static void check_text(int fd, const char *text)
{
	char buffer[32] = "";

	CHECK_EQUAL(read(fd, buffer, sizeof(buffer)), strlen(text));
	CHECK(!strcmp(buffer, text));
}

/* From a terminal: the last of it may still be on its way. */
static void check_typed(int master, const char *text)
{
	char buffer[32] = "";
	size_t at = 0;

	while (at < strlen(text)) {
		ssize_t got = read(master, buffer + at, sizeof(buffer) - 1 - at);

		CHECK(got > 0);
		at += (size_t)got;
	}
	CHECK(!strcmp(buffer, text));
}

static void check_sockets(void)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int fd = receive_one(channel[1]), server, client;

	check_text(fd, "queue");
	CHECK_EQUAL(read(fd, &size, 1), 0);
	fd = receive_one(channel[1]);
	CHECK(!getsockname(fd, (struct sockaddr *)&address, &size));
	CHECK(address.sin_port);
	fd = receive_one(channel[1]);
	CHECK(!getsockname(fd, (struct sockaddr *)&address, &size));
	CHECK(!connect(must(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr *)&address, size));
	server = receive_one(channel[1]);
	client = receive_one(channel[1]);
	fd = accept(server, NULL, NULL);
	CHECK(fd >= 0);
	CHECK_EQUAL(write(client, "through", 7), 7);
	check_text(fd, "through");
}

static void check_events(void)
{
	struct signalfd_siginfo info;
	struct itimerspec left;
	char buffer[256];
	uint64_t count;
	sigset_t set;
	int fd = receive_one(channel[1]);

	CHECK_EQUAL(read(fd, &count, 8), 8);
	CHECK_EQUAL(count, 41);
	CHECK(!timerfd_gettime(receive_one(channel[1]), &left));
	CHECK(left.it_value.tv_sec > 900);
	fd = receive_one(channel[1]);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	CHECK_EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
	fd = receive_one(channel[1]);
	close(must(open("created", O_RDWR | O_CREAT, 0600)));
	CHECK(!unlink("created"));
	CHECK(read(fd, buffer, sizeof(buffer)) > 0);
	CHECK(!syscall(SYS_pidfd_send_signal, receive_one(channel[1]), 0, NULL, 0));
}

static void check_terminals(void)
{
	int master = receive_one(channel[1]), slave = receive_one(channel[1]);
	struct winsize size;

	CHECK(!ioctl(slave, TIOCGWINSZ, &size));
	CHECK(size.ws_row == 11 && size.ws_col == 22);
	check_text(slave, "in\n");
	CHECK_EQUAL(write(slave, "x", 1), 1);
	check_typed(master, "outin\r\nx");
}

int main(void)
{
	struct epoll_event event;
	struct stat st, here;
	char buffer[16];
	uint64_t one = 1;
	int fd;

	main_pid = getpid();
	watched = must(eventfd(0, 0));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, channel));
	fd = 1000000;
	(void)setsockopt(channel[0], SOL_SOCKET, SO_SNDBUF, &fd, sizeof(fd));
	join_child(start_child(sender, NULL), 0);

	checkpoint();

	fd = receive_one(channel[1]);
	CHECK_EQUAL(pread(fd, buffer, 16, 0), 6);
	CHECK(!memcmp(buffer, "memory", 6));
	CHECK_EQUAL(fcntl(fd, F_GET_SEALS), F_SEAL_GROW);
	check_sockets();
	check_events();
	fd = receive_one(channel[1]);
	CHECK_EQUAL(pread(fd, buffer, 16, 0), 7);
	fd = receive_one(channel[1]);
	CHECK(!fstat(fd, &st) && !stat(".", &here) && st.st_ino == here.st_ino);
	check_text(receive_one(channel[1]), "pipe");
	check_terminals();
	fd = receive_one(channel[1]);
	CHECK_EQUAL(epoll_wait(fd, &event, 1, 0), 0);
	CHECK_EQUAL(write(watched, &one, 8), 8);
	CHECK_EQUAL(epoll_wait(fd, &event, 1, 0), 1);
	CHECK_EQUAL(event.data.u64, 99);
	return 0;
}
