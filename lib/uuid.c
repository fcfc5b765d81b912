// SPDX-License-Identifier: BSD-3-Clause
/* UUIDs of pools: random (RFC 4122 version 4), and their text form. */
#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

#include "lib/backend.h"
#include "lib/errormsg.h"

int pobj_uuid_make(u8 uuid[16])
{
	u64 lo;

	do {
		if (getrandom(uuid, 16, 0) != 16)
			return pobj_err_sys(-errno, "random bytes for a UUID");
		uuid[6] = (uuid[6] & 0x0f) | 0x40;
		uuid[8] = (uuid[8] & 0x3f) | 0x80;
		memcpy(&lo, uuid, sizeof(lo));
	} while (!lo);
	return 0;
}

void pobj_uuid_text(const u8 uuid[16], char text[37])
{
	int i, n = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		n += snprintf(text + n, 3, "%02x", uuid[i]);
	}
}

bool pobj_uuid_parse(const char *text, u8 uuid[16])
{
	unsigned int byte;
	int i;

	if (strlen(text) != 36)
		return false;
	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) {
			if (*text++ != '-')
				return false;
		}
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    sscanf(text, "%2x", &byte) != 1)
			return false;
		uuid[i] = (u8)byte;
		text += 2;
	}
	return true;
}
