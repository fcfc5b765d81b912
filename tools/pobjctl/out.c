// SPDX-License-Identifier: BSD-3-Clause
/* Values as text for people and as JSON for programs: see out.h. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "pobjctl.h"

/* ---- text ------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at @s, its code point in @code; 0 if there is none. */
static size_t utf8_len(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;

	*code = s[0] & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return len;
}

static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void out_text(FILE *to, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t code;
	size_t len;

	while (*p) {
		len = utf8_len(p, &code);
		if (len && !is_control(code)) {
			fwrite(p, 1, len, to);
			p += len;
			continue;
		}
		if (!len)
			len = 1;
		while (len--)
			fprintf(to, "\\x%02x", *p++);
	}
}

#define SHELL_PLAIN \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:+,@%=-"

const char *out_quote(char buf[OUT_QUOTE_TEXT], const char *path)
{
	size_t pos = 0;

	if (*path == '-')
		pos = sprintf(buf, "-- ");
	if (*path && !path[strspn(path, SHELL_PLAIN)]) {
		snprintf(buf + pos, OUT_QUOTE_TEXT - pos, "%s", path);
		return buf;
	}
	buf[pos++] = '\'';
	for (; *path && pos + 6 < OUT_QUOTE_TEXT; path++) {
		if (*path == '\'')
			pos += sprintf(buf + pos, "'\\''");
		else
			buf[pos++] = *path;
	}
	buf[pos++] = '\'';
	buf[pos] = 0;
	return buf;
}

const char *out_size(char buf[OUT_SIZE_TEXT], uint64_t n, bool bytes)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int i = 0;
	uint64_t rest;

	while (i + 1 < OUT_CNT(unit) && n >> (10 * (i + 1)))
		i++;
	rest = n & ((1ULL << (10 * i)) - 1);

	if (bytes)
		snprintf(buf, OUT_SIZE_TEXT, "%" PRIu64, n);
	else if (!rest)
		snprintf(buf, OUT_SIZE_TEXT, "%" PRIu64 " %s", n >> (10 * i), unit[i]);
	else
		snprintf(buf, OUT_SIZE_TEXT, "%" PRIu64 ".%" PRIu64 " %s", n >> (10 * i),
			 (rest * 10) >> (10 * i), unit[i]);
	return buf;
}

const char *out_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- JSON ------------------------------------------------------------------------------- */

void *out_need(void *p)
{
	if (!p) {
		fputs("pobjctl: out of memory\n", stderr);
		exit(EXIT_PROBLEM);
	}
	return p;
}

struct json_object *out_json_object(void)
{
	return out_need(json_object_new_object());
}

struct json_object *out_json_array(void)
{
	return out_need(json_object_new_array());
}

struct json_object *out_json_bool(bool b)
{
	return out_need(json_object_new_boolean(b));
}

struct json_object *out_json_text(const char *s)
{
	static const char replacement[] = "\xef\xbf\xbd";	/* U+FFFD */
	const unsigned char *p = (const unsigned char *)s;
	struct json_object *obj;
	char *copy, *to;
	uint32_t code;
	size_t len;

	if (!s)
		return NULL;

	copy = out_need(malloc(strlen(s) * 3 + 1));
	to = copy;
	while (*p) {
		len = utf8_len(p, &code);
		if (len) {
			memcpy(to, p, len);
			to += len;
			p += len;
		} else {
			memcpy(to, replacement, 3);
			to += 3;
			p++;
		}
	}
	*to = 0;
	obj = out_need(json_object_new_string(copy));
	free(copy);
	return obj;
}

void out_json_put(struct json_object *obj, const char *name, struct json_object *val)
{
	if (json_object_object_add(obj, name, val))
		out_need(NULL);
}

void out_json_append(struct json_object *array, struct json_object *val)
{
	if (json_object_array_add(array, val))
		out_need(NULL);
}

static struct json_object *field_json(const struct out_field *field, const char *at)
{
	switch (field->kind) {
	case OUT_U64:
		return out_need(json_object_new_uint64(*(const uint64_t *)at));
	case OUT_U32:
		return out_need(json_object_new_int64(*(const uint32_t *)at));
	case OUT_I32:
		return out_need(json_object_new_int64(*(const int32_t *)at));
	case OUT_BOOL:
		return out_json_bool(*(const int *)at);
	case OUT_TEXT:
		return out_json_text(at);
	}
	return NULL;
}

void out_json_fields(struct json_object *obj, const struct out_field *field, size_t cnt,
		     const void *from)
{
	const char *base = from;
	size_t i;

	for (i = 0; i < cnt; i++)
		out_json_put(obj, field[i].name,
			     base ? field_json(&field[i], base + field[i].off) : NULL);
}

void out_json_print(struct json_object *obj)
{
	const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			JSON_C_TO_STRING_NOSLASHESCAPE;

	puts(out_need((void *)json_object_to_json_string_ext(obj, how)));
	json_object_put(obj);
}
