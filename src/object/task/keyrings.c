/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keyrings of a thread, keyrings(7): restored tasks have the session keyring of criu, and none of their own. What is in
 * them is named as lost. Keyrings of users are there as long as the machine runs.
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/loss.h"

extern const struct task_part keyrings_part;

static const struct {
	int id;
	const char *name;
	bool of_thread;
} keyrings[] = {
	{ KEY_SPEC_SESSION_KEYRING, "session", false },
	{ KEY_SPEC_PROCESS_KEYRING, "process", false },
	{ KEY_SPEC_THREAD_KEYRING, "thread", true },
	{ KEY_SPEC_USER_SESSION_KEYRING, NULL, false }, /* the session keyring of who has no other */
};

#define KEYRINGS (ARRAY_SIZE(keyrings))

enum offset { ID, SIZE, OFFSETS };

/* The kernel makes none that is not there for these calls, but for the session keyring that any access makes. */
static int ask_keyrings(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &keyrings_part, KEYRINGS * OFFSETS);
	struct step *step;

	for (size_t i = 0; i < KEYRINGS; i++, offset += OFFSETS) {
		if (!keyrings[i].of_thread && thread != thread->task->leader)
			continue;
		step = plan_syscall(plan, "look for a keyring", __NR_keyctl, V(KEYCTL_GET_KEYRING_ID),
				    V(keyrings[i].id), V(0));
		step->flags |= STEP_MAY_FAIL;
		offset[ID] = plan_keep_result(plan, step);
		step = plan_syscall(plan, "ask for the size of a keyring", __NR_keyctl, V(KEYCTL_READ),
				    V(keyrings[i].id), V(0), V(0));
		step->flags |= STEP_MAY_FAIL;
		offset[SIZE] = plan_keep_result(plan, step);
	}
	return 0;
}

/* Asked only by who has one with keys in it. */
static bool is_of_criu(int64_t id)
{
	return id == syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

static int answer_keyrings(struct dump *d, struct thread *thread)
{
	const size_t *offset = part_offsets(d, thread, &keyrings_part, KEYRINGS * OFFSETS);
	const size_t usual_id = offset[(KEYRINGS - 1) * OFFSETS + ID];
	const int usual = usual_id ? (int)remote_value(thread->remote, usual_id) : 0;

	for (size_t i = 0; i < KEYRINGS; i++, offset += OFFSETS) {
		int64_t id, size;

		if (!offset[ID] || !keyrings[i].name)
			continue;
		id = (int)remote_value(thread->remote, offset[ID]);
		size = remote_value(thread->remote, offset[SIZE]);
		if (id > 0 && id != usual && size > 0 && !is_of_criu(id))
			dump_report_loss(d, "its %s keyring (%08x) with %d keys", keyrings[i].name, (unsigned)id,
					 (int)size / (int)sizeof(int32_t));
	}
	return 0;
}

const struct task_part keyrings_part = {
	.name = "keyrings",
	.ask = ask_keyrings,
	.answer = answer_keyrings,
};
