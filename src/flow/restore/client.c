/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that had asked for its own dump, and gets the answer where it is restored, by whomever. */
#include "flow/restore/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/log.h"
#include "rpc.pb-c.h"
#include "session/session.h"

void restore_answer_client(const struct restore *r)
{
	CriuResp answer = CRIU_RESP__INIT;
	CriuDumpResp details = CRIU_DUMP_RESP__INIT;
	AUTO_FREE uint8_t *packet = NULL;
	size_t size;

	if (r->client < 0)
		return;
	answer.type = CRIU_REQ_TYPE__DUMP;
	answer.success = true;
	answer.dump = &details;
	details.has_restored = details.restored = true;
	size = criu_resp__get_packed_size(&answer);
	packet = xmalloc(size);
	criu_resp__pack(&answer, packet);
	if (send(r->client, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("the restored client cannot be told that it was restored: %s", strerror(errno));
}
