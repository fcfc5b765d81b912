/* SPDX-License-Identifier: BSD-3-Clause */
/* A region in words and in JSON: the same for "list" and "info". */
#ifndef POBJCTL_REGION_H
#define POBJCTL_REGION_H 1

#include <pobj.h>

struct json_object;

#define REGION_OWNER_TEXT	80	/* bytes of "user:group", with its NUL */

/* One word for the state of @r. */
const char *region_verdict(const struct pobj_region_info *r);

const char *region_owner(char buf[REGION_OWNER_TEXT], const struct pobj_region_info *r);

/* All fields and the verdict; null for NULL. */
struct json_object *region_json(const struct pobj_region_info *r);

#endif
