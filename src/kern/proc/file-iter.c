/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program that the kernel runs for each descriptor, and its answers. */
#include "kern/proc/file-iter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "kern/bpf/words.h"
#include "kern/bpf.h"
#include "kern/task-iter.h"

/* struct bpf_iter__task_file { meta; task; u32 fd; file; }, of which each takes 8 bytes. */
enum { AT_TASK = 8, AT_NUMBER = 16, AT_FILE = 24 };

enum word {
	TASK,
	LEADER,
	DESCRIPTOR,
	ADDRESS,
	FLAGS,
	OWNER,
	PRIVATE,
	INODE,
	INO,
	MODE,
	UID,
	GID,
	SUPER,
	DEVICE,
	LOCKS,
	SOCK,
	FAMILY,
	PIPE_HEAD,
	PIPE_TAIL,
	PIPE_PAGES,
	PIPE_READERS,
	PIPE_WRITERS,
	N_WORDS
};

#define MEMBER(from, type, member)                \
	{                                         \
		from, type, member, NULL, NULL, 0 \
	}

static const struct bpf_word words[N_WORDS] = {
	[TASK] = { .from = BPF_WORD_CONTEXT, .offset = AT_TASK },
	[LEADER] = MEMBER(TASK, "task_struct", "group_leader"),
	[DESCRIPTOR] = { .from = BPF_WORD_CONTEXT, .offset = AT_NUMBER },
	[ADDRESS] = { .from = BPF_WORD_CONTEXT, .offset = AT_FILE },
	[FLAGS] = MEMBER(BPF_WORD_OBJECT, "file", "f_flags"),
	[OWNER] = MEMBER(BPF_WORD_OBJECT, "file", "f_owner"), /* an address since Linux 6.12 */
	[PRIVATE] = MEMBER(BPF_WORD_OBJECT, "file", "private_data"),
	[INODE] = MEMBER(BPF_WORD_OBJECT, "file", "f_inode"),
	[INO] = MEMBER(INODE, "inode", "i_ino"),
	[MODE] = MEMBER(INODE, "inode", "i_mode"),
	[UID] = MEMBER(INODE, "inode", "i_uid"),
	[GID] = MEMBER(INODE, "inode", "i_gid"),
	[SUPER] = MEMBER(INODE, "inode", "i_sb"),
	[DEVICE] = MEMBER(SUPER, "super_block", "s_dev"),
	[LOCKS] = MEMBER(INODE, "inode", "i_flctx"), /* stays when they are gone */
	[SOCK] = MEMBER(PRIVATE, "socket", "sk"),
	[FAMILY] = MEMBER(SOCK, "sock_common", "skc_family"),
	[PIPE_HEAD] = MEMBER(PRIVATE, "pipe_inode_info", "head"),
	[PIPE_TAIL] = MEMBER(PRIVATE, "pipe_inode_info", "tail"),
	[PIPE_PAGES] = MEMBER(PRIVATE, "pipe_inode_info", "max_usage"),
	[PIPE_READERS] = MEMBER(PRIVATE, "pipe_inode_info", "readers"),
	[PIPE_WRITERS] = MEMBER(PRIVATE, "pipe_inode_info", "writers"),
};

#define BITS(first, last) ((2ull << (last)) - (1ull << (first)))
#define NEEDED		  (BITS(TASK, DEVICE) & ~(1ull << OWNER))

struct told_process {
	struct file_facts_list facts;
};

struct file_iter {
	bool tried;
	struct bpf_words_program program;
	bool too_many;		       /* descriptors of others */
	struct table *still, *running; /* by pid: struct told_process */
};

struct file_iter *file_iter_create(void)
{
	struct file_iter *iter = xzalloc(sizeof(*iter));

	iter->program = BPF_WORDS_NONE;
	iter->still = table_create();
	iter->running = table_create();
	return iter;
}

static void destroy_told(struct told_process **process)
{
	if (*process)
		file_facts_done(&(*process)->facts);
	free(*process);
	*process = NULL;
}

static void destroy_all(struct table **told)
{
	struct told_process *process;
	size_t cursor = 0;

	while ((process = table_next(*told, &cursor)))
		destroy_told(&process);
	table_destroy(told);
}

void file_iter_destroy(struct file_iter **ref)
{
	struct file_iter *iter = TAKE_PTR(*ref);

	if (!iter)
		return;
	destroy_all(&iter->still);
	destroy_all(&iter->running);
	bpf_words_close(&iter->program);
	free(iter);
}

static bool can_tell(struct file_iter *iter)
{
	static const struct bpf_words what = { "bpf_iter_task_file", AT_FILE, words, N_WORDS, -1 };

	if (!iter->tried)
		(void)bpf_words_load(&what, &iter->program); /* others have no such thing, or may not */
	iter->tried = true;
	return iter->program.program >= 0 && (iter->program.there & NEEDED) == NEEDED;
}

static void add_pipe(const struct bpf_words_program *program, const uint64_t *values, struct file_facts *to)
{
	const uint64_t needed = BITS(PIPE_HEAD, PIPE_WRITERS);

	to->knows_pipe = (program->there & needed) == needed && values[PIPE_PAGES];
	to->pages_max = (uint32_t)values[PIPE_PAGES];
	to->is_empty = values[PIPE_HEAD] == values[PIPE_TAIL];
	to->has_readers = values[PIPE_READERS];
	to->has_writers = values[PIPE_WRITERS];
}

/* Whose descriptors they are: the list of a process by its main thread. */
typedef struct file_facts_list *list_of(void *arg, uint64_t leader);

/* Threads that have a table of their own are visited as well. False: it is enough. */
static bool add_facts(const struct bpf_words_program *program, const uint64_t *written, list_of *of, void *arg)
{
	struct file_facts_list *list;
	struct file_facts *facts;
	uint64_t values[N_WORDS];
	uint32_t device;

	for (size_t i = 0; i < N_WORDS; i++)
		values[i] = bpf_words_value(program, written, i);
	device = (uint32_t)values[DEVICE];
	if (values[TASK] != values[LEADER])
		return true;
	list = of(arg, values[LEADER]);
	if (!list)
		return false;
	facts = vector_push(list);
	*facts = (struct file_facts){
		.number = (int)(uint32_t)values[DESCRIPTOR],
		.file = values[ADDRESS],
		.flags = (uint32_t)values[FLAGS],
		.mode = (mode_t)values[MODE],
		.uid = (uid_t)values[UID],
		.gid = (gid_t)values[GID],
		.dev = makedev(device >> 20, device & 0xfffff), /* MINORBITS of the kernel */
		.ino = values[INO],
		.has_no_owner = bpf_words_has(program, OWNER) && !values[OWNER],
		.has_no_locks = bpf_words_has(program, LOCKS) && !values[LOCKS],
	};
	if (S_ISSOCK(facts->mode) && bpf_words_has(program, FAMILY))
		facts->family = (int)values[FAMILY];
	if (S_ISFIFO(facts->mode))
		add_pipe(program, values, facts);
	return true;
}

static bool read_told(struct file_iter *iter, pid_t pid, list_of *of, void *arg)
{
	uint64_t written[200][N_WORDS]; /* the kernel has 32 KiB at a time */
	AUTO_CLOSE int fd = -1;
	ssize_t size;

	if (!can_tell(iter))
		return false;
	fd = bpf_open_iterator(iter->program.program, pid);
	if (fd < 0)
		return false; /* before Linux 6.1 there is none of a single process */
	for (;;) {
		size = read(fd, written, sizeof(written));
		if (size < 0 && (errno == EINTR || errno == EAGAIN)) /* the kernel has walked long without a result */
			continue;
		if (size <= 0 || size % (ssize_t)sizeof(*written))
			return size == 0;
		for (size_t i = 0; i < (size_t)size / sizeof(*written); i++)
			if (!add_facts(&iter->program, written[i], of, arg))
				return false;
	}
}

static struct file_facts_list *the_only_list(void *arg, uint64_t leader)
{
	return arg;
}

bool file_iter_read(struct file_iter *iter, pid_t pid, struct file_facts_list *ret)
{
	ret->n = 0;
	return read_told(iter, pid, the_only_list, ret) && ret->n;
}

struct all_told {
	struct table *leaders; /* by the address: struct task_facts */
	struct table *told;
	size_t left;
	uint64_t leader; /* that of the last descriptor, and its list */
	struct file_facts_list *list;
	struct file_facts_list unknown;
};

/* Those of a process follow each other. Who was made after its threads were listed is nobody that we know. */
static struct file_facts_list *list_of_process(void *arg, uint64_t leader)
{
	struct all_told *all = arg;
	const struct task_facts *facts;
	struct told_process *process;

	if (!all->left)
		return NULL;
	all->left--;
	if (all->list && all->leader == leader)
		return all->list;
	facts = table_find(all->leaders, leader);
	all->leader = leader;
	all->list = &all->unknown;
	all->unknown.n = 0;
	if (facts) {
		process = xzalloc(sizeof(*process));
		all->list = &process->facts;
		process = table_set(all->told, (uint64_t)facts->tid, process);
		destroy_told(&process);
	}
	return all->list;
}

bool file_iter_read_all(struct file_iter *iter, const struct task_facts_list *tasks, size_t wanted, bool still)
{
	struct table **told = still ? &iter->still : &iter->running;
	struct all_told all = { .left = wanted * FILE_ITER_SPREAD };
	bool done;

	if (iter->too_many || !can_tell(iter))
		return false;
	destroy_all(told);
	*told = all.told = table_create();
	all.leaders = table_create();
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->items[i].task == tasks->items[i].leader)
			table_set(all.leaders, tasks->items[i].task, &tasks->items[i]);
	done = read_told(iter, 0, list_of_process, &all);
	if (!done) {
		iter->too_many = true;
		destroy_all(told);
		*told = table_create();
	}
	file_facts_done(&all.unknown);
	table_destroy(&all.leaders);
	return done;
}

const struct file_facts_list *file_iter_find(const struct file_iter *iter, pid_t pid, bool still)
{
	const struct told_process *process = table_find(still ? iter->still : iter->running, (uint64_t)pid);

	return process ? &process->facts : NULL;
}

void file_iter_forget_running(struct file_iter *iter)
{
	destroy_all(&iter->running);
	iter->running = table_create();
}

const struct file_facts_list *file_iter_read_still(struct file_iter *iter, pid_t pid)
{
	struct told_process *process = table_find(iter->still, (uint64_t)pid);

	if (process)
		return &process->facts;
	process = xzalloc(sizeof(*process));
	if (file_iter_read(iter, pid, &process->facts)) {
		table_set(iter->still, (uint64_t)pid, process);
		return &process->facts;
	}
	destroy_told(&process);
	return NULL;
}

static int compare_number(const void *key, const void *item)
{
	const int a = *(const int *)key, b = ((const struct file_facts *)item)->number;

	return (a > b) - (a < b);
}

const struct file_facts *file_facts_find(const struct file_facts_list *list, int number)
{
	return list->n ? bsearch(&number, list->items, list->n, sizeof(*list->items), compare_number) : NULL;
}

void file_facts_done(struct file_facts_list *list)
{
	vector_done(list);
}
