/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, under events/pobj/. A region is known by its number, as everywhere.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pobj

#if !defined(POBJK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define POBJK_TRACE_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

#include "kmod/pobjk.h"

TRACE_EVENT(pobj_claim,
	    TP_PROTO(struct pobjk_region *r),
	    TP_ARGS(r),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, bytes)
			     __field(dev_t, dev)
			     __field(bool, pool)
			     __field(bool, sync)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->bytes = r->bytes;
			   __entry->dev = r->bdev.bdev->bd_dev;
			   __entry->pool = r->pool;
			   __entry->sync = r->sync;),
	    TP_printk("region=%llu dev=%d:%d bytes=%llu pool=%d sync=%d",
		      __entry->id, MAJOR(__entry->dev), MINOR(__entry->dev), __entry->bytes,
		      __entry->pool, __entry->sync)
);

TRACE_EVENT(pobj_release,
	    TP_PROTO(struct pobjk_region *r),
	    TP_ARGS(r),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(bool, dead)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->dead = r->dead;),
	    TP_printk("region=%llu dead=%d", __entry->id, __entry->dead)
);

TRACE_EVENT(pobj_attach,
	    TP_PROTO(struct pobjk_region *r, u64 session, bool rdonly),
	    TP_ARGS(r, session, rdonly),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, session)
			     __field(bool, rdonly)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->session = session;
			   __entry->rdonly = rdonly;),
	    TP_printk("region=%llu session=%llu rdonly=%d",
		      __entry->id, __entry->session, __entry->rdonly)
);

TRACE_EVENT(pobj_session_end,
	    TP_PROTO(struct pobjk_region *r, u64 session, enum pobjk_end how),
	    TP_ARGS(r, session, how),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, session)
			     __field(unsigned int, how)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->session = session;
			   __entry->how = how;),
	    TP_printk("region=%llu session=%llu by=%s", __entry->id, __entry->session,
		      __print_symbolic(__entry->how, { POBJK_END_DEATH, "death" },
				       { POBJK_END_DETACH, "detach" },
				       { POBJK_END_CLOSE, "close" }))
);

TRACE_EVENT(pobj_fault,
	    TP_PROTO(struct pobjk_region *r, struct vm_fault *vmf, unsigned int order,
		     vm_fault_t ret),
	    TP_ARGS(r, vmf, order, ret),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(unsigned long, address)
			     __field(unsigned long, page)
			     __field(unsigned int, order)
			     __field(bool, write)
			     __field(unsigned int, ret)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->address = vmf->address;
			   __entry->page = vmf->pgoff;
			   __entry->order = order;
			   __entry->write = vmf->flags & FAULT_FLAG_WRITE;
			   __entry->ret = (__force unsigned int)ret;),
	    TP_printk("region=%llu address=%#lx page=%lu order=%u write=%d ret=%s",
		      __entry->id, __entry->address, __entry->page, __entry->order,
		      __entry->write,
		      __print_flags(__entry->ret, "|",
				    { (__force unsigned long)VM_FAULT_OOM, "OOM" },
				    { (__force unsigned long)VM_FAULT_SIGBUS, "SIGBUS" },
				    { (__force unsigned long)VM_FAULT_HWPOISON, "HWPOISON" },
				    { (__force unsigned long)VM_FAULT_NOPAGE, "NOPAGE" },
				    { (__force unsigned long)VM_FAULT_FALLBACK, "FALLBACK" }))
);

TRACE_EVENT(pobj_recover,
	    TP_PROTO(struct pobjk_region *r, const struct pobj_ioc_recover *a, int err),
	    TP_ARGS(r, a, err),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, lanes)
			     __field(u64, live)
			     __field(u64, undone)
			     __field(u64, redone)
			     __field(u32, diag)
			     __field(int, err)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->lanes = a->out_lanes;
			   __entry->live = a->out_live;
			   __entry->undone = a->out_undone;
			   __entry->redone = a->out_redone;
			   __entry->diag = a->out_diag;
			   __entry->err = err;),
	    TP_printk("region=%llu err=%d diag=%u lanes=%llu live=%llu undone=%llu redone=%llu",
		      __entry->id, __entry->err, __entry->diag, __entry->lanes, __entry->live,
		      __entry->undone, __entry->redone)
);

TRACE_EVENT(pobj_failure,
	    TP_PROTO(struct pobjk_region *r, u64 off, u64 len, int flags),
	    TP_ARGS(r, off, len, flags),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u64, off)
			     __field(u64, len)
			     __field(int, flags)),
	    TP_fast_assign(__entry->id = r->id;
			   __entry->off = off;
			   __entry->len = len;
			   __entry->flags = flags;),
	    TP_printk("region=%llu off=%llu len=%llu flags=%#x", __entry->id, __entry->off,
		      __entry->len, __entry->flags)
);

#endif /* POBJK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
