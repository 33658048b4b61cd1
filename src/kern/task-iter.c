/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program that the kernel runs for each task, and its answers. */
#include "kern/task-iter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/bpf.h"
#include "kern/btf.h"

enum place {
	TASK_NAMESPACES,
	TASK_CGROUPS,
	TASK_FILES,
	TASK_FS,
	TASK_MEMORY,
	TASK_HANDLERS,
	TASK_CHILDREN,
	TASK_LEADER,
	TASK_PARENT,
	TASK_CREDENTIALS,
	TASK_FLAGS,
	TASK_ATOMIC_FLAGS,
	TASK_SECCOMP,
	TASK_PENDING,
	TASK_SIGNAL,
	TASK_PID,
	SECCOMP_MODE,
	PENDING_SET,
	SIGNAL_PENDING,
	PID_LEVEL,
	PID_NUMBERS,
	NUMBER,
	TASK_STATE,
	PLACES
};

/* What a kernel may lack: then the answer is not known, but for the last ones, of which there is nothing to be known.
 */
enum own_place {
	OWN_NAME,
	OWN_TID_ADDRESS,
	OWN_STACK,
	OWN_STACK_SIZE,
	OWN_STACK_FLAGS,
	OWN_PERSONALITY,
	OWN_TIMER_SLACK,
	OWN_DEATH_SIGNAL,
	OWN_THREAD_FLAGS,
	OWN_MEMORY_DEFAULTS,
	OWN_OOM_SCORE,
	OWN_MEMORY_POLICY,
	OWN_LOGIN,
	OWN_PLACES
};

static const struct {
	const char *type, *member;
} members[PLACES] = {
	[TASK_NAMESPACES] = { "task_struct", "nsproxy" },
	[TASK_CGROUPS] = { "task_struct", "cgroups" },
	[TASK_FILES] = { "task_struct", "files" },
	[TASK_FS] = { "task_struct", "fs" },
	[TASK_MEMORY] = { "task_struct", "mm" },
	[TASK_HANDLERS] = { "task_struct", "sighand" },
	[TASK_CHILDREN] = { "task_struct", "children" },
	[TASK_LEADER] = { "task_struct", "group_leader" },
	[TASK_PARENT] = { "task_struct", "real_parent" },
	[TASK_CREDENTIALS] = { "task_struct", "real_cred" },
	[TASK_FLAGS] = { "task_struct", "flags" },
	[TASK_ATOMIC_FLAGS] = { "task_struct", "atomic_flags" },
	[TASK_SECCOMP] = { "task_struct", "seccomp" },
	[TASK_PENDING] = { "task_struct", "pending" },
	[TASK_SIGNAL] = { "task_struct", "signal" },
	[TASK_PID] = { "task_struct", "thread_pid" },
	[SECCOMP_MODE] = { "seccomp", "mode" },
	[PENDING_SET] = { "sigpending", "signal" },
	[SIGNAL_PENDING] = { "signal_struct", "shared_pending" },
	[PID_LEVEL] = { "pid", "level" },
	[PID_NUMBERS] = { "pid", "numbers" },
	[NUMBER] = { "upid", "" },
	[TASK_STATE] = { "task_struct", "__state" },
};

/* What the program writes for each task, from the lowest address upwards. */
struct answer {
	uint64_t task, namespaces, cgroups, files, fs, memory, handlers, first_child, leader, parent;
	uint64_t credentials, flags, atomic_flags, seccomp, pending, shared_pending;
	uint64_t tid, state, call[ARCH_CALL_MEMBERS];
	char name[16];
	uint64_t tid_address, stack, stack_size, stack_flags, personality, timer_slack, death_signal, thread_flags,
		memory_defaults, oom_score, policy, login;
};

#define OF_TASK (-1)

static const struct {
	int via; /* a pointer of the task */
	const char *type, *member;
	size_t to, size;
} own_members[OWN_PLACES] = {
#define OWN(via, type, member, to)                                                               \
	{                                                                                        \
		via, type, member, offsetof(struct answer, to), sizeof(((struct answer *)0)->to) \
	}
	[OWN_NAME] = OWN(OF_TASK, "task_struct", "comm", name),
	[OWN_TID_ADDRESS] = OWN(OF_TASK, "task_struct", "clear_child_tid", tid_address),
	[OWN_STACK] = OWN(OF_TASK, "task_struct", "sas_ss_sp", stack),
	[OWN_STACK_SIZE] = OWN(OF_TASK, "task_struct", "sas_ss_size", stack_size),
	[OWN_STACK_FLAGS] = OWN(OF_TASK, "task_struct", "sas_ss_flags", stack_flags),
	[OWN_PERSONALITY] = OWN(OF_TASK, "task_struct", "personality", personality),
	[OWN_TIMER_SLACK] = OWN(OF_TASK, "task_struct", "timer_slack_ns", timer_slack),
	[OWN_DEATH_SIGNAL] = OWN(OF_TASK, "task_struct", "pdeath_signal", death_signal),
	[OWN_THREAD_FLAGS] = OWN(OF_TASK, "thread_info", "flags", thread_flags),
	[OWN_MEMORY_DEFAULTS] = OWN(TASK_MEMORY, "mm_struct", "def_flags", memory_defaults),
	[OWN_OOM_SCORE] = OWN(TASK_SIGNAL, "signal_struct", "oom_score_adj", oom_score),
	[OWN_MEMORY_POLICY] = OWN(OF_TASK, "task_struct", "mempolicy", policy),
	[OWN_LOGIN] = OWN(OF_TASK, "task_struct", "loginuid", login),
#undef OWN
};

struct task_iter {
	bool tried, knows_own, knows_login;
	int program;
	uint32_t children; /* offset in a task: an empty list is a ring of its head alone */
};

/* --- the program --- */

enum { R0, R1, R2, R3, R6 = 6, R7, R8, R10 = 10 };

struct program {
	struct bpf_insn code[512];
	unsigned n;
};

static void add_code(struct program *program, uint8_t code, uint8_t to, uint8_t from, int64_t offset, int32_t value)
{
	program->code[program->n++] =
		(struct bpf_insn){ .code = code, .dst_reg = to, .src_reg = from, .off = (int16_t)offset, .imm = value };
}

static void load_member(struct program *program, uint8_t size, uint8_t to, uint8_t from, uint32_t offset)
{
	add_code(program, BPF_LDX | BPF_MEM | size, to, from, offset, 0);
}

static void keep_part(struct program *program, uint8_t from, size_t member)
{
	add_code(program, BPF_STX | BPF_MEM | BPF_DW, R10, from, (int64_t)member - (int64_t)sizeof(struct answer), 0);
}

static void set_register(struct program *program, uint8_t to, int32_t value)
{
	add_code(program, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}

static void copy_register(struct program *program, uint8_t to, uint8_t from)
{
	add_code(program, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

/*
 * Copies from the address in R3, and so many bytes behind. To load a pointer would do as well, but the kernel looks
 * through all of its types for each: half a millisecond.
 */
static void copy_bytes(struct program *program, uint32_t behind, size_t member, size_t size)
{
	add_code(program, BPF_ALU64 | BPF_ADD | BPF_K, R3, 0, 0, (int32_t)behind);
	copy_register(program, R1, R10);
	add_code(program, BPF_ALU64 | BPF_ADD | BPF_K, R1, 0, 0, (int)member - (int)sizeof(struct answer));
	set_register(program, R2, (int32_t)size);
	add_code(program, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
}

static void copy_part(struct program *program, uint32_t behind, size_t member)
{
	copy_bytes(program, behind, member, sizeof(uint64_t));
}

static void load_part(struct program *program, uint8_t to, size_t member)
{
	load_member(program, BPF_DW, to, R10, (uint32_t)member - (uint32_t)sizeof(struct answer));
}

/* Its number in the pid namespace of criu, which reads and so is the current task. */
static void keep_number(struct program *program, const struct btf_place *places)
{
	const size_t tid = offsetof(struct answer, tid);

	add_code(program, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_task);
	copy_register(program, R3, R0);
	copy_part(program, places[TASK_PID].offset, tid);
	load_part(program, R3, tid);
	copy_part(program, places[PID_LEVEL].offset, tid);
	load_part(program, R8, tid);
	add_code(program, BPF_ALU | BPF_MUL | BPF_K, R8, 0, 0, (int32_t)places[NUMBER].size); /* of 32 bits */
	copy_register(program, R3, R7);
	copy_part(program, places[TASK_PID].offset, tid);
	load_part(program, R3, tid);
	add_code(program, BPF_ALU64 | BPF_ADD | BPF_X, R3, R8, 0, 0);
	copy_part(program, places[PID_NUMBERS].offset, tid);
}

/* Of a thread that sleeps: what it came with into the kernel. */
static void keep_call(struct program *program, const struct btf_place *registers)
{
	copy_register(program, R1, R7);
	add_code(program, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_task_pt_regs);
	for (size_t i = 0; i < ARCH_CALL_MEMBERS; i++) {
		load_member(program, registers[i].size == 4 ? BPF_W : BPF_DW, R2, R0, registers[i].offset);
		keep_part(program, R2, offsetof(struct answer, call) + i * sizeof(uint64_t));
	}
}

static void keep_members(struct program *program, const struct btf_place *places)
{
	static const struct {
		enum place place;
		size_t member;
	} parts[] = {
		{ TASK_NAMESPACES, offsetof(struct answer, namespaces) },
		{ TASK_CGROUPS, offsetof(struct answer, cgroups) },
		{ TASK_FILES, offsetof(struct answer, files) },
		{ TASK_FS, offsetof(struct answer, fs) },
		{ TASK_MEMORY, offsetof(struct answer, memory) },
		{ TASK_HANDLERS, offsetof(struct answer, handlers) },
		{ TASK_CHILDREN, offsetof(struct answer, first_child) },
		{ TASK_LEADER, offsetof(struct answer, leader) },
		{ TASK_PARENT, offsetof(struct answer, parent) },
		{ TASK_CREDENTIALS, offsetof(struct answer, credentials) },
		{ TASK_FLAGS, offsetof(struct answer, flags) },
		{ TASK_ATOMIC_FLAGS, offsetof(struct answer, atomic_flags) },
		{ TASK_STATE, offsetof(struct answer, state) },
		{ TASK_SECCOMP, offsetof(struct answer, seccomp) },
		{ TASK_PENDING, offsetof(struct answer, pending) },
		{ TASK_SIGNAL, offsetof(struct answer, shared_pending) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint32_t within = parts[i].place == TASK_SECCOMP   ? places[SECCOMP_MODE].offset
				  : parts[i].place == TASK_PENDING ? places[PENDING_SET].offset
								   : 0;

		copy_register(program, R3, R7);
		copy_part(program, places[parts[i].place].offset + within, parts[i].member);
	}
	load_part(program, R3, offsetof(struct answer, shared_pending));
	copy_part(program, places[SIGNAL_PENDING].offset + places[PENDING_SET].offset,
		  offsetof(struct answer, shared_pending));
}

/* The stack must have been written to before it is read. */
static void keep_own(struct program *program, const struct btf_place *places, const struct btf_place *own)
{
	set_register(program, R2, 0);
	for (size_t at = offsetof(struct answer, name); at < sizeof(struct answer); at += sizeof(uint64_t))
		keep_part(program, R2, at);
	for (int i = 0; i < OWN_PLACES; i++) {
		size_t size = own[i].size < own_members[i].size ? own[i].size : own_members[i].size;

		if (!size)
			continue;
		copy_register(program, R3, R7);
		if (own_members[i].via != OF_TASK) {
			copy_part(program, places[own_members[i].via].offset, own_members[i].to);
			load_part(program, R3, own_members[i].to);
			set_register(program, R2, 0);
			keep_part(program, R2, own_members[i].to);
		}
		copy_bytes(program, own[i].offset, own_members[i].to, size);
	}
}

/* struct bpf_iter__task { struct bpf_iter_meta *meta; struct task_struct *task; }, whose first member is the file. */
static void write_program(struct program *program, const struct btf_place *places, const struct btf_place *own,
			  const struct btf_place *registers)
{
	unsigned end_of_all;

	load_member(program, BPF_DW, R6, R1, 0);
	load_member(program, BPF_DW, R7, R1, 8);
	end_of_all = program->n;
	add_code(program, BPF_JMP | BPF_JEQ | BPF_K, R7, 0, 0, 0);
	keep_part(program, R7, offsetof(struct answer, task));
	keep_members(program, places);
	keep_number(program, places);
	keep_own(program, places, own);
	keep_call(program, registers);
	load_member(program, BPF_DW, R1, R6, 0);
	copy_register(program, R2, R10);
	add_code(program, BPF_ALU64 | BPF_ADD | BPF_K, R2, 0, 0, -(int)sizeof(struct answer));
	set_register(program, R3, sizeof(struct answer));
	add_code(program, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write);
	program->code[end_of_all].off = (int16_t)(program->n - end_of_all - 1);
	set_register(program, R0, 0);
	add_code(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int find_places(uint32_t *ret_function, struct btf_place *places, struct btf_place *registers)
{
	AUTO(btf_close) struct btf *btf = NULL;

	TRY(btf_open(&btf));
	TRY(btf_find_function(btf, "bpf_iter_task", ret_function));
	for (int i = 0; i < PLACES; i++) {
		TRY(btf_find(btf, members[i].type, members[i].member, &places[i]));
		if (places[i].offset > INT16_MAX / 2)
			return -ENOENT;
	}
	for (int i = 0; i < ARCH_CALL_MEMBERS; i++) {
		TRY(btf_find(btf, "pt_regs", arch_call_members[i].member, &registers[i]));
		registers[i].offset += arch_call_members[i].behind;
	}
	return 0;
}

/* Sizes of 0 where there is nothing. */
static bool find_own(struct btf_place *own)
{
	AUTO(btf_close) struct btf *btf = NULL;
	bool all = true;

	memset(own, 0, OWN_PLACES * sizeof(*own));
	if (btf_open(&btf) < 0)
		return false;
	for (int i = 0; i < OWN_PLACES; i++) {
		struct btf_place *place = &own[i], within = { 0 };
		bool found = btf_find(btf, own_members[i].type, own_members[i].member, place) == 0;

		if (found && i == OWN_THREAD_FLAGS) {
			found = btf_find(btf, "task_struct", "thread_info", &within) == 0;
			place->offset += within.offset;
		}
		found = found && place->offset <= INT16_MAX / 2;
		if (!found)
			place->size = 0;
		all &= found || i == OWN_MEMORY_POLICY || i == OWN_LOGIN;
	}
	return all;
}

static int load_program(struct task_iter *iter)
{
	struct btf_place places[PLACES], own[OWN_PLACES], registers[ARCH_CALL_MEMBERS];
	struct program program = { 0 };
	uint32_t function;

	TRY(find_places(&function, places, registers));
	iter->knows_own = find_own(own);
	iter->knows_login = own[OWN_LOGIN].size == sizeof(uint32_t);
	write_program(&program, places, own, registers);
	iter->program = bpf_load_iterator(function, program.code, program.n);
	iter->children = places[TASK_CHILDREN].offset;
	return iter->program < 0 ? iter->program : 0;
}

struct task_iter *task_iter_create(void)
{
	struct task_iter *iter = xzalloc(sizeof(*iter));

	iter->program = -1;
	return iter;
}

bool task_iter_prepare(struct task_iter *iter)
{
	if (!iter->tried)
		(void)load_program(iter); /* others have no such thing, or may not */
	iter->tried = true;
	return iter->program >= 0;
}

bool task_iter_is_there(const struct task_iter *iter)
{
	return iter->program >= 0;
}

void task_iter_destroy(struct task_iter **ref)
{
	if (*ref && (*ref)->program >= 0)
		close((*ref)->program);
	free(*ref);
	*ref = NULL;
}

/* --- its answers --- */

/* Stacks of 64-bit programs lie high; others have their arguments elsewhere. */
static bool may_wait_limited(const struct answer *answer)
{
	const uint64_t *call = answer->call, sp = call[ARCH_CALL_MEMBERS - 1];

	if (!(uint32_t)answer->state)
		return false; /* it runs */
	return sp >> 32 == 0 || ((int32_t)call[0] >= 0 && arch_may_be_limited((int32_t)call[0], call + 1, sp));
}

/* What personality(2), prctl(2) and sigaltstack(2) would say; the latter of a thread that runs elsewhere. */
static struct task_own own_of(const struct task_iter *iter, const struct answer *answer)
{
	struct task_own own = {
		.tid_address = answer->tid_address,
		.stack = answer->stack,
		.stack_size = answer->stack_size,
		.stack_flags = (uint32_t)answer->stack_flags,
		.personality = (uint32_t)answer->personality,
		.timer_slack = answer->timer_slack,
		.death_signal = (uint32_t)answer->death_signal,
		.has_memory_policy = answer->policy,
		.memory_defaults = answer->memory_defaults,
		.oom_score = (int16_t)answer->oom_score,
		.knows_login = iter->knows_login,
		.login = (uint32_t)answer->login,
	};

	_Static_assert(sizeof(own.name) == sizeof(answer->name), "names have the same size");
	memcpy(own.name, answer->name, sizeof(own.name));
	return own;
}

static void add_answer(const struct task_iter *iter, const struct answer *answer, struct task_facts_list *ret)
{
	if (!(uint32_t)answer->tid)
		return; /* it has just ended */
	*vector_push(ret) = (struct task_facts){
		.tid = (pid_t)(uint32_t)answer->tid,
		.task = answer->task,
		.leader = answer->leader,
		.parent = answer->parent,
		.knows_own = iter->knows_own,
		.own = own_of(iter, answer),
		.thread_flags = answer->thread_flags,
		.may_wait_limited = may_wait_limited(answer),
		.has_children = answer->first_child != answer->task + iter->children,
		.namespaces = answer->namespaces,
		.cgroups = answer->cgroups,
		.files = answer->files,
		.fs = answer->fs,
		.memory = answer->memory,
		.handlers = answer->handlers,
		.credentials = answer->credentials,
		.atomic_flags = answer->atomic_flags,
		.pending = answer->pending,
		.shared_pending = answer->shared_pending,
		.flags = (uint32_t)answer->flags,
		.seccomp = (uint32_t)answer->seccomp,
	};
}

static int compare_facts(const void *a, const void *b)
{
	pid_t left = ((const struct task_facts *)a)->tid, right = ((const struct task_facts *)b)->tid;

	return (left > right) - (left < right);
}

bool task_iter_read(struct task_iter *iter, pid_t pid, struct task_facts_list *ret)
{
	struct answer answers[128];
	AUTO_CLOSE int fd = -1;
	ssize_t size;

	ret->n = 0;
	if (iter->program < 0)
		return false;
	fd = bpf_open_iterator(iter->program, pid);
	if (fd < 0 && pid)
		fd = bpf_open_iterator(iter->program, 0);
	if (fd < 0)
		return false;
	while ((size = io_read(fd, answers, sizeof(answers))) > 0)
		for (size_t i = 0; i < (size_t)size / sizeof(*answers); i++)
			add_answer(iter, &answers[i], ret);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_facts);
	return size == 0 && ret->n;
}

const struct task_facts *task_facts_find(const struct task_facts_list *list, pid_t tid)
{
	const struct task_facts key = { .tid = tid };

	return list->n ? bsearch(&key, list->items, list->n, sizeof(key), compare_facts) : NULL;
}

void task_facts_done(struct task_facts_list *list)
{
	vector_done(list);
}
