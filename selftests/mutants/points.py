# SPDX-License-Identifier: BSD-3-Clause
"""The points of the library where a mutant is made, and the sources that hold all of them.

Each point is text put before and after a piece of the source, so points nest. MUTANT(n) (mutant.h)
is asked only where its answer makes a difference: a point that no test sees is one that no test
can notice.

	flush		a flush is left out
	fence		a fence, or a call that ends in one, is left out
	tail		a flush of several lines does the first only
	guard		an if is never taken
	operand		one operand of || never holds, one of && always holds
	version		an assignment to a sequence, tag, version or counter is left out
	sidecar		a change of what processes share in DRAM is left out
	store		a store to the pool is left out
	swap		two neighbouring ones of the last two, flush and fence change places
	order		a memory order is relaxed: only a runner that sees orders can notice
"""
import glob
import os
import re

import source

CLASSES = ["flush", "fence", "tail", "guard", "operand", "version", "sidecar", "store", "swap",
           "order"]

# Leaves, by which all else is made; and what is compiled for the kernel only.
LEAVES = {"lib/core/env.h", "lib/core/media.h", "lib/core/crc32c.c", "lib/core/diag.c"}
# Whose ifs judge what a crash, a hostile medium or the dead left.
JUDGES = {f"lib/core/{n}.c" for n in ("change", "check", "ext", "geom", "lane", "line", "object",
                                      "recover", "super")}
JUDGES |= {"lib/reap.c", "lib/session.c"}

FLUSH = r"\b(?:pobj_flush|pobj_flush_line|flush_id)\("
FENCE = r"\b(?:pobj_fence|lane_fence|lane_retire|pobj_lane_retire|pobj_ring_retire)\("
# Lengths within one line of an aligned word or line: no tail to cut.
ONE_LINE = {"POBJ_M_LINE", "sizeof(*line)", "sizeof(*dst)", "sizeof(*a)", "sizeof(*word)"}
COUNTER = (r"(?:->|\.|\b)(?:seq|said|sealed|retired|last_free|late\[\d\]|tag|live_id|closed"
           r"|missed\b|missed\[\w+\]|large_missed|newest|torn|busy\[[^]]*\]|session|stamp"
           r"|generation|chunks|bad_copies|_pobj_cache_invalidate)")
VERSION = re.compile(r"(?:[\w\->.]*" + COUNTER + r"\s*(?:[-+|]?=(?!=)|\+\+|--))")
SIDECAR = re.compile(
    r"(?:\(void\))?(?:pobj_side_store|__atomic_(?:store_n|fetch_\w+|exchange_n|add_fetch|sub_fetch)"
    r"|atomic_store_explicit|pobj_intent_(?:set|clear)|pobj_ring_add|ring_drop|hold_freed"
    r"|release_freed|filter_set|group_doubt|pobj_slab_hint|disown|pobj_span_(?:give|disown|reap"
    r"|settle|build)|map_clear|reserved_toggle|lists_empty|each_owned|owned_settle|slot_set"
    r"|slot_unlock|room_clear|write_inside|lanes_used_raise|pobj_reap_spans|owner_forgets"
    r"|pobj_quarantine_mask|pobj_ring_mask|mask_one|pobj_slabs_dissolve|pobj_tlanes_sweep"
    r"|pobj_session_reap|gone_add|gone_give|slab_refill|slab_give_up|pobj_group_map|tlane_take_over"
    r"|pobj_large_settle|pobj_large_cancel)\(|memset\(h->pages\[page\]\.reserved")
STORE = re.compile(r"pobj_store(?:64|_\w+)\(|step_make\(|steps_make\(|lane_retire\(k"
                   r"|object_settle\(")
ORDER = re.compile(r"\b__ATOMIC_(?:RELEASE|ACQUIRE|ACQ_REL|SEQ_CST)\b|"
                   r"\bmemory_order_(?:release|acquire|acq_rel|seq_cst)\b")
WEAK = re.compile(r"!?pobj_weak\(")
# Rules that test builds weaken are no part of what stands there, nor of its name.
WEAK_PART = re.compile(r" (?:&&|\|\|) !?pobj_weak\(\w+\)")


class Point:
    """One place; its id names it without line numbers, so that it survives edits elsewhere."""

    def __init__(self, cls, path, func, text, line):
        self.cls, self.path, self.func, self.line = cls, path, func, line
        self.text = WEAK_PART.sub("", re.sub(r"\s+", " ", text).strip())
        self.text = self.text.replace("POBJ_SLOTS", "POBJ_M_SLOT_CNT")
        self.number = 0
        self.nth = 1

    def id(self):
        nth = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.path} {self.func} {self.cls}: {self.text}{nth}"


class _File:
    def __init__(self, path, text):
        self.path, self.text = path, text
        self.masked, self.functions = source.functions(text)
        self.edits = []                 # (start, end, before, after, points)

    def line(self, at):
        return self.text.count("\n", 0, at) + 1

    def clean(self, start, end):
        """The source without comments."""
        out = "".join(t if m != " " or t in " \t" else "\0"
                      for t, m in zip(self.text[start:end], self.masked[start:end]))
        return out.replace("\0", "")

    def add(self, cls, func, start, end, before, after, text=None):
        # Rules that test builds weaken: no code of the library.
        if WEAK.match(self.masked, start) or func.name.endswith("_weakly"):
            return
        p = Point(cls, self.path, func.name, text or self.clean(start, end), self.line(start))
        self.edits.append((start, end, before, after, [p]))

    def calls(self, func, pattern):
        for m in re.finditer(pattern, self.masked[func.start:func.end]):
            start = func.start + m.start()
            yield start, source.closing(self.masked, func.start + m.end() - 1)


def _flushes(f, func):
    for start, end in f.calls(func, FLUSH):
        f.add("flush", func, start, end, "(MUTANT({n}) ? (void)0 : ", ")")
    for start, end in f.calls(func, r"\bpobj_flush\("):
        length = f.masked.rindex(",", start, end) + 1
        while f.masked.count("(", length, end - 1) != f.masked.count(")", length, end - 1):
            length = f.masked.rindex(",", start, length - 1) + 1
        if f.clean(length, end - 1).strip() not in ONE_LINE:
            f.add("tail", func, length, end - 1, " MUTANT({n}) ? 1 : (", ")",
                  f.clean(start, end))


def _fences(f, func):
    void = {s.start for s in func.all() if s.kind == "expression"}
    for start, end in f.calls(func, FENCE):
        if start in void:
            f.add("fence", func, start, end, "(void)(MUTANT({n}) ? 0 : ((", "), 0))")
        else:
            f.add("fence", func, start, end, "(MUTANT({n}) ? 0 : ", ")")


def _guards(f, func):
    for s in func.all():
        if s.kind == "if":
            start, end = s.cond
            f.add("guard", func, start, end, "((", ") && !MUTANT({n}))")
            _operands(f, func, start, end)
        elif s.kind == "jump" and f.masked.startswith("return", s.start):
            _operands(f, func, s.start + 6, s.end - 1)
        elif s.kind == "expression":
            m = re.compile(r"\w+ = ").match(f.masked, s.start)
            if m:
                _operands(f, func, m.end(), s.end - 1)


def _operands(f, func, start, end):
    for operator, before, after in (("||", "((", ") && !MUTANT({n}))"), ("&&", "((",
                                                                          ") || MUTANT({n}))")):
        chain = source.operands(f.masked, start, end, operator)
        # What is asked only where a rule is weakened.
        if operator == "&&" and any(f.masked[a:b].lstrip().startswith("pobj_weak(")
                                    for a, b in chain):
            continue
        for a, b in chain:
            while f.masked[a].isspace():
                a += 1
            f.add("operand", func, a, b, before, after)
            # (a || b) && c: what is in brackets, too.
            if f.masked[a] == "(" and source.closing(f.masked, a) >= len(
                    f.masked[:b].rstrip()):
                _operands(f, func, a + 1, source.closing(f.masked, a) - 1)


def _effect(f, s):
    """The class of a statement that changes what others or a crash may see, or None."""
    if s.kind != "expression":
        return None
    if STORE.match(f.masked, s.start):
        return "store"
    if SIDECAR.match(f.masked, s.start):
        return "sidecar"
    if VERSION.match(f.masked, s.start):
        return "version"
    if re.compile(FLUSH).match(f.masked, s.start):
        return "flush"
    if re.compile(r"(?:\w+ = )?(?:" + FENCE + ")").match(f.masked, s.start):
        return "fence"
    return None


def _statements(f, func):
    for s in func.all():
        cls = _effect(f, s)
        if cls in ("store", "sidecar", "version"):
            f.add(cls, func, s.start, s.end, "{{ if (!MUTANT({n})) {{ ", " }} }}")
    for m in re.finditer(r"\bPOBJ_MAP_VERSION\b", f.masked[func.start:func.end]):
        at = func.start + m.start()
        f.add("version", func, at, at + len(m.group()), "(MUTANT({n}) ? 0 : ", ")")
    for m in re.finditer(r"[\w\->.]*\bring_next\+\+", f.masked[func.start:func.end]):
        at = func.start + m.start()
        word = m.group()[:-2]
        f.add("version", func, at, at + len(m.group()), "(MUTANT({n}) ? " + word + " : ", ")")


def _swaps(f, func):
    for siblings in func.sibling_lists():
        row = []
        for s in siblings + [None]:
            # What a lane knows for itself has no order that others could see.
            if s and _effect(f, s) not in (None, "version"):
                row.append(s)
                continue
            if len(row) > 1:
                _swap_row(f, func, row)
            row = []


def _swap_row(f, func, row):
    cnt = len(row)
    points = [Point("swap", f.path, func.name,
                    f.clean(a.start, a.end) + " <-> " + f.clean(b.start, b.end), f.line(a.start))
              for a, b in zip(row, row[1:])]
    head = f"{{{{ unsigned int k_; for (k_ = 0; k_ < {cnt}; k_++) " \
           f"switch (pobj_mutant_swap(k_, {{n}}, {cnt})) {{{{ "
    f.edits.append((row[0].start, row[-1].end, head, " }} }}", points))
    for k, s in enumerate(row):
        f.edits.append((s.start, s.end, f"case {k}: {{{{ ", " }} break; ", []))


def _orders(f, func):
    # Those of the sidecar's words stand in two functions; their callers are what matters.
    for start, end in f.calls(func, r"\bpobj_side_(?:load|store)\("):
        f.add("order", func, start, end, "MUTANT_RELAX({n}, ", ")")
    if func.name in ("pobj_side_load", "pobj_side_store"):
        for m in ORDER.finditer(f.masked, func.start, func.end):
            f.edits.append((m.start(), m.end(), "MUTANT_RELAXED(", ")", []))
        return
    for m in ORDER.finditer(f.masked, func.start, func.end):
        line = f.text[f.text.rfind("\n", 0, m.start()) + 1:f.text.find("\n", m.start())]
        f.add("order", func, m.start(), m.end(), "MUTANT_ORDER({n}, ", ")",
              f"{m.group()} in {f.clean(m.start(), m.end()) and line.strip()}")


def _rewrite(f):
    """The text with all edits. Longer spans around shorter ones; equal ones in order of adding."""
    spans = sorted(enumerate(f.edits), key=lambda e: (e[1][0], -e[1][1], e[0]))
    events, text, at = [], [], 0
    for depth, (_, (start, end, before, after, points)) in enumerate(spans):
        n = points[0].number if points else 0
        events.append((start, 1, depth, before.format(n=n)))
        events.append((end, 0, -depth, after.format(n=n)))
    for where, _, _, insert in sorted(events):
        text += [f.text[at:where], insert]
        at = where
    # Lines stay where they are: what is put in has no line breaks.
    return "".join(text + [f.text[at:]])


def collect(root):
    """(points, {path: mutated text}) of the library under @root."""
    points, texts = [], {}
    for path in sorted(glob.glob("lib/**/*.[ch]", root_dir=root, recursive=True)):
        if path in LEAVES:
            continue
        with open(os.path.join(root, path), encoding="utf-8") as src:
            f = _File(path, src.read())
        for func in f.functions:
            # Swaps first: of equal spans they stand outside.
            _swaps(f, func)
            _statements(f, func)
            _flushes(f, func)
            _fences(f, func)
            if path in JUDGES:
                _guards(f, func)
            _orders(f, func)
        for *_, of in f.edits:
            for p in of:
                p.number = len(points) + 1
                points.append(p)
        texts[path] = _rewrite(f)
    seen = {}
    for p in points:
        key = p.id()
        seen[key] = p.nth = seen.get(key, 0) + 1
    return points, texts
