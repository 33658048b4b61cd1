/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets that are like a fresh one. */
#include "object/socket/alike.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "kern/net/sockdiag.h"
#include "kern/net/unix-members.h"
#include "object/socket/option-numbers.h"
#include "object/socket/socket.h"
#include "session/session.h"

#define WORTH 16 /* for fewer sockets it takes longer to load the program than to ask each */

enum member {
	FLAGS,
	REUSE,
	REUSEPORT,
	DEVICE,
	INCOMING_CPU,
	RCVLOWAT,
	MARK,
	PRIORITY,
	CREDENTIALS,
	SECURITY,
	PIDFD,
	RIGHTS,
	TXREHASH,
	NO_CHECK,
	TIMESTAMPS,
	CLOCK_OF_STAMPS,
	PEEK_OFF,
	BUSY_POLL,
	PREFER_BUSY_POLL,
	PACING_RATE,
	CLOCK,
	TXTIME_DEADLINE,
	TXTIME_ERRORS,
	BUFFER_LOCK,
	SEND_TIME,
	RECEIVE_TIME,
	LINGER_TIME,
	FILTER,
	ERROR,
	ERRORS_QUEUED,
	NAME,
	INQ,
	N_MEMBERS
};

/* A struct sock is the first member of struct unix_sock. */
#define OF_SOCK(type, member)                                \
	{                                                    \
		BPF_WORD_OBJECT, type, member, NULL, NULL, 0 \
	}
#define OF_UNIX(member)                                             \
	{                                                           \
		BPF_WORD_OBJECT, "unix_sock", member, NULL, NULL, 0 \
	}

static const struct bpf_word members[N_MEMBERS] = {
	[FLAGS] = OF_SOCK("sock_common", "skc_flags"),
	[REUSE] = OF_SOCK("sock_common", "skc_reuse"),
	[REUSEPORT] = OF_SOCK("sock_common", "skc_reuseport"),
	[DEVICE] = OF_SOCK("sock_common", "skc_bound_dev_if"),
	[INCOMING_CPU] = OF_SOCK("sock_common", "skc_incoming_cpu"),
	[RCVLOWAT] = OF_SOCK("sock", "sk_rcvlowat"),
	[MARK] = OF_SOCK("sock", "sk_mark"),
	[PRIORITY] = OF_SOCK("sock", "sk_priority"),
	[CREDENTIALS] = OF_SOCK("sock", "sk_scm_credentials"),
	[SECURITY] = OF_SOCK("sock", "sk_scm_security"),
	[PIDFD] = OF_SOCK("sock", "sk_scm_pidfd"),
	[RIGHTS] = OF_SOCK("sock", "sk_scm_rights"),
	[TXREHASH] = OF_SOCK("sock", "sk_txrehash"),
	[NO_CHECK] = OF_SOCK("sock", "sk_no_check_tx"),
	[TIMESTAMPS] = OF_SOCK("sock", "sk_tsflags"),
	[CLOCK_OF_STAMPS] = OF_SOCK("sock", "sk_bind_phc"),
	[PEEK_OFF] = OF_SOCK("sock", "sk_peek_off"),
	[BUSY_POLL] = OF_SOCK("sock", "sk_ll_usec"),
	[PREFER_BUSY_POLL] = OF_SOCK("sock", "sk_prefer_busy_poll"),
	[PACING_RATE] = OF_SOCK("sock", "sk_max_pacing_rate"),
	[CLOCK] = OF_SOCK("sock", "sk_clockid"),
	[TXTIME_DEADLINE] = OF_SOCK("sock", "sk_txtime_deadline_mode"),
	[TXTIME_ERRORS] = OF_SOCK("sock", "sk_txtime_report_errors"),
	[BUFFER_LOCK] = OF_SOCK("sock", "sk_userlocks"),
	[SEND_TIME] = OF_SOCK("sock", "sk_sndtimeo"),
	[RECEIVE_TIME] = OF_SOCK("sock", "sk_rcvtimeo"),
	[LINGER_TIME] = OF_SOCK("sock", "sk_lingertime"),
	[FILTER] = OF_SOCK("sock", "sk_filter"),
	[ERROR] = OF_SOCK("sock", "sk_err"),
	[ERRORS_QUEUED] = { BPF_WORD_OBJECT, "sock", "sk_error_queue", "sk_buff_head", "qlen", 0 },
	[NAME] = OF_UNIX("addr"),
	[INQ] = OF_UNIX("recvmsg_inq"),
};
_Static_assert(N_MEMBERS <= UNIX_MEMBERS_MAX, "too many members");

#define BIT(member) (1u << (member))
#define OPTIONS	    (BIT(ERROR) - 1) /* all members before that one */
#define OPTIONS_MAX 128
#define ANSWER_SIZE 16 /* the longest of a unix socket: a time */

/* Of which members the kernel makes its answer (net/core/sock.c, sk_getsockopt()). */
static const uint32_t made_of[OPTIONS_MAX] = {
	[SO_REUSEADDR] = BIT(REUSE),
	[SO_REUSEPORT] = BIT(REUSEPORT),
	[SO_RCVLOWAT] = BIT(RCVLOWAT),
	[SO_MARK] = BIT(MARK),
	[SO_PRIORITY] = BIT(PRIORITY),
	[SO_PASSCRED] = BIT(CREDENTIALS),
	[SO_PASSSEC] = BIT(SECURITY),
	[SO_PASSPIDFD] = BIT(PIDFD),
	[SO_PASSRIGHTS] = BIT(RIGHTS),
	[SO_TXREHASH] = BIT(TXREHASH),
	[SO_DONTROUTE] = BIT(FLAGS),
	[SO_BROADCAST] = BIT(FLAGS),
	[SO_KEEPALIVE] = BIT(FLAGS),
	[SO_OOBINLINE] = BIT(FLAGS),
	[SO_DEBUG] = BIT(FLAGS),
	[SO_TIMESTAMP] = BIT(FLAGS),
	[SO_TIMESTAMPNS] = BIT(FLAGS),
	[SO_TIMESTAMP_NEW] = BIT(FLAGS),
	[SO_TIMESTAMPNS_NEW] = BIT(FLAGS),
	[SO_TIMESTAMPING] = BIT(FLAGS) | BIT(TIMESTAMPS) | BIT(CLOCK_OF_STAMPS),
	[SO_TIMESTAMPING_NEW] = BIT(FLAGS) | BIT(TIMESTAMPS) | BIT(CLOCK_OF_STAMPS),
	[SO_RXQ_OVFL] = BIT(FLAGS),
	[SO_WIFI_STATUS] = BIT(FLAGS),
	[SO_NOFCS] = BIT(FLAGS),
	[SO_LOCK_FILTER] = BIT(FLAGS),
	[SO_SELECT_ERR_QUEUE] = BIT(FLAGS),
	[SO_RCVMARK] = BIT(FLAGS),
	[SO_RCVPRIORITY] = BIT(FLAGS),
	[SO_NO_CHECK] = BIT(NO_CHECK),
	[SO_PEEK_OFF] = BIT(PEEK_OFF),
	[SO_BUSY_POLL] = BIT(BUSY_POLL),
	[SO_PREFER_BUSY_POLL] = BIT(PREFER_BUSY_POLL),
	[SO_MAX_PACING_RATE] = BIT(PACING_RATE),
	[SO_INCOMING_CPU] = BIT(INCOMING_CPU),
	[SO_TXTIME] = BIT(FLAGS) | BIT(CLOCK) | BIT(TXTIME_DEADLINE) | BIT(TXTIME_ERRORS),
	[SO_BUF_LOCK] = BIT(BUFFER_LOCK),
	[SO_SNDTIMEO] = BIT(SEND_TIME),
	[SO_RCVTIMEO] = BIT(RECEIVE_TIME),
	[SO_LINGER] = BIT(FLAGS) | BIT(LINGER_TIME),
	[SO_BINDTODEVICE] = BIT(DEVICE),
	[SO_GET_FILTER] = BIT(FILTER),
};

struct fresh_answer {
	int error;
	socklen_t size;
	char bytes[ANSWER_SIZE];
};

/* A fresh socket of a type in a namespace. */
struct fresh {
	uint64_t values[N_MEMBERS];
	uint32_t there;
	struct fresh_answer answers[OPTIONS_MAX];
};

struct alike {
	const struct fresh *fresh;
	uint32_t differing; /* or not there */
	bool has_inq;
};

#define N_TYPES (SOCK_SEQPACKET + 1)

struct space {
	uint32_t id; /* as unix_diag has it */
	unix_members_list sockets;
	struct table *by_ino;		      /* of these */
	const struct fresh *by_type[N_TYPES]; /* NULL: it is not known */
};

struct all_alike {
	VECTOR(struct space *) spaces;
	size_t asked;		/* before that was worth it */
	size_t known, the_same; /* sockets */
};

static uint32_t compare_members(const struct fresh *fresh, const struct unix_members *socket)
{
	uint32_t differing = ~fresh->there;

	for (int i = 0; i < N_MEMBERS; i++)
		differing |= fresh->values[i] != socket->values[i] ? BIT(i) : 0;
	return differing;
}

static void destroy_all(void *state)
{
	struct all_alike *all = state;

	if (all->known)
		log_debug("%zu of %zu unix sockets are like a fresh one", all->the_same, all->known);
	for (size_t i = 0; i < all->spaces.n; i++) {
		vector_done(&all->spaces.items[i]->sockets);
		table_destroy(&all->spaces.items[i]->by_ino);
	}
	vector_done(&all->spaces);
}

static const struct state_type alike_state = { sizeof(struct all_alike), destroy_all };

/* Then it is worth it for a single socket: nothing else tells it. */
static bool knows_inq(void)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	return fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_INQ, &on, sizeof(on));
}

/* --- fresh sockets --- */

struct sample {
	int type, fd;
	uint64_t ino;
};

static void make_sample(struct sample *sample)
{
	struct stat st;

	sample->fd = socket(AF_UNIX, sample->type | SOCK_CLOEXEC, 0);
	if (sample->fd >= 0 && fstat(sample->fd, &st) == 0)
		sample->ino = st.st_ino;
}

static void ask_all(int fd, struct fresh *fresh)
{
	for (int i = 0; i < OPTIONS_MAX; i++) {
		struct fresh_answer *answer = &fresh->answers[i];

		if (!made_of[i])
			continue;
		answer->size = i == SO_GET_FILTER ? 0 : sizeof(answer->bytes);
		if (getsockopt(fd, SOL_SOCKET, i, i == SO_GET_FILTER ? NULL : answer->bytes, &answer->size) < 0)
			answer->error = errno;
	}
}

static const struct fresh *describe_sample(const struct space *space, const struct sample *sample, uint32_t there,
					   struct pool *pool)
{
	const struct unix_members *socket = table_find(space->by_ino, sample->ino);
	struct fresh *fresh;

	if (!socket)
		return NULL;
	fresh = pool_new(pool, struct fresh);
	fresh->there = there;
	memcpy(fresh->values, socket->values, sizeof(fresh->values));
	ask_all(sample->fd, fresh);
	return fresh;
}

/* --- all sockets of a namespace --- */

static void read_space(struct space *space, size_t expected, struct pool *pool)
{
	struct sample samples[] = { { SOCK_STREAM, -1, 0 }, { SOCK_DGRAM, -1, 0 }, { SOCK_SEQPACKET, -1, 0 } };
	uint32_t there = 0;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		make_sample(&samples[i]);
	/* Of what was read before it failed nothing is wrong. */
	(void)unix_members_read(members, N_MEMBERS, expected, &there, &space->sockets);
	for (size_t i = 0; i < space->sockets.n; i++)
		table_set(space->by_ino, space->sockets.items[i].ino, &space->sockets.items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		space->by_type[samples[i].type] = describe_sample(space, &samples[i], there, pool);
		auto_close(&samples[i].fd);
	}
}

static const struct space *find_space(const struct dump *d, struct all_alike *all, uint32_t id)
{
	struct space *space;

	for (size_t i = 0; i < all->spaces.n; i++)
		if (all->spaces.items[i]->id == id)
			return all->spaces.items[i];
	if (all->asked++ < WORTH && !knows_inq())
		return NULL;
	space = pool_new(d->pool, struct space);
	space->id = id;
	space->by_ino = table_create();
	read_space(space, socket_count_unix(d), d->pool);
	*vector_push(&all->spaces) = space;
	return space;
}

static bool is_same(const struct alike *alike, uint32_t of)
{
	return alike && of && !(alike->differing & of);
}

bool alike_in_all(const struct alike *alike)
{
	return is_same(alike, OPTIONS);
}

const struct alike *alike_find(const struct dump *d, const struct unix_diag *diag)
{
	struct all_alike *all = state_get(d->states, &alike_state);
	const struct space *space = find_space(d, all, diag->space);
	const struct unix_members *socket = space ? table_find(space->by_ino, diag->ino) : NULL;
	struct alike *alike;

	if (!socket || diag->type >= N_TYPES || !space->by_type[diag->type])
		return NULL;
	alike = pool_new(d->pool, struct alike);
	alike->fresh = space->by_type[diag->type];
	alike->differing = compare_members(alike->fresh, socket);
	alike->has_inq = socket->values[INQ] != 0;
	all->known++;
	all->the_same += alike_in_all(alike);
	return alike;
}

/* --- answers --- */

bool alike_getsockopt(const struct alike *alike, int option, void *value, socklen_t *size, int *ret_error)
{
	const struct fresh_answer *answer;

	if (option < 0 || option >= OPTIONS_MAX || !is_same(alike, made_of[option]))
		return false;
	answer = &alike->fresh->answers[option];
	*ret_error = answer->error;
	if (answer->error)
		return true;
	if (answer->size < *size || option == SO_GET_FILTER)
		*size = answer->size;
	if (value)
		memcpy(value, answer->bytes, *size);
	return true;
}

bool alike_has_no_name(const struct alike *alike)
{
	return is_same(alike, BIT(NAME));
}

bool alike_has_no_error(const struct alike *alike)
{
	return is_same(alike, BIT(ERROR) | BIT(ERRORS_QUEUED));
}

bool alike_has_inq(const struct alike *alike)
{
	return alike && alike->has_inq;
}
