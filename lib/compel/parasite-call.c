/* SPDX-License-Identifier: LGPL-2.1-only */
/* Finding code and scratch memory in a program, and making system calls in it with them. */
#include "lib/compel/parasite-call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/page.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "lib/compel/tracee.h"

#define SEARCH_MAX  (16u << 20) /* bytes of one mapping */
#define SEARCH_STEP (64u << 10) /* what is copied stays in the cache */
#define OVERLAP	    16

/* What one mapping of a file holds, as offsets from its start; -1 = not found. */
struct place_search {
	dev_t dev;
	ino_t inode;
	uint64_t pgoff;
	const struct arch_gadgets *gadgets; /* what was looked for */
	int64_t syscall_ret, sigreturn;
};

struct parasite_cache {
	VECTOR(struct place_search) findings;
};

struct parasite_cache *parasite_cache_create(void)
{
	return xzalloc(sizeof(struct parasite_cache));
}

void parasite_cache_destroy(struct parasite_cache **cache)
{
	if (!*cache)
		return;
	vector_done(&(*cache)->findings);
	free(*cache);
	*cache = NULL;
}

static int64_t find_code(const uint8_t *buffer, size_t size, const struct arch_gadget *gadget)
{
	const uint8_t *found = memmem(buffer, size, gadget->code, gadget->size);

	return found ? found - buffer : -1;
}

/* Both forms end alike, and most code has neither: for that end it is searched once. */
static int64_t find_either(const uint8_t *buffer, size_t size, const struct arch_gadget forms[2])
{
	const uint8_t *end_of[] = { forms[0].code + forms[0].size, forms[1].code + forms[1].size };
	const uint8_t *at = buffer;
	size_t same = 0;

	while (same < forms[0].size && same < forms[1].size && *(end_of[0] - same - 1) == *(end_of[1] - same - 1))
		same++;
	while (same && (at = memmem(at, size - (size_t)(at - buffer), end_of[0] - same, same))) {
		for (int i = 0; i < 2; i++) {
			size_t before = forms[i].size - same;

			if ((size_t)(at - buffer) >= before && memcmp(at - before, forms[i].code, before) == 0)
				return at - before - buffer;
		}
		at++;
	}
	return -1;
}

static void look_into(struct place_search *finding, const uint8_t *buffer, size_t size, uint64_t offset)
{
	int64_t at;

	if (finding->syscall_ret < 0) {
		at = find_code(buffer, size, &finding->gadgets->syscall_ret);
		if (at >= 0)
			finding->syscall_ret = (int64_t)offset + at;
	}
	if (finding->sigreturn < 0) {
		at = find_either(buffer, size, finding->gadgets->sigreturn);
		if (at >= 0)
			finding->sigreturn = (int64_t)offset + at;
	}
}

static struct place_search search_mapping(pid_t pid, const struct mapping *m, const struct arch_gadgets *gadgets)
{
	struct place_search finding = {
		.dev = m->dev,
		.inode = m->inode,
		.pgoff = m->pgoff,
		.gadgets = gadgets,
		.syscall_ret = -1,
		.sigreturn = -1,
	};
	uint64_t size = m->end - m->start < SEARCH_MAX ? m->end - m->start : SEARCH_MAX;
	AUTO_FREE uint8_t *buffer = xmalloc(SEARCH_STEP);

	for (uint64_t at = 0; at < size; at += SEARCH_STEP - OVERLAP) {
		struct iovec local = { buffer, SEARCH_STEP < size - at ? SEARCH_STEP : size - at };
		struct iovec remote = { (void *)(m->start + at), local.iov_len };
		ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

		if (got <= 0)
			break;
		look_into(&finding, buffer, (size_t)got, at);
		if (finding.syscall_ret >= 0 && finding.sigreturn >= 0)
			break;
	}
	return finding;
}

static bool has_code(pid_t pid, uint64_t address, const struct arch_gadget *gadget)
{
	uint8_t code[16];
	struct iovec local = { code, gadget->size }, remote = { (void *)address, gadget->size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)gadget->size &&
	       memcmp(code, gadget->code, gadget->size) == 0;
}

static bool lies_in(const struct mapping *m, int64_t offset, size_t size)
{
	return offset < 0 || (uint64_t)offset + size <= m->end - m->start;
}

/* A program may have changed its own code, or mapped less of it, so what the cache says is looked at again. */
static bool still_true(pid_t pid, const struct mapping *m, const struct place_search *f)
{
	if (!lies_in(m, f->syscall_ret, f->gadgets->syscall_ret.size) ||
	    !lies_in(m, f->sigreturn, f->gadgets->sigreturn[0].size))
		return false;
	if (f->syscall_ret >= 0 && !has_code(pid, m->start + (uint64_t)f->syscall_ret, &f->gadgets->syscall_ret))
		return false;
	return f->sigreturn < 0 || has_code(pid, m->start + (uint64_t)f->sigreturn, &f->gadgets->sigreturn[0]) ||
	       has_code(pid, m->start + (uint64_t)f->sigreturn, &f->gadgets->sigreturn[1]);
}

/* That of most tasks is the same. */
static bool is_vdso(const struct mapping *m)
{
	return m->name && strcmp(m->name, "[vdso]") == 0;
}

static struct place_search find_in_mapping(pid_t pid, const struct mapping *m, const struct arch_gadgets *gadgets,
					   struct parasite_cache *cache)
{
	struct place_search finding;

	if (!cache || (!m->inode && !is_vdso(m)))
		return search_mapping(pid, m, gadgets);
	for (size_t i = 0; i < cache->findings.n; i++) {
		const struct place_search *f = &cache->findings.items[i];

		if (f->dev == m->dev && f->inode == m->inode && f->pgoff == m->pgoff && f->gadgets == gadgets &&
		    still_true(pid, m, f))
			return *f;
	}
	finding = search_mapping(pid, m, gadgets);
	*vector_push(&cache->findings) = finding;
	return finding;
}

static void find_code_places(pid_t pid, const struct mappings *mappings, const struct arch_gadgets *gadgets,
			     struct parasite_cache *cache, struct parasite_place *place)
{
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < mappings->n; i++) {
			const struct mapping *m = &mappings->items[i];
			struct place_search f;

			/* Every process has the vdso, and it is short; files come in the second round. */
			if (!(m->prot & PROT_EXEC) || !(m->prot & PROT_READ) || is_vdso(m) != (round == 0) ||
			    m->start >> 63)
				continue;
			f = find_in_mapping(pid, m, gadgets, cache);
			if (!place->syscall_ret && f.syscall_ret >= 0)
				place->syscall_ret = m->start + (uint64_t)f.syscall_ret;
			if (!place->sigreturn && f.sigreturn >= 0)
				place->sigreturn = m->start + (uint64_t)f.sigreturn;
			if (place->syscall_ret && place->sigreturn)
				return;
		}
	}
}

void parasite_look_ahead(struct parasite_cache *cache, pid_t pid, const struct mappings *mappings)
{
	struct parasite_place unused = { 0 };

	find_code_places(pid, mappings, arch_gadgets_native(), cache, &unused);
}

#define STACK_MARGIN 65536
#define ROOM_UNIT    (1ull << 21)

static bool all_zero(int mem, uint64_t address, size_t size)
{
	AUTO_FREE uint8_t *bytes = xmalloc(size);

	if (io_pread(mem, bytes, size, (off_t)address) != (ssize_t)size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/*
 * The lowest pages of the main stack: far below the stack pointer of the first thread, so nothing lives there. If that
 * thread is on another stack (Go does so), only pages that hold nothing will do.
 */
static void find_scratch(int mem, const struct mappings *mappings, uint64_t sp, size_t size,
			 struct parasite_place *place)
{
	size_t capacity = page_align(size);

	for (size_t i = 0; i < mappings->n; i++) {
		const struct mapping *m = &mappings->items[i];
		bool below;

		if (!m->name || strcmp(m->name, "[stack]") != 0 || !(m->prot & PROT_WRITE) ||
		    m->end - m->start < capacity)
			continue;
		below = sp < m->end && sp > m->start + capacity + STACK_MARGIN;
		if (below || (!(sp >= m->start && sp < m->end) && all_zero(mem, m->start, capacity))) {
			place->scratch = m->start;
			place->scratch_size = capacity;
		}
		return;
	}
}

/* In the middle of the largest hole. */
static uint64_t find_room(const struct mappings *mappings, uint64_t limit)
{
	uint64_t end = 0, largest = 0, room = 0;

	for (size_t i = 0; i < mappings->n && mappings->items[i].start < limit; i++) {
		const struct mapping *m = &mappings->items[i];

		if (m->start - end > largest) {
			largest = m->start - end;
			room = (end + largest / 2) / ROOM_UNIT * ROOM_UNIT;
		}
		end = m->end;
	}
	return largest < 4 * ROOM_UNIT ? 0 : room;
}

int parasite_find_place(int mem, pid_t pid, const struct mappings *mappings, const struct arch_thread_state *home,
			struct parasite_cache *cache, struct parasite_place *ret)
{
	*ret = (struct parasite_place){ .room = find_room(mappings, arch_address_limit(arch_state_is_compat(home))) };
	find_code_places(pid, mappings, arch_gadgets_of(home), cache, ret);
	if (!ret->syscall_ret && cache) /* what was not in a file may be by now */
		find_code_places(pid, mappings, arch_gadgets_of(home), NULL, ret);
	if (!ret->syscall_ret)
		return refuse(EOPNOTSUPP, "the task has no readable code with a system call in it: there is no way in");
	find_scratch(mem, mappings, arch_state_sp(home), 64 + arch_frame_size(home) + PARASITE_SPARE, ret);
	if (!ret->sigreturn || !ret->scratch)
		log_debug("no %s found: the task is not safe if we are killed within the next microseconds",
			  ret->sigreturn ? "untouched stack" : "rt_sigreturn");
	return 0;
}

uint64_t parasite_write_sigframe(const struct parasite_place *place, const struct parasite_state *state, void *to)
{
	if (!place->sigreturn || !place->scratch)
		return 0;
	memset(to, 0, place->scratch_size);
	return arch_call_frame_write(state->alone, state->sigmask, place->sigreturn, to, place->scratch);
}

uint64_t parasite_spare(const struct parasite_place *place)
{
	return place->scratch && place->sigreturn ? place->scratch + place->scratch_size - PARASITE_SPARE : 0;
}

/* Puts the way home on the scratch stack, and what the call is to find there. Returns the stack pointer to use. */
static int prepare_way_home(struct parasite_call *call, uint64_t *ret_sp)
{
	const struct parasite_place *place = call->place;
	AUTO_FREE uint8_t *bytes = xzalloc(place->scratch_size);
	ssize_t got = io_pread(call->mem, call->old, place->scratch_size, (off_t)place->scratch);

	if (got != (ssize_t)place->scratch_size)
		return got < 0 ? (int)got : -EFAULT;
	*ret_sp = parasite_write_sigframe(place, call->state, bytes);
	if (call->spare)
		memcpy(bytes + place->scratch_size - PARASITE_SPARE, call->spare, PARASITE_SPARE);
	return io_pwrite(call->mem, bytes, place->scratch_size, (off_t)place->scratch);
}

/* Whatever happened, the thread gets back what is its own. */
static int put_back(struct parasite_call *call)
{
	int error = tracee_set_sigmask(call->tid, call->state->sigmask);

	if (!error)
		error = arch_state_set_general(call->tid, call->state->home);
	if (call->protected && !error) {
		error = io_pwrite(call->mem, call->old, call->place->scratch_size, (off_t)call->place->scratch);
		if (error < 0)
			(void)fail(-error, "putting the stack of the task back");
	}
	if (call->lost_stop)
		syscall(__NR_tkill, call->tid, call->lost_stop);
	free(call->old);
	call->old = NULL;
	return error;
}

int parasite_call_begin(struct parasite_call *call, long nr, const uint64_t args[6])
{
	uint64_t sp = arch_state_sp(call->state->home);
	int error;

	call->stage = PARASITE_CALL_NONE;
	call->lost_stop = call->failure = 0;
	call->protected = call->place->sigreturn && call->place->scratch;
	call->old = xzalloc(call->place->scratch_size + 1);
	if (call->protected) {
		error = prepare_way_home(call, &sp);
		if (error < 0) {
			free(call->old);
			return fail(-error, "writing to the stack of the task");
		}
	}
	/* If we die here, the registers decide where the thread goes: the signal mask follows them, and is back before
	 * they are. */
	call->nr = nr;
	error = arch_remote_prepare_own(call->tid, call->state->home, call->place->syscall_ret, sp,
					call->protected ? call->place->sigreturn : 0, nr, args);
	if (!error)
		error = tracee_set_sigmask(call->tid, ~0ull);
	if (!error)
		error = arch_remote_run(call->tid);
	if (error)
		(void)put_back(call); /* the first failure is what matters */
	else
		call->stage = PARASITE_CALL_TO_ENTRY;
	return error;
}

int parasite_call_go_on(struct parasite_call *call)
{
	if (call->stage != PARASITE_CALL_TO_ENTRY)
		return call->failure;
	call->failure = arch_remote_wait(call->tid, &call->deadline, &call->lost_stop);
	if (!call->failure)
		call->failure = arch_remote_entered(call->tid, call->nr);
	if (!call->failure)
		call->failure = arch_remote_run(call->tid);
	call->stage = PARASITE_CALL_TO_EXIT;
	return call->failure;
}

int parasite_call_end(struct parasite_call *call, int64_t *ret)
{
	int error = parasite_call_go_on(call), error2;

	if (!error)
		error = arch_remote_wait(call->tid, &call->deadline, &call->lost_stop);
	if (!error)
		error = arch_remote_result(call->tid, ret);
	call->stage = PARASITE_CALL_NONE;
	if (error == -ETIMEDOUT) {
		free(call->old);
		call->old = NULL;
		return error;
	}
	error2 = put_back(call);
	return error ? error : error2;
}

int parasite_call(pid_t tid, int mem, const struct parasite_place *place, const struct parasite_state *state, long nr,
		  const uint64_t args[6], const struct deadline *deadline, int64_t *ret)
{
	struct parasite_call call = { .tid = tid, .mem = mem, .place = place, .state = state, .deadline = *deadline };

	TRY(parasite_call_begin(&call, nr, args));
	return parasite_call_end(&call, ret);
}

/* Whether a plain EINTR can come only from our stop. */
static bool has_no_signals(pid_t tid, uint64_t sigmask)
{
	AUTO_CLOSE int proc = proc_open(tid);
	AUTO(proc_status_done) struct proc_status status = { 0 };

	return proc >= 0 && proc_status_read(proc, &status) == 0 &&
	       !((status.sig_pending | status.shared_pending) & ~sigmask);
}

int parasite_read_state(pid_t tid, struct pool *pool, struct parasite_state *ret)
{
	bool no_signals;

	TRY(tracee_get_sigmask(tid, &ret->sigmask));
	TRY(arch_state_get(tid, pool, &ret->home));
	ret->alone = arch_state_copy(ret->home, pool);
	no_signals = has_no_signals(tid, ret->sigmask);
	arch_state_restart_eintr(ret->home, no_signals);
	arch_state_restart(ret->alone, no_signals, tid);
	return 0;
}
