"""The model: its layers, their shapes and parameters, and a picture of them."""

from report.contexts import ModelContext
from report.figures.diagram import diagram
from report.pages.study import Study
from report.output.bundle import Bundle


def context(study: Study, bundle: Bundle) -> ModelContext:
    layers = study.run.layers
    return ModelContext(
        diagram=diagram(layers), layers=layers, parameters=study.parameters,
        trainable=study.trainable_parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        largest=max(layers, key=lambda layer: layer.parameters))
