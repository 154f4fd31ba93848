"""Functions as networkx graphs, to compute on and to look at.

`control_flow` has a node a block, `value_graph` a node a value. `svg` draws the blocks, with graphviz's `dot` where it
is installed and otherwise by itself; `mimebundle` is what notebooks show.
"""

from __future__ import annotations

import html
import shutil
import subprocess
from collections.abc import Iterable

import networkx

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.schedule import Dominators, schedule
from metaphrase.ir.text import block_texts, constant_text, place_text, print_function

_SHOWN_BLOCKS = 60
"""A drawing of more blocks helps nobody; they are shown as text."""


def control_flow(function: Function) -> networkx.DiGraph:
    """Blocks and the ways between them.

    Nodes are the reachable blocks, with `name`, `text` (lines), `loop_depth`, `dominator` (a block, None for the
    entry) and `origin`. Edges have `kind`: "jump", "then" or "else", and `back` where they close a loop.
    """
    dominators = Dominators(function)
    texts = block_texts(function)
    graph = networkx.DiGraph(name=function.name)
    for number, block in enumerate(dominators.order):
        graph.add_node(
            block,
            name=block.name,
            text=texts[block],
            loop_depth=dominators.loop_depth[number],
            dominator=dominators.order[dominators.idom[number]] if number else None,
            origin=block.origin,
        )
    for number, block in enumerate(dominators.order):
        for position, target in enumerate(block.successors):
            back = dominators.dominates(dominators.index[target], number)
            graph.add_edge(block, target, kind=_edge_kind(block, position), back=back)
    return graph


def _edge_kind(block: Block, position: int) -> str:
    assert block.terminator is not None
    name = block.terminator.op.name
    return ("then", "else")[position] if name == "branch" else name


def value_graph(function: Function) -> networkx.DiGraph:
    """Values and what they are made of.

    Nodes are the numbers of values, with `value`, `op`, `type`, `imm`, `label` and `block` (where an effect stands or
    the scheduler puts a pure node; None for constants and inputs). Edges go from an operand to its user and list the
    `positions` at which it is used.
    """
    place = {value.id: block for block, values in schedule(function) for value in values}
    graph = networkx.DiGraph(name=function.name)
    for value in function.values():
        graph.add_node(
            value.id,
            value=value,
            op=value.op.name,
            type=str(value.type),
            imm=value.imm,
            label=_label(value),
            block=place.get(value.id),
        )
        for position, arg in enumerate(value.args):
            if graph.has_edge(arg.id, value.id):
                graph.edges[arg.id, value.id]["positions"].append(position)
            else:
                graph.add_edge(arg.id, value.id, positions=[position])
    return graph


def _label(value: Value) -> str:
    """A few words for a node."""
    match value.op.immediate:
        case "value":
            return constant_text(value.imm, value.type)
        case "offset":
            return f"{value.op.name} {place_text(value.function.layout, value.imm)}"
        case "":
            return value.op.name
    return f"{value.op.name} {value.imm}"


# --- drawing ----------------------------------------------------------------------------------------------------------
def dot(graph: networkx.DiGraph) -> str:
    """A graph of this module in graphviz's language."""
    lines = ["digraph {", '  node [shape=box, fontname="monospace", fontsize=10];', '  edge [fontsize=9];']
    number = {node: index for index, node in enumerate(graph)}
    for node, data in graph.nodes(data=True):
        label = "".join(_escaped(line) + "\\l" for line in data["text"]) if "text" in data else _escaped(data["label"])
        lines.append(f'  n{number[node]} [label="{label}"];')
    for source, target, data in graph.edges(data=True):
        kind = data.get("kind", "")
        style = f' [label="{kind}"]' if kind in ("then", "else") else ""
        lines.append(f"  n{number[source]} -> n{number[target]}{style};")
    return "\n".join([*lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def svg(function: Function) -> str:
    """The control-flow graph as an SVG image."""
    graph = control_flow(function)
    program = shutil.which("dot")
    if program:
        done = subprocess.run([program, "-Tsvg"], input=dot(graph), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout[done.stdout.index("<svg") :]
    return _stacked(graph)


_LINE, _CHARACTER, _GAP, _MARGIN = 14, 7, 22, 10
"""Height of a line, width of a character, space between boxes and around them, in pixels."""


def _stacked(graph: networkx.DiGraph) -> str:
    """Boxes one below the other, in the order of the blocks, with arcs on the right (forward) and left (back)."""
    boxes: dict[Block, tuple[int, int]] = {}
    top, lanes = _MARGIN, max(1, graph.number_of_edges())
    side = _MARGIN + min(lanes, 12) * 9 + 12
    width = max((len(line) for _, data in graph.nodes(data=True) for line in data["text"]), default=8) * _CHARACTER + 12
    parts: list[str] = []
    for block, data in graph.nodes(data=True):
        height = len(data["text"]) * _LINE + 8
        boxes[block] = (top, height)
        parts.append(f'<rect x="{side}" y="{top}" width="{width}" height="{height}" rx="4" class="b"/>')
        for index, line in enumerate(data["text"]):
            y = top + 4 + _LINE * (index + 1) - 3
            parts.append(f'<text x="{side + 6}" y="{y}" xml:space="preserve">{html.escape(line)}</text>')
        top += height + _GAP
    parts += _arcs(graph, boxes, side, width)
    total = side * 2 + width
    style = "text{font:11px monospace;fill:currentColor}.b{fill:none;stroke:currentColor}path{fill:none;stroke:gray}"
    size = 'refX="6" refY="3" markerWidth="7" markerHeight="6" orient="auto"'
    marker = f'<marker id="a" {size}><path d="M0 0L6 3L0 6"/></marker>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{top}" viewBox="0 0 {total} {top}">'
        f"<style>{style}</style><defs>{marker}</defs>{''.join(parts)}</svg>"
    )


def _arcs(graph: networkx.DiGraph, boxes: dict[Block, tuple[int, int]], side: int, width: int) -> Iterable[str]:
    order = {block: index for index, block in enumerate(boxes)}
    lane = 0
    for source, target in graph.edges:
        start, end = boxes[source][0] + boxes[source][1], boxes[target][0]
        if order[target] == order[source] + 1:
            x = side + width // 2
            yield f'<path d="M{x} {start}V{end}" marker-end="url(#a)"/>'
            continue
        lane = lane % 12 + 1
        forward = order[target] > order[source]
        near, far = (side + width, side + width + 9 * lane) if forward else (side, side - 9 * lane)
        yield f'<path d="M{near} {start - 6}H{far}V{end + 8}H{near}" marker-end="url(#a)"/>'


def mimebundle(function: Function) -> dict[str, str]:
    """A function for a notebook: its text, and a drawing of its blocks if there are several but not too many."""
    text = print_function(function)
    bundle = {"text/plain": text, "text/html": f"<pre>{html.escape(text)}</pre>"}
    if 1 < len(function.blocks) <= _SHOWN_BLOCKS:
        bundle["image/svg+xml"] = svg(function)
    return bundle
