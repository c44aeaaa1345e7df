"""The model: its layers, their shapes and parameters, and a picture of them."""

from report.contexts import ModelContext
from report.diagram import diagram
from report.study import Study
from report.writer import Bundle


def context(study: Study, bundle: Bundle) -> ModelContext:
    layers = study.run.layers
    return ModelContext(
        diagram=diagram(layers), layers=layers, parameters=study.parameters,
        trainable=study.trainable_parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        largest=max(layers, key=lambda layer: layer.parameters))
