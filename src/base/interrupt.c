/* SPDX-License-Identifier: LGPL-2.1-only */
/* Signals that end the program, noted until it can end. */
#include "base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"

static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

#define N_SIGNALS (ARRAY_SIZE(signals))

static struct {
	pid_t owner; /* 0: nothing is noted */
	int fd;
	atomic_int signal, sender;
	atomic_bool told, over;
	const char *outcome;
	struct sigaction before[N_SIGNALS];
} noted = { .fd = -1 };

static void note_signal(int sig, siginfo_t *info, void *context)
{
	const uint64_t one = 1;
	int saved_errno = errno, none = 0;

	(void)context;
	/* A copy of us, which a signal for the process group meets as well. */
	if (getpid() != noted.owner)
		return;
	if (atomic_compare_exchange_strong(&noted.signal, &none, sig))
		atomic_store(&noted.sender, info->si_code == SI_USER ? info->si_pid : 0);
	if (noted.fd >= 0 && write(noted.fd, &one, sizeof(one)) < 0)
		errno = 0; /* it is readable already */
	errno = saved_errno;
}

void interrupt_catch(const char *outcome)
{
	struct sigaction action = { .sa_sigaction = note_signal, .sa_flags = (int)(SA_RESTART | SA_SIGINFO) };

	/* A part of something that catches them already: one that has come, and that nobody has told of, counts for it.
	 */
	if (noted.owner == getpid() && !atomic_load(&noted.told)) {
		noted.outcome = outcome;
		atomic_store(&noted.over, false);
		return;
	}
	if (noted.owner == getpid())
		(void)interrupt_release();
	noted.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	noted.outcome = outcome;
	atomic_store(&noted.signal, 0);
	atomic_store(&noted.sender, 0);
	atomic_store(&noted.told, false);
	atomic_store(&noted.over, false);
	noted.owner = getpid();
	for (size_t i = 0; i < N_SIGNALS; i++) {
		sigaction(signals[i], NULL, &noted.before[i]);
		if (noted.before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

void interrupt_take_over(void)
{
	if (noted.owner)
		noted.owner = getpid();
}

int interrupt_check(void)
{
	int sig = atomic_load(&noted.signal), sender = atomic_load(&noted.sender);

	if (!sig || noted.owner != getpid() || atomic_load(&noted.over))
		return 0;
	if (atomic_exchange(&noted.told, true))
		return -EINTR;
	if (sender > 0)
		return refuse(EINTR, "interrupted by SIG%s of process %d: %s", sigabbrev_np(sig), sender,
			      noted.outcome);
	return refuse(EINTR, "interrupted by SIG%s: %s", sigabbrev_np(sig), noted.outcome);
}

int interrupt_check_last(void)
{
	int result = interrupt_check();

	atomic_store(&noted.over, true);
	return result;
}

int interrupt_release(void)
{
	if (noted.owner != getpid())
		return 0;
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(signals[i], &noted.before[i], NULL);
	noted.owner = 0;
	if (noted.fd >= 0)
		close(noted.fd);
	noted.fd = -1;
	return atomic_load(&noted.told) ? 0 : atomic_load(&noted.signal);
}

int interrupt_fd(void)
{
	return noted.owner == getpid() && !atomic_load(&noted.over) ? noted.fd : -1;
}

#define SHORT_WAIT_MS 100

int interrupt_poll(int fd, short events, const struct deadline *deadline)
{
	for (bool is_long = false;; is_long = true) {
		struct pollfd polls[] = { { .fd = fd, .events = events }, { .fd = interrupt_fd(), .events = POLLIN } };
		int left = deadline_left_ms(deadline), n;

		if (is_long)
			log_flush(); /* somebody may want to know why it takes so long */
		else if (left < 0 || left > SHORT_WAIT_MS)
			left = SHORT_WAIT_MS;
		n = poll(polls, 2, left);
		if (n < 0 && errno != EINTR)
			return fail_errno("waiting for descriptor %d", fd);
		TRY(interrupt_check());
		if (n > 0 && polls[0].revents)
			return 1;
		if (n == 0 && deadline_passed(deadline))
			return 0;
	}
}
