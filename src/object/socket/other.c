/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets of all other families: a plugin may know them, else they are refused, by name. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/fail.h"
#include "object/file/file.h"
#include "object/socket/socket.h"

static const struct {
	int family;
	const char *name;
} families[] = {
	{ AF_ALG, "of the kernel's ciphers (AF_ALG)" },
	{ AF_BLUETOOTH, "of Bluetooth" },
	{ AF_CAN, "of a CAN bus" },
	{ AF_IB, "of InfiniBand" },
	{ AF_IEEE802154, "of IEEE 802.15.4" },
	{ AF_KCM, "of the kernel connection multiplexor (AF_KCM)" },
	{ AF_KEY, "of IPsec keys (AF_KEY)" },
	{ AF_LLC, "of LLC" },
	{ AF_MCTP, "of MCTP" },
	{ AF_NFC, "of NFC" },
	{ AF_PHONET, "of Phonet" },
	{ AF_PPPOX, "of PPP (AF_PPPOX)" },
	{ AF_QIPCRTR, "of QRTR" },
	{ AF_RDS, "of RDS" },
	{ AF_RXRPC, "of RxRPC" },
	{ AF_SMC, "of SMC" },
	{ AF_TIPC, "of TIPC" },
	{ AF_VSOCK, "to the hypervisor (AF_VSOCK)" },
	{ AF_X25, "of X.25" },
	{ AF_XDP, "of express data paths (AF_XDP)" },
};

static bool is_socket(const struct open_file *of)
{
	return S_ISSOCK(of->stat.st_mode);
}

static int refuse_other(const struct open_file *of)
{
	struct socket_identity identity;

	TRY(socket_identify(of, &identity));
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i].family == identity.family)
			return refuse(EOPNOTSUPP, "a socket %s cannot be saved", families[i].name);
	return refuse(EOPNOTSUPP, "a socket of family %d, type %d cannot be saved", identity.family, identity.type);
}

static int dump_other(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	return file_dump_plugged(d, of, out, refuse_other);
}

/* The record tells nothing but a number: it is read by the kind of plugins. */
static bool claims_nothing(const FileEntry *entry)
{
	return false;
}

const struct file_kind other_kind = {
	.name = "other socket",
	.type = FD_TYPES__EXT,
	.entry = offsetof(FileEntry, ext),
	.claims = claims_nothing,
	.format = S_IFSOCK,
	.is = is_socket,
	.dump = dump_other,
};
