/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate: places, options that travel, frames, what has become of a migration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fail.h"
#include "flow/migrate/place.h"
#include "flow/migrate/record.h"
#include "flow/migrate/wire.h"
#include "flow/migrate/words.h"
#include "options/options-check.h"
#include "options/options.h"

static int checked(char **argv)
{
	struct options options;
	int argc = 0, result;

	while (argv[argc])
		argc++;
	failure_reset();
	options_init(&options);
	result = options_parse(&options, argc, argv);
	if (result == 0)
		result = options_check(&options);
	options_done(&options);
	return result;
}

#define CHECKED(...) checked((char *[]){ (char *)"criu", (char *)"migrate", __VA_ARGS__, NULL })

static void test_options(void **state)
{
	assert_int_equal(CHECKED("-t", "1", "ssh://other"), 0);
	assert_int_equal(CHECKED("--listen", "tcp://:7000"), 0);
	assert_int_equal(CHECKED("--ask", "x", "tcp://other:7000"), 0);
	assert_int_equal(CHECKED("-t", "1"), -EINVAL);
	assert_int_equal(CHECKED("ssh://other"), -EBADRQC);
	assert_int_equal(CHECKED("-t", "1", "--listen", "tcp://:7000"), -EBADRQC);
	assert_int_equal(CHECKED("-t", "1", "ssh://other", "--leave-running"), -EBADRQC);
	assert_int_equal(CHECKED("-t", "1", "ssh://other", "--stream=-"), -EBADRQC);
	assert_int_equal(CHECKED("-t", "1", "ssh://other", "--compress"), -EBADRQC);
	assert_int_equal(CHECKED("-t", "1", "ssh://other", "--action-script", "./x"), -EBADRQC);
	assert_int_equal(CHECKED("-t", "1", "ssh://other", "a", "b"), -EINVAL);
}

static void test_places(void **state)
{
	static const char *const wrong[] = {
		"",    "other", "ftp://other", "tcp://other:x", "tcp://other:70000", "tcp://a:1:2", "tls://[fd00::1:70",
		"fd:", "fd:x",	"fd:-1",       "fd:1,",		"tcp://a/b:1"
	};
	struct migrate_place place;
	struct options options;

	options_init(&options);
	assert_int_equal(place_parse(&options, "ssh://me@other", &place), 0);
	assert_int_equal(place.way, MIGRATE_BY_SSH);
	assert_string_equal(place.host, "me@other");
	assert_int_equal(place.port, 0);
	assert_true(place_can_be_found_again(&place));
	assert_int_equal(place_parse(&options, "tls://[fd00::1]:7000", &place), 0);
	assert_int_equal(place.way, MIGRATE_BY_TLS);
	assert_string_equal(place.host, "fd00::1");
	assert_int_equal(place.port, 7000);
	assert_int_equal(place_parse(&options, "tcp://:7001", &place), 0);
	assert_null(place.host);
	assert_int_equal(place_parse(&options, "fd:5", &place), 0);
	assert_int_equal(place.in, 5);
	assert_int_equal(place.out, 5);
	assert_false(place_can_be_found_again(&place));
	assert_int_equal(place_parse(&options, "fd:0,1", &place), 0);
	assert_int_equal(place.in, 0);
	assert_int_equal(place.out, 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		failure_reset();
		assert_int_equal(place_parse(&options, wrong[i], &place), -EBADRQC);
	}
	options_done(&options);
}

/* Only what a restore needs to know of the program, and by its whole name. */
static void test_words(void **state)
{
	char *argv[] = { (char *)"criu",
			 (char *)"migrate",
			 (char *)"-t",
			 (char *)"1",
			 (char *)"fd:3",
			 (char *)"--tcp-est",
			 (char *)"--action-script",
			 (char *)"/bin/false",
			 (char *)"--map-path",
			 (char *)"/a=/b",
			 (char *)"--libdir",
			 (char *)"/x",
			 (char *)"--no-shell-job",
			 NULL };
	char script[] = "--action-script=/bin/false", shortened[] = "--action=/bin/false",
	     listed[] = "--tcp-close\0--libdir=/x";
	struct options here, there;
	struct buffer words = { 0 };

	options_init(&here);
	options_init(&there);
	there.shell_job = true;
	assert_int_equal(options_parse(&here, 13, argv), 0);
	words_collect(&here, &words);
	assert_int_equal(words_apply(&there, words.data, words.size), 0);
	assert_true(there.tcp_established);
	assert_false(there.shell_job);
	assert_int_equal(there.map_paths.n, 1);
	assert_string_equal(there.map_paths.items[0].to, "/b");
	assert_int_equal(there.action_scripts.n, 0);
	assert_null(there.libdir);
	assert_int_equal(words_apply(&there, script, sizeof(script)), -EPERM);
	failure_reset();
	assert_int_equal(words_apply(&there, shortened, sizeof(shortened)), -EPERM);
	failure_reset();
	assert_int_equal(words_apply(&there, listed, sizeof(listed)), -EPERM);
	failure_reset();
	assert_null(there.libdir);
	buffer_done(&words);
	options_done(&here);
	options_done(&there);
}

static void test_frames(void **state)
{
	int ends[2];
	struct wire a = WIRE_NONE, b = WIRE_NONE;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	a.in = a.out = ends[0];
	b.in = b.out = ends[1];
	assert_int_equal(wire_say(&a, MIGRATE_REFUSED, 7, "no\033[1m"), 0);
	assert_int_equal(wire_receive(&b, 1), 1);
	assert_int_equal(b.head.kind, MIGRATE_REFUSED);
	assert_int_equal(b.head.number, 7);
	assert_int_equal(wire_check(&b, MIGRATE_FINE), -EREMOTEIO);
	assert_string_equal(failure_text(), "the other side: no?[1m");
	failure_reset();
	assert_int_equal(wire_receive(&b, 1), -ETIMEDOUT);
	assert_int_equal(write(ends[0], "GET / HTTP/1.0\r\n", 16), 16);
	assert_int_equal(wire_receive(&b, 1), -EPROTO);
	failure_reset();
	assert_int_equal(wire_send(&a, MIGRATE_COMMIT, 0, NULL, 0), 0);
	wire_close(&a);
	assert_int_equal(wire_expect(&b, MIGRATE_COMMIT, 1), 0);
	assert_int_equal(wire_receive(&b, 1), 0);
	wire_close(&b);
}

static void test_names(void **state)
{
	assert_true(record_is_id("0a150593-9505-4186-8d47-92c0a6f9b234"));
	assert_false(record_is_id(""));
	assert_false(record_is_id("../../../../../../../etc/passwd00000"));
	assert_false(record_is_id("0a150593-9505-4186-8d47-92c0a6f9b2345"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options), cmocka_unit_test(test_places), cmocka_unit_test(test_words),
		cmocka_unit_test(test_frames),	cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
