# SPDX-License-Identifier: BSD-3-Clause
"""C sources in the style of this project, cut into functions and statements.

Not a C parser: it knows what the style guarantees (a function's braces stand in the first column,
one statement a line, no assignment hidden in a macro argument), and stops where it does not
understand.
"""
import re

_BLANK = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_CPP = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.M)
_DECLARATION = re.compile(
    r"(static|const|struct|enum|union|unsigned|__thread|_Static_assert)\b|\w+\s+\**\w+")
_JUMP = re.compile(r"(return|break|continue|goto)\b")
_LABEL = re.compile(r"case\b[^:?]*:|default\s*:|\w+\s*:(?!:)")


def _spaces(match):
    return re.sub(r"[^\n]", " ", match.group())


def mask(text):
    """The text with comments, strings and preprocessor lines blank; same length."""
    return _CPP.sub(_spaces, _BLANK.sub(_spaces, text))


def closing(masked, at):
    """Position after the bracket that closes the one at @at."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    stack = []
    for i in range(at, len(masked)):
        c = masked[i]
        if c in pairs:
            stack.append(pairs[c])
        elif c in ")}]":
            if stack.pop() != c:
                raise ValueError(f"brackets do not match at {i}")
            if not stack:
                return i + 1
    raise ValueError(f"bracket at {at} is not closed")


class Statement:
    """kind: if, loop, switch, block, jump, declaration, expression, empty."""

    def __init__(self, kind, start, end=None, cond=None, body=None):
        self.kind, self.start, self.end, self.cond = kind, start, end, cond
        self.body = body or []          # lists of siblings

    def walk(self):
        yield self
        for siblings in self.body:
            for s in siblings:
                yield from s.walk()


class Function:
    def __init__(self, name, start, end, statements):
        self.name, self.start, self.end, self.statements = name, start, end, statements

    def sibling_lists(self):
        """Each list of statements that follow each other."""
        yield self.statements
        for s in self.statements:
            for inner in s.walk():
                yield from inner.body

    def all(self):
        for s in self.statements:
            yield from s.walk()


class _Parser:
    def __init__(self, masked):
        self.m = masked

    def skip(self, i):
        while self.m[i].isspace():
            i += 1
        return i

    def word(self, i):
        w = re.compile(r"\w*").match(self.m, i)
        return w.group()

    def until(self, i):
        """Position after the semicolon that ends the statement at @i."""
        while self.m[i] != ";":
            i = closing(self.m, i) if self.m[i] in "({[" else i + 1
        return i + 1

    def siblings(self, i):
        """Statements up to the closing brace; its position."""
        out = []
        while True:
            i = self.skip(i)
            if self.m[i] == "}":
                return out, i
            s = self.statement(i)
            if s:
                out.append(s)
                i = s.end
            else:
                i = _LABEL.match(self.m, i).end()

    def condition(self, i):
        at = self.m.index("(", i)
        end = closing(self.m, at)
        return (at + 1, end - 1), end

    def statement(self, i):
        """The statement at @i; None: a label."""
        i = self.skip(i)
        w = self.word(i)
        if self.m[i] == ";":
            return Statement("empty", i, i + 1)
        if self.m[i] == "{":
            inner, end = self.siblings(i + 1)
            return Statement("block", i, end + 1, body=[inner])
        if w == "if":
            cond, end = self.condition(i)
            then = self.statement(end)
            s = Statement("if", i, then.end, cond, [[then]])
            at = self.skip(then.end)
            if self.word(at) == "else":
                other = self.statement(at + 4)
                s.body.append([other])
                s.end = other.end
            return s
        if w in ("for", "while", "switch"):
            cond, end = self.condition(i)
            inner = self.statement(end)
            return Statement("switch" if w == "switch" else "loop", i, inner.end, cond, [[inner]])
        if w == "do":
            inner = self.statement(i + 2)
            return Statement("loop", i, self.until(inner.end), None, [[inner]])
        if _LABEL.match(self.m, i):
            return None
        kind = "expression"
        if _JUMP.match(self.m, i):
            kind = "jump"
        elif _DECLARATION.match(self.m, i):
            kind = "declaration"
        return Statement(kind, i, self.until(i))


def functions(text):
    """(masked text, functions of it)."""
    masked = mask(text)
    parser = _Parser(masked)
    out = []
    for brace in re.finditer(r"^\{$", masked, re.M):
        head = masked[:brace.start()].rstrip()
        head = head[max(head.rfind(";"), head.rfind("}")) + 1:]
        head = re.sub(r"__attribute__\s*\(\(.*?\)\)(?=\s)", "", head, flags=re.S)
        name = re.search(r"(\w+)\s*\(", head).group(1)
        statements, end = parser.siblings(brace.end())
        out.append(Function(name, brace.start(), end + 1, statements))
    return masked, out


def operands(masked, start, end, operator):
    """Spans of the operands of a chain of @operator, && or ||, or [] if it is none."""
    cuts, i = [], start
    while i < end:
        if masked[i] in "({[":
            i = closing(masked, i)
        elif masked[i] == "?" or masked[i] == "=" and masked[i - 1] not in "=!<>" \
                and masked[i + 1] != "=":
            return []
        elif operator == "&&" and masked.startswith("||", i):
            return []
        elif masked.startswith(operator, i):
            cuts.append(i)
            i += 2
        else:
            i += 1
    if not cuts:
        return []
    edges = [start] + [c + 2 for c in cuts], cuts + [end]
    return list(zip(*edges))
