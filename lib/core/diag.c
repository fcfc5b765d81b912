// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Words for findings: what is wrong, and what its reader can do. */
#include "lib/core/diag.h"

static const struct {
	const char *text;
	const char *advice;
} diags[POBJ_DIAG_CNT] = {
	[POBJ_DIAG_NONE] = { "nothing is wrong", "nothing to do" },
	[POBJ_DIAG_NOT_A_POOL] = {
		"not a pobj pool: no magic number in either superblock copy",
		"check the path, or create a pool there" },
	[POBJ_DIAG_SUPER_CRC] = {
		"both superblock copies are damaged: checksum mismatch",
		"restore the first 8 KiB or the pool from a backup" },
	[POBJ_DIAG_SUPER_FIELD] = {
		"superblock holds an impossible value",
		"the pool was made by a faulty program or altered; restore it from a backup" },
	[POBJ_DIAG_INCOMPAT] = {
		"pool uses features that this version does not know",
		"open it with the newer version that made it" },
	[POBJ_DIAG_BUILD] = {
		"pool has the unstable format of another build",
		"open it with the build that made it, or create it anew" },
	[POBJ_DIAG_TRUNCATED] = {
		"pool is larger than its medium: it was truncated or copied in part",
		"restore the full length from a backup" },
	[POBJ_DIAG_LANE_CRC] = {
		"a log entry is damaged: checksum mismatch",
		"restore the pool from a backup; its last operation cannot be judged" },
	[POBJ_DIAG_LANE_FIELD] = {
		"a log entry holds an impossible value",
		"restore the pool from a backup; its last operation cannot be judged" },
	[POBJ_DIAG_LANE_TARGET] = {
		"a log entry points where it may not",
		"restore the pool from a backup; its last operation cannot be judged" },
	[POBJ_DIAG_LANE_SEQ] = {
		"the sequence numbers of a lane do not fit together",
		"restore the pool from a backup; its last operation cannot be judged" },
	[POBJ_DIAG_LINE] = {
		"a page line is impossible or overlaps another span",
		"restore the pool from a backup; run: pobjctl check, for all of the damage" },
	[POBJ_DIAG_ROOT] = {
		"the root record does not name a root object",
		"restore the pool from a backup; run: pobjctl check, for all of the damage" },
	[POBJ_DIAG_CHUNK] = {
		"the chain of log chunks of a lane is broken",
		"restore the pool from a backup; run: pobjctl check, for all of the damage" },
	[POBJ_DIAG_MEDIA] = {
		"the medium cannot be read there (media error)",
		"clear the bad blocks (ndctl clear-errors), then restore the pool from a backup" },
	[POBJ_DIAG_SIGNATURE] = {
		"a pool is there already",
		"choose another place, or force the format to overwrite it" },
	[POBJ_DIAG_TOO_SMALL] = {
		"no room for a pool with this geometry",
		"use a larger medium, fewer lanes or smaller pages" },
};

const char *pobj_diag_text(u32 diag)
{
	return diag < POBJ_DIAG_CNT ? diags[diag].text : "unknown finding of a newer version";
}

const char *pobj_diag_advice(u32 diag)
{
	return diag < POBJ_DIAG_CNT ? diags[diag].advice : "update the library";
}
