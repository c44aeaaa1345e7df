"""The model: its layers, their shapes and parameters, a picture of them, and the network to take away."""

import io
import json
from dataclasses import dataclass

import numpy as np

from digits.files import read_bytes
from digits.run import Member
from report.figures.diagram import Block, diagram
from report.output.bundle import Bundle
from report.pages.shared import Download, download
from report.pages.study import Study
from report.text.model_card import metrics, model_card

LARGEST = 4_000_000  # bytes of all weights; with more, the site would be slow to publish and to load


@dataclass(frozen=True)
class Context:
    blocks: list[Block]
    downloads: list[Download]


def context(study: Study, bundle: Bundle) -> Context:
    files = [("model-card.md", model_card(study).encode(), "what it is, how good, and how to use it"),
             ("metrics.json", json.dumps(metrics(study), indent=1).encode() + b"\n", "all figures, for programs"),
             ("architecture.json", read_bytes(study.first.folder / "architecture.json"),
              "Keras’s description of the network")]
    stored = [read_bytes(member.folder / "weights.npz") for member in study.members]
    is_halved = sum(map(len, stored)) > LARGEST
    for member, weights in zip(study.members, stored):
        name = "weights" if len(study.members) == 1 else f"weights-{member.record.name}"
        files.append((f"{name}.npz", _halved(member), "the weights as NumPy arrays, by name, kernels in float16")
                     if is_halved else
                     (f"{name}.npz", weights, "the weights as NumPy arrays, by name"))
    return Context(diagram(study.layers), [download(bundle, *file) for file in files])


def _halved(member: Member) -> bytes:
    """The weights of a network as npz, its kernels in float16: they are small numbers, of which many share in
    each sum. Biases and statistics stay as they are. To compress them would save a tenth, and take longer than
    all other pages."""
    file = io.BytesIO()
    np.savez(file, **{name: values.astype(np.float16) if values.ndim > 1 else values
                      for name, values in member.weights.items()})
    return file.getvalue()
