/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree of tasks as a picture (SVG): a box for each, its children below it, and who shares pipes and sockets. */
#include "crit/explore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"
#include "image/image.h"
#include "image/pagemap-image.h"
#include "image/record.h"

#define BOX_WIDTH  180
#define BOX_HEIGHT 62
#define GAP_X	   24
#define GAP_Y	   46
#define MARGIN	   20

struct picture_box {
	struct crit_task *task;
	double x; /* of its middle, in widths of a box */
	uint64_t memory;
	unsigned files;
	bool placed;
};

struct picture {
	struct checkpoint *checkpoint;
	struct picture_box *boxes; /* as the tasks */
	double next;		   /* the first free place of a row of leaves */
	unsigned depth;
	struct table *pipes; /* pipe id to the box that was seen with it last, plus one */
	struct buffer lines;
};

/* --- what stands in a box --- */

static int count_memory(const struct checkpoint *checkpoint, struct picture_box *box)
{
	AUTO(pagemap_done) struct pagemap pagemap = { 0 };
	int error = pagemap_read(checkpoint->store, IMAGE_PAGEMAP, box->task->entry->pid, &pagemap);

	if (error == -ENOENT)
		return 0;
	TRY(error);
	for (size_t i = 0; i < pagemap.n; i++)
		box->memory += pagemap.ranges[i].nr_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static double box_x(const struct picture_box *box)
{
	return MARGIN + box->x * (BOX_WIDTH + GAP_X);
}

static double box_y(const struct picture_box *box)
{
	return MARGIN + box->task->depth * (double)(BOX_HEIGHT + GAP_Y);
}

/* Tasks that have the two ends of a pipe are joined; one line for two tasks with several. */
static void join_boxes(struct picture *picture, struct picture_box *one, struct picture_box *other)
{
	const double x1 = box_x(one) + BOX_WIDTH / 2.0, x2 = box_x(other) + BOX_WIDTH / 2.0;
	const double y1 = box_y(one) + BOX_HEIGHT, y2 = box_y(other) + BOX_HEIGHT;

	buffer_printf(&picture->lines,
		      "<path class=\"pipe\" d=\"M%.0f %.0f C%.0f %.0f %.0f %.0f %.0f %.0f\"><title>pipe between %u and "
		      "%u</title></path>\n",
		      x1, y1, x1, y1 + GAP_Y, x2, y2 + GAP_Y, x2, y2, one->task->entry->pid, other->task->entry->pid);
}

static void note_pipe(struct picture *picture, size_t number, uint32_t pipe_id)
{
	const size_t before = (size_t)(uintptr_t)table_set(picture->pipes, pipe_id, (void *)(uintptr_t)(number + 1));
	const uint64_t pair = (uint64_t)1 << 63 | (uint64_t)before << 32 | (number + 1);

	if (before && before != number + 1 && !table_set(picture->pipes, pair, picture))
		join_boxes(picture, &picture->boxes[before - 1], &picture->boxes[number]);
}

static int look_at_files(struct picture *picture, size_t number)
{
	struct picture_box *box = &picture->boxes[number];
	const struct checkpoint *checkpoint = picture->checkpoint;
	AUTO(image_close) struct image *image = NULL;
	FdinfoEntry *descriptor;
	uint32_t files_id;
	int more;

	TRY(checkpoint_find_table(checkpoint, box->task, &files_id));
	more = image_open(checkpoint->store, &image, IMAGE_FDINFO, files_id);
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &descriptor)) > 0) {
		const FileEntry *file = table_find(checkpoint->files, descriptor->id);

		box->files++;
		if (descriptor->type == FD_TYPES__PIPE && file && file->pipe)
			note_pipe(picture, number, file->pipe->pipe_id);
	}
	return more;
}

/* --- where it stands --- */

static bool is_child(const struct picture_box *box, const struct picture_box *parent)
{
	return box->task->entry->ppid == parent->task->entry->pid && box != parent;
}

/* The middle above its children; leaves one beside the other. The tasks were listed: none is its own ancestor here. */
static void place_box(struct picture *picture, struct picture_box *box)
{
	const size_t n = picture->checkpoint->tasks.n;
	double first = 0, last = 0;
	bool any = false;

	box->placed = true;
	if (box->task->depth > picture->depth)
		picture->depth = box->task->depth;
	for (size_t i = 0; i < n; i++) {
		struct picture_box *child = &picture->boxes[i];

		if (child->placed || !is_child(child, box) || child->task->depth != box->task->depth + 1)
			continue;
		place_box(picture, child);
		if (!any)
			first = child->x;
		last = child->x;
		any = true;
	}
	box->x = any ? (first + last) / 2 : picture->next++;
}

/* --- drawing --- */

static void print_escaped(struct buffer *out, const char *text)
{
	for (; *text; text++)
		if (*text == '&')
			buffer_printf(out, "&amp;");
		else if (*text == '<')
			buffer_printf(out, "&lt;");
		else if (*text == '>')
			buffer_printf(out, "&gt;");
		else
			buffer_printf(out, "%c", (unsigned char)*text < 32 || (unsigned char)*text > 126 ? '?' : *text);
}

static void print_memory(struct buffer *out, uint64_t bytes)
{
	if (bytes >= 1 << 30)
		buffer_printf(out, "%.1f GiB", (double)bytes / (1 << 30));
	else if (bytes >= 1 << 20)
		buffer_printf(out, "%.1f MiB", (double)bytes / (1 << 20));
	else
		buffer_printf(out, "%" PRIu64 " KiB", bytes >> 10);
}

static void draw_box(const struct picture_box *box, struct buffer *out)
{
	const struct crit_task *task = box->task;
	const double x = box_x(box), y = box_y(box);

	buffer_printf(out,
		      "<g transform=\"translate(%.0f %.0f)\"><rect class=\"%s\" width=\"%d\" height=\"%d\" rx=\"6\"/>"
		      "<text x=\"10\" y=\"20\"><tspan class=\"name\">",
		      x, y, task_state_name(task), BOX_WIDTH, BOX_HEIGHT);
	print_escaped(out, task_name(task));
	buffer_printf(out, "</tspan> %u</text>", task->entry->pid);
	if (task_is_dead(task)) {
		buffer_printf(out, "<text x=\"10\" y=\"38\">zombie</text></g>\n");
		return;
	}
	buffer_printf(out, "<text x=\"10\" y=\"38\">");
	print_memory(out, box->memory);
	buffer_printf(out, "%s</text><text x=\"10\" y=\"54\">%zu thread%s, %u descriptor%s</text></g>\n",
		      strcmp(task_state_name(task), "stopped") == 0 ? ", stopped" : "", task->entry->n_threads,
		      task->entry->n_threads == 1 ? "" : "s", box->files, box->files == 1 ? "" : "s");
}

static void draw_edge(const struct picture_box *parent, const struct picture_box *child, struct buffer *out)
{
	const double x1 = box_x(parent) + BOX_WIDTH / 2.0, y1 = box_y(parent) + BOX_HEIGHT;
	const double x2 = box_x(child) + BOX_WIDTH / 2.0, y2 = box_y(child);

	buffer_printf(out, "<path class=\"child\" d=\"M%.0f %.0f V%.0f H%.0f V%.0f\"/>\n", x1, y1, y1 + GAP_Y / 2.0, x2,
		      y2);
}

static void draw_all(const struct picture *picture, struct buffer *out)
{
	const size_t n = picture->checkpoint->tasks.n;

	buffer_printf(out,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\">\n<style>"
		      "text{font:12px sans-serif}.name{font-weight:bold}path{fill:none;stroke:#666}"
		      ".pipe{stroke:#b60;stroke-dasharray:4 3}rect{fill:#e8f0fa;stroke:#357}"
		      "rect.stopped{fill:#fdf3d0}rect.zombie{fill:#eee}</style>\n",
		      2 * MARGIN + picture->next * (BOX_WIDTH + GAP_X) - GAP_X,
		      2 * MARGIN + (picture->depth + 1) * (double)(BOX_HEIGHT + GAP_Y));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (is_child(&picture->boxes[k], &picture->boxes[i]))
				draw_edge(&picture->boxes[i], &picture->boxes[k], out);
	if (picture->lines.size)
		buffer_append(out, picture->lines.data, picture->lines.size);
	for (size_t i = 0; i < n; i++)
		draw_box(&picture->boxes[i], out);
	buffer_printf(out, "</svg>\n");
}

static int fill_boxes(struct picture *picture)
{
	struct checkpoint *checkpoint = picture->checkpoint;

	for (size_t i = 0; i < checkpoint->tasks.n; i++)
		picture->boxes[i].task = &checkpoint->tasks.items[i];
	for (size_t i = 0; i < checkpoint->tasks.n; i++)
		if (picture->boxes[i].task->depth == 0)
			place_box(picture, &picture->boxes[i]);
	for (size_t i = 0; i < checkpoint->tasks.n; i++) {
		LOG_SCOPE("task %u", picture->boxes[i].task->entry->pid);

		if (task_is_dead(picture->boxes[i].task))
			continue;
		TRY(count_memory(checkpoint, &picture->boxes[i]));
		TRY(look_at_files(picture, i));
	}
	return 0;
}

int explore_picture(struct checkpoint *checkpoint, struct buffer *out)
{
	struct picture picture = { .checkpoint = checkpoint, .pipes = table_create() };
	int error;

	picture.boxes = xzalloc((checkpoint->tasks.n + 1) * sizeof(*picture.boxes));
	error = fill_boxes(&picture);
	if (error == 0)
		draw_all(&picture, out);
	free(picture.boxes);
	buffer_done(&picture.lines);
	table_destroy(&picture.pipes);
	return error;
}
