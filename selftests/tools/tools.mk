# SPDX-License-Identifier: BSD-3-Clause
# mkpool, which pobjctl.sh makes its pools with.
other-programs += $(call programs,tools)
