/* SPDX-License-Identifier: GPL-2.0-only */
/* Which options go together, and which exclude each other. */
#include "options/options-check.h"

#include "options/options.h"

#include <sched.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "options/row.h"

static int check_stream(const struct options *options)
{
	const enum command command = options->command;

	if (command == CMD_RECEIVE && (!options->stream || options->stream_fd == OPT_STREAM_STREAMER))
		return refuse(EBADRQC, "criu receive needs --stream=FD, or --stream=- for stdin");
	if (command == CMD_RESTORE && options->prev_images_dir && !options->stream)
		return refuse(EBADRQC, "--prev-images-dir: a restore finds the parent images by the link in the images "
				       "directory; only one with --stream=FD has to be told");
	if (!options->stream)
		return 0;
	if (!(command & (CMD_DUMP | CMD_PRE_DUMP | CMD_RESTORE | CMD_RECEIVE | CMD_CPUINFO_DUMP)))
		return refuse(EINVAL, "--stream is only for dump, pre-dump, restore, receive and cpuinfo dump");
	if (options->stream_fd != OPT_STREAM_STREAMER && command == CMD_CPUINFO_DUMP)
		return refuse(EBADRQC, "--stream=FD is for whole checkpoints, not for cpuinfo dump");
	if (options->stream_fd == OPT_STREAM_STREAMER && options->prev_images_dir)
		return refuse(EBADRQC, "--stream: an image streamer has no parent images (--prev-images-dir)");
	if (options->auto_dedup)
		return refuse(EBADRQC, "--stream: there are no parent images to be changed (--auto-dedup)");
	if (options->compression || options->encrypt_to.n || options->checksum)
		return refuse(EBADRQC, "--stream: who takes the images compresses and encrypts them, and a stream has "
				       "checksums anyway (--compress, --encrypt-to, --checksum)");
	if (options->lazy_pages)
		return refuse(EBADRQC, "--stream and --lazy-pages exclude each other");
	if (options->use_page_server && options->stream_fd != OPT_STREAM_STREAMER)
		return refuse(EBADRQC, "--stream=FD has the memory in it; --page-server would send it elsewhere");
	return 0;
}

static int check_equal_pages(const struct options *options)
{
	if (!options->equal_pages || !(options->command & (CMD_DUMP | CMD_PRE_DUMP)))
		return 0;
	if (options->stream)
		return refuse(EBADRQC,
			      "--equal-pages and --stream exclude each other: pages of one task are read again "
			      "for the next");
	if (options->use_page_server)
		return refuse(EBADRQC,
			      "--equal-pages and --page-server exclude each other: pages are compared with those "
			      "in the images directory");
	if (options->lazy_pages)
		return refuse(EBADRQC,
			      "--equal-pages and --lazy-pages exclude each other: pages that stay in the tasks "
			      "are sent for each of them");
	return 0;
}

/* Where tasks stand still until all is copied. */
static int check_bandwidth(const struct options *options)
{
	if (!options->bandwidth || options->command != CMD_DUMP || options->live || options->lazy_pages)
		return 0;
	if (!options->use_page_server && (!options->stream || options->stream_fd == OPT_STREAM_STREAMER))
		return refuse(EBADRQC,
			      "--bandwidth would let the tasks stand still for longer, as their memory is written "
			      "meanwhile: it is for pre-dump, --live, --lazy-pages, --page-server and --stream=FD");
	log_warn("--bandwidth: the tasks stand still while their memory is sent; a pre-dump leaves less to be sent");
	return 0;
}

static int check_live(const struct options *options)
{
	if (!options->live || options->command != CMD_DUMP)
		return 0;
	if (options->end != OPT_END_RUN)
		return refuse(EBADRQC, "--live is for tasks that run on: give --leave-running");
	if (options->lazy_pages)
		return refuse(EBADRQC, "--live and --lazy-pages exclude each other");
	if (options->track_mem)
		return refuse(EBADRQC, "--live and --track-mem exclude each other: a pre-dump does not stop tasks for "
				       "long either");
	if (options->stream)
		return refuse(EBADRQC, "--live and --stream exclude each other: memory comes last");
	return 0;
}

static int check_migrate(const struct options *options)
{
	if (options->listen && (options->pid || options->destination || options->ask))
		return refuse(EBADRQC,
			      "migrate --listen takes in what comes: --tree, --ask and a place to go to are for "
			      "the other side");
	if (options->listen)
		return 0;
	if (!options->destination)
		return refuse(EINVAL, "migrate: where to? ssh://[USER@]HOST[:PORT], tls://HOST:PORT, tcp://HOST:PORT "
				      "(not encrypted), fd:N");
	if (!options->pid && !options->ask)
		return refuse(EBADRQC, "the pid is not given: criu migrate needs --tree PID");
	if (options->end != OPT_END_DEFAULT)
		return refuse(EBADRQC, "migrate: the tasks end here, and run there (--leave-running, --leave-stopped)");
	if (options->memory_first && options->post_copy)
		return refuse(EBADRQC, "--memory-first and --post-copy exclude each other");
	if (options->inherit_fds.n || options->join_ns.n)
		return refuse(EBADRQC, "--inherit-fd, --join-ns: give them to migrate --listen, where they are");
	return 0;
}

/* The dumps and restores of a migration are set up by it. */
static int check_migrate_form(const struct options *options)
{
	if (options->stream || options->lazy_pages || options->on_demand || options->use_page_server ||
	    options->prev_images_dir || options->live || options->copies || options->exec_cmd)
		return refuse(EBADRQC, "migrate has ways of its own for memory and images (--stream, --lazy-pages, "
				       "--on-demand, --page-server, --prev-images-dir, --live, --copies, --exec-cmd)");
	if (options->compression || options->encrypt_to.n || options->checksum || options->auto_dedup)
		return refuse(EBADRQC, "migrate: images are sent as they are, and have checksums; tls:// and ssh:// "
				       "encrypt them (--compress, --encrypt-to, --checksum, --auto-dedup)");
	for (size_t i = 0; i < options->action_scripts.n; i++)
		if (options->action_scripts.items[i][0] != '/' && strchr(options->action_scripts.items[i], '/'))
			return refuse(EBADRQC, "migrate: --action-script %s: write the whole path",
				      options->action_scripts.items[i]);
	return check_migrate(options);
}

static int check_command(const struct options *options)
{
	const enum command command = options->command;

	if ((command & (CMD_DUMP | CMD_PRE_DUMP)) && !options->pid)
		return refuse(EBADRQC, "the pid is not given: criu %s needs --tree PID", options_command_name(command));
	if (options->mntns_compat_mode && command != CMD_RESTORE)
		return refuse(EBADRQC, "--mntns-compat-mode is only for restore");
	if (options->inherit_fds.n && !(command & (CMD_RESTORE | CMD_VERIFY | CMD_MIGRATE)))
		return refuse(EBADRQC, "--inherit-fd is only for restore, verify and migrate --listen");
	if (command == CMD_MIGRATE)
		TRY(check_migrate_form(options));
	TRY(check_stream(options));
	if (options->exec_cmd && command != CMD_RESTORE)
		return refuse(EINVAL, "--exec-cmd is only for restore");
	TRY(check_live(options));
	TRY(check_equal_pages(options));
	TRY(check_bandwidth(options));
	if (options->on_demand && options->lazy_pages)
		return refuse(EBADRQC, "--on-demand needs no lazy-pages daemon: leave --lazy-pages out");
	if (options->on_demand && options->stream)
		return refuse(EBADRQC, "--stream: memory that comes in order cannot come --on-demand");
	if (options->lazy_pages && command == CMD_PRE_DUMP)
		return refuse(EBADRQC, "--lazy-pages: a pre-dump has no use for it; give it to the last dump");
	return 0;
}

#define COPIES_MAX 10000

static int check_copies(const struct options *options)
{
	if (!options->copies)
		return options->copy_net || options->copy_hostname || options->copy_env
			       ? refuse(EBADRQC, "--copy-net, --copy-hostname and --copy-env need --copies")
			       : 0;
	if (options->copies > COPIES_MAX)
		return refuse(EBADRQC, "--copies %u: at most %u", options->copies, COPIES_MAX);
	if (options->restore_sibling || options->exec_cmd || options->shell_job)
		return refuse(EBADRQC, "--copies: each lives in a pid namespace of its own, which parents and sessions "
				       "outside of it do not reach (--restore-sibling, --exec-cmd, --shell-job)");
	if (options->stream || options->lazy_pages || options->on_demand || options->auto_dedup)
		return refuse(EBADRQC,
			      "--copies: the images are read by all copies, so they must lie there as a whole, "
			      "and stay (--stream, --lazy-pages, --on-demand, --auto-dedup)");
	return 0;
}

static int check_pairs(const struct options *options)
{
	if (options->command == CMD_RESTORE && options->restore_sibling && !options->restore_detached)
		return refuse(EBADRQC, "--restore-sibling needs --restore-detached");
	if (options->new_pidns && (options->restore_sibling || options->exec_cmd))
		return refuse(EBADRQC,
			      "--new-pidns: the root task is the child of the first process of its namespace, not "
			      "of others (--restore-sibling, --exec-cmd)");
	if (options->new_pidns && options->shell_job)
		return refuse(EBADRQC, "--new-pidns: the session of the shell is outside of the new namespace "
				       "(--shell-job)");
	TRY(check_copies(options));
	if (options->exec_cmd && options->restore_detached)
		return refuse(EINVAL, "--exec-cmd and --restore-detached exclude each other");
	if (options->checksum && options->use_page_server)
		return refuse(EBADRQC, "--checksum knows nothing of images at a page server: give --compress to that");
	if (options->checksum && options->auto_dedup)
		return refuse(EBADRQC, "--auto-dedup changes images, after which their checksums are wrong");
	if (options->auto_dedup && (options->compression || options->encrypt_to.n))
		return refuse(EBADRQC, "--auto-dedup cannot free parts of images made with --compress or --encrypt-to");
	if (options->command == CMD_RESTORE && options->log_pid && !options->log_file)
		return refuse(EBADRQC, "--log-pid needs --log-file");
	if (options->page_server_fd >= 0 && options->page_server_fd <= 2 && options->restore_detached)
		return refuse(EBADRQC, "--ps-socket %d: a daemon closes it; use a descriptor above 2",
			      options->page_server_fd);
	for (size_t i = 0; i < options->join_ns.n; i++)
		if ((options->empty_ns & CLONE_NEWNET) && options->join_ns.items[i].flag == CLONE_NEWNET)
			return refuse(EBADRQC, "--join-ns net and --empty-ns net exclude each other");
	return 0;
}

/* Accepted, as CRIU has them, and done in one way here. */
static const struct {
	const char *option, *why;
} done_anyway[] = {
	{ "mntns-compat-mode", "mounts are made in one way, which does on Linux 5.15 as well" },
	{ "ghost-fiemap", "holes of deleted files are found by SEEK_HOLE" },
};

/* A word without effect is a word that its user relies upon. */
static void warn_of_no_use(const struct options *options)
{
	/* The questions whether a dump or a restore would do are asked with the options of those. */
	const unsigned commands = options->command == CMD_CHECK && options->pid ? CMD_CHECK | CMD_DUMP
				  : options->command == CMD_VERIFY		? CMD_VERIFY | CMD_RESTORE
										: (unsigned)options->command;
	const char *names = "";

	for (size_t i = 0; i < option_rows_count; i++)
		if (options->given[i] == OPT_GIVEN && !(option_rows[i].commands & commands))
			names = pool_printf(options->pool, "%s%s--%s", names, *names ? ", " : "", option_rows[i].name);
	if (*names)
		log_warn("criu %s has no use for %s", options_command_name(options->command), names);
	for (size_t i = 0; i < ARRAY_SIZE(done_anyway); i++)
		if (options_are_given(options, done_anyway[i].option))
			log_warn("--%s has no effect: %s", done_anyway[i].option, done_anyway[i].why);
}

/* The same of words that need another one. */
static void warn_of_lonely(const struct options *options)
{
	const bool remote = options->use_page_server || options->lazy_pages;

	if (options->command & (CMD_DUMP | CMD_PRE_DUMP) && !remote &&
	    (options->address || options->port || options->tls || options->page_server_fd >= 0))
		log_warn("--address, --port, --ps-socket and --tls have no effect without --page-server: the memory "
			 "stays in the images directory");
	if (options->command == CMD_DUMP && !options->lazy_pages && options->status_fd >= 0)
		log_warn("--status-fd has no effect in a dump without --lazy-pages: nobody waits for a server");
	if (options->command == CMD_CHECK && !options->pid && options->json)
		log_warn("--json has no effect without --tree");
	if ((options->external_mounts_sharing || options->external_mounts_masters) && !options->external_mounts_auto)
		log_warn("--enable-external-sharing and --enable-external-masters have no effect without "
			 "--ext-mount-map auto");
}

int options_check(struct options *options)
{
	TRY(check_command(options));
	TRY(check_pairs(options));
	warn_of_no_use(options);
	warn_of_lonely(options);
	if (options->command == CMD_RESTORE && options->end == OPT_END_STOP && options->restore_detached &&
	    options->shell_job)
		log_warn("--leave-stopped with --restore-detached and --shell-job: the shell will not know of the "
			 "stopped job");
	if (options->page_server_fd >= 0 && (options->address || options->port))
		log_warn("--ps-socket is given: --address and --port have no meaning");
	if (options->end == OPT_END_DEFAULT)
		options->end = options->command == CMD_DUMP || (options->command == CMD_CHECK && options->pid)
				       ? OPT_END_KILL
				       : OPT_END_RUN;
	return 0;
}
