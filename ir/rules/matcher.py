"""Turn rules into matchers: one small Python function for each way in which a rule's pattern can lie in the graph.

Matching runs on every pure node that is built while guest code is lifted, so it must cost next to nothing where no
rule applies: matchers are found by the op of the root and of its first two operands, and are straight-line code.
Operands of commutative ops match in either order; where one of them is known already that is a test, otherwise a
variant of the matcher.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from metaphrase.ir.graph import Function, Value
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.rules.pattern import B, Literal, Node, Pattern, Rule, RuleError, Variable
from metaphrase.ir.types import I1, Type

Matcher = Callable[[Function, Type, tuple[Value, ...]], Value | None]
_RESIZES = frozenset({"zext", "sext", "trunc"})


class RuleSet:
    """Rules, indexed so that the few that may apply to a node are found by one look-up."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._variants: dict[Op, list[Variant]] = {}
        self._index: dict[tuple[Op, Op, Op | None], tuple[tuple[Matcher, Rule], ...]] = {}

    def apply(self, function: Function, op: Op, type: Type, args: tuple[Value, ...]) -> Value | None:
        """What the first rule that applies makes of a node, if one does."""
        key = (op, args[0].op, args[1].op if len(args) > 1 else None)
        found = self._index.get(key)
        if found is None:
            found = self._index[key] = tuple(
                (variant.matcher, variant.rule) for variant in self._of_root(op) if variant.may_match(*key)
            )
        if found and type.kind == "int":
            for matcher, rule in found:
                value = matcher(function, type, args)
                if value is not None:
                    rule.fired += 1
                    return value
        return None

    def _of_root(self, op: Op) -> list[Variant]:
        """The variants of the rules about an op, made when it is first met: making all takes tens of milliseconds."""
        found = self._variants.get(op)
        if found is None:
            rules = [rule for rule in self.rules if rule.rewrite.find.op is op]
            found = self._variants[op] = [variant for rule in rules for variant in variants(rule)]
        return found


class Variant:
    """One matcher of a rule, and the ops it wants at the root and below."""

    def __init__(self, rule: Rule, swapped: frozenset[Node]) -> None:
        self.rule = rule
        writer = _Writer(rule, swapped)
        self.undecided = writer.undecided
        self.source = "\n".join(writer.lines)
        self.wanted = [_op_of(child) for child in writer.children[:2]]
        scope = dict(writer.scope)
        exec(compile(self.source, f"<rule {rule.name}>", "exec"), scope)
        self.matcher: Matcher = scope["match"]  # type: ignore[assignment]

    def may_match(self, op: Op, first: Op, second: Op | None) -> bool:
        """Whether a node of these ops can be an instance of the pattern."""
        if op is not self.rule.rewrite.find.op:
            return False
        return all(wanted is None or wanted is found for wanted, found in zip(self.wanted, (first, second)))


def variants(rule: Rule) -> list[Variant]:
    """A variant for every order of operands that has to be told apart."""
    done: list[Variant] = []
    work: list[frozenset[Node]] = [frozenset()]
    seen = set(work)
    while work:
        swapped = work.pop()
        variant = Variant(rule, swapped)
        done.append(variant)
        for node in variant.undecided:
            other = swapped | {node}
            if node not in swapped and other not in seen:
                seen.add(other)
                work.append(other)
    return done


class _Writer:
    """Writes the source of one variant."""

    def __init__(self, rule: Rule, swapped: frozenset[Node]) -> None:
        self.rule, self.swapped = rule, swapped
        self.undecided: list[Node] = []
        """Commutative nodes whose operands' order this variant assumes."""
        self.scope: dict[str, object] = {"CONST": OPS["const"], "I1": I1}
        self.lines = ["def match(function, type, args):"]
        self.known: dict[Pattern, str] = {}
        self.types: dict[str, str] = {B: "I1"}
        self.linked: set[frozenset[str]] = set()
        """Pairs of type variables of which the pattern has a resize, so that one is narrower for sure."""
        find = rule.rewrite.find
        self.uses = Counter(_variables(find))
        if find.op.name in _RESIZES:
            self.linked.add(frozenset((find.tag, find.args[0].tag)))
        self._type(find.tag, "type")
        self.children = self._operands(find, ["args[0]", "args[1]", "args[2]"], root=True)
        condition = rule.rewrite.when
        if condition is not None:
            self._line(f"when = {self._build(condition)}")
            self._line("if when.op is not CONST or not when.imm: return None")
        self._line(f"return {self._build(rule.rewrite.to)}")

    def _line(self, text: str) -> None:
        self.lines.append("    " + text)

    def _refuse_unless(self, test: str) -> None:
        self._line(f"if not ({test}): return None")

    def _type(self, tag: str, expression: str) -> None:
        """A value whose type is `expression` has the type that `tag` stands for."""
        known = self.types.get(tag)
        if known is None:
            self.types[tag] = expression
        elif known != expression:
            self._refuse_unless(f"{expression} is {known}")

    # --- matching -----------------------------------------------------------------------------------------------------
    def _operands(self, node: Node, places: list[str], root: bool = False) -> list[Pattern]:
        """Match a node's operands; gives them in the order that this variant expects."""
        children = list(node.args)
        if node.op.commutes:
            if any(child in self.known for child in children):
                self._one_known(children, places)
                return children
            if self._must_choose(children):
                self.undecided.append(node)
                if node in self.swapped:
                    children.reverse()
        waiting = list(zip(children, places))
        while waiting:
            pair = min(waiting, key=lambda pair: self._order(pair[0]))
            waiting.remove(pair)
            # The index has compared the ops of the root's first two operands.
            self._match(*pair, indexed=root and pair[1] != "args[2]")
        return children

    def _must_choose(self, children: list[Pattern]) -> bool:
        """Constants stand second in a graph, so that their order is known; variables used once may be either."""
        first, second = children
        if isinstance(second, Literal) or _is_constant(second):
            return False
        return not (isinstance(first, Variable) and isinstance(second, Variable)
                    and self.uses[first] == self.uses[second] == 1)  # fmt: skip

    def _order(self, pattern: Pattern) -> int:
        """Operands that cost little come first, then those that say something of values known already."""
        if not isinstance(pattern, Node) or pattern in self.known:
            return 0
        return 1 if self._touches_known(pattern) else 2

    def _touches_known(self, pattern: Pattern) -> bool:
        inside = isinstance(pattern, Node) and any(self._touches_known(arg) for arg in pattern.args)
        return inside or pattern in self.known

    def _one_known(self, children: list[Pattern], places: list[str]) -> None:
        """Match the operands of a commutative node, at least one of which is known."""
        sure, other = children if children[0] in self.known else children[::-1]
        here, there = places[:2]
        rest = self._fresh()
        name = self.known[sure]
        self._line(f"{rest} = {there} if {here} is {name} else {here} if {there} is {name} else None")
        self._refuse_unless(f"{rest} is not None")
        self._match(other, rest)

    def _fresh(self) -> str:
        return f"n{len(self.lines)}"

    def _match(self, pattern: Pattern, place: str, indexed: bool = False) -> None:
        if pattern in self.known:
            self._refuse_unless(f"{place} is {self.known[pattern]}")
        elif isinstance(pattern, Literal):
            self._refuse_unless(f"{place}.op is CONST and {place}.imm == {_literal(pattern.value, place)}")
        elif isinstance(pattern, Variable):
            self._line(f"{pattern.name} = {place}")
            self.known[pattern] = pattern.name
            if pattern.is_constant:
                self._refuse_unless(f"{pattern.name}.op is CONST")
            self._type(pattern.tag, f"{pattern.name}.type")
        else:
            assert isinstance(pattern, Node)
            name = self._fresh()
            self._line(f"{name} = {place}")
            if not indexed:
                self._refuse_unless(f"{name}.op is {self._op(pattern.op)}")
            self.known[pattern] = name
            if pattern.op.name in _RESIZES:
                self._type(pattern.tag, f"{name}.type")
                self.linked.add(frozenset((pattern.tag, pattern.args[0].tag)))
            self._operands(pattern, [f"{name}.args[{i}]" for i in range(len(pattern.args))])

    def _op(self, op: Op) -> str:
        name = f"OP_{op.name}"
        self.scope[name] = op
        return name

    # --- building -----------------------------------------------------------------------------------------------------
    def _build(self, pattern: Pattern) -> str:
        """An expression that gives the value of a pattern."""
        if pattern in self.known:
            return self.known[pattern]
        if isinstance(pattern, Literal):
            return f"function.const({self._type_of(pattern.tag)}, {pattern.value})"
        if not isinstance(pattern, Node):
            raise RuleError(f"rule {self.rule.name} uses a variable that its pattern does not find")
        args = "".join(f"{self._build(arg)}, " for arg in pattern.args)
        if pattern.op.name in _RESIZES:
            self._check_widths(pattern)
        return f"function.pure({self._op(pattern.op)}, {self._type_of(pattern.tag)}, ({args}))"

    def _check_widths(self, node: Node) -> None:
        """Only the replacement has this resize, so the types must be seen to allow it."""
        source, target = node.args[0].tag, node.tag
        if frozenset((source, target)) in self.linked:
            return
        narrow, wide = (target, source) if node.op.name == "trunc" else (source, target)
        self._refuse_unless(f"{self._type_of(narrow)}.bits < {self._type_of(wide)}.bits")

    def _type_of(self, tag: str) -> str:
        if tag not in self.types:
            raise RuleError(f"rule {self.rule.name}: nothing in its pattern tells the type {tag}")
        return self.types[tag]


def _op_of(pattern: Pattern) -> Op | None:
    """The op that a value needs to match a pattern; None if any will do."""
    if isinstance(pattern, Node):
        return pattern.op
    return OPS["const"] if isinstance(pattern, Literal) or _is_constant(pattern) else None


def _is_constant(pattern: Pattern) -> bool:
    return isinstance(pattern, Variable) and pattern.is_constant


def _variables(pattern: Pattern) -> Iterator[Pattern]:
    """Every place of a variable in a pattern."""
    if isinstance(pattern, Node):
        for arg in pattern.args:
            yield from _variables(arg)
    else:
        yield pattern


def _literal(value: int, place: str) -> str:
    return str(value) if value >= 0 else f"({value} & {place}.type.mask)"

