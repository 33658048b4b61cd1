/* SPDX-License-Identifier: LGPL-2.1-only */
/* libsoccr: reads a connection whose socket is in repair mode. */
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/soccr/sk.h"

/* Results of libsoccr_save(). */
enum { BAD_ARGUMENTS = -1, BAD_STATE = -2, BAD_OPTIONS = -3, BAD_WINDOW = -4, BAD_RECEIVE = -5, BAD_SEND = -6 };

static int read_lengths(int fd, struct libsoccr_sk_data *data)
{
	int in, out, unsent;

	if (ioctl(fd, SIOCINQ, &in) < 0 || ioctl(fd, SIOCOUTQ, &out) < 0 || ioctl(fd, SIOCOUTQNSD, &unsent) < 0)
		return soccr_fail("cannot read the lengths of the queues");
	/* SIOCINQ leaves a FIN out; the others count it as a byte. */
	if (soccr_fin_in_queue(data->state) && out) {
		out--;
		unsent -= unsent > 0;
	}
	if (data->state == TCP_CLOSE)
		out = unsent = 0;
	data->inq_len = (uint32_t)in;
	data->outq_len = (uint32_t)out;
	data->unsq_len = (uint32_t)unsent;
	return 0;
}

/*
 * An urgent byte that is not taken as ordinary data (SO_OOBINLINE) hides itself, read or not, and all behind it from
 * SIOCINQ and from a look. Taken as ordinary data for a moment, it shows.
 */
static int check_urgent(int fd, const struct libsoccr_sk_data *data)
{
	int urgent_too = 0, on = 1, all = 0, result;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &urgent_too, &size) < 0)
		return soccr_fail("cannot read SO_OOBINLINE");
	if (urgent_too)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0)
		return soccr_fail("cannot set SO_OOBINLINE");
	result = ioctl(fd, SIOCINQ, &all);
	if (setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &urgent_too, sizeof(urgent_too)) < 0 || result < 0)
		return soccr_fail("cannot read the length of the receive queue");
	if ((uint32_t)all == data->inq_len)
		return 0;
	errno = EBUSY;
	return soccr_fail("urgent data waits unread in the receive queue, it cannot be saved");
}

static int read_state(int fd, struct libsoccr_sk_data *data)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return soccr_fail("cannot read the state of the connection");
	if (!soccr_state_is_known(info.tcpi_state)) {
		errno = EOPNOTSUPP;
		return soccr_fail("a connection in this state cannot be saved");
	}
	data->state = info.tcpi_state;
	data->opt_mask = info.tcpi_options;
	if (info.tcpi_options & TCPI_OPT_WSCALE) {
		data->snd_wscale = info.tcpi_snd_wscale;
		data->rcv_wscale = info.tcpi_rcv_wscale;
	}
	return read_lengths(fd, data);
}

/* In repair mode TCP_MAXSEG is what the other side announced, not what is used at the moment. */
static int read_options(int fd, struct libsoccr_sk_data *data)
{
	socklen_t size = sizeof(uint32_t);

	if (getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &data->mss_clamp, &size) < 0)
		return soccr_fail("cannot read the segment size");
	if ((data->opt_mask & TCPI_OPT_TIMESTAMPS) &&
	    getsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &data->timestamp, &size) < 0)
		return soccr_fail("cannot read the clock of the timestamps");
	return 0;
}

static int read_window(int fd, struct libsoccr_sk_data *data)
{
	struct tcp_repair_window window;
	socklen_t size = sizeof(window);

	if (getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &size) < 0)
		return errno == ENOPROTOOPT ? 0 : soccr_fail("cannot read the window"); /* before Linux 4.8 */
	data->flags |= SOCCR_FLAGS_WINDOW;
	data->snd_wl1 = window.snd_wl1;
	data->snd_wnd = window.snd_wnd;
	data->max_window = window.max_window;
	data->rcv_wnd = window.rcv_wnd;
	data->rcv_wup = window.rcv_wup;
	return 0;
}

/*
 * A look ends at the urgent mark; if urgent data is taken as ordinary data (SO_OOBINLINE) the rest lies behind,
 * otherwise the mark means more than bytes can say.
 */
static ssize_t look_behind_mark(int fd, char *bytes, size_t done, size_t length)
{
	int inline_too = 0, before = -1, start = (int)done;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &inline_too, &size) < 0 || !inline_too ||
	    getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, &size) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof(start)) < 0) {
		errno = EBUSY;
		return soccr_fail("urgent data waits unread in the receive queue, it cannot be saved");
	}
	while (done < length) { /* the position moves with each look; Linux 6.9 */
		ssize_t got = recv(fd, bytes + done, length - done, MSG_PEEK | MSG_DONTWAIT);

		if (got <= 0)
			break;
		done += (size_t)got;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before)) < 0)
		return soccr_fail("cannot set the position of SO_PEEK_OFF back");
	return (ssize_t)done;
}

static int read_queue(struct libsoccr_sk *sk, int queue, uint32_t length, uint32_t *ret_seq)
{
	socklen_t size = sizeof(*ret_seq);
	char *bytes = NULL;
	ssize_t got;

	if (soccr_set_queue(sk->fd, queue) < 0)
		return -1;
	if (getsockopt(sk->fd, IPPROTO_TCP, TCP_QUEUE_SEQ, ret_seq, &size) < 0)
		return soccr_fail("cannot read a sequence number");
	if (length) {
		bytes = malloc(length);
		if (!bytes)
			return soccr_fail("no memory for the queue");
		got = recv(sk->fd, bytes, length, MSG_PEEK | MSG_DONTWAIT);
		if (got > 0 && got < (ssize_t)length && queue == TCP_RECV_QUEUE)
			got = look_behind_mark(sk->fd, bytes, (size_t)got, length);
		if (got != (ssize_t)length) {
			if (got >= 0)
				errno = EIO;
			free(bytes);
			return errno == EBUSY ? -1 : soccr_fail("cannot look at all bytes of a queue");
		}
	}
	libsoccr_set_queue_bytes(sk, queue, bytes, SOCCR_MEM_EXCL);
	return 0;
}

/* Nothing may have moved while we looked: all numbers belong to one moment. */
static int is_unchanged(int fd, const struct libsoccr_sk_data *data)
{
	struct libsoccr_sk_data now = { .state = data->state };
	uint32_t seq = 0;
	socklen_t size = sizeof(seq);

	if (read_lengths(fd, &now) < 0 || soccr_set_queue(fd, TCP_RECV_QUEUE) < 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &size) < 0)
		return 0;
	return seq == data->inq_seq && now.inq_len == data->inq_len && now.outq_len == data->outq_len;
}

int libsoccr_save(struct libsoccr_sk *sk, struct libsoccr_sk_data *data, unsigned int data_size)
{
	if (!sk || !data || data_size < SOCCR_DATA_SIZE) {
		errno = EINVAL;
		return BAD_ARGUMENTS;
	}
	memset(data, 0, data_size);
	if (read_state(sk->fd, data) < 0)
		return BAD_STATE;
	if (read_options(sk->fd, data) < 0)
		return BAD_OPTIONS;
	if (read_window(sk->fd, data) < 0)
		return BAD_WINDOW;
	if (check_urgent(sk->fd, data) < 0 || read_queue(sk, TCP_RECV_QUEUE, data->inq_len, &data->inq_seq) < 0)
		return BAD_RECEIVE;
	if (read_queue(sk, TCP_SEND_QUEUE, data->outq_len, &data->outq_seq) < 0)
		return BAD_SEND;
	if (!is_unchanged(sk->fd, data)) {
		errno = EAGAIN;
		soccr_fail("packets arrive while the connection is saved");
		return BAD_RECEIVE;
	}
	if (soccr_set_queue(sk->fd, TCP_NO_QUEUE) < 0)
		return BAD_SEND;
	return SOCCR_DATA_SIZE;
}
