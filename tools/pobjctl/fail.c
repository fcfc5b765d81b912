// SPDX-License-Identifier: BSD-3-Clause
/* Errors and what to do next: see fail.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* strerrorname_np() */
#endif
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pobj.h>

#include "fail.h"
#include "out.h"

int fail_control(void)
{
	return access(CONTROL_PATH, R_OK | W_OK) ? errno : 0;
}

/* The device that somebody meant who wrote @path; NULL if none. */
static const char *meant_device(const char *path)
{
	const char *name = strrchr(path, '/');
	char sys[300];
	struct stat st;

	if (name)
		return !stat(path, &st) && S_ISBLK(st.st_mode) ? name + 1 : NULL;
	if (!*path || !access(path, F_OK))
		return NULL;
	snprintf(sys, sizeof(sys), "/sys/class/block/%s", path);
	return access(sys, F_OK) ? NULL : path;
}

static void advise_region(struct fail *f, const char *verb, const char *path)
{
	const char *name = path + strlen(REGION_PREFIX);
	char *to = f->advice;
	size_t size = sizeof(f->advice);
	int control = fail_control();
	char word[OUT_QUOTE_TEXT];

	switch (-f->err) {
	case ENODEV:
		if (control == ENOENT)
			snprintf(to, size, "load the module, run: " CONTROL_LOAD);
		else
			snprintf(to, size, "see which devices there are, run: pobjctl list");
		break;
	case ENOENT:
	case ENXIO:
		snprintf(to, size, "see which devices there are, run: pobjctl list");
		break;
	case EACCES:
	case EPERM:
		if (control == EACCES || control == EPERM)
			snprintf(to, size, CONTROL_GROUP);
		else
			snprintf(to, size, "see whose it is, run: pobjctl list; ls -lL /dev/%s",
				 out_quote(word, name));
		break;
	case EBUSY:
		snprintf(to, size, "see who uses it, run: pobjctl list; lsblk");
		break;
	case EIO:
		snprintf(to, size, "see the bad blocks, run: ndctl list --media-errors");
		break;
	case EMEDIUMTYPE:
		snprintf(to, size, "see which devices hold pools, run: pobjctl list");
		break;
	case EUCLEAN:
		if (strcmp(verb, "check"))
			snprintf(to, size, "see what is damaged, run: pobjctl check %s",
				 out_quote(word, path));
		break;
	}
}

static void advise_file(struct fail *f, const char *verb, const char *path)
{
	const char *device = meant_device(path);
	char *to = f->advice;
	size_t size = sizeof(f->advice);
	struct stat st;
	char word[OUT_QUOTE_TEXT];

	out_quote(word, path);
	if (device) {
		snprintf(to, size, "a device is named " REGION_PREFIX "NAME, run: pobjctl %s "
			 REGION_PREFIX "%s", verb, device);
		return;
	}
	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		snprintf(to, size, "name a pool file in it, run: ls %s", word);
		return;
	}

	switch (-f->err) {
	case ENOENT:
	case ENOTDIR:
		snprintf(to, size, "check the path; pools on devices are named " REGION_PREFIX
			 "NAME, run: pobjctl list");
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		snprintf(to, size, "see who may read and write it, run: ls -l %s", word);
		break;
	case EBUSY:
	case EAGAIN:
		snprintf(to, size, "close it in the programs that use it, run: fuser -v %s", word);
		break;
	case EIO:
		snprintf(to, size, "see what the medium reported, run: dmesg");
		break;
	case EMEDIUMTYPE:
		snprintf(to, size, "see what it is, run: file %s", word);
		break;
	case EUCLEAN:
		if (strcmp(verb, "check"))
			snprintf(to, size, "see what is damaged, run: pobjctl check %s", word);
		break;
	}
}

void fail_report(struct fail *f, const char *verb, const char *path, int err)
{
	const char *msg = pobj_errormsg();
	size_t len;

	f->err = err;
	snprintf(f->cause, sizeof(f->cause), "%s", *msg ? msg : strerror(-err));
	f->advice[0] = 0;
	if (path && !strstr(msg, "run: ")) {
		if (!strncmp(path, REGION_PREFIX, strlen(REGION_PREFIX)))
			advise_region(f, verb, path);
		else
			advise_file(f, verb, path);
	}

	fflush(stdout);
	fputs("pobjctl: ", stderr);
	if (!path)
		path = verb;
	len = strlen(path);
	if (strncmp(f->cause, path, len) || !strchr(": ", f->cause[len])) {
		out_text(stderr, path);
		fputs(": ", stderr);
	}
	out_text(stderr, f->cause);
	if (f->advice[0]) {
		fputs("; ", stderr);
		out_text(stderr, f->advice);
	}
	fputc('\n', stderr);
}

void fail_note(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fflush(stdout);
	fputs("pobjctl: ", stderr);
	out_text(stderr, text);
	fputc('\n', stderr);
}

struct json_object *fail_json(const struct fail *f)
{
	static const struct out_field number = { "errno", OUT_I32, 0 };
	struct json_object *obj;
	int32_t positive;

	if (!f)
		return NULL;
	positive = -f->err;
	obj = out_json_object();
	out_json_fields(obj, &number, 1, &positive);
	out_json_put(obj, "name", out_json_text(strerrorname_np(positive)));
	out_json_put(obj, "text", out_json_text(f->cause));
	out_json_put(obj, "advice", out_json_text(f->advice[0] ? f->advice : NULL));
	return obj;
}
