"""Views of functions: graphs, drawings, and what notebooks show."""

from __future__ import annotations

from xml.etree import ElementTree

import networkx
import pytest

from metaphrase.ir import view
from metaphrase.ir.graph import Function
from metaphrase.ir.parse import parse_function
from metaphrase.ir.text import print_function

TEXT = """\
func @count(a0: i32) -> i32 {
  local l0: i32
start at 0x10 count 2:
  write l0, 0
  jump head
head:
  v1 = read i32 l0
  v2 = ult v1, a0
  branch v2, body, done
done:
  ret v1
body:
  v3 = add v1, v1
  v4 = add v3, 1
  write l0, v4
  jump head
}
"""


@pytest.fixture
def function() -> Function:
    return parse_function(TEXT)


def test_control_flow(function: Function) -> None:
    graph = view.control_flow(function)
    by_name = {data["name"]: block for block, data in graph.nodes(data=True)}
    assert list(by_name) == ["start", "head", "done", "body"]
    head, body, done = by_name["head"], by_name["body"], by_name["done"]
    assert graph.edges[head, body] == {"kind": "then", "back": False}
    assert graph.edges[head, done]["kind"] == "else"
    assert graph.edges[body, head]["back"]
    assert (graph.nodes[head]["loop_depth"], graph.nodes[done]["loop_depth"]) == (1, 0)
    assert graph.nodes[body]["dominator"] is head
    assert graph.nodes[by_name["start"]]["origin"] == (16, 2)
    assert [sorted(block.name for block in part) for part in networkx.strongly_connected_components(graph)] == [
        ["done"], ["body", "head"], ["start"]
    ]  # fmt: skip


def test_value_graph(function: Function) -> None:
    graph = view.value_graph(function)
    labels = networkx.get_node_attributes(graph, "label")
    read = next(node for node, label in labels.items() if label == "read 0")
    double = next(node for node, data in graph.nodes(data=True) if data["op"] == "add" and graph.has_edge(read, node))
    assert graph.edges[read, double]["positions"] == [0, 1]
    assert graph.nodes[double]["block"].name == "body"
    assert graph.nodes[double]["type"] == "i32"
    assert networkx.is_directed_acyclic_graph(graph)


def test_dot(function: Function) -> None:
    text = view.dot(view.control_flow(function))
    assert 'label="head:\\l  v1 = read i32 l0\\l' in text
    assert '[label="then"]' in text
    assert "digraph" in view.dot(view.value_graph(function))


def test_a_drawing_needs_no_program(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view.shutil, "which", lambda name: None)
    root = ElementTree.fromstring(view.svg(function))
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    assert len(root.findall(f"{space}rect")) == 4
    lines = [element.text or "" for element in root.iter(f"{space}text")]
    assert "  v2 = ult v1, a0" in lines
    assert len(root.findall(f"{space}path")) == 4


def test_what_notebooks_show(function: Function) -> None:
    bundle = function._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/svg+xml"}
    assert bundle["text/plain"] == str(function) == print_function(function) == TEXT
    one = parse_function("func @f() { next }")
    assert "image/svg+xml" not in one._repr_mimebundle_()
