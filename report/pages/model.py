"""The model: its layers, their shapes and parameters, and a picture of them."""

from dataclasses import dataclass

from report.figures.diagram import Block, diagram
from report.output.bundle import Bundle
from report.pages.study import Study


@dataclass(frozen=True)
class Context:
    blocks: list[Block]


def context(study: Study, bundle: Bundle) -> Context:
    return Context(diagram(study.layers))
