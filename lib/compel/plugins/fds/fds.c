/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors over the control socket. */
#include <compel/common/scm.h>
#include <compel/plugins.h>
#include <compel/plugins/std/fds.h>
#include <compel/plugins/std/infect.h>

PLUGIN_REGISTER_DUMMY(fds)

int fds_send_fd(int fd)
{
	return send_fd(parasite_get_rpc_sock(), 0, 0, fd);
}

int fds_recv_fd(void)
{
	return recv_fd(parasite_get_rpc_sock());
}
