# SPDX-License-Identifier: BSD-3-Clause
# Programs for the scripts of this folder.
other-programs += $(call programs,vm)
