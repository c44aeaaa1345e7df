"""The model: its layers, their shapes and parameters, and a picture of them."""

from dataclasses import dataclass

from digits.run import Layer
from report.figures.diagram import Diagram, diagram
from report.output.bundle import Bundle
from report.pages.study import Study


@dataclass(frozen=True)
class Context:
    diagram: Diagram
    layers: list[Layer]
    parameters: int
    trainable: int
    multiply_adds: int
    largest: Layer


def context(study: Study, bundle: Bundle) -> Context:
    layers = study.run.layers
    return Context(
        diagram=diagram(layers), layers=layers, parameters=study.parameters,
        trainable=study.trainable_parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        largest=max(layers, key=lambda layer: layer.parameters))
