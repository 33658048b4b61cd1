/* SPDX-License-Identifier: GPL-2.0-only */
/* timerfd(2): a timer whose expirations are read. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/file/describe.h"
#include "object/file/file.h"
#include "session/needs.h"

/* <linux/timerfd.h> clashes with <sys/timerfd.h>; since 3.17 */
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif
#define NSEC_PER_SEC 1000000000

/* How late the interrupt of a clock may be, in ns, as on a virtual machine that waits for its host; and how often to
 * look. */
#define INTERRUPT_LATENCY 10000000
#define INTERRUPT_LOOKS	  20

static int read_pair(const struct fdinfo *info, const char *key, uint64_t *sec, uint64_t *nsec)
{
	const char *value = fdinfo_get(info, key);
	unsigned long long first, second;

	if (!value || sscanf(value, "(%llu, %llu)", &first, &second) != 2)
		return refuse(EINVAL, "fdinfo of a timerfd shows no %s", key);
	*sec = first;
	*nsec = second;
	return 0;
}

static int read_record(const struct open_file *of, TimerfdEntry *record)
{
	uint64_t clock, flags;

	TRY(fdinfo_get_u64(of->fdinfo, "clockid", 10, &clock));
	TRY(fdinfo_get_u64(of->fdinfo, "ticks", 10, &record->ticks));
	TRY(fdinfo_get_u64(of->fdinfo, "settime flags", 8, &flags));
	record->clockid = (uint32_t)clock;
	record->settime_flags = (uint32_t)flags;
	TRY(read_pair(of->fdinfo, "it_value", &record->vsec, &record->vnsec));
	return read_pair(of->fdinfo, "it_interval", &record->isec, &record->insec);
}

static bool is_at_rest(const TimerfdEntry *record)
{
	return !record->vsec && !record->vnsec;
}

/* The kernel winds up a periodic timer that has expired only when somebody looks, as the next read of the program
 * would. */
static int wind_up(const struct dump *d, const struct open_file *of, TimerfdEntry *record)
{
	struct itimerspec now;

	if (timerfd_gettime(of->fd, &now) < 0)
		return fail_errno("asking when the timer expires (timerfd_gettime)");
	TRY(file_read_again(d, of));
	return read_record(of, record);
}

/*
 * A timer without time left has expired, or it is switched off, or its time has come but the interrupt has not. The
 * last two look the same, without expirations, so the interrupt is waited for. That is not worth more than a second
 * look at one without interval: being switched off is what most of those do all the time.
 */
static int look_closely(const struct dump *d, const struct open_file *of, TimerfdEntry *record)
{
	const struct timespec pause = { 0, INTERRUPT_LATENCY / INTERRUPT_LOOKS };
	bool periodic = record->isec || record->insec;

	for (int looks = periodic ? INTERRUPT_LOOKS : 1; looks && is_at_rest(record) && !record->ticks; looks--) {
		if (periodic)
			nanosleep(&pause, NULL);
		TRY(wind_up(d, of, record));
	}
	if (!periodic || !is_at_rest(record) || !record->ticks)
		return 0;
	TRY(wind_up(d, of, record));
	/* It has expired again meanwhile. */
	if (is_at_rest(record)) {
		record->vsec = record->isec;
		record->vnsec = record->insec;
	}
	return 0;
}

static int dump_timerfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	TimerfdEntry *record = out->tfd;

	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	TRY(read_record(of, record));
	return is_at_rest(record) ? look_closely(d, of, record) : 0;
}

/* The alarm clocks show the same time, but can be read only where there is a real-time clock. */
static clockid_t plain_clock(uint32_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME_ALARM:
		return CLOCK_REALTIME;
	case CLOCK_BOOTTIME_ALARM:
		return CLOCK_BOOTTIME;
	default:
		return (clockid_t)clock;
	}
}

/* The record tells the time that was left, whatever the program had asked for. */
static int get_expiry(const TimerfdEntry *record, struct timespec *ret)
{
	struct timespec now;

	*ret = (struct timespec){ (time_t)record->vsec, (long)record->vnsec };
	if (!(record->settime_flags & TFD_TIMER_ABSTIME))
		return 0;
	if (clock_gettime(plain_clock(record->clockid), &now) < 0)
		return fail_errno("reading clock %u", record->clockid);
	ret->tv_sec += now.tv_sec;
	ret->tv_nsec += now.tv_nsec;
	if (ret->tv_nsec >= NSEC_PER_SEC) {
		ret->tv_sec++;
		ret->tv_nsec -= NSEC_PER_SEC;
	}
	return 0;
}

static int arm_timer(const TimerfdEntry *record, int fd)
{
	struct itimerspec timer = { .it_interval = { (time_t)record->isec, (long)record->insec } };
	uint64_t ticks = record->ticks;

	if (record->vsec || record->vnsec)
		TRY(get_expiry(record, &timer.it_value));
	/* Also one that has expired or was switched off: it keeps its flags and interval. */
	if (timerfd_settime(fd, (int)record->settime_flags, &timer, NULL) < 0)
		return fail_errno("setting the timer");
	if (ticks && ioctl(fd, TFD_IOC_SET_TICKS, &ticks) < 0)
		return fail_errno("setting the number of expirations");
	return 0;
}

static int create_timerfd(struct restore *r, struct file *f)
{
	const TimerfdEntry *record = f->entry->tfd;
	AUTO_CLOSE int fd = timerfd_create((clockid_t)record->clockid, TFD_CLOEXEC);

	if (fd < 0)
		return fail_errno("timerfd_create of clock %u", record->clockid);
	TRY(file_apply_flags(fd, record->flags, record->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int load_timerfd(const struct restore *r, struct file *f)
{
	const TimerfdEntry *record = f->entry->tfd;

	if (record->vnsec >= NSEC_PER_SEC || record->insec >= NSEC_PER_SEC || record->vsec > INT64_MAX ||
	    record->isec > INT64_MAX)
		return refuse(EINVAL, "files.img: these are no times");
	f->users++; /* until it is armed */
	return 0;
}

static int need_timerfd(const struct restore *r, struct file *f)
{
	(void)f;
	need_feature(r, FEATURE_ID_timerfd);
	return 0;
}

/* At the end, so that the restore itself takes nothing from the time that was left. */
static int settle_timerfd(struct restore *r, struct file *f)
{
	int fd;

	TRY(file_get_fd(r, f, &fd));
	TRY(arm_timer(f->entry->tfd, fd));
	file_put(r, f);
	return 0;
}

const struct file_kind timerfd_kind = {
	.name = "timerfd",
	.type = FD_TYPES__TIMERFD,
	.entry = offsetof(FileEntry, tfd),
	.anon_inode = "[timerfd]",
	.dump = dump_timerfd,
	.load = load_timerfd,
	.needs = need_timerfd,
	.create = create_timerfd,
	.settle = settle_timerfd,
};
