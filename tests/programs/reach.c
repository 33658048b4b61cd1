/* SPDX-License-Identifier: GPL-2.0-only */
/* All ways to reach criu: prints what each says about the version. */
#include <criu/criu.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static void say(const char *how, criu_opts *opts)
{
	errno = 0;
	printf("%s: %d", how, criu_local_get_version(opts));
	printf(" %s\n", errno ? strerrorname_np(errno) : "-");
	criu_local_free_opts(opts);
}

static criu_opts *new (void)
{
	criu_opts *opts = NULL;

	criu_local_init_opts(&opts);
	return opts;
}

int main(void)
{
	const char *address = "criu_service.socket";
	criu_opts *opts;

	say("default", new ());
	opts = new ();
	criu_local_set_service_address(opts, address);
	say("address", opts);
	opts = new ();
	criu_local_set_service_address(opts, NULL);
	say("default address", opts);
	opts = new ();
	criu_local_set_service_fd(opts, connect_to(address));
	say("descriptor", opts);
	opts = new ();
	criu_local_set_service_binary(opts, getenv("CRIU_BINARY"));
	say("binary", opts);
	opts = new ();
	criu_local_set_service_address(opts, address);
	criu_local_set_service_binary(opts, NULL);
	say("default binary", opts);
	opts = new ();
	criu_local_set_service_address(opts, "nobody-there");
	say("wrong address", opts);
	opts = new ();
	criu_local_set_service_binary(opts, "/nonexistent/criu");
	printf("wrong binary: %d\n", criu_local_get_version(opts) < 0);
	criu_local_free_opts(opts);
	criu_init_opts();
	criu_set_service_fd(-1);
	printf("wrong descriptor: %d\n", criu_get_version());
	criu_free_opts();
	return 0;
}
