/* SPDX-License-Identifier: GPL-2.0-only */
/* Options that can only be set. */
#include "object/socket/set-only.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "object/socket/alike.h"
#include "object/socket/option-numbers.h"
#include "object/socket/options.h"
#include "object/socket/socket.h"
#include "object/socket/view.h"
#include "session/loss.h"
#include "session/session.h"

bool set_only_told(const struct set_only *values, int level, int option, int *ret)
{
	if (level == SOL_SOCKET && option == SO_BUSY_POLL_BUDGET)
		*ret = values->busy_poll_budget;
	else if (level == SOL_SOCKET && option == SO_INQ)
		*ret = values->inq;
	else if (level == IPPROTO_IPV6 && option == IPV6_MTU) /* asked for it is that of the path */
		*ret = values->mtu;
	else
		return false;
	return true;
}

static void read_budget(const struct dump *d, struct kernel_view *view, uint64_t sock, const char *why,
			struct set_only *values)
{
	uint16_t budget;

	if (view && kernel_view_read(view, sock, "sock", "sk_busy_poll_budget", &budget, sizeof(budget)))
		values->busy_poll_budget = budget;
	else
		dump_report_loss(
			d, "how many packets it may poll for at once, if it has set that (SO_BUSY_POLL_BUDGET): %s",
			why ?: "this kernel keeps it elsewhere");
}

static void read_mtu(struct kernel_view *view, uint64_t sock, struct set_only *values)
{
	uint64_t pinet6 = 0;
	uint32_t mtu;

	(void)kernel_view_read(view, sock, "inet_sock", "pinet6", &pinet6, sizeof(pinet6));
	if (kernel_view_read(view, pinet6, "ipv6_pinfo", "frag_size", &mtu, sizeof(mtu)))
		values->mtu = (int)mtu;
}

static bool polls_busily(const struct open_file *of, const struct socket_options *options)
{
	return !alike_in_all(options->alike) && (socket_is_on(of->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL) ||
						 socket_is_on(of->fd, SOL_SOCKET, SO_BUSY_POLL));
}

struct set_only set_only_read(const struct dump *d, const struct open_file *of, const struct socket_options *options)
{
	const bool budget = polls_busily(of, options);
	const bool mtu = options->family == AF_INET6 && options->type != SOCK_STREAM;
	struct set_only values = { .busy_poll_budget = BUSY_POLL_BUDGET };
	struct kernel_view *view = NULL;
	const char *why = NULL;
	uint64_t sock;

	values.inq = alike_has_inq(options->alike);
	if (budget || mtu)
		view = kernel_view_get(d, &why);
	sock = view ? socket_view_sock(view, of->fd) : 0;
	if (budget)
		read_budget(d, view, sock, why, &values);
	if (view && mtu)
		read_mtu(view, sock, &values);
	return values;
}
