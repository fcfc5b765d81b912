/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values as text for people and as JSON for programs.
 *
 * The shape of the JSON is API: an array stays an array, a field that exists stays, a value that
 * is not known is null. Tables of struct out_field name the fields by the members of the structs
 * in pobj.h, so that the names cannot drift apart.
 *
 * Strings from media and from the command line are hostile: they may hold terminal sequences and
 * bytes that are not UTF-8. All text goes through out_text() or out_json_text().
 */
#ifndef POBJCTL_OUT_H
#define POBJCTL_OUT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

enum out_kind {
	OUT_U64,
	OUT_U32,
	OUT_I32,
	OUT_BOOL,	/* an int */
	OUT_TEXT,	/* an array of char */
};

struct out_field {
	const char *name;
	enum out_kind kind;
	size_t off;
};

#define OUT_FIELD(type, member, kind)	{ #member, kind, offsetof(type, member) }
#define OUT_CNT(a)			(sizeof(a) / sizeof((a)[0]))

#define OUT_SIZE_TEXT	32	/* bytes of a size in text form, with its NUL */
#define OUT_QUOTE_TEXT	1024	/* bytes of a quoted path, with its NUL */

/* Print @s; what a terminal would interpret, and what is not UTF-8, becomes \xNN. */
void out_text(FILE *to, const char *s);

/* @path as a word of a shell command, behind "--" if need be; cut off where @buf ends. */
const char *out_quote(char buf[OUT_QUOTE_TEXT], const char *path);

/* @n bytes as "8 MiB" if that is exact, "8.3 MiB" (rounded down) if not, "8388608" if @bytes. */
const char *out_size(char buf[OUT_SIZE_TEXT], uint64_t n, bool bytes);

/* "s" for the plural of @n */
const char *out_s(uint64_t n);

/* @p, which is not NULL: without memory the tool ends. */
void *out_need(void *p);

/* Builders; they do not return without memory. */
struct json_object *out_json_object(void);
struct json_object *out_json_array(void);
struct json_object *out_json_text(const char *s);	/* NULL gives null */
struct json_object *out_json_bool(bool b);
void out_json_put(struct json_object *obj, const char *name, struct json_object *val);
void out_json_append(struct json_object *array, struct json_object *val);

/* Put @cnt fields of the struct at @from into @obj; all of them null if @from is NULL. */
void out_json_fields(struct json_object *obj, const struct out_field *field, size_t cnt,
		     const void *from);

/* Print and free. */
void out_json_print(struct json_object *obj);

#endif
