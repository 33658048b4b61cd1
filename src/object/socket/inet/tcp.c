/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP connections, through libsoccr: tcp-stream-*.img. */
#include "object/socket/inet/tcp.h"

#include <linux/socket.h>
#include <netinet/tcp.h>
#include <soccr.h>
#include <stddef.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "image/image.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/bind.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/mptcp.h"
#include "object/socket/inet/tcp-ended.h"
#include "object/socket/inet/tcp-guard.h"
#include "object/socket/inet/tcp-park.h"

#define RECEIVE_BUFFER_MAX (6u << 20)

/* The members that a stream record and libsoccr's struct have in common. */
static const struct field {
	size_t record, data;
} fields[] = {
#define FIELD(member)                                                                       \
	{                                                                                   \
		offsetof(TcpStreamEntry, member), offsetof(struct libsoccr_sk_data, member) \
	}
	FIELD(inq_len),	   FIELD(inq_seq),   FIELD(outq_len),	FIELD(outq_seq),  FIELD(opt_mask),
	FIELD(snd_wscale), FIELD(mss_clamp), FIELD(rcv_wscale), FIELD(timestamp), FIELD(unsq_len),
	FIELD(snd_wl1),	   FIELD(snd_wnd),   FIELD(max_window), FIELD(rcv_wnd),	  FIELD(rcv_wup),
#undef FIELD
};

#define N_FIELDS (ARRAY_SIZE(fields))

struct tcp_stream {
	struct libsoccr_sk_data data;
	char *bytes;
};

bool tcp_is_connection(uint32_t state)
{
	return state && state != TCP_CLOSE && state != TCP_LISTEN;
}

/* --- dump --- */

static int fail_save(int result)
{
	static const char *const what[] = { "its arguments", "its state",	  "its options",
					    "its window",    "its receive queue", "its send queue" };

	if (errno == EBUSY)
		return refuse(EBUSY, "urgent data (MSG_OOB) waits in it, which cannot be saved; taken as ordinary data "
				     "(SO_OOBINLINE) it can, by Linux 6.9 or later: let the program read it first");
	return fail(errno, "cannot save %s", result >= -6 && result < 0 ? what[-result - 1] : "it");
}

static void fill_record(TcpStreamEntry *record, const struct libsoccr_sk_data *data)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		*(uint32_t *)((char *)record + fields[i].record) =
			*(const uint32_t *)((const char *)data + fields[i].data);
	record->has_rcv_wscale = data->opt_mask & TCPI_OPT_WSCALE;
	record->has_timestamp = data->opt_mask & TCPI_OPT_TIMESTAMPS;
	record->has_unsq_len = true;
	record->has_snd_wl1 = record->has_snd_wnd = record->has_max_window = data->flags & SOCCR_FLAGS_WINDOW;
	record->has_rcv_wnd = record->has_rcv_wup = data->flags & SOCCR_FLAGS_WINDOW;
}

static int write_queues(struct dump *d, const InetSkEntry *entry, const struct libsoccr_sk_data *data,
			const char *received, const char *sent)
{
	AUTO(image_close) struct image *image = NULL;
	TcpStreamEntry record = TCP_STREAM_ENTRY__INIT;

	fill_record(&record, data);
	TRY(image_create(dump_store(d), &image, IMAGE_TCP_STREAM, entry->ino));
	TRY(image_write(image, &record));
	if (data->inq_len)
		TRY(image_write_bytes(image, received, data->inq_len));
	if (data->outq_len)
		TRY(image_write_bytes(image, sent, data->outq_len));
	return image_finish(&image);
}

static int write_stream(struct dump *d, struct libsoccr_sk *connection, const InetSkEntry *entry,
			const struct libsoccr_sk_data *data)
{
	return write_queues(d, entry, data, libsoccr_get_queue_bytes(connection, TCP_RECV_QUEUE, 0),
			    libsoccr_get_queue_bytes(connection, TCP_SEND_QUEUE, 0));
}

/* A connection to be saved when all are known. */
struct tcp_waiting {
	struct list all;
	int fd, task_fd;
	pid_t pid;
	bool multipath; /* its socket is one of Multipath TCP */
	InetSkEntry *entry;
};

/* Ended by the other side since the task was stopped? */
static void note_state(InetSkEntry *entry, uint32_t state)
{
	entry->state = state;
	if (state != TCP_CLOSE)
		return;
	entry->has_shutdown = true;
	entry->shutdown = SK_SHUTDOWN__BOTH;
}

static int save_multipath(struct dump *d, const struct tcp_waiting *waiting)
{
	struct libsoccr_sk_data data = { 0 };
	char *received = NULL;

	TRY(mptcp_save(d, waiting->fd, &data, &received));
	note_state(waiting->entry, data.state);
	return data.state == TCP_CLOSE ? 0 : write_queues(d, waiting->entry, &data, received, NULL);
}

/* Repair mode lasts only while we look. Packets are kept away before and after: nothing moves until the connection is
 * dropped or goes on. */
static int save_connection(struct dump *d, struct tcp_guard *guard, const struct tcp_waiting *waiting)
{
	InetSkEntry *entry = waiting->entry;
	struct libsoccr_sk_data data = { 0 };
	struct libsoccr_sk *connection;
	int result = -1;

	tcp_guard_enter(guard, waiting->fd, entry->opts->reuseaddr);
	connection = libsoccr_pause(waiting->fd);
	if (connection)
		result = libsoccr_save(connection, &data, sizeof(data));
	if (result < 0)
		result = connection ? fail_save(result) : fail_errno("cannot put it into repair mode");
	TRY(tcp_guard_leave(guard));
	if (result >= 0)
		result = data.state == TCP_CLOSE ? 0 : write_stream(d, connection, entry, &data);
	if (connection)
		libsoccr_release(connection);
	note_state(entry, data.state);
	return result >= 0 && tcp_is_ended(entry) ? tcp_save_rest(d, waiting->fd, entry) : result;
}

static char *copy_queues(struct dump *d, struct libsoccr_sk *connection, const struct libsoccr_sk_data *data)
{
	char *bytes = pool_alloc(d->pool, (size_t)data->inq_len + data->outq_len);

	if (data->inq_len)
		memcpy(bytes, libsoccr_get_queue_bytes(connection, TCP_RECV_QUEUE, 0), data->inq_len);
	if (data->outq_len)
		memcpy(bytes + data->inq_len, libsoccr_get_queue_bytes(connection, TCP_SEND_QUEUE, 0), data->outq_len);
	return bytes;
}

/* Nobody else has it: it may stay in repair mode. */
int tcp_save_taken(struct dump *d, int fd, InetSkEntry *entry, struct tcp_stream **ret)
{
	struct tcp_stream *stream = pool_new(d->pool, struct tcp_stream);
	struct libsoccr_sk *connection = libsoccr_pause(fd);
	int result;

	if (!connection)
		return fail_errno("cannot put it into repair mode");
	result = libsoccr_save(connection, &stream->data, sizeof(stream->data));
	if (result < 0) {
		result = fail_save(result);
	} else {
		stream->bytes = copy_queues(d, connection, &stream->data);
		*ret = stream;
		result = write_stream(d, connection, entry, &stream->data);
	}
	entry->state = stream->data.state;
	libsoccr_release(connection);
	return result;
}

int tcp_dump(const struct dump *d, const struct open_file *of, InetSkEntry *entry, struct list *waiting)
{
	struct tcp_waiting *new;
	char name[128];

	if (d->options->tcp_close)
		return network_drop_connection(d, of->fd);
	inet_print(entry, name, sizeof(name));
	if (!d->options->tcp_established)
		return refuse(EBUSY,
			      "fd %d is an established TCP connection (%s); dump with --tcp-established to keep it or "
			      "--tcp-close to drop it",
			      of->task_fd, name);
	if (entry->state == TCP_SYN_RECV || entry->state == TCP_TIME_WAIT)
		return refuse(EBUSY, "TCP connection %s is just being made or ended (state %u); try again", name,
			      entry->state);
	new = pool_new(d->pool, struct tcp_waiting);
	new->task_fd = of->task_fd;
	new->pid = of->task->pid;
	new->entry = entry;
	new->multipath = mptcp_is(of->fd);
	list_push(waiting, &new->all);
	return network_hold_connection(d, entry, of->fd, new->multipath, &new->fd);
}

static int save_connections(struct dump *d, struct list *waiting, struct list *parked)
{
	struct tcp_guard *guard = NULL;
	struct tcp_waiting *each;
	int result = 0;

	TRY(tcp_guard_start(&guard, parked));
	list_for_each(each, waiting, all) {
		char name[128];

		inet_print(each->entry, name, sizeof(name));
		LOG_SCOPE("task %d: fd %d: TCP connection %s", each->pid, each->task_fd, name);
		result = each->multipath ? save_multipath(d, each) : save_connection(d, guard, each);
		if (result < 0)
			break;
	}
	tcp_guard_end(&guard);
	return result;
}

static int park_owners(struct dump *d, struct list *waiting, struct list *parked)
{
	AUTO(table_destroy) struct table *ids = table_create();
	struct tcp_waiting *each;

	list_for_each(each, waiting, all)
		table_set(ids, each->entry->id, each);
	return tcp_park(d, ids, parked);
}

/* All are locked by one change of the rules, and as late as can be. */
int tcp_dump_write(struct dump *d, struct list *waiting)
{
	struct list parked = LIST_INIT(parked);
	int result, unparked;

	if (list_empty(waiting))
		return 0;
	TRY(network_lock_connections(d));
	result = park_owners(d, waiting, &parked);
	if (result >= 0)
		result = save_connections(d, waiting, &parked);
	unparked = tcp_unpark(&parked);
	return result < 0 ? result : unparked;
}

/* --- restore --- */

static int check_stream(struct image *image, const struct libsoccr_sk_data *data, size_t size)
{
	if ((uint64_t)data->inq_len + data->outq_len != size || data->unsq_len > data->outq_len)
		return image_refuse(image, "its queues have %u + %u bytes (%u not sent), but %zu are there",
				    data->inq_len, data->outq_len, data->unsq_len, size);
	if (data->snd_wscale > 14 || data->rcv_wscale > 14)
		return image_refuse(image, "its windows have the scales %u and %u", data->snd_wscale, data->rcv_wscale);
	return 0;
}

void tcp_keep_window(SkOptsEntry *options, const struct tcp_stream *stream)
{
	uint64_t wanted = 2 * ((uint64_t)stream->data.rcv_wnd + stream->data.inq_len);

	if (!options->has_so_buf_lock || (options->so_buf_lock & SOCK_RCVBUF_LOCK))
		return;
	if (wanted > RECEIVE_BUFFER_MAX)
		wanted = RECEIVE_BUFFER_MAX;
	if (options->so_rcvbuf < wanted)
		options->so_rcvbuf = (uint32_t)wanted;
}

int tcp_load(const struct restore *r, struct inet_socket *socket)
{
	const InetSkEntry *entry = socket->entry;
	AUTO(image_close) struct image *image = NULL;
	struct tcp_stream *stream;
	TcpStreamEntry *record;
	size_t size;
	int more;

	if (r->options->tcp_close)
		return 0;
	if (!inet_is_bound(entry) || !inet_is_connected(entry))
		return refuse(EINVAL, "a TCP connection lacks an address");
	more = image_open(r->store, &image, IMAGE_TCP_STREAM, entry->ino);
	if (more == -ENOENT)
		return refuse(ENOENT,
			      "tcp-stream-%x.img is missing; restore with --tcp-close to have the connection closed",
			      entry->ino);
	TRY(more);
	more = image_read(image, &record);
	if (!more)
		return image_refuse(image, "it is empty");
	TRY(more);
	stream = pool_new(r->pool, struct tcp_stream);
	for (size_t i = 0; i < N_FIELDS; i++)
		*(uint32_t *)((char *)&stream->data + fields[i].data) =
			*(uint32_t *)((char *)record + fields[i].record);
	stream->data.state = entry->state;
	stream->data.flags = record->has_snd_wl1 ? SOCCR_FLAGS_WINDOW : 0;
	TRY(image_read_payload(image, (void **)&stream->bytes, &size));
	TRY(check_stream(image, &stream->data, size));
	socket->stream = stream;
	tcp_keep_window(entry->opts, stream);
	return 0;
}

const struct libsoccr_sk_data *tcp_stream_data(const struct tcp_stream *stream, const char **ret_bytes)
{
	*ret_bytes = stream->bytes;
	return &stream->data;
}

int tcp_set_addresses(struct inet_socket *socket)
{
	union inet_address address;

	TRY(inet_source(socket->entry, &address));
	libsoccr_set_addr(socket->connection, 1, (union libsoccr_addr *)&address, 0);
	TRY(inet_destination(socket->entry, &address));
	libsoccr_set_addr(socket->connection, 0, (union libsoccr_addr *)&address, 0);
	return 0;
}

int tcp_restore(struct restore *r, struct inet_socket *socket, int fd)
{
	struct tcp_stream *stream = socket->stream;
	char name[128];

	/* --tcp-close: whoever reads from it is told that it has ended. */
	if (!stream)
		return socket_apply_shutdown(fd, SK_SHUTDOWN__BOTH);
	inet_print(socket->entry, name, sizeof(name));
	LOG_SCOPE("TCP connection %s", name);
	TRY(network_restore_lock(r));
	socket->connection = libsoccr_pause(fd);
	if (!socket->connection)
		return fail_errno("cannot put it into repair mode");
	TRY(tcp_set_addresses(socket));
	libsoccr_set_queue_bytes(socket->connection, TCP_RECV_QUEUE, stream->bytes, 0);
	libsoccr_set_queue_bytes(socket->connection, TCP_SEND_QUEUE, stream->bytes + stream->data.inq_len, 0);
	if (libsoccr_restore(socket->connection, &stream->data, sizeof(stream->data)) >= 0)
		return 0;
	/* Its owner was killed outside of repair mode (dump --leave-stopped), or it was in TIME-WAIT. */
	if (errno == EADDRNOTAVAIL && inet_end_remains(socket->entry) > 0) {
		libsoccr_release(TAKE_PTR(socket->connection));
		return -EAGAIN;
	}
	if (errno == EADDRNOTAVAIL)
		return refuse(
			EADDRNOTAVAIL,
			"no network device here has its address: add it (ip address add), give the network that has "
			"it, or close the connection by --tcp-close");
	return fail_errno("cannot restore it");
}
