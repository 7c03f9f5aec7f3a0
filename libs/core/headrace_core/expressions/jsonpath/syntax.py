"""The grammar of JSONPath: from text to steps."""

from headrace_core import Json
from headrace_core.expressions.environment import MISSING, Evaluation, ModifierFailed, Value
from headrace_core.expressions.jsonpath.conditions import FUNCTIONS, TESTS, WORDS, compared, constant
from headrace_core.expressions.jsonpath.walking import (
    CompiledPath,
    Pick,
    Step,
    Term,
    anything,
    filtered,
    holds,
    indexed,
    named,
    sliced,
)
from headrace_core.expressions.regexes import pattern_of

_MAX_DEPTH = 24


def parse(path: str) -> CompiledPath:
    """The steps of a path. Raises `ModifierFailed` saying where it cannot be read."""
    return _Parser(path).path()


class _Parser:
    """Reads one path. Every way out with a mistake is a `ModifierFailed`."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._depth = 0

    def path(self) -> CompiledPath:
        if self._source in ("", "$", "@"):
            return CompiledPath(())
        steps: list[Step] = []
        if self._source[0] in "$@" and self._source[1:2] in (".", "["):
            self._position = 1
        elif self._source[0] not in ".[":
            steps.append(self._name_step(is_deep=False))
        steps.extend(self._steps())
        if self._position < len(self._source):
            raise self._wrong()
        return CompiledPath(tuple(steps))

    def _steps(self, ends: str = "") -> list[Step]:
        steps: list[Step] = []
        while self._position < len(self._source):
            if self._take(".."):
                steps.append(self._bracket(True) if self._peek() == "[" else self._name_step(True, ends))
            elif self._take("."):
                # "to.[0].x" writes a dot before the bracket.
                steps.append(self._bracket(False) if self._peek() == "[" else self._name_step(False, ends))
            elif self._peek() == "[":
                steps.append(self._bracket(False))
            else:
                break
        return steps

    def _name_step(self, is_deep: bool, ends: str = "") -> Step:
        start = self._position
        while self._peek() and self._peek() not in ".[" + ends:
            self._position += 1
        name = self._source[start : self._position]
        if not name:
            raise self._wrong()
        if name == "*":
            return Step((anything,), is_deep, False)
        return Step((named(name),), is_deep, not is_deep)

    def _bracket(self, is_deep: bool) -> Step:
        self._need("[")
        picks: list[Pick] = []
        is_single = not is_deep
        while True:
            pick, finds_one = self._pick()
            picks.append(pick)
            is_single = is_single and finds_one
            self._blanks()
            if not self._take(","):
                break
        self._need("]")
        return Step(tuple(picks), is_deep, is_single and len(picks) == 1)

    def _pick(self) -> tuple[Pick, bool]:
        self._blanks()
        if self._take("*"):
            return anything, False
        if self._take("?"):
            return filtered(self._either()), False
        if self._peek() in ("'", '"'):
            return named(self._quoted()), True
        if self._take("("):
            return self._from_end(), True
        return self._index_or_slice()

    def _from_end(self) -> Pick:
        """`(@.length-1)`: the one script that everybody writes."""
        self._blanks()
        self._need("@.length")
        self._blanks()
        self._need("-")
        self._blanks()
        back = self._integer()
        self._blanks()
        self._need(")")
        if back is None or back <= 0:
            raise self._wrong()
        return indexed(-back)

    def _index_or_slice(self) -> tuple[Pick, bool]:
        numbers = [self._integer()]
        while len(numbers) < 3 and self._take(":"):
            numbers.append(self._integer())
        if len(numbers) == 1:
            if numbers[0] is None:
                return self._bare_name()
            return indexed(numbers[0]), True
        start, end, by = (*numbers, None)[:3]
        return sliced(start, end, by), False

    def _bare_name(self) -> tuple[Pick, bool]:
        """A name in brackets without quotes, which older paths have."""
        start = self._position
        while self._peek() and self._peek() not in "[],'\"?()@$:":
            self._position += 1
        name = self._source[start : self._position].strip()
        if not name:
            raise self._wrong()
        return named(name), True

    # Conditions: the lowest binding first.

    def _either(self) -> Term:
        self._enter()
        terms = [self._both()]
        while self._take_sign("||"):
            terms.append(self._both())
        self._depth -= 1
        if len(terms) == 1:
            return terms[0]
        return lambda node, root, ev: any(holds(term(node, root, ev)) for term in terms)

    def _both(self) -> Term:
        terms = [self._negation()]
        while self._take_sign("&&"):
            terms.append(self._negation())
        if len(terms) == 1:
            return terms[0]
        return lambda node, root, ev: all(holds(term(node, root, ev)) for term in terms)

    def _negation(self) -> Term:
        self._enter()
        if self._take_sign("!"):
            inner = self._negation()
            self._depth -= 1
            return lambda node, root, ev: not holds(inner(node, root, ev))
        found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Term:
        left = self._term()
        if self._take_sign("=~"):
            return self._regex_test(left)
        for sign, test in TESTS:
            if self._take_sign(sign):
                return compared(left, test, self._term())
        return left

    def _term(self) -> Term:
        self._blanks()
        if self._take("("):
            inner = self._either()
            self._blanks()
            self._need(")")
            return inner
        if self._peek() and self._peek() in "@$":
            return self._path_term()
        if self._peek() in ("'", '"'):
            return constant(self._quoted())
        return self._word_term()

    def _path_term(self) -> Term:
        from_root = self._peek() == "$"
        self._position += 1
        path = CompiledPath(tuple(self._steps(ends=" \t\n)=!<>&|,]")))

        def term(node: Json, root: Json, ev: Evaluation) -> Value:
            found = path.nodes(root if from_root else node, root, ev)
            if path.is_single:
                return found[0] if found else MISSING
            return found or MISSING

        return term

    def _word_term(self) -> Term:
        start = self._position
        while self._peek().isalnum() or (self._peek() and self._peek() in "+-._"):
            self._position += 1
        word = self._source[start : self._position]
        if self._take("("):
            return self._call(word)
        if word in WORDS:
            return constant(WORDS[word])
        try:
            # Only digits: Python would also read "nan" and "1_0".
            if not word or len(word) > 40 or any(each not in "0123456789+-.eE" for each in word):
                raise ValueError
            return constant(float(word) if any(each in word for each in ".eE") else int(word))
        except ValueError:
            raise self._wrong() from None

    def _call(self, name: str) -> Term:
        self._enter()
        arguments: list[Term] = []
        self._blanks()
        while self._peek() != ")":
            arguments.append(self._term())
            self._blanks()
            if not self._take(","):
                break
        self._need(")")
        self._depth -= 1
        known = FUNCTIONS.get(name)
        if known is None or len(arguments) != known[0]:
            raise ModifierFailed(
                f'the path calls "{name[:20]}" with {len(arguments)} arguments: there is no such function'
            )
        work = known[1]
        return lambda node, root, ev: work([argument(node, root, ev) for argument in arguments], ev)

    def _regex_test(self, left: Term) -> Term:
        self._blanks()
        self._need("/")
        start = self._position
        while self._peek() and self._peek() != "/":
            self._position += 2 if self._peek() == "\\" else 1
        source = self._source[start : self._position]
        self._need("/")
        flags_start = self._position
        while self._peek() and self._peek() in "gimsu":
            self._position += 1
        flags = self._source[flags_start : self._position]

        def test(node: Json, root: Json, ev: Evaluation) -> Value:
            text = left(node, root, ev)
            pattern = pattern_of(source, ev, ignore_case="i" in flags, multiline="m" in flags, dot_all="s" in flags)
            return isinstance(text, str) and pattern.search(ev.searchable(text)) is not None

        return test

    # Signs and words.

    def _peek(self) -> str:
        return self._source[self._position : self._position + 1]

    def _take(self, sign: str) -> bool:
        if not self._source.startswith(sign, self._position):
            return False
        self._position += len(sign)
        return True

    def _take_sign(self, sign: str) -> bool:
        self._blanks()
        if sign == "!" and self._source.startswith("!=", self._position):
            return False
        return self._take(sign)

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._wrong()

    def _blanks(self) -> None:
        while self._peek().isspace():
            self._position += 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ModifierFailed(f"the path is nested deeper than {_MAX_DEPTH} levels")

    def _integer(self) -> int | None:
        self._blanks()
        start = self._position
        self._take("-")
        while self._peek().isdigit() and self._peek().isascii():
            self._position += 1
        digits = self._source[start : self._position]
        follows = self._peek()
        if digits in ("", "-") or len(digits) > 10 or (follows and follows not in ":],) \t\n"):
            self._position = start
            return None
        self._blanks()
        return int(digits)

    def _quoted(self) -> str:
        quote = self._peek()
        self._position += 1
        pieces: list[str] = []
        while self._peek() and self._peek() != quote:
            if self._take("\\") and not self._peek():
                break
            pieces.append(self._peek())
            self._position += 1
        self._need(quote)
        return "".join(pieces)

    def _wrong(self) -> ModifierFailed:
        rest = self._source[self._position : self._position + 20]
        return ModifierFailed(f'the path cannot be read at "{rest}"' if rest else "the path ends too early")
