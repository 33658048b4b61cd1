/* SPDX-License-Identifier: GPL-2.0-only */
/* The usage and help texts. */
#include "options/usage.h"

#include "options/options.h"

#include <getopt.h>
#include <string.h>

#include "options/row.h"

static const char commands_text[] = "Commands:\n"
				    "  dump             checkpoint a process tree: -t PID\n"
				    "  pre-dump         save the memory only, the tasks go on\n"
				    "  restore          bring a checkpointed tree back\n"
				    "  check            see whether the kernel has what is needed;\n"
				    "                   with -t PID: what is in the way of a dump of this tree?\n"
				    "  receive          take a stream of images into a directory\n"
				    "  migrate PLACE    move a tree to another machine: -t PID\n"
				    "  undo             take back what a dump has left: -t PID\n"
				    "  verify [DIR]     say what images hold and need, and whether they are whole\n"
				    "  inspect [DIR]    tell all that is in images: tasks, memory, files, namespaces\n"
				    "  lazy-pages       serve memory to a restore with --lazy-pages\n"
				    "  page-server      receive memory from a dump\n"
				    "  service          answer requests on a socket\n"
				    "  dedup            free memory that newer images hold as well\n"
				    "  cpuinfo dump     write the properties of the CPU to the images directory\n"
				    "  cpuinfo check    compare them with this CPU\n";

void options_print_usage(FILE *to)
{
	fprintf(to,
		"\n"
		"Usage:\n"
		"  criu dump|pre-dump -t PID [options]\n"
		"  criu restore [options]\n"
		"  criu check [--extra|--experimental|--all|--feature NAME]\n"
		"  criu check -t PID [options of a dump]\n"
		"  criu verify [DIR] [options of a restore]\n"
		"  criu inspect [DIR] [--json]\n"
		"  criu migrate -t PID ssh://HOST|tls://HOST:PORT|tcp://HOST:PORT|fd:N [options]\n"
		"  criu migrate --listen tls://[ADDRESS]:PORT|tcp://[ADDRESS]:PORT|fd:N [options]\n"
		"  criu page-server|service|lazy-pages|dedup [options]\n"
		"  criu cpuinfo dump|check [options]\n"
		"\n%s\nTry criu --help for all options.\n",
		commands_text);
}

/* Words of text in columns from indent to 80; the cursor stands at column. */
static void print_wrapped(FILE *to, const char *text, int column, int indent)
{
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > indent && column + 1 + word > 80) {
			fprintf(to, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			column += fprintf(to, " ");
		} else {
			column += fprintf(to, "%*s", indent - column, "");
		}
		column += fprintf(to, "%.*s", word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

static void print_row(FILE *to, const struct option_row *row)
{
	const int indent = 32;
	int column;

	if (row->letter)
		column = fprintf(to, "  -%c, ", row->letter);
	else
		column = fprintf(to, "      ");
	column += fprintf(to, "--%s", row->name);
	if (row->value_name && row->argument == optional_argument)
		column += fprintf(to, "[=%s]", row->value_name);
	else if (row->value_name)
		column += fprintf(to, " %s", row->value_name);
	if (column >= indent) {
		fprintf(to, "\n%*s", indent, "");
		column = indent;
	}
	print_wrapped(to, row->help, column, indent);
}

void options_print_help(FILE *to)
{
	fprintf(to, "Usage: criu COMMAND [options]\n\n%s", commands_text);
	fprintf(to, "\nOptions may stand anywhere. Most switches are taken back by --no-NAME.\n");
	for (size_t i = 0; i < option_rows_count; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->group)
			fprintf(to, "\n%s:\n", row->group);
		else if (row->help)
			print_row(to, row);
	}
}
