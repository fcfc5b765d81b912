// SPDX-License-Identifier: BSD-3-Clause
/* A region in words and in JSON: see region.h. */
#include <grp.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>

#include "out.h"
#include "region.h"

#define FIELD(member, kind)	OUT_FIELD(struct pobj_region_info, member, kind)

static const struct out_field before_flags[] = {
	FIELD(id, OUT_U64),
	FIELD(bytes, OUT_U64),
	FIELD(uuid, OUT_TEXT),
	FIELD(device, OUT_TEXT),
};

static const struct out_field behind_flags[] = {
	FIELD(node, OUT_I32),
	FIELD(uid, OUT_U32),
	FIELD(gid, OUT_U32),
	FIELD(mode, OUT_U32),
	FIELD(sessions, OUT_U32),
	FIELD(faults_2m, OUT_U64),
	FIELD(faults_4k, OUT_U64),
	FIELD(bad_cnt, OUT_U64),
	FIELD(bad_bytes, OUT_U64),
};

static const struct {
	const char *name;
	uint32_t flag;
} flag_names[] = {
	{ "claimed", POBJ_INFO_CLAIMED },
	{ "pool", POBJ_INFO_POOL },
	{ "recovered", POBJ_INFO_RECOVERED },
	{ "sync", POBJ_INFO_SYNC },
	{ "cached", POBJ_INFO_CACHED },
	{ "dead", POBJ_INFO_DEAD },
	{ "unreadable", POBJ_INFO_UNREADABLE },
	{ "damaged", POBJ_INFO_DAMAGED },
};

const char *region_verdict(const struct pobj_region_info *r)
{
	if (r->flags & POBJ_INFO_DEAD)
		return "dead";
	if (r->flags & POBJ_INFO_DAMAGED)
		return "damaged";
	if (!(r->flags & POBJ_INFO_CLAIMED)) {
		if (r->flags & POBJ_INFO_UNREADABLE)
			return "unreadable";
		return r->flags & POBJ_INFO_POOL ? "unclaimed" : "no-pool";
	}
	if (!(r->flags & POBJ_INFO_POOL))
		return "empty";
	if (!(r->flags & POBJ_INFO_RECOVERED))
		return "unrecovered";
	return r->sessions ? "in-use" : "ready";
}

const char *region_owner(char buf[REGION_OWNER_TEXT], const struct pobj_region_info *r)
{
	const struct passwd *user = getpwuid(r->uid);
	const struct group *group = getgrgid(r->gid);
	char uid[12], gid[12];

	snprintf(uid, sizeof(uid), "%u", r->uid);
	snprintf(gid, sizeof(gid), "%u", r->gid);
	snprintf(buf, REGION_OWNER_TEXT, "%.32s:%.32s", user ? user->pw_name : uid,
		 group ? group->gr_name : gid);
	return buf;
}

struct json_object *region_json(const struct pobj_region_info *r)
{
	struct json_object *obj, *flags;
	const bool claimed = r && (r->flags & POBJ_INFO_CLAIMED);
	size_t i;

	if (!r)
		return NULL;
	obj = out_json_object();
	out_json_put(obj, "verdict", out_json_text(region_verdict(r)));
	out_json_fields(obj, before_flags, OUT_CNT(before_flags), r);
	flags = out_json_object();
	for (i = 0; i < OUT_CNT(flag_names); i++) {
		/* What the medium needs is known from its claim on. */
		if (!claimed && (flag_names[i].flag & (POBJ_INFO_SYNC | POBJ_INFO_CACHED)))
			out_json_put(flags, flag_names[i].name, NULL);
		else
			out_json_put(flags, flag_names[i].name,
				     out_json_bool(r->flags & flag_names[i].flag));
	}
	out_json_put(obj, "flags", flags);
	out_json_fields(obj, behind_flags, OUT_CNT(behind_flags), r);
	return obj;
}
