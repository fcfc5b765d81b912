#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# All of it with SECOND_ALL=1, which make second-opinion says; else what make check has time for.
exec "$(dirname "$0")/judge" ${SECOND_ALL:+-a} tsan
