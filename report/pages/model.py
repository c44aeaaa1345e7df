"""The model: its layers, their shapes and parameters, a picture of them, and the network to take away."""

import json
from dataclasses import dataclass

from report.figures.diagram import Block, diagram
from report.output.bundle import Bundle
from report.pages.shared import Download, download
from report.pages.study import Study
from report.text.model_card import metrics, model_card


@dataclass(frozen=True)
class Context:
    blocks: list[Block]
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    files = [("model-card.md", model_card(study).encode(), "what it is, how good, and how to use it"),
             ("metrics.json", json.dumps(metrics(study), indent=1).encode() + b"\n", "all figures, for programs"),
             ("architecture.json", study.first.file("architecture.json"), "Keras’s description of the network")]
    for member in study.members:
        name = "weights" if len(study.members) == 1 else f"weights-{member.record.name}"
        files.append((f"{name}.npz", member.file("weights.npz"), "the weights as NumPy arrays, by name"))
    return Context(diagram(study.layers), [download(bundle, *file) for file in files])
