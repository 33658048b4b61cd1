/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of tls.c where this criu is built without GnuTLS: only tls_open() is ever called. */
#include "pages/tls.h"

#include <errno.h>

#include "base/fail.h"

int tls_open(const struct peer_place *place, int fd, bool is_server, struct tls **ret)
{
	return refuse(ENOSYS, "--tls: this criu was built without TLS; build it with GnuTLS (meson -Dtls=enabled)");
}

void tls_set_grace(struct tls *tls, unsigned seconds)
{
}

ssize_t tls_send(struct tls *tls, const void *from, size_t size)
{
	return -ENOSYS;
}

ssize_t tls_receive(struct tls *tls, void *to, size_t size)
{
	return -ENOSYS;
}

bool tls_has_bytes(const struct tls *tls)
{
	return false;
}

int tls_finish(struct tls *tls)
{
	return -ENOSYS;
}

void tls_close(struct tls **tls)
{
	*tls = NULL;
}
