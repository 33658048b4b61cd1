/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket options: reads and sets the rows of options.def, and those that are more than a number. */
#include "object/socket/options.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "object/socket/alike.h"
#include "object/socket/option-numbers.h"

enum record { RECORD_common, RECORD_ip, RECORD_raw, RECORD_tcp, RECORD_more };

enum shape { SHAPE_BOOL, SHAPE_NUMBER, SHAPE_BYTES };

enum write { WRITE_ALWAYS, WRITE_CHANGED };

struct sockopt_row {
	const char *name;
	int level, option;
	enum record record;
	size_t has, value;
	enum shape shape;
	unsigned families, types;
	int initial;
	enum write write;
	enum option_phase phase;
};

typedef SkOptsEntry record_common;
typedef IpOptsEntry record_ip;
typedef IpOptsRawEntry record_raw;
typedef TcpOptsEntry record_tcp;

#define BYTES_MAX 256 /* of an option that is no number: IPv6 headers are the longest */

#define UNIX	OPTION_UNIX
#define INET	OPTION_INET
#define INET6	OPTION_INET6
#define NETLINK OPTION_NETLINK
#define PACKET	OPTION_PACKET
#define ANY	OPTION_ANY
#define TCP	OPTION_TCP
#define UDP	OPTION_UDP
#define RAW	OPTION_RAW
#define OTHER	OPTION_OTHER
#define IDLE	OPTION_IDLE
#define ALL	OPTION_ALL

static const struct sockopt_row rows[] = {
#define OPTION(level, name, record, member, shape, families, types, initial, write, phase) \
	{ #name,                                                                           \
	  level,                                                                           \
	  name,                                                                            \
	  RECORD_##record,                                                                 \
	  offsetof(record_##record, has_##member),                                         \
	  offsetof(record_##record, member),                                               \
	  SHAPE_##shape,                                                                   \
	  families,                                                                        \
	  types,                                                                           \
	  initial,                                                                         \
	  WRITE_##write,                                                                   \
	  OPTION_##phase },
#define MORE(level, name, shape, families, types, initial, phase)                            \
	{                                                                                    \
		#name, level,	name,	       RECORD_more,   0, 0, SHAPE_##shape, families, \
		types, initial, WRITE_CHANGED, OPTION_##phase                                \
	},
#include "object/socket/options.def"
#undef OPTION
#undef MORE
};

#define N_ROWS (ARRAY_SIZE(rows))

static unsigned family_bit(int family)
{
	switch (family) {
	case AF_UNIX:
		return OPTION_UNIX;
	case AF_INET:
		return OPTION_INET;
	case AF_INET6:
		return OPTION_INET6;
	case AF_NETLINK:
		return OPTION_NETLINK;
	default:
		return OPTION_PACKET;
	}
}

static unsigned type_bits(const struct socket_options *options)
{
	if (options->family != AF_INET && options->family != AF_INET6)
		return OPTION_OTHER;
	if (options->type == SOCK_RAW)
		return OPTION_RAW;
	if (options->protocol == IPPROTO_TCP || options->protocol == IPPROTO_MPTCP)
		return options->is_connection ? OPTION_TCP : OPTION_TCP | OPTION_IDLE;
	return options->protocol == IPPROTO_UDP || options->protocol == IPPROTO_UDPLITE ? OPTION_UDP : OPTION_OTHER;
}

/* The record that holds the row, NULL if the row does not concern this socket. */
static char *record_of(const struct sockopt_row *row, const struct socket_options *options)
{
	if (!(row->families & family_bit(options->family)) || !(row->types & type_bits(options)))
		return NULL;
	switch (row->record) {
	case RECORD_common:
	case RECORD_more:
		return (char *)options->common;
	case RECORD_ip:
		return (char *)options->ip;
	case RECORD_raw:
		return (char *)options->raw;
	case RECORD_tcp:
		return (char *)options->tcp;
	}
	return NULL;
}

/* What a kernel says to an option that it does not have, or not for this socket. */
static bool is_missing(int error)
{
	return error == ENOPROTOOPT || error == EOPNOTSUPP;
}

static bool is_told(const struct socket_options *options, int level, int option, int *ret)
{
	return set_only_told(&options->set_only, level, option, ret) ||
	       (options->told && options->told(options->diag, level, option, ret));
}

/* getsockopt(2), where the answer is not known already. */
static int ask_option(int fd, const struct socket_options *options, int level, int option, void *value, socklen_t *size)
{
	int error;

	if (level != SOL_SOCKET || !alike_getsockopt(options->alike, option, value, size, &error))
		return getsockopt(fd, level, option, value, size);
	errno = error;
	return error ? -1 : 0;
}

static int read_row(const struct sockopt_row *row, int fd, const struct socket_options *options, char *record)
{
	int value = 0;
	socklen_t size = sizeof(value);

	if (!is_told(options, row->level, row->option, &value) &&
	    ask_option(fd, options, row->level, row->option, &value, &size) < 0) {
		if (!is_missing(errno))
			return fail_errno("cannot read the socket option %s", row->name);
		log_debug("this kernel has no socket option %s here", row->name);
		return 0;
	}
	if (row->write == WRITE_CHANGED && value == row->initial)
		return 0;
	*(protobuf_c_boolean *)(record + row->has) = true;
	if (row->shape == SHAPE_BOOL)
		*(protobuf_c_boolean *)(record + row->value) = value != 0;
	else
		*(uint32_t *)(record + row->value) = (uint32_t)value;
	return 0;
}

/* --- rows without a member in CRIU's records --- */

static bool all_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static SkMoreEntry *add_more(const struct sockopt_row *row, SkOptsEntry *common, struct pool *pool)
{
	SkMoreEntry *more = pool_new(pool, SkMoreEntry);

	sk_more_entry__init(more);
	more->level = row->level;
	more->option = row->option;
	if (!common->more)
		common->more = pool_array(pool, SkMoreEntry *, N_ROWS);
	common->more[common->n_more++] = more;
	return more;
}

/* What cannot be read is not there, or not for this socket. */
static void read_more(const struct sockopt_row *row, int fd, const struct socket_options *options, struct pool *pool)
{
	char bytes[BYTES_MAX] = { 0 };
	socklen_t size = row->shape == SHAPE_BYTES ? sizeof(bytes) : sizeof(int);
	SkMoreEntry *more;
	int number;

	if (!is_told(options, row->level, row->option, &number)) {
		if (ask_option(fd, options, row->level, row->option, bytes, &size) < 0)
			return;
		memcpy(&number, bytes, sizeof(number));
	}
	if (row->shape == SHAPE_BYTES ? all_zero(bytes, size) : number == row->initial)
		return;
	more = add_more(row, options->common, pool);
	more->has_bytes = row->shape == SHAPE_BYTES;
	more->has_number = !more->has_bytes;
	more->number = number;
	if (more->has_bytes)
		more->bytes = (ProtobufCBinaryData){ size, pool_copy(pool, bytes, size) };
}

static const SkMoreEntry *find_more(const struct sockopt_row *row, const SkOptsEntry *common)
{
	for (size_t i = 0; i < common->n_more; i++)
		if (common->more[i]->level == row->level && common->more[i]->option == row->option)
			return common->more[i];
	return NULL;
}

static void apply_more(const struct sockopt_row *row, int fd, const SkOptsEntry *common)
{
	const SkMoreEntry *more = find_more(row, common);
	char now[BYTES_MAX] = { 0 };
	socklen_t size = sizeof(now);
	const void *value;
	size_t length;

	if (!more || (row->shape == SHAPE_BYTES ? !more->has_bytes : !more->has_number))
		return;
	value = row->shape == SHAPE_BYTES ? more->bytes.data : (const void *)&more->number;
	length = row->shape == SHAPE_BYTES ? more->bytes.len : sizeof(more->number);
	if (!getsockopt(fd, row->level, row->option, now, &size) && size == length && !memcmp(now, value, length))
		return;
	if (setsockopt(fd, row->level, row->option, value, (socklen_t)length) < 0)
		log_warn("the socket option %s cannot be set as it was (%d): %s", row->name, more->number,
			 strerror(errno));
}

/* --- */

/* Options that a new socket gets from another one, its listener. */
static bool is_inherited(const struct sockopt_row *row)
{
	return row->level != SOL_SOCKET || (row->families & OPTION_ANY) != OPTION_ANY;
}

static int value_in(const struct sockopt_row *row, const char *record)
{
	return row->shape == SHAPE_BOOL ? *(const protobuf_c_boolean *)(record + row->value)
					: (int)*(const uint32_t *)(record + row->value);
}

static int apply_row(const struct sockopt_row *row, const struct socket_options *options, int fd, const char *record)
{
	int value, now = 0;
	socklen_t size = sizeof(now);

	if (!*(const protobuf_c_boolean *)(record + row->has))
		return 0;
	value = value_in(row, record);
	if (options->family == AF_UNIX && value == row->initial && (options->is_fresh || !is_inherited(row)))
		return 0;
	if (!getsockopt(fd, row->level, row->option, &now, &size) && now == value)
		return 0;
	if (!setsockopt(fd, row->level, row->option, &value, sizeof(value)))
		return 0;
	if (!is_missing(errno))
		return fail_errno("cannot set the socket option %s to %d", row->name, value);
	if (value != row->initial)
		log_warn("this kernel has no socket option %s; it was %d", row->name, value);
	return 0;
}

/* --- options that are more than a number --- */

static int read_buffer(int fd, const struct socket_options *options, int option, uint32_t *ret)
{
	socklen_t size = sizeof(*ret);

	if (is_told(options, SOL_SOCKET, option, (int *)ret) ||
	    !ask_option(fd, options, SOL_SOCKET, option, ret, &size))
		return 0;
	return fail_errno("cannot read the buffer sizes");
}

static int read_buffers(int fd, const struct socket_options *options)
{
	SkOptsEntry *common = options->common;
	uint32_t lock = 0;
	socklen_t size = sizeof(lock);

	TRY(read_buffer(fd, options, SO_SNDBUF, &common->so_sndbuf));
	TRY(read_buffer(fd, options, SO_RCVBUF, &common->so_rcvbuf));
	if (!ask_option(fd, options, SOL_SOCKET, SO_BUF_LOCK, &lock, &size)) {
		common->has_so_buf_lock = true;
		common->so_buf_lock = lock;
	}
	return 0;
}

/* 1: it was set. The kernel doubles what it is given (socket(7)). Setting a size fixes it: SO_BUF_LOCK lets it grow by
 * itself again. known: what it has, or 0. */
static int apply_buffer(int fd, int option, int forced, uint32_t doubled, uint32_t known)
{
	uint32_t now = 0;
	int value = (int)(doubled / 2);
	socklen_t size = sizeof(now);

	if (known == doubled || (!getsockopt(fd, SOL_SOCKET, option, &now, &size) && now == doubled))
		return 0;
	if (setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) < 0)
		return fail_errno("cannot set a socket buffer to %u bytes", doubled);
	return 1;
}

static int apply_buffers(int fd, const struct socket_options *options)
{
	const SkOptsEntry *common = options->common;
	int send, receive;

	/* Multipath TCP does not take SO_BUF_LOCK: its buffers would never grow by themselves again. */
	if (options->protocol == IPPROTO_MPTCP && common->has_so_buf_lock && !common->so_buf_lock)
		return 0;
	send = apply_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, common->so_sndbuf, options->fresh_sndbuf);
	TRY(send);
	receive = apply_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, common->so_rcvbuf, options->fresh_rcvbuf);
	TRY(receive);
	if (!common->has_so_buf_lock || (!send && !receive && !common->so_buf_lock))
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &common->so_buf_lock, sizeof(common->so_buf_lock)) < 0 &&
	    !is_missing(errno))
		return fail_errno("cannot unlock the socket buffers");
	return 0;
}

int socket_options_make_capacity(int fd, uint32_t send, uint32_t receive)
{
	uint32_t now[2] = { 0 };
	socklen_t size = sizeof(now[0]);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now[0], &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now[1], &size) < 0)
		return fail_errno("cannot read the buffer sizes");
	if (now[0] < send)
		TRY(apply_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, send, 0));
	if (now[1] < receive)
		TRY(apply_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, receive, 0));
	return 0;
}

static int read_times(int fd, const struct socket_options *options)
{
	SkOptsEntry *common = options->common;
	struct timeval send = { 0 }, receive = { 0 };
	socklen_t size = sizeof(send);

	if (ask_option(fd, options, SOL_SOCKET, SO_SNDTIMEO, &send, &size) < 0 ||
	    ask_option(fd, options, SOL_SOCKET, SO_RCVTIMEO, &receive, &size) < 0)
		return fail_errno("cannot read the time limits");
	common->so_snd_tmo_sec = send.tv_sec;
	common->so_snd_tmo_usec = send.tv_usec;
	common->so_rcv_tmo_sec = receive.tv_sec;
	common->so_rcv_tmo_usec = receive.tv_usec;
	return 0;
}

static int apply_times(int fd, const SkOptsEntry *common)
{
	const struct timeval send = { common->so_snd_tmo_sec, common->so_snd_tmo_usec };
	const struct timeval receive = { common->so_rcv_tmo_sec, common->so_rcv_tmo_usec };

	if ((send.tv_sec || send.tv_usec) && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send)) < 0)
		return fail_errno("cannot set the time limit for sending");
	if ((receive.tv_sec || receive.tv_usec) &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive)) < 0)
		return fail_errno("cannot set the time limit for receiving");
	return 0;
}

static int read_linger(int fd, const struct socket_options *options)
{
	SkOptsEntry *common = options->common;
	struct linger linger = { 0 };
	socklen_t size = sizeof(linger);

	if (ask_option(fd, options, SOL_SOCKET, SO_LINGER, &linger, &size) < 0)
		return fail_errno("cannot read the socket option SO_LINGER");
	common->has_so_linger = linger.l_onoff;
	common->so_linger = linger.l_linger;
	return 0;
}

static int apply_linger(int fd, const SkOptsEntry *common)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = (int)common->so_linger };

	if (common->has_so_linger && setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		return fail_errno("cannot set the socket option SO_LINGER");
	return 0;
}

static int read_device(int fd, const struct socket_options *options, struct pool *pool)
{
	char name[IFNAMSIZ] = "";
	socklen_t size = sizeof(name);
	int index;

	if (is_told(options, SOL_SOCKET, SO_BINDTOIFINDEX, &index) && !index)
		return 0;
	if (ask_option(fd, options, SOL_SOCKET, SO_BINDTODEVICE, name, &size) < 0)
		return is_missing(errno) ? 0 : fail_errno("cannot read the socket option SO_BINDTODEVICE");
	if (size && name[0])
		options->common->so_bound_dev = pool_string(pool, name);
	return 0;
}

static int apply_device(int fd, const SkOptsEntry *common)
{
	char name[IFNAMSIZ] = "";
	uint32_t index;

	if (!common->so_bound_dev || !common->so_bound_dev[0])
		return 0;
	/* Some writers put the number of the device there. */
	if (if_nametoindex(common->so_bound_dev) || text_to_u32(common->so_bound_dev, 10, &index) < 0 ||
	    !if_indextoname(index, name))
		strncpy(name, common->so_bound_dev, sizeof(name) - 1);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name) + 1) < 0)
		return fail_errno("cannot bind to the network device %s", name);
	return 0;
}

/* SO_GET_FILTER (4.4 for all families) counts in instructions, not in bytes. */
static int read_filter(int fd, const struct socket_options *options, struct pool *pool)
{
	SkOptsEntry *common = options->common;
	socklen_t count = 0;

	if (ask_option(fd, options, SOL_SOCKET, SO_GET_FILTER, NULL, &count) < 0)
		return errno == EACCES ? refuse(EOPNOTSUPP,
						"an eBPF program filters what this socket receives; it cannot be saved")
				       : fail_errno("cannot read the socket filter");
	if (!count)
		return 0;
	common->so_filter = pool_array(pool, uint64_t, count);
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, common->so_filter, &count) < 0)
		return fail_errno("cannot read the socket filter");
	common->n_so_filter = count;
	return 0;
}

static int apply_filter(int fd, const SkOptsEntry *common)
{
	struct sock_fprog program;

	if (!common->n_so_filter)
		return 0;
	if (common->n_so_filter > BPF_MAXINSNS)
		return refuse(EINVAL, "a socket filter of %zu instructions is too long", common->n_so_filter);
	program.len = common->n_so_filter;
	program.filter = (struct sock_filter *)common->so_filter;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return fail_errno("cannot attach the socket filter");
	return 0;
}

/* --- all --- */

static int read_rows(int fd, void *arg, struct pool *pool)
{
	const struct socket_options *options = arg;

	for (size_t i = 0; i < N_ROWS; i++) {
		char *record = record_of(&rows[i], options);

		if (record && rows[i].record == RECORD_more)
			read_more(&rows[i], fd, options, pool);
		else if (record)
			TRY(read_row(&rows[i], fd, options, record));
	}
	return 0;
}

int socket_options_dump(const struct dump *d, const struct open_file *of, const struct socket_options *options)
{
	struct socket_options *copy = pool_copy(d->pool, options, sizeof(*options));

	copy->set_only = set_only_read(d, of, options);
	TRY(read_buffers(of->fd, options));
	TRY(read_times(of->fd, options));
	TRY(read_linger(of->fd, options));
	TRY(read_device(of->fd, options, d->pool));
	TRY(read_filter(of->fd, options, d->pool));
	if (alike_in_all(options->alike))
		return read_rows(of->fd, copy, d->pool);
	/* These are most of the time that a socket takes. */
	return file_dump_later(d, of, read_rows, copy);
}

/* Sizes that it has got by itself are no reason to set them. */
static bool has_fresh_values(const SkOptsEntry *common, const struct socket_options *options)
{
	return common->so_sndbuf == options->fresh_sndbuf && common->so_rcvbuf == options->fresh_rcvbuf &&
	       !(common->has_so_buf_lock && common->so_buf_lock) && !common->so_snd_tmo_sec &&
	       !common->so_snd_tmo_usec && !common->so_rcv_tmo_sec && !common->so_rcv_tmo_usec &&
	       !common->has_so_linger && !common->n_so_filter && !common->n_more &&
	       !(common->so_bound_dev && common->so_bound_dev[0]);
}

bool socket_options_are_fresh(const struct socket_options *options)
{
	if (!has_fresh_values(options->common, options))
		return false;
	for (size_t i = 0; i < N_ROWS; i++) {
		const char *record = rows[i].record == RECORD_more ? NULL : record_of(&rows[i], options);

		if (record && *(const protobuf_c_boolean *)(record + rows[i].has) &&
		    value_in(&rows[i], record) != rows[i].initial)
			return false;
	}
	return true;
}

int socket_options_apply(int fd, const struct socket_options *options, enum option_phase phase)
{
	if (phase == OPTION_EARLY)
		TRY(apply_device(fd, options->common));
	for (size_t i = 0; i < N_ROWS; i++) {
		const char *record = rows[i].phase == phase ? record_of(&rows[i], options) : NULL;

		if (record && rows[i].record == RECORD_more)
			apply_more(&rows[i], fd, options->common);
		else if (record)
			TRY(apply_row(&rows[i], options, fd, record));
	}
	if (phase != OPTION_LATE)
		return 0;
	TRY(apply_buffers(fd, options));
	TRY(apply_times(fd, options->common));
	TRY(apply_linger(fd, options->common));
	return apply_filter(fd, options->common);
}
