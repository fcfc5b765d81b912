// SPDX-License-Identifier: BSD-3-Clause
/* Errors and what to do next: see fail.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* strerrorname_np() */
#endif
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
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

static void advise_region(int err, char *to, size_t size, const char *verb, const char *path)
{
	const char *name = path + strlen(REGION_PREFIX);
	int control = fail_control();
	char word[OUT_QUOTE_TEXT];

	switch (-err) {
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

static void advise_file(int err, char *to, size_t size, const char *verb, const char *path)
{
	const char *device = meant_device(path);
	struct stat st;
	char word[OUT_QUOTE_TEXT];

	out_quote(word, path);
	if (device) {
		snprintf(to, size, "a device is named " REGION_PREFIX "NAME, run: pobjctl %s "
			 REGION_PREFIX "%s", verb, device);
		return;
	}
	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		snprintf(to, size, "name a pool file in this directory, run: ls %s", word);
		return;
	}

	switch (-err) {
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
		snprintf(to, size, "see who uses it, run: fuser -v %s", word);
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

static void advise(int err, char *to, size_t size, const char *verb, const char *path)
{
	*to = 0;
	if (path && !strncmp(path, REGION_PREFIX, strlen(REGION_PREFIX)))
		advise_region(err, to, size, verb, path);
	else if (path)
		advise_file(err, to, size, verb, path);
}

/* Add to what the library advises. */
static void advise_more(struct fail *f, const char *verb, const char *path)
{
	size_t len = strlen(f->advice);

	if (len + 2 >= sizeof(f->advice))
		return;
	memcpy(f->advice + len, "; ", 3);
	advise(f->err, f->advice + len + 2, sizeof(f->advice) - len - 2, verb, path);
	if (!f->advice[len + 2])
		f->advice[len] = 0;
}

/* The library puts advice behind the cause: "PATH: cause; advice". @skip: bytes of the path. */
static bool split_advice(struct fail *f, size_t skip)
{
	char *end = strstr(f->cause + skip, "; ");

	if (!end)
		return false;
	snprintf(f->advice, sizeof(f->advice), "%s", end + 2);
	*end = 0;
	return true;
}

void fail_report(struct fail *f, const char *verb, const char *path, int err)
{
	const char *msg = pobj_errormsg();
	const char *what = path ? path : verb;
	size_t len = strlen(what);
	bool named;

	f->err = err;
	snprintf(f->cause, sizeof(f->cause), "%s", *msg ? msg : strerror(-err));
	named = !strncmp(f->cause, what, len) && f->cause[len] == ':';
	if (!split_advice(f, named ? len : 0))
		advise(f->err, f->advice, sizeof(f->advice), verb, path);
	else if (err == -EBUSY)
		advise_more(f, verb, path);

	fflush(stdout);
	fputs("pobjctl: ", stderr);
	if (!named) {
		out_text(stderr, what);
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
