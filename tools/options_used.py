"""Which options configurations set: a reader of Logstash's language and of spec files.

It knows enough of the language to find every plugin's block, its options and what they are set to. Whether a
configuration is right is for spate to say: a text with a mistake gives what stands before the mistake.
"""
import os
import re

SPACE = re.compile(r"(?:\s|#[^\n]*)+")
STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', re.S)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
WORD = re.compile(r"\w[\w-]*")
MATCH = re.compile(r"[=!]~\s*/(?:\\.|[^/\\])*/", re.S)


class Value:
    """What an option is set to: its text, and the scalars in it (of a hash, also the keys)."""

    def __init__(self, text, scalars):
        self.text, self.scalars = text, scalars


class Use:
    """One block of a plugin: kind ("input" "codec" "filter" "output"), name, [(option, Value)]."""

    def __init__(self, kind, name):
        self.kind, self.name, self.options = kind, name, []

    def values(self, names):
        return [value for name, value in self.options if name in names]


class Mistake(Exception):
    pass


class Reader:
    def __init__(self, text):
        self.text, self.at, self.uses = text, 0, []
        self.end = 0  # of the last token

    def skip(self):
        found = SPACE.match(self.text, self.at)
        if found:
            self.at = found.end()

    def peek(self, text):
        self.skip()
        return self.text.startswith(text, self.at)

    def take(self, text):
        if not self.peek(text):
            return False
        self.at = self.end = self.at + len(text)
        return True

    def need(self, text):
        if not self.take(text):
            raise Mistake()

    def token(self, pattern):
        self.skip()
        found = pattern.match(self.text, self.at)
        if not found:
            return None
        self.at = self.end = found.end()
        return found.group(0)

    def name(self):
        string = self.token(STRING)
        name = string[1:-1] if string is not None else self.token(WORD)
        if name is None:
            raise Mistake()
        return name

    # ---- values ----

    def value(self):
        self.skip()
        start, scalars = self.at, []
        self.value_into(scalars)
        return Value(self.text[start:self.end], scalars)

    def value_into(self, scalars):
        if self.take("["):
            while not self.take("]"):
                self.value_into(scalars)
                self.take(",")
        elif self.take("{"):
            while not self.take("}"):
                self.value_into(scalars)
                self.need("=>")
                self.value_into(scalars)
                self.take(",")
        else:
            self.scalar_into(scalars)

    def scalar_into(self, scalars):
        string = self.token(STRING)
        if string is not None:
            scalars.append(string[1:-1])
            return
        number = self.token(NUMBER)
        word = number if number is not None else self.token(WORD)
        if word is None:
            raise Mistake()
        scalars.append(word)
        if number is None and self.peek("{"):
            self.block("codec", word)

    # ---- blocks ----

    def block(self, kind, name):
        use = Use(kind, name)
        self.uses.append(use)
        self.need("{")
        while not self.take("}"):
            option = self.name()
            self.need("=>")
            use.options.append((option, Value("", [])))
            use.options[-1] = (option, self.value())
            if option == "codec" and kind in ("input", "output") and re.fullmatch(r"\W?\w+\W?", use.options[-1][1].text):
                self.uses.append(Use("codec", use.options[-1][1].scalars[0]))

    def condition(self):
        while not self.take("{"):
            if self.at >= len(self.text):
                raise Mistake()
            if self.token(STRING) is None and self.token(MATCH) is None:
                self.at += 1

    def statements(self, kind):
        while not self.take("}"):
            name = self.name()
            if name in ("if", "else"):
                self.condition()
                self.statements(kind)
            else:
                self.block(kind, name)

    def sections(self):
        while True:
            self.skip()
            if self.at >= len(self.text):
                return
            kind = self.name()
            if kind == "codec":
                self.block(kind, self.name())
            else:
                self.need("{")
                self.statements(kind)


def uses_of(config):
    """The plugins' blocks of a configuration, in order."""
    reader = Reader(config)
    try:
        reader.sections()
    except Mistake:
        pass
    return reader.uses


def one_line(text):
    """A value without comments, and with single blanks where it has any outside of strings."""
    pieces, at = [], 0
    while at < len(text):
        found = SPACE.match(text, at) or STRING.match(text, at)
        piece = found.group(0) if found else text[at]
        pieces.append(" " if SPACE.match(piece) else piece)
        at += len(piece)
    return "".join(pieces).strip()


class Case:
    """One case of a spec file (its format: tests/spec/spec_runner.c)."""

    def __init__(self, path, line, text):
        self.path, self.line = path, line
        parts = re.split(r"^---[ \t]*(.*)\n", text.rstrip("\n") + "\n", flags=re.M)
        self.config, self.sections = parts[0], {}
        for head, body in zip(parts[1::2], parts[2::2]):
            words = head.split() or [""]
            self.sections[words[0]] = " ".join(words[1:]) if words[0] == "ecs" else body
        self.error = self.sections.get("error")
        self.ecs = self.sections.get("ecs", "disabled")
        self.comments = re.findall(r"^#[ \t]*(.*)$", self.config, re.M)
        self.uses = uses_of(self.config)


def cases_of(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        text, line = file.read(), 1
    for part in re.split(r"^====+[ \t]*\n", text, flags=re.M):
        if part.strip():
            yield Case(path, line + len(part) - len(part.lstrip("\n")), part)
        line += part.count("\n") + 1


def spec_files(root="tests/spec"):
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".spec"):
                yield os.path.join(folder, name)
